"""When something happens, in the three spellings that meet here: our span text, Graph's pair of dateTimeTimeZone, vtenext's five columns.

An all-day event is a pair of dates and never an instant; everything else is a pair of instants. What vtenext cannot hold (the
pass of the repeated autumn hour) is said by `server_holds`, so that the loss is never taken for an edit. This module never asks
the machine for a zone or a time: zones are arguments, zone data is zoneinfo's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from tzlocal.windows_tz import win_tz

YEARS = range(1601, 4500)  # what Exchange can hold (MS-DTYP FILETIME to Outlook's last day, 4500-08-31)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DateSpan:
    """All-day: first and last day, both included. A last day before the first is read as the first."""

    first: date
    last: date

    def __post_init__(self) -> None:
        object.__setattr__(self, "last", max(self.first, self.last))
        _possible(self.first, self.last)


@dataclass(frozen=True, slots=True)
class InstantSpan:
    """Two aware instants, kept in UTC and whole minutes (seconds are cut). An end before the start is read as the start."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        _possible(self.start, self.end)
        start, end = _minutes(self.start), _minutes(self.end)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "end", max(start, end))


Span = DateSpan | InstantSpan


def _possible(*days: date) -> None:
    for day in days:
        if day.year not in YEARS:
            raise ValueError(f"{day.isoformat()} is outside of what a calendar can hold")


def _minutes(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(second=0, microsecond=0)


# our text


def span_text(span: Span) -> str:
    """`2026-11-23T09:00Z/2026-11-23T10:00Z`, or all-day with the last day included `2026-11-23/2026-11-24`."""
    if isinstance(span, DateSpan):
        return f"{span.first.isoformat()}/{span.last.isoformat()}"
    return "/".join(
        f"{instant.replace(tzinfo=None).isoformat(timespec='minutes')}Z" for instant in (span.start, span.end)
    )


_INSTANTS = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)Z/(\d{4}-\d\d-\d\dT\d\d:\d\d)Z", re.ASCII)
_DATES = re.compile(r"(\d{4}-\d\d-\d\d)/(\d{4}-\d\d-\d\d)", re.ASCII)


def read_span(text: str) -> Span:
    """The span that `span_text` wrote. ValueError for anything else, '' included."""
    if found := _INSTANTS.fullmatch(text):
        return InstantSpan(*(datetime.fromisoformat(part).replace(tzinfo=UTC) for part in found.groups()))
    if found := _DATES.fullmatch(text):
        return DateSpan(*(date.fromisoformat(part) for part in found.groups()))
    raise ValueError(f"not a span: {text!r}")


def starts_at(text: str, zone: ZoneInfo) -> datetime:
    """The instant (UTC) when it begins; all-day: midnight of the first day, in this zone."""
    span = read_span(text)
    return span.start if isinstance(span, InstantSpan) else in_utc(datetime.combine(span.first, time()), zone)


def ends_at(text: str, zone: ZoneInfo) -> datetime:
    """The instant (UTC) when it is over; all-day: midnight after the last day, in this zone."""
    span = read_span(text)
    return span.end if isinstance(span, InstantSpan) else in_utc(datetime.combine(span.last + DAY, time()), zone)


# zones


