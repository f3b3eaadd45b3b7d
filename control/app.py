"""The composition root: puts store, keys, servers and commands together, once per process (function_app builds it when first called)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from control.connections import Connections
from control.environment import Environment
from control.measuring import Heard, measure, tell_run
from control.queue import FILLS, RUNS, RunMessage, RunQueue, mailbox_of_message
from control.telemetry import SPAN_RUN, SPAN_SWEEP, SWEEPS, Silence, Telemetry, start
from sync import poison
from sync.connecting import Connecting
from sync.connector import AT_ONCE, Connector
from sync.groups import Groups
from sync.hinting import Hinting
from sync.model import Family
from sync.nudges import nudge
from sync.run import Limits
from sync.settings_effects import carry_out
from sync.settings_store import Defaults, Safe, SettingsStore
from sync.store.audit import Audit
from sync.store.base import Conflict, StoreUnreachable
from sync.store.board import BoardStore
from sync.store.registry import Registry
from sync.store.secrets import KeyVaultSecrets
from sync.store.states import States
from sync.store.strangers import StrangerCount
from sync.store.tables import TableRows
from sync.tick import Ticked, run_one, tick, tick_asked
from sync.users import Users
from sync.worker import Worker

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

log = logging.getLogger("connector")
QUICK = timedelta(minutes=1)
"""How long a slice may be in the way of others that take seconds."""


@dataclass(frozen=True, slots=True)
class App:
    """What the functions call."""

    environment: Environment
    connector: Connector
    worker: Worker
    previewing: Worker  # the same, to which the connector is active
    connecting: Connecting
    strangers: StrangerCount
    hinting: Hinting
    telemetry: Telemetry = field(default_factory=Silence)
    queues: Sequence[RunQueue] = ()

    async def swept(self, why: str, parent: str = "") -> None:
        """The timer's work; what a crash left of a change of the settings comes first. `parent`: the host's trace."""
        await self._take_given_up()
        with self.telemetry.span(SPAN_SWEEP, parent, why=why):
            await carry_out(self.connector)
            ticked = await tick(self.connector, why)
            self._told(ticked)
        log.info("sweep (%s): %s, %d mailboxes marked, %d queued", why, ticked.state, ticked.marked, ticked.queued)
        await measure(self.telemetry, self.connector, self.environment.schedule)

    async def told(self, hints: Mapping[str, Collection[Family]], rewatch: Collection[str], strangers: int) -> None:
        """What Microsoft 365 tells, by mailbox: marks and messages only. `strangers`: notifications that are none of ours."""
        names = list(hints)
        for first in range(0, len(names), AT_ONCE):
            part = names[first : first + AT_ONCE]
            await asyncio.gather(*(self.hinting.hint(each, hints[each], rewatch=each in rewatch) for each in part))
        if strangers:
            await self.strangers.add(strangers, self.connector.now())

    async def nudged(self) -> None:
        """The CRM says that something changed."""
        await nudge(self.connector)

    async def _take_given_up(self) -> None:
        """Note the messages that failed too often: once a sweep, for they are few, and a function of their own would ask all day long."""
        try:
            for queue in self.queues:
                async for text, at in queue.given_up():
                    await self.gave_up(text, at)
        except StoreUnreachable as error:  # the sweep is worth more; they stay where they are
            log.warning("messages that were given up: not taken, %s", error)

    async def gave_up(self, text: str, at: datetime) -> None:
        """A message that failed too often."""
        mailbox = mailbox_of_message(text)
        await poison.note(self.connector.registry.rows, mailbox, at)
        if mailbox:
            await self.connector.registry.spent(mailbox)

    async def failed(self, text: str, error: str, id_: str) -> None:
        """A message's work failed in a way that nobody expected."""
        with suppress(StoreUnreachable, Conflict):  # that may be what failed
            await poison.failed(self.connector.registry.rows, mailbox_of_message(text), error, id_)

    async def ran(self, message: RunMessage, parent: str = "") -> None:
        """The work of a message of the queue for what takes seconds. What takes longer nevertheless goes on in the other one."""
        limits = self.worker.limits
        quick = replace(limits, slice=min(limits.slice, QUICK))
        await self._ran(message, parent, replace(self.worker, limits=quick))

    async def filled(self, message: RunMessage, parent: str = "") -> None:
        """The work of a message of the queue for what takes minutes."""
        await self._ran(message, parent, self.worker)

    async def _ran(self, message: RunMessage, parent: str, worker: Worker) -> None:
        """Verbose: the decisions, as counts by reason."""
        if not message.mailbox:
            await self._take_given_up()
            with self.telemetry.span(SPAN_SWEEP, parent, why=message.why):
                ticked = await tick_asked(self.connector, message.why)
                self._told(ticked)
            log.info("sweep (%s): %s, %d queued", message.why, ticked.state, ticked.queued)
            return
        with self.telemetry.span(SPAN_RUN, parent, mailbox=message.mailbox, why=message.why):
            heard = Heard()
            outcome = await run_one(self.connector, replace(worker, heard=heard.hear), message.mailbox, message.why)
            tell_run(self.telemetry, heard, outcome)
        if outcome is None:
            log.info("run %s (%s): nothing done", message.mailbox, message.why)
            return
        log.info("run %s (%s): %s", message.mailbox, message.why, "goes on" if outcome.unfinished else "ended")
        if (await self.connector.settings.read()).verbose_log:
            for reason, number in sorted(outcome.counts.items()):
                log.info("run %s: %s %d", message.mailbox, reason, number)

    def _told(self, ticked: Ticked) -> None:
        self.telemetry.note(state=ticked.state, marked=ticked.marked, queued=ticked.queued)
        self.telemetry.count(SWEEPS, state=ticked.state)


