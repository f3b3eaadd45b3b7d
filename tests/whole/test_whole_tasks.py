"""The simulator's stories of tasks through the real adapters and the real store, over the emulators in process."""

from __future__ import annotations

import asyncio

import pytest

from sync.store.tables import TableRows
from tests.sim.task_run import play_tasks
from tests.whole.task_world import TaskWholeWorld

BLOCK = 15


@pytest.mark.parametrize("first", range(0, 60, BLOCK))
def test_task_seeds(first: int) -> None:
    seeds = range(first, first + BLOCK)
    wrong = {s: found for s in seeds if (found := asyncio.run(play_tasks(s, TaskWholeWorld())))}
    assert wrong == {}


@pytest.mark.parametrize("seed", range(1000, 1003))
async def test_task_seeds_on_table_storage(seed: int, azurite: str) -> None:
    rows = TableRows.connect(azurite, table=f"tasks{seed}")
    try:
        assert await play_tasks(seed, TaskWholeWorld(rows)) == []
    finally:
        await rows.aclose()
