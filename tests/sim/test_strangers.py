"""Who takes part in a meeting and is no user of ours (SPEC 2.5): contacts of the CRM, and strangers."""

from __future__ import annotations

import pytest

from sync.model import Family, Flag, Kind
from sync.sides.memory import Record
from sync.store.ledger import MailboxLedger
from tests.sim.mapping_for_tests import translators
from tests.sim.test_meetings import LATER, WHEN, box, mails, office, records
from tests.sim.world import Accident, World

ELENA, BRUNO = "elena@cust.example", "bruno@cust.example"


def contact(world: World, address: str, name: str = "Elena") -> Record:
    """A contact of the CRM whom vtenext would find by this address."""
    record = world.crm.add(Kind.CONTACT, "19x1", {"lastname": name, "email": address})
    world.crm.people[record.id] = address
    return record


def events(world: World) -> list[Record]:
    return [record for record in records(world) if record.kind is Kind.EVENT]


def contacts(world: World) -> list[Record]:
    return [record for record in records(world) if record.kind is Kind.CONTACT]


async def flags_of(world: World, mailbox: str) -> frozenset[str]:
    ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.CALENDAR)
    (link,) = [link async for link in ledger.links()]
    return link.flags


async def test_a_contact_who_takes_part_is_shown_and_not_invited_by_the_crm() -> None:
    world = await office()
    elena = contact(world, ELENA)
    world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), ELENA, "x@z.example"])
    assert await world.settle(4) == 0
    (event,) = events(world)
    assert (event.fields["contact_id"], sorted(event.invitees)) == (elena.id, ["19x2"])
    assert world.crm.mails == []
    assert len(contacts(world)) == 1


async def test_whom_the_crm_shows_is_changed_only_when_that_one_takes_part_no_more() -> None:
    world = await office()
    elena, bruno = contact(world, ELENA), contact(world, BRUNO, "Bruno")
    calendar = world.calendars["mailbox-1"]
    meeting = calendar.add({"subject": "m", "when": WHEN}, guests=[ELENA])
    await world.settle(3)
    (event,) = events(world)
    calendar.invite(meeting.id, BRUNO)
    assert await world.settle(3) == 0
    assert event.fields["contact_id"] == elena.id
    calendar.uninvite(meeting.id, ELENA)
    assert await world.settle(3) == 0
    assert event.fields["contact_id"] == bruno.id
    world.crm.edit(event.id, contact_id="4x999")  # somebody of whom the meeting knows nothing
    await world.settle(3)
    calendar.uninvite(meeting.id, BRUNO)
    assert await world.settle(3) == 0
    assert event.fields["contact_id"] == "4x999"
    world.crm.edit(event.id, contact_id="")
    calendar.edit(meeting.id, location="Milano")
    assert await world.settle(3) == 0
    assert event.fields["contact_id"] == ""


async def test_an_address_of_two_contacts_says_nothing() -> None:
    world = await office()
    contact(world, ELENA)
    contact(world, ELENA, "Elena's colleague")
    world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[ELENA])
    assert await world.settle(3) == 0
    assert events(world)[0].fields["contact_id"] == ""


async def test_a_private_meeting_hides_its_contact() -> None:
    world = await office()
    contact(world, ELENA)
    meeting = world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), ELENA])
    await world.settle(3)
    world.calendars["mailbox-1"].edit(meeting.id, sensitivity="private")
    assert await world.settle(3) == 0
    (event,) = events(world)
    assert (event.fields["contact_id"], event.invitees) == ("", {})


async def test_the_setting_makes_contacts_invitees_both_ways() -> None:
    world = await office()
    elena, bruno = contact(world, ELENA), contact(world, BRUNO, "Bruno")
    world.crm_contact_invitees = True
    meeting = world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), ELENA])
    assert await world.settle(4) == 0
    (event,) = events(world)
    assert event.invitees == {"19x2": "none", elena.id: "none"}
    meeting.guests[ELENA].response = "accepted"
    world.calendars["mailbox-1"].note(meeting)
    await world.settle(3)
    assert event.invitees == {"19x2": "none", elena.id: "accepted"}
    world.crm.invite(event.id, **event.invitees, **{bruno.id: "none"})
    assert await world.settle(4) == 0
    assert sorted(meeting.guests) == sorted([box(2), ELENA, BRUNO])
    world.crm.edit(event.id, when=LATER)
    assert await world.settle(4) == 0
    assert meeting.fields["when"] == LATER


