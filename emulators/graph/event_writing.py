"""Creating, changing and deleting events, occurrences and series: the rules that HTTP and Outlook's hands share.

Errors are `GraphError`s. Nothing is rendered here; whom a write of an organizer is told to, `meetings.py` says. `by`: who writes.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date

from emulators.graph import attendees, event_body, meetings, series
from emulators.graph.calendar import Calendar, CalendarFolder, Event
from emulators.graph.errors import GraphError, access_denied, invalid_property, item_not_found, malformed_id
from emulators.graph.event_times import Times, combined
from emulators.graph.http import Json
from emulators.graph.ids import opaque
from emulators.graph.mailbox import FOLDER_ID, ITEM_ID
from emulators.graph.outbox import By
from emulators.graph.recurrence import Rule
from emulators.graph.world import World

_TIMES = ("start", "end", "isAllDay")


def locate(calendar: Calendar, item_id: str, *, deleted_visible: bool) -> tuple[Event, date | None]:
    """The event or occurrence of an id. 400 malformed; 404 unknown, cancelled, of a deleted series, or deleted itself unless
    `deleted_visible` (BEHAVIOUR 5.1)."""
    if not ITEM_ID.fullmatch(item_id):
        raise malformed_id()
    found = calendar.find(item_id)
    if found is None:
        raise item_not_found()
    event, slot = found
    if event.trashed and (slot is not None or not deleted_visible):
        raise item_not_found()
    if slot is not None and not series.takes_place(event, slot):
        raise item_not_found()
    return event, slot


def locate_calendar(calendar: Calendar, item_id: str | None) -> CalendarFolder:
    """The calendar of an id, the default one for None. 400 malformed; 404 unknown."""
    if item_id is None:
        return calendar.default
    if not FOLDER_ID.fullmatch(item_id):
        raise malformed_id()
    if item_id not in calendar.folders:
        raise item_not_found()
    return calendar.folders[item_id]


def create(
    world: World,
    calendar: Calendar,
    body: Json,
    folder: CalendarFolder | None = None,
    *,
    by: By = "app",
    stranger: Json | None = None,
) -> Event:
    """A new event, and invitations to its attendees; a repeated transactionId answers the event it made, or 409 (BEHAVIOUR 6,
    13.7). `stranger`: properties of a meeting that somebody outside of the tenant organizes."""
    if folder is not None and folder.read_only:
        raise access_denied()  # memory
    sent, extended = event_body.accept(body, long_subject=world.quirks.long_subject)
    transaction = sent.get("transactionId")
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    if transaction in calendar.transactions:
        event, made_from = calendar.transactions[transaction]
        alive = event.number in calendar.events and not event.trashed
        if not alive or made_from != digest or world.quirks.transaction_repeat == "error":
            message = "The transaction id has already been used to create a different event."
            raise GraphError(409, "ErrorDuplicateTransactionId", message)
        return event
    times = combined(None, sent)
    rule: Rule | None = sent.pop("recurrence", None)
    if rule is not None:
        times, rule = series.aligned(times, rule)
    values = {**_plain(sent), **(stranger or {})}
    if "attendees" in values:
        values["attendees"] = attendees.merged([], values["attendees"])
    _meet(calendar, {}, values)
    kept = {name: value for name, value in extended.items() if value is not None}
    event = calendar.create(values, times, rule, kept, world.now(), folder)
    if transaction:
        calendar.transactions[transaction] = (event, digest)
    meetings.changed(world, calendar, event, None, meetings.Seen(), body.keys(), by)
    return event


def patch(world: World, calendar: Calendar, event: Event, slot: date | None, body: Json, *, by: By = "app") -> None:
    """Change what is sent: of a single, of a master (inherited by occurrences that did not override it), or of one occurrence,
    which becomes an exception. Attendees of the organizer's event are told; a change of a copy stays where it is (7.2)."""
    sent, extended = event_body.accept(body, long_subject=world.quirks.long_subject)
    before = meetings.seen(world, calendar, event, slot)
    if slot is not None:
        _patch_occurrence(world, calendar, event, slot, sent, extended)
    else:
        _patch_whole(world, calendar, event, sent, extended)
    known = [name for name in body if name not in event_body.SERVER]
    meetings.changed(world, calendar, event, slot, before, known, by)


