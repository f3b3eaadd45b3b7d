"""Calendars in the world with nothing of ours replaced: people in front of Outlook's calendar and of vtenext's events.

`EmulatedEvents` and `EmulatedCalendar` offer to a story what `MemoryCrm` and `MemoryCalendar` offer. What there is, is read from the emulators'
own insides and translated here a second time: neither sync.spans nor the adapters are asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from emulators.graph import GraphEmulator, series
from emulators.graph.calendar import Calendar
from emulators.graph.calendar import Event as Stored
from emulators.graph.event_view import View
from emulators.vtenext import VtenextEmulator
from mapping.attendees import Attendee, attendees_value
from mapping.model import Value
from sync.event_names import record_uid
from sync.model import Family, Gone, Item, Kind, Present, Proof, Side
from sync.series import from_graph, to_text
from sync.sides.base import Crm, Done, Mailbox, New, Remove, Result, Write
from sync.sides.graph import Horizon, open_calendar
from sync.sides.graph.events import event_of, recurrence_of
from sync.sides.memory import Event, Record
from sync.sides.memory_calendar import AHEAD, BACK
from sync.sides.memory_events import over
from sync.spans import read_span
from sync.store.base import Rows
from tests.contract.vtenext_world import typed
from tests.sim.calendar_story import NotDone
from tests.sim.world import ROME
from tests.whole.world import EmulatedCrm, WholeWorld

SHOWN = ("subject", "location", "description", "visibility", "taskpriority", "reminder_time")
EVENTS = "Events"
MEETING = {"activitytype": "Meeting", "eventstatus": "Planned"}


# vtenext ------------------------------------------------------------------------------------------------------------------


class EmulatedEvents(EmulatedCrm):
    """People in front of vtenext's calendar."""

    def __init__(self, emulator: VtenextEmulator) -> None:
        super().__init__(emulator)
        self.past: list[str] = []

    @property
    def records(self) -> dict[str, Record]:
        rows = self._emulator.backdoor.dump().get(EVENTS, [])
        return {row["id"]: _record(row) for row in rows}

    def add(self, kind: Kind, owner: str, fields: Mapping[str, Value]) -> Record:
        (crm_id,) = self.add_many(owner, [fields])
        return self.records[crm_id]

    def add_many(self, owner: str, events: Sequence[Mapping[str, Value]]) -> list[str]:
        """Events of one owner; their ids."""
        typed_in = [typed({name: str(value) for name, value in fields.items()}) for fields in events]
        return self._emulator.backdoor.add_records(
            EVENTS, [{**MEETING, **r, "assigned_user_id": owner} for r in typed_in]
        )

    def add_series(self, owner: str, fields: Mapping[str, Value], spans: Sequence[str]) -> list[Record]:
        """A series made at the screen: every occurrence has the first one's time of day."""
        rows = [typed({"when": span}) for span in spans]
        first = {**MEETING, **{n: str(v) for n, v in fields.items()}, **rows[0], "assigned_user_id": owner}
        made = self._emulator.backdoor.add_series(first, [row["date_start"] for row in rows])
        records = self.records
        return [records[crm_id] for crm_id in made]

    def edit(self, crm_id: str, **fields: str) -> None:
        owner = fields.pop("owner", None)
        self._emulator.backdoor.edit(crm_id, {**typed(fields), **({"assigned_user_id": owner} if owner else {})})

    def _item(self, record: Record) -> Item:
        fields: dict[str, Value] = dict(record.fields)
        return Item(Side.CRM, Kind.EVENT, record.id, record.modified, fields, record.owner)


def _record(row: Mapping[str, Any]) -> Record:
    fields = {name: str(row[name]) for name in SHOWN}
    fields |= {"uid": row["ical_uuid"], "slot": row["recurr_idx"], "when": _kept(row)}
    owner, created, modified = row["assigned_user_id"], row["createdtime"], row["modifiedtime"]
    return Record(row["id"], Kind.EVENT, owner, fields, created, modified, False, row["deleted"])


def _kept(row: Mapping[str, Any]) -> str:
    """The five columns as a span, Rome's clock on the wall; of an hour that comes twice the second one (API.md 6)."""
    if row["is_all_day_event"] == "1":
        return f"{row['date_start']}/{row['due_date']}"
    clocks = (f"{row['date_start']}T{row['time_start']}", f"{row['due_date']}T{row['time_end']}")
    walls = (datetime.fromisoformat(clock).replace(tzinfo=ROME, fold=1) for clock in clocks)
    return "/".join(_instant(wall) for wall in walls)


def _instant(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M}Z"


# Outlook ------------------------------------------------------------------------------------------------------------------


