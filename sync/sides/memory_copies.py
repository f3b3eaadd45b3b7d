"""The copies of a meeting in its attendees' calendars in memory: what becomes of them when the organizer's event changes. No protocol.

A copy has an id of its own and the organizer's iCalUId. What its user keeps to himself (reminder, categories, answers) survives an update;
a new time asks everybody again. Written without a look at the emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from sync.sides.memory_meetings import BLANK, Calendar, Event, Guest


class Attending(Calendar, Protocol):
    """What is needed of an attendee's calendar."""

    id: str
    number: int

    def days(self, event: Event, slot: str) -> int: ...

    def occurrence(self, event: Event, slot: str) -> dict[str, str]: ...


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a copy should hold: of the whole meeting, or of the one occurrence that lies `days` after the series' first."""

    fields: Mapping[str, str]
    guests: Mapping[str, Guest]
    rule: str = ""
    cancelled: frozenset[str] = frozenset()
    days: int = 0
    day: str = ""


def bring_up_to_date(calendar: Attending, origin: Event, organizer: str) -> None:
    """Make, change or call off the copies of a meeting in this calendar."""
    mine = calendar.address
    invited = mine in origin.guests and not origin.deleted
    apart = {} if invited or origin.deleted else origin.slot_guests
    slots = {calendar.days(origin, slot): slot for slot, guests in apart.items() if mine in guests}
    slots = {days: slot for days, slot in slots.items() if slot not in origin.cancelled}
    for copy in _copies(calendar, origin):
        wanted = copy.only_slot in slots if not copy.rule and origin.rule else invited
        if not wanted and not copy.called_off:
            copy.called_off = True
            if not copy.deleted:
                calendar.note(copy)
    if invited:
        without = {slot for slot, guests in origin.slot_guests.items() if mine not in guests}
        cancelled = frozenset(origin.cancelled | without)
        _bring(calendar, origin, organizer, _Wanted(origin.fields, origin.guests, origin.rule, cancelled))
    for days, slot in slots.items():
        occurrence = _Wanted(calendar.occurrence(origin, slot), origin.slot_guests[slot], days=days, day=slot)
        _bring(calendar, origin, organizer, occurrence)


def _copies(calendar: Attending, origin: Event) -> list[Event]:
    """Those that may still change: one that was called off and then removed is history, a new invitation makes a new copy."""
    mine = [each for each in calendar.events.values() if each.uid == origin.uid and each.organizer]
    return [each for each in mine if not (each.deleted and each.called_off)]


def _bring(calendar: Attending, origin: Event, organizer: str, wanted: _Wanted) -> None:
    """One copy as it should be now. What its user declined or deleted only comes back when it is moved."""
    found = [each for each in _copies(calendar, origin) if each.only_slot == wanted.days]
    copy = next((each for each in found if bool(each.rule) == bool(wanted.rule) or not each.rule), None)
    if copy is None:
        calendar.number += 1
        copy = Event(f"{calendar.id}-copy{calendar.number}", origin.uid, {**BLANK}, origin.zone, organizer=organizer)
        copy.only_slot, copy.only_day = wanted.days, wanted.day
        calendar.events[copy.id] = copy
    moved = bool(copy.etag) and (copy.fields.get("when"), copy.rule) != (wanted.fields["when"], wanted.rule)
    if copy.deleted and not moved:
        return
    changed = {slot: dict(fields) for slot, fields in origin.changed.items() if wanted.rule}
    if moved:
        copy.response = "none"
        copy.slot_responses.clear()
    for slot, fields in changed.items():  # an occurrence that moves asks again
        if fields.get("when") != copy.changed.get(slot, {}).get("when"):
            copy.slot_responses[slot] = "none"
    declined = {slot for slot, answer in copy.slot_responses.items() if answer == "declined"}
    fields = {**wanted.fields, "reminder": copy.fields["reminder"]}
    guests = {a: Guest(a, g.type, "none", g.name) for a, g in wanted.guests.items()}
    state = fields, wanted.rule, changed, set(wanted.cancelled | declined)
    same = (copy.fields, copy.rule, copy.changed, copy.cancelled) == state and copy.guests.keys() == guests.keys()
    if same and copy.etag and not copy.deleted and not copy.called_off:
        return
    copy.fields, copy.rule, copy.changed, copy.cancelled = (
        fields,
        wanted.rule,
        changed,
        set(wanted.cancelled | declined),
    )
    copy.zone, copy.guests, copy.deleted, copy.called_off = origin.zone, guests, False, False
    calendar.note(copy)
