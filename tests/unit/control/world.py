"""A connector on the memory store, with servers and queue that only do as told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mapping import kind_of_card
from mapping.fields import Field
from mapping.model import Translator, Value
from sync.connector import Connector
from sync.errors import Cause, RetryLater, StopConnector, StopMailbox
from sync.groups import Groups
from sync.model import Item, Kind
from sync.settings_store import Defaults, SettingsStore, SignIn
from sync.sides.base import Crm, CrmGroup, CrmUser, Mailbox, MailboxUser
from sync.sides.memory import MemoryCrm, MemoryMailbox
from sync.store.audit import Audit
from sync.store.board import BoardStore
from sync.store.mailboxes import MailboxRow
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.store.secrets import Keyring
from sync.sweep import SweepTools
from sync.users import Users, homes_of
from tests.sim.mapping_for_tests import MODULES, catalog, translators

ANNA, BRUNO = "19x5", "19x6"
ANNAS, BRUNOS = "0000000a-0000-4000-8000-000000000000", "0000000b-0000-4000-8000-000000000000"
TENANT, CLIENT = "11111111-2222-4333-8444-555555555555", "22222222-3333-4444-8555-666666666666"
CONFIGURED = Defaults(TENANT, CLIENT, "s3cret~value")
STAFF = (
    CrmUser(ANNA, "Anna Rossi", "anna@acme.example", True),
    CrmUser(BRUNO, "Bruno Verdi", "bruno@acme.example", True),
    CrmUser("19x7", "Carla Neri", "", True),
    CrmUser("19x8", "Dario Blu", "dario@acme.example", False),
)


class Servers:
    """`Outside`: what to fail with, and what was asked."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.staff: tuple[CrmUser, ...] = STAFF
        self.groups = {"22x3": "Vendite", "22x4": "Assistenza"}
        self.mailboxes = {"anna@acme.example": ANNAS, "bruno@acme.example": BRUNOS, ANNAS: ANNAS, BRUNOS: BRUNOS}
        self.crm_fails: RetryLater | StopConnector | None = None
        self.graph_fails: RetryLater | StopConnector | StopMailbox | None = None
        self.items: dict[str, Item] = {}
        self.asked: list[str] = []

    async def check_crm(self) -> None:
        self._answer("check crm", self.crm_fails)

    async def check_mailboxes(self) -> None:
        self._answer("check mailboxes", self.graph_fails)

    async def try_sign_in(self, sign_in: SignIn, server: str) -> None:
        self._answer(f"try {sign_in.client_id} {server}".rstrip(), self.graph_fails)

    async def forget_refusals(self) -> None:
        self.asked.append("forget refusals")

    async def crm_users(self) -> list[CrmUser]:
        self._answer("users", self.crm_fails)
        return list(self.staff)

    async def crm_group(self, group: str) -> CrmGroup | None:
        self._answer("group", self.crm_fails)
        return CrmGroup(group, self.groups[group]) if group in self.groups else None

    async def resolve_mailbox(self, address: str) -> MailboxUser:
        self._answer("resolve", self.graph_fails)
        if address not in self.mailboxes:
            raise StopMailbox(Cause.MAILBOX_UNKNOWN)
        id_ = self.mailboxes[address]
        return MailboxUser(id_, tuple(text for text, each in self.mailboxes.items() if each == id_ and "@" in text))

    async def look(
        self, mailbox: str, folder: str, kind: Kind, crm_ids: Sequence[str], item_ids: Sequence[str]
    ) -> list[Item]:
        self._answer(f"look {mailbox} {folder}", self.crm_fails)
        return [self.items[each] for each in (*crm_ids, *item_ids) if each in self.items]

    async def sweep_tools(self) -> SweepTools:
        self._answer("sweep", self.crm_fails)
        world = self._world
        homes = homes_of(await world.users.all())
        return SweepTools(
            world.crm,
            world.registry,
            world.translators,
            world.keys,
            lambda item: [homes[item.owner]] if item.owner in homes else [],
            world.now,
            world.new_id,
            "22",
        )

    async def catalogs(self) -> Mapping[Kind, Mapping[str, Field]]:
        self._answer("catalogs", self.crm_fails)
        return {kind: catalog(module) for kind, module in MODULES.items()}

    async def crm_showing(self, columns: Mapping[Kind, Sequence[str]]) -> Crm:
        self._answer("crm showing", self.crm_fails)
        return self._world.crm

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        self._answer("mailbox", self.graph_fails)
        return self._world.cards[mailbox]

    def _answer(self, what: str, failure: Exception | None) -> None:
        self.asked.append(what)
        if failure is not None:
            raise failure


class Sent:
    """The queue: (mailbox, why, delay) of every message."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, int]] = []

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        self.messages.append((mailbox, why, delay))

    def take(self) -> list[str]:
        """Mailboxes of the messages since the last time."""
        taken, self.messages = [mailbox for mailbox, _, _ in self.messages], []
        return taken


class World:
    def __init__(
        self, defaults: Defaults = CONFIGURED, crm_missing: tuple[str, ...] = (), rows: MemoryRows | None = None
    ) -> None:
        self.time = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
        self._ids = 0
        self.rows = rows or MemoryRows()
        self.keys = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
        self.registry, self.board = Registry(self.rows), BoardStore(self.rows)
        self.settings, self.users = SettingsStore(self.rows, self.keys, defaults), Users(self.rows, self.keys)
        self.groups = Groups(self.rows, self.keys)
        self.translators: Mapping[Kind, Translator] = translators()
        self.crm = MemoryCrm(self.now, _no_accident)
        self.cards = {m: MemoryMailbox(m, self.now, _kind_of, _no_accident) for m in (ANNAS, BRUNOS)}
        self.servers, self.queue = Servers(self), Sent()
        self.connector = Connector(
            self.registry,
            self.board,
            self.settings,
            self.users,
            self.groups,
            self.servers,
            self.queue,
            self.queue,
            Audit(self.rows),
            crm_missing,
            self.now,
            self.new_id,
        )

    def now(self) -> datetime:
        return self.time

    def pass_time(self, minutes: float) -> None:
        self.time += timedelta(minutes=minutes)

    def new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"

    async def mailbox(self, mailbox: str = ANNAS) -> MailboxRow:
        row = await self.registry.mailbox(mailbox)
        assert row is not None
        return row


def _kind_of(fields: Mapping[str, Value]) -> Kind:
    return Kind(kind_of_card(fields) or "contact")


async def _no_accident(moment: str, operation: str) -> str:
    return ""
