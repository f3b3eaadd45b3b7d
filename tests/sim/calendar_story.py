"""Random stories of calendars: what people do with events and series on both sides between two synchronisations. Everything follows from the seed.

The first word of a subject is a serial number, so that a double is seen whoever made it. What people wrote is noted, and must be on both
sides in the end unless somebody else wrote the same field meanwhile.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.model import Item, Kind
from sync.sides.memory import Event, MemoryCalendar, Record
from sync.sides.memory_calendar import span_on
from sync.sides.memory_events import over
from tests.sim.world import ROME, World

TITLES = ["Riunione", "Visita 🚗 cliente", "T" * 130, "Pranzo"]
PLACES = ["", "Milano", "Sala 🍅", "Reggio nell'Emilia " * 12]
BODIES = ["", "uno\ndue", "a & b < c", "riga  \n\n\n\nfine"]
RULES = [
    "FREQ=DAILY;INTERVAL=1;COUNT=6",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,WE;WKST=MO;COUNT=9",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;WKST=MO",
    "FREQ=MONTHLY;INTERVAL=1;BYMONTHDAY=15",
    "FREQ=MONTHLY;INTERVAL=1;BYDAY=MO;BYSETPOS=2",
]
ZONES = [ROME, ROME, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata")]
MINUTES = ["", "15", "60", "1440"]
Written = dict[tuple[str, str, str], str]


class NotDone(Exception):
    """The server refused it, so the person leaves it."""


def serial_of(subject: str) -> str:
    return subject.split(" ")[0]


@dataclass
class CalendarStory:
    """The people of one seed. `written`: (side or mailbox, id, field) -> value, since everything was last settled."""

    world: World
    random: random.Random
    serial: int = 0
    written: Written = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    # records and fields that somebody edited in the CRM at some time
    by_hand: set[tuple[str, str]] = field(default_factory=set)
    private: set[str] = field(default_factory=set)  # serials of events that were private in a mailbox at some time
    old: set[str] = field(default_factory=set)  # records from before the connection that nobody touched since

    def connected(self) -> None:
        """The mailboxes are connected: what the CRM holds now is not exported unless somebody touches it."""
        self.old = {record.id for record in self._records()}

    def settled(self) -> None:
        self.written.clear()
        self.gone.clear()

    def _title(self) -> str:
        self.serial += 1
        return f"e{self.serial} {self.random.choice(TITLES)}"

    def _when(self) -> str:
        day = self.world.now().date() + timedelta(days=self.random.choice([-40, -1, 0, 1, 2, 3, 7, 20, 60, 123, 400]))
        if self.random.random() < 0.25:
            return f"{day.isoformat()}/{(day + timedelta(days=self.random.choice([0, 0, 2]))).isoformat()}"
        start = datetime.combine(day, time(self.random.randrange(24), self.random.choice([0, 30])), UTC)
        end = start + timedelta(minutes=self.random.choice([0, 30, 60, 1500]))
        return "/".join(f"{moment:%Y-%m-%dT%H:%M}Z" for moment in (start, end))

    # people of the CRM

    def crm_adds(self) -> None:
        owner = self.random.choice([*self.world.users])
        fields = {"subject": self._title(), "when": self._when(), "location": self.random.choice(PLACES)}
        fields["description"] = self.random.choice(BODIES)
        fields["visibility"] = self.random.choice(["Standard", "", "Private", "Public"])
        fields["reminder_time"] = self.random.choice(MINUTES)
        self.world.crm.add(Kind.EVENT, owner, fields)

    def crm_adds_series(self) -> None:
        """As the user interface does: one record per occurrence. Sometimes with dates that fit no rule, sometimes half saved."""
        first = self._when()
        if first.partition("/")[0] < self.world.now().isoformat() or self.random.random() < 0.1:
            first = f"{(self.world.now() + timedelta(days=1)):%Y-%m-%d}T09:00Z/{(self.world.now() + timedelta(days=1)):%Y-%m-%d}T10:00Z"
        start = date.fromisoformat(first[:10])
        step = self.random.choice([1, 7, 14])
        days = [start + timedelta(days=step * n) for n in range(self.random.choice([2, 3, 6, 12]))]
        if self.random.random() < 0.5 and len(days) > 8:
            del days[3]
        if self.random.random() < 0.2:
            days = sorted({day + timedelta(days=self.random.randrange(0, 5) * 11) for day in days})
        owner = self.random.choice([*self.world.users])
        fields = {"subject": self._title(), "location": self.random.choice(PLACES)}
        self.world.crm.add_series(owner, fields, [span_on(first, day, ROME) for day in days])

    def _records(self) -> list[Record]:
        return [r for r in self.world.crm.records.values() if r.kind is Kind.EVENT and not r.deleted]

    def _title_of(self, record: Record) -> str:
        """Its title, also when it is only a busy block here."""
        events = (e for c in self.world.calendars.values() for e in c.events.values())
        ours = (e for e in events if e.uid == record.fields["uid"] or e.stamp.startswith(f"{record.id};"))
        title = next((e.fields["subject"] for e in ours), "")
        return title or record.fields["subject"]

    def _any_record(self) -> Record | None:
        records = self._records()
        return self.random.choice(records) if records else None

    def crm_edits(self) -> None:
        record = self._any_record()
        if record is None:
            return
        name = self.random.choice(["location", "description", "when", "taskpriority", "visibility"])
        pools = {"location": PLACES, "description": BODIES, "taskpriority": ["High", "Low", "Medium"]}
        value = self._moved(record.fields["when"]) if name == "when" else ""
        if name == "visibility":
            value = self.random.choice(["Standard", "Private"])
        value = value or self.random.choice(pools.get(name, [""]))
        if name in pools or value:
            before = record.fields.get(name, "")
            self.world.crm.edit(record.id, **{name: value})
            self.old.discard(record.id)
            self.by_hand.add((record.id, name))
            if record.fields[name] != before:
                self.written[("crm", record.id, name)] = value

    def crm_deletes(self) -> None:
        record = self._any_record()
        if record:
            self.world.crm.delete(record.id)
            self._left(self._title_of(record))

    def crm_deletes_coming(self) -> None:
        """Everything of a series that is to come."""
        record = self._any_record()
        for other in self._records() if record else ():
            if (
                record
                and other.fields["uid"] == record.fields["uid"]
                and over(other.fields["when"], ROME) > self.world.now()
            ):
                self.world.crm.delete(other.id)
                self._left(self._title_of(other))

    def crm_reassigns(self) -> None:
        record = self._any_record()
        if record:
            self.world.crm.edit(record.id, owner=self.random.choice([*self.world.users]))
            self.old.discard(record.id)
            self.copies.add(serial_of(self._title_of(record)))

    # people of the mailboxes

    def _any_calendar(self) -> MemoryCalendar:
        return self.random.choice(list(self.world.calendars.values()))

    def _any_event(self, series: bool | None = None) -> tuple[MemoryCalendar, Event] | None:
        found = [
            (c, e)
            for c in self.world.calendars.values()
            for e in c.events.values()
            if not e.deleted and series in {None, bool(e.rule)}
        ]
        return self.random.choice(found) if found else None

    def mailbox_adds(self) -> None:
        fields = {"subject": self._title(), "when": self._when(), "location": self.random.choice(PLACES)}
        fields["body"] = self.random.choice(BODIES)
        fields["sensitivity"] = self.random.choice(["normal", "normal", "personal", "private", "confidential"])
        fields["reminder"] = self.random.choice(MINUTES)
        self._note_private(fields)
        self._any_calendar().add(fields, zone=self.random.choice(ZONES))

    def mailbox_adds_series(self) -> None:
        fields = {"subject": self._title(), "when": self._when(), "location": self.random.choice(PLACES)}
        self._any_calendar().add(fields, rule=self.random.choice(RULES), zone=self.random.choice(ZONES))

    def _note_private(self, fields: dict[str, str]) -> None:
        if fields.get("sensitivity") in {"private", "confidential"}:
            self.private.add(serial_of(fields["subject"]))

    def _moved(self, when: str) -> str:
        if not when:
            return self._when()
        first, last = when.split("/")
        hours = timedelta(hours=self.random.choice([1, -2, 24]))
        if "T" in first:
            moments = [datetime.fromisoformat(part.replace("Z", "+00:00")) + hours for part in (first, last)]
            return "/".join(f"{moment:%Y-%m-%dT%H:%M}Z" for moment in moments)
        return "/".join((date.fromisoformat(part) + timedelta(days=1)).isoformat() for part in (first, last))

    def _change(self, when: str) -> tuple[str, str]:
        name = self.random.choice(["location", "body", "when", "importance"])
        pools = {"location": PLACES, "body": BODIES, "importance": ["low", "normal", "high"]}
        return name, self._moved(when) if name == "when" else self.random.choice(pools[name])

    def mailbox_edits(self) -> None:
        found = self._any_event(series=False)
        if found is None:
            return
        calendar, event = found
        name, value = self._change(event.fields["when"])
        if name == "body":
            calendar.edit(event.id, body=value, bodyType="text")
        elif event.fields.get(name) != value:
            calendar.edit(event.id, **{name: value})
        self.written[(calendar.id, event.id, name)] = value

    def mailbox_hides(self) -> None:
        found = self._any_event()
        if found:
            calendar, event = found
            calendar.edit(event.id, sensitivity=self.random.choice(["private", "confidential", "normal", "personal"]))
            self._note_private(event.fields)

    def _any_occurrence(self) -> tuple[MemoryCalendar, Event, Item] | None:
        found = self._any_event(series=True)
        if found is None:
            return None
        calendar, event = found
        coming = [i for i in calendar._items(event) if over(str(i.fields["when"]), event.zone) > self.world.now()]
        return (calendar, event, self.random.choice(coming)) if coming else None

    def mailbox_edits_occurrence(self) -> None:
        found = self._any_occurrence()
        if found:
            calendar, event, item = found
            name, value = self._change(str(item.fields["when"]))
            fields = {name: value} | ({"bodyType": "text"} if name == "body" else {})
            if item.fields.get(name) != value:
                calendar.edit_occurrence(event.id, item.id.partition("|")[2], **fields)
                self.written[(calendar.id, item.id, name)] = value

    def mailbox_cancels(self) -> None:
        found = self._any_occurrence()
        if found:
            found[0].cancel(found[1].id, found[2].id.partition("|")[2])
            self._left(str(found[2].fields["subject"]))

    def mailbox_edits_series(self) -> None:
        found = self._any_event(series=True)
        if found is None:
            return
        calendar, event = found
        match self.random.choice(["time", "place", "rule", "end"]):
            case "time":
                calendar.edit(event.id, when=self._moved(event.fields["when"]))
            case "place":
                calendar.edit(event.id, location=self.random.choice(PLACES))
            case "rule":
                calendar.set_rule(event.id, self.random.choice(RULES))
            case _:
                until = self.world.now() + timedelta(days=self.random.randrange(0, 30))
                calendar.set_rule(
                    event.id, f"{event.rule.partition(';COUNT')[0].partition(';UNTIL')[0]};UNTIL={until:%Y%m%d}"
                )
        self._left(event.fields["subject"])

    def mailbox_deletes(self) -> None:
        found = self._any_event()
        if found:
            found[0].delete(found[1].id)
            self._left(found[1].fields["subject"])

    def _left(self, subject: str) -> None:
        self.gone.add(serial_of(subject))
        self.removed.add(serial_of(subject))

    def night(self) -> None:
        """Time passes: the horizon rolls, things are over."""
        self.world.time += timedelta(hours=self.random.choice([3, 26, 24 * 8]))

    def act(self, times: int) -> None:
        acts = [
            (self.crm_adds, 4),
            (self.crm_adds_series, 2),
            (self.crm_edits, 6),
            (self.crm_deletes, 1),
            (self.crm_deletes_coming, 1),
            (self.crm_reassigns, 1),
            (self.mailbox_adds, 4),
            (self.mailbox_adds_series, 2),
            (self.mailbox_edits, 4),
            (self.mailbox_hides, 1),
            (self.mailbox_edits_occurrence, 4),
            (self.mailbox_cancels, 1),
            (self.mailbox_edits_series, 2),
            (self.mailbox_deletes, 1),
            (self.night, 1),
        ]
        for _ in range(times):
            with suppress(NotDone):
                self.random.choices([act for act, _ in acts], [weight for _, weight in acts])[0]()
