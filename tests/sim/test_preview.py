"""A preview writes nothing, anywhere, and what it says is what the run that follows does (SPEC 4.7)."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from sync.model import Family, Kind
from sync.preview import Preview, dry_run
from sync.store.base import Put
from sync.store.ledger import MailboxLedger
from tests.sim.kill_points import begun
from tests.sim.run import USERS
from tests.sim.story import Story
from tests.sim.world import World


class Watched(World):
    """Before each run of a mailbox it is previewed; both are compared."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.wrong: list[str] = []
        self.previews: list[Preview] = []

    async def runs(self, worker: Any) -> None:
        for user, mailbox in self.users.items():
            before, stored = self.writes, self.rows.everything()
            seen = await dry_run(worker, mailbox, user)
            self.previews.append(seen)
            if self.writes != before or self.rows.everything() != stored:
                self.wrong.append("the preview wrote something")
            counts: Counter[str] = Counter()
            for _ in range(9):
                outcome = await worker.run(mailbox)
                counts.update(outcome.counts if outcome else {})
                if outcome is None or not outcome.unfinished:
                    break
            if dumb := [row for row in seen.rows if not row.because or not row.id or "preview" in row.id]:
                self.wrong.append(f"{mailbox}: nobody says why, or of what: {dumb}")
            written = self.writes - before
            if sum(seen.counts.values()) != written:
                self.wrong.append(f"{mailbox}: {written} writes, {dict(seen.counts)} were announced")
            if +Counter(seen.reasons) != +counts:
                self.wrong.append(f"{mailbox}: {dict(counts)} happened, {dict(seen.reasons)} were announced")


async def watched_story(seed: int, world: Watched) -> list[str]:
    story = Story(world, random.Random(seed))
    await world.connect()
    story.act(10)
    for _ in range(3):
        await world.settle(2)
        story.act(6)
    await world.settle(2)
    assert any(seen.counts for seen in world.previews)
    return [f"{seed}: {message}" for message in world.wrong]


@pytest.mark.parametrize("first", range(0, 60, 20))
def test_what_a_preview_says_is_what_happens(first: int) -> None:
    assert [
        wrong for seed in range(first, first + 20) for wrong in asyncio.run(watched_story(seed, Watched(USERS)))
    ] == []


@pytest.mark.parametrize("seed", [71, 97])
def test_two_cards_of_one_address_do_not_keep_each_other_from_the_crm(seed: int) -> None:
    """They claim the same address at once; which of them came first decided what a run did."""
    assert asyncio.run(watched_story(seed, Watched(USERS))) == []


async def test_all_four_kinds_with_a_series_and_a_meeting() -> None:
    world = await begun()
    watched = Watched(USERS, None)
    for name in World(USERS).__dict__:
        setattr(watched, name, getattr(world, name))
    watched.process.accident = None
    await watched.tick()
    assert watched.wrong == []
    kinds = {kind for seen in watched.previews for _, _, kind in seen.counts}
    assert kinds == set(Kind)
    assert sum(seen.mails for seen in watched.previews) > 0
    names = " ".join(row.name for seen in watched.previews for row in seen.rows)
    assert "Verdi" in names


async def test_a_mailbox_that_is_not_connected_yet_is_shown_as_if_it_were() -> None:
    world = Watched(USERS)
    world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Anna", "lastname": "Rossi", "title": "s1"})
    world.mailboxes["mailbox-a"].add({"givenName": "Bruno", "surname": "Verdi", "jobTitle": "s2"})
    seen = await dry_run(world.worker(), "mailbox-a", "19x1")
    shown: Mapping[Any, int] = {(what, side.value, kind.value): n for (what, side, kind), n in seen.counts.items()}
    assert shown == {("create", "mailbox", "contact"): 1, ("create", "crm", "contact"): 1}
    assert (seen.first, seen.complete, seen.cause, world.writes) == (True, True, "", 0)
    assert world.rows.everything() == []
    assert {row.name for row in seen.rows} == {"Anna Rossi", "Bruno Verdi"}


async def test_mails_of_days_ago_are_no_mails_saved() -> None:
    """A run forgets charges that are older than a day: what is gone from the ledger must not lower what is announced."""
    world = await begun()
    ledger = MailboxLedger(world.registry.rows, "mailbox-a", 0, "", Family.CALENDAR)
    before = await ledger.mails()
    old = (world.now() - timedelta(hours=50)).strftime("%Y-%m-%dT%H")
    row = {"hours": json.dumps({**before, old: 40}), "run": 0, "meetings": 0, "mails": 0}
    await world.rows.transact(ledger.partition, [Put("q", row)])
    seen: list[Preview] = []

    async def looked(worker: Any) -> None:
        seen.append(await dry_run(worker, "mailbox-a", "19x1"))
        await worker.run("mailbox-a")

    world.runs = looked  # type: ignore[method-assign]
    await world.tick()
    after = await ledger.mails()
    assert old not in after, "nothing was charged: this proves nothing"
    assert seen[0].mails == sum(after.values()) - sum(before.values()) > 0
