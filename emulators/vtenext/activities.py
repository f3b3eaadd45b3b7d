"""The columns of events and tasks that are computed on the way in (API.md 6, 7, 8). Pure, apart from new ids.

Storage only: invitees and their mails are in invitees.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from emulators.vtenext import columns, zones
from emulators.vtenext.state import User
from emulators.vtenext.views import ACTIVITY_TIMES

SPECIAL = frozenset(
    {"date_start", "time_start", "due_date", "time_end", "duration_hours", "duration_minutes"}
    | {"reminder_time", "organizer", "ical_uuid", "recurr_idx"}
)


def identify(row: dict[str, str], given: Mapping[str, Any], new_uid: Callable[[], str]) -> None:
    """``ical_uuid`` and ``recurr_idx`` can be set on create and never again (ws-events-external-uid)."""
    row["ical_uuid"] = columns.mangle_astral(columns.text_of(given.get("ical_uuid")))[:127] or new_uid()
    index = columns.text_of(given.get("recurr_idx"))
    row["recurr_idx"] = index if index.isdecimal() else "0"


def write_times(row: dict[str, str], given: Mapping[str, Any], caller: User, server_zone: str) -> None:
    """Start and end come in the caller's zone; the half of a pair that is not given stays (API.md 3.2)."""
    for date, time in ACTIVITY_TIMES:
        if date not in given and time not in given:
            continue
        day, clock = zones.shift(row[date], row[time], server_zone, caller.zone)
        if date in given:
            day = zones.stored_date(columns.text_of(given[date]), caller.date_format)
        if time in given:
            clock = zones.short_time(columns.text_of(given[time]))
        row[date], row[time] = zones.shift(day, clock, caller.zone, server_zone)


def write_special(row: dict[str, str], given: Mapping[str, Any], module: str) -> None:
    """Duration is recomputed always, reminder and organizer when given."""
    start, end = ((row[date], row[time]) for date, time in ACTIVITY_TIMES)
    row["duration_hours"], row["duration_minutes"] = zones.hours_and_minutes(start, end)
    if module == "Events" and "reminder_time" in given:
        row["reminder_time"] = reminder_minutes(columns.text_of(given["reminder_time"])) or row["reminder_time"]
    organizer = given.get("organizer")
    if isinstance(organizer, Mapping):  # a plain string is ignored (API.md 7.5)
        row["organizer"] = columns.text_of(organizer.get("value")) if organizer.get("type") == "Other" else ""


def reminder_minutes(seconds: str) -> str:
    """Written in seconds, read in minutes; no minutes become one; nothing or 0 writes nothing (API.md 7.4)."""
    if not seconds.isdecimal() or seconds == "0":
        return ""
    minutes = int(seconds) // 60
    return str(minutes + 1 if minutes % 60 == 0 else minutes)
