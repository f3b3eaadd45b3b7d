"""An event's columns as the item's fields, and back. Pure.

Five columns are one `when`, a reminder is minutes here and seconds when it is written, and `ical_uuid` with `recurr_idx` is what identifies
an event: set on creation, never after (API.md 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sync.event_names import UID_LENGTH
from sync.model import Value
from sync.sides.vtenext.invitees import KEY as INVITEES
from sync.sides.vtenext.invitees import from_row
from sync.sides.vtenext.zones import to_utc
from sync.spans import from_server, server_holds, to_server

UID, INDEX, CREATED, RECURRING = "ical_uuid", "recurr_idx", "createdtime", "recurringtype"
NOT_RECURRING = frozenset({"", "--None--"})
FIRST_DAY, LAST_DAY = "date_start", "due_date"
WHEN, REMINDER = "when", "reminder_time"
TEXTS = ("subject", "location", "description", "visibility", "taskpriority", REMINDER)
ORGANIZER, CONTACT = "organizer", "contact_id"
COLUMNS = (
    FIRST_DAY,
    "time_start",
    LAST_DAY,
    "time_end",
    "is_all_day_event",
    UID,
    INDEX,
    CREATED,
    RECURRING,
    ORGANIZER,
    CONTACT,
)
"""Read of every event besides what is shown as it is."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """What vtenext demands of a new event and a mailbox does not know."""

    activitytype: str = "Meeting"
    eventstatus: str = "Planned"

    def columns(self) -> dict[str, str]:
        """`duration_hours` is demanded and recomputed (API.md 7.1)."""
        return {"activitytype": self.activitytype, "eventstatus": self.eventstatus, "duration_hours": "0"}


PLANNED_MEETING = NewEvent()


def fields_of(row: Mapping[str, str], zone: ZoneInfo) -> dict[str, Value]:
    """What the item says instead of the raw columns. `zone`: the server's, in which our account reads by every operation (API.md 6).

    `invitees` only of a row that shows them.
    """
    people = from_row(row)
    listed: dict[str, Value] = {} if people is None else {INVITEES: people}
    return {
        **listed,
        "organizer_address": row.get(ORGANIZER, "").strip().lower(),
        "contact_id": row.get(CONTACT, ""),
        WHEN: from_server(row, zone),
        "uid": row[UID],
        "slot": row[INDEX],
        "created": to_utc(row[CREATED], zone),
        "recurring": "" if row.get(RECURRING, "") in NOT_RECURRING else "1",  # said by a series's first record only
    }


def stamp_of(row: Mapping[str, str]) -> str:
    """`uid|slot`, '' for a record that never got a uid."""
    return f"{row[UID]}|{row[INDEX]}" if row[UID] else ""


def identity_of(stamp: str) -> dict[str, str]:
    """The columns that a stamp `uid|slot` is kept in. Raises ValueError when it is none, or the uid would be cut."""
    uid, _, index = stamp.rpartition("|")
    if not 0 < len(uid) <= UID_LENGTH or not (index.isascii() and index.isdecimal()):
        raise ValueError(f"the stamp of an event is `uid|slot`, with a uid of 1 to {UID_LENGTH} characters")
    return {UID: uid, INDEX: index}


def changed(fields: Mapping[str, Value], held: Mapping[str, Value], zone: ZoneInfo) -> dict[str, Value]:
    """Those of `fields` that the record does not hold already; the hour that comes twice is held as its second pass."""
    given = dict(fields)
    if WHEN in given:
        given[WHEN] = server_holds(str(given[WHEN]), zone)
    return {name: value for name, value in given.items() if held.get(name) != value}


def columns_of(fields: Mapping[str, str], zone: ZoneInfo) -> dict[str, object]:
    """Fields as vtenext takes them, invitees aside. Raises ValueError for a `when` that is no span.

    The times always travel together; no reminder is never sent: as it cannot be removed, `0` would change nothing (API.md 7.4).
    """
    element: dict[str, object] = {n: v for n, v in fields.items() if n not in {WHEN, REMINDER, "organizer_address"}}
    if "organizer_address" in fields:  # a plain string is ignored (API.md 7.5)
        element[ORGANIZER] = {"type": "Other", "value": fields["organizer_address"]}
    if WHEN in fields:
        element |= to_server(fields[WHEN], zone)
    minutes = fields.get(REMINDER, "")
    if minutes not in {"", "0"}:
        element[REMINDER] = str(60 * int(minutes))
    return element
