"""Five people who meet, for the tests of what issue 4 asks to be shown: hands and eyes over the emulators. Not a test."""

from __future__ import annotations

from sync.model import Role
from sync.sides.memory import Event, Record
from tests.sim.meeting_story import (
    ABSENT,
    ABSENT_BOX,
    USERS,
)
from tests.sim.world import address_of
from tests.whole.meeting_world import EmulatedDesk, MeetingWholeWorld

FIVE = {**USERS, ABSENT: ABSENT_BOX}
WHEN, LATER = "2026-12-01T09:00Z/2026-12-01T10:00Z", "2026-12-02T09:00Z/2026-12-02T10:00Z"


def user(number: int) -> str:
    return f"19x1{number}"


def box(number: int) -> str:
    return address_of(f"mailbox-{number}")


def desk(world: MeetingWholeWorld, number: int) -> EmulatedDesk:
    return world.calendars[f"mailbox-{number}"]


def records(world: MeetingWholeWorld) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


def shown(world: MeetingWholeWorld, number: int) -> list[Event]:
    return [e for e in desk(world, number).events.values() if not e.deleted and not e.called_off]


def mails(world: MeetingWholeWorld) -> int:
    """All that were ever sent, by whomever."""
    return len(world.office.mails) + len(world.crm.mails)


def engines(world: MeetingWholeWorld) -> int:
    """Those that the engine made Exchange and vtenext send."""
    exchange = sum(1 for mail in world.office.mails if mail.by == "engine")
    return exchange + sum(1 for by, _ in world.crm.mails if by == "engine")


async def roles(world: MeetingWholeWorld, crm_id: str) -> list[Role]:
    return sorted((await world.registry.holders(crm_id)).values())


async def five() -> MeetingWholeWorld:
    """Five users, connected, who had their first synchronisation."""
    world = MeetingWholeWorld(users=FIVE)
    await world.connect()
    await world.settle(2)
    return world
