"""One mailbox's calendar in memory, for the simulator: what Exchange does with events and series, and no protocol.

Expands series with python-dateutil on its own, not with `sync.series`, and keeps its quirks: text becomes HTML, a change of rule or time throws
exceptions away, events outside the window show up as removed, a cancelled occurrence cannot be brought back.
"""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from mapping.attendees import attendees_of
from sync.errors import Cause, Failure, RetryLater
from sync.model import Gone, Item, Kind, Present, Proof, Side, Value
from sync.sides.base import CursorLost, Done, New, Page, Refused, Remove, Result, Revise, Write
from sync.sides.memory_copies import bring_up_to_date
from sync.sides.memory_events import ical_uid, over, times_of, uid_on
from sync.sides.memory_meetings import BLANK, Event, Guest, MemoryOffice, guests_at, list_guests, shown
from sync.sides.memory_wire import Wire, apply_all, quiet

BACK, AHEAD = timedelta(days=30), timedelta(days=90)
WINDOW = timedelta(days=365)
ROME = ZoneInfo("Europe/Rome")


def first_day(when: str, zone: ZoneInfo) -> date:
    times = times_of(when)
    return times[0].astimezone(zone).date() if times else date.fromisoformat(when.partition("/")[0])


def span_on(when: str, day: date, zone: ZoneInfo) -> str:
    """The same event on another day: by the clock on the wall."""
    times = times_of(when)
    if times is None:
        first, last = (date.fromisoformat(part) for part in when.split("/"))
        return f"{day.isoformat()}/{(day + (last - first)).isoformat()}"
    local = times[0].astimezone(zone)
    start = datetime.combine(day, local.time(), zone).astimezone(UTC)
    end = start + (times[1] - times[0])
    return "/".join(f"{moment.strftime('%Y-%m-%dT%H:%M')}Z" for moment in (start, end))


