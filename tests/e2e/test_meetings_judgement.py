"""The judgement of meetings, judged: who is missing, doubled, or answers differently is seen, and so is every mail too many. No processes."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest

from tests.e2e import diary, shared
from tests.e2e.calendars import Calendars
from tests.e2e.company import CAR, ROOM, USERS, mail_of
from tests.e2e.compare import Verdict
from tests.e2e.compare_meetings import crm_seats, outlook_seats, twice
from tests.e2e.hands import CalendarPage, CrmScreen, Json, Outlook
from tests.e2e.mails import Limits, Sent, sent
from tests.e2e.meetings import Meetings, guests
from tests.e2e.office import Office, View
from tests.e2e.test_events_judgement import EVENT, ROW, TODAY
from tests.e2e.test_judgement import CARD
from tests.e2e.test_judgement import ROW as CONTACT

ANNA, BRUNO, CARLA, THE_ROOM, THE_CAR = "19x3", "19x4", "19x5", "19x6", "19x7"
BOXES = ["box", "box 1", "box 2"]
UNANSWERED = {"response": "none"}


def invited(**said: str) -> list[Json]:
    """The CRM's list: who (19x…) said what."""
    return [{"id": f"19x{who[1:]}", "type": "Users", "partecipation": answer} for who, answer in said.items()]


def listed(**said: str) -> list[Json]:
    """The organizer's list: whose address answered what."""
    addresses = {"bruno": USERS[1].mail, "carla": USERS[2].mail, "room": ROOM.mail, "guest": mail_of(7)}
    people = zip(guests(addresses[who] for who in said), said.values(), strict=True)
    return [{**each, "status": {"response": answer}} for each, answer in people]


RECORD = {**ROW, "invitees": invited(u4="2", u6="2", u7="2")}
TAGS = [CAR.name, ROOM.name]
LED = {**EVENT, "attendees": listed(bruno="accepted", room="accepted"), "categories": TAGS}
COPY = {
    **EVENT, "id": "c1", "mailbox": BOXES[1], "isOrganizer": False, "attendees": [], "categories": ["Mine", *TAGS],
    "responseStatus": {"response": "accepted"},
}  # fmt: skip


@pytest.fixture
def meetings() -> Meetings:
    """A judge that asks nobody: only views are shown to it."""
    office = Office(
        CrmScreen.__new__(CrmScreen), Outlook.__new__(Outlook), owners=[ANNA, BRUNO, CARLA], mailboxes=BOXES
    )
    return Meetings(Calendars(office, CalendarPage.__new__(CalendarPage), TODAY), THE_ROOM, THE_CAR)


def view(rows: list[Json], events: list[Json]) -> View:
    return View({}, {}, {}, {}, *({each["id"]: each for each in part} for part in (rows, events)))


def test_everybody_has_a_seat_on_both_sides(meetings: Meetings) -> None:
    """The organizer, the colleague and the room; a thing without a mailbox has none, and shows by its category."""
    verdict = meetings.judge(view([RECORD], [LED, COPY]))
    assert (verdict.equal, verdict.total, verdict.difference) == (3, 3, "")


def changed(event: Json, **changes: Any) -> Json:
    return {**event, **changes}


@pytest.mark.parametrize(
    ("record", "led", "copy"),
    [
        (RECORD, LED, None),
        (RECORD, LED, changed(COPY, responseStatus=UNANSWERED)),
        (RECORD, LED, changed(COPY, responseStatus={"response": "declined"})),
        (RECORD, LED, changed(COPY, categories=[ROOM.name])),
        (RECORD, LED, changed(COPY, categories=[f"{CAR.name} ✗", ROOM.name])),
        (RECORD, changed(LED, categories=[]), COPY),
        (RECORD, LED, changed(COPY, subject="Another")),
        (RECORD, LED, changed(COPY, mailbox=BOXES[2])),
        (RECORD, changed(LED, attendees=listed(bruno="accepted", room="declined")), COPY),
        (RECORD, changed(LED, attendees=listed(bruno="accepted")), COPY),
        (changed(RECORD, invitees=invited(u6="2", u7="2")), LED, COPY),
        (changed(RECORD, invitees=invited(u4="2", u5="0", u6="2", u7="2")), LED, COPY),
        (changed(RECORD, invitees=invited(u4="2", u6="2", u7="1")), LED, COPY),
        (changed(RECORD, invitees=[]), LED, COPY),
        (changed(RECORD, assigned_user_id="22x1"), LED, COPY),
    ],
)
def test_a_difference_is_seen_and_named(meetings: Meetings, record: Json, led: Json, copy: Json | None) -> None:
    verdict = meetings.judge(view([record], [led, *([copy] if copy else [])]))
    assert verdict.equal < verdict.total
    assert verdict.difference


def test_what_vtenext_does_not_know_is_no_difference(meetings: Meetings) -> None:
    """No tentative answer (API.md 7.5); who declined has no copy any more; people who are no users; a cancelled copy."""
    tentative = changed(COPY, responseStatus={"response": "tentativelyAccepted"})
    asked = changed(
        RECORD, invitees=[*invited(u4="0", u6="2", u7="2"), {"id": "4x9", "type": "Contacts", "partecipation": "0"}]
    )
    led = changed(LED, attendees=listed(bruno="tentativelyAccepted", room="accepted", guest="declined"))
    assert not meetings.judge(view([asked], [led, tentative])).difference
    refused = changed(RECORD, invitees=invited(u4="1", u6="2", u7="2"))
    gone = changed(COPY, isCancelled=True)
    assert not meetings.judge(view([refused], [LED])).difference
    assert not meetings.judge(view([refused], [LED, gone])).difference


