"""The contract of meetings on Graph's calendars over the emulator: the same tests that the office in memory passes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

import pytest

from tests.contract.calendar_world import Json, at, weekly
from tests.contract.meeting_contract import WEEKLY, MeetingContract
from tests.contract.meetings_world import NAMES, MeetingsWorld, guest, meetings_world

ROOM = "sala@example.com"


class GraphWorld:
    """Implements `meeting_contract.MeetingWorld` with a tenant of the emulator."""

    room = ROOM

    def __init__(self, tenant: MeetingsWorld) -> None:
        self._outlook = tenant.outlook
        tenant.emulator.add_user(ROOM, "Sala 1")
        self._outlook.make_room(ROOM)
        self.mailboxes = {address: tenant.calendars[address].mailbox for address in NAMES}

    async def meet(self, organizer: str, fields: Mapping[str, str], guests: Sequence[str], rule: str = "") -> str:
        assert rule in {"", WEEKLY}
        body = {
            **_body(fields),
            "attendees": [guest(each, "resource" if each == ROOM else "required") for each in guests],
        }
        day = fields["when"][:10]
        recurrence = {"recurrence": weekly(day, "wednesday", count=4)} if rule else {}
        return self._outlook.create_event(organizer, {**body, **recurrence})

    async def edit(self, organizer: str, item_id: str, fields: Mapping[str, str]) -> None:
        self._outlook.edit_event(organizer, item_id, _body(fields))

    async def move_occurrence(self, organizer: str, item_id: str, slot: str, when: str) -> None:
        self._outlook.edit_occurrence(organizer, item_id, slot, _body({"when": when}))

    async def invite(self, organizer: str, item_id: str, guest: str, slot: str = "") -> None:
        self._outlook.invite(organizer, item_id, [guest], slot=slot or None)

    async def uninvite(self, organizer: str, item_id: str, guest: str) -> None:
        self._outlook.uninvite(organizer, item_id, [guest])

    async def respond(self, attendee: str, item_id: str, answer: str) -> None:
        self._outlook.respond(attendee, item_id, answer)

    async def delete(self, whose: str, item_id: str) -> None:
        self._outlook.delete_event(whose, item_id)

    def mails(self) -> list[tuple[str, str]]:
        return [(mail["kind"], mail["to"]) for mail in self._outlook.mails()]


def _body(fields: Mapping[str, str]) -> Json:
    """Graph's words; the times are UTC ones."""
    body: Json = {name: value for name, value in fields.items() if name != "when"}
    if when := fields.get("when"):
        start, end = (moment.removesuffix("Z").partition("T") for moment in when.split("/"))
        body |= at(start[0], start[2], end[2], "UTC")
    return body


@pytest.fixture
async def world() -> AsyncIterator[GraphWorld]:
    async with meetings_world() as tenant:
        yield GraphWorld(tenant)


class TestGraphMeetings(MeetingContract):
    pass
