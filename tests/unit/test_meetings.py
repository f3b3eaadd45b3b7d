"""`sync.meetings` and `sync.invitations`: one meeting in several mailboxes. Data in, an action out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.attendees import Answer, Attendee, Invitee, attendees_value, invitees_value
from mapping.model import Value
from mapping.people import ORGANIZER, AddressBook
from sync.events import event_translator, over_at, plan_event
from sync.invitations import BEGUN, mails_of
from sync.model import (
    Create,
    Decline,
    Delete,
    Flag,
    Gone,
    Hold,
    Item,
    Kind,
    Leave,
    Link,
    Pair,
    Proof,
    Reason,
    Role,
    Side,
    Unlink,
    Update,
    Wait,
)
from sync.plan import Context, link_key
from sync.policy import CalendarPolicy, Policy, default_kinds
from tests.unit.plain import ME, PlainDigests

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
COMING, LATER = "2026-12-01T09:00Z/2026-12-01T10:00Z", "2026-12-01T11:00Z/2026-12-01T12:00Z"
PAST = "2026-11-02T09:00Z/2026-11-02T10:00Z"
ANNA, BRUNO, CARLA, CAR = "19x1", "19x2", "19x3", "19x9"
ADDRESSES = {ANNA: "anna@x.example", BRUNO: "bruno@x.example", CARLA: "carla@x.example"}
BOOK = AddressBook(ADDRESSES, {**ADDRESSES, CAR: "car@x.example"}, frozenset(), frozenset({CAR}))
GONE, CRM_GONE = Gone("e1", Proof.NOT_FOUND), Gone("18x1", Proof.NOT_FOUND)
STRANGER = Attendee("guest@y.example", name="Guest")


def who(*people: str | Attendee, **answers: str) -> tuple[str, ...]:
    listed = [
        p if isinstance(p, Attendee) else Attendee(ADDRESSES[p], response=Answer(answers.get(p[2:], "none")))
        for p in people
    ]
    return attendees_value(listed)


def asked(*people: str, **answers: str) -> tuple[str, ...]:
    return invitees_value(Invitee(p, Answer(answers.get(p[2:], "none")), ADDRESSES.get(p, "")) for p in people)


def record(when: str = COMING, *, owner: str = ANNA, invitees: tuple[str, ...] = (), **fields: str) -> Item:
    base: dict[str, Value] = {"subject": "Riunione", "location": "", "description": "", "visibility": "Standard"}
    base |= {"taskpriority": "Medium", "reminder_time": "", "uid": "u", "slot": "0", "invitees": invitees}
    return Item(Side.CRM, Kind.EVENT, "18x1", "v1", {**base, "when": when, **fields}, owner)


def event(when: str = COMING, *, attendees: tuple[str, ...] = (), organizer: str = "", **fields: str) -> Item:
    """An own event; `organizer`: somebody else's, this is a copy."""
    base: dict[str, Value] = {
        "subject": "Riunione",
        "location": "",
        "body": "",
        "bodyType": "text",
        "importance": "normal",
    }
    base |= {"sensitivity": "normal", "reminder": "", "uid": "U", "slot": "0", "zone": "Europe/Rome"}
    base |= {"attendees": attendees, "organizer": "" if organizer else "1"}
    base |= {"organizer_address": organizer or ADDRESSES[ANNA], "response": "none" if organizer else ""}
    return Item(Side.MAILBOX, Kind.EVENT, "e1", "t1", {**base, "when": when, **fields}, ME)


def context(me: str = ANNA, connected: str = ANNA, **more: Any) -> Context:
    homes = {user: ME if user == me else f"box-{user}" for user in connected.split()}
    policy = Policy(ME, me, homes, "", default_kinds(), CalendarPolicy(ROME), people=BOOK)
    events = event_translator(ROME).among(BOOK, me)
    return replace(Context(policy, {Kind.EVENT: events}, PlainDigests(), now=NOW), **more)


def linked(crm: Item, card: Item, here: Context, role: Role, *flags: str) -> Link:
    """A link that says that both sides held this."""
    link = Link(ME, Kind.EVENT, crm.id, card.id, Side.MAILBOX, role, flags=frozenset(flags))
    link = replace(link, ends=over_at((crm, card), None, here))
    sealed = replace(here.sealed(link), link=link_key(ME, crm.id))
    theirs, mine = (
        here.translators[Kind.EVENT].crm_values(crm.fields),
        here.translators[Kind.EVENT].mailbox_values(card.fields),
    )
    base = {p: sealed.seal(p, theirs.get(p, ""), mine.get(p, "")) for p in (*theirs, *mine, BEGUN)}
    return replace(link, base=base)


