"""How an event, a master, an occurrence or an exception reads (BEHAVIOUR 7.2, 8)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from emulators.graph import event_html, recurrence, series
from emulators.graph.attendees import NEVER
from emulators.graph.calendar import Calendar, Event
from emulators.graph.event_body import DEFAULTS, reminder_minutes
from emulators.graph.event_times import stamp
from emulators.graph.http import Json
from emulators.graph.ids import change_key

_PLAIN = (
    "subject", "sensitivity", "importance", "showAs", "categories", "attendees", "isReminderOn", "responseRequested",
    "allowNewTimeProposals", "hideAttendees", "isOnlineMeeting", "onlineMeetingProvider", "transactionId",
)  # fmt: skip
STUB = ("@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end")  # 2.4


@dataclass(frozen=True, slots=True)
class View:
    """What a request asks for: whose calendar, which form of ids, the zone and the kind of body."""

    calendar: Calendar
    organizer: Json
    immutable: bool = False
    zone: str = "UTC"
    as_text: bool = False

    def item(self, event: Event, slot: date | None = None) -> Json:
        """Every property of an event, or of the occurrence of a slot."""
        override = event.exceptions.get(slot) if slot else None
        values = {**DEFAULTS, **event.values, **(override.values if override else {})}
        times = series.times_of(event, slot)
        body: Json = {name: values[name] for name in _PLAIN}
        key = self.change_key(event, slot)
        content = event_html.text_of(values["body"]) if self.as_text else values["body"]
        minutes = values.get("reminderMinutesBeforeStart")
        mine = "organizer" not in values
        body |= {
            "@odata.etag": f'W/"{key}"',
            "id": self.calendar.item_id(event, slot, self.immutable),
            "changeKey": key,
            "createdDateTime": event.created,
            "lastModifiedDateTime": event.modified,
            "type": self.kind(event, slot),
            "seriesMasterId": self.calendar.item_id(event, None, self.immutable) if slot else None,
            "iCalUId": self.calendar.uid(event, slot),
            **times.rendered(self.zone),
            "isAllDay": times.all_day,
            "originalStartTimeZone": times.start_zone,
            "originalEndTimeZone": times.end_zone,
            "reminderMinutesBeforeStart": reminder_minutes(times.all_day) if minutes is None else minutes,
            "body": {"contentType": "text" if self.as_text else "html", "content": content},
            "bodyPreview": event_html.preview(values["body"]),
            "location": _place(values["location"]),
            "locations": [_place(each) for each in values["locations"]],
            "organizer": values.get("organizer") or self.organizer,
            "isOrganizer": mine,
            "responseStatus": values.get("responseStatus") or _response(mine, bool(values["attendees"])),
            "isCancelled": values.get("isCancelled", False),
            "isDraft": False,
            "hasAttachments": False,
            "onlineMeeting": values.get("onlineMeeting"),
            "onlineMeetingUrl": None,
            "recurrence": None,
        }
        body["webLink"] = f"https://outlook.office365.com/owa/?itemid={body['id']}&exvsurl=1&path=/calendar/item"
        if slot is not None:
            body["originalStart"] = stamp(series.original(event, slot).start)
        elif event.rule is not None:
            body["recurrence"] = recurrence.render(event.rule, event.times.start_zone)
        return body

    def kind(self, event: Event, slot: date | None) -> str:
        """The `type`."""
        if slot is not None:
            return "exception" if slot in event.exceptions else "occurrence"
        return "seriesMaster" if event.rule else "singleInstance"

    def change_key(self, event: Event, slot: date | None) -> str:
        """An occurrence's is its master's; an exception's moves with both: all of a series is one item in the store."""
        override = event.exceptions.get(slot) if slot else None
        return change_key(event.seq, override.seq) if override else event.change_key

    def stub(self, event: Event, slot: date) -> Json:
        """An occurrence as delta tells it, and nothing else (2.4)."""
        return {
            "@odata.type": "#microsoft.graph.event",
            "@odata.etag": f'W/"{self.change_key(event, slot)}"',
            "id": self.calendar.item_id(event, slot, self.immutable),
            "seriesMasterId": self.calendar.item_id(event, None, self.immutable),
            "type": "occurrence",
            **series.times_of(event, slot).rendered(self.zone),
        }

    def cancelled(self, event: Event) -> list[str]:
        """cancelledOccurrences: `OID.<master>.<date>` (documented form; the ids need matching by the client)."""
        master = self.calendar.item_id(event, None, self.immutable)
        return [f"OID.{master}.{slot.isoformat()}" for slot in sorted(event.cancelled)]

    def exceptions(self, event: Event) -> list[Json]:
        """exceptionOccurrences, whole."""
        return [self.item(event, slot) for slot in sorted(event.exceptions)]


def extended_of(event: Event, slot: date | None) -> dict[str, str]:
    """The extended properties that are read of an item: an occurrence inherits its master's (memory)."""
    override = event.exceptions.get(slot) if slot else None
    return {**event.extended, **(override.extended if override else {})}


def _response(mine: bool, meeting: bool) -> Json:
    answer = ("organizer" if meeting else "none") if mine else "notResponded"
    return {"response": answer, "time": NEVER}


def _place(place: Json) -> Json:
    """A location as it reads; an empty one is not null."""
    if not place:
        empty: Json = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown"}
        return {**empty, "address": {}, "coordinates": {}}
    name = place.get("displayName", "")
    return {"displayName": name, "uniqueId": name, **place, "locationType": "default", "uniqueIdType": "private"}
