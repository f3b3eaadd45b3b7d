"""Meetings in the world with nothing of ours replaced: a tenant with its mails, rooms and copies, a CRM with invitees and an outbox.

`EmulatedOffice`, `EmulatedDesk` and `EmulatedMeetings` offer to a story what `MemoryOffice`, `MemoryCalendar` and `MemoryCrm` offer. What
there is, is read from the emulators' own insides and translated here a second time: the adapters are not asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from emulators.graph import GraphEmulator, series
from emulators.graph.calendar import Event as Stored
from emulators.graph.event_view import View
from mapping.attendees import Attendee, attendees_value
from mapping.model import Value
from sync.model import Item, Kind, Side
from sync.policy import Group
from sync.sides.base import Crm, Mailbox, New, Result, Revise, Write
from sync.sides.graph import Horizon, open_calendar
from sync.sides.memory import Event, Record
from sync.sides.memory_meetings import Guest, Mail
from sync.store.base import Rows
from tests.sim.calendar_story import NotDone
from tests.sim.meeting_story import (
    ABSENT,
    ABSENT_BOX,
    CAR,
    CAR_TAG,
    CUSTOMER,
    LEADER,
    MEMBERS,
    OUTSIDE,
    ROOM,
    ROOM_BOX,
    USERS,
)
from tests.sim.world import ROME, address_of
from tests.whole.calendar_world import EVENTS, CalendarWholeWorld, EmulatedCalendar, EmulatedEvents, _done, _record
from tests.whole.world import EmulatedMailbox

SAID = {"tentativelyAccepted": "tentative", "accepted": "accepted", "declined": "declined"}
SAY = {word: graphs for graphs, word in SAID.items()}
PARTECIPATION = {"none": "0", "declined": "1", "accepted": "2"}
YEAR = timedelta(days=365)


# vtenext ------------------------------------------------------------------------------------------------------------------


class EmulatedMeetings(EmulatedEvents):
    """People in front of vtenext's calendar, who invite and answer. `people`: user or contact -> address."""

    @property
    def records(self) -> dict[str, Record]:
        rows = self._emulator.backdoor.dump().get(EVENTS, [])
        return {row["id"]: self._invited(_record(row), row) for row in rows}

    @staticmethod
    def _invited(record: Record, row: Mapping[str, Any]) -> Record:
        word = {number: answer for answer, number in PARTECIPATION.items()}
        record.invitees = {each["id"]: word[each["partecipation"]] for each in row["invitees"]}
        record.fields |= {"slot": record.fields["slot"] or "0", "recurring": row["recurringtype"]}
        record.fields |= {"contact_id": row["contact_id"], "organizer_address": row["organizer"]}
        return record

    def _item(self, record: Record) -> Item:
        invitees = tuple(sorted(f"{i}|{a}|{self.people.get(i, '')}" for i, a in record.invitees.items()))
        return Item(
            Side.CRM, Kind.EVENT, record.id, record.modified, {**record.fields, "invitees": invitees}, record.owner
        )

    def invite(self, crm_id: str, **answers: str) -> None:
        """Another list of invitees: id -> answer."""
        listed = [{"email": self.people[i], "partecipation": int(PARTECIPATION[a])} for i, a in answers.items()]
        self._emulator.backdoor.edit(crm_id, {"invitees": listed})

    def answer(self, crm_id: str, invitee: str, answer: str) -> None:
        self._emulator.backdoor.answer(crm_id, invitee, PARTECIPATION[answer])

    @property
    def mails(self) -> list[tuple[str, str]]:
        """What vtenext sent to contacts: who made it ('engine' | 'user'), to whom."""
        by = {"service": "engine", "screen": "user"}
        return [(by[mail["by"]], mail["contact"]) for mail in self._emulator.backdoor.outbox()]


# Exchange -----------------------------------------------------------------------------------------------------------------


@dataclass
class EmulatedOffice:
    """The tenant. `calendars`: by address, also of those who are not synchronised. `violations`: writes to copies."""

    emulator: GraphEmulator
    calendars: dict[str, EmulatedDesk] = field(default_factory=dict)
    rooms: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)

    @property
    def mails(self) -> list[Mail]:
        by = {"app": "engine", "person": "user", "resource": "room"}
        return [Mail(m["kind"], m["to"], m["iCalUId"], by[m["by"]]) for m in self.emulator.outlook.mails()]

    @property
    def late(self) -> bool:
        return self.emulator.quirks.delivery == "late"

    @late.setter
    def late(self, value: bool) -> None:
        self.emulator.quirks.delivery = "late" if value else "at_once"

    def deliver(self) -> None:
        self.emulator.outlook.deliver()