def plan(crm: Any, card: Any, here: Context, link: Link | None = None, because: Reason | None = None) -> Any:
    return plan_event(Pair(crm, card, link, because, Kind.EVENT), here)


# who brings a meeting into the CRM


def test_the_organizer_brings_it_in_with_its_people_and_their_answers() -> None:
    card = event(attendees=who(BRUNO, CARLA, STRANGER, x2="accepted", x3="tentative"))
    action = plan(None, card, context())
    assert isinstance(action, Create)
    assert action.role is Role.ORGANIZER
    people = {p: v for p, v in action.values.items() if p.startswith(("who", "says"))}
    assert people == {"who:19x2": "1", "says:19x2": "accepted", "who:19x3": "1", "says:19x3": "tentative"}
    assert mails_of(action, context()) == 0


def test_a_copy_waits_for_a_connected_organizer_or_for_whoever_keeps_it() -> None:
    card = event(attendees=who(BRUNO), organizer=ADDRESSES[ANNA])
    here = context(BRUNO, f"{ANNA} {BRUNO}")
    assert plan(None, card, here) == Wait(Side.MAILBOX, "e1", Reason.ORGANIZER_FIRST)


def test_who_keeps_a_meeting_brings_it_in_with_the_organizers_address() -> None:
    card = event(attendees=who(BRUNO, CARLA), organizer="boss@y.example", response="accepted")
    action = plan(None, card, context(BRUNO, BRUNO, kept={"e1"}))
    assert isinstance(action, Create)
    assert action.role is Role.KEEPER
    assert action.values[ORGANIZER] == "boss@y.example"
    assert {p: v for p, v in action.values.items() if p.startswith(("who", "says"))} == {
        "who:19x2": "1",
        "who:19x3": "1",
        "says:19x2": "accepted",
    }


def test_a_private_meeting_brings_nobody_in() -> None:
    action = plan(None, event(attendees=who(BRUNO), sensitivity="private"), context())
    assert isinstance(action, Create)
    assert not [p for p in action.values if p.startswith(("who", "says"))]


# a copy is read-only


def test_a_copy_never_writes_content_in_either_direction() -> None:
    here = context(BRUNO, f"{ANNA} {BRUNO}")
    crm, card = record(invitees=asked(BRUNO)), event(attendees=who(BRUNO), organizer=ADDRESSES[ANNA])
    link = linked(crm, card, here, Role.ATTENDEE)
    assert plan(crm, card, here, link) is None
    edited = plan(replace(crm, fields={**crm.fields, "subject": "Altro"}), card, here, link)
    assert isinstance(edited, Update)
    assert (edited.to_crm, edited.to_mailbox, edited.role) == ({}, {}, Role.ATTENDEE)
    moved = plan(crm, replace(card, fields={**card.fields, "when": LATER}), here, link)
    assert isinstance(moved, Update)
    assert (moved.to_crm, moved.to_mailbox) == ({}, {})
    assert Flag.COPY_EDITED in moved.flags


def test_a_keeper_brings_changes_in_and_says_what_it_cannot_write() -> None:
    here = context(BRUNO, BRUNO, kept={"e1"})
    crm, card = record(owner=BRUNO, invitees=asked(BRUNO)), event(attendees=who(BRUNO), organizer="boss@y.example")
    link = linked(crm, card, here, Role.KEEPER)
    moved = plan(crm, replace(card, fields={**card.fields, "when": LATER}), here, link)
    assert moved.to_crm == {"when~when": LATER}
    edited = plan(replace(crm, fields={**crm.fields, "subject": "Altro"}), card, here, link)
    assert edited.to_mailbox == {}
    assert Flag.ORGANIZER_ELSEWHERE in edited.flags


def test_a_record_of_the_previous_keeper_is_kept_all_the_same() -> None:
    here = context(BRUNO, f"{BRUNO} {CARLA}", kept={"e1"})
    crm, card = record(owner=CARLA, invitees=asked(BRUNO)), event(attendees=who(BRUNO), organizer="boss@y.example")
    link = linked(crm, card, here, Role.ATTENDEE)
    moved = plan(crm, replace(card, fields={**card.fields, "when": LATER}), here, link)
    assert (moved.to_crm, moved.role) == ({"when~when": LATER}, Role.KEEPER)


def test_the_organizer_leads_a_record_that_belongs_to_an_attendee() -> None:
    here = context(ANNA, f"{ANNA} {BRUNO}")
    crm, card = record(owner=BRUNO, invitees=asked(BRUNO)), event(attendees=who(BRUNO))
    joined = plan(crm, card, here, None, Reason.MATCHED)
    assert isinstance(joined, Update)
    assert joined.role is Role.ORGANIZER
    assert Flag.GUEST_COPY not in joined.flags
    link = linked(crm, card, here, Role.ORGANIZER)
    edited = plan(replace(crm, fields={**crm.fields, "when": LATER}), card, here, link)
    assert edited.to_mailbox == {"when~when": LATER}
    assert mails_of(edited, here) == 1


