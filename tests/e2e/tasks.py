"""The tasks of the office: what stands in To Do and in the CRM at the beginning, and the judgement of tasks on both sides.

A group's task is one record and a task in the list of every member: each of them must say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from tests.e2e import compare, diary, todo
from tests.e2e.compare import Values, Verdict
from tests.e2e.compare_tasks import task_item, task_record
from tests.e2e.office import Json, Office, View


@dataclass(slots=True)
class Tasks:
    """`unplaced`: ids of either side -> why the plan may not place them."""

    office: Office
    today: date = field(default_factory=diary.today_in_rome)
    unplaced: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)  # ids of either side that nobody deleted

    def found(self) -> None:
        """Both sides before the first synchronisation."""
        office = self.office
        for mailbox in office.mailboxes:
            office.outlook.do("create_task_list", mailbox, name=todo.LIST)
        for each in todo.tasks(self.today):
            mailbox = office.mailboxes[each.user]
            id_ = office.outlook.do("create_task", mailbox, fields=each.fields, task_list=each.task_list)
            self.alive.add(id_)
            if each.done:
                self.unplaced[id_] = "ended"
        old = todo.records(self.today, office.owners, office.group)
        for id_, each in zip(office.crm.records("Calendar", [a.row for a in old]), old, strict=True):
            self.alive.add(id_)
            self.unplaced[id_] = each.stays

    def judge(self, view: View) -> Verdict:
        """Compare what may be placed."""
        return compare.judge(self._records(view), self._tasks(view))

    def not_placed(self, view: View) -> Counter[str]:
        """How many tasks are not placed, by reason."""
        there = {**view.tasks, **view.todo}
        return Counter(reason for id_, reason in self.unplaced.items() if id_ in there)

    def duplicates(self, view: View) -> int:
        """Tasks that are there twice on a side, told by all that they say."""
        return sum(compare.doubles(side.values()) for side in (self._records(view), self._tasks(view)))

    def remember(self, view: View) -> None:
        """What is there now must stay, unless somebody deletes it."""
        self.alive |= view.tasks.keys() | view.todo.keys()

    def lost(self, view: View) -> list[str]:
        """What nobody deleted, and is not there any more."""
        return [f"task {id_} is gone" for id_ in sorted(self.alive - view.tasks.keys() - view.todo.keys())]

    def _records(self, view: View) -> dict[str, Values]:
        """A row for each list in which the record must be."""
        made: dict[str, Values] = {}
        for id_, row in view.tasks.items():
            for home in () if id_ in self.unplaced else self._homes(row):
                made[f"{id_} {home}"] = (*task_record(row), ("where", home))
        return made

    def _homes(self, row: Json) -> Iterator[str]:
        office = self.office
        if row["assigned_user_id"] == office.group:
            yield from office.mailboxes[:2]
        elif home := office.home_of(row):
            yield home

    def _tasks(self, view: View) -> dict[str, Values]:
        return {i: (*task_item(t), ("where", t["mailbox"])) for i, t in view.todo.items() if i not in self.unplaced}
