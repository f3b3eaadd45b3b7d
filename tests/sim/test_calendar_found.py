"""Calendars: what the stories could not see, each once, in the smallest world that shows it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from sync.model import Family, Kind, Present, Unread
from sync.sides.memory import MemoryCalendar, Record
from sync.sides.memory_calendar import span_on
from sync.store.base import Drop, prefix_end
from tests.sim.mapping_for_tests import translators
from tests.sim.world import ROME, Accident, World

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
MORNING = "2026-11-26T09:00Z/2026-11-26T10:00Z"


async def connected() -> World:
    world = World(USERS, family=Family.CALENDAR)
    await world.connect()
    await world.settle(2)
    return world


def living(world: World) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


async def lose_the_ledger(world: World, mailbox: str) -> None:
    """Every row of its calendar is gone."""
    partition = f"{mailbox}|calendar"
    for key in [row.key async for row in world.rows.query(partition) if row.key != "f"]:
        await world.rows.transact(partition, [Drop(key)])


async def test_a_lost_ledger_doubles_nothing() -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    calendar.add({"subject": "e1 Pranzo", "when": MORNING})
    calendar.add({"subject": "e2 Riunione", "when": MORNING}, rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;COUNT=6")
    world.crm.add(Kind.EVENT, "19x1", {"subject": "e3 Visita", "when": MORNING})
    days = [date(2026, 11, 27) + timedelta(days=7 * n) for n in range(12) if n != 5]
    spans = [span_on("2026-11-27T15:00Z/2026-11-27T16:00Z", day, ROME) for day in days]
    spans[2] = "2026-12-12T15:00Z/2026-12-12T16:30Z"
    world.crm.add_series("19x1", {"subject": "e4 Visita"}, spans)
    assert await world.settle(8) == 0
    before = (len(living(world)), [e.id for e in calendar.events.values() if not e.deleted])
    assert before[0] == 1 + 6 + 1 + 11
    assert len(before[1]) == 4
    await lose_the_ledger(world, "mailbox-a")
    assert await world.settle(6) == 0
    assert (len(living(world)), [e.id for e in calendar.events.values() if not e.deleted]) == before
    moved = next(record for record in living(world) if record.fields["when"].startswith("2026-12-12"))
    world.crm.edit(moved.id, location="Torino")
    await world.settle(3)
    series = next(event for event in calendar.events.values() if event.stamp.startswith("~"))
    assert calendar.occurrence(series, "2026-12-11")["location"] == "Torino", "the moved one is still the same"


async def test_a_single_event_that_becomes_a_series_keeps_its_record_and_back() -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Pranzo", "when": MORNING})
    await world.settle(2)
    (first,) = living(world)
    calendar.set_rule(event.id, "FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;COUNT=4")
    assert await world.settle(4) == 0
    assert len(living(world)) == 4
    assert first.id in {record.id for record in living(world)}
    calendar.set_rule(event.id, "")
    assert await world.settle(4) == 0
    assert [record.id for record in living(world)] == [first.id]


async def test_the_horizon_rolls() -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Riunione", "when": MORNING}, rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO")
    calendar.cancel(event.id, "2027-03-11")
    calendar.edit_occurrence(event.id, "2027-04-08", location="Torino")
    for _ in range(30):
        world.time += timedelta(days=6)
        await world.settle(1)
        days = sorted(record.fields["when"][:10] for record in living(world))
        assert len(days) == len(set(days))
        assert "2027-03-11" not in days
    assert await world.settle(2) == 0
    there = {record.fields["when"][:10]: record.fields["location"] for record in living(world)}
    assert there["2027-04-08"] == "Torino"
    assert min(there) == "2026-11-26"
    assert max(there) > (world.time + timedelta(days=80)).date().isoformat()


async def test_a_question_about_people_survives_the_calendar_s_run() -> None:
    world = World(USERS)
    world.translators = translators()
    await world.connect()
    for number in range(2):
        world.crm.add(
            Kind.CONTACT,
            "19x1",
            {"firstname": "Luca", "lastname": "Ferrari", "email": "l@x.example", "phone": str(number)},
        )
    world.mailboxes["mailbox-a"].add({"givenName": "Luca", "surname": "Ferrari", "emailAddresses": ("l@x.example",)})
    await world.settle(3)
    assert await world.registry.holds(), "nobody was asked which of two namesakes the card is"


async def test_what_turns_private_is_forgotten_by_the_journal_too() -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Pranzo", "when": MORNING})
    await world.settle(2)
    (record,) = living(world)
    calendar.edit(event.id, location="Torino")
    world.crm.edit(record.id, location="Studio medico")
    await world.settle(2)
    partition = "mailbox-a|calendar"
    assert [row async for row in world.rows.query(partition, "j|", prefix_end("j|"))], "the value that lost is kept"
    calendar.edit(event.id, sensitivity="private")
    assert await world.settle(3) == 0
    assert living(world)[0].fields["subject"] == "(occupato)"
    assert [row async for row in world.rows.query(partition, "j|", prefix_end("j|"))] == []


class Silent(MemoryCalendar):
    """A calendar that answers no question about single events."""

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        return {item_id: Unread(item_id, "no answer") for item_id in ids}


async def test_a_deletion_in_the_crm_waits_for_a_mailbox_that_could_not_be_read() -> None:
    """Whole seed 63: the event was taken for an echo when it was read again, and stayed for good."""
    world = await connected()
    record = world.crm.add(Kind.EVENT, "19x1", {"subject": "e1", "when": MORNING})
    await world.settle(2)
    mailbox = world.calendars["mailbox-a"]
    world.crm.delete(record.id)
    names = [each.name for each in dataclasses.fields(MemoryCalendar)]
    world.calendars["mailbox-a"] = Silent(**{name: getattr(mailbox, name) for name in names})
    await world.settle(1)
    world.calendars["mailbox-a"] = mailbox
    await world.settle(1)
    assert [event.deleted for event in mailbox.events.values()] == [True]


@pytest.mark.parametrize("rule", ["", "FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO;COUNT=4"])
async def test_an_event_outside_the_window_that_could_not_be_read_is_asked_about_again(rule: str) -> None:
    """Whole seed 117: the delta told of it once, as removed, and the question got no answer."""
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    if rule:
        calendar.add({"subject": "e1", "when": "2026-12-01T09:00Z/2026-12-01T10:00Z"}, rule=rule)
    else:
        calendar.add({"subject": "e1", "when": "2027-12-28T09:00Z/2027-12-28T10:00Z"})
    names = [each.name for each in dataclasses.fields(MemoryCalendar)]
    world.calendars["mailbox-a"] = Silent(**{name: getattr(calendar, name) for name in names})
    await world.settle(1)
    world.calendars["mailbox-a"] = calendar
    await world.settle(3)
    assert len(world.crm.records) == (4 if rule else 1)
    assert await world.settle(2) == 0


async def test_an_event_that_was_moved_forward_is_over_when_it_is_over() -> None:
    """When it was once to end does not count: neither is it written to the mailbox nor is the past of a series taken out of the CRM."""
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Pranzo", "when": "2027-01-26T09:00Z/2027-01-26T10:00Z"})
    series = calendar.add({"subject": "e2 Visita", "when": MORNING}, rule="FREQ=WEEKLY;BYDAY=TH;WKST=MO;COUNT=4")
    await world.settle(2)
    calendar.edit(event.id, when="2026-11-24T09:00Z/2026-11-24T10:00Z")
    calendar.edit_occurrence(series.id, "2026-12-03", when="2026-12-01T09:00Z/2026-12-01T10:00Z")
    await world.settle(2)
    world.time += timedelta(days=9)
    (lunch,) = (record for record in living(world) if record.fields["subject"] == "e1 Pranzo")
    world.crm.edit(lunch.id, location="Milano")
    calendar.delete(series.id)
    assert await world.settle(3) == 0
    assert calendar.past == []
    visits = [record.fields["when"][:10] for record in living(world) if record.fields["subject"] == "e2 Visita"]
    assert visits == ["2026-11-26", "2026-12-01"], "both were over"


WEEKLY = [date(2026, 10, 1) + timedelta(days=7 * n) for n in range(12)]  # eight are over


@pytest.mark.parametrize(
    ("days", "edit"),
    [
        (WEEKLY[:8], "the last is moved"),
        (WEEKLY, "all that are to come get a place"),
        ([date(2026, 9, 1) + timedelta(days=n * n) for n in range(8)] + WEEKLY[8:], "all that are to come get a place"),
    ],
)
async def test_the_past_of_a_crm_series_is_not_exported_with_what_is_to_come(days: list[date], edit: str) -> None:
    world = World({"19x1": "mailbox-a"}, family=Family.CALENDAR)
    made = world.crm.add_series("19x1", {"subject": "e1 Visita"}, [span_on(MORNING, day, ROME) for day in days])
    await world.connect()
    await world.settle(3)
    if edit == "the last is moved":
        world.crm.edit(made[7].id, when="2026-11-24T09:00Z/2026-11-24T10:00Z")
        expected = ["2026-11-24"]
    else:
        for record in made[8:]:
            world.crm.edit(record.id, location="Milano")
        expected = ["2026-11-26", "2026-12-03", "2026-12-10", "2026-12-17"]
    assert await world.settle(6) == 0
    calendar = world.calendars["mailbox-a"]
    assert sorted(str(item.fields["when"])[:10] for item in calendar.shown()) == expected
    assert len(calendar.events) == 1
    await lose_the_ledger(world, "mailbox-a")
    assert await world.settle(6) == 0
    assert len(living(world)) == len(days)
    assert len(calendar.events) == 1


@pytest.mark.parametrize("first", ["2024-12-03", "2026-12-03"])
async def test_deleting_the_only_occurrence_that_the_crm_shows_does_not_end_the_series(first: str) -> None:
    """Of a yearly series the horizon shows one: nobody said that there shall never be another."""
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    when = span_on(MORNING, date.fromisoformat(first), ROME)
    event = calendar.add({"subject": "e1 Anniversario", "when": when}, rule="FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=3")
    await world.settle(2)
    (record,) = living(world)
    world.crm.delete(record.id)
    assert await world.settle(3) == 0
    assert (event.cancelled, event.deleted, event.rule) == (
        {"2026-12-03"},
        False,
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=3",
    )


@pytest.mark.parametrize("ended", [False, True])
async def test_a_series_that_turns_private_is_hidden_in_all_its_past(ended: bool) -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    rule = f"FREQ=WEEKLY;BYDAY=TH;WKST=MO{';COUNT=4' if ended else ''}"
    event = calendar.add({"subject": "e1 Medico", "when": MORNING, "sensitivity": "personal"}, rule=rule)
    for _ in range(16):
        world.time += timedelta(days=7)
        world.full |= {"mailbox-a"}
        await world.settle(1)
    calendar.edit(event.id, sensitivity="private")
    await world.settle(2)
    assert {record.fields["subject"] for record in living(world)} == {"(occupato)"}
    assert await world.settle(2) == 0
    world.full |= {"mailbox-a"}
    reads = (await world.attempt()).trace.count("crm get")
    assert reads == (0 if ended else 3), "what is hidden is not looked at every night, but for what the horizon shows"


async def test_a_move_in_the_mailbox_mends_a_time_that_nobody_can_read_in_the_crm() -> None:
    """vtenext stores '25:00' (API.md 6): that is no edit, but must not hide one either."""
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Pranzo", "when": MORNING})
    await world.settle(2)
    (record,) = living(world)
    world.crm.edit(record.id, when="")
    assert await world.settle(3) == 0
    assert event.fields["when"] == MORNING
    calendar.edit(event.id, when="2026-11-27T09:00Z/2026-11-27T10:00Z")
    assert await world.settle(3) == 0
    assert living(world)[0].fields["when"] == "2026-11-27T09:00Z/2026-11-27T10:00Z"


async def made_private(before: str) -> World:
    """A record that was just made private in the CRM, or is new and private."""
    world = await connected()
    if before == "an event":
        world.calendars["mailbox-a"].add({"subject": "e1 Medico", "when": MORNING})
    elif before == "a record":
        world.crm.add(Kind.EVENT, "19x1", {"subject": "e1 Medico", "when": MORNING})
    await world.settle(2)
    if before == "nothing":
        world.crm.add(Kind.EVENT, "19x1", {"subject": "e1 Medico", "when": MORNING, "visibility": "Private"})
    else:
        world.crm.edit(living(world)[0].id, visibility="Private")
    return world


@pytest.mark.parametrize("accident", ["crash-before", "crash-after", "lose"])
@pytest.mark.parametrize("before", ["nothing", "a record", "an event"])
async def test_text_that_is_private_in_the_crm_stays_there_whatever_happens_meanwhile(
    before: str, accident: str
) -> None:
    trace = (await (await made_private(before)).attempt()).trace
    (write,) = (at for at, operation in enumerate(trace, 1) if operation in {"calendar New", "calendar Revise"})
    for at in range(write - 3, len(trace) + 1):
        world = await made_private(before)
        await world.attempt(Accident(at, accident))
        await world.settle(5)
        assert [record.fields["subject"] for record in living(world)] == ["e1 Medico"], trace[at - 1]


async def forming_series() -> World:
    """A series of the CRM that the next run makes in the mailbox: more records than a chunk holds, one cancelled, one moved."""
    world = await connected()
    days = [date(2026, 11, 27) + timedelta(days=7 * n) for n in range(12) if n != 5]
    spans = [span_on(MORNING, day, ROME) for day in days]
    spans[2] = "2026-12-12T15:00Z/2026-12-12T16:30Z"
    world.crm.add_series("19x1", {"subject": "e1 Visita"}, spans)
    await world.attempt()
    assert len(days) > world.limits.chunk
    return world


@pytest.mark.parametrize("accident", ["lose", "refuse", "busy"])
async def test_a_series_of_several_chunks_is_made_once_whatever_the_mailbox_answers(accident: str) -> None:
    trace = (await (await forming_series()).attempt()).trace
    calls = [at for at, operation in enumerate(trace, 1) if operation.startswith("calendar")]
    assert len(calls) > 5
    for at in calls:
        world = await forming_series()
        await world.attempt(Accident(at, accident))
        assert await world.settle(6) == 0
        events = [event for event in world.calendars["mailbox-a"].events.values() if not event.deleted]
        assert (len(events), len(living(world))) == (1, 11), trace[at - 1]


class Unreadable:
    """A calendar whose events cannot be shown now."""

    def __init__(self, inner: MemoryCalendar) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        return {item_id: Unread(item_id, "503") for item_id in ids}


async def test_a_deletion_in_the_crm_is_not_forgotten_while_the_mailbox_cannot_be_read() -> None:
    world = await connected()
    calendar = world.calendars["mailbox-a"]
    event = calendar.add({"subject": "e1 Pranzo", "when": MORNING})
    await world.settle(2)
    world.crm.delete(living(world)[0].id)
    world.calendars["mailbox-a"] = Unreadable(calendar)  # type: ignore[assignment]
    await world.attempt()
    assert not event.deleted
    world.calendars["mailbox-a"] = calendar
    await world.attempt()
    assert event.deleted
