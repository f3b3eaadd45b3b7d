"""The sign-ins of users, as this process holds them: a Graph connection per connected mailbox, and Entra for those who connect now.

Fills the port `sync.connecting.Mailboxes`. A connection that nobody asked for in a while is closed when another one is opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from control.environment import Environment
from sync.settings_store import InForce, SettingsStore, SignIn
from sync.sides.base import MailboxUser
from sync.sides.graph import GraphConnection, Held, MailboxTokens, MsalEntra, Sign, resolve_user
from sync.signing import Granted
from sync.store.tokens import TokenStore

IDLE = timedelta(minutes=15)
"""Longer than any function may last (host.json: 10 minutes): nobody uses such a connection any more."""


@dataclass(slots=True)
class _Open:
    """A mailbox's connection, under which sign-in of the application it was made, and when it was last asked for."""

    connection: GraphConnection
    entra: MsalEntra
    asked_at: datetime


class SignIns:
    """One per process."""

    def __init__(
        self,
        environment: Environment,
        tokens: TokenStore,
        settings: SettingsStore,
        connected: Callable[[Sign, str], GraphConnection],
        now: Callable[[], datetime],
    ) -> None:
        self._environment, self.tokens, self._settings = environment, tokens, settings
        self._connected, self._now = connected, now
        self._entra: tuple[tuple[SignIn, str], MsalEntra] | None = None
        self._open: dict[str, _Open] = {}
        self._retired: list[tuple[datetime, GraphConnection | MsalEntra]] = []
        self._lock = asyncio.Lock()

    async def connection(self, mailbox: str, saved: InForce) -> GraphConnection:
        """Signs in as the mailbox's user, for the application that `saved` names. Nothing is asked of anybody yet."""
        async with self._lock:
            entra, now = self._entra_of(saved), self._now()
            await self._tidy(now)
            found = self._open.get(mailbox)
            if found is not None and found.entra is not entra:
                self._retired.append((now, found.connection))
                found = None
            if found is None:
                sign = MailboxTokens(mailbox, self.tokens, entra, self._now)
                found = self._open[mailbox] = _Open(self._connected(sign, self._graph_of(saved)), entra, now)
            found.asked_at = now
            return found.connection

    async def entra(self) -> MsalEntra:
        """For the application that the settings name now."""
        async with self._lock:
            return self._entra_of(await self._settings.in_force())

    async def attempt(self, sign_in: SignIn, server: str) -> None:
        """Would this application be let in?"""
        entra = self._made(sign_in, server)
        try:
            await entra.check()
        finally:
            await entra.close()

    async def look(self, granted: Granted) -> MailboxUser:
        """Who signed in, read with the token that was given for it. Raises what sync.errors names."""
        connection = self._connected(Held(granted, self._now()), self._graph_of(await self._settings.in_force()))
        try:
            return await resolve_user(connection, granted.oid)
        finally:
            await connection.close()

    async def aclose(self) -> None:
        """Close everything."""
        async with self._lock:
            open_ = [each.connection for each in self._open.values()]
            for each in [*open_, *(kept for _, kept in self._retired), *([self._entra[1]] if self._entra else [])]:
                await each.close()
            self._open, self._retired, self._entra = {}, [], None

    def _entra_of(self, saved: InForce) -> MsalEntra:
        application = (saved.sign_in, saved.settings.server_name)
        if self._entra is None or self._entra[0] != application:
            if self._entra is not None:
                self._retired.append((self._now(), self._entra[1]))
            self._entra = (application, self._made(*application))
        return self._entra[1]

    def _graph_of(self, saved: InForce) -> str:
        return self._environment.cloud(saved.settings.server_name)[0]

    def _made(self, sign_in: SignIn, server: str) -> MsalEntra:
        graph, authority = self._environment.cloud(server)
        return MsalEntra(
            tenant_id=sign_in.tenant_id,
            client_id=sign_in.client_id,
            client_secret=sign_in.client_secret,
            managed_identity=sign_in.managed_identity,
            authority_host=authority,
            graph_host=urlsplit(graph).hostname or "",
        )

    async def _tidy(self, now: datetime) -> None:
        """Close what is idle."""
        idle = [mailbox for mailbox, each in self._open.items() if now - each.asked_at >= IDLE]
        closing: list[GraphConnection | MsalEntra] = [self._open.pop(mailbox).connection for mailbox in idle]
        closing += [each for since, each in self._retired if now - since >= IDLE]
        self._retired = [kept for kept in self._retired if now - kept[0] < IDLE]
        for each in closing:
            await each.close()
