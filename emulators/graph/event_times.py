"""When an event is: its two instants, the zones they were written in, and the checks of all-day events (BEHAVIOUR 7.2, 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from emulators.graph import zones
from emulators.graph.errors import GraphError, invalid_property

_LONGEST = timedelta(days=1827)  # memory: Exchange refuses events over five years


@dataclass(frozen=True, slots=True)
class Times:
    """Start and end as instants in UTC, all-day ones at midnight of their zone; the names of the zones as sent."""

    start: datetime
    end: datetime
    start_zone: str
    end_zone: str
    all_day: bool = False

    @property
    def zone(self) -> ZoneInfo:
        """The zone that the event is written in."""
        return zones.zone_named(self.start_zone)

    def walls(self) -> tuple[datetime, datetime]:
        """Both wall clocks, each in its zone."""
        return zones.to_wall(self.start, self.zone), zones.to_wall(self.end, zones.zone_named(self.end_zone))

    def on(self, slot: date, zone: ZoneInfo) -> Times:
        """The same on another day of a series written in `zone`: the wall clock stays, also over a change of offset."""
        start = zones.to_wall(self.start, zone)
        length = zones.to_wall(self.end, zone) - start
        begun = datetime.combine(slot, start.time())
        return Times(
            zones.to_utc(begun, zone),
            zones.to_utc(begun + length, zone),
            self.start_zone,
            self.end_zone,
            self.all_day,
        )

    def overlaps(self, start: datetime, end: datetime) -> bool:
        """Whether any of it lies in the window [start, end)."""
        return self.start < end and (self.end > start or self.start == self.end == start)

    def rendered(self, zone_name: str) -> dict[str, dict[str, str]]:
        """`start` and `end` in a zone; all-day ones read midnight to midnight whatever the zone asked for (7.2)."""
        if self.all_day:
            first, last = self.walls()
            return {"start": zones.clock_text(first, zone_name), "end": zones.clock_text(last, zone_name)}
        return {"start": zones.written(self.start, zone_name), "end": zones.written(self.end, zone_name)}


def combined(old: Times | None, sent: dict[str, Any]) -> Times:
    """The times after a write of `start`, `end` (instant and zone name) and `isAllDay`, each kept when not sent; 400 when
    they make no event."""
    if old is None and ("start" not in sent or "end" not in sent):
        missing = "Start" if "start" not in sent else "End"
        raise GraphError(400, "ErrorInvalidRequest", f"The property 'Event.{missing}' is required in the request.")
    start, start_zone = sent.get("start") or (old.start, old.start_zone)  # type: ignore[union-attr]
    end, end_zone = sent.get("end") or (old.end, old.end_zone)  # type: ignore[union-attr]
    all_day = sent.get("isAllDay", old.all_day if old else False)
    times = Times(start, end, start_zone, end_zone, all_day)
    if all_day:
        _check_all_day(times)
    if end < start:  # code of EWS; that Graph uses it too: memory
        raise GraphError(400, "ErrorCalendarEndDateIsEarlierThanStartDate", "End date is earlier than the start date.")
    if end - start > _LONGEST:
        raise GraphError(400, "ErrorCalendarDurationIsTooLong", "The duration of the event is too long.")
    return times


def _check_all_day(times: Times) -> None:
    for name, wall in zip(("Start", "End"), times.walls(), strict=True):
        if wall.time() != time():
            raise invalid_property(f"The Event.{name} property for an all-day event needs to be set to midnight.")
    if zones.zone_named(times.start_zone) != zones.zone_named(times.end_zone):
        raise invalid_property("The start and end of an all-day event need to be in the same time zone.")
    first, last = times.walls()
    if last - first < timedelta(days=1):
        raise invalid_property("The duration of an event marked as All day must be at least 24 hours.")


def stamp(instant: datetime) -> str:
    """A DateTimeOffset, always UTC (8)."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
