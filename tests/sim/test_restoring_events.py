"""Deleted events, series and tasks are made again from the journal: on both sides once, with no mail that nobody allowed."""

from __future__ import annotations

import dataclasses

import pytest

from sync import history_commands
from sync.connector import Connector
from sync.model import Family
from sync.sides.memory import Event, Record
from sync.store.orders import orders
from tests.sim.test_meetings import mails, office
from tests.sim.world import Accident, World
from tests.unit.control.world import World as Control

BOX = "mailbox-1"
WHEN = "2026-12-01T09:00Z/2026-12-01T10:00Z"
STRANGER = "cliente@altrove.example"


def connector(world: World) -> Connector:
    return dataclasses.replace(Control().connector, registry=world.registry, now=world.now, new_id=world.new_id)


def shown(world: World, box: str = BOX) -> list[Event]:
    return [event for event in world.calendars[box].events.values() if not event.deleted]


def living(world: World) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


async def order(world: World, crm_id: str, family: Family = Family.CALENDAR, box: str = BOX) -> None:
    """What the panel does: the newest line of history that has values."""
    lines = await history_commands.history(connector(world), box, family, crm_id)
    line = next(each for each in lines if each.journal and each.what == "delete")
    await history_commands.restore(connector(world), "admin", box, family, line.journal)


async def outcomes(world: World, family: Family = Family.CALENDAR, box: str = BOX) -> list[str]:
    return [each.outcome for each in await orders(world.rows, f"{box}|{family.value}")]


async def deleted_event(side: str, users: int = 1, guests: tuple[str, ...] = (), when: str = WHEN) -> tuple[World, str]:
    """An event of a mailbox that somebody deleted on the other side than `side`: we deleted it on `side`."""
    world = await office(users)
    calendar = world.calendars[BOX]
    fields = {
        "subject": "Visita",
        "when": when,
        "location": "Milano",
        "body": "<p>uno <b>due</b></p>",
        "bodyType": "html",
    }
    event = calendar.add(fields, guests=guests)
    await world.settle(3)
    (record,) = living(world)
    if side == "mailbox":
        world.crm.delete(record.id)
    else:
        calendar.delete(event.id)
    await world.settle(3)
    assert not living(world)
    assert not shown(world)
    return world, record.id


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_deleted_event_is_made_again_and_linked_once(side: str) -> None:
    world, crm_id = await deleted_event(side)
    await order(world, crm_id)
    await world.settle(3)
    (event,), (record,) = shown(world), living(world)
    assert (event.fields["subject"], event.fields["location"], event.fields["when"]) == ("Visita", "Milano", WHEN)
    assert (record.fields["subject"], record.fields["location"], record.fields["when"]) == ("Visita", "Milano", WHEN)
    assert ("<b>due</b>" in event.fields["body"]) == (side == "mailbox"), "as it was where it was deleted"
    assert await outcomes(world) == []
    assert await world.settle(1) == 0
    world.crm.edit(record.id, location="Torino")
    await world.settle(2)
    assert event.fields["location"] == "Torino", "they are linked"
    await order(world, crm_id)
    await world.settle(3)
    assert (len(shown(world)), len(living(world)), await outcomes(world)) == (1, 1, ["there"])


@pytest.mark.parametrize("side", ["crm", "mailbox"])
@pytest.mark.parametrize("what", ["crash-before", "crash-after", "lose", "refuse"])
async def test_making_an_event_again_survives_a_crash_anywhere(side: str, what: str) -> None:
    for at in range(1, 120):
        world, crm_id = await deleted_event(side, 2, ("mailbox-2@x.example", STRANGER))
        before = mails(world)
        await order(world, crm_id)
        process = await world.attempt(Accident(at, what))
        await world.settle(6)
        assert (len(shown(world)), len(shown(world, "mailbox-2")), len(living(world))) == (1, 1, 1), at
        assert await outcomes(world) == [], at
        assert mails(world) - before == (2 if side == "mailbox" else 1), at
        assert await world.settle(1) == 0, at
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")
