"""Time zones as the mailbox server knows them: Windows names (CLDR, by tzlocal) and IANA names (BEHAVIOUR 8).

Pure. Instants are aware datetimes in UTC; a wall clock is a naive datetime beside the name of a zone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from tzlocal.windows_tz import win_tz

from emulators.graph.errors import GraphError, invalid_property

_WINDOWS = {name.casefold(): iana for name, iana in win_tz.items()}
_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d:\d\d)?")


@cache
def _iana() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}


@cache
def find_zone(name: str) -> ZoneInfo | None:
    """The zone of a Windows or IANA name, without case; `tzone://Microsoft/...` are no valid names (8)."""
    folded = name.casefold()
    iana = _WINDOWS.get(folded) or _iana().get(folded)
    return ZoneInfo(iana) if iana else None


def zone_named(name: str) -> ZoneInfo:
    """As `find_zone`; 400 for a name that the server does not have (8; code and text: memory)."""
    zone = find_zone(name)
    if zone is None:
        message = "A valid TimeZone value must be specified. The following TimeZone value is not supported: "
        raise GraphError(400, "TimeZoneNotSupportedException", f"{message}'{name}'.")
    return zone


def to_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a wall clock. The hour that comes twice is the second, standard one; one that is skipped goes on by the
    offset before the change (memory: what .NET does; nothing documented)."""
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if second.astimezone(zone).replace(tzinfo=None) == wall:
        return second
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def to_wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """The wall clock of an instant, naive."""
    return instant.astimezone(zone).replace(tzinfo=None)


def read_moment(name: str, value: Any) -> tuple[datetime, str]:
    """Instant and zone name of a dateTimeTimeZone as sent; 400 otherwise."""
    if not isinstance(value, dict) or not isinstance(value.get("dateTime"), str):
        raise _wrong(name)
    zone_name = value.get("timeZone") or "UTC"
    if not isinstance(zone_name, str) or any(key not in ("dateTime", "timeZone") and "@" not in key for key in value):
        raise _wrong(name)
    zone = zone_named(zone_name)
    match = _CLOCK.fullmatch(value["dateTime"])
    try:
        if match is None:
            raise ValueError(value["dateTime"])
        wall = datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}")
        wall += timedelta(microseconds=int((match[3] or "0").ljust(6, "0")[:6]))
        if match[4]:  # an offset in the text says the instant; the zone stays what it is (memory)
            offset = "+00:00" if match[4] == "Z" else match[4]
            return datetime.fromisoformat(wall.isoformat() + offset).astimezone(UTC), zone_name
        return to_utc(wall, zone), zone_name
    except (ValueError, OverflowError) as error:
        raise _wrong(name) from error


def written(instant: datetime, zone_name: str) -> dict[str, str]:
    """A dateTimeTimeZone as the service writes it: 7 decimals (7.2)."""
    return clock_text(to_wall(instant, zone_named(zone_name)), zone_name)


def clock_text(wall: datetime, zone_name: str) -> dict[str, str]:
    """A dateTimeTimeZone of a wall clock that is not to be converted."""
    return {"dateTime": f"{wall:%Y-%m-%dT%H:%M:%S}.{wall.microsecond:06d}0".rjust(27, "0"), "timeZone": zone_name}


def read_instant(name: str, text: str) -> datetime:
    """A query parameter as an instant: its offset counts, UTC without one, never a header (8)."""
    try:
        # a "+" that was not encoded arrives as a space
        moment = datetime.fromisoformat(text.strip().replace(" ", "+").replace("Z", "+00:00"))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"The value '{text}' of parameter '{name}' is invalid."
        raise GraphError(400, "ErrorInvalidParameter", message) from error


def _wrong(name: str) -> GraphError:
    return invalid_property(
        f"Cannot convert the value of property '{name}' to the expected type 'microsoft.graph.dateTimeTimeZone'."
    )
