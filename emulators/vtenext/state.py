"""What the emulated CRM remembers, as its database would: rows in server time, one number sequence for records.

It stores and finds. It never judges who may do what, nor how a row is shown.
"""

from __future__ import annotations

import random
import uuid
from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulators.corner import Clock
from emulators.vtenext import zones
from emulators.vtenext.schema import ACTIVITY, Module, modules, prefixes

NUMBERED = {
    "Contacts": ("contact_no", "CON"),
    "Accounts": ("account_no", "ACC"),
    "Leads": ("lead_no", "LEA"),
}
ADDRESS_FIELD = {"Contacts": "email", "Accounts": "email1", "Leads": "email"}


@dataclass(slots=True)
class Record:
    """A row. ``values`` holds every field of its table, in server time, dates as yyyy-mm-dd."""

    number: int
    table: str
    values: dict[str, str]
    deleted: bool = False
    invitees: list[dict[str, str | None]] = field(default_factory=list)

    @property
    def modified(self) -> str:
        return self.values["modifiedtime"]


@dataclass(frozen=True, slots=True)
class Mail:
    """An invitation that the CRM mailed to a contact. ``by``: ``service`` or ``screen``, who made it."""

    to: str
    contact: str
    event: str
    why: str  # invited | moved
    by: str


@dataclass(slots=True)
class User:
    """A user; ``values`` as ``select * from Users`` shows them to an administrator."""

    number: int
    values: dict[str, str]

    @property
    def id(self) -> str:
        return f"{modules()['Users'].prefix}x{self.number}"

    @property
    def is_admin(self) -> bool:
        return self.values["is_admin"] == "on"

    @property
    def active(self) -> bool:
        return self.values["status"] == "Active"

    @property
    def zone(self) -> str:
        return self.values["user_timezone"]

    @property
    def date_format(self) -> str:
        return self.values["date_format"]


@dataclass(slots=True)
class Group:
    """A group. Its members exist, but no operation tells them (API.md 10)."""

    number: int
    values: dict[str, str]
    members: set[int] = field(default_factory=set)


class Table:
    """Rows of one table, by number and in order of modification."""

    def __init__(self) -> None:
        self.rows: dict[int, Record] = {}
        self._numbers: list[int] = []
        self._by_time: list[tuple[str, int]] = []

    def add(self, record: Record) -> None:
        self.rows[record.number] = record
        insort(self._numbers, record.number)
        insort(self._by_time, (record.modified, record.number))

    def remove(self, number: int) -> None:
        record = self.rows.pop(number)
        del self._numbers[bisect_left(self._numbers, number)]
        del self._by_time[bisect_left(self._by_time, (record.modified, number))]

    def touch(self, record: Record, stamp: str) -> None:
        """Give the record a new modification time and its place in the order."""
        if stamp == record.modified:
            return
        del self._by_time[bisect_left(self._by_time, (record.modified, record.number))]
        record.values["modifiedtime"] = stamp
        insort(self._by_time, (stamp, record.number))

    def by_number(self, after: int = 0) -> Iterator[Record]:
        """Rows with a number above ``after``, ascending."""
        for at in range(bisect_left(self._numbers, after + 1), len(self._numbers)):
            yield self.rows[self._numbers[at]]

    def modified_since(self, stamp: str) -> Iterator[Record]:
        """Rows changed at ``stamp`` or later, oldest change first."""
        for at in range(bisect_left(self._by_time, (stamp, 0)), len(self._by_time)):
            yield self.rows[self._by_time[at][1]]


class State:
    """The whole CRM. ``random`` is seeded, so that a run can be repeated."""

    def __init__(self, clock: Clock, zone: str, seed: int = 0) -> None:
        self.clock = clock
        self.zone = zone
        self.random = random.Random(seed)
        self.tables = {module.table: Table() for module in modules().values()}
        self.users: dict[int, User] = {}
        self.groups: dict[int, Group] = {}
        self.unsubscribed: set[str] = set()
        self.outbox: list[Mail] = []
        self.actor = "service"
        self.last_number = 0
        self.last_person = 0
        self.last_counter = dict.fromkeys(NUMBERED, 0)
        self._table_of: dict[int, Table] = {}

    def now(self) -> str:
        """The server's wall clock."""
        return zones.wall_clock(self.clock.now().replace(microsecond=0), self.zone)

    def new_uid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    # Records.

    def new_number(self) -> int:
        self.last_number += 1
        return self.last_number

    def new_counter(self, module: str) -> str:
        """The next CON.., ACC.. or LEA.. number."""
        self.last_counter[module] += 1
        return f"{NUMBERED[module][1]}{self.last_counter[module]}"

    def add(self, record: Record) -> None:
        if record.number in self._table_of:
            raise ValueError(f"record number {record.number} is taken")
        self.tables[record.table].add(record)
        self._table_of[record.number] = self.tables[record.table]
        self.last_number = max(self.last_number, record.number)

    def find(self, number: int) -> Record | None:
        """The row of that number, in the recycle bin or not."""
        table = self._table_of.get(number)
        return table.rows[number] if table else None

    def live(self, module: Module, number: int) -> Record | None:
        """The row if it is there, not deleted, and of that module."""
        record = self.find(number)
        return record if record and not record.deleted and self.module_of(record) is module else None

    def touch(self, record: Record) -> None:
        self.tables[record.table].touch(record, self.now())

    def erase(self, record: Record) -> None:
        """Remove a row for good: nothing will tell that it was ever there."""
        self.tables[record.table].remove(record.number)
        del self._table_of[record.number]

    def module_of(self, record: Record) -> Module | None:
        """Tasks are activities of the type Task, mails are neither, all else is an event (API.md 4, 8)."""
        if record.table != ACTIVITY:
            return modules()[record.table]
        kind = record.values["activitytype"]
        return None if kind == "Emails" else modules()["Calendar" if kind == "Task" else "Events"]

    # People: users and groups share one sequence of their own (API.md 2.1).

    def new_person(self) -> int:
        self.last_person += 1
        return self.last_person

    def add_user(self, user: User) -> None:
        self.users[user.number] = user
        self.last_person = max(self.last_person, user.number)

    def add_group(self, group: Group) -> None:
        self.groups[group.number] = group
        self.last_person = max(self.last_person, group.number)

    def user_named(self, name: str) -> User | None:
        return next((user for user in self.users.values() if user.values["user_name"] == name), None)

    def owner_exists(self, owner: str) -> bool:
        """Whether a full id names a user, inactive ones included, or a group."""
        module, number = split_id(owner)
        return number in (self.users if module and module.name == "Users" else self.groups)

    def target_exists(self, reference: str) -> bool:
        """Whether a full id names something that is there: else the field reads empty (API.md 3.6)."""
        module, number = split_id(reference)
        if module is None:
            return False
        if module.name == "Users":
            return number in self.users
        return self.live(module, number) is not None


def split_id(full: str) -> tuple[Module | None, int]:
    """Module and number of a full id; no module when it is malformed or its prefix unknown."""
    prefix, cross, number = full.partition("x")
    if not cross or not prefix.isdecimal() or not number.isdecimal():
        return None, 0
    return prefixes().get(prefix), int(number)
