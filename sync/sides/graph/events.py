"""An event of Graph as an `Item`, and fields of an `Item` as an event of Graph. Pure.

Fields are all text, under the names that every part of the calendar uses: what Graph nests (location, body, reminder) is flat, start, end
and all-day are one canonical span (`when`). Only what is named is ever sent, attendees above all: whoever writes them makes Exchange
send mails (BEHAVIOUR 7.2). What is about people is read in `people`; an answer is no part of an event's body, see `event_answers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sync import series, spans
from sync.model import Item, Kind, Side, Value
from sync.sides.graph.answers import Json, seconds
from sync.sides.graph.people import SHOWN, attendees_body, categories_body, people_of
from sync.sides.graph.stamps import stamp_of, stamped

SELECT = (
    "id",
    "type",
    "seriesMasterId",
    "originalStart",
    "recurrence",
    "subject",
    "location",
    "body",
    "sensitivity",
    "importance",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "start",
    "end",
    "isAllDay",
    "originalStartTimeZone",
    "iCalUId",
    "isOnlineMeeting",
    "isCancelled",
    "lastModifiedDateTime",
    *SHOWN,
)
WHOLE = frozenset({"type", "subject", "location", "body", "sensitivity", "start", "end", "isAllDay", "iCalUId", *SHOWN})
"""What a whole event always shows: a delta may hold only what changed, and stubs hold next to nothing (BEHAVIOUR 2.4)."""

MASTER = "seriesMaster"
SINGLE = "singleInstance"
TRANSACTIONS = UUID("5b0d0c1e-6a55-4c0b-9a37-3c1f2f1f6a10")
"""Namespace of our transaction ids. Never change it: a creation whose answer was lost is recognised by it."""


def is_whole(event: Json) -> bool:
    """Does it show enough to be read as a whole event?"""
    return event.keys() >= WHOLE


def series_of(event: Json) -> str:
    """The id of the series that it is the master, an occurrence or an exception of; '' for a single event."""
    return str(event["id"]) if event.get("type") == MASTER else str(event.get("seriesMasterId") or "")


def occurrence_id(master: str, slot: date) -> str:
    """Our id of one occurrence; Graph's own differ between occurrence and exception on some servers."""
    return f"{master}|{slot.isoformat()}"


def split_id(item_id: str) -> tuple[str, date | None]:
    """Event id and None, or master id and slot. Graph's ids hold no '|'."""
    master, _, slot = item_id.partition("|")
    return (master, date.fromisoformat(slot)) if slot else (item_id, None)


def item_of(event: Json, mailbox: str, stamp: str | None = None) -> Item:
    """The item that a single event or a master is. `stamp`: where it is known already; else what the answer was expanded with."""
    return Item(
        side=Side.MAILBOX,
        kind=Kind.EVENT,
        id=str(event["id"]),
        version=version_of(event),
        fields=fields_of(event),
        owner=mailbox,
        stamp=stamp_of(event) if stamp is None else stamp,
        modified=seconds(str(event.get("lastModifiedDateTime") or "")),
    )


def version_of(event: Json) -> str:
    """Its etag."""
    return str(event.get("@odata.etag") or "")


def fields_of(event: Json) -> dict[str, Value]:
    """What the event holds. Unset values come as null, '' or {}: all mean empty."""
    body, location = event.get("body") or {}, event.get("location") or {}
    zone = zone_of(event)
    fields: dict[str, Value] = {
        "subject": event.get("subject") or "",
        "location": location.get("displayName") or "",
        "body": body.get("content") or "",
        "bodyType": str(body.get("contentType") or "text").lower(),
        "sensitivity": event.get("sensitivity") or "normal",
        "importance": event.get("importance") or "normal",
        "reminder": str(event.get("reminderMinutesBeforeStart") or 0) if event.get("isReminderOn") else "",
        "when": when_of(event),
        "zone": zone.key if zone else "",
        "uid": event.get("iCalUId") or "",
        "slot": "0",
        "online": _flag(event, "isOnlineMeeting"),
        "cancelled": _flag(event, "isCancelled"),
        **people_of(event),
    }
    if event.get("type") == MASTER:
        fields["rule"] = rule_text(event)
    return fields


