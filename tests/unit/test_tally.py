"""Hourly tallies: what they count, who may be quicker, how long they stay; and what a worker leaves of a run."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mapping.tasks import TaskTranslator
from sync import commands
from sync.errors import Cause, Failure, StopMailbox
from sync.model import Item, Kind, Side
from sync.policy import CalendarPolicy
from sync.progress import compared_at, items, pending, read
from sync.setup import Setup
from sync.sides.base import Done, Mailbox, New, Refused, Remove, Revise, Unclear
from sync.store.base import Conflict, Row, StoreUnreachable
from sync.store.mailboxes import MailboxRow
from sync.store.memory import MemoryRows
from sync.store.tally import PARTITION, SHARDS, add, drop_old, family_of, last_day
from sync.written import CHANGED, CREATED, DELETED, Written, happened
from tests.contract.api_world import Sides, worker_of
from tests.unit.control.world import ANNA, ANNAS, World

NOW = datetime(2026, 3, 2, 8, 59, tzinfo=UTC)
NEW_CARD: Written = Counter({(Side.MAILBOX, Kind.CONTACT, CREATED): 3})


def test_only_what_happened_for_sure_is_written() -> None:
    item = Item(Side.MAILBOX, Kind.TASK, "i", "1", {})
    writes = [New(Kind.EVENT, {}, ""), New(Kind.EVENT, {}, ""), Revise(item, {}), Remove(item), Remove(item)]
    results = [Done(item), Unclear(Failure(0)), Done(item), Done(None), Refused(Failure(412))]
    assert happened(Side.MAILBOX, writes, results) == {
        (Side.MAILBOX, Kind.EVENT, CREATED): 1,
        (Side.MAILBOX, Kind.TASK, CHANGED): 1,
        (Side.MAILBOX, Kind.TASK, DELETED): 1,
    }


async def test_counts_of_an_hour_add_up_over_shards() -> None:
    rows = MemoryRows()
    for number in range(40):
        await add(rows, f"mailbox{number}", NOW, NEW_CARD)
    await add(rows, "mailbox0", NOW, Counter({(Side.CRM, Kind.TASK, DELETED): 1}), "graph_throttled")
    await add(rows, "mailbox0", NOW - timedelta(hours=23), Counter(), "mailbox_full")
    await add(rows, "mailbox0", NOW - timedelta(hours=24), NEW_CARD)
    assert len({row.key for row in rows.everything() if row.key.startswith("2026-03-02T08")}) == SHARDS
    hours = await last_day(rows, NOW)
    assert [len(hours), hours[0].hour, hours[-1].hour] == [24, "2026-03-01T09:00:00+00:00", "2026-03-02T08:00:00+00:00"]
    assert (hours[-1].items(Side.MAILBOX, Kind.CONTACT), hours[-1].items(Side.CRM, Kind.TASK)) == (120, 1)
    assert (hours[-1].failures, hours[-1].runs) == ({"graph": 1}, 41)
    assert (hours[0].failures, hours[0].written, hours[0].runs) == ({"mailbox": 1}, {}, 1)
    assert not any(hour.runs for hour in hours[1:-1])


async def test_runs_that_end_together_lose_no_count() -> None:
    rows = MemoryRows()
    await asyncio.gather(*(add(rows, "one", NOW, NEW_CARD) for _ in range(3)))
    assert (await last_day(rows, NOW))[-1].items(Side.MAILBOX, Kind.CONTACT) == 9


async def test_who_never_gets_a_turn_gives_up() -> None:
    class Quicker(MemoryRows):
        async def get(self, partition: str, key: str) -> Row | None:
            return Row(partition, key, {}, "old")

    with pytest.raises(Conflict):
        await add(Quicker(), "one", NOW, NEW_CARD)


async def test_after_two_days_nothing_is_left() -> None:
    rows = MemoryRows()
    for hours in (0, 48, 49, 100):
        await add(rows, "one", NOW - timedelta(hours=hours), NEW_CARD)
    await drop_old(rows, NOW)
    assert [row.key[:13] for row in rows.everything()] == ["2026-02-28T08", "2026-03-02T08"]
    await drop_old(MemoryRows(), NOW)


def test_families_of_causes() -> None:
    found = {cause: family_of(cause) for cause in ("crm_crashed", "graph_refused", "entra_unreachable", "reconnect")}
    assert list(found.values()) == ["crm", "graph", "entra", "mailbox"]


class Unkept(MemoryRows):
    """A store that takes everything but tallies."""

    def __init__(self) -> None:
        super().__init__()
        self.refused = 0

    async def get(self, partition: str, key: str) -> Row | None:
        if partition == PARTITION:
            self.refused += 1
            raise StoreUnreachable("503")
        return await super().get(partition, key)


async def _filled(world: World) -> MailboxRow:
    """Anna's first run, over two contacts of hers."""
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    for number in range(2):
        world.crm.add(Kind.CONTACT, ANNA, {"lastname": f"Rossi {number}"})
    outcome = await worker_of(world).run(ANNAS)
    assert outcome is not None
    return await world.mailbox()


async def test_a_run_that_wrote_is_counted_and_a_quiet_one_costs_nothing() -> None:
    world = World()
    row = await _filled(world)
    (hour,) = [each for each in await last_day(world.rows, world.now()) if each.runs]
    assert (hour.runs, hour.written, hour.failures) == (1, {(Side.MAILBOX, Kind.CONTACT, CREATED): 2}, {})
    found = read(row.progress)
    assert compared_at(found) == world.now().isoformat(timespec="seconds")
    assert (items(found), pending(found)) == ((0, 0), {})
    for _ in range(2):
        await worker_of(world).run(ANNAS)
    assert [each.runs for each in await last_day(world.rows, world.now()) if each.runs] == [1]


async def test_a_run_that_fails_is_counted_with_what_it_wrote_before() -> None:
    world = World()
    await _filled(world)
    record = world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Verdi"})
    await world.registry.mark(ANNAS, [(Kind.CONTACT, record.id)], "n")

    class Unlucky(Sides):
        async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
            raise StopMailbox(Cause.MAILBOX_FULL)

    async def setup() -> Setup:
        translators = {**world.translators, Kind.TASK: TaskTranslator()}
        return Setup(True, translators, {ANNA: ANNAS})

    assert await replace(worker_of(world), sides=Unlucky(world), setup=setup).run(ANNAS) is None
    hour = (await last_day(world.rows, world.now()))[-1]
    assert (hour.runs, hour.failures) == (2, {"mailbox": 1})
    assert hour.written == {(Side.MAILBOX, Kind.CONTACT, CREATED): 3}
    assert (await world.mailbox()).state == "error"


async def test_a_tally_that_cannot_be_kept_ends_no_run(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.rows = rows = Unkept()
    world.registry.rows = rows
    await world.registry.change_mailbox(ANNAS, user=ANNA)
    with caplog.at_level(logging.WARNING):
        await worker_of(world)._tally(ANNAS, NEW_CARD, "")
    assert (rows.refused, "StoreUnreachable" in caplog.text) == (1, True)
    assert "503" not in caplog.text
