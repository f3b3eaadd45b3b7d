"""A task's columns as the item's fields. Pure.

Tasks are records of the module Calendar that must say so themselves (API.md 8); `ical_uuid` carries our stamp: it is set on creation and never
changes (API.md 7.7).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from sync.event_names import UID_LENGTH
from sync.sides.vtenext.query import quoted
from sync.sides.vtenext.zones import to_utc

UID, CREATED, STATUS = "ical_uuid", "createdtime", "taskstatus"
TEXTS = ("subject", "description", STATUS, "taskpriority", "date_start", "due_date")
COLUMNS = (UID, CREATED)
"""Read of every task besides what is shown as it is."""

NEW: Mapping[str, str] = MappingProxyType({"activitytype": "Task"})
"""Without it the record is an event for everybody but the answer of `create` (ws-tasks-missing-activitytype)."""

OPEN = f"{STATUS} != {quoted('Completed')}"
"""The condition for tasks that are still to be done."""


def fields_of(row: Mapping[str, str], zone: ZoneInfo) -> dict[str, str]:
    """What the item says instead of the hidden columns. `zone`: the server's."""
    return {"uid": row[UID], "created": to_utc(row[CREATED], zone)}


def check_stamp(stamp: str) -> None:
    """Raises ValueError for a stamp that `ical_uuid` would not give back."""
    if not 0 < len(stamp) <= UID_LENGTH:
        raise ValueError(f"the stamp of a task has 1 to {UID_LENGTH} characters")