@dataclass
class EmulatedCalendar:
    """A person in front of one mailbox's calendar. What Exchange refuses is not done."""

    emulator: GraphEmulator
    id: str
    now: Callable[[], datetime]
    folder_id: str = ""
    past: list[str] = field(default_factory=list)  # what was written although it was over

    @property
    def _calendar(self) -> Calendar:
        return self.emulator.world.user(self.id).mailbox.calendar

    # what users do

    def add(
        self, fields: Mapping[str, str], *, rule: str = "", stamp: str = "", zone: ZoneInfo | None = None, **more: Any
    ) -> Event:
        """A new event, or a series when there is a rule (RFC 5545). `more`: properties as Graph calls them."""
        written = {"reminder": "", **_spoken(fields), **({"rule": rule} if rule else {})}
        body = {**event_of(written, zone or ROME, stamp), **more}
        made = _done(self.emulator.outlook.create_event, self.id, body)
        return self._event(self._stored(made), self._view())

    def edit(self, event_id: str, **fields: str) -> None:
        """A single event, or what a series says of all its occurrences; a new start takes the rule along."""
        stored = self._stored(event_id)
        zone = ZoneInfo(stored.times.start_zone)
        body = event_of(_spoken(fields), zone)
        if stored.rule and "when" in fields:
            body["recurrence"] = self._ruled(self._text(stored), fields["when"], zone)
        _done(self.emulator.outlook.edit_event, self.id, event_id, body)

    def edit_occurrence(self, event_id: str, slot: str, **fields: str) -> None:
        zone = ZoneInfo(self._stored(event_id).times.start_zone)
        _done(self.emulator.outlook.edit_occurrence, self.id, event_id, slot, event_of(_spoken(fields), zone))

    def cancel(self, event_id: str, slot: str) -> None:
        _done(self.emulator.outlook.delete_occurrence, self.id, event_id, slot)

    def set_rule(self, event_id: str, rule: str) -> None:
        stored = self._stored(event_id)
        when = _fields(self._view().item(stored))["when"]
        recurrence = self._ruled(rule, when, ZoneInfo(stored.times.start_zone))
        _done(self.emulator.outlook.change_rule, self.id, event_id, recurrence)

    def delete(self, event_id: str) -> None:
        _done(self.emulator.outlook.delete_event, self.id, event_id)

    @staticmethod
    def _ruled(rule: str, when: str, zone: ZoneInfo) -> dict[str, Any]:
        try:
            return recurrence_of(rule, read_span(when), zone)
        except ValueError as refused:  # its end is before its start
            raise NotDone from refused

    # what there is

    @property
    def events(self) -> dict[str, Event]:
        """Singles and series, those in Deleted Items too."""
        view = self._view()
        return {each.immutable_id: self._event(each, view) for each in self._calendar.events.values()}

    def shown(self) -> Iterator[Item]:
        """Everything that a person sees inside the horizon."""
        for each in self._calendar.live():
            yield from self._shown(each)

    def everything(self, ahead: timedelta) -> Iterator[Item]:
        """Every event, and of series every occurrence up to so far ahead."""
        for each in self._calendar.live():
            found = series.in_window(each, each.times.start, self.now() + ahead) if each.rule else [None]
            yield from (self._item(each, slot) for slot in found)

    def _items(self, event: Event) -> list[Item]:
        return self._shown(self._stored(event.id))

    def _present(self, item_id: str) -> Present:
        event_id, _, slot = item_id.partition("|")
        found = self._calendar.find(event_id)
        if found is None or found[0].trashed:
            return Gone(item_id, Proof.NOT_FOUND)
        if not slot:
            return self._item(found[0], None)
        if not series.takes_place(found[0], date.fromisoformat(slot)):
            return Gone(item_id, Proof.NOT_FOUND)
        return self._item(found[0], date.fromisoformat(slot))

    def _shown(self, stored: Stored) -> list[Item]:
        if stored.rule is None:
            return [self._item(stored, None)]
        now = self.now()
        found = [self._item(stored, slot) for slot in series.in_window(stored, now - BACK * 2, now + AHEAD * 2)]
        return [i for i in found if now - BACK < over(str(i.fields["when"]), ROME) < now + AHEAD]

    def _item(self, stored: Stored, slot: date | None) -> Item:
        read = self._view().item(stored, slot)
        fields: dict[str, Value] = {**_fields(read), "uid": record_uid(read["iCalUId"]), "slot": "0"}
        guests = [Attendee(each["emailAddress"]["address"], each["type"]) for each in read["attendees"]]
        fields["attendees"] = attendees_value(guests)
        id_, master = stored.immutable_id, ""
        if slot is not None:
            zone = series.zone_of(stored.times, series.rule_of(stored))
            fields["slot"] = str((slot - stored.times.start.astimezone(zone).date()).days)
            id_, master = f"{id_}|{slot.isoformat()}", id_
        return Item(Side.MAILBOX, Kind.EVENT, id_, read["@odata.etag"], fields, self.id, "", "", master)

    def _event(self, stored: Stored, view: View) -> Event:
        read = view.item(stored)
        uid, zone = record_uid(read["iCalUId"]), ZoneInfo(stored.times.start_zone)
        changed = {slot.isoformat(): _fields(view.item(stored, slot)) for slot in sorted(stored.exceptions)}
        cancelled = {slot.isoformat() for slot in stored.cancelled}
        event = Event(stored.immutable_id, uid, _fields(read), zone, "", self._text(stored), changed, cancelled)
        event.etag, event.deleted = read["@odata.etag"], stored.trashed
        return event

    def _text(self, stored: Stored) -> str:
        return to_text(from_graph(self._view().item(stored)["recurrence"])) if stored.rule else ""

    def _view(self) -> View:
        return View(self._calendar, {"emailAddress": {"name": "", "address": ""}}, immutable=True)

    def _stored(self, event_id: str) -> Stored:
        found = self._calendar.find(event_id)
        if found is None or found[1] is not None:
            raise KeyError(event_id)
        return found[0]

    # as MemoryMailbox has them

    @property
    def log(self) -> list[str]:
        return []

    @property
    def forgotten(self) -> int:
        return 0

    @forgotten.setter
    def forgotten(self, value: int) -> None:
        self.emulator.expire_delta(self.id)

    @property
    def writes(self) -> int:
        return sum(self.calls().values())

    def calls(self) -> dict[str, int]:
        """Writing requests so far, by method and what they are about."""
        counted = self.emulator.parts.counts
        mine = {label: n for label, n in counts(counted, self.id).items() if not label.startswith("GET")}
        return dict(sorted(mine.items()))


