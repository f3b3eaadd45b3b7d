"""A small world for the engine: a CRM, mailboxes, a store, workers and a clock, all in memory, and accidents at chosen points.

A *crash* makes every later call of that process fail too, so no `finally` tidies up; a new process begins with what the store holds.
"""

from __future__ import annotations

import asyncio
import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from mapping import kind_of_card
from mapping.model import Translator, Value
from mapping.moving import Remap
from mapping.people import AddressBook
from mapping.rules import FieldMapping
from sync.agenda import looks_of
from sync.errors import RetryLater, StopConnector, StopMailbox
from sync.model import Family, Kind
from sync.policy import CalendarPolicy, Group, KindPolicy, MailLimits, Preferences, RemovalScope, default_kinds
from sync.run import Limits
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.sides.memory import MemoryCalendar, MemoryCrm, MemoryMailbox, MemoryTodo
from sync.sides.memory_meetings import MemoryOffice
from sync.store.board import BoardStore
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.store.secrets import Keyring
from sync.sweep import SweepTools, sweep
from sync.watching import Watcher
from sync.worker import Worker
from tests.sim.mapping_for_tests import DEFAULTS, remapped, translators
from tests.sim.watching import HOURLY, Subscriptions

ROME = ZoneInfo("Europe/Rome")
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
ACCIDENTS = ["crash-before", "crash-after", "refuse", "lose", "busy"]


def address_of(mailbox: str) -> str:
    return f"{mailbox}@x.example"


class Crash(BaseException):
    """The process was killed."""


@dataclass
class Accident:
    """What happens at the n-th wire or store operation of a process: crash-before | crash-after | refuse | lose | busy."""

    at: int
    what: str


def accident(dice: random.Random, operations: int) -> Accident:
    """One of them at one of the first operations."""
    return Accident(dice.randrange(1, operations), dice.choice(ACCIDENTS))


@dataclass
class Process:
    """One life of a worker process: counts its operations, has at most one accident."""

    accident: Accident | None = None
    operations: int = 0
    dead: bool = False
    trace: list[str] = field(default_factory=list)

    def step(self, moment: str, operation: str) -> str:
        """What happens now; raises Crash when the process dies or is dead."""
        if self.dead:
            raise Crash
        if moment == "before":
            self.operations += 1
            self.trace.append(operation)
        if self.accident is None or self.operations < self.accident.at:
            return ""
        what = self.accident.what
        if moment != ("after" if what in {"crash-after", "lose"} else "before"):
            return ""  # operations overlap: the first that ends now is as good as any
        self.accident = None
        if what.startswith("crash"):
            self.dead = True
            raise Crash
        return what


