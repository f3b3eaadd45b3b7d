"""The sign-in of one mailbox whose user connected it: access tokens in memory, renewed from the stored refresh token.

A refusal is noted in the store before it is raised, so that nobody asks Entra again until the user has signed in: `invalid_grant` means Reconnect
at once. Never logs a token.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sync.errors import Cause, ReconnectNeeded, RetryLater, StopMailbox, SyncError
from sync.sides.graph.one_by_one import OneByOne
from sync.signing import Entra, Granted
from sync.store.tokens import Token, TokenStore

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

MARGIN = timedelta(minutes=5)
"""So long before its end an access token is renewed."""
PATIENCE = 10.0
"""Seconds after which it is tried again when another worker renews the same mailbox's sign-in."""


class MailboxTokens:
    """Fulfils `client.Sign` for one mailbox."""

    def __init__(self, mailbox: str, store: TokenStore, entra: Entra, now: Callable[[], datetime]) -> None:
        self._mailbox, self._store, self._entra, self._now = mailbox, store, entra, now
        self._held: AccessToken | None = None
        self._one_by_one = OneByOne()
        self.generation = 0

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A valid token. Raises ReconnectNeeded, StopMailbox, StopConnector or RetryLater."""
        async with self._one_by_one.asking():
            if self._held is None or self._held.expires_on <= (self._now() + MARGIN).timestamp():
                self._held = None
                self._held = _access(await self._renewed(), self._now())
            return self._held

    async def renew(self, generation: int) -> None:
        """Forget the token of that generation: Graph refused it though it is not past its time."""
        async with self._one_by_one.between():
            if generation == self.generation:
                self.generation += 1
                self._held = None

    async def close(self) -> None:
        self._held = None

    async def _renewed(self) -> Granted:
        """Spend the stored refresh token and store its successor, then only hand the access token out."""
        while True:
            mine = await self._claimed()
            try:
                granted = await self._entra.refresh(self._mailbox, mine.refresh_token, mine.scopes)
            except ReconnectNeeded:
                if await self._store.ended(mine):
                    raise
                continue  # the user signed in, or another worker stored a successor, meanwhile
            except SyncError:
                await self._store.release(mine)
                raise
            await self._store.renewed(mine, granted.refresh_token or mine.refresh_token, self._now())
            return granted

    async def _claimed(self) -> Token:
        token = await self._store.read(self._mailbox)
        if token is None:
            raise StopMailbox(Cause.NOT_CONNECTED)
        if not token.usable:
            raise ReconnectNeeded(self._mailbox)
        mine = await self._store.claim(token, self._now())
        if mine is None:
            raise RetryLater(Cause.ENTRA_UNREACHABLE, PATIENCE, counts=False)
        return mine


class Held:
    """Fulfils `client.Sign` with one access token that was given just now: for a look at who signed in."""

    def __init__(self, granted: Granted, now: datetime) -> None:
        self._token = _access(granted, now)
        self.generation = 0

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return self._token

    async def renew(self, generation: int) -> None:
        """There is no other."""

    async def close(self) -> None:
        """Nothing is open."""


def _access(granted: Granted, now: datetime) -> AccessToken:
    from azure.core.credentials import AccessToken

    return AccessToken(granted.access_token, int(now.timestamp()) + granted.expires_in)
