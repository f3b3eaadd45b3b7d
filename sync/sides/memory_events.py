"""What a vtenext in memory makes of events: the losses of API.md 3.7, 6, 7.4 and 7.7, written a second time. Pure.

Knows nothing of `sync.spans` or `mapping`: a mistake there must not be made here too.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.sides.base import New, Revise, Write

UID_LENGTH = 127
GLOBAL_OBJECT = "040000008200E00074C5B7101A82E008"


def ical_uid(name: str) -> str:
    """The iCalUId of an event or series that is called so here: a GlobalObjectId in hex."""
    return f"{GLOBAL_OBJECT}{'0' * 32}10000000{name.encode().hex().upper()}"


def uid_on(uid: str, slot: str) -> str:
    """What the iCalUId becomes for one occurrence: its original day is in it (BEHAVIOUR 5.2)."""
    day = date.fromisoformat(slot)
    head = len(GLOBAL_OBJECT)
    return f"{uid[:head]}{day.year:04X}{day.month:02X}{day.day:02X}{uid[head + 8 :]}"


def held_span(when: str, zone: ZoneInfo) -> str:
    """A span as wall clocks of `zone` can hold it: of the hour that comes twice only the second one, and no end before its start."""
    if not when:
        return ""
    start, end = (_second(moment, zone) for moment in when.split("/"))
    return f"{start}/{max(start, end)}"


def _second(moment: str, zone: ZoneInfo) -> str:
    if "T" not in moment:
        return moment
    wall = datetime.fromisoformat(moment).astimezone(zone)
    return wall.replace(fold=1).astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def last_day(when: str, zone: ZoneInfo) -> str:
    """The date on which a span ends by the wall clock, '' when there is no span."""
    last = when.rpartition("/")[2]
    return datetime.fromisoformat(last).astimezone(zone).date().isoformat() if "T" in last else last


def first_day(when: str, zone: ZoneInfo) -> date | None:
    """The date on which a span begins by the wall clock, None when there is no span."""
    first = when.partition("/")[0]
    if not first:
        return None
    return datetime.fromisoformat(first).astimezone(zone).date() if "T" in first else date.fromisoformat(first)


def held_reminder(minutes: str) -> str:
    """A reminder that was written: none when nothing or zero is asked for, and a whole hour gets a minute more."""
    if minutes in {"", "0"}:
        return ""
    return str(int(minutes) + 1) if int(minutes) % 60 == 0 else minutes


def check(write: Write) -> None:
    """Raises ValueError for a write of an event that can never be right: a stamp that would not come back, no time."""
    if isinstance(write, New):
        taken_apart(write.stamp)
    if isinstance(write, New) or (isinstance(write, Revise) and "when" in write.fields):
        when = str(write.fields.get("when", ""))
        if not re.fullmatch(r"([-\d]{10}/[-\d]{10}|[-\d]{10}T[:\d]{5}Z/[-\d]{10}T[:\d]{5}Z)", when):
            raise ValueError(f"not a span: {when!r}")


def taken_apart(stamp: str) -> dict[str, str]:
    """The uid and slot that a stamp `uid|slot` stands for. Raises ValueError when it is none, or does not fit the column."""
    uid, _, slot = stamp.rpartition("|")
    if not 0 < len(uid) <= UID_LENGTH or not slot.isdecimal():
        raise ValueError("the stamp of an event is `uid|slot`, with a uid of 1 to 127 characters")
    return {"uid": uid, "slot": slot}


def times_of(when: str) -> tuple[datetime, datetime] | None:
    """Start and end of an instant span; None for whole days."""
    first, _, last = when.partition("/")
    if "T" not in first:
        return None
    return datetime.fromisoformat(first.replace("Z", "+00:00")), datetime.fromisoformat(last.replace("Z", "+00:00"))


def over(when: str, zone: ZoneInfo) -> datetime:
    times = times_of(when)
    if times:
        return times[1]
    last = date.fromisoformat(when.partition("/")[2]) + timedelta(days=1)
    return datetime.combine(last, time(), zone).astimezone(UTC)
