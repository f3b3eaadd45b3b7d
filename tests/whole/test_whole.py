"""The simulator's stories through the real adapters and the real store, over the emulators in process.

A part of the seeds here; `make sim` takes all.
"""

from __future__ import annotations

import asyncio

import pytest

from sync.store.tables import TableRows
from tests.sampling import sampled
from tests.sim.calendar_run import play_calendar
from tests.sim.plants import PLANTS
from tests.sim.run import play
from tests.whole.calendar_world import CalendarWholeWorld
from tests.whole.world import WholeWorld

BLOCK = 20


@pytest.mark.parametrize("first", sampled(range(0, 200, BLOCK), 2))
def test_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BLOCK) if (found := asyncio.run(play(seed, WholeWorld())))}
    assert wrong == {}


@pytest.mark.parametrize("seed", sampled(range(1000, 1012), 2))
async def test_seeds_on_table_storage(seed: int, azurite: str) -> None:
    """The store's own hooks are missing here: accidents happen to requests only."""
    rows = TableRows.connect(azurite, table=f"whole{seed}")
    try:
        assert await play(seed, WholeWorld(rows)) == []
    finally:
        await rows.aclose()


@pytest.mark.parametrize("name", ["drop edits as echoes", "digest the raw value"])
def test_a_planted_bug_is_found_here_too(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    assert any(asyncio.run(play(seed, WholeWorld())) for seed in range(200))


@pytest.mark.parametrize("first", sampled(range(0, 120, BLOCK), 2))
def test_calendar_seeds(first: int) -> None:
    seeds = range(first, first + BLOCK)
    wrong = {s: found for s in seeds if (found := asyncio.run(play_calendar(s, CalendarWholeWorld())))}
    assert wrong == {}


@pytest.mark.parametrize("seed", sampled(range(1000, 1004), 2))
async def test_calendar_seeds_on_table_storage(seed: int, azurite: str) -> None:
    rows = TableRows.connect(azurite, table=f"calendar{seed}")
    try:
        assert await play_calendar(seed, CalendarWholeWorld(rows)) == []
    finally:
        await rows.aclose()
