"""Every crash point of fixed scenarios of meetings: the process is killed at each operation in turn, before and after it.

Besides the properties of meetings two more must hold here, because the same scenario without an accident is at hand: everybody's calendar and the
CRM say the same in the end, and no mail was sent more than once because of the accident (STYLE 2, rule 12, 6 and 8).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from sync.model import Family, Kind
from sync.sides.memory import Event, MemoryCalendar, Record
from tests.sim.meeting_properties import meeting_violations
from tests.sim.meeting_run import PLENTY
from tests.sim.meeting_story import CAR, CUSTOMER, OUTSIDE, ROOM, USERS, MeetingStory, furnished, serial_of
from tests.sim.world import Accident, World, address_of, told_again

Act = Callable[[World, MeetingStory], None]
MORNING, NOON, EVENING = (f"2026-12-01T{hour:02d}:00Z/2026-12-01T{hour + 1:02d}:00Z" for hour in (8, 11, 17))
WEEKS = [f"2026-12-{day:02d}T14:00Z/2026-12-{day:02d}T15:00Z" for day in (3, 10, 17)]
QUIET = 7
"""Ticks after the accident."""


def box(n: int) -> str:
    return address_of(f"mailbox-{n}")


def _a_week(world: World, story: MeetingStory) -> None:
    """Before each scenario: a meeting of one of ours, one of somebody outside, and a series."""
    _calendar(world).add({"subject": "m1 Riunione", "when": MORNING}, guests=[box(2), box(3), OUTSIDE])
    _outside(world).add({"subject": "m2 Visita", "when": NOON}, guests=[box(1), box(2)])
    rule = "FREQ=WEEKLY;INTERVAL=1;BYDAY=WE;WKST=MO;COUNT=4"
    when = "2026-12-02T09:00Z/2026-12-02T10:00Z"
    _calendar(world).add({"subject": "m3 Revisione", "when": when}, rule=rule, guests=[box(2)])
    story.serial = 3


def _in_crm(world: World, story: MeetingStory) -> None:
    """After the first import: a meeting made in the CRM with a customer, one that has the car; and some have answered."""
    _meets(world, "19x11", "m4 Visita", EVENING, "19x12", "19x13", CUSTOMER)
    _meets(world, "19x13", "m5 Trasferta", EVENING, "19x14", CAR)
    story.exported |= {"m4": "19x11", "m5": "19x13"}
    story.serial = 5


def _answered(world: World, story: MeetingStory) -> None:
    world.calendars["mailbox-2"].respond(_event(world, "m1", 2).id, "accepted")
    world.calendars["mailbox-2"].respond(_event(world, "m4", 2).id, "tentative")
    world.crm.answer(_record(world, "m4").id, "19x13", "accepted")


def _calendar(world: World, n: int = 1) -> MemoryCalendar:
    return world.calendars[f"mailbox-{n}"]


def _outside(world: World) -> MemoryCalendar:
    calendar = world.office.calendars[OUTSIDE]
    assert isinstance(calendar, MemoryCalendar)
    return calendar


def _event(world: World, serial: str, n: int = 1) -> Event:
    live = (e for e in _calendar(world, n).events.values() if not e.deleted)
    return next(event for event in live if serial_of(event.fields["subject"]) == serial)


def _records(world: World, serial: str) -> list[Record]:
    return [r for r in world.crm.records.values() if serial_of(r.fields["subject"]) == serial and not r.deleted]


def _record(world: World, serial: str) -> Record:
    return _records(world, serial)[0]


def _meets(world: World, owner: str, subject: str, when: str, *people: str) -> None:
    record = world.crm.add(Kind.EVENT, owner, {"subject": subject, "when": when})
    world.crm.invite(record.id, **dict.fromkeys(people, "none"))


def one_of_us_meets(world: World, story: MeetingStory) -> None:
    guests = [box(1), box(3), box(4), OUTSIDE]
    _calendar(world, 2).add({"subject": "m6 Riunione", "when": "2026-12-04T09:00Z/2026-12-04T10:00Z"}, guests=guests)


def somebody_outside_meets(world: World, story: MeetingStory) -> None:
    when = "2026-12-04T09:00Z/2026-12-04T10:00Z"
    _outside(world).add({"subject": "m6 Riunione", "when": when}, guests=[box(1), box(3), box(4)])


def crm_meets(world: World, story: MeetingStory) -> None:
    _meets(world, "19x11", "m6 Visita", "2026-12-04T09:00Z/2026-12-04T10:00Z", "19x12", "19x14", CUSTOMER, ROOM)
    story.exported["m6"] = "19x11"


def crm_series(world: World, story: MeetingStory) -> None:
    for record in world.crm.add_series("19x11", {"subject": "m6 Revisione"}, WEEKS):
        world.crm.invite(record.id, **{"19x12": "none", "19x13": "none"})
    story.series.add("m6")
    story.exported["m6"] = "19x11"


def group_meets(world: World, story: MeetingStory) -> None:
    _meets(world, world.group, "m6 Riunione", "2026-12-04T09:00Z/2026-12-04T10:00Z")
    story.exported["m6"] = "19x11"


def moved_in_outlook(world: World, story: MeetingStory) -> None:
    _calendar(world).edit(_event(world, "m4").id, when="2026-12-05T09:00Z/2026-12-05T10:00Z")


def moved_in_crm(world: World, story: MeetingStory) -> None:
    world.crm.edit(_record(world, "m1").id, when="2026-12-05T09:00Z/2026-12-05T10:00Z")


def moved_in_crm_with_a_customer(world: World, story: MeetingStory) -> None:
    world.crm.edit(_record(world, "m4").id, when="2026-12-05T09:00Z/2026-12-05T10:00Z")


def answered_in_outlook(world: World, story: MeetingStory) -> None:
    _calendar(world, 3).respond(_event(world, "m1", 3).id, "accepted")
    _calendar(world, 2).respond(_event(world, "m4", 2).id, "accepted")


def answered_in_crm(world: World, story: MeetingStory) -> None:
    world.crm.answer(_record(world, "m1").id, "19x13", "accepted")
    world.crm.answer(_record(world, "m2").id, "19x11", "accepted")


def declined_in_crm(world: World, story: MeetingStory) -> None:
    world.crm.answer(_record(world, "m1").id, "19x13", "declined")


def organizer_cancels(world: World, story: MeetingStory) -> None:
    _calendar(world).delete(_event(world, "m1").id)
    story.gone.add("m1")


def somebody_outside_cancels(world: World, story: MeetingStory) -> None:
    event = next(iter(_outside(world).events.values()))
    _outside(world).delete(event.id)
    story.gone.add("m2")


def attendee_deletes(world: World, story: MeetingStory) -> None:
    _calendar(world, 3).delete(_event(world, "m1", 3).id)


def keeper_hands_over(world: World, story: MeetingStory) -> None:
    """Both hold a copy of m2; the one who keeps its record declines."""
    owner = _record(world, "m2").owner
    n = int(USERS[owner].removeprefix("mailbox-"))
    _calendar(world, n).respond(_event(world, "m2", n).id, "declined")


def keeper_hands_over_and_it_moves(world: World, story: MeetingStory) -> None:
    keeper_hands_over(world, story)
    event = next(iter(_outside(world).events.values()))
    _outside(world).edit(event.id, when="2026-12-05T09:00Z/2026-12-05T10:00Z")


def keeper_leaves(world: World, story: MeetingStory) -> None:
    """The user whose copy keeps m2 is connected no more, and then it moves."""
    owner = _record(world, "m2").owner
    world.users = {user: mailbox for user, mailbox in world.users.items() if user != owner}
    story.late.add(owner)
    story.left.add(owner)
    event = next(iter(_outside(world).events.values()))
    _outside(world).edit(event.id, when="2026-12-05T09:00Z/2026-12-05T10:00Z")


def invited_in_outlook(world: World, story: MeetingStory) -> None:
    _calendar(world).invite(_event(world, "m1").id, box(4))


def invited_in_crm(world: World, story: MeetingStory) -> None:
    record = _record(world, "m1")
    world.crm.invite(record.id, **record.invitees, **{"19x14": "none"})


def uninvited_in_outlook(world: World, story: MeetingStory) -> None:
    _calendar(world).uninvite(_event(world, "m4").id, box(2))


def uninvited_in_crm(world: World, story: MeetingStory) -> None:
    record = _record(world, "m1")
    world.crm.invite(record.id, **{user: said for user, said in record.invitees.items() if user != "19x12"})


def crm_deletes(world: World, story: MeetingStory) -> None:
    world.crm.delete(_record(world, "m1").id)
    story.gone.add("m1")


def car_is_asked_twice(world: World, story: MeetingStory) -> None:
    _meets(world, "19x11", "m6 Trasferta", EVENING, "19x12", CAR)
    story.exported["m6"] = "19x11"


def car_is_free_again(world: World, story: MeetingStory) -> None:
    """Another takes the car in the very tick in which it is given back."""
    world.crm.edit(_record(world, "m5").id, when="2026-12-07T09:00Z/2026-12-07T10:00Z")
    car_is_asked_twice(world, story)


def occurrence_moves(world: World, story: MeetingStory) -> None:
    when = "2026-12-10T09:00Z/2026-12-10T10:00Z"
    _calendar(world).edit_occurrence(_event(world, "m3").id, "2026-12-09", when=when)


def occurrence_declined(world: World, story: MeetingStory) -> None:
    _calendar(world, 2).respond(_event(world, "m3", 2).id, "declined", slot="2026-12-09")


def cursor_lost(world: World, story: MeetingStory) -> None:
    moved_in_outlook(world, story)
    for calendar in world.calendars.values():
        calendar.forgotten = len(calendar.log) + 1


MEETING_SCENARIOS: list[Act] = [
    one_of_us_meets,
    somebody_outside_meets,
    crm_meets,
    crm_series,
    group_meets,
    moved_in_outlook,
    moved_in_crm,
    moved_in_crm_with_a_customer,
    answered_in_outlook,
    answered_in_crm,
    declined_in_crm,
    organizer_cancels,
    somebody_outside_cancels,
    attendee_deletes,
    keeper_hands_over,
    keeper_hands_over_and_it_moves,
    keeper_leaves,
    invited_in_outlook,
    invited_in_crm,
    uninvited_in_outlook,
    uninvited_in_crm,
    crm_deletes,
    car_is_asked_twice,
    car_is_free_again,
    occurrence_moves,
    occurrence_declined,
    cursor_lost,
]


async def _begun() -> MeetingStory:
    """Everybody is connected, and all is quiet."""
    world = furnished(World(USERS, family=Family.CALENDAR))
    world.mails = PLENTY
    story = MeetingStory(world, random.Random(0))
    await world.connect()
    _a_week(world, story)
    await world.settle(2)
    _in_crm(world, story)
    await world.settle(3)
    _answered(world, story)
    await world.settle(4)
    return story


async def _play(begun: MeetingStory, act: Act, accident: Accident | None) -> tuple[MeetingStory, list[str], int]:
    """The story after the scenario, what is wrong with it, and how many operations the tick of the accident had."""
    story = told_again(begun)
    world = story.world
    act(world, story)
    for mailbox in set(USERS.values()) - set(world.users.values()):
        await world.registry.change_mailbox(mailbox, enabled=False)
    await world.settle(1 if act is crm_series else 0)
    process = await world.attempt(accident)
    last = await world.settle(QUIET)
    world.time += timedelta(hours=25)  # nobody waits for an organizer any longer
    return story, await meeting_violations(story, last + await world.settle(3)), process.operations


def _picture(world: World) -> dict[str, Counter[str]]:
    """What people see, whatever the ids: of a meeting whose organizer is not here it does not matter who keeps its record."""
    led = {
        serial_of(e.fields["subject"]) for c in world.calendars.values() for e in c.events.values() if not e.organizer
    }
    picture = {"crm": Counter[str]()}
    for record in world.crm.records.values():
        if not record.deleted:
            shown = {name: record.fields[name] for name in ("subject", "when", "location")}
            owner = record.owner if serial_of(record.fields["subject"]) in led else ""
            picture["crm"][f"{owner} {shown} {sorted(record.invitees.items())}"] += 1
    for address, calendar in world.office.calendars.items():
        live = [event for event in calendar.events.values() if not event.deleted and not event.called_off]
        told = [(e.fields["subject"], e.fields["when"], e.rule, e.response, sorted(e.categories)) for e in live]
        lists = [sorted((guest.address, guest.response) for guest in event.guests.values()) for event in live]
        slots = [(sorted(e.changed.items()), sorted(e.cancelled), sorted(e.slot_responses.items())) for e in live]
        picture[address] = Counter(str(each) for each in zip(told, lists, slots, strict=True))
    return picture


def _mails(world: World) -> Counter[tuple[str, str]]:
    """What the engine made others send: kind and to whom."""
    sent = Counter((mail.kind, mail.to) for mail in world.office.mails if mail.by == "engine")
    sent.update(("vtenext", to) for by, to in world.crm.mails if by == "engine")
    return sent


def _compared(quiet: World, world: World) -> list[str]:
    found = [f"one mail more: {what} x{n}" for what, n in (_mails(world) - _mails(quiet)).items()]
    usual, now = _picture(quiet), _picture(world)
    for where in usual:
        found += [f"missing in {where}: {what}" for what in usual[where] - now[where]]
        found += [f"different in {where}: {what}" for what in now[where] - usual[where]]
    return found


async def every_meeting_point(
    act: Act, what: tuple[str, ...] = ("crash-before", "crash-after", "lose"), step: int = 1, first: int = 1
) -> list[str]:
    """All accidents at all operations of one scenario (or at every `step`-th from `first` on)."""
    begun = await _begun()
    quiet, wrong, operations = await _play(begun, act, None)
    found = [f"{act.__name__} undisturbed: {message}" for message in wrong]
    for at in range(first, operations + 1, step):
        for kind in what:
            story, wrong, _ = await _play(begun, act, Accident(at, kind))
            wrong += _compared(quiet.world, story.world)
            found += [f"{act.__name__} {kind} at {at}: {message}" for message in wrong]
    return found
