"""The meetings of the office: room and car, what several people share before the first synchronisation, and the judgement of who takes part.

Judged is every seat at every meeting that the events' judgement may place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tests.e2e import company, compare, diary, shared
from tests.e2e.calendars import Calendars
from tests.e2e.company import CAR, COLOURS, ROOM, USERS
from tests.e2e.compare import Values, Verdict
from tests.e2e.compare_meetings import People, crm_seats, met, outlook_seats
from tests.e2e.connector import Connector
from tests.e2e.hands import Json
from tests.e2e.mails import Limits
from tests.e2e.office import Office, View
from tests.e2e.shared import Shared

LIMITS = Limits(meetings=20, mails=40, day=60)
"""Tighter than the defaults, so that it means something to stay within them."""


@dataclass(slots=True)
class Meetings:
    """`edited`: attendees' copies that their owner changed -> what the meeting is called for everybody else."""

    calendars: Calendars
    room: str = ""
    car: str = ""
    shared: Counter[str] = field(default_factory=Counter)  # name -> how many records there must be
    edited: dict[str, str] = field(default_factory=dict)

    @property
    def office(self) -> Office:
        return self.calendars.office

    @property
    def people(self) -> People:
        """Everybody who can have a seat."""
        office = self.office
        mine = {user.mail: id_ for user, id_ in zip(USERS, office.owners, strict=True)}
        return People(
            boxes=dict(zip(office.owners, office.mailboxes, strict=True)),
            addresses={**mine, ROOM.mail: self.room},
            tags={self.room: ROOM.name, self.car: CAR.name},
            rooms=frozenset({self.room}),
        )

    def found(self) -> None:
        """Room, car, and the meetings that are there before."""
        office, today = self.office, self.calendars.today
        self.room, self.car = office.crm.users([ROOM.as_vtenext(), CAR.as_vtenext()])
        office.outlook.do("make_room", office.outlook.user(ROOM.mail, ROOM.name))
        for each in shared.meetings(today, office.owners):
            self._hold(each)
        fields = {**shared.elsewhere(today), "attendees": guests(user.mail for user in USERS[:2])}
        uid = f"{diary.UID}{9:032X}{1:032X}"
        for mailbox in office.mailboxes[:2]:
            who = {"organizer": shared.VISITOR, "uid": uid}
            self.calendars.alive.add(office.outlook.do("create_event", mailbox, fields=fields, **who))
        self.shared[shared.FAIR] = 1

    def introduce(self, connector: Connector) -> None:
        """An administrator says which users are resources, who belongs to the group, and how many mails may leave."""
        office, (room, car) = self.office, COLOURS
        connector.say(f"users/{self.room}", mailbox=ROOM.mail, resource=True, colour=room)
        connector.say(f"users/{self.car}", resource=True, colour=car)
        connector.say(f"groups/{office.group}", members=office.owners[:2], organizer=office.owners[0])
        connector.say("settings", mail_limits=LIMITS.shown())

    def judge(self, view: View) -> Verdict:
        """Compare the seats of all meetings."""
        left, people = self.calendars.unplaced, self.people
        records: dict[str, Values] = {}
        for id_, row in view.records.items():
            records |= {} if id_ in left else crm_seats(row, people)
        seats: dict[str, Values] = {}
        for id_, event in view.events.items():
            if not {id_, event["seriesMasterId"] or ""} & left.keys():
                seats |= outlook_seats({**event, "subject": self.edited.get(id_, event["subject"])}, people)
        return compare.judge(records, seats)

    def met(self, view: View) -> set[tuple[str, str]]:
        """Mailbox and contact: whose user meets which contact of the CRM."""
        placed = [row for id_, row in view.records.items() if id_ not in self.calendars.unplaced]
        return met(placed, self.people, datetime.now(UTC))

    def not_once(self, view: View) -> list[str]:
        """Shared meetings that are not exactly once in the CRM, a series once for each date."""
        there = Counter(row["subject"] for row in view.records.values())
        return [
            f"{name} is {there[name]} times in the CRM, not {n}" for name, n in self.shared.items() if there[name] != n
        ]

    def _hold(self, each: Shared) -> None:
        office, alive = self.office, self.calendars.alive
        boxes = office.mailboxes
        invited = [USERS[guest].mail for guest in each.guests]
        customer = [] if each.customer is None else [company.mail_of(each.customer)]
        fields = {**each.fields, "attendees": guests([*invited, *customer])}
        made = office.outlook.do("create_event", boxes[each.organizer], fields=fields, uid=each.uid)
        uid = office.outlook.do("show_event", boxes[each.organizer], event=made)["iCalUId"]
        copies = {guest: office.outlook.do("find_event", boxes[guest], uid=uid) for guest in each.guests}
        alive |= {made, *copies.values()}
        for guest, answer in each.answers.items():
            office.outlook.do("respond", boxes[guest], event=copies[guest], answer=answer)
        if each.typed:  # whoever entered it there did not think of everybody
            alive |= set(
                office.crm.records("Events", [{**each.typed, "invitees": invitees([*invited[:1], *customer])}])
            )
        if "sensitivity" not in each.fields:
            self.shared[each.name] = 5 if "recurrence" in each.fields else 1


def guests(addresses: Iterable[str], kind: str = "required") -> list[Json]:
    """Attendees as Outlook sends them."""
    return [{"type": kind, "emailAddress": {"address": address}} for address in addresses]


def invitees(addresses: Iterable[str], said: str = "0") -> list[Json]:
    """Invitees as a user enters them into the CRM."""
    return [{"email": address, "partecipation": said} for address in addresses]