def test_a_private_meeting_names_nobody(meetings: Meetings) -> None:
    """SPEC 2.10: a busy block has no people."""
    hidden = [changed(each, sensitivity="private") for each in (LED, COPY)]
    assert meetings.judge(view([changed(ROW, invitees=[])], hidden)).total == 0
    assert meetings.judge(view([RECORD], hidden)).difference


def test_a_copy_that_its_owner_edited_is_told_by_its_old_name_only_when_that_was_done(meetings: Meetings) -> None:
    mine = changed(COPY, subject="Noiosa")
    assert meetings.judge(view([RECORD], [LED, mine])).difference
    meetings.edited["c1"] = LED["subject"]
    assert not meetings.judge(view([RECORD], [LED, mine])).difference


def test_what_may_not_be_placed_has_no_seats(meetings: Meetings) -> None:
    meetings.calendars.unplaced = {"18x1": "baseline", "e1": "cancelled", "c1": "cancelled"}
    assert meetings.judge(view([RECORD], [LED, COPY])).total == 0


def test_seats_of_a_meeting_of_somebody_outside(meetings: Meetings) -> None:
    """Both copies are seats; nobody of ours organizes."""
    row = changed(ROW, invitees=invited(u3="0", u4="2"))
    mine = changed(EVENT, isOrganizer=False, responseStatus=UNANSWERED)
    copies = [mine, changed(COPY, categories=[])]
    assert meetings.judge(view([row], copies)).equal == 2
    assert len(crm_seats(row, meetings.people)) == 2
    assert [len(outlook_seats(each, meetings.people)) for each in copies] == [1, 1]


def test_a_meeting_that_is_there_twice_is_counted(meetings: Meetings) -> None:
    assert twice([LED, COPY]) == 0
    assert twice([LED, COPY, changed(COPY, id="c2")]) == 1
    meetings.shared = Counter({ROW["subject"]: 1})
    assert meetings.not_once(view([ROW], [])) == []
    assert meetings.not_once(view([], []))
    assert meetings.not_once(view([ROW, changed(ROW, id="18x2")], []))


def mail(by: str, sender: str = "a@x.example") -> Json:
    return {"by": by, "from": sender}


def test_only_mails_because_of_the_connector_count() -> None:
    exchange = [mail("app"), mail("app"), mail("app", "b@x.example"), mail("person"), mail("resource")]
    counted = sent(exchange, [mail("service"), mail("screen")])
    assert counted == Sent(Counter({"a@x.example": 2, "b@x.example": 1}), 1)
    assert counted.total == 4


def test_mails_beyond_the_limit_are_named() -> None:
    limits = Limits(meetings=1, mails=3, day=3)
    assert Sent(Counter(a=3), 0).excess(limits) == []
    assert len(Sent(Counter(a=4, b=1), 0).excess(limits)) == 1
    assert len(Sent(Counter(a=3), 1).excess(limits)) == 1
    assert len(Sent(Counter(), 4).excess(limits)) == 1


@pytest.mark.parametrize("today", [TODAY, date(2026, 2, 26), date(2026, 12, 31), date(2028, 2, 29)])
def test_the_sample_meetings_are_as_described(today: date) -> None:
    """Shared by two or three, half of them typed into the CRM, some with customers, one private, one that comes again."""
    meetings = list(shared.meetings(today, [ANNA, BRUNO, CARLA]))
    plain = [each for each in meetings if each.name.startswith(shared.MEETING)]
    assert len(plain) == 12
    assert sum(each.typed is not None for each in plain) == 6
    assert {len(each.guests) for each in plain} == {1, 2}
    assert any(each.customer for each in plain if each.typed)
    assert any(each.customer for each in plain if not each.typed)
    assert all(each.organizer not in each.guests for each in meetings)
    assert {each.typed["ical_uuid"] for each in plain if each.typed} == {each.uid for each in plain if each.typed}
    assert [each.name for each in meetings if "recurrence" in each.fields] == [shared.WEEKLY]
    hidden = [each for each in meetings if "sensitivity" in each.fields]
    assert all(diary.SECRET in each.name for each in hidden)
    assert len(hidden) == 1
    for each in plain:
        if each.typed:
            day, start, end = (each.fields[name] for name in ("subject", "start", "end"))
            assert day == each.typed["subject"]
            assert str(start["dateTime"]).endswith(f"{each.typed['time_start']}:00")  # type: ignore[index]
            assert str(end["dateTime"]).endswith(f"{each.typed['time_end']}:00")  # type: ignore[index]


def test_a_guest_says_what_the_record_says_and_is_of_somebody_whom_the_user_meets(meetings: Meetings) -> None:
    """SPEC 2.7: a contact of Carla's at a meeting of Anna's has a card in Anna's folder, and nobody else has."""
    office = meetings.office
    office.met = meetings.met
    contact = {**CONTACT, "id": "4x9", "assigned_user_id": CARLA}
    row = changed(ROW, invitees=[], contact_id="4x9", date_start="2099-01-01", due_date="2099-01-01")

    def verdict(*boxes: str, **changes: Any) -> Verdict:
        cards = {box: {f"card {box}": {**CARD, "companyName": "", **changes}} if box in boxes else {} for box in BOXES}
        return office.judge(View({"4x9": contact}, {}, cards, {}, {ROW["id"]: row}), "contacts")

    assert verdict(BOXES[2], BOXES[0]).equal == 2
    assert verdict(BOXES[2], BOXES[0], jobTitle="Another").difference
    assert verdict(BOXES[2], BOXES[1]).only_mailbox == (f"card {BOXES[1]}",)
    row["date_start"] = row["due_date"] = "2020-01-01"
    assert verdict(BOXES[2], BOXES[0]).only_mailbox == (f"card {BOXES[0]}",)
