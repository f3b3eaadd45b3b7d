"""Five users who share two hundred meetings are connected, over the emulators: nobody gets a mail, nothing is there twice (issue 4).

Mails are counted in both outboxes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from sync.model import Family, Kind, Role
from sync.run import Limits
from sync.sides.memory import Event
from sync.store.ledger import MailboxLedger
from sync.worker import Worker
from tests.sim.meeting_story import (
    CUSTOMER,
)
from tests.sim.world import Accident
from tests.whole.meeting_five import FIVE, WHEN, box, desk, mails, records, shown, user
from tests.whole.meeting_world import MeetingWholeWorld

MEETINGS = 200
CLIENT = "cliente@z.example"


class AtOnce(MeetingWholeWorld):
    """All mailboxes run at the same time."""

    async def runs(self, worker: Worker) -> None:
        await asyncio.gather(*(self.run_out(worker, mailbox) for mailbox in self.mailboxes))


def share(world: MeetingWholeWorld, meetings: int = MEETINGS) -> None:
    """Meetings of five people, some with a customer; every other one is in the CRM too, as the predecessor's import left it: with the
    iCalUId as its ical_uuid, some with the customer as their contact or invitee."""
    dice = random.Random(4)
    for number in range(meetings):
        organizer = dice.randrange(1, 6)
        guests = [box(n) for n in dice.sample([n for n in range(1, 6) if n != organizer], dice.randrange(1, 5))]
        day, hour = f"2026-12-{1 + number % 28:02d}", 8 + number // 28
        fields = {"subject": f"m{number}", "when": f"{day}T{hour:02d}:00Z/{day}T{hour:02d}:30Z"}
        event = desk(world, organizer).add(fields, guests=[*guests, *([CLIENT] if number % 3 == 0 else [])])
        if number % 2 == 0:
            (crm_id,) = world.vtenext.backdoor.add_records("Events", [_left_behind(world, organizer, event, number)])
            world.crm.invite(crm_id, **({CUSTOMER: "none"} if number % 8 == 0 else {}))


def _left_behind(world: MeetingWholeWorld, organizer: int, event: Event, number: int) -> dict[str, str]:
    start, end = (part.removesuffix("Z").split("T") for part in event.fields["when"].split("/"))
    hours = [f"{int(clock[:2]) + 1:02d}{clock[2:]}" for _, clock in (start, end)]  # Rome, in winter
    times = {"date_start": start[0], "time_start": hours[0], "due_date": end[0], "time_end": hours[1]}
    kind = {"activitytype": "Meeting", "eventstatus": "Planned", "duration_hours": "0"}
    contact = {"contact_id": CUSTOMER} if number % 4 == 0 else {}
    who = {"subject": event.fields["subject"], "assigned_user_id": list(FIVE)[organizer - 1], "ical_uuid": event.uid}
    return {**who, **times, **kind, **contact}


def as_in_production(world: MeetingWholeWorld) -> None:
    world.limits = Limits(chunk=200, batch=20, workers=2)


async def check_connected(world: MeetingWholeWorld, before: int, meetings: int) -> None:
    assert await world.settle(2) == 0, "a second run writes nothing"
    assert mails(world) == before, "nobody got a mail, neither from Exchange nor from vtenext"
    live = records(world)
    assert len(live) == meetings
    assert (
        len({record.fields["subject"] for record in live}) == len({record.fields["uid"] for record in live}) == meetings
    )
    assert world.office.violations == []
    for mailbox, calendar in world.calendars.items():
        ledger = MailboxLedger(world.rows, mailbox, 0, "", Family.CALENDAR)
        linked = {link.item_id: link.role async for link in ledger.links()}
        assert linked.keys() == {event.id for event in calendar.events.values()}
        own = {i for i, role in linked.items() if role is Role.ORGANIZER}
        assert own == {event.id for event in calendar.events.values() if not event.organizer}
        assert calendar.writes == 0, "nothing was written to Exchange"


@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5), (5, 3, 1, 4, 2), (4, 5, 2, 3, 1)], ids=str)
async def test_five_users_who_share_meetings_connect_one_after_the_other(order: Sequence[int]) -> None:
    world = MeetingWholeWorld(users=FIVE)
    as_in_production(world)
    share(world)
    before = mails(world)
    for number in order:
        world.users = {**(world.users if number != order[0] else {}), user(number): f"mailbox-{number}"}
        await world.connect()
        await world.settle(2)
    await check_connected(world, before, MEETINGS)


async def test_five_users_who_share_meetings_connect_all_at_once() -> None:
    world = AtOnce(users=FIVE)
    as_in_production(world)
    share(world)
    before = mails(world)
    await world.connect()
    await world.settle(3)
    await check_connected(world, before, MEETINGS)


@pytest.mark.parametrize("kind", [MeetingWholeWorld, AtOnce])
async def test_five_users_connect_while_their_workers_are_killed(kind: type[MeetingWholeWorld]) -> None:
    """Twelve kills, now before a request or a row of the store and now after it. Three in a row stop a mailbox, so an admin restores it."""
    chance = random.Random(8)
    world = kind(users=FIVE)
    world.limits = Limits(chunk=25, batch=5, workers=2)
    share(world)
    before = mails(world)
    await world.connect()
    killed = 0
    while killed < 12:
        accident = Accident(chance.randrange(30, 400), chance.choice(["crash-before", "crash-after"]))
        killed += (await world.attempt(accident)).dead
        await world.restore()
    await world.settle(4)
    await check_connected(world, before, MEETINGS)


async def test_a_record_without_a_common_id_is_recognised_by_what_it_says() -> None:
    """Somebody, or the product that we replace, put the meeting into the CRM too: same owner, time and title are the same meeting."""
    world = MeetingWholeWorld(users=FIVE)
    world.crm.add(Kind.EVENT, user(1), {"subject": "m", "when": WHEN})
    desk(world, 1).add({"subject": "m", "when": WHEN}, guests=[box(2)])
    before = mails(world)
    await world.connect()
    assert await world.settle(4) == 0
    (record,) = records(world)
    assert (record.fields["subject"], sorted(record.invitees)) == ("m", [user(2)])
    assert (mails(world), len(shown(world, 1)), len(shown(world, 2))) == (before, 1, 1)
