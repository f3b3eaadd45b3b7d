"""What issue 4 asks to be shown about meetings, through the real adapters over the emulators. Mails are counted in both outboxes."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from sync.model import Family, Flag, Kind, Reason, Role
from sync.policy import Group, MailLimits
from sync.store.asking import HoldRow
from sync.store.ledger import MailboxLedger
from tests.sim.meeting_story import (
    CAR,
    CAR_TAG,
    CUSTOMER,
    OUTSIDE,
    ROOM,
    ROOM_BOX,
    MeetingStory,
)
from tests.sim.world import address_of
from tests.whole.meeting_five import LATER, WHEN, box, desk, engines, five, mails, records, roles, shown, user
from tests.whole.meeting_world import MeetingWholeWorld

# Who declines, who cancels ------------------------------------------------------------------------------------------------

WEEKLY = "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO;COUNT=6"


@pytest.mark.parametrize("rule", ["", WEEKLY], ids=["single", "series"])
@pytest.mark.parametrize("goes", ["declines", "deletes"])
async def test_whoever_does_not_come_leaves_the_meeting_standing_and_who_cancels_takes_it_away(
    goes: str, rule: str
) -> None:
    world = await five()
    event = desk(world, 1).add({"subject": "m", "when": WHEN}, rule=rule, guests=[box(2), box(3)])
    await world.settle(3)
    count = 6 if rule else 1
    (copy,) = shown(world, 2)
    if goes == "declines":
        desk(world, 2).respond(copy.id, "declined")
    else:
        desk(world, 2).delete(copy.id)
    assert await world.settle(4) == 0
    assert len(records(world)) == count
    assert all(record.invitees == {user(2): "declined", user(3): "none"} for record in records(world))
    assert [len(shown(world, n)) for n in (1, 2, 3)] == [1, 0, 1]
    desk(world, 1).delete(event.id)
    assert await world.settle(5) == 0
    assert records(world) == []
    assert engines(world) == 0


async def test_one_occurrence_is_declined_by_one_and_another_cancelled_by_the_organizer() -> None:
    world = await five()
    event = desk(world, 1).add({"subject": "m", "when": WHEN}, rule=WEEKLY, guests=[box(2), box(3)])
    await world.settle(3)
    (copy,) = shown(world, 2)
    desk(world, 2).respond(copy.id, "declined", slot="2026-12-08")
    desk(world, 1).cancel(event.id, "2026-12-15")
    assert await world.settle(5) == 0
    said = {record.fields["when"][:10]: record.invitees[user(2)] for record in records(world)}
    rest = dict.fromkeys(("2026-12-01", "2026-12-22", "2026-12-29", "2027-01-05"), "none")
    assert said == {**rest, "2026-12-08": "declined"}


@pytest.mark.parametrize("rule", ["", WEEKLY], ids=["single", "series"])
async def test_a_meeting_whose_organizer_is_not_connected_goes_with_its_last_copy(rule: str) -> None:
    world = await five()
    boss = world.office.calendars[OUTSIDE]
    event = boss.add({"subject": "m", "when": WHEN}, rule=rule, guests=[box(1), box(2)])
    await world.settle(4)
    count = 6 if rule else 1
    assert len(records(world)) == count
    assert await roles(world, records(world)[0].id) == [Role.ATTENDEE, Role.KEEPER]
    boss.uninvite(event.id, box(1))  # looks like a cancellation to whoever is uninvited
    assert await world.settle(6) == 0
    assert (len(records(world)), len(shown(world, 2))) == (count, 1)
    boss.delete(event.id)
    assert await world.settle(6) == 0
    assert records(world) == []
    assert engines(world) == 0


# No more mails than were announced -------------------------------------------------------------------------------------


NARROW, NONE = MailLimits(2, 3, 6), MailLimits(0, 0, 0)


@dataclass
class Tally:
    """What the engine was charged and what it sent, tick by tick."""

    world: MeetingWholeWorld
    charged: dict[tuple[str, str], int] = field(default_factory=dict)

    async def tick(self) -> None:
        """One run of everybody: within the limits, and charged before it was sent."""
        before = self._sent()
        await self.world.attempt()
        for sender, number in (self._sent() - before).items():
            assert number <= self.world.mails.mails, f"a run of {sender} sent {number}"
        for mailbox in self.world.calendars:
            hours = await MailboxLedger(self.world.rows, mailbox, 0, "", Family.CALENDAR).mails()
            self.charged |= {(mailbox, hour): number for hour, number in hours.items()}
            assert sum(hours.values()) <= self.world.mails.day, f"{hours} of {mailbox}"
        assert engines(self.world) <= sum(self.charged.values())

    def _sent(self) -> Counter[str]:
        rows = self.world.graph.outlook.mails()
        return Counter(row["from"] for row in rows if row["by"] == "app")


@pytest.mark.parametrize("limits", [MailLimits(), NARROW], ids=["usual", "narrow"])
@pytest.mark.parametrize("seed", [1, 2, 4])
async def test_a_working_day_sends_no_more_mails_than_were_charged_and_allowed(seed: int, limits: MailLimits) -> None:
    """Ten hours of moves, renames, new guests, cancellations and answers, in Outlook and in the CRM, of single meetings and series."""
    world = MeetingWholeWorld()
    world.mails = limits
    await world.connect()
    await world.settle(2)
    story, tally = MeetingStory(world, random.Random(seed)), Tally(world)
    held: set[str] = set()
    for _ in range(10):
        story.act(8)
        for _ in range(3):
            await tally.tick()
        held |= {hold.id for hold in await asked(world)}
        world.time += timedelta(minutes=45)
    assert engines(world) > 5, "a day without mails would show nothing"
    assert world.office.violations == []
    assert bool(held) == (limits is NARROW)


async def approve(world: MeetingWholeWorld, *ids: str) -> None:
    """An admin says yes to what is asked about these records."""
    for hold in await asked(world):
        if set(ids) & set(hold.items):
            await world.registry.put_hold(replace(hold, state="approved", until="2027-01-01"))


async def asked(world: MeetingWholeWorld) -> list[HoldRow]:
    """The open questions about mails."""
    return [h for h in await world.registry.holds() if h.state == "open" and h.because is Reason.MAIL_LIMIT]


async def test_with_limit_zero_all_that_would_mail_is_held_and_named_and_the_rest_flows() -> None:
    world = await five()
    moved = desk(world, 1).add({"subject": "moved", "when": WHEN}, guests=[box(2), box(3)])
    ended = desk(world, 1).add({"subject": "ended", "when": WHEN}, guests=[box(4), "guest@z.example"])
    alone = desk(world, 1).add({"subject": "alone", "when": WHEN})
    weekly = desk(world, 2).add({"subject": "weekly", "when": WHEN}, rule=WEEKLY, guests=[box(1)])
    await world.settle(4)
    before = mails(world)
    world.mails = NONE
    by_name = {record.fields["subject"]: record for record in records(world) if record.fields["slot"] == "0"}
    world.crm.edit(by_name["moved"].id, when=LATER)
    world.crm.delete(by_name["ended"].id)
    world.crm.edit(by_name["alone"].id, when=LATER)
    world.crm.edit(by_name["weekly"].id, location="Torino")
    new = world.crm.add(Kind.EVENT, user(3), {"subject": "new", "when": WHEN})
    world.crm.invite(new.id, **{user(4): "none", user(5): "none"})
    world.crm.add(Kind.EVENT, user(3), {"subject": "nobody", "when": WHEN})
    desk(world, 2).edit(weekly.id, importance="high")  # from Outlook to the CRM: Exchange told the guests itself
    own = mails(world) - before
    assert await world.settle(5) == 0
    assert mails(world) == before + own, "nothing was sent"
    holds = {hold.items[0]: hold.count for hold in await asked(world)}
    waiting = [by_name["moved"].id, by_name["ended"].id, by_name["weekly"].id, new.id]
    assert holds == dict(zip(waiting, [2, 2, 1, 2], strict=True))
    assert desk(world, 1).events[alone.id].fields["when"] == LATER
    assert [event.fields["subject"] for event in shown(world, 3) if not event.organizer] == ["nobody"]
    others = [r for r in records(world) if r.fields["subject"] == "weekly" and r.id != by_name["weekly"].id]
    assert [record.fields["taskpriority"] for record in others] == ["High"] * 5
    assert (desk(world, 1).events[moved.id].fields["when"], desk(world, 1).events[ended.id].deleted) == (WHEN, False)

    for crm_id, number in zip(waiting, [2, 2, 1, 2], strict=True):
        sent = engines(world)
        await approve(world, crm_id)
        await world.settle(2)
        assert (engines(world) - sent, crm_id in {h.items[0] for h in await asked(world)}) == (number, False)
    assert desk(world, 1).events[moved.id].fields["when"] == LATER
    assert desk(world, 1).events[ended.id].deleted
    first = desk(world, 2).occurrence(desk(world, 2).events[weekly.id], "2026-12-01")
    assert (first["location"], first["importance"]) == ("Torino", "high")
    assert sorted(e.fields["subject"] for e in shown(world, 4) if e.organizer) == ["new"]
    assert (await world.settle(3), await asked(world)) == (0, [])


async def test_what_changed_since_it_was_approved_is_asked_anew() -> None:
    world = await five()
    event = desk(world, 1).add({"subject": "m", "when": WHEN}, guests=[box(2)])
    await world.settle(3)
    world.mails = NONE
    (record,) = records(world)
    world.crm.edit(record.id, when=LATER)
    await world.settle(2)
    (first,) = await asked(world)
    await approve(world, record.id)
    world.crm.edit(record.id, when="2026-12-03T09:00Z/2026-12-03T10:00Z")
    await world.settle(3)
    (second,) = await asked(world)
    assert first.id != second.id
    assert (desk(world, 1).events[event.id].fields["when"], engines(world)) == (WHEN, 0)
    await approve(world, record.id)
    await world.settle(2)
    assert desk(world, 1).events[event.id].fields["when"] == "2026-12-03T09:00Z/2026-12-03T10:00Z"
    assert engines(world) == 1


async def test_the_mails_of_vtenext_count_too() -> None:
    """A contact that the CRM invited is told by vtenext when the meeting moves."""
    world = await five()
    record = world.crm.add(Kind.EVENT, user(1), {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{CUSTOMER: "none"})
    await world.settle(3)
    assert world.crm.mails == [("user", CUSTOMER)]
    world.mails = NONE
    (event,) = shown(world, 1)
    desk(world, 1).edit(event.id, when=LATER)
    await world.settle(3)
    (hold,) = await asked(world)
    assert (hold.items, hold.count, len(world.crm.mails)) == ((record.id,), 1, 1)
    await approve(world, record.id)
    await world.settle(3)
    assert world.crm.mails == [("user", CUSTOMER), ("engine", CUSTOMER)]
    assert records(world)[0].fields["when"] == LATER


# Groups ----------------------------------------------------------------------------------------------------------------


async def test_an_event_of_a_group_of_four_is_in_four_calendars_and_only_the_organizer_can_change_it() -> None:
    world = await five()
    world.groups = {world.group: Group(user(1), tuple(user(n) for n in (1, 2, 3, 4)))}
    made = world.crm.add(Kind.EVENT, world.group, {"subject": "m", "when": WHEN, "location": "Sala"})
    assert await world.settle(6) == 0
    (record,) = records(world)
    assert (record.id, record.owner, sorted(record.invitees)) == (made.id, user(1), [user(n) for n in (2, 3, 4)])
    assert [len(shown(world, n)) for n in (1, 2, 3, 4, 5)] == [1, 1, 1, 1, 0]
    (own,), (copy,) = shown(world, 1), shown(world, 2)
    desk(world, 2).edit(copy.id, location="da me")
    assert await world.settle(3) == 0
    (record,) = records(world)
    assert record.fields["location"] == "Sala"
    assert [event.fields["location"] for n in (1, 2, 3, 4) for event in shown(world, n)] == [
        "Sala",
        "da me",
        "Sala",
        "Sala",
    ]
    ledger = MailboxLedger(world.rows, "mailbox-2", 0, "", Family.CALENDAR)
    assert [sorted(link.flags) async for link in ledger.links()] == [[Flag.COPY_EDITED]]
    desk(world, 1).edit(own.id, location="Terrazza")
    assert await world.settle(3) == 0
    assert [event.fields["location"] for n in (1, 2, 3, 4) for event in shown(world, n)] == ["Terrazza"] * 4
    assert records(world)[0].fields["location"] == "Terrazza"
    assert [link.flags async for link in ledger.links()] == [frozenset()]


# Room and car ----------------------------------------------------------------------------------------------------------

ROOM_TAG = "Sala riunioni"


async def test_room_and_car_are_shown_to_everybody_accept_and_decline() -> None:
    world = await five()
    world.room_tags = {ROOM: ROOM_TAG}
    first = world.crm.add(Kind.EVENT, user(1), {"subject": "primo", "when": WHEN})
    world.crm.invite(first.id, **dict.fromkeys([user(2), user(3), ROOM, CAR], "none"))
    assert await world.settle(6) == 0
    (record,) = records(world)
    assert (record.invitees[ROOM], record.invitees[CAR]) == ("accepted", "accepted")
    (own,) = shown(world, 1)
    assert sorted(own.guests) == sorted([box(2), box(3), address_of(ROOM_BOX)]), (
        "the car is nobody whom Exchange invites"
    )
    assert [event.categories for n in (1, 2, 3) for event in shown(world, n)] == [{CAR_TAG, ROOM_TAG}] * 3

    second = world.crm.add(Kind.EVENT, user(4), {"subject": "secondo", "when": WHEN})
    world.crm.invite(second.id, **dict.fromkeys([user(5), ROOM, CAR], "none"))
    assert await world.settle(6) == 0
    said = {r.fields["subject"]: (r.invitees[ROOM], r.invitees[CAR]) for r in records(world)}
    assert said == {"primo": ("accepted", "accepted"), "secondo": ("declined", "declined")}
    assert [event.categories for n in (4, 5) for event in shown(world, n)] == [{f"{CAR_TAG} ✗", f"{ROOM_TAG} ✗"}] * 2
    assert [event.categories for n in (1, 2, 3) for event in shown(world, n)] == [{CAR_TAG, ROOM_TAG}] * 3