def build(environment: Environment, now: Callable[[], datetime], new_id: Callable[[], str]) -> App:
    """The app on Azure's storage. Asks no server anything yet."""
    keys = environment.keyring()
    credential = _identity(environment) if environment.account or environment.key_vault_url else None
    if environment.storage:
        rows = TableRows.connect(environment.storage)
    else:
        rows = TableRows.connect(f"https://{environment.account}.table.core.windows.net", credential)
    storage = environment.storage, environment.account, credential
    queue, fills = RunQueue.connect(RUNS, *storage), RunQueue.connect(FILLS, *storage)
    vault = None
    if environment.key_vault_url and credential is not None:
        vault = KeyVaultSecrets.connect(environment.key_vault_url, credential)
    defaults = Defaults(
        environment.tenant_id, environment.client_id, environment.client_secret, environment.managed_identity
    )
    settings = SettingsStore(rows, keys, defaults, Safe(vault, new_id) if vault else None)
    users, groups = Users(rows, keys), Groups(rows, keys)
    registry, board = Registry(rows), BoardStore(rows)
    outside = Connections(environment, rows, keys, settings, users, groups, now, new_id)
    limits = Limits(slice=environment.run_limit, crm_time_limit=environment.crm_time_limit)
    connector = Connector(
        registry,
        board,
        settings,
        users,
        groups,
        outside,
        queue,
        fills,
        Audit(rows),
        environment.crm_missing,
        now,
        new_id,
    )
    signing = outside.sign_ins
    worker = Worker(registry, board, keys, outside, outside.setup, now, new_id, limits)
    return App(
        environment,
        connector,
        worker,
        replace(worker, setup=outside.setup_if_active),
        Connecting(connector, signing.tokens, States(rows, keys), signing, environment.public_url),
        StrangerCount(rows),
        Hinting(connector),
        start(environment.insights, environment.insights_identity),
        (queue, fills),
    )


def _identity(environment: Environment) -> AsyncTokenCredential:
    """The app's identity on Azure; elsewhere the developer's own sign-in."""
    from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

    if environment.on_azure:
        return ManagedIdentityCredential(client_id=environment.identity or None)
    return DefaultAzureCredential()
