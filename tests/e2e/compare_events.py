"""Do a record of the CRM's calendar and an event of Outlook's say the same? By a reading of its own: no code of the product.

Both are read as the poorer side can show them: the clock on the server's wall, texts cut and mangled as vtenext does it (API.md 3.7),
bodies without their markup, reminders that never are whole hours (API.md 7.4), private events of Exchange as busy blocks (SPEC 2.10).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.e2e.compare import Json, Values, held

WALL = ZoneInfo("Europe/Rome")
LENGTHS = {"name": 100, "location": 150}
BUSY, NAMELESS = "(occupato)", "(senza oggetto)"
PRIORITIES = {"high": "High", "low": "Low"}
_MARK = re.compile(r"^\s*(?:-|\d+\.)\s+", re.MULTILINE)


def event_record(row: Json) -> Values:
    """A row of Events."""
    return _values(
        name=row["subject"],
        location=row["location"],
        notes=row["description"],
        when=record_when(row),
        visibility="Private" if row["visibility"] == "Private" else "Standard",
        importance=row["taskpriority"] if row["taskpriority"] in PRIORITIES.values() else "Medium",
        reminder=row["reminder_time"] if row["reminder_time"] != "0" else "",
    )


def event_item(event: Json, *, readable: bool = False) -> Values:
    """A single event or an occurrence, with its body as text and its times in UTC. `readable`: the CRM shows it although it is private."""
    busy = event["sensitivity"] in ("private", "confidential") and not readable
    return _values(
        name=BUSY if busy else event["subject"] or NAMELESS,
        location="" if busy else event["location"].get("displayName"),
        notes="" if busy else event["body"]["content"],
        when=item_when(event),
        visibility="Standard" if event["sensitivity"] == "normal" else "Private",
        importance=PRIORITIES.get(event["importance"], "Medium"),
        reminder=_minutes(event),
    )


def record_when(row: Json) -> str:
    """From when to when, as the server's wall shows it; all-day: first and last day."""
    first, last = row["date_start"], row["due_date"]
    if row["is_all_day_event"] == "1":
        return f"{first} - {last}"
    return f"{first} {row['time_start']} - {last} {row['time_end']}"


def item_when(event: Json) -> str:
    """The same of Outlook's event: its all-day end is the day after the last."""
    start, end = (str(event[name]["dateTime"]) for name in ("start", "end"))
    if event["isAllDay"]:
        last = date.fromisoformat(end[:10]) - timedelta(days=1)
        return f"{start[:10]} - {last}"
    return f"{_on_wall(start)} - {_on_wall(end)}"


def over(when: str, now: datetime) -> bool:
    """Has it ended by then?"""
    last = when.rpartition(" - ")[2]
    return last < f"{now.astimezone(WALL):%Y-%m-%d %H:%M}"[: len(last)]


def day_of(when: str) -> date:
    """The day on which it begins."""
    return date.fromisoformat(when[:10])


def slot_of(occurrence: Json) -> str:
    """The local date of an occurrence's original start, in the zone of its series."""
    original = datetime.fromisoformat(occurrence["originalStart"].replace("Z", "+00:00"))
    return original.astimezone(zone_of(occurrence)).date().isoformat()


def zone_of(event: Json) -> ZoneInfo:
    """The zone that an event is written in; of Windows' names those of the sample data."""
    name = str(event["originalStartTimeZone"])
    windows = {"Eastern Standard Time": "America/New_York", "W. Europe Standard Time": "Europe/Berlin"}
    return ZoneInfo(windows.get(name, name))


def _on_wall(moment: str) -> str:
    return f"{datetime.fromisoformat(moment[:16]).replace(tzinfo=UTC).astimezone(WALL):%Y-%m-%d %H:%M}"


def _minutes(event: Json) -> str:
    """vtenext turns no minutes into one: 60 reads 61, 1440 reads 1441 (API.md 7.4)."""
    minutes = int(event["reminderMinutesBeforeStart"])
    if not event["isReminderOn"]:
        return ""
    return str(minutes if minutes % 60 else minutes + 1)


def _values(**raw: Any) -> Values:
    texts = {name: held(name, value, LENGTHS) for name, value in raw.items()}
    texts["notes"] = "".join(_MARK.sub("", texts["notes"]).split())  # blanks and list marks are how a text is laid out
    return tuple(sorted(texts.items()))
