"""Tasks in the world with nothing of ours replaced: people in front of To Do and of vtenext's tasks.

`EmulatedTasks` and `EmulatedTodo` offer to a story what `MemoryCrm` and `MemoryTodo` offer; what there is, is read from the emulators' insides.
"""

from __future__ import annotations

from collections.abc import Mapping

from emulators.graph import GraphEmulator
from mapping.model import Value
from mapping.people import NOBODY, AddressBook
from sync.model import Family, Gone, Item, Kind, Present, Proof
from sync.policy import Group
from sync.sides.base import Crm, Mailbox
from sync.sides.graph import open_todo
from sync.sides.graph.todo_tasks import item_of, task_of
from sync.sides.memory import Record, Task
from sync.store.base import Rows
from tests.sim.world import ROME
from tests.whole.world import EmulatedCrm, WholeWorld

TASKS = "Calendar"
WEEKLY = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}


class EmulatedTasks(EmulatedCrm):
    """People in front of vtenext's tasks."""

    @property
    def records(self) -> dict[str, Record]:
        rows = self._emulator.backdoor.dump().get(TASKS, [])
        return {row["id"]: self._record(Kind.TASK, row) for row in rows}

    def add(self, kind: Kind, owner: str, fields: Mapping[str, Value]) -> Record:
        row = {**fields, "activitytype": "Task", "assigned_user_id": owner}
        (crm_id,) = self._emulator.backdoor.add_records(TASKS, [row])
        return self.records[crm_id]


class EmulatedTodo:
    """A person in front of To Do, with two lists."""

    def __init__(self, emulator: GraphEmulator, user: str) -> None:
        self._emulator, self.id = emulator, user
        self._hands = emulator.outlook
        self._hands.create_task_list(user, "Casa")

    def _lists(self) -> list[dict[str, object]]:
        lists = self._emulator.dump(self.id)["task_lists"]
        return [each for each in lists if each["wellknownListName"] != "flaggedEmails"]

    @property
    def lists(self) -> list[str]:
        return [str(each["id"]) for each in self._lists()]

    def shown(self) -> list[Item]:
        return [
            item_of(task, str(each["id"]), self.id, ROME)
            for each in self._lists()
            for task in each["tasks"]  # type: ignore[attr-defined]
        ]

    @property
    def tasks(self) -> dict[str, Task]:
        found = {}
        for item in self.shown():
            fields = {name: str(value) for name, value in item.fields.items() if name != "categories"}
            list_id, _, task = item.id.partition("|")
            found[item.id] = Task(task, list_id, fields, item.stamp, fields["created"], item.version, item.modified)
        return found

    def _present(self, item_id: str) -> Present:
        there = {item.id: item for item in self.shown()}
        return there.get(item_id) or Gone(item_id, Proof.NOT_FOUND)

    def add(self, fields: Mapping[str, str], in_list: str) -> Task:
        given = dict(fields)
        recurring = given.pop("recurring", "")
        body = task_of({name: value for name, value in given.items() if value}, ROME)
        if recurring:
            range_ = {"type": "noEnd", "startDate": given["due"], "recurrenceTimeZone": ROME.key}
            body["recurrence"] = {"pattern": WEEKLY, "range": range_}
        task = self._hands.create_task(self.id, body, in_list)
        return self.tasks[f"{in_list}|{task}"]

    def edit(self, item_id: str, **fields: str) -> None:
        self._hands.edit_task(self.id, item_id.partition("|")[2], task_of(fields, ROME))

    def move(self, item_id: str, to_list: str) -> Task:
        task = self._hands.move_task(self.id, item_id.partition("|")[2], to_list)
        return self.tasks[f"{to_list}|{task}"]

    def delete(self, item_id: str) -> None:
        self._hands.delete_task(self.id, item_id.partition("|")[2])

    def delete_list(self, list_id: str) -> None:
        self._hands.delete_task_list(self.id, list_id)

    @property
    def log(self) -> list[str]:
        return []

    @property
    def forgotten(self) -> int:
        return 0

    @forgotten.setter
    def forgotten(self, value: int) -> None:
        self._emulator.expire_delta(self.id)

    @property
    def writes(self) -> int:
        counts = self._emulator.parts.counts
        return sum(n for label, n in counts.items() if self.id in label and "/todo/" in label and label[:3] != "GET")


class TaskWholeWorld(WholeWorld):
    """`WholeWorld` with To Do instead of contacts, and a group that everybody belongs to."""

    crm: EmulatedTasks  # type: ignore[assignment]
    todos: dict[str, EmulatedTodo]  # type: ignore[assignment]

    def __init__(self, rows: Rows | None = None, users: int = 3) -> None:
        super().__init__(rows, Family.TASKS, users)
        self.crm = EmulatedTasks(self.vtenext)
        self.todos = {user: EmulatedTodo(self.graph, user) for user in self.mailboxes}
        self.groups = {self.group: Group(next(iter(self.users)), tuple(self.users))}

    def book(self) -> AddressBook:
        """Tasks invite nobody."""
        return NOBODY

    async def crm_side(self) -> Crm:
        return self._side

    async def todo_side(self, mailbox: str) -> Mailbox:
        return await open_todo(self._connection, mailbox, zone=ROME)