def _midnight(when: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(first_day(when, zone), time(), zone).astimezone(UTC)


@dataclass(slots=True)
class MemoryCalendar:
    """One mailbox's calendar. `log`: ids in the order of their changes; a cursor is a position in it and the window's first day."""

    id: str
    now: Callable[[], datetime]
    wire: Wire = quiet
    zone: ZoneInfo = ROME
    folder_id: str = ""
    events: dict[str, Event] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    number: int = 0
    writes: int = 0
    forgotten: int = 0
    past: list[str] = field(default_factory=list)  # what was written although it was over
    office: MemoryOffice = field(default_factory=MemoryOffice)
    address: str = ""
    master: dict[str, str] = field(default_factory=dict)  # the categories that have a colour
    may_colour: bool = True  # False: the permission is missing

    # what users do

    def add(
        self,
        fields: Mapping[str, str],
        *,
        rule: str = "",
        stamp: str = "",
        zone: ZoneInfo | None = None,
        guests: Sequence[str] | Mapping[str, Guest] = (),
    ) -> Event:
        self.number += 1
        event = Event(
            f"{self.id}-event{self.number}",
            ical_uid(f"{self.id}-{self.number}"),
            {**BLANK, **fields},
            zone or self.zone,
        )
        event.rule, event.stamp = rule, stamp
        event.guests = dict(guests) if isinstance(guests, Mapping) else {each: Guest(each) for each in guests}
        self.events[event.id] = event
        self.touch(event)
        return event

    def touch(self, event: Event) -> None:
        """The event was changed: its version moves, and those who take part hear of it."""
        self.note(event)
        if not event.organizer:
            self.office.changed(self, event)

    def note(self, event: Event) -> None:
        self.number += 1
        event.etag = f"e{self.number}"
        event.modified = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        self.log.append(event.id)

    def edit(self, event_id: str, **fields: str) -> None:
        """A single event, or what a series says of all its occurrences; a new time throws exceptions away."""
        event = self.events[event_id]
        if event.rule and fields.get("when", event.fields["when"]) != event.fields["when"]:
            event.changed.clear()
            event.cancelled.clear()
            event.slot_guests.clear()
        event.fields.update(fields)
        self.touch(event)

    def edit_occurrence(self, event_id: str, slot: str, **fields: str) -> None:
        event = self.events[event_id]
        event.changed.setdefault(slot, {}).update(fields)
        self.touch(event)

    def invite(self, event_id: str, address: str, *, slot: str = "", type: str = "required") -> None:
        """To the event, the whole series, or one occurrence."""
        event = self.events[event_id]
        list_guests(event, {address: Guest(address, type), **guests_at(event, slot)}, slot)
        self.touch(event)

    def uninvite(self, event_id: str, address: str, *, slot: str = "") -> None:
        event = self.events[event_id]
        list_guests(event, {a: guest for a, guest in guests_at(event, slot).items() if a != address}, slot)
        self.touch(event)

    def respond(self, event_id: str, answer: str, *, slot: str = "") -> None:
        """The attendee answers on the own copy; declining takes it away."""
        event = self.events[event_id]
        if slot:
            event.slot_responses[slot] = answer
            event.cancelled |= {slot} if answer == "declined" else set()
        else:
            event.response = answer
            event.slot_responses.clear()
            event.deleted = answer == "declined"
        self.note(event)
        self.office.answer(self.address, event, slot, answer)

    def receive(self, origin: Event, organizer: str) -> None:
        """Exchange brings the own copies of somebody's meeting up to date, or takes them back."""
        bring_up_to_date(self, origin, organizer)

    def days(self, event: Event, slot: str) -> int:
        """An occurrence's day, counted from the series' first."""
        return (date.fromisoformat(slot) - first_day(event.fields["when"], event.zone)).days

    def cancel(self, event_id: str, slot: str) -> None:
        event = self.events[event_id]
        event.cancelled.add(slot)
        event.changed.pop(slot, None)
        self.touch(event)

    def set_rule(self, event_id: str, rule: str) -> None:
        event = self.events[event_id]
        event.rule = rule
        event.changed.clear()
        event.cancelled.clear()
        event.slot_guests.clear()
        self.touch(event)

    def delete(self, event_id: str) -> None:
        self.events[event_id].deleted = True
        self.touch(self.events[event_id])

    # what there is

    def slots(self, event: Event, last: date) -> Iterator[str]:
        """Original days of a series' occurrences up to a day, cancelled ones left out."""
        start = first_day(event.fields["when"], event.zone)
        until = datetime.combine(last, time())
        for moment in rrulestr(f"RRULE:{event.rule}", dtstart=datetime.combine(start, time())):
            if moment > until:
                return
            if (day := moment.date().isoformat()) not in event.cancelled:
                yield day

    def occurrence(self, event: Event, slot: str) -> dict[str, str]:
        """Fields of one occurrence, its exception laid over the series."""
        when = span_on(event.fields["when"], date.fromisoformat(slot), event.zone)
        return {**event.fields, "when": when, **event.changed.get(slot, {})}

    def times(self, event: Event) -> list[tuple[datetime, datetime]]:
        """When the event takes place, a series for a year."""
        whens = [event.fields["when"]]
        if event.rule:
            last = (self.now() + WINDOW).date()
            whens = [self.occurrence(event, slot)["when"] for slot in self.slots(event, last)]
        return [times_of(when) or (_midnight(when, event.zone), over(when, event.zone)) for when in whens]

    def shown(self) -> Iterator[Item]:
        """Everything that a person sees inside the horizon."""
        for event in self.events.values():
            if not event.deleted:
                yield from self._items(event)

    def _items(self, event: Event) -> list[Item]:
        if not event.rule:
            return [self._item(event)]
        now = self.now()
        found = [self._slot(event, slot) for slot in self.slots(event, (now + WINDOW).date())]
        return [
            item
            for item in found
            if over(str(item.fields["when"]), event.zone) > now - BACK
            and over(str(item.fields["when"]), event.zone) < now + AHEAD
        ]

    def _item(self, event: Event, *, stamped: bool = False) -> Item:
        fields: dict[str, Value] = {
            **event.fields,
            "zone": event.zone.key,
            "uid": uid_on(event.uid, event.only_day) if event.only_day else event.uid,
            "slot": "0",
            **shown(event, self.address),
        }
        if event.rule:
            fields["rule"] = event.rule
        stamp = event.stamp if stamped else ""
        return Item(Side.MAILBOX, Kind.EVENT, event.id, event.etag, fields, self.id, stamp, event.modified)

    def _slot(self, event: Event, slot: str) -> Item:
        start = first_day(event.fields["when"], event.zone)
        fields: dict[str, Value] = {
            **self.occurrence(event, slot),
            "zone": event.zone.key,
            "uid": event.uid,
            **shown(event, self.address, slot),
        }
        fields["slot"] = str((date.fromisoformat(slot) - start).days)
        version = f"{event.etag};x" if slot in event.changed or slot in event.slot_guests else event.etag
        id_ = f"{event.id}|{slot}"
        return Item(Side.MAILBOX, Kind.EVENT, id_, version, fields, self.id, "", event.modified, event.id)

    # the protocol

    async def _before(self, operation: str) -> None:
        if await self.wire("before", f"calendar {operation}"):
            raise RetryLater(Cause.GRAPH_UNREACHABLE, 30.0)

    def afresh(self, cursor: str) -> str | None:
        return json.dumps({"at": -1, "window": ""})

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        await self._before("changes")
        state: dict[str, Any] = json.loads(cursor) if cursor else {"at": -1, "window": ""}
        fresh = int(state["at"]) < 0
        at = max(int(state["at"]), 0)
        if not fresh and at < self.forgotten:
            raise CursorLost
        window = state["window"] or (self.now() - BACK).date().isoformat()
        moved = bool(state["window"]) and date.fromisoformat(window) + BACK + WINDOW / 3 < self.now().date()
        touched = set(self.log[at:])
        ids = list(dict.fromkeys([*self.log[at:], *(self.events if moved else ())]))
        window = (self.now() - BACK).date().isoformat() if moved else window
        end = json.dumps({"at": len(self.log), "window": window})
        for start in range(0, max(len(ids), 1), 3):
            part = [self.events[i] for i in ids[start : start + 3]]
            outside = [e for e in part if not e.rule and self._outside(e, window)]
            hidden = outside if cursor else []  # removed, says the delta; history, says a first listing
            live = [e for e in part if not e.deleted and e not in hidden]
            last = start + 3 >= len(ids)
            gone = [e.id for e in part if e.deleted or (e in hidden and not fresh and e.id in touched)]
            items = [item for event in live for item in self._items(event)]
            yield Page(items, gone, end if last else "", last, [e.id for e in live if e.rule])

    def _outside(self, event: Event, window: str) -> bool:
        first = date.fromisoformat(window)
        return not first <= first_day(event.fields["when"], event.zone) <= first + BACK + WINDOW

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        await self._before("stamped")
        yield [self._item(event, stamped=True) for event in self.events.values() if not event.deleted]

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        await self._before("get")
        return {item_id: self._present(item_id) for item_id in ids}

    def _present(self, item_id: str) -> Present:
        series, _, slot = item_id.partition("|")
        event = self.events.get(series)
        if event is None or event.deleted:
            return Gone(item_id, Proof.NOT_FOUND)
        if not slot:
            return self._item(event, stamped=True)
        covered = event.rule and slot in set(self.slots(event, date.fromisoformat(slot)))
        return self._slot(event, slot) if covered else Gone(item_id, Proof.NOT_FOUND)

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        await self._before("colour")
        if not self.may_colour:
            return Failure(403, "ErrorAccessDenied")
        self.master = {**categories, **self.master}
        return None

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return await apply_all(self.wire, "calendar", writes, self._write)

    def _write(self, write: Write) -> Result:
        self.writes += 1
        self.office.by = "engine"
        try:
            return self._created(write) if isinstance(write, New) else self._changed(write)
        finally:
            self.office.by = "user"

    def _changed(self, write: Revise | Remove) -> Result:
        present = self._present(write.expected.id)
        if not isinstance(present, Item):
            return Done(None) if isinstance(write, Remove) else Refused(Failure(404, "ErrorItemNotFound"))
        series, _, slot = write.expected.id.partition("|")
        event = self.events[series]
        expected = write.expected.fields
        same = bool(slot) and all(expected.get(name) == value for name, value in present.fields.items())
        # another occurrence may have moved the series' version
        if present.version != write.expected.version and not same:
            return Refused(Failure(412, "ErrorIrresolvableConflict"))
        after = "" if isinstance(write, Remove) else str(write.fields.get("when", ""))
        if all(over(when, event.zone) <= self.now() for when in (str(present.fields["when"]), after) if when):
            gap = isinstance(write, Remove) and slot and event.stamp  # of a series that we made ourselves
            self.past += [write.expected.id] if (slot or not event.rule) and not gap else []
        fields = dict(write.fields) if isinstance(write, Revise) else {}
        if event.organizer and (isinstance(write, Remove) or fields.keys() - {"response", "categories"}):
            self.office.violations.append(f"{self.id}: {type(write).__name__} {sorted(fields)} of {write.expected.id}")
        if isinstance(write, Remove):
            if slot:
                self.cancel(series, slot)
            else:
                self.delete(series)
            return Done(None)
        self._people(event, slot, fields)
        texts = _as_exchange({name: str(value) for name, value in fields.items()})
        if "until" in texts:
            self.set_rule(series, _ending(event.rule, texts["until"]))
        elif slot and texts:
            self.edit_occurrence(series, slot, **texts)
        else:
            self.edit(series, **texts)
        now = self._present(write.expected.id)
        return Done(now if isinstance(now, Item) else None)

    def _people(self, event: Event, slot: str, fields: dict[str, Value]) -> None:
        """Take what is about people out of `fields` and write it."""
        if "attendees" in fields:
            before = guests_at(event, slot)
            wanted = attendees_of(fields.pop("attendees"))
            listed = {a.address: before.get(a.address) or Guest(a.address, a.type, "none", a.name) for a in wanted}
            list_guests(event, listed, slot)
        if "categories" in fields:
            event.categories = set(fields.pop("categories"))
        if answer := fields.pop("response", ""):
            self.respond(event.id, str(answer), slot=slot)

    def _created(self, write: New) -> Result:
        again = next((e for e in self.events.values() if e.stamp == write.stamp and not e.deleted), None)
        if again is not None:  # the same transactionId
            return Done(self._item(again, stamped=True))
        given = dict(write.fields)
        categories = set(given.pop("categories", ()))
        guests = {a.address: Guest(a.address, a.type, "none", a.name) for a in attendees_of(given.pop("attendees", ()))}
        categories = set(given.pop("categories", ()))
        fields = _as_exchange({name: str(value) for name, value in given.items()})
        rule, zone = fields.pop("rule", ""), fields.pop("zone", "")
        where = ZoneInfo(zone) if zone else None
        event = self.add(fields, rule=rule, stamp=write.stamp, zone=where, guests=guests)
        event.categories = categories
        return Done(self._item(event, stamped=True))


def _as_exchange(fields: dict[str, str]) -> dict[str, str]:
    """A body of text is kept as HTML."""
    if "body" in fields and fields.get("bodyType") != "html":
        lines = "<br>\r\n".join(html.escape(line, quote=False) for line in fields["body"].split("\n"))
        fields["body"] = f'<html><head></head><body><div class="PlainText">{lines}</div></body></html>'
        fields["bodyType"] = "html"
    return fields


def _ending(rule: str, until: str) -> str:
    parts = [part for part in rule.split(";") if not part.startswith(("UNTIL=", "COUNT="))]
    return ";".join([*parts, f"UNTIL={until.replace('-', '')}"])