def when_of(event: Json) -> str:
    """Its span; '' when what it shows is none."""
    start, end = event.get("start"), event.get("end")
    if not start or not end:
        return ""
    try:
        return spans.span_text(spans.from_graph(start, end, bool(event.get("isAllDay"))))
    except ValueError:
        return ""


def zone_of(event: Json) -> ZoneInfo | None:
    """The zone in which it is written: of a series, the one that its rule counts in."""
    range_ = (event.get("recurrence") or {}).get("range") or {}
    named = spans.zone_named(str(range_.get("recurrenceTimeZone") or ""))
    return named or spans.zone_named(str(event.get("originalStartTimeZone") or ""))


def rule_text(master: Json) -> str:
    """Its rule in RFC 5545's words; '' when it cannot be said in them."""
    try:
        return series.to_text(series.from_graph(master.get("recurrence") or {}))
    except series.UnknownRule:
        return ""


def event_of(fields: Mapping[str, Value], home: ZoneInfo, stamp: str = "") -> dict[str, Any]:
    """The body of a POST (with `stamp`) or PATCH for these fields; `home` is the zone where `zone` names none.

    Raises ValueError for what cannot be written: a time that is none, a rule that Graph cannot express, an unknown field.
    """
    zone = spans.zone_named(_text(fields, "zone")) or home
    event: dict[str, Any] = {}
    for name, value in fields.items():
        match name:
            case "subject" | "sensitivity" | "importance":
                event[name] = value
            case "location":
                event["location"] = {"displayName": value}
            case "body":  # what a person wrote in the CRM, or an event's own that is made again as it was
                event["body"] = {"contentType": _text(fields, "bodyType") or "text", "content": value}
            case "reminder":
                event["isReminderOn"] = bool(value)
                if value:
                    event["reminderMinutesBeforeStart"] = int(str(value))
            case "when":  # all three together, all-day as midnights (BEHAVIOUR 7.2)
                event.update(spans.to_graph(spans.read_span(str(value)), zone))
            case "attendees":
                event["attendees"] = attendees_body(value)
            case "categories":
                event["categories"] = categories_body(value)
            case "rule":
                event["recurrence"] = recurrence_of(str(value), spans.read_span(_text(fields, "when")), zone)
            case "zone" | "bodyType":
                pass
            case _:
                raise ValueError(f"an event's {name} cannot be written")
    if stamp:
        event["singleValueExtendedProperties"] = stamped(stamp)
        event["transactionId"] = str(uuid5(TRANSACTIONS, stamp))
    return event


def recurrence_of(rule: str, first: spans.Span, zone: ZoneInfo) -> dict[str, Any]:
    """Graph's recurrence for a rule whose first occurrence is `first`."""
    start = first.first if isinstance(first, spans.DateSpan) else first.start.astimezone(zone).date()
    return dict(series.to_graph(series.from_text(rule, start), zone.key))


def ended_at(recurrence: Json, last: date) -> dict[str, Any]:
    """The recurrence, with `last` as its last possible day. ValueError (UnknownRule) when it cannot be said again."""
    zone = str((recurrence.get("range") or {}).get("recurrenceTimeZone") or "")
    ended = dict(series.to_graph(series.truncated(series.from_graph(recurrence), last), zone))
    if spans.zone_named(zone) is None:  # read, but not accepted (BEHAVIOUR 8): left out, the event's own is meant
        ended["range"] = {name: value for name, value in ended["range"].items() if name != "recurrenceTimeZone"}
    return ended


def _flag(event: Json, name: str) -> str:
    return "1" if event.get(name) else ""


def _text(fields: Mapping[str, Value], name: str) -> str:
    value = fields.get(name, "")
    return value if isinstance(value, str) else ""
