"""A rotated key of digests moves nothing, and what is settled is digested anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mapping.model import Value
from sync.model import Family, Kind
from sync.store.ledger import MailboxLedger
from tests.sim import rotating
from tests.sim.calendar_run import play_calendar
from tests.sim.meeting_run import play_meetings
from tests.sim.rotating import rotate
from tests.sim.run import play
from tests.sim.task_run import play_tasks
from tests.sim.world import World

USERS = {"19x1": "mailbox-a"}
COMING = "2026-12-10T09:00Z/2026-12-10T10:00Z"


async def keys_of_bases(world: World, family: Family = Family.PEOPLE) -> set[str]:
    ledger = MailboxLedger(world.rows, "mailbox-a", 0, "", family)
    links = [link async for link in ledger.links()]
    return {digest.partition(".")[0] for link in links for held in link.base.values() for digest in held}


def card(name: str) -> dict[str, Value]:
    return {"givenName": "Anna", "surname": name, "jobTitle": name, "emailAddresses": (f"{name}@x.example",)}


async def test_people_after_a_rotation() -> None:
    world = World(USERS)
    await world.connect()
    record = world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Anna", "lastname": "Rossi", "email": "a@x.example"})
    doomed = world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Anna", "lastname": "Bianchi", "email": "b@x.example"})
    box = world.mailboxes["mailbox-a"]
    edited = box.add(card("Verdi"))
    await world.settle(3)
    before = world.writes
    rotate(world)
    world.crm.edit(record.id, department="Vendite")
    await world.settle(3)
    assert world.writes == before + 1
    assert await keys_of_bases(world) == {"b"}
    world.crm.delete(doomed.id)
    box.edit(edited.id, jobTitle="")
    world.crm.edit(record.id, title="dott.")
    await world.settle(3)
    titles = {
        each.fields["surname"]: each.fields.get("jobTitle", "") for each in box.cards.values() if each.place == "folder"
    }
    assert titles == {"Rossi": "dott.", "Verdi": ""}, "a deletion is still known as such"
    assert {r.fields.get("title", "") for r in world.crm.records.values() if not r.deleted} == {"dott.", ""}
    assert await world.settle(3) == 0


async def test_a_comparison_that_began_before_the_rotation_begins_anew() -> None:
    world = World(USERS)
    await world.connect()
    for number in range(20):
        world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Anna", "lastname": f"R{number}"})
    await world.settle(3)
    await world.registry.change_mailbox("mailbox-a", full=True)
    world.time += timedelta(minutes=5)
    usual, world.limits = world.limits, replace(world.limits, slice=timedelta(0))
    outcome = await world.worker().run("mailbox-a")
    assert outcome is not None
    assert outcome.unfinished, "a slice of one chunk"
    world.limits = usual
    rotate(world)
    await world.settle(1)
    assert await keys_of_bases(world) == {"b"}


@pytest.mark.parametrize("family", [Family.CALENDAR, Family.TASKS])
async def test_what_was_there_before_the_connection_stays_where_it_is(family: Family) -> None:
    """A baseline is a digest, too: seen as changed, years of old events went out to the mailbox."""
    world = World(USERS, family=family)
    kind = Kind.EVENT if family is Family.CALENDAR else Kind.TASK
    fields = {"subject": "Vecchio", **({"when": COMING} if kind is Kind.EVENT else {"taskstatus": "Not Started"})}
    old = world.crm.add(kind, "19x1", fields)
    await world.connect()
    await world.settle(3)
    before = world.writes
    rotate(world)
    await world.settle(3)
    assert world.writes == before, "nothing is exported"
    world.crm.edit(old.id, subject="Nuovo")
    world.time += timedelta(minutes=5)
    await world.settle(3)
    assert world.writes == before + 1, "what is edited after all comes"


@pytest.mark.parametrize(
    ("play", "seeds"),
    [(play, (44, 61, 81)), (play_calendar, (0, 98)), (play_tasks, (7, 24, 26, 44)), (play_meetings, (1, 2))],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_stories_with_a_rotation(
    play: Callable[[int], Coroutine[Any, Any, list[str]]], seeds: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds that found something: `make sim` rotates in every seventh story."""
    monkeypatch.setattr(rotating, "RATE", 1)
    assert {seed: wrong for seed in seeds if (wrong := asyncio.run(play(seed)))} == {}