# its end


def test_the_end_of_a_copy_is_an_answer() -> None:
    here = context(BRUNO, f"{ANNA} {BRUNO}")
    crm, card = record(invitees=asked(BRUNO)), event(attendees=who(BRUNO), organizer=ADDRESSES[ANNA])
    link = linked(crm, card, here, Role.ATTENDEE)
    assert plan(crm, GONE, here, link) == Decline(crm, link)
    declined = replace(crm, fields={**crm.fields, "invitees": asked(BRUNO, x2="declined")})
    assert plan(declined, GONE, here, link) == Unlink(link, Reason.COPY_ENDED, tombstone=True)


@pytest.mark.parametrize(("shared", "expected"), [((), Delete), (("18x1",), Decline)])
def test_only_the_last_copy_of_a_meeting_without_organizer_takes_the_record_along(shared: Any, expected: type) -> None:
    here = context(BRUNO, BRUNO, shared=shared)
    crm, card = record(owner=BRUNO, invitees=asked(BRUNO)), event(attendees=who(BRUNO), organizer="boss@y.example")
    assert isinstance(plan(crm, GONE, here, linked(crm, card, here, Role.KEEPER)), expected)


def test_when_the_organizer_cancels_it_goes() -> None:
    crm = record(owner=BRUNO, invitees=asked(BRUNO))
    card = event(attendees=who(BRUNO), organizer="boss@y.example")
    cancelled = replace(card, fields={**card.fields, "cancelled": "1"})
    keeper = context(BRUNO, BRUNO, kept={"e1"})
    assert isinstance(plan(crm, cancelled, keeper, linked(crm, card, keeper, Role.KEEPER)), Delete)
    attendee = context(BRUNO, f"{ANNA} {BRUNO}")
    link = linked(crm, card, attendee, Role.ATTENDEE)
    # of an organizer whom nobody knows: who keeps it decides
    assert isinstance(plan(crm, cancelled, attendee, link), Wait)
    ours = replace(cancelled, fields={**cancelled.fields, "organizer_address": ADDRESSES[ANNA]})
    assert plan(crm, ours, attendee, link) == Unlink(link, Reason.COPY_ENDED, tombstone=True)
    shared = replace(keeper, shared={"18x1"})
    assert isinstance(plan(crm, cancelled, shared, linked(crm, card, keeper, Role.KEEPER)), Unlink)
    leader = context(ANNA, f"{ANNA} {BRUNO}")
    own = event(attendees=who(BRUNO))
    gone = plan(crm, GONE, leader, linked(crm, own, leader, Role.ORGANIZER))
    assert isinstance(gone, Delete)
    assert gone.side is Side.CRM


def test_a_copy_outlives_a_record_that_was_deleted_in_the_crm() -> None:
    here = context(BRUNO, BRUNO, kept={"e1"})
    crm, card = record(owner=BRUNO), event(attendees=who(BRUNO), organizer="boss@y.example")
    link = linked(crm, card, here, Role.KEEPER)
    assert plan(CRM_GONE, card, here, link) == Unlink(link, Reason.DELETE_LEFT, tombstone=True)


def test_a_deleted_record_cancels_the_organizers_meeting() -> None:
    here = context()
    crm, card = record(invitees=asked(BRUNO)), event(attendees=who(BRUNO, STRANGER))
    action = plan(CRM_GONE, card, here, linked(crm, card, here, Role.ORGANIZER))
    assert isinstance(action, Delete)
    assert mails_of(action, here) == 2


# invitations


def test_guests_travel_both_ways_person_by_person() -> None:
    here = context()
    crm, card = record(invitees=asked(BRUNO)), event(attendees=who(BRUNO, STRANGER))
    link = linked(crm, card, here, Role.ORGANIZER)
    both = plan(
        replace(crm, fields={**crm.fields, "invitees": asked(BRUNO, CARLA)}),
        replace(card, fields={**card.fields, "attendees": who(STRANGER)}),
        here,
        link,
    )
    assert both.to_mailbox == {"who:19x3": "1"}
    assert both.to_crm == {"who:19x2": ""}
    assert mails_of(both, here) == 1


def test_when_a_link_begins_nobody_is_invited_by_it() -> None:
    crm, card = record(invitees=asked(BRUNO)), event(attendees=who(CARLA))
    action = plan(crm, card, context(), None, Reason.MATCHED)
    assert action.to_mailbox == {}
    assert action.to_crm == {"who:19x3": "1"}
    assert {"who:19x2", BEGUN} <= action.agreed


