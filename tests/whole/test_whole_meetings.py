"""The simulator's stories of meetings through the real adapters and the real store, over the emulators in process.

A part of the seeds here; `make sim` takes all.
"""

from __future__ import annotations

import asyncio

import pytest

from sync.store.tables import TableRows
from tests.sampling import sampled
from tests.sim.meeting_run import play_meetings
from tests.whole.meeting_world import MeetingWholeWorld

BLOCK = 4


@pytest.mark.parametrize("first", sampled(range(0, 48, BLOCK), 2))
def test_meeting_seeds(first: int) -> None:
    seeds = range(first, first + BLOCK)
    wrong = {s: found for s in seeds if (found := asyncio.run(play_meetings(s, MeetingWholeWorld())))}
    assert wrong == {}


@pytest.mark.parametrize("seed", sampled(range(1000, 1003), 3))
async def test_meeting_seeds_on_table_storage(seed: int, azurite: str) -> None:
    rows = TableRows.connect(azurite, table=f"meetings{seed}")
    try:
        assert await play_meetings(seed, MeetingWholeWorld(rows)) == []
    finally:
        await rows.aclose()