@dataclass
class EmulatedDesk(EmulatedCalendar):
    """A person in front of one mailbox's calendar, with others' meetings in it."""

    address: str = ""

    # what users do

    def add(
        self,
        fields: Mapping[str, str],
        *,
        rule: str = "",
        stamp: str = "",
        zone: ZoneInfo | None = None,
        guests: Sequence[str] = (),
        **more: Any,
    ) -> Event:
        listed = [{"type": "required", "emailAddress": {"address": each}} for each in guests]
        return super().add(
            fields, rule=rule, stamp=stamp, zone=zone, **({"attendees": listed} if listed else {}), **more
        )

    def invite(self, event_id: str, address: str, *, slot: str = "", type: str = "required") -> None:
        listed = self._occurrence(event_id, slot) if slot else self._item(self._stored(event_id), None)
        if address in {each.partition("|")[0] for each in listed.fields["attendees"]}:
            raise NotDone
        hands = self.emulator.outlook
        _done(lambda: hands.invite(self.id, event_id, [address], kind=type, slot=slot or None))  # type: ignore[arg-type]

    def uninvite(self, event_id: str, address: str, *, slot: str = "") -> None:
        _done(lambda: self.emulator.outlook.uninvite(self.id, event_id, [address], slot=slot or None))

    def respond(self, event_id: str, answer: str, *, slot: str = "") -> None:
        said = SAY[answer]
        _done(lambda: self.emulator.outlook.respond(self.id, event_id, said, slot=slot or None))

    # what there is

    def slots(self, event: Event, last: date) -> Iterator[str]:
        """Original days of a series' occurrences up to a day, cancelled ones left out."""
        stored = self._stored(event.id)
        until = datetime.combine(last + timedelta(days=1), datetime.min.time(), UTC)
        for slot in series.in_window(stored, stored.times.start, until):
            if slot is not None:
                yield slot.isoformat()

    def occurrence(self, event: Event, slot: str) -> dict[str, str]:
        fields = self._occurrence(event.id, slot).fields
        return {name: str(fields[name]) for name in event.fields}

    def times(self, event: Event) -> list[tuple[datetime, datetime]]:
        """When the event takes place, a series for a year."""
        stored = self._stored(event.id)
        if not event.rule:
            return [(stored.times.start, stored.times.end)]
        found = series.in_window(stored, stored.times.start, self.now() + YEAR)
        times = [series.times_of(stored, slot) for slot in found]
        return [(each.start, each.end) for each in times]

    def _occurrence(self, event_id: str, slot: str) -> Item:
        return self._item(self._stored(event_id), date.fromisoformat(slot))

    def _item(self, stored: Stored, slot: date | None) -> Item:
        item, read = super()._item(stored, slot), self._view().item(stored, slot)
        organizer = read["organizer"]["emailAddress"]["address"]
        guests = [
            Attendee(each["emailAddress"]["address"], each["type"], SAID.get(each["status"]["response"], "none"))  # type: ignore[arg-type]
            for each in read["attendees"]
            if each["emailAddress"]["address"] != organizer
        ]
        people: dict[str, Value] = {
            "attendees": attendees_value(guests),
            "organizer_address": organizer,
            "response": "" if read["isOrganizer"] else SAID.get(read["responseStatus"]["response"], "none"),
            "categories": tuple(sorted(read["categories"])),
            **({"cancelled": "1"} if read["isCancelled"] else {}),
        }
        return replace(item, fields={**item.fields, **people})

    def _event(self, stored: Stored, view: View) -> Event:
        event, read = super()._event(stored, view), view.item(stored)
        item = self._item(stored, None)
        if not read["isOrganizer"]:
            event.organizer = str(item.fields["organizer_address"])
            event.response = str(item.fields["response"])
        event.called_off = read["isCancelled"]
        event.categories = set(read["categories"])
        addresses = [str(each).partition("|")[0] for each in item.fields["attendees"]]
        event.guests = {address: Guest(address) for address in addresses}
        if stored.source is not None and stored.source.slot is not None:
            origin = self.emulator.world.users[stored.source.owner].mailbox.calendar.events[stored.source.number]
            zone = ZoneInfo(origin.times.start_zone)
            event.only_slot = (stored.source.slot - origin.times.start.astimezone(zone).date()).days
        return event