def counts(labels: Mapping[str, int], user: str) -> dict[str, int]:
    """Requests about a user's events, the user left out."""
    about = f"/users/{user}/"
    return {label.replace(about, ""): n for label, n in labels.items() if about in label and "event" in label.lower()}


def _fields(read: Mapping[str, Any]) -> dict[str, str]:
    """An event as Graph shows it in UTC, in the words of an item."""
    first, last = (str(read[name]["dateTime"])[:16] for name in ("start", "end"))
    days = f"{first[:10]}/{(date.fromisoformat(last[:10]) - timedelta(days=1)).isoformat()}"
    when = days if read["isAllDay"] else f"{first}Z/{last}Z"
    return {
        "subject": read["subject"],
        "location": read["location"]["displayName"],
        "body": read["body"]["content"],
        "bodyType": read["body"]["contentType"],
        "sensitivity": read["sensitivity"],
        "importance": read["importance"],
        "reminder": str(read["reminderMinutesBeforeStart"]) if read["isReminderOn"] else "",
        "when": when,
        "zone": read["originalStartTimeZone"],
        "organizer": "1" if read["isOrganizer"] else "",
    }


def _spoken(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name != "bodyType"}


def _done(hand: Callable[..., Any], *given: Any) -> Any:
    try:
        return hand(*given)
    except ValueError as refused:
        raise NotDone(str(refused)) from refused


class Noting:
    """A side, and note of what was written through it although it was over."""

    def __init__(self, inner: Any, past: list[str], now: Callable[[], datetime]) -> None:
        self._inner, self._past, self._now = inner, past, now

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        results: list[Result] = await self._inner.apply(writes)
        for write, result in zip(writes, results, strict=True):
            if isinstance(write, New) or not isinstance(result, Done) or "rule" in write.expected.fields:
                continue
            after = "" if isinstance(write, Remove) else str(write.fields.get("when", ""))
            times = [over(when, ROME) for when in (str(write.expected.fields["when"]), after) if when]
            self._past += [write.expected.id] if times and max(times) <= self._now() else []
        return results


# the world ----------------------------------------------------------------------------------------------------------------


class CalendarWholeWorld(WholeWorld):
    """`WholeWorld` with calendars instead of contacts."""

    crm: EmulatedEvents  # type: ignore[assignment]
    calendars: dict[str, EmulatedCalendar]  # type: ignore[assignment]

    def __init__(self, rows: Rows | None = None, users: int = 2) -> None:
        super().__init__(rows, Family.CALENDAR, users)
        self.crm = EmulatedEvents(self.vtenext)
        self.calendars = {user: EmulatedCalendar(self.graph, user, self.now) for user in self.mailboxes}

    async def crm_side(self) -> Crm:
        return Noting(self._side, self.crm.past, self.now)

    async def calendar_side(self, mailbox: str) -> Mailbox:
        horizon = Horizon(since=self.calendar.since)
        opened = await open_calendar(self._connection, mailbox, zone=ROME, now=self.now, horizon=horizon)
        return Noting(opened, self.calendars[mailbox].past, self.now)
