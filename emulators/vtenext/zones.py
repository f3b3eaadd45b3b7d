"""Wall clocks: the server keeps its own, callers have theirs, and each operation picks one (API.md 6). Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

_STAMP = "%Y-%m-%d %H:%M:%S"
_NO_DATE = "0000-00-00"
_ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_OFFSET_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:?\d\d)")
_SECONDS = re.compile(r"(\d\d:\d\d):\d\d")


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=1024)
def wall_clock(at: datetime, name: str) -> str:
    """An instant as the wall clock of a zone shows it, to the second."""
    return at.astimezone(zone(name)).strftime(_STAMP)


@lru_cache(maxsize=4096)
def convert(stamp: str, source: str, target: str) -> str:
    """A wall clock of one zone as another zone's; empty and zero dates stay as they are."""
    if source == target or not stamp or stamp.startswith(_NO_DATE):
        return stamp
    return _parse(stamp, source).astimezone(zone(target)).strftime(_STAMP)


def epoch(stamp: str, name: str) -> int:
    """Seconds since 1970 of a wall clock; the repeated hour in autumn counts as its first turn."""
    return int(_parse(stamp, name).timestamp())


def shift(date: str, time: str, source: str, target: str) -> tuple[str, str]:
    """Date and ``hh:mm`` moved between zones; a date without a usable time stays (API.md 8).

    Of the hour repeated in autumn the second pass is meant: 00:30Z and 01:30Z both come back as 01:30Z (API.md 6).
    """
    if source == target or not _ISO_DATE.fullmatch(date) or date == _NO_DATE:
        return date, time
    try:
        moved = _moved(f"{date} {time}:00", source, target)
    except ValueError:  # 25:00 is stored as it is (API.md 6)
        return date, time
    return moved[:10], moved[11:16]


@lru_cache(maxsize=4096)
def _moved(stamp: str, source: str, target: str) -> str:
    passes = (_parse(stamp, source).replace(fold=fold) for fold in (0, 1))
    return max(passes, key=datetime.timestamp).astimezone(zone(target)).strftime(_STAMP)


def short_time(value: str) -> str:
    """Seconds are dropped, the rest is kept unchecked (API.md 6)."""
    found = _SECONDS.fullmatch(value)
    return found.group(1) if found else value


def server_time_of(iso: str, name: str) -> str | None:
    """``dateFrom`` in server time; ``None`` unless ISO 8601 with offset, no fractions (ws-get-changes-errors)."""
    if not _OFFSET_TIME.fullmatch(iso):
        return None
    try:
        at = datetime.fromisoformat(iso.replace("Z", "+00:00"))
    except ValueError:
        return None
    return wall_clock(at.astimezone(UTC), name)


def shown_date(value: str, date_format: str) -> str:
    """A stored date in the caller's format."""
    if date_format == "yyyy-mm-dd" or not _ISO_DATE.fullmatch(value):
        return value
    year, month, day = value.split("-")
    return f"{day}-{month}-{year}" if date_format == "dd-mm-yyyy" else f"{month}-{day}-{year}"


def stored_date(value: str, date_format: str) -> str:
    """yyyy-mm-dd from anybody, dd-mm-yyyy from its users, else 0000-00-00 without a word (API.md 6)."""
    if not value:
        return ""
    day_first = re.fullmatch(r"(\d\d)-(\d\d)-(\d{4})", value)
    if day_first and date_format == "dd-mm-yyyy":
        value = "-".join(reversed(day_first.groups()))
    try:
        return datetime.strptime(value[:10], "%Y-%m-%d").strftime("%Y-%m-%d")  # noqa: DTZ007
    except ValueError:
        return _NO_DATE


def hours_and_minutes(start: tuple[str, str], end: tuple[str, str]) -> tuple[str, str]:
    """The computed duration of an activity; a missing time counts as midnight (ws-tasks-crud: 39 hours)."""
    try:
        first, last = (datetime.strptime(f"{d} {t or '00:00'}", "%Y-%m-%d %H:%M") for d, t in (start, end))  # noqa: DTZ007
    except ValueError:
        return "0", "0"
    minutes = max(0, int((last - first).total_seconds()) // 60)
    return str(minutes // 60), str(minutes % 60)


def _parse(stamp: str, name: str) -> datetime:
    return datetime.strptime(stamp, _STAMP).replace(tzinfo=zone(name))
