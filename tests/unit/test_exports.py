"""`sync.exports`: which events an order to export them would bring out, and which not. Data in, counts out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mapping.attendees import Answer, Invitee, invitees_value
from mapping.people import AddressBook
from sync.events import baseline_of
from sync.exports import Exports, exports_of
from sync.model import Create, Flag, Item, Kind, Reason
from sync.plan import Context
from sync.policy import Group
from tests.unit.plain import ME, MY_USER, OTHER_USER
from tests.unit.test_events import COMING, EVENTS, PAST, context, plan, record

ADDRESSES = {MY_USER: "me@x.example", OTHER_USER: "other@x.example"}
BOOK = AddressBook(ADDRESSES, ADDRESSES)
INVITED = invitees_value([Invitee(OTHER_USER, Answer.NONE)])


def of_before(*records: Item, here: Context | None = None) -> Context:
    """The context of a mailbox that was connected when the CRM held just these."""
    here = here or context()
    here = replace(
        here, policy=replace(here.policy, people=BOOK), translators={Kind.EVENT: EVENTS.among(BOOK, MY_USER)}
    )
    translator = here.translators[Kind.EVENT]
    return replace(here, baseline={each.id: baseline_of(each, translator, here.digests) for each in records})


def test_an_ordered_event_goes_out_and_its_guests_are_withheld() -> None:
    crm = record(invitees=INVITED)
    here = of_before(crm)
    assert plan(crm, None, here).because is Reason.BASELINE
    action = plan(crm, None, replace(here, ordered={crm.id}))
    assert isinstance(action, Create)
    assert Flag.ATTENDEES_WITHHELD in action.flags
    assert not [pair for pair in action.values if pair.startswith("who:")]
    assert exports_of([crm], here) == Exports((crm.id,), single=1, meetings=1, mails=0, withheld=1)


def test_an_event_of_after_the_connection_still_invites() -> None:
    action = plan(record(invitees=INVITED), None, of_before())
    assert [pair for pair in action.values if pair.startswith("who:")] == [f"who:{OTHER_USER}"]
    assert Flag.ATTENDEES_WITHHELD not in action.flags


@pytest.mark.parametrize(
    ("crm", "because"), [(record(PAST), Reason.ENDED), (record(""), Reason.NO_TIME), (record(), Reason.TOMBSTONE)]
)
def test_what_stays_out_is_counted_by_its_reason(crm: Item, because: Reason) -> None:
    here = of_before(crm)
    if because is Reason.TOMBSTONE:
        here = replace(here, tombstones={crm.id: Reason.DELETE_LEFT})
    assert exports_of([crm], here) == Exports(left={because: 1})


def test_of_a_switched_off_direction_and_of_another_mailboxes_meeting_nothing_goes_out() -> None:
    crm = record()
    here = of_before(crm)
    kinds = {**here.policy.kinds, Kind.EVENT: replace(here.policy.kinds[Kind.EVENT], to_mailbox=False)}
    off = replace(here, policy=replace(here.policy, kinds=kinds))
    assert exports_of([crm], off) == Exports(left={Reason.DIRECTION_OFF: 1})
    assert exports_of([crm], replace(here, led_elsewhere={crm.id})) == Exports(left={Reason.MEETING: 1})


def test_what_goes_out_anyhow_is_ordered_already_or_is_somebody_elses_is_of_no_account() -> None:
    crm = record()
    here = of_before(crm)
    assert exports_of([record(location="Milano")], here) == Exports()  # edited since
    assert exports_of([crm], replace(here, ordered={crm.id})) == Exports()
    assert exports_of([record(owner=OTHER_USER)], here) == Exports()


def test_an_event_of_a_group_is_its_organizers() -> None:
    crm = replace(record(owner="22x3"), modified="2026-01-01T00:00:00+00:00")
    here = context()
    for organizer, items in ((MY_USER, (crm.id,)), (OTHER_USER, ())):
        groups = {"22x3": Group(organizer, (), "2026-06-01T00:00:00+00:00")}
        mine = replace(here, policy=replace(here.policy, groups=groups))
        assert exports_of([crm], mine).items == items


def test_records_whose_dates_fit_a_rule_are_counted_as_a_series() -> None:
    days = (1, 8, 15)
    weeks = [f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z" for day in days]
    records = [replace(record(when, uid="s", slot=str(number)), id=f"18x{number}") for number, when in enumerate(weeks)]
    alone = [replace(record(COMING, uid=f"u{number}"), id=f"18x{10 + number}") for number in range(2)]
    seen = exports_of([*records, *alone], of_before(*records, *alone))
    assert (len(seen.items), seen.single, seen.series) == (5, 2, 1)
    assert ME in of_before().policy.homes.values()
