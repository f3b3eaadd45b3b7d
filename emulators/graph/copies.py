"""An attendee's copy of a meeting: made, kept up to date and called off by what the organizer sends (BEHAVIOUR 5.2, 7.2).

A copy has ids of its own and the organizer's iCalUId. Extended properties and the transactionId do not travel; categories,
reminder, showAs and the own answer belong to the copy (memory). What its user changed otherwise lasts until the next message.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from emulators.graph import attendees, series
from emulators.graph.attendees import NEVER
from emulators.graph.calendar import Calendar, Event, Override, Source
from emulators.graph.event_times import Times
from emulators.graph.http import Json
from emulators.graph.outbox import Notice
from emulators.graph.recurrence import Rule
from emulators.graph.world import User, World

CONTENT = (
    "subject", "body", "location", "locations", "importance", "sensitivity", "hideAttendees", "responseRequested",
    "allowNewTimeProposals", "isOnlineMeeting", "onlineMeeting", "onlineMeetingProvider", "iCalUId",
)  # fmt: skip
OWN = ("categories", "isReminderOn", "reminderMinutesBeforeStart", "showAs", "responseStatus")
INTENDED = "intendedShowAs"  # what accepting will show; never rendered
_UNANSWERED: Json = {"responseStatus": {"response": "notResponded", "time": NEVER}, "showAs": "tentative"}


class _Letter:
    """What a message says: the organizer's event as one attendee may see it."""

    def __init__(self, world: World, user: User, organizer: User, event: Event) -> None:
        self.event = event
        self.user = user
        self._sender: Json = {"emailAddress": {"name": organizer.display_name, "address": organizer.mail}}
        self._names_organizer = world.quirks.copies_list_organizer

    def invited(self, slot: date | None) -> bool:
        """Whether the attendee is on the list, of an event that takes place."""
        if self.event.trashed or (slot is not None and not series.takes_place(self.event, slot)):
            return False
        override = self.event.exceptions.get(slot) if slot else None
        held = {**self.event.values, **(override.values if override else {})}
        return attendees.listed(held.get("attendees") or [], self.user.mail) is not None

    def content(self, values: Json) -> Json:
        """The part of `values` that travels."""
        found = {name: values[name] for name in CONTENT if name in values}
        if "attendees" in values:
            hidden = bool(values.get("hideAttendees", self.event.values.get("hideAttendees")))
            organizer = self._sender if self._names_organizer else None
            found["attendees"] = attendees.on_copy(
                values["attendees"], self.user.mail, hidden=hidden, organizer=organizer
            )
        if "showAs" in values:
            found[INTENDED] = values["showAs"]
        return found

    def first(self, values: Json) -> Json:
        """What a new copy has for itself: the reminder of the invitation, no answer, no categories (memory)."""
        kept: Json = {name: values[name] for name in ("isReminderOn", "reminderMinutesBeforeStart") if name in values}
        return {**kept, **_UNANSWERED}

    @property
    def organizer(self) -> Json:
        """The property of the copy that says whose meeting it is."""
        return {"organizer": self._sender}


def bring(world: World, user: User, organizer: User, notice: Notice) -> Event | None:
    """Make or update the copy that an invitation or update is about. None when there is nothing to bring: a later message
    takes it back already, or the user declined or deleted it and it was not moved since (switch `deleted_copies`)."""
    letter = _Letter(world, user, organizer, notice.event)
    if not letter.invited(notice.slot):
        return None
    calendar, now = user.mailbox.calendar, world.now()
    anew = notice.kind == "invitation" or world.quirks.deleted_copies == "come_back"
    if notice.slot is None:
        return _bring_whole(calendar, letter, organizer.id, now, anew)
    return _bring_occurrence(calendar, letter, organizer.id, notice.slot, now, anew)


def _bring_whole(calendar: Calendar, letter: _Letter, owner: str, now: str, anew: bool) -> Event | None:
    event = letter.event
    source = Source(owner, event.number)
    copy = calendar.copy_of(source)
    when = (event.times, event.rule)
    moved = copy is not None and copy.heard.get(None) != when
    if copy is not None and not calendar.is_live(copy):
        if not moved and not anew:
            return None
        copy = None
    fresh = moved or copy is None or bool(copy.values.get("isCancelled"))
    own = letter.first(event.values) if copy is None else _own(copy.values)
    values = {**letter.content(event.values), **letter.organizer, **own, **(_UNANSWERED if fresh else {})}
    exceptions, cancelled, heard = _slots(letter, None if fresh else copy)
    copy = _saved(calendar, copy, values, when, exceptions, cancelled, now)
    copy.heard = {None: when, **heard}
    calendar.adopt(copy, source)
    for alone in calendar.live_copies(owner, event.number):
        if alone is not copy:  # the series holds what came alone before
            calendar.trash(alone, now)
    return copy


