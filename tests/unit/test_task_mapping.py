"""`mapping.tasks`: how a task translates, and what never comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.calendar import NO_SUBJECT
from mapping.tasks import DUE, IMPORTANCE, MADE, START, STATUS, TITLE, TaskTranslator, is_completed, with_stand_ins

TASKS = TaskTranslator()
BODY = "description~body"
RECORD = {
    "subject": "Offerta",
    "description": "uno",
    "taskstatus": "In Progress",
    "taskpriority": "High",
    "date_start": "2026-12-01",
    "due_date": "2026-12-03",
}
TASK = {
    "title": "Offerta",
    "body": "uno",
    "bodyType": "text",
    "status": "inProgress",
    "importance": "high",
    "start": "2026-12-01",
    "due": "2026-12-03",
    "recurring": "",
}


def test_both_sides_say_the_same() -> None:
    assert TASKS.crm_values(RECORD) == TASKS.mailbox_values(TASK)
    assert TASKS.render_mailbox(TASKS.crm_values(RECORD), None).fields == {
        name: value for name, value in TASK.items() if name not in {"bodyType", "recurring"}
    }
    assert TASKS.render_crm(TASKS.mailbox_values(TASK), None, {}).fields == RECORD


@pytest.mark.parametrize(
    ("crm", "shown", "back"),
    [
        ("Not Started", "notStarted", "Not Started"),
        ("In Progress", "inProgress", "In Progress"),
        ("Completed", "completed", "Completed"),
        ("Pending Input", "waitingOnOthers", "Pending Input"),
        ("Deferred", "deferred", "Deferred"),
        ("Planned", "notStarted", "Not Started"),
        ("", "notStarted", "Not Started"),
        ("Da noi", "notStarted", "Not Started"),
    ],
)
def test_statuses(crm: str, shown: str, back: str) -> None:
    value = TASKS.crm_values({"taskstatus": crm})[STATUS.id]
    assert TASKS.render_mailbox({STATUS.id: value}, None).fields == {"status": shown}
    assert TASKS.render_crm({STATUS.id: shown}, {"taskstatus": "Deferred" if crm != "Deferred" else ""}, {}).fields == {
        "taskstatus": back
    }
    assert TASKS.image(STATUS.id, value) == shown


def test_a_status_that_to_do_lacks_stays_in_the_crm() -> None:
    """Planned and not started look the same: nothing is written, and what is held is what stands there."""
    rendered = TASKS.render_crm({STATUS.id: "notStarted"}, {"taskstatus": "Planned"}, {})
    assert (rendered.fields, rendered.held) == ({}, {STATUS.id: "Planned"})


@pytest.mark.parametrize(
    ("status", "done"), [("Completed", True), ("completed ", True), ("Planned", False), ("", False)]
)
def test_done(status: str, done: bool) -> None:
    assert is_completed({"taskstatus": status}) is done


@pytest.mark.parametrize(
    ("values", "start", "due"),
    [
        ({DUE.id: "2026-12-03"}, "2026-12-03", "2026-12-03"),
        ({START.id: "2026-12-01"}, "2026-12-01", "2026-12-01"),
        ({DUE.id: "2026-12-03", START.id: "2026-12-01"}, "2026-12-01", "2026-12-03"),
        ({}, "2026-11-23", "2026-11-23"),
    ],
)
def test_a_new_record_gets_both_dates(values: dict[str, str], start: str, due: str) -> None:
    given = {TITLE.id: "x", **values, MADE: "2026-11-23"}
    rendered = TASKS.render_crm(given, None, {})
    assert (rendered.fields["date_start"], rendered.fields["due_date"]) == (start, due)
    assert rendered.fields["taskstatus"] == "Not Started"
    assert {rendered.held[START.id], rendered.held[DUE.id]} == {start, due}, (
        "said for the base, so that it never travels back"
    )
    assert MADE not in rendered.held
    assert set(rendered.fields) <= set(RECORD)


def test_a_date_cleared_in_to_do_leaves_what_the_crm_holds() -> None:
    rendered = TASKS.render_crm({DUE.id: ""}, RECORD, {})
    assert (rendered.fields, rendered.held) == ({}, {DUE.id: "2026-12-03"})


def test_a_task_without_a_title_is_called_so_and_that_says_nothing() -> None:
    rendered = TASKS.render_crm({BODY: "uno"}, None, {})
    assert (rendered.fields["subject"], rendered.held[TITLE.id]) == (NO_SUBJECT, "")
    assert TASKS.crm_values({"subject": NO_SUBJECT}) == {TITLE.id: ""}
    assert TASKS.render_mailbox({TITLE.id: NO_SUBJECT}, None).fields == {"title": ""}


def test_only_what_says_something_becomes_a_record() -> None:
    assert TASKS.usable(TASK)
    assert TASKS.usable({"title": "", "body": "x"})
    assert not TASKS.usable({"title": " ", "body": "", "status": "completed"})


def test_a_body_with_pictures_and_the_dates_of_a_rule_go_to_the_crm_only() -> None:
    rich = {**TASK, "bodyType": "html", "body": "<p>uno</p><img src='x'>", "recurring": "1"}
    assert TASKS.inbound(rich) == {BODY, DUE.id, START.id}
    rendered = TASKS.render_mailbox({BODY: "due", DUE.id: "2027-01-01", IMPORTANCE.id: "low"}, rich)
    assert rendered.fields == {"importance": "low"}
    assert rendered.held == {BODY: "uno", DUE.id: "2026-12-03", IMPORTANCE.id: "low"}
    assert rendered.flags == {"body_kept"}


def test_html_that_holds_text_only_is_text() -> None:
    assert TASKS.mailbox_values({**TASK, "bodyType": "html", "body": "<p>a &amp; b</p>"})[BODY] == "a & b"


def test_of_a_members_copy_only_the_status_travels_to_the_crm() -> None:
    member = TASKS.of_member()
    assert {pair.id: str(pair.direction) for pair in member.pairs if pair.direction != "to_mailbox"} == {
        STATUS.id: "both"
    }
    assert member.version == TASKS.version
    assert member.inbound({**TASK, "recurring": "1"}) == frozenset()
    assert member.render_mailbox({DUE.id: "2027-01-01"}, {**TASK, "recurring": "1"}).fields == {}


def test_what_was_not_read_says_nothing() -> None:
    assert TASKS.crm_values({"subject": "x"}) == {TITLE.id: "x"}
    assert TASKS.mailbox_values({"due": "bald", "status": "?"}) == {}
    assert TASKS.crm_values({"due_date": "0000-00-00"}) == {DUE.id: ""}


TEXT = st.text(max_size=150)
DAYS = st.sampled_from(["", "2026-12-01", "2027-02-28"])


@given(title=TEXT, body=TEXT, due=DAYS, start=DAYS, status=st.sampled_from(["notStarted", "completed", "deferred"]))
def test_what_comes_back_from_the_crm_is_no_edit(title: str, body: str, due: str, start: str, status: str) -> None:
    """A new record, read again, says in the image of the poorer side what was sent, stand-ins aside."""
    task = {**TASK, "title": title, "body": body, "due": due, "start": start, "status": status}
    values = TASKS.mailbox_values(task)
    rendered = TASKS.render_crm({**values, MADE: "2026-11-23"}, None, {})
    again = TASKS.crm_values(rendered.fields)
    for pair, value in with_stand_ins({**values, MADE: "2026-11-23"}).items():
        if pair != MADE:
            assert TASKS.image(pair, again.get(pair, "")) == TASKS.image(pair, value)
    for pair, value in values.items():
        assert TASKS.image(pair, TASKS.image(pair, value)) == TASKS.image(pair, value)
