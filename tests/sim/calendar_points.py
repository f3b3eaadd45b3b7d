"""Every crash point of fixed scenarios of calendars: the process is killed at each operation in turn, before and after it."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta

from sync.model import Family, Kind
from sync.sides.memory import Event, MemoryCalendar, Record
from sync.sides.memory_calendar import span_on
from tests.sim.calendar_properties import calendar_violations
from tests.sim.calendar_story import CalendarStory
from tests.sim.world import ROME, Accident, World, told_again

Act = Callable[[World, CalendarStory], None]
USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
MORNING = "2026-11-26T09:00Z/2026-11-26T10:00Z"
FIRST = date(2026, 11, 26)


def _a_week(world: World, story: CalendarStory) -> None:
    """Before each scenario: a single event born on either side, and a weekly series in a mailbox."""
    calendar = world.calendars["mailbox-a"]
    calendar.add({"subject": "e1 Pranzo", "when": MORNING, "location": "Milano"})
    calendar.add({"subject": "e2 Riunione", "when": MORNING}, rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;COUNT=6")
    story.serial = 2


def _in_crm(world: World, story: CalendarStory) -> None:
    world.crm.add(Kind.EVENT, "19x1", {"subject": "e3 Visita", "when": "2026-11-27T09:00Z/2026-11-27T10:00Z"})
    story.serial = 3


def _calendar(world: World) -> MemoryCalendar:
    return world.calendars["mailbox-a"]


def _event(world: World, serial: str) -> Event:
    return next(e for e in _calendar(world).events.values() if e.fields["subject"].startswith(f"{serial} "))


def _record(world: World, serial: str) -> Record:
    return next(r for r in world.crm.records.values() if r.fields["subject"].startswith(f"{serial} ") and not r.deleted)


def _gone(story: CalendarStory, serial: str) -> None:
    story.gone.add(serial)
    story.removed.add(serial)


def mailbox_creates(world: World, story: CalendarStory) -> None:
    _calendar(world).add({"subject": "e4 Riunione", "when": "2026-12-01/2026-12-02"})
    story.serial = 4


def crm_creates(world: World, story: CalendarStory) -> None:
    world.crm.add(Kind.EVENT, "19x2", {"subject": "e4 Visita", "when": "2026-12-01/2026-12-02"})
    story.serial = 4


def mailbox_moves(world: World, story: CalendarStory) -> None:
    _calendar(world).edit(_event(world, "e1").id, when="2026-11-26T11:00Z/2026-11-26T12:00Z")


def crm_moves(world: World, story: CalendarStory) -> None:
    world.crm.edit(_record(world, "e1").id, when="2026-11-26T11:00Z/2026-11-26T12:00Z")


def both_edit(world: World, story: CalendarStory) -> None:
    crm_moves(world, story)
    _calendar(world).edit(_event(world, "e1").id, location="Torino")


def mailbox_deletes(world: World, story: CalendarStory) -> None:
    _calendar(world).delete(_event(world, "e1").id)
    _gone(story, "e1")


def crm_deletes(world: World, story: CalendarStory) -> None:
    world.crm.delete(_record(world, "e1").id)
    _gone(story, "e1")


def edit_beats_delete(world: World, story: CalendarStory) -> None:
    mailbox_moves(world, story)
    crm_deletes(world, story)


def series_created(world: World, story: CalendarStory) -> None:
    _calendar(world).add(
        {"subject": "e4 Riunione", "when": "2026-12-01/2026-12-01"}, rule="FREQ=DAILY;INTERVAL=1;COUNT=5"
    )
    story.serial = 4


def series_moved(world: World, story: CalendarStory) -> None:
    _calendar(world).edit(_event(world, "e2").id, when="2026-11-26T11:00Z/2026-11-26T12:00Z")


def series_shifted_by_a_day(world: World, story: CalendarStory) -> None:
    calendar, event = _calendar(world), _event(world, "e2")
    calendar.set_rule(event.id, "FREQ=WEEKLY;INTERVAL=1;BYDAY=FR;WKST=MO;COUNT=6")
    calendar.edit(event.id, when="2026-11-27T09:00Z/2026-11-27T10:00Z")
    _gone(story, "e2")


def series_truncated(world: World, story: CalendarStory) -> None:
    _calendar(world).set_rule(_event(world, "e2").id, "FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;UNTIL=20261210")
    _gone(story, "e2")


def series_deleted(world: World, story: CalendarStory) -> None:
    _calendar(world).delete(_event(world, "e2").id)
    _gone(story, "e2")


def occurrence_edited(world: World, story: CalendarStory) -> None:
    _calendar(world).edit_occurrence(_event(world, "e2").id, "2026-12-10", location="Torino")


def occurrence_cancelled(world: World, story: CalendarStory) -> None:
    _calendar(world).cancel(_event(world, "e2").id, "2026-12-10")
    _gone(story, "e2")


def crm_edits_occurrence(world: World, story: CalendarStory) -> None:
    record = next(r for r in world.crm.records.values() if r.fields["when"].startswith("2026-12-10"))
    world.crm.edit(record.id, location="Torino")


def crm_deletes_occurrence(world: World, story: CalendarStory) -> None:
    record = next(r for r in world.crm.records.values() if r.fields["when"].startswith("2026-12-10"))
    world.crm.delete(record.id)
    _gone(story, "e2")


def crm_deletes_all_coming(world: World, story: CalendarStory) -> None:
    for record in list(world.crm.records.values()):
        if record.fields["subject"].startswith("e2 "):
            world.crm.delete(record.id)
    _gone(story, "e2")


def crm_series(world: World, story: CalendarStory) -> None:
    days = [FIRST + timedelta(days=7 * n) for n in range(8) if n != 5]
    spans = [span_on("2026-11-26T15:00Z/2026-11-26T16:00Z", day, ROME) for day in days]
    spans[2] = "2026-12-11T15:00Z/2026-12-11T16:30Z"
    world.crm.add_series("19x1", {"subject": "e4 Visita"}, spans)
    story.serial = 4


def turns_private(world: World, story: CalendarStory) -> None:
    _calendar(world).edit(_event(world, "e1").id, sensitivity="private")
    story.private.add("e1")


def cursor_lost(world: World, story: CalendarStory) -> None:
    mailbox_moves(world, story)
    for calendar in world.calendars.values():
        calendar.forgotten = len(calendar.log) + 1


CALENDAR_SCENARIOS: list[Act] = [
    mailbox_creates,
    crm_creates,
    mailbox_moves,
    crm_moves,
    both_edit,
    mailbox_deletes,
    crm_deletes,
    edit_beats_delete,
    series_created,
    series_moved,
    series_shifted_by_a_day,
    series_truncated,
    series_deleted,
    occurrence_edited,
    occurrence_cancelled,
    crm_edits_occurrence,
    crm_deletes_occurrence,
    crm_deletes_all_coming,
    crm_series,
    turns_private,
    cursor_lost,
]


async def _begun() -> CalendarStory:
    world = World(USERS, family=Family.CALENDAR)
    story = CalendarStory(world, random.Random(0))
    await world.connect()
    _a_week(world, story)
    await world.settle(2)
    _in_crm(world, story)
    await world.settle(2)
    return story


async def _play(begun: CalendarStory, act: Act, accident: Accident | None, after: int) -> tuple[list[str], int]:
    """One scenario; the accident befalls the tick `after` quiet ones (a CRM series is written in the third)."""
    story = told_again(begun)
    world = story.world
    act(world, story)
    await world.settle(after)
    process = await world.attempt(accident)
    last = await world.settle(6)
    return await calendar_violations(story, last), process.operations


async def every_calendar_point(
    act: Act, what: tuple[str, ...] = ("crash-before", "crash-after", "lose"), step: int = 1, first: int = 1
) -> list[str]:
    """All accidents at all operations of one scenario (or at every `step`-th from `first` on)."""
    after = 1 if act is crm_series else 0
    begun = await _begun()
    wrong, operations = await _play(begun, act, None, after)
    found = [f"{act.__name__} undisturbed: {message}" for message in wrong]
    for at in range(first, operations + 1, step):
        for kind in what:
            wrong, _ = await _play(begun, act, Accident(at, kind), after)
            found += [f"{act.__name__} {kind} at {at}: {message}" for message in wrong]
    return found
