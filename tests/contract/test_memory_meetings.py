"""The office in memory keeps the contract that Graph's calendars keep: what the simulator proves on it holds for the real side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from sync.sides.memory import MemoryCalendar
from sync.sides.memory_meetings import MemoryOffice
from tests.contract.meeting_contract import MEETING, MeetingContract

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PEOPLE = ("anna@x.example", "bruno@x.example", "carla@x.example", "sala@x.example")


class MemoryWorld:
    """Implements `meeting_contract.MeetingWorld`."""

    room = PEOPLE[-1]

    def __init__(self) -> None:
        self.office = MemoryOffice(rooms={self.room})
        self.mailboxes = {
            address: MemoryCalendar(address.partition("@")[0], lambda: NOW, office=self.office, address=address)
            for address in PEOPLE
        }
        self.office.calendars = dict(self.mailboxes)

    async def meet(self, organizer: str, fields: Mapping[str, str], guests: Sequence[str], rule: str = "") -> str:
        return self.mailboxes[organizer].add(fields, rule=rule, guests=guests).id

    async def edit(self, organizer: str, item_id: str, fields: Mapping[str, str]) -> None:
        self.mailboxes[organizer].edit(item_id, **fields)

    async def move_occurrence(self, organizer: str, item_id: str, slot: str, when: str) -> None:
        self.mailboxes[organizer].edit_occurrence(item_id, slot, when=when)

    async def invite(self, organizer: str, item_id: str, guest: str, slot: str = "") -> None:
        self.mailboxes[organizer].invite(item_id, guest, slot=slot)

    async def uninvite(self, organizer: str, item_id: str, guest: str) -> None:
        self.mailboxes[organizer].uninvite(item_id, guest)

    async def respond(self, attendee: str, item_id: str, answer: str) -> None:
        self.mailboxes[attendee].respond(item_id, answer)

    async def delete(self, whose: str, item_id: str) -> None:
        self.mailboxes[whose].delete(item_id)

    def mails(self) -> list[tuple[str, str]]:
        return [(mail.kind, mail.to) for mail in self.office.mails]


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryMeetings(MeetingContract):
    pass


async def test_late_copies_wait_until_they_are_delivered(world: MemoryWorld) -> None:
    anna, bruno, *_ = PEOPLE
    world.office.late = True
    event = world.mailboxes[anna].add(MEETING, guests=[bruno])
    world.mailboxes[anna].edit(event.id, subject="Revisione")
    assert world.mails() == [("invitation", bruno), ("update", bruno)]
    assert list(world.mailboxes[bruno].shown()) == []
    world.office.deliver()
    (copy,) = world.mailboxes[bruno].shown()
    assert copy.fields["subject"] == "Revisione"


async def test_an_edit_of_a_copy_stays_local_until_the_organizer_tells_news(world: MemoryWorld) -> None:
    anna, bruno, carla, _ = PEOPLE
    event = world.mailboxes[anna].add(MEETING, guests=[bruno])
    (copy,) = world.mailboxes[bruno].events.values()
    world.mailboxes[bruno].edit(copy.id, location="da me", reminder="5")
    world.mailboxes[anna].invite(event.id, carla)  # bruno hears nothing of it
    assert (event.fields["location"], copy.fields["location"], list(copy.guests)) == ("", "da me", [bruno])
    world.mailboxes[anna].edit(event.id, subject="Revisione")
    assert (copy.fields["location"], copy.fields["reminder"], sorted(copy.guests)) == ("", "5", [bruno, carla])