def _patch_whole(world: World, calendar: Calendar, event: Event, sent: Json, extended: dict[str, str | None]) -> None:
    if sent.get("transactionId", event.values.get("transactionId")) != event.values.get("transactionId"):
        raise invalid_property("The property 'transactionId' cannot be changed after the event was created.")  # 6
    times, rule = _times(event.times, sent), sent.pop("recurrence", event.rule)
    if rule is not None:
        times, rule = series.aligned(times, rule)
    plain = _plain(sent)
    _attend(event, None, plain, moved=(times, rule) != (event.times, event.rule))
    _meet(calendar, event.values, plain)
    held = {name: value for name, value in {**event.extended, **extended}.items() if value is not None}
    keep = world.quirks.range_change == "keeps_exceptions"
    calendar.change(event, {**event.values, **plain}, times, rule, held, world.now(), keep_on_range=keep)


def _patch_occurrence(
    world: World, calendar: Calendar, event: Event, slot: date, sent: Json, extended: dict[str, str | None]
) -> None:
    if sent.pop("recurrence", None) is not None:
        raise invalid_property("The recurrence of an occurrence cannot be set: change the series master.")
    sent.pop("transactionId", None)
    override, was = series.override_of(event, slot), series.times_of(event, slot)
    if any(name in sent for name in _TIMES):
        override.times = _times(was, sent)
        series.check_boundary(event, slot, override.times)
    plain = _plain(sent)
    _attend(event, slot, plain, moved=(override.times or was) != was)
    _meet(calendar, {**event.values, **override.values}, plain)
    override.values |= plain
    held = {**override.extended, **extended}
    override.extended = {name: value for name, value in held.items() if value is not None}
    calendar.change_occurrence(event, slot, override, world.now())


def delete(
    world: World, calendar: Calendar, event: Event, slot: date | None, *, by: By = "app", why: str = "delete"
) -> None:
    """An occurrence is cancelled; a single or a series moves to Deleted Items, from where it cannot be deleted again
    (BEHAVIOUR 5.1). The attendees of the organizer's event are told; of a copy that goes nobody hears."""
    before = meetings.seen(world, calendar, event, slot)
    if slot is None and event.trashed:
        raise GraphError(403, "ErrorCannotDeleteObject", "Object cannot be deleted.")
    if event.values.get("isCancelled") and by == "app" and world.quirks.delete_cancelled != 204:
        raise GraphError(world.quirks.delete_cancelled, "ErrorCannotDeleteObject", "Object cannot be deleted.")
    if slot is not None:
        calendar.cancel(event, slot, world.now())
    else:
        calendar.trash(event, world.now())
    meetings.called_off(world, calendar, event, slot, before, why, by)


def _attend(event: Event, slot: date | None, plain: Json, *, moved: bool) -> None:
    """The list that a write leaves: answers stay unless the organizer moves the meeting; exceptions with lists of their own
    follow their series'. On a copy it is as it was sent."""
    was = meetings.guests(event, slot)
    if "attendees" in plain:
        plain["attendees"] = attendees.merged(was, plain["attendees"])
        if slot is None and meetings.is_organized(event):
            for each in event.exceptions.values():
                if "attendees" in each.values:
                    each.values["attendees"] = attendees.follow(each.values["attendees"], was, plain["attendees"])
    if moved and meetings.is_organized(event) and plain.get("attendees", was):
        plain["attendees"] = attendees.reset(plain.get("attendees", was))


def _times(old: Times, sent: Json) -> Times:
    return combined(old, sent) if any(name in sent for name in _TIMES) else old


def _plain(sent: Json) -> Json:
    return {name: value for name, value in sent.items() if name not in _TIMES}


def _meet(calendar: Calendar, old: Json, new: Json) -> None:
    """Online meetings: made once, with a block in the body; cannot be undone, but a body without the block breaks it (7.2)."""
    meeting = old.get("onlineMeeting")
    if meeting:
        new.pop("isOnlineMeeting", None)
        new.pop("onlineMeetingProvider", None)
        if "body" in new and meeting["joinUrl"] not in new["body"]:
            new |= {"isOnlineMeeting": False, "onlineMeeting": None, "onlineMeetingProvider": "unknown"}
    elif new.get("isOnlineMeeting"):
        key = opaque(calendar.owner, "", "meeting", len(calendar.log)).rstrip("=")
        url = f"https://teams.microsoft.com/l/meetup-join/19%3ameeting_{key}%40thread.v2/0"
        block = f'<div class="me-email-text"><a href="{url}">Join the meeting now</a></div>'
        body = str(new.get("body", old.get("body", "")))
        end = body.lower().rfind("</body>")
        new["body"] = f"{body[:end]}{block}{body[end:]}" if end >= 0 else f"<html><body>{block}</body></html>"
        new["onlineMeeting"] = {"joinUrl": url}
        new["onlineMeetingProvider"] = "teamsForBusiness"
