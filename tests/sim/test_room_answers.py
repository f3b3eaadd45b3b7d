"""What a resource answers reaches the CRM and shows in every calendar: found by showing the whole product, each in the smallest world."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mapping.people import AddressBook
from sync.model import Family, Kind, Present
from sync.sides.base import Crm
from sync.sides.memory import MemoryCalendar
from tests.sim.world import World, address_of

USERS = {"19x1": "mailbox-1", "19x2": "mailbox-2"}
ROOM, ROOM_TAG = "19x6", "Sala"
WHEN = "2026-12-01T09:00Z/2026-12-01T10:00Z"


class Slow:
    """The CRM, through a line so slow that another mailbox is run while an answer is on its way to this one."""

    def __init__(self, world: World) -> None:
        self._world, self.meanwhile = world, ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.crm, name)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        found = await self._world.crm.get(kind, ids)
        if self.meanwhile and ids:
            mailbox, self.meanwhile = self.meanwhile, ""
            await self._world.worker().run(mailbox)
        return found


class Office(World):
    """Two users and a room, whose category their events show."""

    def __init__(self) -> None:
        super().__init__(USERS, family=Family.CALENDAR)
        room = address_of("room")
        self.office.calendars[room] = MemoryCalendar("room", self.now, office=self.office, address=room)
        self.office.rooms, self.rooms = {room}, {ROOM}
        self.crm.people |= {ROOM: room}
        self.line = Slow(self)

    async def crm_side(self) -> Crm:
        return self.line  # type: ignore[return-value]

    def book(self) -> AddressBook:
        return replace(super().book(), tags={ROOM: ROOM_TAG})


async def office() -> Office:
    """Everybody had the first synchronisation."""
    world = Office()
    await world.connect()
    await world.settle(2)
    return world


async def test_a_room_that_answers_at_once_is_heard() -> None:
    """Its answer came with the answer to the creation: what comes back later is an echo, so nobody looked again."""
    world = await office()
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{ROOM: "none"})
    await world.settle(3)
    assert await world.settle(2) == 0
    assert record.invitees[ROOM] == "accepted"


async def test_a_meeting_made_in_outlook_shows_its_room() -> None:
    """The CRM learnt of the room by our own write, whose echo is dropped: the category followed with the next edit only."""
    world = await office()
    event = world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[address_of("room")])
    assert await world.settle(4) == 0
    assert event.categories == {ROOM_TAG}


async def test_a_refusal_that_comes_later_shows() -> None:
    """So did the category of a refusal."""
    world = await office()
    room = world.office.calendars[address_of("room")]
    event = world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[address_of("room")])
    await world.settle(3)
    (copy,) = room.events.values()
    room.respond(copy.id, "declined")
    assert await world.settle(4) == 0
    assert event.categories == {f"{ROOM_TAG} ✗"}


async def test_an_answer_that_only_the_crm_knows_is_not_taken_back_by_a_new_event() -> None:
    world = await office()
    world.crm.people |= {"19x5": "absent@x.example"}
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{"19x5": "accepted"})
    assert await world.settle(3) == 0
    assert record.invitees == {"19x5": "accepted"}


async def test_a_copy_that_joins_while_the_record_is_written_shows_what_was_written() -> None:
    """The room's refusal reached the CRM between reading the record and linking the colleague's copy: nobody told that mailbox again."""
    world = await office()
    room = world.office.calendars[address_of("room")]
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "m", "when": WHEN})
    world.crm.invite(record.id, **{"19x2": "none", ROOM: "none"})
    worker = world.worker()
    await world.registry.mark("mailbox-1", [(Kind.EVENT, record.id)], world.new_id())
    await worker.run("mailbox-1")
    (booking,) = room.events.values()
    room.respond(booking.id, "declined")
    world.line.meanwhile = "mailbox-1"
    await worker.run("mailbox-2")
    assert world.line.meanwhile == ""
    assert await world.settle(4) == 0
    assert record.invitees[ROOM] == "declined"
    for calendar in world.calendars.values():
        (event,) = [e for e in calendar.events.values() if not e.deleted]
        assert event.categories == {f"{ROOM_TAG} ✗"}, calendar.id
