"""What the service makes of an event's properties: which it takes, in which form it keeps them, what it refuses.

Pure: payload in, values out (BEHAVIOUR 7.2). Times and rules are checked in their own modules; how an event reads is said in
`event_view.py`.
"""

from __future__ import annotations

from typing import Any

from emulators.graph import event_html, recurrence
from emulators.graph.contact_body import accept_extended
from emulators.graph.errors import GraphError, invalid_property
from emulators.graph.http import Json
from emulators.graph.zones import read_moment

ENUMS = {
    "sensitivity": ("normal", "personal", "private", "confidential"),
    "importance": ("low", "normal", "high"),
    "showAs": ("unknown", "free", "tentative", "busy", "oof", "workingElsewhere"),
    "onlineMeetingProvider": ("unknown", "skypeForBusiness", "skypeForConsumer", "teamsForBusiness"),
}
FLAGS = ("isReminderOn", "responseRequested", "allowNewTimeProposals", "hideAttendees", "isOnlineMeeting")
SERVER = frozenset({
    "id", "changeKey", "createdDateTime", "lastModifiedDateTime", "bodyPreview", "hasAttachments", "iCalUId",
    "isCancelled", "isDraft", "isOrganizer", "organizer", "onlineMeeting", "onlineMeetingUrl", "originalStart",
    "originalStartTimeZone", "originalEndTimeZone", "responseStatus", "seriesMasterId", "type", "webLink",
    "cancelledOccurrences", "calendar", "instances", "exceptionOccurrences",
})  # fmt: skip
OTHERS = frozenset({
    "attendees", "body", "categories", "end", "isAllDay", "location", "locations", "recurrence",
    "reminderMinutesBeforeStart", "start", "subject", "transactionId",
})  # fmt: skip
SELECTABLE = SERVER | OTHERS | set(ENUMS) | set(FLAGS)
DEFAULTS: Json = {
    "subject": "", "body": "", "location": {}, "locations": [], "attendees": [], "categories": [],
    "sensitivity": "normal", "importance": "normal", "showAs": "busy", "isReminderOn": True,
    "responseRequested": True, "allowNewTimeProposals": True, "hideAttendees": False, "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown", "transactionId": None,
}  # fmt: skip
_LOCATION = (
    "displayName", "locationType", "locationUri", "locationEmailAddress", "uniqueId", "uniqueIdType", "address",
    "coordinates",
)  # fmt: skip
_TYPES = ("required", "optional", "resource")
_RESPONSES = (None, "none", "organizer", "tentativelyAccepted", "accepted", "declined", "notResponded")


def reminder_minutes(all_day: bool) -> int:
    """The reminder nobody chose: 15 minutes, 18 hours for all-day events (7.2)."""
    return 1080 if all_day else 15


def accept(body: Json, *, long_subject: str = "refused") -> tuple[Json, dict[str, str | None]]:
    """Checked values of a POST or PATCH, and its extended properties; null = the default. 400 otherwise."""
    values: Json = {}
    extended: dict[str, str | None] = {}
    for name, value in body.items():
        if "@" in name or name in SERVER:
            continue  # annotations, and what only the server sets: without effect
        if name == "singleValueExtendedProperties":
            extended = accept_extended(value)
        elif name in ("extensions", "multiValueExtendedProperties", "attachments"):
            raise GraphError(501, "NotImplemented", f"'{name}' is not supported by this emulator.")
        elif name in ENUMS:
            values[name] = _enum(name, value)
        elif name in FLAGS or name == "isAllDay":
            values[name] = _flag(name, value)
        elif name in ("start", "end"):
            values[name] = read_moment(name, value)
        elif name == "recurrence":
            values[name] = recurrence.accept(value)
        elif name in _READERS:
            values[name] = _READERS[name](name, value)
        else:  # misspelt names are refused, as on other types
            raise invalid_property(f"The property '{name}' does not exist on type 'microsoft.graph.event'.")
    _check_subject(values, long_subject)
    if "location" in values:  # kept in step; writing one wipes the other places (7.2)
        values["locations"] = [values["location"]] if values["location"] else []
    elif "locations" in values:
        values["location"] = values["locations"][0] if values["locations"] else {}
    return values, extended


