"""Server time and UTC: vtenext keeps wall clock of one zone, with one-second precision and one hour a year twice. Pure.

The service account has the server's zone (probed at "test connection"), so every operation speaks the same wall clock (API.md 6).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sync.errors import Cause, StopConnector

OVERLAP = timedelta(seconds=120)
OVERLAP_AT_CHANGE = timedelta(hours=2)
_FORMAT = "%Y-%m-%d %H:%M:%S"


def zone_named(name: object) -> ZoneInfo:
    """The zone that the server names. Raises StopConnector when it names none that exists."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise StopConnector(Cause.CRM_USER_SETTINGS) from None


def same_clock(one: ZoneInfo, other: ZoneInfo, year: int) -> bool:
    """Do two zones (Rome and Berlin, UTC and Etc/UTC) show the same time all through this year and the next?"""
    first = datetime(year, 1, 1, 12, tzinfo=UTC)
    days = (first + timedelta(days=n) for n in range(0, 730, 5))
    return one.key == other.key or all(
        day.astimezone(one).utcoffset() == day.astimezone(other).utcoffset() for day in days
    )


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with seconds: what get_changes takes as a date (API.md 5)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> datetime:
    """The inverse of `iso`; any offset is taken."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def to_utc(server_time: str, zone: ZoneInfo) -> str:
    """A datetime as the server shows it, as ISO UTC; '' when it holds none (`0000-00-00 00:00:00`).

    In the hour that comes twice the first one is meant.
    """
    if len(server_time) != len("0000-00-00 00:00:00"):
        return ""
    try:
        wall = datetime.fromisoformat(server_time).replace(tzinfo=zone)
    except ValueError:
        return ""
    return iso(wall)


def to_server(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as the server's wall clock, for conditions of a query."""
    return moment.astimezone(zone).strftime(_FORMAT)


def near_change(moment: datetime, zone: ZoneInfo) -> bool:
    """Are clocks set back within two hours before or after this moment?"""
    before = (moment - OVERLAP_AT_CHANGE).astimezone(zone).utcoffset() or timedelta()
    after = (moment + OVERLAP_AT_CHANGE).astimezone(zone).utcoffset() or timedelta()
    return after < before


def rewound(moment: datetime, zone: ZoneInfo) -> datetime:
    """Where to read on from after `moment`: a save may commit late, and clocks set back show later times as earlier."""
    return moment - (OVERLAP_AT_CHANGE + OVERLAP if near_change(moment, zone) else OVERLAP)


def advanced(asked: datetime, last: datetime, zone: ZoneInfo) -> datetime:
    """The next `dateFrom` of a listing that has more: never the same again (API.md 5, endless loop).

    All records of the second `last` were answered, so it may be passed when it did not move. In the hour that comes twice the server may
    name the first one where the second is meant.
    """
    if last > asked:
        return last
    second = last.astimezone(zone).replace(fold=1).astimezone(UTC)
    return second if second > asked else asked + timedelta(seconds=1)
