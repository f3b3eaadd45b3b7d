"""The judgement of events, judged: what is planted between the two sides is seen, and what vtenext cannot hold is forgiven. No processes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from tests.e2e import compare, diary
from tests.e2e.calendars import Calendars
from tests.e2e.compare_events import BUSY, event_item, event_record, over, slot_of
from tests.e2e.hands import CalendarPage, CrmScreen, Json, Outlook
from tests.e2e.office import Office, View

TODAY = date(2026, 11, 24)
OWNER, BOX, UID = "19x3", "box", "uid-1"
ROW = {
    "id": "18x1", "subject": "Festa ????", "location": "Forlì", "description": "uno\n- due", "date_start": "2026-12-01",
    "time_start": "10:00", "due_date": "2026-12-01", "time_end": "11:00", "is_all_day_event": "0", "visibility": "Standard",
    "taskpriority": "Medium", "reminder_time": "61", "ical_uuid": UID, "recurr_idx": "0", "assigned_user_id": OWNER,
}  # fmt: skip
EVENT = {
    "id": "e1", "type": "singleInstance", "seriesMasterId": None, "subject": "Festa 🎉", "location": {"displayName": "Forlì "},
    "body": {"contentType": "text", "content": "uno\r\n\r\ndue"}, "start": {"dateTime": "2026-12-01T09:00:00.0000000"},
    "end": {"dateTime": "2026-12-01T10:00:00.0000000"}, "isAllDay": False, "sensitivity": "normal", "importance": "normal",
    "isReminderOn": True, "reminderMinutesBeforeStart": 60, "iCalUId": UID, "mailbox": BOX,
    "isOrganizer": True, "isCancelled": False, "organizer": {"emailAddress": {"address": "io@x.example"}}, "attendees": [], "categories": [],
}  # fmt: skip
ALL_DAY = {"isAllDay": True, "start": {"dateTime": "2026-12-01T00:00:00"}, "end": {"dateTime": "2026-12-03T00:00:00"}}
HIDDEN = {"subject": BUSY, "location": "", "description": "", "visibility": "Private"}


def record(**changes: str) -> compare.Values:
    return event_record({**ROW, **changes})


def event(**changes: Any) -> compare.Values:
    return event_item({**EVENT, **changes})


def test_what_vtenext_cannot_hold_is_no_difference() -> None:
    """Emoji, list marks, a reminder of whole hours, no subject, long subjects, personal (API.md 3.7, 7.4; SPEC 2.10)."""
    assert record() == event()
    assert record(subject="(senza oggetto)") == event(subject="")
    assert record(subject="T" * 100) == event(subject="T" * 200)
    assert record(visibility="Private") == event(sensitivity="personal")
    assert record(is_all_day_event="1", due_date="2026-12-02") == event(**ALL_DAY)
    assert record(reminder_time="") == event(isReminderOn=False)


def test_both_passes_of_the_repeated_hour_are_one_on_the_wall() -> None:
    first, second = "2026-10-25T00:30:00", "2026-10-25T01:30:00"
    assert event(start={"dateTime": first}) == event(start={"dateTime": second})
    assert event(start={"dateTime": first}) != event(start={"dateTime": "2026-10-25T02:30:00"})


@pytest.mark.parametrize("sensitivity", ["private", "confidential"])
def test_a_private_event_is_a_busy_block_and_nothing_more(sensitivity: str) -> None:
    assert record(**HIDDEN) == event(sensitivity=sensitivity)
    assert record(visibility="Private") != event(sensitivity=sensitivity)
    assert record(**{**HIDDEN, "location": "Clinica"}) != event(sensitivity=sensitivity)
    assert event_item({**EVENT, "sensitivity": sensitivity}, readable=True) == record(visibility="Private")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Festa"},
        {"location": {"displayName": "Cesena"}},
        {"body": {"content": "uno tre"}},
        {"start": {"dateTime": "2026-12-01T09:30:00"}},
        {"end": {"dateTime": "2026-12-01T10:15:00"}},
        ALL_DAY,
        {"sensitivity": "personal"},
        {"importance": "high"},
        {"reminderMinutesBeforeStart": 30},
        {"isReminderOn": False},
    ],
)
def test_a_difference_is_seen_and_named(changes: Json) -> None:
    verdict = compare.judge({"18x1": record()}, {"e1": event(**changes)})
    assert (verdict.equal, verdict.total) == (0, 1)
    assert verdict.difference.startswith("record 18x1")


def test_when_it_is_over_and_which_slot_it_has() -> None:
    now = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)  # 10:30 on the wall
    assert over("2026-12-01 09:00 - 2026-12-01 10:15", now)
    assert not over("2026-12-01 10:00 - 2026-12-01 11:00", now)
    assert over("2026-11-29 - 2026-11-30", now)
    assert not over("2026-11-30 - 2026-12-01", now)
    occurrence = {"originalStart": "2026-12-01T23:30:00Z", "originalStartTimeZone": "Eastern Standard Time"}
    assert slot_of(occurrence) == "2026-12-01"
    assert slot_of({**occurrence, "originalStartTimeZone": "Europe/Rome"}) == "2026-12-02"


@pytest.fixture
def calendars() -> Calendars:
    """A judge that asks nobody: only views are shown to it."""
    office = Office(CrmScreen.__new__(CrmScreen), Outlook.__new__(Outlook), owners=[OWNER], mailboxes=[BOX])
    return Calendars(office, CalendarPage.__new__(CalendarPage), TODAY)


def view(rows: list[Json], events: list[Json], masters: list[Json] | None = None) -> View:
    parts = ({each["id"]: each for each in part} for part in (rows, events, masters or []))
    return View({}, {}, {}, {}, *parts)


def occurrence_on(day: str, **changes: Any) -> Json:
    moments = {"start": {"dateTime": f"{day}T09:00:00"}, "end": {"dateTime": f"{day}T10:00:00"}}
    return {**EVENT, "id": f"e-{day}", "type": "occurrence", "seriesMasterId": "m", **moments, **changes}


def record_on(day: str, **changes: str) -> Json:
    return {**ROW, "id": f"18x{day}", "date_start": day, "due_date": day, "recurr_idx": day, **changes}


MASTER: Json = {"id": "m", "iCalUId": UID, "mailbox": BOX}


def test_a_missing_occurrence_is_seen_inside_the_horizon_only(calendars: Calendars) -> None:
    days = ["2026-10-20", "2026-10-24", "2026-12-01", "2027-02-22", "2027-02-27"]
    verdict = calendars.judge(view([], [occurrence_on(day) for day in days], [MASTER]))
    assert verdict.only_mailbox == ("e-2026-12-01",)
    far = {
        **EVENT,
        "id": "single",
        "start": {"dateTime": "2029-01-01T09:00:00"},
        "end": {"dateTime": "2029-01-01T09:30:00"},
    }
    assert calendars.judge(view([], [far])).only_mailbox == ("single",)


def test_a_record_that_no_calendar_holds_is_seen(calendars: Calendars) -> None:
    verdict = calendars.judge(view([record_on("2026-12-01"), record_on("2027-02-27")], [], [MASTER]))
    assert len(verdict.only_crm) == 2
    calendars.unplaced["18x2026-12-01"] = "baseline"
    shown = view([record_on("2026-12-01"), record_on("2027-02-27", assigned_user_id="22x1")], [])
    assert calendars.judge(shown).total == 0
    assert calendars.not_placed(shown)["baseline"] == 1


def test_an_event_of_a_wrong_mailbox_is_no_equal(calendars: Calendars) -> None:
    assert calendars.judge(view([ROW], [EVENT])).equal == 1
    assert calendars.judge(view([ROW], [{**EVENT, "mailbox": "other"}])).equal == 0


def test_the_past_of_a_changed_series_is_left_out_the_rest_is_not(calendars: Calendars) -> None:
    past, coming = "2020-01-06", "2099-01-05"
    events = [occurrence_on(day, start={"dateTime": f"{day}T09:30:00"}) for day in (past, coming)]
    shown = view([record_on(past), record_on(coming)], events, [MASTER])
    assert len(calendars.judge(shown).only_crm) == 2
    calendars.frozen.add(UID)
    assert calendars.judge(shown).only_crm == (f"18x{coming}",)
    assert calendars.not_placed(shown)["ended"] == 1


@pytest.mark.parametrize(
    "shown",
    [
        view([ROW, {**ROW, "id": "18x2", "recurr_idx": "1"}], [EVENT]),
        view([ROW, {**ROW, "id": "18x2", "subject": "Another"}], [EVENT]),
        view([ROW], [EVENT, {**EVENT, "id": "e2"}]),
    ],
    ids=["same values", "same name on both sides", "twice in Outlook"],
)
def test_doubles_are_counted(calendars: Calendars, shown: View) -> None:
    assert calendars.duplicates(view([ROW], [EVENT])) == 0
    assert calendars.duplicates(shown) == 1


def test_what_nobody_deleted_is_missed(calendars: Calendars) -> None:
    calendars.remember(view([ROW], [EVENT], [MASTER]))
    assert calendars.lost(view([ROW], [EVENT], [MASTER])) == []
    assert calendars.lost(view([], [], [])) == [f"{id_} is gone from its calendar" for id_ in ("18x1", "e1", "m")]


@pytest.mark.parametrize(("text", "revealed"), [("niente", []), (f"da {diary.SECRET.upper()}!", [diary.SECRET])])
def test_private_text_in_any_table_is_found(calendars: Calendars, text: str, revealed: list[str]) -> None:
    class Screen(CrmScreen):
        def everything(self) -> dict[str, list[Json]]:
            return {"Events": [{**ROW, "deleted": True, "description": text}]}

    calendars.office.crm = Screen("http://127.0.0.1:1")
    assert calendars.revealed() == revealed


def test_the_sample_calendars_are_as_described() -> None:
    """Every kind of event that the story needs is there, on both sides, in every layout of the year."""
    for today in (TODAY, date(2026, 2, 26), date(2026, 12, 31), date(2028, 2, 29)):
        noted = diary.mailboxes(today)
        assert {each.becomes for each in noted} == {"imported", "busy", "cancelled"}
        assert sum("recurrence" in each.fields for each in noted) == 15
        assert all(each.changed or each.cancelled for each in noted if each.name.startswith(diary.DEPARTMENT))
        hidden = [each for each in noted if each.becomes == "busy"]
        assert all(diary.SECRET in each.name for each in hidden)
        assert not any(diary.SECRET in str(each.fields) for each in noted if each not in hidden)
        typed = diary.records(today, ["19x1", "19x2", "19x3"], "22x1")
        assert {each.stays for each in typed} == {"baseline", "ended", ""}
        shared = {each.row["ical_uuid"] for each in typed if not each.stays}
        assert shared == {each.more["uid"] for each in noted if "uid" in each.more}
