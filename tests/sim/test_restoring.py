"""History, journal and restoring, in the smallest worlds that show them."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from sync import history_commands
from sync.commands import NotFound
from sync.connector import Connector
from sync.model import Family, Kind
from sync.policy import KindPolicy, default_kinds
from sync.store.base import Drop
from sync.store.journal import Entry, change_of
from sync.store.orders import orders
from tests.sim.world import Accident, World
from tests.unit.control.world import World as Control

BOX = "mailbox-a"
PHONE = "mailbox:phone~businessPhones#1"


async def connected() -> World:
    world = World({"19x1": BOX}, {**default_kinds(), Kind.CONTACT: KindPolicy(delete_in_crm=True)})
    await world.connect()
    return world


def connector(world: World) -> Connector:
    """The commands' connector on the simulator's store."""
    return dataclasses.replace(Control().connector, registry=world.registry, now=world.now, new_id=world.new_id)


async def edited() -> tuple[World, str, str]:
    """A contact whose phone went from 1 to 2 in the CRM, on both sides."""
    world = await connected()
    record = world.crm.add(Kind.CONTACT, "19x1", {"firstname": "Luca", "lastname": "Ferrari", "phone": "111"})
    await world.settle(2)
    (card,) = world.mailboxes[BOX].cards.values()
    world.crm.edit(record.id, phone="222")
    await world.settle(2)
    assert phones(world) == ["222", "222"]
    return world, record.id, card.id


def phones(world: World) -> list[str]:
    records = [r.fields["phone"] for r in world.crm.records.values() if not r.deleted]
    cards = [c.fields.get("businessPhones", ()) for c in world.mailboxes[BOX].cards.values() if c.place == "folder"]
    return [*records, *(c if isinstance(c, str) else "".join(c) for c in cards)]


async def last(world: World, id_: str) -> Entry:
    return (await history_commands.history(connector(world), BOX, Family.PEOPLE, id_))[0]


async def test_an_edit_that_travels_leaves_before_and_after() -> None:
    world, crm_id, card_id = await edited()
    line = await last(world, crm_id)
    assert (line.what, line.because, line.item_id) == ("update", "crm_edited", card_id)
    assert await last(world, card_id) == line, "the same by the other id"
    change = await history_commands.reveal(connector(world), world.keys, BOX, Family.PEOPLE, line.journal)
    assert (change.before[PHONE], change.after[PHONE]) == ("111", "222")
    created = (await history_commands.history(connector(world), BOX, Family.PEOPLE, crm_id))[-1]
    made = await history_commands.reveal(connector(world), world.keys, BOX, Family.PEOPLE, created.journal)
    assert made.after[PHONE] == "111"
    assert not made.before
    stored = repr([row.data async for row in world.rows.query(f"{BOX}|people")])
    assert "Ferrari" not in stored


async def test_a_value_is_restored_on_both_sides_and_can_be_taken_back() -> None:
    world, crm_id, _ = await edited()
    line = await last(world, crm_id)
    done = await history_commands.restore(
        connector(world), world.keys, "admin", BOX, Family.PEOPLE, line.journal, [PHONE]
    )
    assert done.orders == 1
    await world.settle(1)
    assert phones(world) == ["111", "111"]
    assert await world.settle(2) == 0, "and stays"
    lines = await history_commands.history(connector(world), BOX, Family.PEOPLE, crm_id)
    assert [each.what for each in lines[:2]] == ["update", "restore in mailbox"] or [
        each.what for each in lines[:2]
    ] == [
        "restore in mailbox",
        "update",
    ]
    restored = next(each for each in lines if each.because == "restored")
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, restored.journal)
    await world.settle(2)
    assert phones(world) == ["222", "222"]


@pytest.mark.parametrize("what", ["crash-before", "crash-after", "lose"])
async def test_restoring_a_value_survives_a_crash_anywhere(what: str) -> None:
    for at in range(1, 60):
        world, crm_id, _ = await edited()
        line = await last(world, crm_id)
        await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, line.journal)
        process = await world.attempt(Accident(at, what))
        await world.settle(3)
        assert phones(world) == ["111", "111"], at
        assert await orders(world.rows, f"{BOX}|people") == []
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")


async def deleted(side: str) -> tuple[World, str]:
    """A contact that somebody deleted on the other side than `side`: we deleted it here."""
    world, crm_id, card_id = await edited()
    if side == "mailbox":
        world.crm.delete(crm_id)
    else:
        world.mailboxes[BOX].move(card_id, "deleted")
    await world.settle(2)
    assert phones(world) == []
    line = await last(world, crm_id)
    assert line.what == "delete"
    return world, line.journal


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_deleted_item_is_made_again_and_linked_once(side: str) -> None:
    world, journal = await deleted(side)
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, journal)
    await world.settle(3)
    assert phones(world) == ["222", "222"]
    assert await orders(world.rows, f"{BOX}|people") == []
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, journal)
    await world.settle(4)
    assert len(phones(world)) == 2, "ordered twice it is there once"
    assert [order.outcome for order in await orders(world.rows, f"{BOX}|people")] == ["there"]


@pytest.mark.parametrize("side", ["crm", "mailbox"])
@pytest.mark.parametrize("what", ["crash-after", "lose"])
async def test_making_it_again_survives_a_crash_anywhere(side: str, what: str) -> None:
    for at in range(1, 80, 2):
        world, journal = await deleted(side)
        await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, journal)
        process = await world.attempt(Accident(at, what))
        await world.settle(5)
        assert phones(world) == ["222", "222"], at
        assert await orders(world.rows, f"{BOX}|people") == []
        if process.operations < at:
            break
    else:
        pytest.fail("the run has more operations than were tried")


async def test_a_run_is_restored_as_a_whole() -> None:
    world = await connected()
    names = ("Luca", "Marta", "Nina")
    made = [world.crm.add(Kind.CONTACT, "19x1", {"firstname": n, "lastname": "Ferrari", "phone": "111"}) for n in names]
    await world.settle(2)
    for record in made:
        world.crm.edit(record.id, phone="222")
    await world.settle(1)
    run = (await last(world, made[0].id)).run
    assert (await history_commands.restore_run(connector(world), "admin", BOX, Family.PEOPLE, run)).orders == 3
    await world.settle(2)
    assert phones(world) == ["111"] * 6


async def test_after_thirty_days_nothing_can_be_restored() -> None:
    world, crm_id, _ = await edited()
    line = await last(world, crm_id)
    world.time += timedelta(days=31)
    world.full.add(BOX)
    await world.settle(1)
    with pytest.raises(NotFound):
        await history_commands.reveal(connector(world), world.keys, BOX, Family.PEOPLE, line.journal)
    assert (await last(world, crm_id)).what == line.what, "the history without values stays"


async def meeting_box() -> tuple[World, str, str]:
    """An event whose place both sides edited: the CRM's lost."""
    world = World({"19x1": BOX}, family=Family.CALENDAR)
    await world.connect()
    await world.settle(2)
    calendar = world.calendars[BOX]
    event = calendar.add({"subject": "Pranzo", "when": "2026-11-26T09:00Z/2026-11-26T10:00Z", "location": "Milano"})
    await world.settle(2)
    (record,) = world.crm.records.values()
    calendar.edit(event.id, location="Torino")
    await world.settle(2)
    assert record.fields["location"] == "Torino"
    return world, record.id, event.id


