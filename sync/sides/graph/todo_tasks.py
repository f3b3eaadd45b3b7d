"""A task of To Do as an `Item`, and fields of an `Item` as a task of To Do. Pure.

An item's id is `list|task`, because To Do knows a task only by both. Due and start are days: To Do keeps the midnight of the zone that they were
written in and tells it in UTC (BEHAVIOUR 7.3). Our stamp is the one linked resource that a task may have; tasks born in To Do get none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.model import Item, Kind, Side, Value
from sync.sides.graph.answers import Json, seconds
from sync.spans import zone_named

APPLICATION = "vtenext"
"""What our linked resource is called: To Do shows it under the task. Never change it: stamps are recognised by it."""
WHOLE = frozenset({"title", "status", "importance", "lastModifiedDateTime"})
DATES = {"due": "dueDateTime", "start": "startDateTime"}
HALF_A_DAY = timedelta(hours=12)


def task_id(list_id: str, task: str) -> str:
    """Our id of a task. Graph's ids hold no '|'."""
    return f"{list_id}|{task}"


def is_whole(task: Json) -> bool:
    """Does it show enough to be read as a whole task?"""
    return task.keys() >= WHOLE


def item_of(task: Json, list_id: str, mailbox: str, zone: ZoneInfo, stamp: str | None = None) -> Item:
    """The item that a task is. `stamp`: where it is known already; else what the answer shows."""
    return Item(
        side=Side.MAILBOX,
        kind=Kind.TASK,
        id=task_id(list_id, str(task["id"])),
        version=str(task.get("@odata.etag") or ""),
        fields=_fields_of(task, list_id, zone),
        owner=mailbox,
        stamp=stamp_of(task) if stamp is None else stamp,
        modified=seconds(str(task.get("lastModifiedDateTime") or "")),
    )


def stamp_of(task: Json) -> str:
    """Our stamp, where linked resources are shown."""
    ours = (each for each in task.get("linkedResources") or () if each.get("applicationName") == APPLICATION)
    return next((str(each.get("externalId") or "") for each in ours), "")


def _fields_of(task: Json, list_id: str, zone: ZoneInfo) -> dict[str, Value]:
    """What the task holds. Unset values come as null or are absent: both mean empty."""
    body = task.get("body") or {}
    reminder = task.get("reminderDateTime") if task.get("isReminderOn") else None
    return {
        "title": str(task.get("title") or ""),
        "body": str(body.get("content") or ""),
        "bodyType": str(body.get("contentType") or "text").lower(),
        "status": str(task.get("status") or "notStarted"),
        "importance": str(task.get("importance") or "normal"),
        "due": _day(task.get("dueDateTime"), zone),
        "start": _day(task.get("startDateTime"), zone),
        "reminder": _instant(reminder),
        "recurring": "1" if task.get("recurrence") else "",
        "completed": str((task.get("completedDateTime") or {}).get("dateTime") or "")[:10],
        "created": seconds(str(task.get("createdDateTime") or "")),
        "list": list_id,
        "categories": tuple(sorted(str(name) for name in task.get("categories") or ())),
    }


def _moment(value: Json | None) -> datetime | None:
    if not value or not value.get("dateTime"):
        return None
    wall = datetime.fromisoformat(str(value["dateTime"])[:19])
    return wall.replace(tzinfo=zone_named(str(value.get("timeZone") or "")) or UTC).astimezone(UTC)


def _day(value: Json | None, zone: ZoneInfo) -> str:
    """The day of the nearest local midnight: right for everybody who writes within twelve hours of this zone."""
    moment = _moment(value)
    return (moment.astimezone(zone) + HALF_A_DAY).date().isoformat() if moment else ""


def _instant(value: Json | None) -> str:
    moment = _moment(value)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def task_of(fields: Mapping[str, Value], zone: ZoneInfo, stamp: str = "") -> dict[str, Any]:
    """The body of a POST (with `stamp`) or PATCH for these fields. Raises ValueError for a field that is not written, or a day that is none."""
    task: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case "title" | "status" | "importance":
                task[name] = value
            case "body":
                task["body"] = {"content": value, "contentType": "text"}
            case "due" | "start":
                task[DATES[name]] = _midnight(str(value), zone)
            case _:
                raise ValueError(f"not a field of a task that is written: {name}")
    if stamp:
        task["linkedResources"] = [{"applicationName": APPLICATION, "displayName": APPLICATION, "externalId": stamp}]
    return task


def _midnight(day: str, zone: ZoneInfo) -> dict[str, str] | None:
    if not day:
        return None
    return {"dateTime": f"{date.fromisoformat(day).isoformat()}T00:00:00", "timeZone": zone.key}
