"""Random stories of tasks: what people do in the CRM and in To Do between two synchronisations. Everything follows from the seed.

The first word of a title is a serial number, so that a double is seen whoever made it. What people wrote is noted, and must be on both sides in
the end unless somebody else wrote the same field meanwhile.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta

from sync.model import Family, Kind
from sync.policy import Group
from sync.sides.memory import MemoryTodo, Record, Task
from tests.sim.world import World

USERS = {f"19x{number}": f"mailbox-{name}" for number, name in enumerate("abcd", 1)}
TEAM = "22x9"
TITLES = ["Chiamare", "Offerta 🚗 cliente", "T" * 130, "Ordine"]
BODIES = ["", "uno\ndue", "a & b < c", "riga  \n\n\n\nfine"]
CRM_STATUSES = ["Not Started", "In Progress", "Completed", "Pending Input", "Deferred", "Planned", "Da noi"]
STATUSES = ["notStarted", "inProgress", "completed", "waitingOnOthers", "deferred"]
MINE = "mia soltanto"  # what members write into their copies of the group's tasks
PAIRED = {
    "description": "body",
    "taskstatus": "status",
    "taskpriority": "importance",
    "due_date": "due",
    "date_start": "start",
}
Written = dict[tuple[str, str, str], str]


def task_world(users: dict[str, str] | None = None) -> World:
    """Four users with To Do, and a group that they all belong to."""
    world = World(users or USERS, family=Family.TASKS)
    world.groups = {TEAM: Group("19x1", tuple(world.users))}
    return world


def serial_of(title: str) -> str:
    return title.split(" ")[0]


@dataclass
class TaskStory:
    """The people of one seed. `written`: (side or mailbox, id, field) -> value, since everything was last settled."""

    world: World
    random: random.Random
    serial: int = 0
    written: Written = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)  # serials that somebody removed somewhere
    # mailbox and serial of the group's tasks that a member wants no more
    dropped: set[tuple[str, str]] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)  # serials of which there may be several: recurring, passed on
    old: set[str] = field(default_factory=set)  # records from before the connection that nobody touched since

    @property
    def team(self) -> str:
        """The group's id."""
        return next(iter(self.world.groups))

    def connected(self) -> None:
        """The mailboxes are connected: what the CRM holds now is not exported unless somebody touches it."""
        self.old = {record.id for record in self.records()}

    def settled(self) -> None:
        self.written.clear()

    def title(self) -> str:
        self.serial += 1
        return f"t{self.serial} {self.random.choice(TITLES)}"

    def _day(self, *, maybe: bool) -> str:
        if maybe and self.random.random() < 0.4:
            return ""
        return (self.world.now() + timedelta(days=self.random.randrange(-3, 40))).date().isoformat()

    # people of the CRM

    def records(self) -> list[Record]:
        return [r for r in self.world.crm.records.values() if r.kind is Kind.TASK and not r.deleted]

    def _any_record(self) -> Record | None:
        records = self.records()
        return self.random.choice(records) if records else None

    def crm_adds(self) -> None:
        owner = self.random.choice([*self.world.users, self.team, self.team])
        fields = {"subject": self.title(), "description": self.random.choice(BODIES)}
        fields |= {
            "taskstatus": self.random.choice(CRM_STATUSES),
            "taskpriority": self.random.choice(["High", "Low", ""]),
        }
        start = self._day(maybe=False)
        self.world.crm.add(Kind.TASK, owner, {**fields, "date_start": start, "due_date": self._day(maybe=False)})

    def crm_edits(self) -> None:
        record = self._any_record()
        if record is None:
            return
        name = self.random.choice([*PAIRED, "taskstatus"])
        pools = {"description": BODIES, "taskstatus": CRM_STATUSES, "taskpriority": ["High", "Low", "Medium"]}
        value = self.random.choice(pools[name]) if name in pools else self._day(maybe=False)
        if record.fields[name] != value:
            self.world.crm.edit(record.id, **{name: value})
            self.old.discard(record.id)
            self.written[("crm", record.id, name)] = value

    def crm_completes(self) -> None:
        """One that repeats in To Do, if there is one: it goes on there."""
        repeating = {
            t.fields["title"]
            for todo in self.world.todos.values()
            for t in todo.tasks.values()
            if t.fields["recurring"]
        }
        record = next((r for r in self.records() if r.fields["subject"] in repeating), None) or self._any_record()
        if record and record.fields["taskstatus"] != "Completed":
            self.world.crm.edit(record.id, taskstatus="Completed")
            self.old.discard(record.id)
            self.written[("crm", record.id, "taskstatus")] = "Completed"

    def crm_deletes(self) -> None:
        record = self._any_record()
        if record:
            self.world.crm.delete(record.id)
            self.removed.add(serial_of(record.fields["subject"]))

    def crm_reassigns(self) -> None:
        record = self._any_record()
        if record:
            self.world.crm.edit(record.id, owner=self.random.choice([*self.world.users, self.team]))
            self.old.discard(record.id)
            self.copies.add(serial_of(record.fields["subject"]))

    def team_changes(self) -> None:
        """Somebody leaves the group, or all are in it again."""
        members = tuple(self.world.groups[self.team].members)
        left = members[1:] if len(members) > 2 else tuple(self.world.users)
        self.world.groups = {self.team: Group(left[0], left)}
        for mailbox in self.world.users.values():  # whoever changes a group orders a comparison in full
            self.world.full.add(mailbox)
        self.copies |= {serial_of(r.fields["subject"]) for r in self.records() if r.owner == self.team}

    # people of the mailboxes

    def _any_todo(self) -> MemoryTodo:
        return self.random.choice([*self.world.todos.values()])

    def _any_task(self) -> tuple[MemoryTodo, Task] | None:
        found = [(todo, task) for todo in self.world.todos.values() for task in todo.tasks.values() if not task.deleted]
        return self.random.choice(found) if found else None

    def mailbox_adds(self) -> None:
        todo = self._any_todo()
        fields = {"title": self.title(), "body": self.random.choice(BODIES), "due": self._day(maybe=True)}
        fields |= {"start": self._day(maybe=True), "status": self.random.choice(STATUSES[:2])}
        if self.random.random() < 0.2:
            fields |= {"recurring": "1", "due": self._day(maybe=False)}
            self.copies.add(f"t{self.serial}")
        todo.add(fields, in_list=self.random.choice(todo.lists))

    def mailbox_edits(self) -> None:
        found = self._any_task()
        if found is None:
            return
        todo, task = found
        name = self.random.choice([*PAIRED.values(), "status"])
        pools = {"body": BODIES, "status": STATUSES, "importance": ["low", "normal", "high"]}
        value = self.random.choice(pools[name]) if name in pools else self._day(maybe=True)
        if name == "body" and self._is_teams(task):
            value = MINE
        if task.fields["recurring"] and name in {"due", "start"}:
            return  # its rule says when
        if task.fields[name] != value:
            self._note(todo, task, name, value)
            todo.edit(task.item_id, **{name: value})

    def _is_teams(self, task: Task) -> bool:
        record = self.world.crm.records.get(task.stamp.partition(";")[0])
        return record is not None and record.owner == self.team

    def _note(self, todo: MemoryTodo, task: Task, name: str, value: str) -> None:
        repeats = task.fields["recurring"] and name == "status"  # it goes on: only the copy is done
        self.written[(todo.id, task.item_id, name)] = "?" if repeats else value
        if name == "start":  # may set the due date too
            self.written[(todo.id, task.item_id, "due")] = "?"

    def mailbox_completes(self) -> None:
        found = self._any_task()
        if found and found[1].fields["status"] != "completed":
            self._note(*found, "status", "completed")
            found[0].edit(found[1].item_id, status="completed")

    def mailbox_moves(self) -> None:
        """To another list, sometimes edited on the way."""
        found = self._any_task()
        if found is None or len(found[0].lists) < 2:
            return
        todo, task = found
        there = todo.move(task.item_id, self.random.choice([each for each in todo.lists if each != task.list]))
        for (mailbox, item_id, name), value in list(self.written.items()):
            if (mailbox, item_id) == (todo.id, task.item_id):
                self.written[(mailbox, there.item_id, name)] = value
        if self.random.random() < 0.3:
            self._note(todo, there, "importance", "high")
            todo.edit(there.item_id, importance="high")

    def mailbox_deletes(self) -> None:
        found = self._any_task()
        if found:
            if self._is_teams(found[1]):
                self.dropped.add((found[0].id, serial_of(found[1].fields["title"])))
            found[0].delete(found[1].item_id)
            self.removed.add(serial_of(found[1].fields["title"]))

    def mailbox_deletes_list(self) -> None:
        todo = self._any_todo()
        if len(todo.lists) > 1:
            name = todo.lists[-1]
            there = [task for task in todo.tasks.values() if task.list == name and not task.deleted]
            self.removed |= {serial_of(task.fields["title"]) for task in there}
            todo.delete_list(name)

    def night(self) -> None:
        self.world.time += timedelta(hours=self.random.choice([3, 26]))

    def act(self, times: int) -> None:
        acts = [
            (self.crm_adds, 4),
            (self.crm_edits, 6),
            (self.crm_completes, 1),
            (self.crm_deletes, 1),
            (self.crm_reassigns, 1),
            (self.team_changes, 0.3),
            (self.mailbox_adds, 4),
            (self.mailbox_edits, 6),
            (self.mailbox_completes, 2),
            (self.mailbox_moves, 2),
            (self.mailbox_deletes, 1),
            (self.mailbox_deletes_list, 0.2),
            (self.night, 1),
        ]
        for _ in range(times):
            self.random.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()