def _slots(
    letter: _Letter, copy: Event | None
) -> tuple[dict[date, Override], set[date], dict[date | None, tuple[Times, Rule | None]]]:
    """Exceptions, cancelled slots and known times of a copy. `copy` None: nothing of its own is kept."""
    event = letter.event
    if event.rule is None:
        return {}, set(), {}
    cancelled = set(event.cancelled) | (set(copy.cancelled) if copy else set())
    exceptions = {}
    if copy is not None:
        own = {slot: _own(each.values) for slot, each in copy.exceptions.items()}
        exceptions = {slot: Override(held) for slot, held in own.items() if held and slot not in cancelled}
    heard: dict[date | None, tuple[Times, Rule | None]] = {}
    for slot in event.exceptions:
        if not letter.invited(slot):
            cancelled.add(slot)
            continue
        heard[slot] = (series.times_of(event, slot), None)
        if copy is not None and _known(copy, event, slot) != heard[slot][0]:
            cancelled.discard(slot)  # it was moved: a declined one is there again
        if slot not in cancelled:
            exceptions[slot] = _exception(letter, copy, slot)
    return exceptions, cancelled, heard


def _exception(letter: _Letter, copy: Event | None, slot: date) -> Override:
    override = letter.event.exceptions.get(slot) or Override()
    held = copy.exceptions.get(slot) if copy else None
    own = _own(held.values) if held else {}
    if copy is not None and _known(copy, letter.event, slot) != series.times_of(letter.event, slot):
        own |= _UNANSWERED
    return Override({**letter.content(override.values), **own}, override.times)


def _known(copy: Event, event: Event, slot: date) -> Times:
    """When the attendee was told that an occurrence would be."""
    return copy.heard[slot][0] if slot in copy.heard else series.original(event, slot)


def _bring_occurrence(
    calendar: Calendar, letter: _Letter, owner: str, slot: date, now: str, anew: bool
) -> Event | None:
    event, times = letter.event, series.times_of(letter.event, slot)
    whole = calendar.copy_of(Source(owner, event.number))
    if whole is not None and whole.rule is not None and calendar.is_live(whole) and not whole.values.get("isCancelled"):
        moved = _known(whole, event, slot) != times
        if slot in whole.cancelled and not moved and not anew:
            return None
        exceptions = {**whole.exceptions, slot: _exception(letter, whole, slot)}
        calendar.receive(whole, whole.values, whole.times, whole.rule, exceptions, whole.cancelled - {slot}, now)
        whole.heard[slot] = (times, None)
        return whole
    source = Source(owner, event.number, slot)
    copy = calendar.copy_of(source)
    known = copy or whole
    moved = whole is not None and _known(whole, event, slot) != times
    if copy is not None:
        moved = copy.heard.get(None) != (times, None)
    if known is not None and not calendar.is_live(known) and not moved and not anew:
        return None
    copy = copy if copy is not None and calendar.is_live(copy) else None
    override = event.exceptions.get(slot) or Override()
    held = {**event.values, **override.values}
    own = letter.first(held) if copy is None else _own(copy.values)
    fresh = moved or copy is None or bool(copy.values.get("isCancelled"))
    values = {**letter.content(held), **letter.organizer, **own, **(_UNANSWERED if fresh else {})}
    copy = _saved(calendar, copy, values, (times, None), {}, set(), now)
    copy.heard = {None: (times, None)}
    calendar.adopt(copy, source)
    return copy


def _own(values: Json) -> Json:
    return {name: values[name] for name in OWN if name in values}


def _saved(
    calendar: Calendar,
    copy: Event | None,
    values: dict[str, Any],
    when: tuple[Times, Rule | None],
    exceptions: dict[date, Override],
    cancelled: set[date],
    now: str,
) -> Event:
    if copy is None:
        copy = calendar.create(values, *when, {}, now)
        copy.exceptions, copy.cancelled = exceptions, cancelled
        for override in exceptions.values():
            override.seq, override.modified = copy.seq, now
    else:
        calendar.receive(copy, values, *when, exceptions, cancelled, now)
    return copy


def call_off(world: World, user: User, notice: Notice) -> None:
    """The copy stays, marked; an occurrence goes out of the series (switch `cancelled_occurrence=marked`). Rooms and equipment
    clear their calendars (memory)."""
    calendar, now, slot = user.mailbox.calendar, world.now(), notice.slot
    for copy in calendar.live_copies(notice.organizer, notice.event.number):
        own = copy.source.slot if copy.source else None
        if slot is not None and own is None and copy.rule is not None:
            _call_off_occurrence(world, user, copy, slot, now)
        elif slot in (None, own):
            if user.kind == "user":
                mark(calendar, copy, now)
            else:
                calendar.trash(copy, now)


def _call_off_occurrence(world: World, user: User, whole: Event, slot: date, now: str) -> None:
    calendar = user.mailbox.calendar
    if whole.values.get("isCancelled") or not series.takes_place(whole, slot):
        return
    if world.quirks.cancelled_occurrence == "marked" and user.kind == "user":
        override = series.override_of(whole, slot)
        override.values |= _marked({**whole.values, **override.values})
        calendar.change_occurrence(whole, slot, override, now)
    else:
        calendar.cancel(whole, slot, now)


def mark(calendar: Calendar, copy: Event, now: str) -> None:
    """Cancelled, as an attendee sees it."""
    calendar.change(copy, {**copy.values, **_marked(copy.values)}, copy.times, copy.rule, copy.extended, now)


def _marked(values: Json) -> Json:
    if values.get("isCancelled"):
        return {}
    return {"isCancelled": True, "subject": f"Canceled: {values.get('subject', '')}", "showAs": "free"}
