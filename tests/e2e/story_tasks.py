"""What happens to tasks: in the evening before the second day, and on that day, on both sides (SPEC 1, 2.8).

Each scene works on tasks that no other scene touches, and leaves the promise of what must be true in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from tests.e2e import todo
from tests.e2e.compare_tasks import start_of
from tests.e2e.office import Json, View
from tests.e2e.tasks import Tasks
from tests.e2e.todo import assigned, on

GROUPS, FINISHED, REOPENED = "Ordinare i toner", "Archiviare le bolle", "Preparare il listino"


def work_in_the_evening(tasks: Tasks) -> int:
    """Tasks that the second day builds on; how many."""
    office, today = tasks.office, tasks.today
    rows = [assigned(GROUPS, today + timedelta(days=4), office.group)]
    rows += [
        assigned(f"{FINISHED} {user}", today + timedelta(days=6 + user), owner)
        for user, owner in enumerate(office.owners)
    ]
    office.crm.records("Calendar", [*rows, assigned(REOPENED, today + timedelta(days=7), office.owners[0])])
    view = office.view()
    office.outlook.do("complete_task", office.mailboxes[2], task=_task(view, "Da fare 2.1 – è urgente")["id"])
    return len(rows) + 2


def is_shown(tasks: Tasks) -> bool:
    """Is the task that was made in the CRM in To Do?"""
    return any(task["title"] == REOPENED for task in tasks.office.view().todo.values())


def finish_in_the_evening(tasks: Tasks) -> None:
    """Later that evening somebody ticks it off in the CRM."""
    (row,) = [r for r in tasks.office.crm.living()["Calendar"] if r["subject"] == REOPENED]
    tasks.office.crm.edit(row["id"], taskstatus="Completed")


def _task(view: View, title: str, mailbox: str = "") -> Json:
    (found,) = [t for t in view.todo.values() if t["title"] == title and mailbox in ("", t["mailbox"])]
    return found


class TaskStory:
    """The second day. `pairs`: which task shows which record (`record mailbox`), as the comparison before found."""

    def __init__(self, tasks: Tasks, view: View, pairs: Mapping[str, str]) -> None:
        self._tasks, self._office, self._view = tasks, tasks.office, view
        self._records = {item_id: key.partition(" ")[0] for key, item_id in pairs.items()}

    def happen(self) -> list[tuple[str, int]]:
        """Play all scenes; returns what was done and how often, for the table."""
        scenes: list[tuple[str, Callable[[], int]]] = [
            ("tasks edited, on one side or on both", self._edits),
            ("tasks made in the CRM and in To Do", self._news),
            ("tasks done, on either side", self._done),
            ("tasks reopened, on either side", self._reopened),
            ("tasks deleted, on either side", self._deleted),
            ("tasks moved to another list", self._moved),
            ("a group's task done by one member", self._group),
            ("a task that comes again ticked off", self._recurring),
        ]
        return [(words, scene()) for words, scene in scenes]

    # who

    def _one(self, title: str, mailbox: str = "") -> tuple[str, Json]:
        """The record and the task of a title."""
        task = _task(self._view, title, mailbox)
        return self._records[task["id"]], task

    def _given(self, user: int, number: int) -> tuple[str, Json]:
        return self._one(f"Da fare {user}.{number} – è urgente")

    def _edit(self, task: Json, **fields: object) -> None:
        self._office.outlook.do("edit_task", task["mailbox"], task=task["id"], fields=fields)

    def _tick(self, task: Json) -> None:
        self._office.outlook.do("complete_task", task["mailbox"], task=task["id"])

    # the scenes

    def _edits(self) -> int:
        crm, today = self._office.crm, self._tasks.today
        for user in range(3):
            crm_id, task = self._given(user, 0)
            crm.edit(
                crm_id,
                subject=f"Deciso in CRM {user}",
                due_date=(today + timedelta(days=12)).isoformat(),
                taskpriority="High",
            )
            self._in_todo(task, "title", f"Deciso in CRM {user}")
            crm_id, task = self._given(user, 2)
            self._edit(task, title=f"Deciso in To Do {user} 🚀", status="inProgress", **on(today + timedelta(days=15)))
            self._in_crm(crm_id, "subject", f"Deciso in To Do {user} ????")
            self._in_crm(crm_id, "taskstatus", "In Progress")
            present, _ = self._one(f"Regalo 🎁 per il {user + 3}")
            self._in_crm(present, "date_start", (today + timedelta(days=20)).isoformat())
        crm_id, task = self._given(1, 4)
        crm.edit(crm_id, description="Sentire prima la banca", taskpriority="Low")
        self._edit(task, importance="high", title="Lo dice To Do")  # the mailbox wins, the rest merges
        self._in_crm(crm_id, "taskpriority", "High")
        self._in_todo(task, "body", {"content": "Sentire prima la banca", "contentType": "text"})
        return 7

    def _news(self) -> int:
        office, today = self._office, self._tasks.today
        rows = [
            assigned(f"Nuova pratica {user}", today + timedelta(days=3 + user), owner)
            for user, owner in enumerate(office.owners)
        ]
        rows[0] |= {"taskstatus": "Planned", "description": "riga uno\nriga due & tre"}
        rows[1] |= {"taskpriority": "Low", "taskstatus": "Deferred"}
        office.crm.records("Calendar", rows)
        for row in rows:
            self._starts(row["subject"], row["date_start"])
        for user, mailbox in enumerate(office.mailboxes):
            fields = {"title": f"Nuovo in To Do {user}", **(on(today + timedelta(days=user)) if user else {})}
            office.outlook.do("create_task", mailbox, fields=fields, task_list=todo.LIST if user == 1 else "tasks")
        return len(rows) + 3

    def _done(self) -> int:
        for user in range(3):
            crm_id, task = self._one(f"{FINISHED} {user}")
            self._tick(task)
            self._in_crm(crm_id, "taskstatus", "Completed")
        crm_id, task = self._given(0, 1)
        self._office.crm.edit(crm_id, taskstatus="Completed")
        self._in_todo(task, "status", "completed")
        return 4

    def _reopened(self) -> int:
        crm_id, task = self._given(2, 1)  # ticked off in the evening
        self._office.crm.edit(crm_id, taskstatus="In Progress")
        self._in_todo(task, "status", "inProgress")
        crm_id, task = self._one(REOPENED)
        self._in_crm(crm_id, "taskstatus", "Not Started")
        self._office.outlook.do("reopen_task", task["mailbox"], task=task["id"])
        return 2

    def _deleted(self) -> int:
        in_crm, in_todo = self._given(0, 4), self._given(2, 4)
        self._office.crm.delete(in_crm[0])
        self._office.outlook.do("delete_task", in_todo[1]["mailbox"], task=in_todo[1]["id"])
        for crm_id, task in (in_crm, in_todo):
            self._tasks.alive -= {crm_id, task["id"]}
            words = f"task {crm_id}, deleted on one side, is gone from both"
            self._office.promise(words, lambda view, c=crm_id, t=task["id"]: c not in view.tasks and t not in view.todo)
        return 2

    def _moved(self) -> int:
        """Its id changes with the list; the record stays the same one, also when the title is edited afterwards in the CRM."""
        for user in range(3):
            crm_id, task = self._given(user, 5)
            now = self._office.outlook.do("move_task", task["mailbox"], task=task["id"], task_list=todo.LIST)
            self._tasks.alive.discard(task["id"])
            words = f"task {crm_id}, moved to another list, is there once and keeps its record"
            self._office.promise(
                words,
                lambda view, c=crm_id, t=now: c in view.tasks and t in view.todo and view.todo[t]["list"] == todo.LIST,
            )
        return 3

    def _group(self) -> int:
        """Done by one member, done for all."""
        boxes = self._office.mailboxes[:2]
        (crm_id, mine), (same, other) = (self._one(GROUPS, mailbox) for mailbox in boxes)
        if crm_id != same:
            raise LookupError(GROUPS)
        self._tick(mine)
        self._in_crm(crm_id, "taskstatus", "Completed")
        self._in_todo(other, "status", "completed")
        return 1

    def _recurring(self) -> int:
        """To Do goes on with the next date and leaves a done copy: two records, one of them done."""
        crm_id, task = self._one(todo.WEEKLY)
        self._tick(task)
        due = (self._tasks.today + timedelta(days=10)).isoformat()
        self._in_crm(crm_id, "due_date", due)
        self._in_crm(crm_id, "taskstatus", "Not Started")

        def two(view: View) -> bool:
            rows = [row["taskstatus"] for row in view.tasks.values() if row["subject"] == todo.WEEKLY]
            return sorted(rows) == ["Completed", "Not Started"]

        self._office.promise("a task that comes again leaves one done record", two)
        return 1

    # what must be true

    def _in_crm(self, crm_id: str, name: str, value: str) -> None:
        def kept(view: View) -> bool:
            return crm_id in view.tasks and view.tasks[crm_id][name] == value

        self._office.promise(f"task {crm_id} says {value!r}", kept)

    def _starts(self, title: str, day: str) -> None:
        """To Do has a start of its own (where it has none, vtenext's is a stand-in: see `compare_tasks`)."""

        def kept(view: View) -> bool:
            begins = [start_of(task) for task in view.todo.values() if task["title"] == title]
            return bool(begins) and set(begins) == {day}

        self._office.promise(f"the task {title!r} starts {day} in To Do", kept)

    def _in_todo(self, task: Json, name: str, value: object) -> None:
        id_ = task["id"]
        self._office.promise(
            f"To Do's task {id_} says {value!r}", lambda view: id_ in view.todo and view.todo[id_][name] == value
        )
