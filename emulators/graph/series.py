"""Which occurrences a series has and when they are: the rule, less what was cancelled, as moved (BEHAVIOUR 7.2, 8).

Pure: reads events, changes nothing. A slot is the local date of an occurrence's original start in the series' own zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from emulators.graph.calendar import Event, Override, Pattern
from emulators.graph.errors import GraphError, invalid_property
from emulators.graph.event_times import Times
from emulators.graph.recurrence import Rule
from emulators.graph.zones import to_wall, zone_named

_FAR = datetime(4500, 1, 1, tzinfo=UTC)


def zone_of(times: Times, rule: Rule) -> ZoneInfo:
    """The zone whose wall clock the series keeps."""
    return zone_named(rule.zone or times.start_zone)


def aligned(times: Times, rule: Rule) -> tuple[Times, Rule]:
    """Start and rule of a series, moved to its first occurrence (memory: Exchange keeps the first occurrence's start); 400
    when startDate is not the date of `start` (7.2)."""
    zone = zone_of(times, rule)
    if rule.zone == times.start_zone:
        rule = replace(rule, zone="")  # the event's own, as it reads back: no other rule
    if to_wall(times.start, zone).date() != rule.start:
        message = "The recurrence range's startDate must be the same as the date of the event's start."
        raise invalid_property(message)
    first = rule.first()
    if first is None or first == rule.start:
        return times, rule
    return times.on(first, zone), replace(rule, start=first)


def rule_of(event: Event) -> Rule:
    """The rule of an event that is known to be a series."""
    if event.rule is None:
        raise ValueError("not a series")
    return event.rule


def original(event: Event, slot: date) -> Times:
    """When the occurrence of a slot was to take place."""
    return event.times.on(slot, zone_of(event.times, rule_of(event)))


def times_of(event: Event, slot: date | None) -> Times:
    """When a single, a master or an occurrence takes place."""
    if slot is None:
        return event.times
    override = event.exceptions.get(slot)
    return override.times if override and override.times else original(event, slot)


def takes_place(event: Event, slot: date) -> bool:
    """Whether the slot is one of the series and was not cancelled."""
    return event.rule is not None and slot not in event.cancelled and event.rule.holds(slot)


def in_window(event: Event, start: datetime, end: datetime) -> list[date]:
    """The slots whose occurrences lie in the window [start, end), in order of their slots."""
    rule = rule_of(event)
    regular = set(_regular(event.times, rule, start, end)) - event.cancelled - set(event.exceptions)
    moved = {slot for slot in event.exceptions if times_of(event, slot).overlaps(start, end)}
    return sorted(regular | moved)


def formerly_in_window(pattern: Pattern, start: datetime, end: datetime) -> Iterator[date]:
    """The slots that a series had there before a change."""
    return (slot for slot in _regular(pattern.times, pattern.rule, start, end) if slot not in pattern.cancelled)


def _regular(times: Times, rule: Rule, start: datetime, end: datetime) -> Iterator[date]:
    zone = zone_of(times, rule)
    margin = times.end - times.start + timedelta(days=2)
    first, last = max(start, times.start) - margin, min(end, _FAR) + timedelta(days=2)
    for slot in rule.slots(first.date(), last.date()):
        if times.on(slot, zone).overlaps(start, end):
            yield slot


def check_boundary(event: Event, slot: date, times: Times) -> None:
    """400 ErrorOccurrenceCrossingBoundary when an occurrence is moved over, onto the day of, or into a neighbour (7.2)."""
    zone, plain = zone_of(event.times, rule_of(event)), original(event, slot)
    day = to_wall(times.start, zone).date()
    before, after = _neighbour(event, slot, back=True), _neighbour(event, slot, back=False)
    crossed = False
    if before is not None:
        touched = plain.start >= before.end and times.start < before.end
        crossed = day <= to_wall(before.start, zone).date() or touched
    if after is not None:
        touched = plain.end <= after.start and times.end > after.start
        crossed = crossed or day >= to_wall(after.start, zone).date() or touched
    if crossed:
        message = "Modified occurrence is crossing or overlapping adjacent occurrence."
        raise GraphError(400, "ErrorOccurrenceCrossingBoundary", message)


def _neighbour(event: Event, slot: date, *, back: bool) -> Times | None:
    rule = rule_of(event)
    near = rule.before(slot) if back else rule.after(slot)
    while near is not None and near in event.cancelled:
        near = rule.before(near) if back else rule.after(near)
    return None if near is None else times_of(event, near)


def override_of(event: Event, slot: date) -> Override:
    """What the exception of a slot holds, empty for a plain occurrence; a copy."""
    held = event.exceptions.get(slot) or Override()
    return Override(dict(held.values), held.times, dict(held.extended))