async def test_a_value_of_an_event_is_restored_on_both_sides() -> None:
    world, crm_id, event = await meeting_box()
    line = (await history_commands.history(connector(world), BOX, Family.CALENDAR, crm_id))[0]
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.CALENDAR, line.journal)
    await world.settle(2)
    assert world.crm.records[crm_id].fields["location"] == "Milano"
    assert world.calendars[BOX].events[event].fields["location"] == "Milano"


async def test_what_turned_private_meanwhile_is_not_restored() -> None:
    world, crm_id, event = await meeting_box()
    line = (await history_commands.history(connector(world), BOX, Family.CALENDAR, crm_id))[0]
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.CALENDAR, line.journal)
    world.calendars[BOX].edit(event, sensitivity="private")
    partition = f"{BOX}|calendar"
    await world.rows.transact(partition, [Drop(order.key) for order in await orders(world.rows, partition)])
    await world.settle(3)
    with pytest.raises(NotFound):
        await history_commands.reveal(connector(world), world.keys, BOX, Family.CALENDAR, line.journal)
    with pytest.raises(NotFound):
        await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.CALENDAR, line.journal)
    kept = [change_of(row, world.keys) async for row in world.rows.query(partition, "j|", "k")]
    assert not any("Milano" in repr(each) or "Pranzo" in repr(each) for each in kept)


async def test_an_order_whose_values_are_gone_says_so() -> None:
    world, crm_id, _ = await edited()
    line = await last(world, crm_id)
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, line.journal)
    await world.rows.transact(f"{BOX}|people", [Drop(line.journal)])
    await world.settle(1)
    (order,) = await history_commands.ordered(connector(world), BOX, (Family.PEOPLE,))
    assert (order.outcome, order.by) == ("gone", "admin")
    assert phones(world) == ["222", "222"]


async def test_a_series_that_is_called_off_as_a_whole_leaves_its_values() -> None:
    world = World({"19x1": BOX}, None, Family.CALENDAR)
    await world.connect()
    weeks = [f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z" for day in (1, 8, 15)]
    world.calendars[BOX].add(
        {"subject": "Corso", "when": weeks[0]}, rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO;COUNT=3"
    )
    await world.settle(3)
    made = [record for record in world.crm.records.values() if not record.deleted]
    for record in made:
        world.crm.delete(record.id)
    await world.settle(3)
    assert all(event.deleted for event in world.calendars[BOX].events.values())
    for record in made:
        line = (await history_commands.history(connector(world), BOX, Family.CALENDAR, record.id))[0]
        assert (line.what, line.because) == ("delete", "series_cut")
        values = await history_commands.reveal(connector(world), world.keys, BOX, Family.CALENDAR, line.journal)
        assert values.before["mailbox:subject"] == "Corso"


async def test_nothing_is_restored_against_the_directions_of_the_settings() -> None:
    world, crm_id, _ = await edited()
    line = await last(world, crm_id)
    world.kinds[Kind.CONTACT] = KindPolicy(to_mailbox=False)
    await history_commands.restore(connector(world), world.keys, "admin", BOX, Family.PEOPLE, line.journal, [PHONE])
    await world.settle(2)
    assert phones(world) == ["222", "222"]
    assert [order.outcome for order in await orders(world.rows, f"{BOX}|people")] == ["direction"]
