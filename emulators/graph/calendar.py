"""The calendars of a mailbox: events, series with their exceptions, ids, and the log that delta queries read.

No HTTP and no OData here. A series is one item: its occurrences are computed, an exception holds only what it does not
inherit. Times of saving are ready-made strings: the calendar reads no clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

from emulators.graph.changes import Change, Hear, What
from emulators.graph.event_times import Times
from emulators.graph.ids import change_key, ical_uid, opaque
from emulators.graph.recurrence import Rule


@dataclass(slots=True)
class Override:
    """A changed occurrence: what it does not inherit from the master. `times` None = the slot's own."""

    values: dict[str, Any] = field(default_factory=dict)
    times: Times | None = None
    extended: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Pattern:
    """When a series was to take place: what is left of it after a change."""

    times: Times
    rule: Rule
    cancelled: frozenset[date]


@dataclass(slots=True, eq=False)
class CalendarFolder:
    """One calendar. `read_only`: somebody else's that may be looked at only."""

    id: str
    name: str
    seq: int
    color: str = "auto"
    read_only: bool = False


class Source(NamedTuple):
    """The organizer's event that a copy is of: mailbox, number, and the slot of a copy of one occurrence only."""

    owner: str
    number: int
    slot: date | None = None


@dataclass(slots=True, eq=False)
class Event:
    """A single event, or a series (`rule`) with what happened to its slots (local dates of original starts)."""

    number: int
    folder: CalendarFolder
    immutable_id: str
    default_id: str
    created: str
    times: Times
    rule: Rule | None
    values: dict[str, Any]
    extended: dict[str, str]
    modified: str = ""
    seq: int = 0
    moves: int = 0
    trashed: bool = False
    exceptions: dict[date, Override] = field(default_factory=dict)
    cancelled: set[date] = field(default_factory=set)
    former: list[tuple[int, Pattern]] = field(default_factory=list)  # what held until that save
    source: Source | None = None  # set on an attendee's copy
    # when, as the organizer said last
    heard: dict[date | None, tuple[Times, Rule | None]] = field(default_factory=dict)

    @property
    def change_key(self) -> str:
        """New with each save of the item, of its exceptions too: a series is one item (BEHAVIOUR 5.1)."""
        return change_key(self.seq)


class Entry(NamedTuple):
    """One line of the log: this event changed in, came to or left this calendar."""

    seq: int
    event: Event
    default_id: str  # at that moment: a move changes it (BEHAVIOUR 5.2)
    folder: CalendarFolder