_UTC_NAMES = {"utc", "tzone://microsoft/utc"}  # BEHAVIOUR 8
_WINDOWS = {name.casefold(): iana for name, iana in win_tz.items()}


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA or Windows name (CLDR's mapping). None for `tzone://Microsoft/Custom`, '' and whatever is unknown."""
    if name.casefold() in _UTC_NAMES:
        return ZoneInfo("UTC")
    known = _WINDOWS.get(name.casefold(), name)
    if known.casefold() == "localtime":  # on some systems a link to the machine's own zone, not a name
        return None
    try:
        return ZoneInfo(known)
    except (KeyError, ValueError, OSError):  # unknown; not a key at all ('', '../x', NUL); a folder ('Europe')
        return None


def in_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall clock's reading. The hour repeated in autumn is its second pass, as vtenext (API.md 6) and Windows
    (TimeZoneInfo.ConvertTimeToUtc: "assumes standard time") read it; an hour skipped in spring is read with the offset before."""
    readings = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return max(readings)


def on_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall there shows, without a zone."""
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


# Graph


def from_graph(start: Mapping[str, str], end: Mapping[str, str], all_day: bool) -> Span:
    """The span of an event's start and end as Graph answers them. ValueError if the times or the zone make no sense.

    All-day: always midnight to midnight in whatever zone was asked for, so the date part counts and nothing is converted
    (BEHAVIOUR 7.2); Graph's end is exclusive.
    """
    if all_day:
        first, after = (date.fromisoformat(moment["dateTime"][:10]) for moment in (start, end))
        _possible(first, after)
        return DateSpan(first, after - DAY)
    return InstantSpan(_graph_instant(start), _graph_instant(end))


def _graph_instant(moment: Mapping[str, str]) -> datetime:
    zone = zone_named(moment["timeZone"])
    if zone is None:
        raise ValueError(f"unknown zone {moment['timeZone']!r}")
    wall = datetime.fromisoformat(moment["dateTime"][:16])  # Graph writes seven decimals; seconds are cut anyway
    _possible(wall)
    return in_utc(wall, zone)


def to_graph(span: Span, zone: ZoneInfo) -> dict[str, object]:
    """`start`, `end` and `isAllDay`, written in this zone; all three belong in one request (BEHAVIOUR 7.2)."""
    if isinstance(span, DateSpan):
        midnights = (datetime.combine(day, time()) for day in (span.first, span.last + DAY))
        start, end = ({"dateTime": _seconds(wall), "timeZone": zone.key} for wall in midnights)
    else:
        start, end = _moment(span.start, zone), _moment(span.end, zone)
    return {"start": start, "end": end, "isAllDay": isinstance(span, DateSpan)}


def _moment(instant: datetime, zone: ZoneInfo) -> dict[str, str]:
    wall = on_wall(instant, zone)
    if in_utc(wall, zone) != instant:  # the first pass of the repeated hour: no wall clock there can say it
        return {"dateTime": _seconds(on_wall(instant, ZoneInfo("UTC"))), "timeZone": "UTC"}
    return {"dateTime": _seconds(wall), "timeZone": zone.key}


def _seconds(wall: datetime) -> str:
    return wall.isoformat(timespec="seconds")


# vtenext


_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::\d{1,2})?", re.ASCII)


def from_server(row: Mapping[str, str], zone: ZoneInfo) -> str:
    """Span text of vtenext's five columns, in the server's zone; '' when they hold no usable start. Never raises.

    vtenext stores any text as a time ('25:00', '9:5': API.md 6). An end that cannot be read is the start.
    """
    try:
        first = _column_date(row, "date_start")
        last = _column_date(row, "due_date")
        if first is None:
            return ""
        if row.get("is_all_day_event") == "1":
            return span_text(DateSpan(first, last or first))
        start = _column_wall(first, row.get("time_start", ""))
        if start is None:
            return ""
        end = _column_wall(last or first, row.get("time_end", "")) or start
        return span_text(InstantSpan(in_utc(start, zone), in_utc(end, zone)))
    except (ValueError, OverflowError):  # outside of what a calendar, or a datetime, can hold
        return ""


def _column_date(row: Mapping[str, str], column: str) -> date | None:
    try:
        return date.fromisoformat(row.get(column, "").strip()[:10])
    except ValueError:  # '', '0000-00-00', a date in another format
        return None


def _column_wall(day: date, clock: str) -> datetime | None:
    found = _CLOCK.fullmatch(clock.strip())
    hour, minute = (int(part) for part in found.groups()) if found else (99, 99)
    if hour == 24 and minute == 0:  # midnight at the end of the day
        return datetime.combine(day + DAY, time())
    return datetime.combine(day, time(hour, minute)) if hour < 24 and minute < 60 else None


def to_server(text: str, zone: ZoneInfo) -> dict[str, str]:
    """vtenext's five columns, in the server's zone: all-day is 00:00 to 23:59 with the last day included (API.md 7.2)."""
    span = read_span(server_holds(text, zone))
    if isinstance(span, DateSpan):
        start, end = datetime.combine(span.first, time()), datetime.combine(span.last, time(23, 59))
    else:
        start, end = on_wall(span.start, zone), on_wall(span.end, zone)
    return {
        "date_start": start.date().isoformat(),
        "time_start": start.strftime("%H:%M"),
        "due_date": end.date().isoformat(),
        "time_end": end.strftime("%H:%M"),
        "is_all_day_event": str(int(isinstance(span, DateSpan))),
    }


def server_holds(text: str, zone: ZoneInfo) -> str:
    """The span as vtenext can hold it in its zone: the repeated hour becomes its second pass, and an end then before its start
    becomes the start. Everything else is unchanged."""
    span = read_span(text)
    if isinstance(span, DateSpan):
        return span_text(span)
    return span_text(InstantSpan(*(in_utc(on_wall(instant, zone), zone) for instant in (span.start, span.end))))
