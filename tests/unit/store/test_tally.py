"""What runs did, by the hour."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sync.model import Kind, Side
from sync.store.memory import MemoryRows
from sync.store.tally import FAILURES, RUNS, SHARDS, Tally, column

NOON = datetime(2026, 3, 2, 12, 34, tzinfo=UTC)
CARD, RECORD = (Kind.CONTACT, Side.MAILBOX), (Kind.EVENT, Side.CRM)


async def test_runs_of_an_hour_add_up_and_empty_hours_are_there_too() -> None:
    tally = Tally(MemoryRows())
    await tally.add("a", {CARD: 3}, NOON)
    await tally.add("b", {CARD: 2, RECORD: 1}, NOON + timedelta(minutes=20))
    await tally.add("c", {}, NOON - timedelta(hours=1), failures=1)
    hours = await tally.last(24, NOON)
    assert len(hours) == 24
    *_, before, now = hours.values()
    assert (now[column(*CARD)], now[column(*RECORD)], now[RUNS], now[FAILURES]) == (5, 1, 2, 0)
    assert (before[RUNS], before[FAILURES]) == (1, 1)
    assert list(hours)[-1] == "2026-03-02T12:00:00+00:00"
    assert hours["2026-03-01T13:00:00+00:00"] == {}


async def test_a_run_that_did_nothing_writes_nothing() -> None:
    rows = MemoryRows()
    assert await Tally(rows).add("a", {}, NOON)
    assert not rows.everything()


async def test_many_that_end_at_once_are_all_counted() -> None:
    tally = Tally(MemoryRows())
    done = await asyncio.gather(*(tally.add(f"m{n}", {CARD: 1}, NOON) for n in range(4 * SHARDS)))
    assert all(done)
    assert (await tally.last(1, NOON))["2026-03-02T12:00:00+00:00"][column(*CARD)] == 4 * SHARDS


async def test_what_is_older_than_two_days_goes() -> None:
    tally = Tally(MemoryRows())
    for hours in (0, 47, 49, 80):
        await tally.add("a", {CARD: 1}, NOON - timedelta(hours=hours))
    await tally.tidy(NOON)
    left = await tally.last(100, NOON)
    assert sum(numbers[RUNS] for numbers in left.values()) == 2