class Calendar:
    """All events of a mailbox, in its default calendar, in others and in Deleted Items."""

    def __init__(self, owner: str, next_change: Callable[[], int], tell: Hear) -> None:
        self.owner = owner
        self._tell = tell
        self.events: dict[int, Event] = {}
        self.log: list[Entry] = []
        self.transactions: dict[str, tuple[Event, str]] = {}  # transactionId -> event, digest of what was sent
        self._next_change = next_change
        self._by_id: dict[str, tuple[Event, date | None]] = {}
        self._copies: dict[tuple[str, int], dict[date | None, Event]] = {}
        self._made = 0
        self.folders: dict[str, CalendarFolder] = {}
        self.default = self.add_folder("Calendar")

    def add_folder(self, name: str, color: str = "auto", *, read_only: bool = False) -> CalendarFolder:
        """One more calendar; the first is the default one."""
        made = opaque(self.owner, "AQMkAD", "calendar", len(self.folders))
        folder = CalendarFolder(made, name, self._next_change(), color, read_only)
        self.folders[folder.id] = folder
        return folder

    def live(self, folder: CalendarFolder | None = None) -> list[Event]:
        """Singles and series that are in this calendar, by default in the default one."""
        folder = folder or self.default
        return [each for each in self.events.values() if not each.trashed and each.folder is folder]

    def trashed(self) -> list[Event]:
        """Those in Deleted Items."""
        return [each for each in self.events.values() if each.trashed]

    # ids -------------------------------------------------------------------------------------------------------

    def find(self, item_id: str) -> tuple[Event, date | None] | None:
        """The event of an id of either form, and the slot when it is an occurrence's that was given out. Case matters."""
        return self._by_id.get(item_id)

    def item_id(self, event: Event, slot: date | None, immutable: bool) -> str:
        """The id of an event or of an occurrence; an occurrence keeps it when it becomes an exception."""
        base = event.immutable_id if immutable else event.default_id
        if slot is None:
            return base
        made = opaque(self.owner, "AAkALgAAAA" if immutable else "AAMkAD", base, slot.isoformat())
        self._by_id[made] = (event, slot)
        return made

    def uid(self, event: Event, slot: date | None) -> str:
        """iCalUId: the same in every copy of a meeting, another one for each occurrence (BEHAVIOUR 5.2)."""
        given = event.values.get("iCalUId")
        owner, number, own = event.source or Source(self.owner, event.number)
        return str(given) if given else ical_uid(owner, number, slot or own)

    def copy_of(self, source: Source) -> Event | None:
        """The copy that was made last of somebody's meeting, wherever it is now."""
        return self._copies.get(source[:2], {}).get(source.slot)

    def live_copies(self, owner: str, number: int) -> list[Event]:
        """All that is there of somebody's meeting: the series, and occurrences that came alone."""
        return [each for each in self._copies.get((owner, number), {}).values() if self.is_live(each)]

    def is_live(self, event: Event | None) -> bool:
        """Whether it is there and not in Deleted Items."""
        return event is not None and event.number in self.events and not event.trashed

    # changes ---------------------------------------------------------------------------------------------------

    def create(
        self,
        values: dict[str, Any],
        times: Times,
        rule: Rule | None,
        extended: dict[str, str],
        now: str,
        folder: CalendarFolder | None = None,
    ) -> Event:
        """A new single event or series, by default in the default calendar."""
        self._made += 1
        number = self._made
        ids = opaque(self.owner, "AAkALgAAAA", "event", number), opaque(self.owner, "AAMkAD", "event", number, 0)
        event = Event(number, folder or self.default, *ids, now, times, rule, values, extended)
        self.events[number] = event
        self._by_id[ids[0]] = self._by_id[ids[1]] = (event, None)
        self._save(event, now)
        self._told(event, "created")
        return event

    def change(
        self,
        event: Event,
        values: dict[str, Any],
        times: Times,
        rule: Rule | None,
        extended: dict[str, str],
        now: str,
        *,
        keep_on_range: bool = False,
    ) -> None:
        """Save a single or a master. A changed rule or time throws exceptions and cancellations away (BEHAVIOUR 7.2, memory);
        with `keep_on_range` those that the rule still means survive when only its end moved."""
        if event.rule is not None and (times, rule) != (event.times, event.rule):
            self._remember(event)
            kept = keep_on_range and times == event.times and rule is not None and rule.only_range_differs(event.rule)
            holds = rule.holds if kept and rule is not None else (lambda slot: False)
            event.exceptions = {slot: each for slot, each in event.exceptions.items() if holds(slot)}
            event.cancelled = {slot for slot in event.cancelled if holds(slot)}
        event.values, event.times, event.rule, event.extended = values, times, rule, extended
        self._save(event, now)
        self._told(event, "updated")

    def adopt(self, event: Event, source: Source) -> None:
        """From now on `event` is the copy of that meeting."""
        event.source = source
        self._copies.setdefault(source[:2], {})[source.slot] = event

    def receive(
        self,
        event: Event,
        values: dict[str, Any],
        times: Times,
        rule: Rule | None,
        exceptions: dict[date, Override],
        cancelled: set[date],
        now: str,
    ) -> None:
        """What a message of the organizer makes of a copy, all at once: one save."""
        self._remember(event)
        event.values, event.times, event.rule = values, times, rule
        event.exceptions, event.cancelled = exceptions, cancelled
        self._save(event, now)
        for override in exceptions.values():
            override.seq, override.modified = event.seq, now
        self._told(event, "updated")

    def change_occurrence(self, event: Event, slot: date, override: Override, now: str) -> None:
        """Save an exception; the series' change key moves with it."""
        event.exceptions[slot] = override
        self._save(event, now)
        override.seq, override.modified = event.seq, now
        self._told(event, "updated")
        self._told(event, "updated", slot=slot)

    def cancel(self, event: Event, slot: date, now: str) -> None:
        """Take one occurrence out of a series."""
        self._remember(event)
        event.exceptions.pop(slot, None)
        event.cancelled.add(slot)
        self._save(event, now)
        self._told(event, "updated")
        self._told(event, "deleted", slot=slot)

    def move(self, event: Event, folder: CalendarFolder, now: str) -> None:
        """To another calendar, a series whole: the immutable id stays, the default one does not (BEHAVIOUR 5.2)."""
        if folder is event.folder:
            return
        self._leave(event, now)
        event.folder = folder
        self._save(event, now)
        self._told(event, "updated")

    def trash(self, event: Event, now: str) -> None:
        """To Deleted Items, a series whole: nobody who looks at the calendar hears of its new default id."""
        former = event.default_id
        self._leave(event, now)
        self._told(event, "deleted", former=former)
        event.trashed = True

    def _leave(self, event: Event, now: str) -> None:
        self._remember(event)
        event.modified, event.seq = now, self._next_change()
        self.log.append(Entry(event.seq, event, event.default_id, event.folder))
        self._renamed(event)

    def restore(self, event: Event, now: str) -> None:
        """Back from Deleted Items, into the calendar that it was in."""
        event.trashed = False
        self._renamed(event)
        self._save(event, now)
        self._told(event, "created")

    def purge(self, event: Event) -> None:
        """Away for good, as by emptying Deleted Items."""
        del self.events[event.number]
        self._by_id = {key: held for key, held in self._by_id.items() if held[0] is not event}

    def _renamed(self, event: Event) -> None:
        """Between calendars and Deleted Items the default id changes, the immutable one does not (BEHAVIOUR 5.1, 5.2)."""
        self._by_id.pop(event.default_id, None)
        event.moves += 1
        event.default_id = opaque(self.owner, "AAMkAD", "event", event.number, event.moves)
        self._by_id[event.default_id] = (event, None)

    def _remember(self, event: Event) -> None:
        if event.rule is not None:
            event.former.append((self._next_change(), Pattern(event.times, event.rule, frozenset(event.cancelled))))

    def _save(self, event: Event, now: str) -> None:
        event.seq = self._next_change()
        event.modified = now
        self.log.append(Entry(event.seq, event, event.default_id, event.folder))

    def _told(self, event: Event, what: What, *, slot: date | None = None, former: str | None = None) -> None:
        """Whatever happens in a series is told of its master; of the occurrence besides, for those who want that."""
        if event.trashed:
            return
        ids = [self.item_id(event, slot, immutable) for immutable in (False, True)]
        override = event.exceptions.get(slot) if slot else None
        etag = f'W/"{change_key(event.seq, override.seq) if override else event.change_key}"'
        change = Change(self.owner, "event", what, former or ids[0], ids[1], etag, occurrence=slot is not None)
        self._tell(change)

    def changed_since(self, seq: int) -> list[Entry]:
        """The log of the default calendar after `seq`, the last line of each default id only, in order."""
        start = bisect_right(self.log, seq, key=lambda entry: entry.seq)
        last = {entry.default_id: entry for entry in self.log[start:] if entry.folder is self.default}
        return sorted(last.values(), key=lambda entry: entry.seq)
