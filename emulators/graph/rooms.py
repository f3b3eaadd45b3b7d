"""Rooms and equipment answer by themselves, by what they have accepted before (BEHAVIOUR 7.2, Rooms and equipment).

A series with one clash is declined whole, as the service's defaults have it (AllowConflicts off, ConflictPercentageAllowed 0;
memory). Delegates, booking windows and longest durations are not emulated.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from emulators.graph import answers, series
from emulators.graph.calendar import Calendar, Event
from emulators.graph.event_times import Times
from emulators.graph.world import User, World

_AHEAD = timedelta(days=730)  # how far a series is compared with other bookings


def decide(world: World, room: User, copy: Event, slot: date | None) -> None:
    """Accept or decline an invitation that was not accepted yet; the answer goes to the organizer."""
    if _accepted(copy, slot):
        return
    calendar = room.mailbox.calendar
    answer = "declined" if _clashes(calendar, copy, slot) else "accepted"
    answers.respond(world, calendar, copy, slot, answer, send=True, by="resource")


def _accepted(event: Event, slot: date | None) -> bool:
    """What is the room's own, or accepted."""
    if "organizer" not in event.values:
        return True
    override = event.exceptions.get(slot) if slot else None
    status = {**event.values, **(override.values if override else {})}.get("responseStatus") or {}
    return status.get("response") == "accepted"


def _clashes(calendar: Calendar, copy: Event, slot: date | None) -> bool:
    wanted = list(_times(copy, copy.times.start, copy.times.start + _AHEAD)) if slot is None else []
    if slot is not None:
        wanted = [(slot, series.times_of(copy, slot))]
    if not wanted:
        return False
    first, last = min(each.start for _, each in wanted), max(each.end for _, each in wanted)
    taken = [
        each
        for other in calendar.live()
        if other is not copy or slot is not None
        for at, each in _times(other, first, last)
        if (other is not copy or at != slot) and _accepted(other, at) and not other.values.get("isCancelled")
    ]
    return any(one.start < other.end and other.start < one.end for _, one in wanted for other in taken)


def _times(event: Event, start: datetime, end: datetime) -> Iterator[tuple[date | None, Times]]:
    """When an event takes place in a window."""
    if event.rule is not None:
        for slot in series.in_window(event, start, end):
            yield slot, series.times_of(event, slot)
    elif event.times.overlaps(start, end):
        yield None, event.times
