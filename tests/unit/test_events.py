"""`sync.events`: what calendars add to the common table. Data in, an action out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.calendar import BUSY, MASKED
from sync.event_names import crm_stamp, is_occurrence, record_uid, series_of
from sync.events import baseline_of, event_translator, over_at, plan_event, shown_fields
from sync.model import (
    Create,
    Delete,
    Flag,
    Gone,
    Item,
    Kind,
    Leave,
    Link,
    Pair,
    Proof,
    Reason,
    Side,
    Unlink,
    Update,
    Wait,
)
from sync.plan import Context, link_key
from sync.policy import CalendarPolicy, Policy, PrivateEvents, default_kinds
from tests.unit.plain import ME, MY_USER, OTHER, OTHER_USER, PlainDigests

ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
COMING, PAST = "2026-12-01T09:00Z/2026-12-01T10:00Z", "2026-11-02T09:00Z/2026-11-02T10:00Z"
LATER = "2026-12-01T11:00Z/2026-12-01T12:00Z"
EVENTS = event_translator(ROME)


def record(when: str = COMING, *, owner: str = MY_USER, **fields: str) -> Item:
    base = {"subject": "Riunione", "location": "", "description": "", "visibility": "Standard"}
    base |= {"taskpriority": "Medium", "reminder_time": "", "uid": "u", "slot": "0"}
    return Item(Side.CRM, Kind.EVENT, "18x1", "v1", {**base, "when": when, **fields}, owner)


def event(when: str = COMING, *, id_: str = "e1", **fields: str) -> Item:
    base = {"subject": "Riunione", "location": "", "body": "", "bodyType": "text", "sensitivity": "normal"}
    base |= {"importance": "normal", "reminder": "", "uid": "U", "slot": "0", "zone": "Europe/Rome"}
    series = id_.partition("|")[0] if "|" in id_ else ""
    return Item(Side.MAILBOX, Kind.EVENT, id_, "t1", {**base, "when": when, **fields}, ME, series=series)


def context(*, baseline: dict[str, str] | None = None, **rules: Any) -> Context:
    calendar = CalendarPolicy(ROME, **rules)
    policy = Policy(ME, MY_USER, {MY_USER: ME, OTHER_USER: OTHER}, "", default_kinds(), calendar)
    return Context(policy, {Kind.EVENT: EVENTS}, PlainDigests(), now=NOW, baseline=baseline or {})


def linked(crm: Item, card: Item, here: Context, *, origin: Side = Side.MAILBOX, flags: tuple[str, ...] = ()) -> Link:
    """A link that says that both sides held this."""
    ends = over_at((crm, card), None, here)
    link = Link(ME, Kind.EVENT, crm.id, card.id, origin, flags=frozenset(flags), ends=ends)
    sealed = replace(here.sealed(link), link=link_key(ME, crm.id))
    shown = EVENTS.mailbox_values(card.fields)
    base = {p: sealed.seal(p, value, shown[p]) for p, value in EVENTS.crm_values(crm.fields).items()}
    return replace(link, base=base)


def plan(crm: Any, card: Any, here: Context, link: Link | None = None, because: Reason | None = None) -> Any:
    return plan_event(Pair(crm, card, link, because, Kind.EVENT), here)


GONE = Gone("e1", Proof.NOT_FOUND)
CRM_GONE = Gone("18x1", Proof.NOT_FOUND)


# what has no link


def test_a_new_event_of_the_mailbox_is_made_in_the_crm_even_when_it_is_over() -> None:
    for when in (COMING, PAST):
        action = plan(None, event(when), context())
        assert isinstance(action, Create)
        assert action.side is Side.CRM


@pytest.mark.parametrize(
    ("card", "rules", "because"),
    [
        (event(cancelled="1"), {}, Reason.CANCELLED),
        (event(when=""), {}, Reason.NO_TIME),
        (event(PAST), {"since": date(2026, 11, 20)}, Reason.BEFORE_START),
        (event(sensitivity="private"), {"private": PrivateEvents.NONE}, Reason.PRIVATE),
        (event(sensitivity="confidential"), {"private": PrivateEvents.NONE}, Reason.PRIVATE),
    ],
)
def test_why_an_event_of_the_mailbox_is_left(card: Item, rules: dict[str, Any], because: Reason) -> None:
    assert plan(None, card, context(**rules)) == Leave(Side.MAILBOX, "e1", because)


def test_a_personal_event_is_not_a_private_one() -> None:
    action = plan(None, event(sensitivity="personal"), context(private=PrivateEvents.NONE))
    assert isinstance(action, Create)


def test_a_new_event_of_the_crm_is_made_in_the_mailbox() -> None:
    action = plan(record(), None, context())
    assert isinstance(action, Create)
    assert action.side is Side.MAILBOX


def test_what_is_over_is_not_exported() -> None:
    assert plan(record(PAST), None, context()) == Leave(Side.CRM, "18x1", Reason.ENDED)
    today = "2026-11-23/2026-11-23"
    assert isinstance(plan(record(today), None, context()), Create), "a whole day lasts until midnight in Rome"


def test_what_was_there_when_connected_is_exported_when_somebody_edits_it() -> None:
    before = {"18x1": baseline_of(record(), EVENTS, PlainDigests())}
    assert plan(record(), None, context(baseline=before)) == Leave(Side.CRM, "18x1", Reason.BASELINE)
    assert isinstance(plan(record(location="Milano"), None, context(baseline=before)), Create)
    assert isinstance(plan(record(LATER), None, context(baseline=before)), Create)


def test_a_baseline_of_another_normaliser_counts_as_unchanged() -> None:
    version, _, digest = baseline_of(record(), EVENTS, PlainDigests()).partition("\n")
    here = context(baseline={"18x1": f"{version}-old\n{digest}"})
    assert plan(record(location="Milano"), None, here) == Leave(Side.CRM, "18x1", Reason.BASELINE)


def test_during_the_first_import_nothing_is_exported_and_nothing_forgotten() -> None:
    assert plan(record(), None, context(import_only=True)) == Wait(Side.CRM, "18x1", Reason.FIRST_IMPORT)


def test_two_that_are_the_same_are_joined_without_a_write_to_the_mailbox_at_first() -> None:
    crm, card = record(location="Milano", description="uno"), event(subject="Altra")
    action = plan(crm, card, context(import_only=True), because=Reason.MATCHED)
    assert isinstance(action, Update)
    assert dict(action.to_mailbox) == {}
    assert dict(action.to_crm) == {"subject~subject": "Altra"}
    assert {"location~location", "description~body"} <= action.agreed, "else they were filled in later"


# what is linked


def test_edits_travel_both_ways() -> None:
    here = context()
    link = linked(record(), event(), here)
    from_crm = plan(record(location="Milano"), event(), here, link)
    from_mailbox = plan(record(), event(LATER), here, link)
    assert dict(from_crm.to_mailbox) == {"location~location": "Milano"}
    assert dict(from_mailbox.to_crm) == {"when~when": LATER}
    assert plan(record(), event(), here, link) is None


def test_the_same_field_goes_to_the_mailbox_s_value() -> None:
    here = context()
    link = linked(record(), event(), here)
    action = plan(record(location="Milano"), event(location="Torino"), here, link)
    assert dict(action.to_crm) == {"location~location": "Torino"}
    assert action.lost[0].value == "Milano"


def test_what_is_over_is_written_to_the_crm_only() -> None:
    here = context()
    link = linked(record(PAST), event(PAST), here)
    assert plan(record(PAST, location="Milano"), event(PAST), here, link) is None
    action = plan(record(PAST), event(PAST, location="Milano"), here, link)
    assert dict(action.to_crm) == {"location~location": "Milano"}
    assert isinstance(plan(CRM_GONE, event(PAST), here, link), Unlink), "a clean-up of the CRM empties no calendar"
    moved = plan(record(COMING), event(PAST), here, link)
    assert dict(moved.to_mailbox) == {"when~when": COMING}, "it is not over any more"


def test_the_past_of_a_series_is_frozen() -> None:
    here = context()
    card = event(PAST, id_="m|2026-11-02")
    link = linked(record(PAST), card, here)
    for crm, present in (
        (record(PAST, location="x"), card),
        (record(PAST), event(PAST, id_="m|2026-11-02", location="x")),
        (CRM_GONE, card),
        (record(PAST), Gone("m|2026-11-02", Proof.NOT_FOUND)),
    ):
        assert plan(crm, present, here, link) is None


def test_an_occurrence_of_the_past_that_turns_private_is_hidden_all_the_same() -> None:
    here = context()
    link = linked(record(PAST), event(PAST, id_="m|2026-11-02"), here)
    action = plan(record(PAST), event(PAST, id_="m|2026-11-02", sensitivity="private"), here, link)
    assert action.because is Reason.PRIVATE
    assert action.to_crm["subject~subject"] == BUSY
    assert "when~when" not in action.to_crm


def test_deletions_travel_both_ways_while_it_is_to_come() -> None:
    here = context()
    link = linked(record(), event(), here)
    assert plan(CRM_GONE, event(), here, link).side is Side.MAILBOX
    assert plan(record(), GONE, here, link).side is Side.CRM
    again = plan(record(location="Milano"), GONE, here, link)
    assert isinstance(again, Create), "an edit beats a deletion"


# what is private


def test_what_turns_private_is_scrubbed_and_leaves_no_trace() -> None:
    here = context()
    link = linked(record(location="Milano"), event(location="Milano"), here)
    crm = record(location="Milano", subject="Colloquio")
    action = plan(crm, event(location="Milano", sensitivity="private"), here, link)
    assert action.to_crm["subject~subject"] == BUSY
    assert action.to_crm["location~location"] == ""
    assert action.to_crm["visibility~sensitivity"] == "private"
    assert action.lost == (), "the journal keeps nothing of it"


def test_nobody_unmasks_or_fills_a_busy_block_from_the_crm_but_its_time_travels() -> None:
    here = context()
    card = event(sensitivity="private", subject="Medico")
    masked = replace(card, fields={**card.fields, MASKED: "1"})
    link = linked(record(subject=BUSY, visibility="Private"), masked, here)
    edited = record(LATER, subject="Che cosa?", visibility="Standard", description="boh")
    action = plan(edited, card, here, link)
    assert dict(action.to_mailbox) == {"when~when": LATER}
    assert dict(action.to_crm) == {}


def test_what_the_user_made_private_in_the_crm_stays_readable_there() -> None:
    here = context()
    card = event(sensitivity="private")
    crm = record(visibility="Private")
    link = linked(crm, card, here, origin=Side.CRM, flags=(Flag.CRM_PRIVATE,))
    assert plan(crm, card, here, link) is None
    action = plan(crm, event(sensitivity="confidential"), here, link)
    assert action.dropped == {Flag.CRM_PRIVATE}, "somebody decided in the mailbox"
    assert action.to_crm["subject~subject"] == BUSY


def test_what_is_made_again_stays_open_in_the_crm_unless_it_is_masked_now() -> None:
    here = context()
    crm = record(visibility="Private")
    link = linked(crm, event(sensitivity="private"), here, origin=Side.CRM, flags=(Flag.CRM_PRIVATE,))
    moved = plan(CRM_GONE, event(LATER, sensitivity="private"), here, link)
    assert (moved.flags, moved.values["subject~subject"]) == ({Flag.CRM_PRIVATE}, "Riunione")
    hidden = plan(CRM_GONE, event(LATER, sensitivity="confidential"), here, link)
    assert (hidden.flags, hidden.values["subject~subject"]) == (frozenset(), BUSY), "somebody decided in the mailbox"
    assert plan(crm, None, here).flags == {Flag.CRM_PRIVATE}, "before the call: a crash forgets the answer"
    assert plan(record(), None, here).flags == frozenset()


def test_full_shows_everything_and_none_takes_it_out_once_it_is_masked() -> None:
    card = event(sensitivity="private", location="Studio")
    everything = plan(None, card, context(private=PrivateEvents.FULL))
    assert everything.values["location~location"] == "Studio"
    here = context(private=PrivateEvents.NONE)
    link = linked(record(), event(), here)
    first = plan(record(), card, here, link)
    assert isinstance(first, Update), "first the text goes"
    masked = replace(card, fields={**card.fields, MASKED: "1"})
    block = record(subject=BUSY, visibility="Private")
    then = plan(block, card, here, linked(block, masked, here))
    assert isinstance(then, Delete), "then the block: the recycle bin holds nothing of it"
    assert (then.side, then.because, then.moved) == (Side.CRM, Reason.PRIVATE, True)


def test_our_copy_stays_where_it_holds_what_the_crm_has_not() -> None:
    here = context()
    card = event(body="<p>uno<img src='x'></p>", bodyType="html")
    crm = record(description="uno")
    link = linked(crm, card, here, origin=Side.CRM)
    given = replace(here, homes={"18x1"})
    action = plan(replace(crm, owner=OTHER_USER), card, given, link)
    assert isinstance(action, Unlink), "its picture is nowhere else"
    plain = linked(record(), event(), here, origin=Side.CRM)
    assert isinstance(plan(record(owner=OTHER_USER), event(), given, plain), Delete)


def test_the_journal_sees_a_masked_event_as_the_crm_does() -> None:
    card = event(sensitivity="private", subject="Medico", body="segreto")
    masked = replace(card, fields={**card.fields, MASKED: "1"})
    assert "Medico" not in str(shown_fields(masked))
    assert "segreto" not in str(shown_fields(masked))
    assert shown_fields(card)["subject"] == "Medico"


def test_the_journal_does_not_see_who_takes_part_in_a_masked_event() -> None:
    card = event(sensitivity="private", organizer="", organizer_address="dott.bianchi@clinica.example")
    card = replace(card, fields={**card.fields, "attendees": ("anna@x.example|required|none|Anna",), MASKED: "1"})
    shown = str(shown_fields(card))
    assert "anna" not in shown
    assert "bianchi" not in shown


def test_text_that_the_mailbox_s_body_cannot_take_is_said_once() -> None:
    here = context()
    card = event(body="<p>uno<img src='x'></p>", bodyType="html")
    link = linked(record(description="uno"), card, here)
    edited = record(description="due")
    action = plan(edited, card, here, link)
    assert (action.flags, dict(action.to_mailbox), dict(action.to_crm)) == ({Flag.BODY_KEPT}, {}, {})
    said = replace(link, flags=frozenset({Flag.BODY_KEPT}))
    assert plan(edited, card, here, said) is None
    assert plan(record(description="uno"), card, here, said).dropped == {Flag.BODY_KEPT}


# names


def test_what_an_event_is_called_in_the_crm() -> None:
    assert crm_stamp(event(uid="U", slot="7")) == "U|7"
    assert crm_stamp(event(uid="U", slot="")) == "U|0"
    long = "x" * 200
    assert len(record_uid(long)) == 64
    assert record_uid(long) != record_uid(long + "y")


def test_the_date_of_an_occurrence_is_taken_out_of_an_exchange_id() -> None:
    head = "040000008200E00074C5B7101A82E008"
    assert record_uid(f"{head}07EA0C01ABCDEF") == f"{head}00000000ABCDEF" == record_uid(f"{head}00000000ABCDEF")
    assert record_uid("07EA0C01" * 6) == "07EA0C01" * 6, "only where the head says that it is one"


def test_occurrences_and_their_series() -> None:
    assert is_occurrence("m|2026-12-01")
    assert not is_occurrence("m")
    assert series_of("m|2026-12-01") == series_of("m") == "m"
