"""Deleted events, series and tasks are made again over the real adapters and the emulators."""

from __future__ import annotations

import dataclasses

import pytest

from sync import history_commands
from sync.connector import Connector
from sync.model import Family, Kind
from sync.store.orders import orders
from tests.unit.control.world import World as Control
from tests.whole.meeting_world import MeetingWholeWorld
from tests.whole.task_world import TaskWholeWorld
from tests.whole.world import WholeWorld

WHEN = "2026-12-01T09:00Z/2026-12-01T10:00Z"
STRANGER = "fornitore@altrove.example"
WEEKLY = "FREQ=WEEKLY;BYDAY=TU;WKST=MO;COUNT=5"
AS_IT_WAS = [("2026-12-01", ""), ("2026-12-15", "Aula 2"), ("2026-12-22", ""), ("2026-12-29", "")]


def connector(world: WholeWorld) -> Connector:
    return dataclasses.replace(Control().connector, registry=world.registry, now=world.now, new_id=world.new_id)


async def restore(world: WholeWorld, crm_id: str, family: Family, box: str) -> None:
    lines = await history_commands.history(connector(world), box, family, crm_id)
    line = next(each for each in lines if each.journal and each.what == "delete")
    await history_commands.restore(connector(world), Control().keys, "admin", box, family, line.journal)
    await world.settle(5)
    assert await orders(world.rows, f"{box}|{family.value}") == []


def in_crm(world: WholeWorld) -> list[tuple[str, str]]:
    living = [r for r in world.crm.records.values() if not r.deleted]
    return sorted((r.fields["when"][:10], r.fields["location"]) for r in living)


def in_mailbox(world: MeetingWholeWorld, box: str) -> list[tuple[str, str]]:
    return sorted((str(i.fields["when"])[:10], str(i.fields["location"])) for i in world.calendars[box].shown())


async def office() -> tuple[MeetingWholeWorld, str]:
    world = MeetingWholeWorld()
    await world.connect()
    await world.settle(2)
    return world, next(iter(world.users.values()))


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_meeting_comes_back_on_both_sides(side: str) -> None:
    world, box = await office()
    fields = {"subject": "Visita", "when": WHEN, "location": "Milano"}
    event = world.calendars[box].add(fields, guests=[STRANGER])
    await world.settle(3)
    (record,) = [r for r in world.crm.records.values() if not r.deleted]
    if side == "mailbox":
        world.crm.delete(record.id)
    else:
        world.calendars[box].delete(event.id)
    await world.settle(3)
    assert (in_crm(world), in_mailbox(world, box)) == ([], [])
    await restore(world, record.id, Family.CALENDAR, box)
    assert in_crm(world) == in_mailbox(world, box) == [("2026-12-01", "Milano")]
    (again,) = world.calendars[box].shown()
    assert (STRANGER in str(again.fields["attendees"])) == (side == "mailbox"), "the CRM does not know the stranger"
    assert await world.settle(1) == 0


async def test_a_series_comes_back_whole() -> None:
    world, box = await office()
    calendar = world.calendars[box]
    event = calendar.add({"subject": "Corso", "when": WHEN}, rule=WEEKLY, guests=[STRANGER])
    calendar.cancel(event.id, "2026-12-08")
    calendar.edit_occurrence(event.id, "2026-12-15", location="Aula 2")
    await world.settle(3)
    assert in_crm(world) == in_mailbox(world, box) == AS_IT_WAS
    records = [r.id for r in world.crm.records.values() if not r.deleted]
    for crm_id in records:
        world.crm.delete(crm_id)
    await world.settle(3)
    assert (in_crm(world), in_mailbox(world, box)) == ([], [])
    await restore(world, records[0], Family.CALENDAR, box)
    assert in_crm(world) == in_mailbox(world, box) == AS_IT_WAS
    assert all(STRANGER in str(item.fields["attendees"]) for item in calendar.shown())
    assert len({item.id.partition("|")[0] for item in calendar.shown()}) == 1
    assert await world.settle(1) == 0


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_task_comes_back_on_both_sides(side: str) -> None:
    world = TaskWholeWorld(users=1)
    await world.connect()
    await world.settle(2)
    owner, box = next(iter(world.users.items()))
    fields = {"subject": "Offerta", "date_start": "2026-12-04", "due_date": "2026-12-04", "taskstatus": "Not Started"}
    record = world.crm.add(Kind.TASK, owner, fields)
    await world.settle(3)
    (task,) = world.todos[box].shown()
    if side == "mailbox":
        world.crm.delete(record.id)
    else:
        world.todos[box].delete(task.id)
    await world.settle(3)
    assert world.todos[box].shown() == []
    assert not [r for r in world.crm.records.values() if not r.deleted]
    await restore(world, record.id, Family.TASKS, box)
    (again,) = world.todos[box].shown()
    (made,) = [r for r in world.crm.records.values() if not r.deleted]
    assert (again.fields["title"], again.fields["due"]) == ("Offerta", "2026-12-04")
    assert (made.fields["subject"], made.fields["due_date"], made.owner) == ("Offerta", "2026-12-04", owner)
    assert await world.settle(1) == 0
