"""Random stories of meetings: our users, one who is not connected, an outsider, strangers, a room, a car and a group meet on both sides.

Everything follows from the seed. The first word of a subject is a serial number, so that a double is seen whoever made it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import cast

from sync.model import Kind
from sync.policy import Group
from sync.sides.memory import Event, MemoryCalendar, Record
from sync.sides.memory_events import over
from tests.sim.calendar_story import NotDone
from tests.sim.world import ROME, START, World, address_of

USERS = {f"19x1{n}": f"mailbox-{n}" for n in range(1, 5)}
ABSENT, ABSENT_BOX = "19x15", "mailbox-5"  # a user of the CRM whose mailbox is not synchronised
OUTSIDE = "boss@y.example"
STRANGERS = ("guest@z.example", "lei@z.example")
CUSTOMER = "4x90"
ROOM, ROOM_BOX = "19x16", "room"  # a resource with a mailbox, which answers by itself
CAR, CAR_TAG = "19x19", "Auto"  # one without
LEADER, MEMBERS = "19x11", ("19x11", "19x12", "19x15")  # of the group
RUSH = START.date() + timedelta(days=20)
RULES = ["FREQ=WEEKLY;INTERVAL=1;BYDAY=TU;WKST=MO;COUNT=6", "FREQ=DAILY;INTERVAL=2;COUNT=5"]
ANSWERS = ["accepted", "declined", "tentative", "accepted"]
SENSITIVITIES = ["private", "confidential", "private", "normal", "personal"]
ROOMS = ["", "Sala riservata 1", "Sala riservata 2"]
TEXTS = ["", "Ordine riservato del giorno"]


def furnished(world: World) -> World:
    """The world, and in it those who are outside of what is synchronised and meet our users."""
    room = address_of(ROOM_BOX)
    for mailbox, address in ((ABSENT_BOX, address_of(ABSENT_BOX)), ("outside", OUTSIDE), (ROOM_BOX, room)):
        world.office.calendars[address] = MemoryCalendar(mailbox, world.now, office=world.office, address=address)
    world.office.rooms, world.rooms, world.things = {room}, {ROOM}, {CAR: CAR_TAG}
    world.crm.people |= {ABSENT: address_of(ABSENT_BOX), CUSTOMER: "cliente@z.example"}
    world.crm.people |= {ROOM: room, CAR: "auto@x.example"}
    world.groups = {world.group: Group(LEADER, MEMBERS)}
    return world


@dataclass
class MeetingStory:
    """The people of one seed. `gone`: serials of meetings that somebody who may do so ended, or whose record changed hands in the CRM."""

    world: World
    random: random.Random
    serial: int = 0
    gone: set[str] = field(default_factory=set)
    reassigned: set[str] = field(default_factory=set)  # serials of meetings whose record was given to somebody else
    series: set[str] = field(default_factory=set)  # serials of series that were made in the CRM
    # serials of meetings that a connected user made in the CRM -> that user
    exported: dict[str, str] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)  # users who were not connected all the time
    # mailbox and hour -> mails that the ledger charged
    charged: dict[tuple[str, str], int] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # users who were disconnected once
    approved: bool = False  # did an admin say yes to all that was held?
    # record made in the CRM -> serial, also when it is only a busy block
    names: dict[str, str] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)  # serials of meetings that had begun when they were made in the CRM

    def act(self, times: int) -> None:
        """So many things happen, by anybody."""
        acts = [
            (self.outlook_meets, 4), (self.crm_meets, 3), (self.moves, 2), (self.renames, 2), (self.invites, 2), (self.uninvites, 1),
            (self.answers, 4), (self.removes_copy, 1), (self.cancels, 1), (self.edits_copy, 1), (self.crm_moves, 2), (self.crm_renames, 1),
            (self.crm_invites, 2), (self.crm_uninvites, 1), (self.crm_answers, 2), (self.crm_deletes, 1), (self.crm_reassigns, 1),
            (self.one_occurrence, 2), (self.invites_to_one, 1), (self.answers_one, 1), (self.crm_series, 1), (self.crm_group_meets, 1),
            (self.outsiders_meet, 2), (self.crm_takes_car, 2),
            (self.hides, 2), (self.hides_copy, 0.5), (self.crm_hides, 1), (self.crm_has_begun, 0.5),
        ]  # fmt: skip
        for _ in range(times):
            with suppress(IndexError, NotDone):  # nobody there to whom it could happen, or refused
                self.random.choices([a for a, _ in acts], [w for _, w in acts])[0]()

    # who and what there is

    def _calendars(self) -> list[MemoryCalendar]:
        """Of people: nobody sits in a room's."""
        office = self.world.office
        everybody = cast("Mapping[str, MemoryCalendar]", office.calendars)
        return [calendar for address, calendar in everybody.items() if address not in office.rooms]

    def _own(self) -> tuple[MemoryCalendar, Event]:
        """A meeting to come, in its organizer's calendar."""
        found = [(c, e) for c in self._calendars() for e in c.events.values() if not e.organizer and self._coming(e)]
        return self.random.choice(found)

    def _copy(self) -> tuple[MemoryCalendar, Event]:
        found = [(c, e) for c in self._calendars() for e in c.events.values() if e.organizer and self._coming(e)]
        return self.random.choice([(c, e) for c, e in found if not e.called_off])

    def _coming(self, event: Event) -> bool:
        return not event.deleted and over(event.fields["when"], ROME) > self.world.now()

    def _record(self) -> Record:
        live = [r for r in self.world.crm.records.values() if r.kind is Kind.EVENT and not r.deleted]
        return self.random.choice([r for r in live if over(r.fields["when"], ROME) > self.world.now()])

    def _when(self) -> str:
        day = self.world.now().date() + timedelta(days=self.random.choice([1, 2, 3, 7, 20, 60]))
        start = datetime.combine(day, time(self.random.randrange(7, 18), self.random.choice([0, 30])), UTC)
        return f"{start:%Y-%m-%dT%H:%M}Z/{start + timedelta(hours=1):%Y-%m-%dT%H:%M}Z"

    def _rush(self) -> str:
        """When everybody wants the car."""
        start = datetime.combine(RUSH, time(self.random.choice([9, 10])), UTC)
        return f"{start:%Y-%m-%dT%H:%M}Z/{start + timedelta(minutes=90):%Y-%m-%dT%H:%M}Z"

    def _title(self) -> str:
        self.serial += 1
        return f"m{self.serial} {self.random.choice(['Riunione', 'Visita', 'Revisione'])}"

    def _guests(self, without: str) -> list[str]:
        everybody = [*self.world.office.calendars, *STRANGERS]
        return self.random.sample([a for a in everybody if a != without], self.random.randrange(1, 4))

    def user_of(self, address: str) -> str:
        """The user of the CRM with this address, '' = none."""
        return next((user for user, known in self.world.crm.people.items() if known == address), "")

    # in Outlook

    def outlook_meets(self) -> None:
        calendar = self.random.choice(self._calendars())
        rule = self.random.choice(RULES) if self.random.random() < 0.2 else ""
        fields = {"subject": self._title(), "when": self._when(), "location": self.random.choice(ROOMS)}
        fields |= {"body": self.random.choice(TEXTS), "sensitivity": self.random.choice(["normal"] * 9 + ["private"])}
        if rule:
            fields["when"] = _first_of(rule, fields["when"])
        calendar.add(fields, rule=rule, guests=self._guests(calendar.address))

    def outsiders_meet(self) -> None:
        """Several of ours are invited by somebody whose mailbox is not synchronised: one of them keeps the meeting."""
        office = self.world.office.calendars
        calendar = office[self.random.choice([OUTSIDE, address_of(ABSENT_BOX)])]
        if isinstance(calendar, MemoryCalendar):
            ours = [address_of(mailbox) for mailbox in USERS.values()]
            guests = self.random.sample(ours, self.random.randrange(2, 5))
            calendar.add(
                {"subject": self._title(), "when": self._when(), "location": self.random.choice(ROOMS)}, guests=guests
            )

    def moves(self) -> None:
        calendar, event = self._own()
        if not event.rule:
            self.begun.discard(serial_of(event.fields["subject"]))
            calendar.edit(event.id, when=self._when())

    def renames(self) -> None:
        calendar, event = self._own()
        calendar.edit(event.id, subject=f"{event.fields['subject'].split(' ')[0]} {self.random.randrange(1000)}")

    def invites(self) -> None:
        calendar, event = self._own()
        calendar.invite(event.id, self._guests(calendar.address)[0])

    def uninvites(self) -> None:
        calendar, event = self._own()
        calendar.uninvite(event.id, self.random.choice(sorted(event.guests)))

    def answers(self) -> None:
        calendar, event = self._copy()
        calendar.respond(event.id, self.random.choice(ANSWERS))

    def removes_copy(self) -> None:
        calendar, event = self._copy()
        calendar.delete(event.id)

    def edits_copy(self) -> None:
        calendar, event = self._copy()
        calendar.edit(event.id, location="da me")

    def hides(self) -> None:
        """Or shows again."""
        calendar, event = self._own()
        calendar.edit(event.id, sensitivity=self.random.choice(SENSITIVITIES))

    def hides_copy(self) -> None:
        """What the organizer shows stays shown."""
        calendar, event = self._copy()
        calendar.edit(event.id, sensitivity=self.random.choice(SENSITIVITIES))

    def cancels(self) -> None:
        calendar, event = self._own()
        self.gone.add(serial_of(event.fields["subject"]))
        calendar.delete(event.id)

    def _slot(self, calendar: MemoryCalendar, event: Event) -> str:
        """A coming occurrence of a series; IndexError when it is none."""
        today = self.world.now().date()
        slots = list(calendar.slots(event, today + timedelta(days=80))) if event.rule else []
        return self.random.choice([slot for slot in slots if slot > today.isoformat()])

    def one_occurrence(self) -> None:
        calendar, event = self._own()
        slot = self._slot(calendar, event)
        what = self.random.random()
        if what < 0.4:
            calendar.edit_occurrence(event.id, slot, location=f"sala {self.random.randrange(9)}")
        elif what < 0.7:
            calendar.cancel(event.id, slot)
        else:
            when = calendar.occurrence(event, slot)["when"]
            calendar.edit_occurrence(event.id, slot, when=_later(when, self.random.choice([1, 2])))

    def invites_to_one(self) -> None:
        calendar, event = self._own()
        slot = self._slot(calendar, event)
        calendar.invite(event.id, self._guests(calendar.address)[0], slot=slot)

    def answers_one(self) -> None:
        calendar, event = self._copy()
        calendar.respond(event.id, self.random.choice(ANSWERS), slot=self._slot(calendar, event))

    # in the CRM

    def crm_meets(self) -> None:
        owner = self.random.choice([*USERS, ABSENT])
        things = [each for each, odds in ((CUSTOMER, 0.2), (ROOM, 0.2), (CAR, 0.3)) if self.random.random() < odds]
        record = self._in_crm(owner, owner, self._rush() if CAR in things else self._when())
        self.world.crm.invite(record.id, **dict.fromkeys([*self._invitees(owner), *things], "none"))

    def crm_takes_car(self) -> None:
        owner = self.random.choice([*USERS])
        self.world.crm.invite(self._in_crm(owner, owner, self._rush()).id, **{CAR: "none"})

    def crm_series(self) -> None:
        owner = self.random.choice([*USERS])
        first, weeks = self._when(), self.random.randrange(3, 5)
        fields = {"subject": self._made_by(owner)}
        name = serial_of(fields["subject"])
        self.series.add(name)
        records = self.world.crm.add_series(owner, fields, [_later(first, 0, days=7 * n) for n in range(weeks)])
        people = dict.fromkeys(self._invitees(owner), "none")
        self.names |= {record.id: name for record in records}
        for record in records:
            self.world.crm.invite(record.id, **people)

    def crm_group_meets(self) -> None:
        self._in_crm(self.world.group, LEADER, self._when())

    def crm_has_begun(self) -> None:
        """Begun before anybody was connected, and not over for days: its guests are not invited any more (SPEC 2.9)."""
        owner = self.random.choice([*USERS])
        now = self.world.now()
        record = self._in_crm(
            owner, owner, f"{START - timedelta(days=1):%Y-%m-%dT%H:%M}Z/{now + timedelta(days=5):%Y-%m-%dT%H:%M}Z"
        )
        self.begun.add(self.names[record.id])
        self.world.crm.invite(record.id, **dict.fromkeys(self._invitees(owner), "none"))

    def crm_hides(self) -> None:
        """By the user's own doing: the text stays readable there."""
        self.world.crm.edit(self._record().id, visibility=self.random.choice(["Private", "Standard"]))

    def _in_crm(self, owner: str, user: str, when: str) -> Record:
        """An event of `owner` that lands in the calendar of `user`."""
        title = self._made_by(user)
        record = self.world.crm.add(Kind.EVENT, owner, {"subject": title, "when": when})
        self.names[record.id] = serial_of(title)
        return record

    def name_of(self, record: Record) -> str:
        """The serial of a record's meeting, also when it is only a busy block there."""
        if name := self.names.get(record.id):
            return name
        office = self.world.office.calendars.values()
        events = (event for each in office for event in each.events.values() if event.uid == record.fields["uid"])
        return next((serial_of(event.fields["subject"]) for event in events), serial_of(record.fields["subject"]))

    def _made_by(self, owner: str) -> str:
        title = self._title()
        if owner in self.world.users:
            self.exported[serial_of(title)] = owner
        return title

    def _invitees(self, owner: str) -> list[str]:
        users = [user for user in (*USERS, ABSENT) if user != owner]
        return self.random.sample(users, self.random.randrange(0, 4))

    def crm_moves(self) -> None:
        record = self._record()
        if record.fields["slot"] == "0" and not record.fields["recurring"]:
            self.begun.discard(self.name_of(record))
            self.world.crm.edit(record.id, when=self._when())

    def crm_renames(self) -> None:
        record = self._record()
        self.world.crm.edit(record.id, location=f"via {self.random.randrange(99)}")

    def _led(self, record: Record) -> bool:
        """Is the organizer of this meeting connected, so that a change of its guests can be sent?"""
        name = self.name_of(record)
        own = (e for m in self.world.users.values() for e in self.world.calendars[m].events.values() if not e.organizer)
        return any(serial_of(event.fields["subject"]) == name for event in own)

    def crm_invites(self) -> None:
        record = self._record()
        if not self._led(record):
            return
        user = self.random.choice([u for u in (*USERS, ABSENT) if u != record.owner])
        self.world.crm.invite(record.id, **{**record.invitees, user: record.invitees.get(user, "none")})

    def crm_uninvites(self) -> None:
        record = self._record()
        if not self._led(record):
            return
        user = self.random.choice(sorted(record.invitees))
        self.world.crm.invite(record.id, **{u: a for u, a in record.invitees.items() if u != user})

    def crm_answers(self) -> None:
        """Of events of the next days (answers to later ones are read when they come nearer), by connected users: what was answered before
        the connection is not sent."""
        record = self._record()
        if record.fields["when"] > (self.world.now() + timedelta(days=12)).isoformat():
            return
        user = self.random.choice([each for each in sorted(record.invitees) if each in self.world.users])
        self.world.crm.answer(record.id, user, self.random.choice(["accepted", "declined"]))

    def crm_deletes(self) -> None:
        record = self._record()
        self.gone.add(self.name_of(record))
        self.world.crm.delete(record.id)

    def crm_reassigns(self) -> None:
        record = self._record()
        self.reassigned.add(self.name_of(record))
        self.world.crm.edit(record.id, owner=self.random.choice([*USERS]))


def serial_of(subject: str) -> str:
    """By which a meeting is recognised, whoever holds it."""
    return subject.split(" ")[0]


def _later(when: str, hours: int, days: int = 0) -> str:
    by = timedelta(hours=hours, days=days)
    return "/".join(f"{datetime.fromisoformat(part) + by:%Y-%m-%dT%H:%M}Z" for part in when.split("/"))


def _first_of(rule: str, when: str) -> str:
    """The first day of a weekly rule is a Tuesday."""
    if "TU" not in rule:
        return when
    start, end = (datetime.fromisoformat(part) for part in when.split("/"))
    ahead = timedelta(days=(1 - start.weekday()) % 7)
    return f"{start + ahead:%Y-%m-%dT%H:%M}Z/{end + ahead:%Y-%m-%dT%H:%M}Z"
