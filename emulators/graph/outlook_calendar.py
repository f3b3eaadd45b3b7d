"""What a person does in Outlook's calendar: create, edit, copy, delete, restore; one occurrence, the whole series, its rule.

For tests, simulator and demo. Events are named by either id, occurrences by the id of their master and the date of the slot
(`YYYY-MM-DD`, the local date of the original start); `fields` are written as for Graph. A ValueError says what is not there or
is refused. Every method returns immutable ids. Attendees are told as when an app writes; `outlook_meetings.py` has more of meetings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from emulators.graph import attendees, copies, event_body, event_writing, meetings, recurrence, series
from emulators.graph.calendar import Calendar, CalendarFolder, Event
from emulators.graph.errors import GraphError
from emulators.graph.event_view import View, extended_of
from emulators.graph.http import Json
from emulators.graph.world import World


@contextmanager
def spoken() -> Iterator[None]:
    """The service's refusals as sentences."""
    try:
        yield
    except GraphError as error:
        raise ValueError(f"{error.code}: {error.message}") from error


class CalendarHands:
    """Acts on calendars directly: no token, no throttling, no request counted."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _calendar(self, user: str) -> Calendar:
        with spoken():
            return self._world.user(user).mailbox.calendar

    def _event(self, user: str, ref: str) -> tuple[Calendar, Event]:
        calendar = self._calendar(user)
        found = calendar.find(ref)
        if found is None or found[1] is not None:
            raise ValueError(f"no event {ref!r}")
        return calendar, found[0]

    def _occurrence(self, user: str, ref: str, slot: str) -> tuple[Calendar, Event, date]:
        calendar, event = self._event(user, ref)
        day = date.fromisoformat(slot)
        if event.trashed or not series.takes_place(event, day):
            raise ValueError(f"no occurrence of {ref!r} on {slot}")
        return calendar, event, day

    def _named(self, calendar: Calendar, ref: str) -> CalendarFolder:
        if ref in ("", "calendar"):
            return calendar.default
        for folder in calendar.folders.values():
            if ref == folder.id or ref.casefold() == folder.name.casefold():
                return folder
        raise ValueError(f"no calendar {ref!r}")

    def create_calendar(self, user: str, name: str, *, read_only: bool = False) -> str:
        """One more calendar of the user's; `read_only` as holidays or a colleague's are. Returns its id."""
        calendar = self._calendar(user)
        if any(each.name.casefold() == name.casefold() for each in calendar.folders.values()):
            raise ValueError(f"a calendar {name!r} is there already")
        return calendar.add_folder(name, read_only=read_only).id

    def move_event(self, user: str, event: str, calendar: str = "calendar") -> str:
        """Drag a single event or a whole series into another calendar, by id, name or `calendar` (the default one)."""
        store, found = self._event(user, event)
        folder = self._named(store, calendar)
        if found.trashed or folder.read_only:
            raise ValueError(f"{event!r} cannot be moved into {calendar!r}")
        store.move(found, folder, self._world.now())
        return found.immutable_id

    def create_event(
        self,
        user: str,
        fields: Json,
        *,
        organizer: Json | None = None,
        uid: str = "",
        cancelled: bool = False,
        calendar: str = "calendar",
    ) -> str:
        """A new single event or series; with `organizer` {name, address} it is an invitation that somebody else sent."""
        store = self._calendar(user)
        foreign: Json = {"iCalUId": uid} if uid else {}
        foreign |= {"isCancelled": True} if cancelled else {}
        foreign |= {"organizer": {"emailAddress": organizer}} if organizer is not None else {}
        with spoken():
            folder = self._named(store, calendar)
            event = event_writing.create(self._world, store, fields, folder, by="person", stranger=foreign)
        return event.immutable_id

    def edit_event(self, user: str, event: str, fields: Json) -> None:
        """Change a single event or a whole series, as PATCH would."""
        calendar, found = self._event(user, event)
        with spoken():
            event_writing.patch(self._world, calendar, found, None, fields, by="person")

    def edit_occurrence(self, user: str, event: str, slot: str, fields: Json) -> str:
        """Change one occurrence, which becomes an exception; returns its id."""
        calendar, found, day = self._occurrence(user, event, slot)
        with spoken():
            event_writing.patch(self._world, calendar, found, day, fields, by="person")
        return calendar.item_id(found, day, True)

    def delete_occurrence(self, user: str, event: str, slot: str) -> None:
        """Take one occurrence out of the series."""
        event_writing.delete(self._world, *self._occurrence(user, event, slot), by="person")

    def change_rule(self, user: str, event: str, rule: Json | None, fields: Json | None = None) -> None:
        """Another rule (and perhaps `start` and `end`) for a series or a single event; None makes a single event of it."""
        self.edit_event(user, event, {**(fields or {}), "recurrence": rule})

    def truncate(self, user: str, event: str, last: str) -> None:
        """End a series: no occurrence after that date."""
        _, found = self._event(user, event)
        if found.rule is None:
            raise ValueError(f"{event!r} is no series")
        rule = recurrence.render(found.rule, found.times.start_zone)
        rule["range"] |= {"type": "endDate", "endDate": last, "numberOfOccurrences": 0}
        self.edit_event(user, event, {"recurrence": rule})

    def cancel_meeting(self, user: str, event: str) -> None:
        """The organizer elsewhere called it off: the copy stays, marked (BEHAVIOUR 7.2). An own meeting is cancelled."""
        calendar, found = self._event(user, event)
        if meetings.is_organized(found):
            with spoken():
                event_writing.delete(self._world, calendar, found, None, by="person", why="cancel")
        else:
            copies.mark(calendar, found, self._world.now())

    def delete_event(self, user: str, event: str) -> None:
        """A single event or a whole series to Deleted Items (BEHAVIOUR 5.1)."""
        calendar, found = self._event(user, event)
        with spoken():
            event_writing.delete(self._world, calendar, found, None, by="person")

    def restore_event(self, user: str, event: str) -> None:
        """Out of Deleted Items."""
        calendar, found = self._event(user, event)
        if not found.trashed:
            raise ValueError(f"{event!r} is not deleted")
        calendar.restore(found, self._world.now())

    def copy_event(self, user: str, event: str) -> str:
        """A duplicate: the extended properties travel with it, the transactionId does not (BEHAVIOUR 6). That of an own meeting
        invites the same people."""
        calendar, found = self._event(user, event)
        values = {name: value for name, value in found.values.items() if name not in ("transactionId", "iCalUId")}
        if "attendees" in values:
            values["attendees"] = attendees.reset(values["attendees"])
        extended, now = dict(found.extended), self._world.now()
        made = calendar.create(values, found.times, found.rule, extended, now, found.folder)
        meetings.changed(self._world, calendar, made, None, meetings.Seen(), event_body.OTHERS, "person")
        return made.immutable_id

    def show_event(self, user: str, event: str) -> Json:
        """One event whole, as in `dump`."""
        calendar, found = self._event(user, event)
        return _whole(self._view(user, calendar), found, calendar)

    def _events(self, user: str) -> list[Json]:
        """Every event whole, also those in Deleted Items."""
        calendar = self._calendar(user)
        view = self._view(user, calendar)
        return [_whole(view, each, calendar) for each in calendar.events.values()]

    def _view(self, user: str, calendar: Calendar) -> View:
        owner = self._world.user(user)
        return View(calendar, {"emailAddress": {"name": owner.display_name, "address": owner.mail}}, immutable=True)


def _whole(view: View, event: Event, store: Calendar) -> Json:
    """All properties in UTC, extended properties, place, name of its calendar; of a series its exceptions (with `slot`) and
    cancelled dates. Place: deleted, calendar (the default one), another_calendar."""
    item: dict[str, Any] = {**view.item(event), "extended": dict(event.extended)}
    live = "calendar" if event.folder is store.default else "another_calendar"
    item |= {"place": "deleted" if event.trashed else live, "calendar": event.folder.name}
    if event.rule is not None:
        item["exceptions"] = [
            {**view.item(event, slot), "slot": slot.isoformat(), "extended": extended_of(event, slot)}
            for slot in sorted(event.exceptions)
        ]
        item["cancelled"] = [slot.isoformat() for slot in sorted(event.cancelled)]
    return item
