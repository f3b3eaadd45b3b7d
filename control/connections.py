"""The two servers, as this process reaches them: built when first needed, kept, rebuilt when settings move.

Fills the ports `sync.worker.Sides` and `sync.connector.Outside`. Probes the CRM at the start and every hour: what it offers and
which fields its modules have decides the mapping. Never logs a name, an address or a value.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from control.environment import GUID, Environment
from control.sign_ins import SignIns
from mapping.fields import Field, crm_catalog, default_lengths
from mapping.model import Translator
from mapping.people import AddressBook
from mapping.tasks import TaskTranslator
from sync.errors import Cause, Failure, RetryLater, StopConnector, StopMailbox, SyncError, classify
from sync.events import event_translator
from sync.groups import Groups
from sync.mappings import MODULES, AtWork, Mappings, Versions, at_work, numbers
from sync.model import Family, Item, Kind
from sync.people import address_book
from sync.policy import CalendarPolicy
from sync.settings import DoubleBooking
from sync.settings_store import InForce, SettingsStore, SignIn
from sync.setup import Setup
from sync.sides.base import CrmGroup, CrmUser, Mailbox, MailboxUser
from sync.sides.graph import (
    GraphConnection,
    GraphSubscriptions,
    Horizon,
    Sign,
    Throttle,
    application_tokens,
    connect,
    find_folder,
    open_calendar,
    open_mailbox,
    open_todo,
)
from sync.sides.graph import resolve_user as resolve
from sync.sides.vtenext import Probe, StoreLoginGate, VtenextClient, VtenextCrm, VtenextDirectory
from sync.store.base import Rows
from sync.store.registry import Registry
from sync.store.secrets import Keyring
from sync.store.tokens import TokenStore
from sync.sweep import SweepTools
from sync.users import User, Users, homes_of, parted

log = logging.getLogger("connector")

PROBE_AGAIN = timedelta(hours=1)
NOTIFICATIONS = "/api/notifications"


@dataclass(frozen=True, slots=True)
class Known:
    """What a probe of the CRM told, and what follows from it for the mappings that are saved."""

    at: datetime
    probe: Probe
    catalogs: Mapping[Kind, Mapping[str, Field]]
    mappings: Mapping[Kind, AtWork]
    versions: Mapping[Kind, tuple[int, ...]]
    crm: VtenextCrm
    translators: Mapping[Kind, Translator]
    zone: ZoneInfo


class Connections:
    """One per process."""

    def __init__(
        self,
        environment: Environment,
        rows: Rows,
        keys: Keyring,
        settings: SettingsStore,
        users: Users,
        groups: Groups,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._environment, self._keys = environment, keys
        self._settings, self._users, self._groups = settings, users, groups
        self._now, self._new_id = now, new_id
        self._registry, self._mappings = Registry(rows), Mappings(rows)
        self._gate = StoreLoginGate(rows, now)
        self._throttle = Throttle(clock=time.monotonic, sleep=asyncio.sleep, cap=environment.graph_in_flight)
        self._client: VtenextClient | None = None
        self._known_directory: VtenextDirectory | None = None
        self._known: Known | None = None
        # what the last run's setup, or whoever asked outside of a run, read of the settings
        self._begun: InForce | None = None
        self._people: tuple[Sequence[User], AddressBook] | None = None
        self._probing = asyncio.Lock()
        self._graph: tuple[tuple[SignIn, str], GraphConnection] | None = None
        self._retired: GraphConnection | None = None
        self._joining = asyncio.Lock()
        self.sign_ins = SignIns(environment, TokenStore(rows, keys), settings, self._connected, now)

    # sync.worker.Sides

    async def crm(self) -> VtenextCrm:
        return (self._known or await self._probed()).crm

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        name = await self._folder_name(mailbox)
        return await open_mailbox(await self.graph(mailbox), mailbox, folder or None, name)

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        await self._as_saved()
        named = await self._folder_name(mailbox) if name is None else name
        return await find_folder(await self.graph(mailbox), mailbox, named)

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        settings = (await self._in_force()).settings
        horizon = Horizon(since=policy.since, ahead=timedelta(days=settings.horizon_days))
        return await open_calendar(await self.graph(mailbox), mailbox, zone=policy.zone, now=self._now, horizon=horizon)

    async def watcher(self, mailbox: str) -> GraphSubscriptions | None:
        """Notifications go to PUBLIC_URL; without it there are none."""
        address = self._environment.public_url
        if not address:
            return None
        sign_in, url = (await self._in_force()).sign_in, f"{address}{NOTIFICATIONS}"
        parts = ("watches", url, sign_in.tenant_id, sign_in.client_id, "user" if sign_in.delegated else "application")
        made_for = self._keys.index("\n".join(parts))
        return GraphSubscriptions(await self.graph(mailbox), mailbox, url, made_for, lists=sign_in.delegated)

    async def forget_sign_in(self, mailbox: str) -> None:
        await self.sign_ins.tokens.drop(mailbox)

    async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return await open_todo(await self.graph(mailbox), mailbox, zone=policy.zone)

    async def setup(self) -> Setup:
        """Settings, users and mapping as they are now. Not active: nothing is asked of any server."""
        saved = await self._as_saved()
        return await self._setup(saved) if saved.settings.active else Setup(False, {}, {})

    async def setup_if_active(self) -> Setup:
        """As `setup`, whether the connector is active or not: for previews."""
        return await self._setup(await self._as_saved())

    async def _setup(self, saved: InForce) -> Setup:
        settings = saved.settings
        if self._environment.crm_missing or saved.sign_in.missing:
            return Setup(False, {}, {})
        known = await self._probed()
        users = await self._users.all()
        left_out = settings.left_out(user.mailbox for user in users if user.connected)
        return Setup(
            active=True,
            translators=known.translators,
            homes=homes_of(user for user in users if user.mailbox not in left_out),
            admin_mailbox=settings.shared_mailbox,
            admin_user=settings.admin_user,
            kinds=settings.policies(),
            calendar=CalendarPolicy(known.zone, settings.sync_start, settings.private_events),
            groups=await self._groups.policies(),
            people=self._address_book(users),
            mails=settings.mail_limits.policy(),
            deletes=settings.delete_brake.policy(),
            reassign_groups=settings.reassign_groups,
            double_booking=settings.double_booking is DoubleBooking.ACCEPT,
            crm_contact_invitees=settings.crm_contact_invitees,
            create_strangers=settings.create_strangers,
            delegated=settings.delegated,
            remaps={kind: each.remap for kind, each in known.mappings.items()},
            preferences={user.mailbox: user.preferences for user in users if user.connected},
            look_every=timedelta(minutes=settings.look_minutes),
            parted=(parted(users) | left_out) - {settings.shared_mailbox},
        )

    def _address_book(self, users: Sequence[User]) -> AddressBook:
        """Made anew only of other users: ten thousand take a tenth of a second, for each run."""
        if self._people is None or self._people[0] is not users:
            self._people = (users, address_book(users))
        return self._people[1]

    # sync.connector.Outside

    async def check_crm(self) -> None:
        async with self._probing:
            self._known = self._learned(await self._directory().probe(), await self._mappings.all(), self._now())

    async def check_mailboxes(self) -> None:
        """Application mode: read a user. Delegated: the application may read nobody, but it can prove who it is."""
        if (await self._as_saved()).sign_in.delegated:
            await (await self.sign_ins.entra()).check()
        else:
            await _look(await self.graph())

    async def try_sign_in(self, sign_in: SignIn, server: str) -> None:
        if sign_in.delegated:
            await self.sign_ins.attempt(sign_in, server)
            return
        connection = self._joined(sign_in, server)
        try:
            await _look(connection)
        finally:
            await connection.close()

    async def forget_refusals(self) -> None:
        await self._gate.reset()

    async def crm_users(self) -> list[CrmUser]:
        return await self._directory().users()

    async def crm_group(self, group: str) -> CrmGroup | None:
        return await self._directory().group(group)

    async def resolve_mailbox(self, address: str) -> MailboxUser:
        """With the application's own permission to read users; without it a delegated mailbox is named by its object id only."""
        saved = await self._as_saved()
        try:
            return await resolve(await self.graph(), address)
        except StopMailbox as stop:
            if not saved.sign_in.delegated or stop.cause is not Cause.ACCESS_DENIED or not GUID.fullmatch(address):
                raise
            return MailboxUser(address.lower())

    async def look(
        self, mailbox: str, folder: str, kind: Kind, crm_ids: Sequence[str], item_ids: Sequence[str]
    ) -> list[Item]:
        known, _ = await self._probed(), await self._as_saved()
        present = [*(await known.crm.get(kind, crm_ids)).values()] if crm_ids else []
        if item_ids and mailbox and (folder or kind not in Family.PEOPLE.kinds):  # looking makes no folder
            side = await self._side_of(mailbox, folder, kind, CalendarPolicy(known.zone))
            present += (await side.get(item_ids)).values()
        return [each for each in present if isinstance(each, Item)]

    async def _side_of(self, mailbox: str, folder: str, kind: Kind, policy: CalendarPolicy) -> Mailbox:
        if kind is Kind.EVENT:
            return await self.calendar(mailbox, policy)
        return await (self.todo(mailbox, policy) if kind is Kind.TASK else self.mailbox(mailbox, folder))

    async def sweep_tools(self) -> SweepTools:
        known, setup = await self._probed(), await self.setup()
        return SweepTools(
            known.crm,
            self._registry,
            known.translators,
            self._keys,
            setup.homes_of_item,
            self._now,
            self._new_id,
            known.probe.prefix("Groups"),
            (await self._in_force()).settings.delete_brake.of_sweep(),
        )

    async def catalogs(self) -> Mapping[Kind, Mapping[str, Field]]:
        return (await self._probed()).catalogs

    async def crm_showing(self, columns: Mapping[Kind, Sequence[str]]) -> VtenextCrm:
        return VtenextCrm(self._crm_client(), fields=columns)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()
        for connection in (self._graph[1] if self._graph else None, self._retired):
            if connection is not None:
                await connection.close()
        await self.sign_ins.aclose()

    # parts

    async def graph(self, mailbox: str = "") -> GraphConnection:
        """The connection for the present sign-in; in delegated mode that of the mailbox, where one is named.

        The application's one of before stays open until the next change: runs may still use it.
        """
        now = await self._in_force()
        if mailbox and now.sign_in.delegated:
            return await self.sign_ins.connection(mailbox, now)
        async with self._joining:
            present = (now.sign_in, now.settings.server_name)
            if self._graph is None or self._graph[0] != present:
                if self._retired is not None:
                    await self._retired.close()
                self._retired = self._graph[1] if self._graph else None
                self._graph = (present, self._joined(*present))
            return self._graph[1]

    async def _folder_name(self, mailbox: str) -> str:
        """How the contact folder is called when it is made: as its user wants, else as the settings say; '' = the default folder."""
        row = await self._registry.mailbox(mailbox)
        user = await self._users.get(row.user) if row and row.user else None
        return (user.folder if user else "") or (await self._in_force()).settings.folder

    async def _as_saved(self) -> InForce:
        """Settings and sign-in, read now."""
        self._begun = await self._settings.in_force()
        return self._begun

    async def _in_force(self) -> InForce:
        """As the last look found them, for a run: its setup looked, and what is saved later ends it at its next batch."""
        return self._begun or await self._as_saved()

    def _joined(self, sign_in: SignIn, server: str) -> GraphConnection:
        graph, authority = self._environment.cloud(server)
        tokens = application_tokens(
            tenant_id=sign_in.tenant_id,
            client_id=sign_in.client_id,
            client_secret=sign_in.client_secret,
            managed_identity=sign_in.managed_identity,
            authority_host=authority,
        )
        return self._connected(tokens, graph)

    def _connected(self, tokens: Sign, base_url: str) -> GraphConnection:
        return connect(tokens, self._throttle, new_id=self._new_id, sleep=asyncio.sleep, base_url=base_url)

    def _directory(self) -> VtenextDirectory:
        if self._known_directory is None:
            self._known_directory = VtenextDirectory(self._crm_client())
        return self._known_directory

    def _crm_client(self) -> VtenextClient:
        access = self._environment.crm
        if access is None:
            raise StopConnector(Cause.CRM_UNREACHABLE)
        if self._client is None:
            self._client = VtenextClient(
                access.url,
                access.username,
                access.access_key,
                gate=self._gate,
                fingerprint=self._keys.index("\n".join((access.url, access.username, access.access_key))),
                now=self._now,
                sessions=self._environment.crm_sessions,
            )
        return self._client

    async def _probed(self) -> Known:
        """The CRM as it was probed within the hour, with the mappings as they are saved now."""
        versions = await self._mappings.all()
        async with self._probing:
            if self._known is None or self._now() - self._known.at >= PROBE_AGAIN:
                self._known = self._learned(await self._directory().probe(), versions, self._now())
            elif self._known.versions != numbers(versions):
                self._known = self._learned(self._known.probe, versions, self._known.at)
            return self._known

    def _learned(self, probe: Probe, versions: Versions, at: datetime) -> Known:
        """Mappings and columns that this CRM can hold; what it has no field for is left out."""
        catalogs = {kind: crm_catalog(probe.modules[name], default_lengths(name)) for kind, name in MODULES.items()}
        mappings = {kind: at_work(versions[kind], catalog) for kind, catalog in catalogs.items()}
        for kind, each in mappings.items():
            if each.problems:
                log.warning("mapping of %s: left out %s", kind.value, " ".join(sorted({p.pair for p in each.problems})))
        zone = ZoneInfo(probe.zone)
        translators = {kind: each.translator for kind, each in mappings.items()}
        translators |= {Kind.EVENT: event_translator(zone), Kind.TASK: TaskTranslator()}
        columns = {kind: each.columns for kind, each in mappings.items()}
        crm = VtenextCrm(self._crm_client(), fields=columns, contact_stamp_field=mappings[Kind.CONTACT].stamp_field)
        return Known(at, probe, catalogs, mappings, numbers(versions), crm, translators, zone)


async def _look(connection: GraphConnection) -> None:
    """One cheap call, and no second one: it may be the attempt that counts."""
    answer = await connection.read("/users?$top=1&$select=id", where="check", again=frozenset())
    if isinstance(answer, Failure):
        raise of_the_tenant(answer)


def of_the_tenant(failure: Failure) -> SyncError:
    """What a failed look at the tenant's users means. It concerns the application: no mailbox was asked."""
    error = classify(failure)
    if failure.status == 403:
        return StopConnector(Cause.CONSENT_MISSING)
    return error if isinstance(error, RetryLater | StopConnector) else RetryLater(Cause.GRAPH_UNREACHABLE)
