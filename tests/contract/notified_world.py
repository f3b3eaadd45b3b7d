"""The app over the emulators, in one process: what happens in Outlook comes back to it as notifications, through its own functions. Not a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import azure.functions as func
import httpx

from control import notifications
from control.app import App
from control.connections import Connections
from control.environment import read_environment
from control.queue import RunMessage
from emulators.corner import Clock
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from emulators.vtenext import VtenextEmulator, access_key
from sync import commands
from sync.agenda import APART
from sync.connecting import Connecting
from sync.connector import Connector
from sync.groups import Groups
from sync.hinting import Hinting
from sync.model import Family
from sync.settings_store import Defaults, SettingsStore
from sync.sides.base import Mailbox
from sync.sides.graph import GraphConnection
from sync.sides.vtenext import StoreLoginGate, VtenextClient
from sync.store.audit import Audit
from sync.store.base import StoreUnreachable
from sync.store.board import BoardStore
from sync.store.mailboxes import MailboxRow
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.store.states import States
from sync.store.strangers import StrangerCount
from sync.users import Users
from sync.watches import Watches, read
from sync.worker import Worker
from tests.contract.api_world import Function, behind_routes
from tests.contract.graph_world import plug
from tests.unit.control.test_environment import NEEDED
from tests.unit.control.world import CLIENT, TENANT

START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOME = "https://app.example"
NOTIFICATIONS, NUDGE = f"{HOME}/api/notifications", f"{HOME}/api/nudge"
NUDGE_KEY = "a-key-of-the-crm-that-is-long-enough"
USER = "svc.sync"


class ByClock:
    """The emulators' clock as the throttle reads it; whoever sleeps moves it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def clock(self) -> float:
        return self._clock.now().timestamp()

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


class Near(Connections):
    """The servers are in this process: one connection each, whoever signs in. `meanwhile`: happens once, when a run has opened the people."""

    graph_app: Any
    crm_app: Any
    time: Any
    meanwhile: Callable[[], Awaitable[object]] | None = None
    _near: GraphConnection | None = None

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        opened = await super().mailbox(mailbox, folder)
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        return opened

    async def graph(self, mailbox: str = "") -> GraphConnection:
        if self._near is None:
            self._near = plug(InProcessTransport(self.graph_app), time=self.time)
        return self._near

    def _crm_client(self) -> VtenextClient:
        if self._client is None:
            self._client = VtenextClient(
                "http://crm.example",
                USER,
                access_key(USER),
                gate=StoreLoginGate(self._registry.rows, self._now),
                fingerprint="print",
                now=self._now,
                transport=InProcessTransport(self.crm_app),
            )
        return self._client

    async def aclose(self) -> None:
        await super().aclose()
        if self._near is not None:
            await self._near.close()


class Messages:
    """The queue: messages and when they may be seen. `sent`: why runs were asked for, `swept`: why sweeps were. `down`: it cannot be reached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.waiting: list[tuple[datetime, str, str]] = []
        self.sent: list[str] = []
        self.swept: list[str] = []
        self.down = False

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        if self.down:
            raise StoreUnreachable("queue: down")
        (self.sent if mailbox else self.swept).append(why)
        self.waiting.append((self._clock.now() + timedelta(seconds=delay), mailbox, why))

    def take(self) -> tuple[str, str] | None:
        """The first that may be seen, or may be within the seconds that two runs of a mailbox lie apart: those pass."""
        first = min(self.waiting, key=lambda each: each[0], default=None)
        if first is None or first[0] > self._clock.now() + APART:
            return None
        self._clock.advance(max(0.0, (first[0] - self._clock.now()).total_seconds()))
        self.waiting.remove(first)
        return first[1], first[2]


class Receiving(httpx.AsyncBaseTransport):
    """The way from Microsoft 365 to the app's functions. `answers`: the statuses that it got. `down`: 503 in front of the app."""

    def __init__(self, app: Any) -> None:
        self.inner = InProcessTransport(app)
        self.answers: list[int] = []
        self.down = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            self.answers.append(503)
            return httpx.Response(503, request=request)
        answer = await self.inner.handle_async_request(request)
        self.answers.append(answer.status_code)
        return answer


