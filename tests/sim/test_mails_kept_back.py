"""Mails that must not leave, questions that must not stop what they are not about, what must not be promised twice: found by hostile testing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.model import Family, Flag, Kind, Reason
from sync.policy import Group, MailLimits
from sync.sides.memory import Record
from sync.store.asking import HoldRow
from sync.store.ledger import MailboxLedger
from tests.sim.test_meetings import CAR, LATER, WHEN, box, mails, office, records, shown
from tests.sim.world import World


def meeting(world: World, owner: str, subject: str = "m", when: str = WHEN) -> Record:
    record = world.crm.add(Kind.EVENT, owner, {"subject": subject, "when": when})
    world.crm.invite(record.id, **{"19x2": "none"})
    return record


async def reconnect(world: World, user: str, mailbox: str) -> None:
    """What the command does when an admin enables a user again."""
    world.users = {user: mailbox, **world.users}
    at = world.time.isoformat(timespec="seconds")
    await world.registry.change_mailbox(mailbox, enabled=True, full=True, dirty=True, connected_at=at)


# connected again


async def test_what_was_made_in_the_crm_while_its_user_was_not_connected_is_not_sent_to_everybody() -> None:
    world = await office(2)
    before = meeting(world, "19x1", "prima")
    await world.settle(3)
    world.users = {"19x2": "mailbox-2"}
    await world.registry.change_mailbox("mailbox-1", enabled=False)
    await world.settle(1)
    between = meeting(world, "19x1", "intanto")
    world.crm.edit(before.id, location="Milano")
    world.time += timedelta(days=2)
    await reconnect(world, "19x1", "mailbox-1")
    assert await world.settle(3) == 0
    assert {event.fields["subject"]: event.fields["location"] for event in shown(world, 1)} == {"prima": "Milano"}
    assert mails(world) == 2  # the invitation, and the edit of a meeting that was there
    world.crm.edit(between.id, location="Roma")  # what is edited since then goes out
    meeting(world, "19x1", "poi")
    await world.settle(3)
    assert sorted(event.fields["subject"] for event in shown(world, 1)) == ["intanto", "poi", "prima"]


async def test_a_group_that_gets_an_organizer_does_not_send_out_what_it_had() -> None:
    world = await office(3)
    old = [world.crm.add(Kind.EVENT, world.group, {"subject": "vecchio", "when": WHEN}) for _ in range(3)]
    world.crm.add_series(world.group, {"subject": "serie"}, [WHEN, LATER, WHEN.replace("12-01", "12-03")])
    await world.settle(2)
    world.time += timedelta(days=1)
    world.groups = {world.group: Group("19x1", ("19x1", "19x2"), world.time.isoformat(timespec="seconds"))}
    world.full = set(world.users.values())
    assert await world.settle(5) == 0
    assert mails(world) == 0
    world.crm.edit(old[0].id, location="Milano")
    new = world.crm.add(Kind.EVENT, world.group, {"subject": "nuovo", "when": WHEN})
    await world.settle(4)
    assert sorted(event.fields["subject"] for event in shown(world, 2)) == ["nuovo", "vecchio"]
    assert (old[0].owner, old[1].owner, new.owner) == ("19x1", world.group, "19x1")


# limits


async def test_the_limit_of_a_run_holds_for_all_its_slices() -> None:
    world = await office(2)
    world.limits = replace(world.limits, slice=timedelta(0), chunk=30)
    for number in range(40):
        meeting(world, "19x1", f"m{number}")
    await world.settle(1)
    assert (mails(world), len(await world.registry.holds())) == (20, 20)


async def test_the_limit_of_a_day_counts_all_of_the_hour_with_which_it_began() -> None:
    world = await office(2)
    world.mails = MailLimits(20, 200, 1)
    world.time = world.time.replace(hour=10, minute=40)
    meeting(world, "19x1", "ieri")
    await world.settle(1)
    world.time += timedelta(hours=23)
    meeting(world, "19x1", "oggi")
    await world.settle(2)
    assert mails(world) == 1
    (hold,) = await world.registry.holds()
    assert hold.because is Reason.MAIL_LIMIT


# questions


async def withheld() -> tuple[World, Record, HoldRow]:
    """An event that had begun when its user connected, and whose list was edited in the CRM."""
    world = await office(0)
    record = meeting(world, "19x1", "m", "2026-11-23T07:00Z/2026-11-25T10:00Z")
    world.users = {"19x1": "mailbox-1", "19x2": "mailbox-2"}
    await world.connect()
    await world.settle(2)
    world.crm.edit(record.id, location="Milano")
    await world.settle(2)
    world.crm.invite(record.id, **{"19x2": "none", "19x3": "none"})
    await world.settle(2)
    (hold,) = await world.registry.holds()
    assert hold.because is Reason.WITHHELD
    return world, record, hold


@pytest.mark.parametrize("answer", ["open", "rejected"])
async def test_a_question_about_a_list_stops_nothing_else(answer: str) -> None:
    world, record, hold = await withheld()
    (event,) = shown(world, 1)
    await world.registry.put_hold(replace(hold, state=answer))
    await world.settle(2)
    world.calendars["mailbox-1"].edit(event.id, subject="altro")
    world.crm.edit(record.id, location="Roma")
    assert await world.settle(4) == 0
    assert (record.fields["subject"], event.fields["location"], mails(world)) == ("altro", "Roma", 0)
    assert [each.id for each in await world.registry.holds()] == ([hold.id] if answer == "open" else [])
    world.time += timedelta(hours=25)
    await world.settle(2)
    assert len(await world.registry.holds()) == (1 if answer == "open" else 0)


async def test_a_question_about_a_list_that_is_approved_later_invites() -> None:
    world, record, hold = await withheld()
    world.crm.edit(record.id, location="Roma")
    await world.settle(3)
    (hold,) = await world.registry.holds()
    await world.registry.put_hold(replace(hold, state="approved", until="2027-01-01"))
    assert await world.settle(3) == 0
    assert [mail.to for mail in world.office.mails if mail.by == "engine"] == [box(3)]


# answers, lists, things


@pytest.mark.parametrize("where", ["crm", "mailbox"])
async def test_nobody_declines_the_new_time_because_the_old_one_was_declined(where: str) -> None:
    world = await office(2)
    event = world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2)])
    await world.settle(3)
    (record,) = records(world)
    if where == "crm":
        world.crm.answer(record.id, "19x2", "declined")
    else:
        world.calendars["mailbox-2"].respond(shown(world, 2)[0].id, "declined")
    await world.settle(4)
    assert (record.invitees, shown(world, 2)) == ({"19x2": "declined"}, [])
    world.calendars["mailbox-1"].edit(event.id, when=LATER)  # Exchange asks again, and brings the copy back
    assert await world.settle(4) == 0
    assert (record.invitees, len(shown(world, 2))) == ({"19x2": "none"}, 1)
    world.crm.answer(record.id, "19x2", "declined")
    await world.settle(4)
    assert (event.guests[box(2)].response, shown(world, 2)) == ("declined", [])


async def test_members_whom_the_crm_cannot_list_alone_are_flagged() -> None:
    world = await office(3)
    world.groups = {world.group: Group("19x1", ("19x1", "19x2", "19x3"))}
    world.crm.doubtful = {box(3)}
    world.crm.add(Kind.EVENT, world.group, {"subject": "m", "when": WHEN})
    assert await world.settle(3) == 0
    links = MailboxLedger(world.rows, "mailbox-1", 0, "", Family.CALENDAR)
    assert [sorted(link.flags) async for link in links.links()] == [[Flag.INVITEES_LEFT]]


async def test_a_car_is_not_promised_again_because_the_first_event_cannot_be_read() -> None:
    world = await office(2)
    world.things = {CAR: "Auto"}
    first = world.crm.add(Kind.EVENT, "19x1", {"subject": "primo", "when": WHEN})
    world.crm.invite(first.id, **{CAR: "none"})
    await world.settle(3)
    del world.crm.records[first.id]  # what the CRM answers to that is no proof of a deletion
    second = world.crm.add(Kind.EVENT, "19x2", {"subject": "secondo", "when": WHEN})
    world.crm.invite(second.id, **{CAR: "none"})
    await world.settle(3)
    assert second.invitees == {CAR: "declined"}


async def test_an_approval_invites_whom_it_shows_and_the_others_stay_withheld() -> None:
    world = await office()
    begun = "2026-11-22T08:00Z/2026-11-28T08:30Z"
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": begun})
    world.crm.invite(record.id, **{"19x2": "none"})
    await world.settle(3)
    world.crm.invite(record.id, **{"19x2": "none", "19x3": "none"})
    await world.settle(3)
    (hold,) = await world.registry.holds()
    await world.registry.put_hold(replace(hold, state="approved", until="2027-01-01"))
    await world.settle(3)
    (event,) = shown(world, 1)
    assert (list(event.guests), mails(world)) == ([box(3)], 1)
    world.crm.invite(record.id, **{"19x2": "none", "19x3": "none", "19x4": "none"})
    await world.settle(3)
    assert (list(event.guests), mails(world)) == ([box(3)], 1)  # asked again
    assert [each.because for each in await world.registry.holds()] == [Reason.WITHHELD]
