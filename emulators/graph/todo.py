"""The To Do of a mailbox: lists, tasks with their linked resources and steps, ids, and the logs that delta queries read.

No HTTP and no OData here, and no rule of what may be written (`todo_writing.py`). Times of saving are ready-made strings: the
store reads no clock.
"""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal, NamedTuple

from emulators.graph.changes import Change, Hear, What
from emulators.graph.ids import change_key, opaque
from emulators.graph.recurrence import Rule

_NAMESPACE = uuid.UUID("0d6d1e9a-94c5-4c5e-8a53-5f5a2f1f7c55")
Wellknown = Literal["none", "defaultList", "flaggedEmails"]


@dataclass(frozen=True, slots=True)
class LinkedResource:
    """What an app hangs on a task: here the connector's stamp lives (BEHAVIOUR 6)."""

    application_name: str
    display_name: str = ""
    external_id: str = ""
    web_url: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A checklistItem."""

    name: str
    created: str
    checked: bool = False
    checked_at: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """What a person sees of a task. `due`, `start` are midnights of some zone, as instants (BEHAVIOUR 7.3)."""

    title: str = ""
    body: str = ""
    body_kind: str = "text"
    body_modified: str = ""
    status: str = "notStarted"
    importance: str = "normal"
    reminder_on: bool = False
    reminder: datetime | None = None
    due: datetime | None = None
    start: datetime | None = None
    completed: date | None = None
    categories: tuple[str, ...] = ()
    rule: Rule | None = None


@dataclass(slots=True, eq=False)
class Task:
    """A task in its present list; links and steps by their ids."""

    number: int
    id: str
    list: TaskList
    created: str
    content: Content
    links: dict[str, LinkedResource] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    modified: str = ""
    seq: int = 0
    moves: int = 0

    @property
    def etag(self) -> str:
        """There is no changeKey beside it (BEHAVIOUR 5.1)."""
        return f'W/"{change_key(self.seq)}"'


class Entry(NamedTuple):
    """One line of a list's log: the task of this id changed in, came to or left this list."""

    seq: int
    task_id: str


@dataclass(slots=True, eq=False)
class TaskList:
    """A list of tasks. The names of the built-in ones follow the mailbox's language."""

    id: str
    name: str
    wellknown: Wellknown = "none"
    seq: int = 0
    deleted: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    log: list[Entry] = field(default_factory=list)

    @property
    def etag(self) -> str:
        """New with each change of the list itself, not of its tasks."""
        return f'W/"{change_key(self.seq)}"'

    def changed_since(self, seq: int) -> list[Entry]:
        """The log after `seq`, the last line of each task only, in order."""
        start = bisect_right(self.log, seq, key=lambda entry: entry.seq)
        last = {entry.task_id: entry for entry in self.log[start:]}
        return sorted(last.values(), key=lambda entry: entry.seq)


class Todo:
    """The lists and tasks of one user. Ids of tasks have one form only and change between lists (BEHAVIOUR 5.2)."""

    def __init__(self, owner: str, next_change: Callable[[], int], tell: Hear) -> None:
        self._owner = owner
        self._tell = tell
        self._next_change = next_change
        self._made = 0
        self._log: list[tuple[int, TaskList]] = []
        self.lists: dict[str, TaskList] = {}
        self.default = self.add_list("", "defaultList")
        self.flagged = self.add_list("", "flaggedEmails")

    def child_id(self) -> str:
        """A fresh id for a linked resource or a step."""
        self._made += 1
        return str(uuid.uuid5(_NAMESPACE, f"{self._owner}:{self._made}"))

    # lists -----------------------------------------------------------------------------------------------------

    def add_list(self, name: str, wellknown: Wellknown = "none") -> TaskList:
        """A new list; two may have the same name (memory)."""
        self._made += 1
        made = TaskList(opaque(self._owner, "AQMkAD", "tasks", self._made), name, wellknown)
        self.lists[made.id] = made
        self._touch_list(made)
        return made

    def rename_list(self, task_list: TaskList, name: str) -> None:
        """The id stays."""
        task_list.name = name
        self._touch_list(task_list)

    def delete_list(self, task_list: TaskList) -> None:
        """The list goes and its tasks with it; no delta tells of each of them (BEHAVIOUR 2.6)."""
        task_list.deleted = True
        task_list.tasks.clear()
        self._touch_list(task_list)

    def live_lists(self) -> list[TaskList]:
        """All lists that are there, the built-in ones first."""
        return [each for each in self.lists.values() if not each.deleted]

    def lists_since(self, seq: int) -> list[TaskList]:
        """Lists that were made, renamed or deleted after `seq`, each once."""
        start = bisect_right(self._log, seq, key=lambda entry: entry[0])
        return list({each.id: each for _, each in self._log[start:]}.values())

    def _touch_list(self, task_list: TaskList) -> None:
        task_list.seq = self._next_change()
        self._log.append((task_list.seq, task_list))

    # tasks -----------------------------------------------------------------------------------------------------

    def find(self, task_id: str) -> Task | None:
        """The task of an id in any list that is there. Case matters."""
        return next((each.tasks[task_id] for each in self.live_lists() if task_id in each.tasks), None)

    def create(
        self, task_list: TaskList, content: Content, links: list[LinkedResource], steps: list[Step], now: str
    ) -> Task:
        """A new task in `task_list`."""
        self._made += 1
        number = self._made
        task = Task(number, opaque(self._owner, "AAMkAD", "task", number, 0), task_list, now, content)
        task.links = {self.child_id(): each for each in links}
        task.steps = {self.child_id(): each for each in steps}
        task_list.tasks[task.id] = task
        self._save(task, now)
        self._told(task, "created")
        return task

    def change(self, task: Task, content: Content, now: str) -> None:
        """Replace what the task holds; every save is a new etag, even one that alters nothing."""
        task.content = content
        self.touch(task, now)

    def touch(self, task: Task, now: str) -> None:
        """A save, also of a linked resource or a step (BEHAVIOUR 2.6)."""
        self._save(task, now)
        self._told(task, "updated")

    def _save(self, task: Task, now: str) -> None:
        task.seq = self._next_change()
        task.modified = now
        task.list.log.append(Entry(task.seq, task.id))

    def move(self, task: Task, target: TaskList, now: str) -> None:
        """Into another list, under another id: removed here, new there (BEHAVIOUR 2.6)."""
        if target is task.list:
            return
        self._leave(task)
        task.moves += 1
        task.id = opaque(self._owner, "AAMkAD", "task", task.number, task.moves)
        task.list = target
        target.tasks[task.id] = task
        self._save(task, now)
        self._told(task, "created")

    def delete(self, task: Task) -> None:
        """For good: nothing brings it back (BEHAVIOUR 7.3)."""
        self._leave(task)

    def copy(self, task: Task, content: Content, now: str, *, links: bool) -> Task:
        """A second task beside it with other `content`, the same steps, and the linked resource if `links`."""
        kept = list(task.links.values()) if links else []
        return self.create(task.list, content, kept, [replace(each) for each in task.steps.values()], now)

    def _leave(self, task: Task) -> None:
        del task.list.tasks[task.id]
        task.list.log.append(Entry(self._next_change(), task.id))
        self._told(task, "deleted")

    def _told(self, task: Task, what: What) -> None:
        self._tell(Change(self._owner, "task", what, task.id, task.id, task.etag, task.list.id, whole=False))
