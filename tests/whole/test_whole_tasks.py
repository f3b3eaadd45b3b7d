"""The simulator's stories of tasks through the real adapters and the real store, over the emulators in process.

A part of the seeds here; `make sim` takes all.
"""

from __future__ import annotations

import asyncio

import pytest

from sync.model import Kind
from sync.store.tables import TableRows
from tests.sampling import sampled
from tests.sim.task_run import play_tasks
from tests.whole.task_world import TaskWholeWorld

BLOCK = 15


@pytest.mark.parametrize("first", sampled(range(0, 60, BLOCK), 2))
def test_task_seeds(first: int) -> None:
    seeds = range(first, first + BLOCK)
    wrong = {s: found for s in seeds if (found := asyncio.run(play_tasks(s, TaskWholeWorld())))}
    assert wrong == {}


@pytest.mark.parametrize("seed", sampled(range(1000, 1003), 2))
async def test_task_seeds_on_table_storage(seed: int, azurite: str) -> None:
    rows = TableRows.connect(azurite, table=f"tasks{seed}")
    try:
        assert await play_tasks(seed, TaskWholeWorld(rows)) == []
    finally:
        await rows.aclose()


async def test_a_task_of_a_group_that_one_member_does_is_done_everywhere_after_two_runs() -> None:
    world = TaskWholeWorld(users=4)
    await world.connect()
    await world.settle(2)
    fields = {"subject": "Offerta", "date_start": "2026-11-24", "due_date": "2026-11-30", "taskstatus": "Not Started"}
    task = world.crm.add(Kind.TASK, world.group, fields)
    assert await world.settle(3) == 0
    copies = {mailbox: todo.tasks for mailbox, todo in world.todos.items()}
    assert [len(each) for each in copies.values()] == [1, 1, 1, 1]
    mailbox, mine = next(iter(copies.items()))
    world.todos[mailbox].edit(next(iter(mine)), status="completed")
    await world.settle(2)
    assert world.crm.records[task.id].fields["taskstatus"] == "Completed"
    done = [each.fields["status"] for todo in world.todos.values() for each in todo.tasks.values()]
    assert done == ["completed"] * 4
    assert await world.settle(2) == 0