class Place:
    """Anna, and whom else a test names, with a mailbox each; nothing ticks unless a test says so."""

    def __init__(self, stack: AsyncExitStack, names: tuple[str, ...] = ("anna",), **settings: str) -> None:
        self.clock = Clock(START)
        self.rows, self.queue = MemoryRows(), Messages(self.clock)
        values = {
            "VTENEXT_URL": "https://crm.example",
            "VTENEXT_USERNAME": USER,
            "VTENEXT_ACCESS_KEY": access_key(USER),
        }
        self.environment = read_environment(
            {**NEEDED, **values, "PUBLIC_URL": HOME, "NUDGE_KEY": NUDGE_KEY, **settings}
        )
        self._ids = count(1)
        functions = func.FunctionApp()
        functions.register_functions(
            notifications.blueprint(
                self.environment, lambda: self.app, self.new_id, lambda: self.clock.now().timestamp()
            )
        )
        found = functions.get_functions()
        self.functions: dict[str, Function] = {f.get_function_name(): f.get_user_function() for f in found}
        routes = [(f.get_trigger().route, f.get_trigger().methods, f.get_function_name()) for f in found]  # type: ignore[union-attr]
        self.receiving = Receiving(behind_routes(routes, self.functions))
        self.graph = GraphEmulator(clock=self.clock, auth=False, notify_through=self.receiving)
        self.vtenext = VtenextEmulator(clock=self.clock, zone="Europe/Rome")
        people = [
            {"user_name": name, "last_name": name, "email1": f"{name}@acme.example", "date_format": "yyyy-mm-dd"}
            for name in names
        ]
        self.users = self.vtenext.backdoor.add_users(people)
        self.mailboxes = [self.graph.add_user(f"{name}@acme.example", name) for name in names]
        self.http = httpx.AsyncClient(transport=self.receiving)
        self.outside, self.app = self._app()
        stack.push_async_callback(self.graph.notifications.close)
        stack.push_async_callback(self.http.aclose)
        self._stack = stack
        stack.push_async_callback(self.outside.aclose)

    def new_id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012d}"

    def _app(self) -> tuple[Near, App]:
        environment, rows, now, new_id = self.environment, self.rows, self.clock.now, self.new_id
        keys = environment.keyring()
        settings = SettingsStore(rows, keys, Defaults(TENANT, CLIENT, "s3cret~value"))
        users, groups = Users(rows, keys), Groups(rows, keys)
        outside = Near(environment, rows, keys, settings, users, groups, now, new_id)
        outside.graph_app, outside.crm_app, outside.time = self.graph.app, self.vtenext.app, ByClock(self.clock)
        registry, board = Registry(rows), BoardStore(rows)
        connector = Connector(
            registry, board, settings, users, groups, outside, self.queue, self.queue, Audit(rows), (), now, new_id
        )
        worker = Worker(registry, board, keys, outside, outside.setup, now, new_id)
        signing = outside.sign_ins
        connecting = Connecting(connector, signing.tokens, States(rows, keys), signing, environment.public_url)
        return outside, App(environment, connector, worker, worker, connecting, StrangerCount(rows), Hinting(connector))

    def another_process(self) -> None:
        """The app is started anew, over the same store."""
        self.outside, self.app = self._app()
        self._stack.push_async_callback(self.outside.aclose)

    def move(self, address: str) -> None:
        """The app is at another address from now on, '' = at none that others can reach."""
        self.environment = replace(self.environment, public_url=address)
        self.another_process()

    @property
    def connector(self) -> Connector:
        return self.app.connector

    # time

    async def tick(self) -> None:
        """The timer's tick, and what comes of it."""
        await self.app.swept("timer")
        await self.work()

    async def run(self, message: tuple[str, str]) -> None:
        """A message's work."""
        await self.app.ran(RunMessage(*message))

    async def work(self) -> int:
        """Messages that may be seen, and notifications, until there is nothing left; how many messages."""
        for done in range(100):
            await self.graph.notifications.quiet()
            message = self.queue.take()
            if message is None:
                return done
            await self.run(message)
        raise AssertionError("it never ends")

    async def pass_minutes(self, minutes: int, *, ticks: bool = True) -> None:
        for _ in range(minutes):
            self.clock.advance(60)
            if ticks and self.clock.now().minute % 5 == 0:
                await self.app.swept("timer")
            await self.work()

    async def connect(self) -> None:
        """All are enabled; all is imported, subscribed to and quiet."""
        for user in self.users:
            await commands.change_user(self.connector, user, {"enabled": True})
        await self.pass_minutes(10)
        self.queue.sent.clear()
        self.queue.swept.clear()
        self.receiving.answers.clear()

    # what there is

    async def row(self, user: int = 0) -> MailboxRow:
        found = await self.connector.registry.mailbox(self.mailboxes[user])
        assert found is not None
        return found

    async def watches(self, user: int = 0) -> Watches:
        return read((await self.row(user)).watches)

    async def watched(self, user: int = 0) -> set[Family]:
        return (await self.watches(user)).families(self.clock.now())

    def subscriptions(self, state: str = "live") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.graph.notifications.subscriptions()
        return [each for each in found if each["state"] == state]

    def state_of(self, user: int = 0, kind: str = "contact") -> str:
        """The clientState of a live subscription of a mailbox."""
        mine = [
            each for each in self.subscriptions() if (each["mailbox"], each["kind"]) == (self.mailboxes[user], kind)
        ]
        return str(mine[0]["clientState"])

    # people

    def create(self, surname: str, user: int = 0) -> str:
        """A contact in our folder, by hand in Outlook."""
        return self.graph.outlook.create(
            self.mailboxes[user], {"givenName": "Zoe", "surname": surname}, self.folder(user)
        )

    def edit(self, contact: str, user: int = 0, **fields: Any) -> None:
        self.graph.outlook.edit(self.mailboxes[user], contact, fields)

    def folder(self, user: int = 0) -> str:
        folders = self.graph.dump(self.mailboxes[user])["folders"]
        return str(next(each["id"] for each in folders if each["displayName"] == "vtenext"))

    def cards(self, user: int = 0) -> dict[str, Mapping[str, Any]]:
        """In our folder, by surname."""
        folders = self.graph.dump(self.mailboxes[user])["folders"]
        return {
            card["surname"]: card for each in folders if each["displayName"] == "vtenext" for card in each["contacts"]
        }

    def records(self) -> dict[str, Mapping[str, Any]]:
        """The CRM's contacts by last name."""
        rows = self.vtenext.backdoor.dump().get("Contacts", [])
        return {row["lastname"]: row for row in rows if not row["deleted"]}

    @property
    def writes(self) -> int:
        """Of either side, by us."""
        done = ("POST create", "POST revise", "POST delete")
        crm = sum(n for label, n in self.vtenext.corner.counts.items() if label.startswith(done))
        parts = sum(n for label, n in self.graph.parts.counts.items() if not label.startswith("GET"))
        return crm + parts

    def messages(self) -> list[str]:
        """Why runs were asked for since the last time."""
        sent, self.queue.sent[:] = list(self.queue.sent), []
        return sent

    def sweeps(self) -> list[str]:
        """Why sweeps were asked for since the last time."""
        swept, self.queue.swept[:] = list(self.queue.swept), []
        return swept

    async def tell(self, *states: str, **more: Any) -> int:
        """A delivery of notifications with these clientStates, as Microsoft sends it; how it was answered."""
        value = [{"subscriptionId": "s", "clientState": state, "changeType": "updated", **more} for state in states]
        return (await self.http.post(NOTIFICATIONS, json={"value": value})).status_code
