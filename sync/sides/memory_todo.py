"""One mailbox's To Do in memory, for the simulator: lists and tasks with what Exchange does to them, and no protocol.

Keeps To Do's quirks: a task moved to another list gets another id, a start alone sets the due date too, completing a recurring task leaves a new
completed one behind, a deletion is final. See `sync.sides.memory`.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from sync.errors import Cause, Failure, RetryLater
from sync.model import Gone, Item, Kind, Present, Proof, Side, Value
from sync.sides.base import Done, New, Page, Refused, Remove, Result, Write
from sync.sides.memory_wire import Wire, apply_all, quiet

BLANK = {
    "title": "",
    "body": "",
    "bodyType": "text",
    "status": "notStarted",
    "importance": "normal",
    "due": "",
    "start": "",
    "reminder": "",
    "recurring": "",
    "completed": "",
}
WRITABLE = frozenset({"title", "body", "status", "importance", "due", "start"})
DEFAULT = "tasks"


@dataclass(slots=True)
class Task:
    """A task. `moved`: it is in another list now, under another id."""

    id: str
    list: str
    fields: dict[str, str]
    stamp: str
    created: str
    etag: str = ""
    modified: str = ""
    deleted: bool = False

    @property
    def item_id(self) -> str:
        return f"{self.list}|{self.id}"


@dataclass(slots=True)
class MemoryTodo:
    """One mailbox's lists and tasks. `log`: ids in the order of their changes (`list` alone: the list is gone); a cursor is a position in it."""

    id: str
    now: Callable[[], datetime]
    wire: Wire = quiet
    folder_id: str = ""
    lists: list[str] = field(default_factory=lambda: [DEFAULT, "home"])
    tasks: dict[str, Task] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    number: int = 0
    writes: int = 0
    forgotten: int = 0

    # what users do

    def add(self, fields: Mapping[str, str], stamp: str = "", in_list: str = DEFAULT) -> Task:
        self.number += 1
        task = Task(
            f"{self.id}-task{self.number}", in_list, {**BLANK, **_as_exchange(fields, "")}, stamp, self._second()
        )
        self.tasks[task.item_id] = task
        self._touch(task)
        return task

    def _second(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _touch(self, task: Task) -> None:
        self.number += 1
        task.etag = f"e{self.number}"
        task.modified = self._second()
        self.log.append(task.item_id)

    def edit(self, item_id: str, **fields: str) -> None:
        """A user or a program saves. A recurring task that is completed goes on, and a copy of it stays behind, completed."""
        task = self.tasks[item_id]
        if task.fields["recurring"] and fields.get("status") == "completed":
            done = {**task.fields, **fields, "recurring": "", "completed": self._second()[:10]}
            self.add(done, stamp=task.stamp, in_list=task.list)
            fields = {**fields, "status": "notStarted", "due": _next_week(task.fields["due"])}
        fields = _as_exchange(fields, task.fields["due"])
        if "status" in fields:
            fields["completed"] = self._second()[:10] if fields["status"] == "completed" else ""
        task.fields.update(fields)
        self._touch(task)

    def move(self, item_id: str, to_list: str) -> Task:
        """To another list: removed here, new there."""
        task = self.tasks[item_id]
        self.number += 1
        there = replace(task, id=f"{self.id}-task{self.number}", list=to_list, fields=dict(task.fields))
        self.delete(item_id)
        self.tasks[there.item_id] = there
        self._touch(there)
        return there

    def delete(self, item_id: str) -> None:
        self.tasks[item_id].deleted = True
        self._touch(self.tasks[item_id])

    def delete_list(self, name: str) -> None:
        """Its tasks go with it, and no delta says so of each."""
        self.lists.remove(name)
        for task in self.tasks.values():
            task.deleted |= task.list == name
        self.log.append(name)

    def shown(self) -> list[Item]:
        """What the user sees."""
        return [self._item(task) for task in self.tasks.values() if not task.deleted]

    # the protocol

    def _item(self, task: Task) -> Item:
        fields: dict[str, Value] = {**task.fields, "list": task.list, "created": task.created, "categories": ()}
        return Item(Side.MAILBOX, Kind.TASK, task.item_id, task.etag, fields, self.id, task.stamp, task.modified)

    async def _before(self, operation: str) -> None:
        if await self.wire("before", f"todo {operation}"):
            raise RetryLater(Cause.GRAPH_UNREACHABLE, 30.0)

    def afresh(self, cursor: str) -> str | None:
        return None

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        await self._before("changes")
        start = int(json.loads(cursor)["at"]) if cursor else 0
        anew = not cursor or start < self.forgotten
        self.forgotten = 0 if anew else self.forgotten
        ids = list(dict.fromkeys(self.log[0 if anew else start :]))
        end = json.dumps({"at": len(self.log)})
        for first in range(0, max(len(ids), 1), 3):
            part = [self.tasks[i] for i in ids[first : first + 3] if "|" in i]
            gone = [i for i in ids[first : first + 3] if "|" not in i]
            live = [self._item(task) for task in part if not task.deleted]
            gone += [task.item_id for task in part if task.deleted and task.list in self.lists]
            last = first + 3 >= len(ids)
            yield Page(live, gone, end if last else "", last, self.lists if anew and last else ())

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        await self._before("stamped")
        yield self.shown()

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        await self._before("get")
        return {item_id: self._present(item_id) for item_id in ids}

    def _present(self, item_id: str) -> Present:
        task = self.tasks.get(item_id)
        return self._item(task) if task and not task.deleted else Gone(item_id, Proof.NOT_FOUND)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return await apply_all(self.wire, "todo", writes, self._write)

    def _write(self, write: Write) -> Result:
        self.writes += 1
        if not isinstance(write, Remove) and not write.fields.keys() <= WRITABLE:
            raise ValueError(f"not to be written: {sorted(write.fields.keys() - WRITABLE)}")
        if isinstance(write, New):
            fields = {name: str(value) for name, value in write.fields.items()}
            return Done(self._item(self.add(fields, write.stamp)))
        task = self.tasks.get(write.expected.id)
        if task is None or task.deleted:
            return Done(None) if isinstance(write, Remove) else Refused(Failure(404, "ErrorItemNotFound"))
        if task.etag != write.expected.version:
            return Refused(Failure(412, "ErrorIrresolvableConflict"))
        if isinstance(write, Remove):
            self.delete(task.item_id)
            return Done(None)
        self.edit(task.item_id, **{name: str(value) for name, value in write.fields.items()})
        return Done(self._item(task))


def _as_exchange(fields: Mapping[str, str], due: str) -> dict[str, str]:
    """A start without a due date sets the due date too (BEHAVIOUR 7.3); a body that is written is text."""
    held = dict(fields)
    if held.get("start") and not held.get("due", due):
        held["due"] = held["start"]
    if "body" in held:
        held.setdefault("bodyType", "text")
    return held


def _next_week(due: str) -> str:
    return (date.fromisoformat(due) + timedelta(days=7)).isoformat() if due else due
