"""Two hundred spans around the offset changes of 2026 through both emulators, there and back: nothing moves, nothing is written twice."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.sides.memory_events import held_span
from sync.spans import DateSpan, Span, span_text
from tests.sim.world import ROME
from tests.unit.test_spans import ZONES, around
from tests.whole.calendar_world import CalendarWholeWorld, EmulatedCalendar

NEW_YEAR = datetime(2026, 1, 1, 8, tzinfo=UTC)  # everything is still to come


def cases() -> list[tuple[str, str]]:
    """(zone, span): Rome's own edges, which hold what vtenext cannot, and a seeded sample of every other zone's, whole days among them."""
    every = [(name, span) for name in ZONES for span in around(name) if begins_at_midnight(span, ZoneInfo(name))]
    romes = [(name, span) for name, span in every if name == "Europe/Rome"]
    found = romes + random.Random(2026).sample(every, 200 - len(romes))
    assert sum(isinstance(span, DateSpan) for _, span in found) > 50
    return [(name, span_text(span)) for name, span in found]


def begins_at_midnight(span: Span, zone: ZoneInfo) -> bool:
    """A whole day begins and ends at a midnight that its zone has: the emulated Exchange takes no other (in the Azores March 29th has none)."""
    if not isinstance(span, DateSpan):
        return True
    midnights = (datetime.combine(day, time(), zone) for day in (span.first, span.last + timedelta(days=1)))
    return all(each.astimezone(UTC).astimezone(zone).time() == time() for each in midnights)


def hand(world: CalendarWholeWorld) -> EmulatedCalendar:
    return next(iter(world.calendars.values()))


def kept(world: CalendarWholeWorld) -> dict[str, dict[str, Any]]:
    """Everything that Exchange holds, etags included."""
    (user,) = world.calendars
    return {each["subject"].partition(" ")[0]: each for each in world.graph.dump(user)["events"]}


async def a_year_ahead() -> tuple[CalendarWholeWorld, EmulatedCalendar, str]:
    world = CalendarWholeWorld(users=1)
    world.time = NEW_YEAR
    await world.connect()
    await world.settle(2)
    return world, hand(world), next(iter(world.users))


async def test_from_exchange_and_back() -> None:
    world, calendar, _ = await a_year_ahead()
    spans = cases()
    for number, (name, span) in enumerate(spans):
        calendar.add({"subject": f"n{number}", "when": span}, zone=ZoneInfo(name))
    before = kept(world)
    assert await world.settle(3) == 0
    records = {r.fields["subject"]: r for r in world.crm.records.values()}
    assert {n: r.fields["when"] for n, r in records.items()} == {
        f"n{number}": held_span(span, ROME) for number, (_, span) in enumerate(spans)
    }
    lost = [span for _, span in spans if held_span(span, ROME) != span]
    assert lost, "the sample holds what vtenext cannot"
    assert kept(world) == before, "unchanged to the etag"

    for record in records.values():
        world.crm.edit(record.id, location="Milano")
    await world.settle(3)
    times = ("start", "end", "isAllDay", "originalStartTimeZone", "originalEndTimeZone")
    after = kept(world)
    assert {e["location"]["displayName"] for e in after.values()} == {"Milano"}
    assert {n: [e[t] for t in times] for n, e in after.items()} == {n: [e[t] for t in times] for n, e in before.items()}
    assert await world.settle(2) == 0


async def test_from_the_crm_and_back() -> None:
    world, calendar, owner = await a_year_ahead()
    held = [held_span(span, ROME) for _, span in cases()]
    world.crm.add_many(owner, [{"subject": f"n{number}", "when": span} for number, span in enumerate(held)])
    before = world.crm.records
    await world.settle(3)
    events = {e.fields["subject"]: e.fields["when"] for e in calendar.events.values()}
    assert events == {f"n{number}": span for number, span in enumerate(held)}
    assert calendar.calls() == {"POST events": 200}
    assert await world.settle(2) == 0
    assert world.crm.records == before

    for each in list(calendar.events.values()):
        calendar.edit(each.id, location="Milano")
    await world.settle(3)
    after = world.crm.records
    assert {r.fields["location"] for r in after.values()} == {"Milano"}
    assert {i: r.fields["when"] for i, r in after.items()} == {i: r.fields["when"] for i, r in before.items()}
    assert calendar.calls() == {"POST events": 200}