async def test_switching_the_setting_on_invites_nobody_who_was_listed_before() -> None:
    world = await office()
    elena = contact(world, ELENA)
    event = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": WHEN})
    world.crm.invite(event.id, **{"19x2": "none", elena.id: "none"})
    await world.settle(4)
    assert mails(world) == 1
    world.crm_contact_invitees = True
    world.full = set(world.mailboxes)
    assert await world.settle(4) == 0
    assert mails(world) == 1
    assert sorted(event.invitees) == sorted(["19x2", elena.id])


async def test_a_list_that_vtenext_would_not_understand_is_left_alone_and_flagged() -> None:
    world = await office()
    world.crm.doubtful = {box(3)}
    calendar = world.calendars["mailbox-1"]
    meeting = calendar.add({"subject": "m", "when": WHEN}, guests=[box(2)])
    await world.settle(4)
    calendar.invite(meeting.id, box(3))
    assert await world.settle(4) == 0
    (event,) = events(world)
    assert list(event.invitees) == ["19x2"]
    assert sorted(meeting.guests) == [box(2), box(3)]
    assert Flag.INVITEES_LEFT.value in await flags_of(world, "mailbox-1")
    world.crm.doubtful = set()
    calendar.uninvite(meeting.id, box(3))
    await world.settle(3)
    calendar.invite(meeting.id, box(3))
    assert await world.settle(4) == 0
    assert sorted(event.invitees) == ["19x2", "19x3"]
    assert Flag.INVITEES_LEFT.value not in await flags_of(world, "mailbox-1")


async def test_a_new_event_with_such_a_list_is_flagged_too() -> None:
    world = await office()
    world.crm.doubtful = {box(3)}
    world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), box(3)])
    assert await world.settle(4) == 0
    assert events(world)[0].invitees == {}
    assert Flag.INVITEES_LEFT.value in await flags_of(world, "mailbox-1")


# strangers


@pytest.mark.parametrize("wanted", [False, True])
async def test_strangers_become_contacts_when_an_admin_says_so(wanted: bool) -> None:
    world = await office()
    world.translators, world.create_strangers = translators(), wanted
    world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), ELENA])
    await world.settle(4)
    assert [c.fields["email"] for c in contacts(world)] == ([ELENA] if wanted else [])
    if not wanted:
        return
    (made,) = contacts(world)
    assert (made.owner, events(world)[0].fields["contact_id"]) == ("19x1", made.id)
    world.crm.delete(made.id)
    world.crm.edit(events(world)[0].id, location="altrove")
    await world.settle(4)
    assert contacts(world) == []  # whoever deleted it meant it


async def test_a_stranger_of_many_meetings_becomes_one_contact_wherever_it_stops() -> None:
    for number in range(1, 60, 2):
        world = await office()
        world.translators, world.create_strangers = translators(), True
        for user in (1, 2, 3):
            world.calendars[f"mailbox-{user}"].add({"subject": f"m{user}", "when": WHEN}, guests=[ELENA])
        for what in ("crash-after", "lose"):
            await world.attempt(Accident(number, what))
        assert await world.settle(8) == 0
        assert [c.fields["email"] for c in contacts(world)] == [ELENA], number
        assert len({event.fields["contact_id"] for event in events(world)}) == 1, number


async def test_what_is_private_or_over_makes_no_contacts() -> None:
    world = await office()
    world.translators, world.create_strangers = translators(), True
    calendar = world.calendars["mailbox-1"]
    calendar.add({"subject": "m", "when": WHEN, "sensitivity": "private"}, guests=[ELENA])
    calendar.add({"subject": "n", "when": "2026-11-02T09:00Z/2026-11-02T10:00Z"}, guests=[BRUNO])
    await world.settle(4)
    assert contacts(world) == []
