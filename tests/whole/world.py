"""The simulator's world with nothing of ours replaced: the real adapters and store over the emulators, in process.

The stories and properties of tests/sim are used as they are: `EmulatedCrm` and `EmulatedMailbox` are the hands and eyes of people in front
of vtenext and Outlook. Accidents happen to HTTP requests and to the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from emulators.vtenext import VtenextEmulator, access_key
from mapping.model import Value
from sync.model import Family, Item, Kind, Side
from sync.sides.base import Crm, Mailbox
from sync.sides.graph import GraphConnection, Sign, Throttle, connect, find_folder, open_mailbox
from sync.sides.graph.cards import card_of, item_of
from sync.sides.graph.stamps import STAMP
from sync.sides.memory import Card, Record
from sync.sides.vtenext import StoreLoginGate, VtenextClient, VtenextCrm
from sync.store.base import Rows
from sync.store.board import BoardStore
from sync.store.registry import Registry
from tests.contract.graph_world import BASE, Badge
from tests.sim.mapping_for_tests import remapped
from tests.sim.world import START, Accident, Process, World

MODULES = {Kind.CONTACT: "Contacts", Kind.COMPANY: "Accounts"}
NAMES = ("anna", "bruno", "carla", "dario")


class Accidents(httpx.AsyncBaseTransport):
    """Passes requests on; the process's accident may befall them."""

    def __init__(self, inner: httpx.AsyncBaseTransport, world: WholeWorld, name: str) -> None:
        self._inner, self._world, self._name = inner, world, name

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        step = self._world.process.step
        match step("before", f"{self._name} {request.method}"):
            case "refuse":
                return httpx.Response(500, request=request)
            case "busy":
                return httpx.Response(429, headers={"Retry-After": "1"}, request=request)
        response = await self._inner.handle_async_request(request)
        self._world.watch()
        if step("after", f"{self._name} {request.method}") == "lose":
            raise httpx.ReadError("the answer was lost", request=request)
        return response


class EmulatedCrm:
    """People in front of vtenext: what `MemoryCrm` offers to a story."""

    def __init__(self, emulator: VtenextEmulator) -> None:
        self._emulator = emulator
        self.people: dict[str, str] = {}

    @property
    def records(self) -> dict[str, Record]:
        rows = self._emulator.backdoor.dump()
        return {row["id"]: self._record(kind, row) for kind, module in MODULES.items() for row in rows.get(module, [])}

    @staticmethod
    def _record(kind: Kind, row: Mapping[str, Any]) -> Record:
        fields = {name: str(value) for name, value in row.items() if name not in {"id", "deleted"}}
        owner, created, modified = row["assigned_user_id"], row["createdtime"], row["modifiedtime"]
        return Record(row["id"], kind, owner, fields, created, modified, False, row["deleted"])

    def add(self, kind: Kind, owner: str, fields: Mapping[str, Value]) -> Record:
        row = {**fields, "assigned_user_id": owner}
        (crm_id,) = self._emulator.backdoor.add_records(MODULES[kind], [row])
        return self.records[crm_id]

    def edit(self, crm_id: str, **fields: str) -> None:
        owner = fields.pop("owner", None)
        self._emulator.backdoor.edit(crm_id, {**fields, **({"assigned_user_id": owner} if owner else {})})

    def delete(self, crm_id: str) -> None:
        self._emulator.backdoor.delete(crm_id)

    def _item(self, record: Record) -> Item:
        fields: dict[str, Value] = dict(record.fields)
        if record.kind is Kind.CONTACT:
            account = self.records.get(record.fields.get("account_id", ""))
            fields["account_name"] = account.fields["accountname"] if account and not account.deleted else ""
        return Item(Side.CRM, record.kind, record.id, record.modified, fields, record.owner)

    @property
    def writes(self) -> int:
        counts = self._emulator.corner.counts
        return sum(n for label, n in counts.items() if label.startswith(("POST create", "POST revise", "POST delete")))


