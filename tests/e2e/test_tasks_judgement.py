"""The judgement of tasks, judged: what is lost, doubled or different is seen, and what one side cannot hold is forgiven. No processes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tests.e2e import compare, todo
from tests.e2e.compare_tasks import task_item, task_record
from tests.e2e.diary import HTML
from tests.e2e.hands import CrmScreen, Json, Outlook
from tests.e2e.office import Office, View
from tests.e2e.tasks import Tasks

OWNERS, BOXES, GROUP = ["19x3", "19x4", "19x5"], ["box", "box 1", "box 2"], "22x8"
ROW = {
    "id": "1x1", "subject": "Regalo ????", "description": "uno\ndue", "taskstatus": "In Progress", "taskpriority": "High",
    "date_start": "2026-11-24", "due_date": "2026-12-01", "assigned_user_id": OWNERS[0],
}  # fmt: skip
TASK = {
    "id": "t1", "title": "Regalo 🎁", "body": {"content": "uno\r\ndue", "contentType": "text"}, "status": "inProgress",
    "importance": "high", "createdDateTime": "2026-11-24T23:30:00.0000000Z", "mailbox": BOXES[0], "list": "Tasks",
    "dueDateTime": {"dateTime": "2026-11-30T23:00:00.0000000", "timeZone": "UTC"},
}  # fmt: skip


def record(**changes: str) -> compare.Values:
    return task_record({**ROW, **changes})


def task(**changes: Any) -> compare.Values:
    return task_item({name: value for name, value in {**TASK, **changes}.items() if value is not None})


def moment(text: str) -> Json:
    return {"dateTime": f"{text}:00.0000000", "timeZone": "UTC"}


def test_what_one_side_cannot_hold_is_no_difference() -> None:
    """Emoji, markup, no title, a status without a word in To Do, stand-ins for dates (API.md 8), a midnight of any near zone."""
    assert record() == task()
    assert record(description="Portare il contratto e l'allegato & il timbro Sala «Perù» ????") == task(
        body={"content": HTML, "contentType": "html"}
    )
    assert record(subject="(senza oggetto)") == task(title="")
    assert record(taskstatus="Planned") == task(status="notStarted")
    assert record(due_date="2026-11-25") == task(dueDateTime=None)  # made at half past midnight in Rome
    assert record(due_date="2026-11-27") == task(dueDateTime=None, startDateTime=moment("2026-11-26T23:00"))
    assert record() == task(dueDateTime=moment("2026-12-01T00:00"))


@pytest.mark.parametrize(
    "changes",
    [
        {"title": "Regalo"},
        {"body": {"content": "uno", "contentType": "text"}},
        {"status": "completed"},
        {"importance": "normal"},
        {"dueDateTime": moment("2026-12-01T23:00")},
        {"dueDateTime": None},
    ],
)
def test_a_difference_is_seen_and_named(changes: Json) -> None:
    verdict = compare.judge({"1x1": record()}, {"t1": task(**changes)})
    assert (verdict.equal, verdict.total) == (0, 1)
    assert verdict.difference.startswith("record 1x1")


@pytest.fixture
def tasks() -> Tasks:
    """A judge that asks nobody: only views are shown to it."""
    office = Office(CrmScreen.__new__(CrmScreen), Outlook.__new__(Outlook), owners=OWNERS, mailboxes=BOXES, group=GROUP)
    return Tasks(office, date(2026, 11, 24))


def view(rows: list[Json], found: list[Json]) -> View:
    rows_by_id, by_id = ({each["id"]: each for each in part} for part in (rows, found))
    return View({}, {}, {}, {}, tasks=rows_by_id, todo=by_id)


def test_a_task_belongs_in_its_owners_list(tasks: Tasks) -> None:
    assert tasks.judge(view([ROW], [TASK])).equal == 1
    assert tasks.judge(view([ROW], [{**TASK, "mailbox": BOXES[1]}])).equal == 0
    assert tasks.judge(view([ROW], [])).only_crm
    assert tasks.judge(view([], [TASK])).only_mailbox
    assert tasks.judge(view([{**ROW, "assigned_user_id": "19x99"}], [])).total == 0


def test_a_groups_task_belongs_in_every_members_list(tasks: Tasks) -> None:
    ours, copies = {**ROW, "assigned_user_id": GROUP}, [{**TASK, "id": f"t{n}", "mailbox": BOXES[n]} for n in range(3)]
    assert tasks.judge(view([ours], copies[:2])).equal == 2
    assert tasks.judge(view([ours], copies[:1])).only_crm
    assert tasks.judge(view([ours], copies)).only_mailbox
    done = {**copies[1], "status": "completed"}
    assert "status" in tasks.judge(view([ours], [copies[0], done])).difference


def test_what_may_not_be_placed_is_left_out_and_counted(tasks: Tasks) -> None:
    tasks.unplaced = {"1x1": "baseline", "t1": "ended", "t9": "ended"}
    assert tasks.judge(view([ROW], [TASK])).total == 0
    assert tasks.not_placed(view([ROW], [TASK])) == {"baseline": 1, "ended": 1}


def test_doubles_are_counted_and_losses_missed(tasks: Tasks) -> None:
    shown = view([ROW], [TASK])
    assert tasks.duplicates(shown) == 0
    assert tasks.duplicates(view([ROW, {**ROW, "id": "1x2"}], [TASK])) == 1
    assert tasks.duplicates(view([ROW], [TASK, {**TASK, "id": "t2"}])) == 1
    tasks.remember(shown)
    assert tasks.lost(shown) == []
    assert tasks.lost(view([], [])) == ["task 1x1 is gone", "task t1 is gone"]


@pytest.mark.parametrize("today", [date(2026, 11, 24), date(2026, 12, 31), date(2028, 2, 29)])
def test_the_sample_tasks_are_as_described(today: date) -> None:
    jotted = list(todo.tasks(today))
    titles = [each.fields["title"] for each in jotted]
    assert len(set(titles)) == len(titles) == 25
    assert {each.task_list for each in jotted} == {"tasks", todo.LIST}
    assert sum(each.done for each in jotted) == 3
    assert any("dueDateTime" not in each.fields for each in jotted)
    assert any("startDateTime" in each.fields for each in jotted)
    old = todo.records(today, OWNERS, GROUP)
    assert {each.stays for each in old} == {"baseline", "ended"}
    assert {each.row["assigned_user_id"] for each in old} == {*OWNERS, GROUP}
