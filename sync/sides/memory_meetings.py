"""A tenant's meetings in memory, for the simulator: Exchange's copies, answers and mails, and no protocol.

Calendars of one tenant share an office. After every change of an event that has guests the office compares it with what it told last: it counts the
mails that Exchange would send and brings the copies up to date, at once or when it is told to. Written without a look at the emulator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from mapping.attendees import Answer, Attendee, attendees_value

BLANK = {
    "subject": "",
    "location": "",
    "body": "",
    "bodyType": "text",
    "sensitivity": "normal",
    "importance": "normal",
    "reminder": "",
}
OWN = ("reminder", "categories")
"""What every copy has for itself, and what Exchange changes without telling anybody."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that Exchange sent. `by`: 'engine', 'user' or 'room', whoever made Exchange send it."""

    kind: str
    to: str
    uid: str
    by: str


@dataclass(slots=True)
class Guest:
    address: str
    type: str = "required"
    response: str = "none"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What the attendees know: content and guests of the event, and of each of its exceptions; what was cancelled."""

    content: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""
    guests: frozenset[str] = frozenset()
    slots: Mapping[str, tuple[tuple[tuple[str, str], ...], frozenset[str]]] = field(default_factory=dict)
    cancelled: frozenset[str] = frozenset()


@dataclass(slots=True)
class Event:
    """A single event, or a series when it has a rule (RFC 5545 text). `changed`: slot -> fields of its exception."""

    id: str
    uid: str
    fields: dict[str, str]
    zone: ZoneInfo
    stamp: str = ""
    rule: str = ""
    changed: dict[str, dict[str, str]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    etag: str = ""
    modified: str = ""
    deleted: bool = False
    guests: dict[str, Guest] = field(default_factory=dict)
    organizer: str = ""  # of a copy: the organizer's address
    response: str = "none"  # of a copy: the own answer
    categories: set[str] = field(default_factory=set)
    called_off: bool = False  # a copy whose meeting was cancelled
    told: Told = field(default_factory=Told)
    # of single occurrences with a list of their own
    slot_guests: dict[str, dict[str, Guest]] = field(default_factory=dict)
    slot_responses: dict[str, str] = field(default_factory=dict)  # of a copy: answers to single occurrences
    only_slot: int = 0  # of a copy of one occurrence: its day, counted from the series' first
    only_day: str = ""  # of a copy of one occurrence: its original day, which its iCalUId tells


class Calendar(Protocol):
    """What the office needs of a calendar."""

    address: str
    events: dict[str, Event]

    def receive(self, origin: Event, organizer: str) -> None: ...

    def note(self, event: Event) -> None: ...

    def respond(self, event_id: str, answer: str) -> None: ...

    def occurrence(self, event: Event, slot: str) -> dict[str, str]: ...

    def times(self, event: Event) -> list[tuple[datetime, datetime]]: ...


@dataclass(slots=True)
class MemoryOffice:
    """`calendars` by address; those in `rooms` answer by themselves. `late`: copies wait for `deliver`. `by`: who is acting now."""

    calendars: dict[str, Calendar] = field(default_factory=dict)
    rooms: set[str] = field(default_factory=set)
    mails: list[Mail] = field(default_factory=list)
    late: bool = False
    by: str = "user"
    waiting: list[tuple[str, Event, str]] = field(default_factory=list)  # to whom, of what, from whom
    violations: list[str] = field(default_factory=list)

    def changed(self, calendar: Calendar, event: Event) -> None:
        """The organizer changed an event: mails, then copies. Whoever gets no mail hears of nothing."""
        before, after = event.told, told(event)
        everybody = _everybody(after)
        mailed = _mailed(before, after, event.deleted)
        for address in mailed:
            ends = event.deleted or address not in everybody
            kind = "cancellation" if ends else "update" if address in _everybody(before) else "invitation"
            self.mails.append(Mail(kind, address, event.uid, self.by))
        called_off = [] if event.deleted else _called_off(before, after)
        self.mails += [Mail("cancellation", address, event.uid, self.by) for address in called_off]
        event.told = Told() if event.deleted else after
        _ask_again(event, before, after)
        self.waiting += [(address, event, calendar.address) for address in dict.fromkeys([*mailed, *called_off])]
        if not self.late:
            self.deliver()

    def deliver(self) -> None:
        """Bring the copies up to date; rooms answer."""
        waiting, self.waiting = self.waiting, []
        for address, event, organizer in waiting:
            if calendar := self.calendars.get(address):
                calendar.receive(event, organizer)
                if address in self.rooms:
                    self._as_room(calendar, event.uid)

    def _as_room(self, calendar: Calendar, uid: str) -> None:
        """A room declines what overlaps anything that it accepted, a series as a whole, and accepts all else."""
        live = [each for each in calendar.events.values() if not each.deleted and not each.called_off]
        taken = [span for each in live if each.response == "accepted" for span in calendar.times(each)]
        by, self.by = self.by, "room"
        for copy in [each for each in live if each.uid == uid and each.response == "none"]:
            clash = any(start < until and since < end for start, end in calendar.times(copy) for since, until in taken)
            calendar.respond(copy.id, "declined" if clash else "accepted")
        self.by = by

    def answer(self, address: str, copy: Event, slot: str, response: str) -> None:
        """An attendee answered: the organizer is told, the event shows it, and its version moves."""
        self.mails.append(Mail("response", copy.organizer, copy.uid, self.by))
        calendar = self.calendars.get(copy.organizer)
        found = [] if calendar is None else calendar.events.values()
        event = next((each for each in found if each.uid == copy.uid and not each.organizer and not each.deleted), None)
        if calendar is None or event is None:
            return
        if not slot and event.rule and not copy.rule:
            first = date.fromisoformat(event.fields["when"][:10])
            slot = (first + timedelta(days=copy.only_slot)).isoformat()
        now = calendar.occurrence(event, slot) if slot else event.fields
        known = calendar.occurrence(copy, slot) if slot and copy.rule else copy.fields
        if known["when"] != now["when"] or (not slot and copy.rule != event.rule):
            return  # said of a time that is not the meeting's any more
        if slot and address in guests_at(event, slot):
            event.slot_guests.setdefault(slot, {a: replace(g) for a, g in event.guests.items()})[
                address
            ].response = response
            event.told = told(event)
        elif address in event.guests:
            event.guests[address].response = response
            for listed in event.slot_guests.values():
                if address in listed:
                    listed[address].response = response
        calendar.note(event)


def guests_at(event: Event, slot: str) -> dict[str, Guest]:
    """The guests of an occurrence ('' = of the event)."""
    return event.slot_guests.get(slot, event.guests) if slot else event.guests


def told(event: Event) -> Told:
    """What the attendees of an event should know now."""
    content = {name: value for name, value in event.fields.items() if name not in OWN}
    slots = {
        slot: (
            tuple(sorted((n, v) for n, v in event.changed.get(slot, {}).items() if n not in OWN)),
            frozenset(guests_at(event, slot)),
        )
        for slot in {*event.changed, *event.slot_guests}
    }
    return Told(content, event.rule, frozenset(event.guests), slots, frozenset(event.cancelled))


def list_guests(event: Event, wanted: Mapping[str, Guest], slot: str = "") -> None:
    """Another list of guests, of one occurrence or ('') of all: who comes to the series or leaves it, does so in its exceptions too."""
    if slot:
        event.slot_guests[slot] = dict(wanted)
        return
    gone = event.guests.keys() - wanted.keys()
    new = {address: guest for address, guest in wanted.items() if address not in event.guests}
    event.guests = dict(wanted)
    for day, listed in event.slot_guests.items():
        added = {address: replace(guest) for address, guest in new.items()}
        event.slot_guests[day] = {a: guest for a, guest in {**added, **listed}.items() if a not in gone}


def _everybody(state: Told) -> frozenset[str]:
    return state.guests.union(*(guests for _, guests in state.slots.values()))


def _mailed(before: Told, after: Told, deleted: bool) -> list[str]:
    """Whom Exchange writes to because of this change, one mail each time the address is named."""
    times = 1 + (len(after.slots) if after.rule else 0)
    if deleted:
        apart = _everybody(before) - before.guests
        return [*(address for address in sorted(before.guests) for _ in range(times)), *sorted(apart)]
    if not before.content:
        return sorted(after.guests)
    if (before.content, before.rule) != (after.content, after.rule):
        everybody = before.guests | after.guests
        apart = (_everybody(before) | _everybody(after)) - everybody
        return [*(address for address in sorted(everybody) for _ in range(times)), *sorted(apart)]
    turned = before.guests ^ after.guests
    mails = [address for address in sorted(turned) for _ in range(times)]
    for slot, (content, guests) in after.slots.items():
        was = before.slots.get(slot, ((), before.guests))
        mails += sorted(guests | was[1]) if was[0] != content else sorted((guests ^ was[1]) - turned)
    return mails


def _called_off(before: Told, after: Told) -> list[str]:
    """Who hears that single occurrences were cancelled; with any other change of a series, it says so itself."""
    if (before.content, before.rule) != (after.content, after.rule):
        return []
    gone = [before.slots.get(slot, ((), before.guests)) for slot in sorted(after.cancelled - before.cancelled)]
    return [address for _, guests in gone for address in sorted(guests)]


def _ask_again(event: Event, before: Told, after: Told) -> None:
    """Whose time changed asks its guests anew: the event, or single occurrences."""
    if not before.content:
        return
    moved = _times(before) != _times(after)
    if moved:
        for guest in [*event.guests.values(), *(g for listed in event.slot_guests.values() for g in listed.values())]:
            guest.response = "none"
    for slot, (content, _) in () if moved else after.slots.items():
        was = before.slots.get(slot, ((), frozenset()))[0]
        if dict(content).get("when") != dict(was).get("when"):
            asked = guests_at(event, slot)
            event.slot_guests[slot] = {address: replace(guest, response="none") for address, guest in asked.items()}


def _times(state: Told) -> tuple[str, str]:
    return state.content.get("when", ""), state.rule


def shown(event: Event, address: str, slot: str = "") -> dict[str, str | tuple[str, ...]]:
    """The fields of an item that are about people."""
    guests = [Attendee(g.address, g.type, Answer(g.response), g.name) for g in guests_at(event, slot).values()]
    answer = event.slot_responses.get(slot, event.response) if slot else event.response
    return {
        "attendees": attendees_value(guests),
        "organizer": "" if event.organizer else "1",
        "organizer_address": event.organizer or address,
        "response": answer if event.organizer else "",
        "categories": tuple(sorted(event.categories)),
        **({"cancelled": "1"} if event.called_off else {}),
    }