class EmulatedMailbox:
    """A person in front of Outlook: what `MemoryMailbox` offers to a story."""

    def __init__(self, emulator: GraphEmulator, user: str) -> None:
        self._emulator, self.id = emulator, user
        self.folder_id = ""
        self.elsewhere = ""

    @property
    def cards(self) -> dict[str, Card]:
        dump = self._emulator.dump(self.id)
        places = [("deleted", dump["deleted"])]
        for folder in dump["folders"]:
            places.append(("folder" if folder["id"] == self.folder_id else "elsewhere", folder["contacts"]))
        found: dict[str, Card] = {}
        for place, contacts in places:
            for contact in contacts:
                item = item_of(contact, self.id)
                stamp = contact["extended"].get(STAMP) or ""
                found[item.id] = Card(item.id, dict(item.fields), item.version, item.modified, stamp, place)
        return found

    def add(self, fields: Mapping[str, Value], stamp: str = "") -> Card:
        if not self.folder_id:
            self.folder_id = self._emulator.outlook.create_folder(self.id, "vtenext")
        contact = self._emulator.outlook.create(self.id, card_of(fields, stamp=stamp), self.folder_id)
        return self.cards[contact]

    def edit(self, card_id: str, **fields: Value) -> None:
        now = self.cards[card_id].fields
        changed = card_of({name.replace("__", "."): value for name, value in fields.items()}, now)
        self._emulator.outlook.edit(self.id, card_id, changed)

    def move(self, card_id: str, place: str) -> None:
        if place == "deleted":
            self._emulator.outlook.delete(self.id, card_id)
            return
        self.elsewhere = self.elsewhere or self._emulator.outlook.create_folder(self.id, "private")
        self._emulator.outlook.move(self.id, card_id, self.elsewhere)

    @property
    def log(self) -> list[str]:
        return []

    @property
    def forgotten(self) -> int:
        return 0

    @forgotten.setter
    def forgotten(self, value: int) -> None:
        self._emulator.expire_delta(self.id)

    @property
    def writes(self) -> int:
        counts = self._emulator.parts.counts
        mine = (n for label, n in counts.items() if self.id in label and "/events" not in label and label[:3] != "GET")
        return sum(mine)


class WholeWorld(World):
    """`World`, with the adapters of the product between the engine and the emulators. Processes get adapters of their own."""

    def __init__(self, rows: Rows | None = None, family: Family = Family.PEOPLE, users: int = 2) -> None:
        self.clock = clock = Clock(START)
        self.vtenext = VtenextEmulator(clock=clock, zone="Europe/Rome")
        people = [
            {"user_name": name, "first_name": name, "last_name": name, "email1": f"{name}@x.example"}
            | {"date_format": "yyyy-mm-dd"}
            for name in NAMES[:users]
        ]
        owners = self.vtenext.backdoor.add_users(people)
        (group,) = self.vtenext.backdoor.add_groups([{"groupname": "Vendite"}])
        self.graph = self._tenant(clock)
        ids = [self.graph.add_user(f"{name}@x.example", name) for name in NAMES[:users]]
        super().__init__(dict(zip(owners, ids, strict=True)), family=family)
        self.group = group
        if rows is not None:
            self.rows = rows  # type: ignore[assignment]
            self.registry, self.board = Registry(rows), BoardStore(rows)
        self.crm = EmulatedCrm(self.vtenext)  # type: ignore[assignment]
        self.mailboxes = {user: EmulatedMailbox(self.graph, user) for user in ids}  # type: ignore[misc]
        self._requests = count(1)
        self._usual: set[str] = set()  # default folders, which are nobody's own
        self.watch: Callable[[], None] = lambda: None  # called after every request
        self._open()

    @property
    def time(self) -> datetime:
        """One clock for everybody."""
        return self.clock.now()

    @time.setter
    def time(self, value: datetime) -> None:
        self.clock.set(value)

    def _tenant(self, clock: Clock) -> GraphEmulator:
        return GraphEmulator(clock=clock, auth=False)

    def _open(self) -> None:
        """The adapters of a new process."""
        gate = StoreLoginGate(self.rows, self.now, sleep=self._sleep)
        self._client = VtenextClient(
            "http://crm.example",
            "svc.sync",
            access_key("svc.sync"),
            gate=gate,
            fingerprint="print",
            now=self.now,
            transport=Accidents(InProcessTransport(self.vtenext.app), self, "crm"),
        )
        fields = {kind: remapped(*mappings).columns for kind, mappings in self.mappings.items()}
        self._side = VtenextCrm(self._client, fields=fields)
        self._connection = self._connected(Badge())

    def _connected(self, sign: Sign) -> GraphConnection:
        throttle = Throttle(clock=lambda: self.now().timestamp(), sleep=self._sleep)
        return connect(
            sign,
            throttle,
            new_id=lambda: f"00000000-0000-4000-8000-{next(self._requests):012d}",
            sleep=self._sleep,
            base_url=BASE,
            transport=Accidents(InProcessTransport(self.graph.app), self, "graph"),
        )

    async def _sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    async def attempt(self, accident: Accident | None = None) -> Process:
        self._open()
        done = await super().attempt(accident)
        await self._client.aclose()
        await self._connection.close()
        return done

    async def crm_side(self) -> Crm:
        return self._side

    async def contact_folder(self, mailbox: str, name: str | None) -> str:
        found = await find_folder(self._connection, mailbox, "vtenext" if name is None else name)
        if name == "":
            self._usual.add(found)
        return found

    async def side(self, mailbox: str, folder: str) -> Mailbox:
        opened = await open_mailbox(self._connection, mailbox, folder or None, "vtenext")
        if opened.folder_id not in self._usual:
            self.mailboxes[mailbox].folder_id = opened.folder_id
        return opened
