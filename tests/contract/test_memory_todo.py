"""The To Do in memory keeps the contract that Graph's keeps: what the simulator proves on it holds for the real side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from sync.sides.memory import MemoryTodo
from tests.contract.todo_contract import TodoContract

NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)


class MemoryWorld:
    """Implements `todo_contract.TodoWorld`."""

    default, other = "tasks", "home"

    def __init__(self) -> None:
        self.mailbox = MemoryTodo("anna", lambda: NOW)

    async def add(self, fields: Mapping[str, str], in_list: str) -> str:
        return self.mailbox.add(fields, in_list=in_list).item_id

    async def edit(self, item_id: str, fields: Mapping[str, str]) -> None:
        self.mailbox.edit(item_id, **fields)

    async def delete(self, item_id: str) -> None:
        self.mailbox.delete(item_id)

    async def move(self, item_id: str, to_list: str) -> str:
        return self.mailbox.move(item_id, to_list).item_id

    async def delete_list(self, list_id: str) -> None:
        self.mailbox.delete_list(list_id)

    async def forget_cursors(self) -> None:
        self.mailbox.forgotten = len(self.mailbox.log) + 1


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryTodo(TodoContract):
    pass


async def test_a_recurring_task_goes_on_and_leaves_a_done_one_behind() -> None:
    todo = MemoryTodo("anna", lambda: NOW)
    task = todo.add({"title": "Report", "due": "2026-12-01", "recurring": "1"})
    todo.edit(task.item_id, status="completed")
    goes_on, done = todo.shown()
    assert (goes_on.id, goes_on.fields["status"], goes_on.fields["due"]) == (task.item_id, "notStarted", "2026-12-08")
    assert (done.fields["status"], done.fields["due"], done.fields["completed"]) == (
        "completed",
        "2026-12-01",
        "2026-11-23",
    )
