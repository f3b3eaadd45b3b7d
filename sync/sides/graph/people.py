"""Who takes part in an event of Graph, as the fields of an `Item`, and attendees as Graph takes them. Pure.

The organizer is no attendee here, wherever Graph lists it. What an attendee answered is read and never sent: on the organizer's copy Exchange
takes such a status for some answers only, and it belongs to whoever gave it (BEHAVIOUR 7.2).
"""

from __future__ import annotations

from typing import Any

from mapping.attendees import OPTIONAL, REQUIRED, RESOURCE, Answer, Attendee, attendees_of, attendees_value
from sync.model import Value
from sync.sides.graph.answers import Json

SHOWN = ("attendees", "organizer", "isOrganizer", "responseStatus", "categories")
"""What of an event is read here."""

TYPES = frozenset({REQUIRED, OPTIONAL, RESOURCE})
ANSWERS = {
    "tentativelyaccepted": Answer.TENTATIVE,
    "accepted": Answer.ACCEPTED,
    "declined": Answer.DECLINED,
}
"""Graph's words in lower case; every other one (none, notResponded, organizer) says nothing."""


def people_of(event: Json) -> dict[str, Value]:
    """The fields of an item that are about people. `response` is '' on the organizer's own copy."""
    organizer = _address(event.get("organizer"))
    own = bool(event.get("isOrganizer"))
    return {
        "attendees": attendees_value(_attendees(event, organizer)),
        "organizer": "1" if own else "",
        "organizer_address": organizer,
        "response": "" if own else str(_answer(event.get("responseStatus"))),
        "categories": tuple(sorted({str(name) for name in event.get("categories") or ()})),
    }


def attendees_body(value: Value) -> list[dict[str, Any]]:
    """The whole list, as a POST or PATCH holds it. ValueError for a text that is no attendee."""
    return [_sent(each) for each in attendees_of(value)]


def categories_body(value: Value) -> list[str]:
    """The whole list. ValueError for one text, which is no list of names."""
    if isinstance(value, str) and value:
        raise ValueError("categories are a list of names")
    return list(value)


def _attendees(event: Json, organizer: str) -> list[Attendee]:
    """Each once: by address, or by name where somebody has none."""
    found: dict[str, Attendee] = {}
    for each in event.get("attendees") or ():
        email, status = each.get("emailAddress") or {}, each.get("status") or {}
        address, name = _address(each), str(email.get("name") or "")
        if (organizer and address == organizer) or str(status.get("response") or "").lower() == "organizer":
            continue
        shown = "" if name.lower() == address else name  # Exchange repeats the address where it knows no name
        type_ = str(each.get("type") or REQUIRED).lower()
        attendee = Attendee(address, type_ if type_ in TYPES else REQUIRED, _answer(status), shown)
        found.setdefault(address or shown, attendee)
    return list(found.values())


def _sent(attendee: Attendee) -> dict[str, Any]:
    if attendee.type not in TYPES:
        raise ValueError("not a type of attendee")
    named = {"address": attendee.address, "name": attendee.name}
    return {"emailAddress": {key: text for key, text in named.items() if text}, "type": attendee.type}


def _address(holder: Json | None) -> str:
    """The address of an attendee or organizer, in lower case; '' = unknown."""
    email = (holder or {}).get("emailAddress") or {}
    return str(email.get("address") or "").strip().lower()


def _answer(status: Json | None) -> Answer:
    return ANSWERS.get(str((status or {}).get("response") or "").lower(), Answer.NONE)