class Witness:
    """A calendar's adapter, and note of whatever is written to a copy that is not the user's answer or a category."""

    def __init__(self, inner: Any, office: EmulatedOffice) -> None:
        self._inner, self._office = inner, office

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        for write in writes:
            if isinstance(write, New) or write.expected.fields.get("organizer"):
                continue
            names = write.fields.keys() - {"response", "categories"} if isinstance(write, Revise) else {"(removed)"}
            if names:
                self._office.violations.append(f"{sorted(names)} of {write.expected.id}")
        result: list[Result] = await self._inner.apply(writes)
        return result


# the world ----------------------------------------------------------------------------------------------------------------


class MeetingWholeWorld(CalendarWholeWorld):
    """The cast of `tests.sim.meeting_story` in a tenant and a CRM. Mailboxes are known by the story's names; `tenant` has their ids there."""

    crm: EmulatedMeetings  # type: ignore[assignment]
    office: EmulatedOffice  # type: ignore[assignment]
    calendars: dict[str, EmulatedDesk]  # type: ignore[assignment]

    def __init__(self, rows: Rows | None = None, users: Mapping[str, str] = USERS) -> None:
        super().__init__(rows, users=0)
        self.users = dict(users)
        self.tenant: dict[str, str] = {}
        self.crm = EmulatedMeetings(self.vtenext)
        self.office = EmulatedOffice(self.graph)
        addresses = {mailbox: address_of(mailbox) for mailbox in (*users.values(), ABSENT_BOX, ROOM_BOX)}
        desks = {mailbox: self._sit_down(mailbox, address) for mailbox, address in addresses.items()}
        self._sit_down("outside", OUTSIDE)
        self.calendars = {mailbox: desks[mailbox] for mailbox in users.values()}
        self.mailboxes = {mailbox: EmulatedMailbox(self.graph, self.tenant[mailbox]) for mailbox in users.values()}  # type: ignore[misc]
        self.graph.outlook.make_room(self.tenant[ROOM_BOX])
        self.office.rooms, self.rooms, self.things = {address_of(ROOM_BOX)}, {ROOM}, {CAR: CAR_TAG}
        known = {**users, ABSENT: ABSENT_BOX, ROOM: ROOM_BOX}
        self.crm.people = {user: address_of(mailbox) for user, mailbox in known.items()} | {CAR: "auto@x.example"}
        self._hire()
        (self.group,) = self.vtenext.backdoor.add_groups([{"groupname": "Assistenza"}])
        self.groups = {self.group: Group(LEADER, MEMBERS)}

    def _sit_down(self, mailbox: str, address: str) -> EmulatedDesk:
        self.tenant[mailbox] = self.graph.add_user(address, mailbox)
        desk = EmulatedDesk(self.graph, self.tenant[mailbox], self.now, address=address)
        self.office.calendars[address] = desk
        return desk

    def _hire(self) -> None:
        """The users of the CRM, and a customer."""
        backdoor = self.vtenext.backdoor
        for user, address in self.crm.people.items():
            name = address.partition("@")[0]
            person = {"id": user, "user_name": name, "last_name": name, "email1": address}
            backdoor.add_users([{**person, "date_format": "yyyy-mm-dd"}])
        at = "2026-11-01 10:00:00"
        customer = {"id": CUSTOMER, "lastname": "Cliente", "email": "cliente@z.example"}
        rest = {"assigned_user_id": next(iter(self.users)), "createdtime": at, "modifiedtime": at}
        backdoor.add_records("Contacts", [{**customer, **rest}])
        self.crm.people[CUSTOMER] = customer["email"]

    async def crm_side(self) -> Crm:
        return self._side

    async def calendar_side(self, mailbox: str) -> Mailbox:
        horizon = Horizon(since=self.calendar.since)
        opened = await open_calendar(self._connection, self.tenant[mailbox], zone=ROME, now=self.now, horizon=horizon)
        return Witness(opened, self.office)  # type: ignore[return-value]