def _check_subject(values: Json, long_subject: str) -> None:
    if len(values.get("subject", "")) > 255:  # memory
        if long_subject == "refused":
            raise invalid_property("The length of the property 'Subject' exceeds the maximum of 255.")
        values["subject"] = values["subject"][:255]


def _wrong(name: str, expected: str) -> GraphError:
    return invalid_property(f"Cannot convert the value of property '{name}' to the expected type '{expected}'.")


def _enum(name: str, value: Any) -> str:
    if value is None:
        return str(DEFAULTS[name])
    if not isinstance(value, str) or value not in ENUMS[name]:
        raise _wrong(name, f"microsoft.graph.{name}")
    return value


def _flag(name: str, value: Any) -> bool:
    if value is None:
        return bool(DEFAULTS.get(name, False))
    if not isinstance(value, bool):
        raise _wrong(name, "Edm.Boolean")
    return value


def _text(name: str, value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise _wrong(name, "Edm.String")
    return value or ""


def _transaction(name: str, value: Any) -> str | None:
    return _text(name, value) or None


def _minutes(name: str, value: Any) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= 2_147_483_647):
        raise _wrong(name, "Edm.Int32")
    return value


def _categories(name: str, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _wrong(name, "Collection(Edm.String)")
    return list(dict.fromkeys(each for each in value if each))


def _body(name: str, value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, dict) or any(key not in ("content", "contentType") and "@" not in key for key in value):
        raise _wrong(name, "microsoft.graph.itemBody")
    content, kind = value.get("content") or "", value.get("contentType") or "text"
    if not isinstance(content, str) or not isinstance(kind, str) or kind.lower() not in ("text", "html"):
        raise _wrong(name, "microsoft.graph.itemBody")
    return event_html.stored(content, kind.lower())


def _location(name: str, value: Any) -> Json:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(key not in _LOCATION and "@" not in key for key in value):
        raise _wrong(name, "microsoft.graph.location")
    if any(not isinstance(value.get(key) or "", str) for key in _LOCATION[:6]):
        raise _wrong(name, "microsoft.graph.location")
    return {key: value[key] for key in _LOCATION if value.get(key) and key not in ("locationType", "uniqueIdType")}


def _locations(name: str, value: Any) -> list[Json]:
    if not isinstance(value, list):
        raise _wrong(name, "Collection(microsoft.graph.location)")
    return [place for each in value if (place := _location(name, each))]


def _attendees(name: str, value: Any) -> list[Json]:
    """As sent, an address once; what becomes of their status is said in `attendees.py`."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise _wrong(name, "Collection(microsoft.graph.attendee)")
    if len(value) > 500:
        raise invalid_property("An event can have at most 500 attendees.")
    found: list[Json] = []
    seen: set[str] = set()
    for each in value:
        email, kind = each.get("emailAddress"), each.get("type") or "required"
        address = email.get("address") if isinstance(email, dict) else None
        if not isinstance(address, str) or not address or kind not in _TYPES:
            raise _wrong(name, "microsoft.graph.attendee")
        if address.casefold() in seen:
            continue
        seen.add(address.casefold())
        shown = {"name": (email or {}).get("name") or address, "address": address}
        found.append({"type": kind, "status": _status(each.get("status")), "emailAddress": shown})
    return found


def _status(value: Any) -> Json:
    if value is None:
        return {}
    time = value.get("time") if isinstance(value, dict) else None
    if not isinstance(value, dict) or value.get("response") not in _RESPONSES or not isinstance(time or "", str):
        raise _wrong("status", "microsoft.graph.responseStatus")
    return {name: value[name] for name in ("response", "time") if value.get(name)}


_READERS: dict[str, Any] = {
    "subject": _text,
    "transactionId": _transaction,
    "reminderMinutesBeforeStart": _minutes,
    "categories": _categories,
    "body": _body,
    "location": _location,
    "locations": _locations,
    "attendees": _attendees,
}