class World:
    """Two (or more) users with a mailbox each, one CRM. `users`: crm user id -> mailbox id. Of `family`, and of others if they are named."""

    def __init__(
        self,
        users: Mapping[str, str],
        kinds: Mapping[Kind, KindPolicy] | None = None,
        family: Family = Family.PEOPLE,
        *others: Family,
    ) -> None:
        self.time = START
        self.group = "22x3"  # owns records, has no mailbox
        self.users = dict(users)
        self.process = Process()
        self.rows = MemoryRows(before=self._store_before, after=self._store_after)
        known = [kind for each in (family, *others) for kind in each.kinds]
        self.translators: dict[Kind, Translator] = {k: t for k, t in translators().items() if k in known}
        self.mappings = {kind: [mapping] for kind, mapping in DEFAULTS.items() if kind in known}  # all versions
        self.remaps: dict[Kind, Remap] = {}
        self.crm = MemoryCrm(self.now, self._wire)
        self.mailboxes = {m: MemoryMailbox(m, self.now, self._kind_of, self._wire) for m in users.values()}
        self.office = MemoryOffice()
        self.calendars = {
            m: MemoryCalendar(m, self.now, self._wire, office=self.office, address=address_of(m))
            for m in users.values()
        }
        self.office.calendars = {calendar.address: calendar for calendar in self.calendars.values()}
        self.crm.people = {user: address_of(mailbox) for user, mailbox in users.items()}
        self.mails = MailLimits()
        self.crm_contact_invitees = self.create_strangers = False
        self.things: dict[str, str] = {}  # resources without a mailbox: crm id -> category
        self.rooms: set[str] = set()  # resources whose mailbox answers: crm ids
        self.room_tags: dict[str, str] = {}  # crm id -> category
        self.todos = {m: MemoryTodo(m, self.now, self._wire) for m in users.values()}
        self.groups: dict[str, Group] = {}
        self.signed_out: list[str] = []
        self.preferences: dict[str, Preferences] = {}  # by mailbox
        self.removal: RemovalScope | None = None  # what the settings say when a removal is ordered
        self.parted: frozenset[str] = frozenset()
        self.full: set[str] = set()  # mailboxes to be compared in full with the next tick
        self.calendar = CalendarPolicy(ROME)
        self.keys = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
        self.kinds = dict(kinds or default_kinds())
        self.admin_mailbox = ""
        self.ids = 0
        self.limits = Limits(chunk=7, batch=3, workers=2)
        self.registry = Registry(self.rows)
        self.board = BoardStore(self.rows)
        self.subscriptions: Subscriptions | None = None  # None: nobody outside can reach us

    def watched(self, seed: int) -> World:
        """The same. Every other seed's mailboxes are told of."""
        if seed % 2:
            self.subscriptions = Subscriptions(self, random.Random(f"subscriptions {seed}"))
        return self

    # the outside

    def now(self) -> datetime:
        return self.time

    def new_id(self) -> str:
        self.ids += 1
        return f"n{self.ids:08d}"

    @staticmethod
    def _kind_of(fields: Mapping[str, Value]) -> Kind:
        return Kind.COMPANY if kind_of_card(fields) == Kind.COMPANY else Kind.CONTACT

    async def _wire(self, moment: str, operation: str) -> str:
        return self.process.step(moment, operation)

    def _store_before(self, operation: str) -> None:
        self.process.step("before", f"store {operation}")

    def _store_after(self, operation: str) -> None:
        if self.process.step("after", f"store {operation}") == "lose":
            raise Crash

    # the engine

    async def setup(self) -> Setup:
        admin_user = next(iter(self.users))
        return Setup(
            True,
            dict(self.translators),
            self.users,
            self.admin_mailbox,
            admin_user,
            self.kinds,
            self.calendar,
            groups=self.groups,
            people=self.book(),
            mails=self.mails,
            crm_contact_invitees=self.crm_contact_invitees,
            create_strangers=self.create_strangers,
            remaps=dict(self.remaps),
            preferences=self.preferences,
            parted=self.parted,
        )

    async def remap(self, mapping: FieldMapping) -> None:
        """An admin saves another mapping: what `sync.mapping_commands` does."""
        self.put_mapping(mapping)
        for mailbox in self.users.values():
            await self.registry.change_mailbox(mailbox, full=True, dirty=True)
        await self.board.touch()

    def put_mapping(self, mapping: FieldMapping) -> None:
        """It is in force; nobody was told to compare anything."""
        kind = Kind(mapping.kind)
        self.mappings[kind].append(mapping)
        there = remapped(*self.mappings[kind])
        self.translators[kind], self.remaps[kind] = there.translator, there.remap

    def book(self) -> AddressBook:
        """Everybody who was ever a user, connected or not."""
        addresses = {user: address for user, address in self.crm.people.items() if user.startswith("19x")}
        things = dict.fromkeys(self.things, "")
        tags = {**self.things, **self.room_tags}
        return AddressBook({**addresses, **things}, addresses, frozenset(self.rooms), frozenset(self.things), tags)

    async def crm_side(self) -> Crm:
        return self.crm

    async def contact_folder(self, mailbox: str, name: str | None) -> str:
        return self.mailboxes[mailbox].folder_id

    async def side(self, mailbox: str, folder: str) -> Mailbox:
        return self.mailboxes[mailbox]

    async def calendar_side(self, mailbox: str) -> Mailbox:
        return self.calendars[mailbox]

    async def todo_side(self, mailbox: str) -> Mailbox:
        return self.todos[mailbox]

    def worker(self) -> Worker:
        return Worker(
            self.registry, self.board, self.keys, _Sides(self), self.setup, self.now, self.new_id, self.limits
        )

    async def connect(self) -> None:
        """Every user is connected: what an admin does once."""
        for user, mailbox in self.users.items():
            await self.registry.change_mailbox(mailbox, user=user, enabled=True)
        await self.wake()

    async def wake(self) -> None:
        """What commands do that change what runs work with: those that are told of only are looked at, too."""
        if self.subscriptions:
            for mailbox in self.users.values():
                await self.registry.change_mailbox(mailbox, dirty=True)

    async def restore(self) -> None:
        """An admin lets mailboxes go on whose runs were killed three times."""
        for mailbox in self.users.values():
            await self.registry.change_mailbox(mailbox, state="ok", cause="", starts=0)

    async def tick(self) -> None:
        """Five minutes pass; the timer sweeps, then every mailbox runs until nothing is left to go on with."""
        self.time += timedelta(minutes=5)
        for mailbox in sorted(self.full):
            await self.registry.change_mailbox(mailbox, full=True)
        self.full.clear()
        setup = await self.setup()
        tools = SweepTools(
            await self.crm_side(),
            self.registry,
            self.translators,
            self.keys,
            setup.homes_of_item,
            self.now,
            self.new_id,
        )
        try:
            await sweep(tools)
        except (RetryLater, StopConnector, StopMailbox):
            return
        await self.board.reached(("crm", "entra", "graph"), self.now())  # the timer's look at servers that had failed
        await self.runs(self.worker())

    async def at_rest(self) -> bool:
        """Is there anything that is looked at only once in a while? (SPEC 6.2)"""
        rows = await self.registry.mailboxes()
        return any(at > self.now().isoformat() for row in rows for at in looks_of(row.looks).values())

    async def runs(self, worker: Worker) -> None:
        """One mailbox after the other."""
        if self.subscriptions:
            await self.subscriptions.runs(worker)
            return
        for mailbox in self.mailboxes:
            await self.run_out(worker, mailbox)

    @staticmethod
    async def run_out(worker: Worker, mailbox: str) -> None:
        """A run and its continuations."""
        for _ in range(4):
            outcome = await worker.run(mailbox)
            if outcome is None or not outcome.unfinished:
                break

    async def attempt(self, accident: Accident | None = None) -> Process:
        """One tick in a process of its own, that may meet an accident."""
        self.process = Process(accident)
        try:
            await self.tick()
        except Crash:
            self.time += timedelta(minutes=2)  # the lease of the dead runs out
        except BaseExceptionGroup as group:
            if group.subgroup(lambda error: not isinstance(error, Crash)):
                raise
        finally:
            await _let_go()
        done, self.process = self.process, Process()
        return done

    async def settle(self, ticks: int = 4) -> int:
        """Quiet ticks; the writes of the last one. First, if it has to, so much time passes that everything is looked at."""
        last = 0
        if self.subscriptions:
            self.time += self.subscriptions.quiet()
        elif await self.at_rest():
            self.time += HOURLY
        for _ in range(ticks):
            before = self.writes
            await self.attempt()
            last = self.writes - before
        if self.subscriptions:
            self.subscriptions.reliable = False
        return last

    @property
    def writes(self) -> int:
        boxes = [*self.mailboxes.values(), *self.calendars.values(), *self.todos.values()]
        return self.crm.writes + sum(box.writes for box in boxes)


class Told(Protocol):
    """A story: people in a world."""

    world: World


ToldStory = TypeVar("ToldStory", bound=Told)


def told_again(begun: ToldStory) -> ToldStory:
    """A copy of a story and its world, to go on from there: what many runs have in common need happen only once."""
    keys = begun.world.keys
    return copy.deepcopy(begun, {id(keys): keys})


def copied(world: World) -> World:
    """The same, of a world without a story."""
    return copy.deepcopy(world, {id(world.keys): world.keys})


async def _let_go() -> None:
    """Let tasks of a dead process end."""
    tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class _Sides:
    world: World

    async def crm(self) -> Crm:
        return await self.world.crm_side()

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        return await self.world.side(mailbox, folder)

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        return await self.world.contact_folder(mailbox, name)

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return await self.world.calendar_side(mailbox)

    async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return await self.world.todo_side(mailbox)

    async def watcher(self, mailbox: str) -> Watcher | None:
        return self.world.subscriptions.watcher(mailbox) if self.world.subscriptions else None

    async def forget_sign_in(self, mailbox: str) -> None:
        self.world.signed_out.append(mailbox)