def test_a_thing_without_a_mailbox_is_never_an_attendee() -> None:
    action = plan(record(invitees=asked(BRUNO, CAR)), None, context())
    assert isinstance(action, Create)
    assert [p for p in action.values if p.startswith("who")] == ["who:19x2"]


def test_an_event_that_had_begun_when_its_user_connected_goes_out_without_guests() -> None:
    begun = "2026-11-22T09:00Z/2026-11-25T10:00Z"
    action = plan(record(begun, invitees=asked(BRUNO)), None, context())
    assert isinstance(action, Create)
    assert mails_of(action, context()) == 0
    assert Flag.ATTENDEES_WITHHELD in action.flags


def test_the_list_of_a_withheld_meeting_is_an_admins_decision() -> None:
    here = context()
    crm, card = record(invitees=asked(BRUNO)), event()
    link = linked(crm, card, here, Role.ORGANIZER, Flag.ATTENDEES_WITHHELD)
    assert plan(crm, card, here, link) is None
    action = plan(replace(crm, fields={**crm.fields, "invitees": asked(BRUNO, CARLA)}), card, here, link)
    assert isinstance(action, Hold)
    assert isinstance(action.instead, Update)
    assert action.instead.to_mailbox == {"who:19x3": "1"}
    assert Flag.ATTENDEES_WITHHELD not in action.instead.dropped  # the other one stays withheld
    alone = plan(replace(crm, fields={**crm.fields, "invitees": asked(CARLA)}), card, here, link)
    assert isinstance(alone, Hold)
    assert isinstance(alone.instead, Update)
    assert Flag.ATTENDEES_WITHHELD in alone.instead.dropped


# answers


@pytest.mark.parametrize(
    ("crm_was", "crm_is", "mine_was", "mine_is", "to_crm", "to_mailbox"),
    [
        ("none", "none", "none", "accepted", "accepted", ""),
        ("none", "declined", "none", "none", "", "declined"),
        ("none", "accepted", "none", "declined", "declined", ""),  # both: the mailbox wins
        ("accepted", "none", "accepted", "accepted", "accepted", ""),  # none in the CRM is no answer
        ("accepted", "accepted", "accepted", "none", "none", ""),  # reset in Exchange
        ("none", "none", "none", "tentative", "", ""),  # has no place in vtenext
        ("none", "accepted", "tentative", "tentative", "", "accepted"),
    ],
)
def test_answers(crm_was: str, crm_is: str, mine_was: str, mine_is: str, to_crm: str, to_mailbox: str) -> None:
    here = context(BRUNO, f"{ANNA} {BRUNO}")
    crm, card = (
        record(invitees=asked(BRUNO, x2=crm_was)),
        event(attendees=who(BRUNO), organizer=ADDRESSES[ANNA], response=mine_was),
    )
    link = linked(crm, card, here, Role.ATTENDEE)
    crm = replace(crm, fields={**crm.fields, "invitees": asked(BRUNO, x2=crm_is)})
    action = plan(crm, replace(card, fields={**card.fields, "response": mine_is}), here, link)
    written = (action.to_crm, action.to_mailbox) if isinstance(action, Update) else ({}, {})
    assert written == ({"says:19x2": to_crm} if to_crm else {}, {"says:19x2": to_mailbox} if to_mailbox else {})


def test_no_answer_is_sent_when_it_is_over_or_while_importing() -> None:
    for when, here in ((PAST, context(BRUNO, BRUNO)), (COMING, context(BRUNO, BRUNO))):
        rules = here.policy.calendar if when == PAST else replace(here.policy.calendar, import_only=True)
        here = replace(here, policy=replace(here.policy, calendar=rules))
        crm = record(when, invitees=asked(BRUNO, x2="accepted"))
        action = plan(crm, event(when, attendees=who(BRUNO), organizer=ADDRESSES[ANNA]), here, None, Reason.MATCHED)
        assert isinstance(action, Update)
        assert action.to_mailbox == {}


def test_answers_of_whoever_is_not_connected_come_from_the_organizers_copy() -> None:
    here = context(ANNA, f"{ANNA} {CARLA}")
    crm, card = record(invitees=asked(BRUNO, CARLA)), event(attendees=who(BRUNO, CARLA))
    link = linked(crm, card, here, Role.ORGANIZER)
    answered = {**card.fields, "attendees": who(BRUNO, CARLA, x2="declined", x3="accepted")}
    assert plan(crm, replace(card, fields=answered), here, link).to_crm == {"says:19x2": "declined"}


def test_what_another_mailbox_leads_is_not_made_a_second_time() -> None:
    here = context(BRUNO, f"{ANNA} {BRUNO}", led_elsewhere={"18x1"})
    assert plan(record(owner=BRUNO), None, here) == Leave(Side.CRM, "18x1", Reason.MEETING)
