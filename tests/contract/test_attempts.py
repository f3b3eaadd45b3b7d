"""Attempts as the servers see them (SPEC 4.3): four processes over one store, real emulators of Entra, Graph and vtenext, a clock of our own.

An outage is met by one cheap call per window, whoever makes it: five reach the server, then nothing does until an admin says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import pytest

from control.connections import Connections
from control.environment import read_environment
from emulators.corner import Corner, Fault
from emulators.entra import EntraEmulator
from emulators.graph import GraphEmulator
from emulators.vtenext import VtenextEmulator, access_key
from sync import commands
from sync.connector import Connector
from sync.groups import Groups
from sync.settings_store import Defaults, SettingsStore
from sync.sides.graph import Throttle
from sync.store.audit import Audit
from sync.store.board import BoardStore
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.tick import run_one, tick_asked
from sync.users import Users
from sync.worker import Worker
from tests.contract.graph_world import served
from tests.unit.control.test_environment import NEEDED
from tests.unit.control.world import CLIENT, TENANT

PROCESSES = 4
PEOPLE = ("anna", "bruno", "carla", "dario", "elena", "fabio")
ROLES = (
    "Contacts.ReadWrite",
    "Calendars.ReadWrite",
    "Tasks.ReadWrite.All",
    "MailboxSettings.ReadWrite",
    "User.Read.All",
)
SECRET = "s3cret~value"
USER = "svc.sync"


@dataclass
class Time:
    at: datetime = field(default_factory=lambda: datetime(2026, 11, 23, 8, 0, tzinfo=UTC))

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


@dataclass
class Messages:
    """The queue: messages and when they may be seen."""

    time: Time
    waiting: list[tuple[datetime, str, str]] = field(default_factory=list)

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        self.waiting.append((self.time.at + timedelta(seconds=delay), mailbox, why))

    def due(self) -> list[tuple[str, str]]:
        seen = [(mailbox, why) for at, mailbox, why in self.waiting if at <= self.time.at]
        self.waiting = [each for each in self.waiting if each[0] > self.time.at]
        return seen


@dataclass
class Process:
    connector: Connector
    worker: Worker

    async def take(self, message: tuple[str, str]) -> None:
        mailbox, why = message
        if mailbox:
            await run_one(self.connector, self.worker, mailbox)
        else:
            await tick_asked(self.connector, why)


class Place:
    """The servers, and four processes that share a store and a queue."""

    def __init__(self, stack: ExitStack) -> None:
        self.time = Time()
        self.rows, self.queue = MemoryRows(), Messages(self.time)
        self.entra = EntraEmulator(tenant=TENANT)
        self.graph, self.vtenext = GraphEmulator(auth=False), VtenextEmulator()
        self.entra.add_app(CLIENT, SECRET, roles=ROLES)
        people = [
            {"user_name": name, "last_name": name, "email1": f"{name}@acme.example", "date_format": "yyyy-mm-dd"}
            for name in PEOPLE
        ]
        self.users = self.vtenext.backdoor.add_users(people)
        self.graph_ids = [self.graph.add_user(f"{name}@acme.example", name) for name in PEOPLE]
        self.urls = [stack.enter_context(served(each.app)) for each in (self.entra, self.graph, self.vtenext)]
        self.processes = [self.process() for _ in range(PROCESSES)]

    def process(self, key: str = "") -> Process:
        entra, graph, crm = self.urls
        values = {"VTENEXT_URL": crm, "VTENEXT_USERNAME": USER, "VTENEXT_ACCESS_KEY": key or access_key(USER)}
        values |= {"GRAPH_BASE_URL": f"{graph}/v1.0", "ENTRA_AUTHORITY_HOST": entra}
        environment = read_environment({**NEEDED, **values})
        keys, ids = environment.keyring(), count(1)
        settings = SettingsStore(self.rows, keys, Defaults(TENANT, CLIENT, SECRET))
        users, groups = Users(self.rows, keys), Groups(self.rows, keys)
        number = next(_NUMBERS)

        def new_id() -> str:
            return f"00000000-0000-4000-{number:04d}-{next(ids):012d}"

        outside = Connections(environment, self.rows, keys, settings, users, groups, self.time.now, new_id)
        outside._throttle = Throttle(clock=self.time.seconds, sleep=self.time.sleep, cap=16)
        registry, board = Registry(self.rows), BoardStore(self.rows)
        audit = Audit(self.rows)
        connector = Connector(
            registry, board, settings, users, groups, outside, self.queue, self.queue, audit, (), self.time.now, new_id
        )
        return Process(connector, Worker(registry, board, keys, outside, outside.setup, self.time.now, new_id))

    async def connect(self) -> None:
        """Every user is enabled, and every mailbox has had its first synchronisation."""
        for user in self.users:
            await commands.change_user(self.processes[0].connector, user, {"enabled": True})
        await self.pass_minutes(15)

    async def pass_minutes(self, minutes: int, processes: list[Process] | None = None) -> None:
        """Every five minutes the timer, every minute what the queue shows: taken by all processes at once."""
        processes = processes or self.processes
        for _ in range(minutes):
            self.time.at += timedelta(minutes=1)
            if self.time.at.minute % 5 == 0:
                await asyncio.gather(*(process.take(("", "timer")) for process in processes[:1]))
            for _ in range(4):
                messages = self.queue.due()
                jobs = (processes[n % len(processes)].take(message) for n, message in enumerate(messages))
                await asyncio.gather(*jobs)

    async def attempts(self) -> tuple[str, str]:
        board = await self.processes[0].connector.board.read()
        return board.state, board.cause

    async def close(self) -> None:
        for each in self.processes:
            await each.connector.outside.aclose()  # type: ignore[attr-defined]


_NUMBERS = count(1000)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


OUTAGES = {
    "entra refuses": (
        "entra",
        Fault("status", 400, {}, '{"error":"invalid_client","error_description":"AADSTS99999: no"}'),
    ),
    "entra is broken": ("entra", Fault("status", 500)),
    "graph is broken": ("graph", Fault("status", 500)),
    "graph says nothing": ("graph", Fault("drop")),
}


@pytest.mark.parametrize("outage", OUTAGES)
async def test_exactly_five_attempts_reach_a_server_that_is_down(stack: ExitStack, outage: str) -> None:
    place = Place(stack)
    await place.connect()
    name, fault = OUTAGES[outage]
    corner: Corner = getattr(place, name).corner
    await place.close()
    place.processes = [place.process() for _ in range(PROCESSES)]  # new ones: nobody has a token yet
    corner.add_fault(fault, times=10**6)
    corner.counts.clear()
    reached: list[int] = []
    began = place.time.at
    for _ in range(240):
        await place.pass_minutes(1)
        if corner.total > len(reached):
            reached += [int((place.time.at - began).total_seconds() // 60)] * (corner.total - len(reached))
    assert corner.total == 5, corner.counts
    waits = [later - earlier for earlier, later in pairwise(reached)]
    assert all(least <= wait <= least + 2 for least, wait in zip((1, 5, 15, 60), waits, strict=True)), waits
    state, cause = await place.attempts()
    assert (state, cause) == ("stopped", "entra_unreachable" if name == "entra" else "graph_unreachable")
    corner.clear_faults()
    assert await commands.restore_attempts(place.processes[0].connector, "admin") == "running"
    await place.pass_minutes(10)
    rows = await place.processes[0].connector.registry.mailboxes()
    assert {(row.state, row.attempts, row.last_run > began.isoformat()) for row in rows} == {("ok", 0, True)}
    await place.close()


async def test_a_refused_key_is_tried_once_whoever_wants_it_and_once_more_after_restoring_the_state(
    stack: ExitStack,
) -> None:
    place = Place(stack)
    await place.connect()
    await place.close()
    place.processes = [place.process("wrong") for _ in range(PROCESSES)]
    for _ in range(12):
        await asyncio.gather(*(process.take(("", "timer")) for process in place.processes))
        await place.pass_minutes(5)
    assert place.vtenext.logins()["logins_refused"] == 1
    assert await place.attempts() == ("error", "crm_login_refused")
    connector = place.processes[1].connector
    assert await commands.restore_attempts(connector, "admin") == "error"
    await place.pass_minutes(30)
    assert place.vtenext.logins()["logins_refused"] == 1
    assert not (await commands.restore_state(connector, "admin")).ok
    await place.pass_minutes(30)
    assert place.vtenext.logins()["logins_refused"] == 2
    await place.close()


async def swept_and_queued(place: Place) -> list[tuple[str, str]]:
    """A contact more for everybody, found by the sweep while all is well: the messages of the runs, which nobody has taken yet."""
    contacts = [{"lastname": f"Rossi {n}", "assigned_user_id": user} for n, user in enumerate(place.users)]
    place.vtenext.backdoor.add_records("Contacts", contacts)
    place.time.at += timedelta(minutes=5)
    await place.processes[0].take(("", "timer"))
    runs = place.queue.due()
    assert len(runs) == len(PEOPLE)
    await place.close()
    return runs


async def all_at_once(place: Place, runs: list[tuple[str, str]]) -> None:
    jobs = (place.processes[n % len(place.processes)].take(message) for n, message in enumerate(runs))
    await asyncio.gather(*jobs)


def cards(place: Place) -> list[str]:
    """Surnames of all cards in all folders of all mailboxes."""
    boxes = [place.graph.dump(name)["folders"] for name in place.graph_ids]
    return sorted(card["surname"] for folders in boxes for folder in folders for card in folder["contacts"])


async def test_a_key_that_is_wrong_behind_the_sweep_is_tried_once_by_all_runs_until_it_is_changed(
    stack: ExitStack,
) -> None:
    place = Place(stack)
    await place.connect()
    runs = await swept_and_queued(place)
    place.processes = [place.process("wrong") for _ in range(PROCESSES)]
    before = place.vtenext.logins()
    await all_at_once(place, runs)
    assert place.vtenext.logins()["logins_refused"] - before["logins_refused"] == 1
    assert await place.attempts() == ("error", "crm_login_refused")
    await all_at_once(place, runs)  # messages that are delivered once more
    await place.pass_minutes(90)
    assert place.vtenext.logins()["logins_refused"] - before["logins_refused"] == 1
    assert place.vtenext.logins()["logins_ok"] == before["logins_ok"]
    assert cards(place) == []
    await place.close()
    place.processes = [place.process() for _ in range(PROCESSES)]  # the setting changes
    assert (await commands.restore_state(place.processes[0].connector, "admin")).ok
    await place.pass_minutes(15)
    assert place.vtenext.logins()["logins_refused"] - before["logins_refused"] == 1
    assert cards(place) == [f"Rossi {n}" for n in range(len(PEOPLE))]
    await place.close()


async def test_an_outage_of_entra_between_the_sweep_and_its_runs_is_one_request_a_process_and_one_attempt(
    stack: ExitStack,
) -> None:
    place = Place(stack)
    await place.connect()
    runs = await swept_and_queued(place)
    place.processes = [place.process() for _ in range(PROCESSES)]  # nobody has a token yet
    place.entra.corner.add_fault(Fault("status", 500), times=10**6)
    place.entra.corner.counts.clear()
    await all_at_once(place, runs)
    assert 1 <= place.entra.corner.total <= PROCESSES, place.entra.corner.counts
    board = await place.processes[0].connector.board.read()
    assert (board.state, board.attempts, board.cause) == ("running", 1, "entra_unreachable")
    asked = place.entra.corner.total
    await all_at_once(place, runs)
    assert place.entra.corner.total == asked, "an attempt failed: nobody runs before the next look"
    place.entra.corner.clear_faults()
    await place.pass_minutes(15)
    assert cards(place) == [f"Rossi {n}" for n in range(len(PEOPLE))]
    await place.close()


@pytest.mark.parametrize("server", ["graph", "entra"])
@pytest.mark.parametrize("status", [429, 503])
async def test_an_hour_of_throttling_stops_nothing_and_counts_nothing(
    stack: ExitStack, status: int, server: str
) -> None:
    place = Place(stack)
    await place.connect()
    await place.close()
    place.processes = [place.process() for _ in range(PROCESSES)]  # new ones: nobody has a token yet
    corner: Corner = getattr(place, server).corner
    place.vtenext.backdoor.add_records(
        "Contacts", [{"lastname": "Rossi", "assigned_user_id": user} for user in place.users]
    )
    corner.add_fault(Fault("status", status, {"Retry-After": "120"}), times=10**6)
    for _ in range(60):
        await place.pass_minutes(1)
        board = await place.processes[0].connector.board.read()
        assert (board.state, board.attempts) == ("running", 0)
    corner.clear_faults()
    await place.pass_minutes(20)
    registry = place.processes[0].connector.registry
    assert {(row.state, row.attempts) for row in await registry.mailboxes()} == {("ok", 0)}
    boxes = [place.graph.dump(row.id)["folders"] for row in await registry.mailboxes()]
    held = [card for folders in boxes for folder in folders for card in folder["contacts"]]
    assert len(held) == len(PEOPLE)
    await place.close()
