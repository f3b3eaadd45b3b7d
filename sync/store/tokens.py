"""The refresh tokens of mailboxes whose users signed in themselves: encrypted, one row each, in partition `tokens`. Access tokens are never kept.

A refresh token is spent by one worker at a time: whoever renews claims the row first, by ETag, and stores the successor before anything is done with
the access token. Every renewal seals with the newest key, so keys rotate by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from sync.store.base import Conflict, Data, Drop, Put, Replace, Row, Rows
from sync.store.secrets import Undecipherable

PARTITION = "tokens"
OK, RECONNECT = "ok", "reconnect"
CLAIM = timedelta(seconds=90)
"""Longer than a request to Entra may last; afterwards its worker is taken for dead."""
_TRIES = 20


class Sealing(Protocol):
    """What is needed of the keyring."""

    def encrypt(self, text: str, aad: str) -> str: ...

    def decrypt(self, token: str, aad: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Token:
    """The sign-in of one mailbox. Times are ISO UTC. `mailbox`: its object id."""

    mailbox: str
    tenant: str
    scopes: tuple[str, ...]
    since: str  # when the user signed in
    renewed: str
    refresh_token: str = field(repr=False)  # '' = only a removed key opens it
    state: str = OK  # ok | reconnect: it ended, the user must sign in again
    spending: str = ""  # somebody renews it now, until then
    etag: str = ""

    @property
    def usable(self) -> bool:
        return self.state == OK and bool(self.refresh_token)


class TokenStore:
    """Typed access to the rows."""

    def __init__(self, rows: Rows, keys: Sealing) -> None:
        self._rows, self._keys = rows, keys

    async def read(self, mailbox: str) -> Token | None:
        row = await self._rows.get(PARTITION, mailbox)
        return self._token(row) if row else None

    async def save(self, mailbox: str, tenant: str, scopes: tuple[str, ...], refresh_token: str, now: datetime) -> None:
        """A person signed in: what was there before is replaced, also while somebody renews it."""
        at = now.isoformat()
        token = Token(mailbox, tenant, scopes, at, at, refresh_token)
        await self._rows.transact(PARTITION, [Put(mailbox, self._data(token))])

    async def claim(self, token: Token, now: datetime) -> Token | None:
        """The right to spend this token, for a while. None: somebody else has it, or the row moved."""
        if token.spending > now.isoformat():
            return None
        return await self._moved(token, replace(token, spending=(now + CLAIM).isoformat()))

    async def renewed(self, token: Token, refresh_token: str, now: datetime) -> None:
        """The successor of a token that was spent. A sign-in of meanwhile wins over it; another worker's claim does not."""
        for _ in range(_TRIES):
            present = await self.read(token.mailbox)
            if present is None or present.since != token.since:
                return
            after = replace(present, refresh_token=refresh_token, renewed=now.isoformat(), state=OK, spending="")
            if await self._moved(present, after) is not None:
                return
        raise Conflict(0, token.mailbox)

    async def release(self, token: Token) -> None:
        """It was not spent after all. Somebody else's row stays as it is."""
        await self._moved(token, replace(token, spending=""))

    async def ended(self, token: Token) -> bool:
        """It is valid no more. False when the row moved meanwhile: then look again."""
        return await self._moved(token, replace(token, state=RECONNECT, spending="")) is not None

    async def drop(self, mailbox: str) -> None:
        """Forget the sign-in."""
        await self._rows.transact(PARTITION, [Drop(mailbox)])

    async def _moved(self, before: Token, after: Token) -> Token | None:
        try:
            (etag,) = await self._rows.transact(PARTITION, [Replace(before.mailbox, self._data(after), before.etag)])
        except Conflict:
            return None
        return replace(after, etag=etag)

    def _data(self, token: Token) -> Data:
        sealed = self._keys.encrypt(token.refresh_token, _place(token.mailbox)) if token.refresh_token else ""
        return {
            "tenant": token.tenant,
            "scopes": " ".join(token.scopes),
            "since": token.since,
            "renewed": token.renewed,
            "token": sealed,
            "state": token.state,
            "spending": token.spending,
        }

    def _token(self, row: Row) -> Token:
        data = {name: str(value) for name, value in row.data.items()}
        try:
            opened = self._keys.decrypt(data["token"], _place(row.key)) if data["token"] else ""
        except Undecipherable:
            opened = ""
        return Token(
            row.key,
            data["tenant"],
            tuple(data["scopes"].split()),
            data["since"],
            data["renewed"],
            opened,
            data["state"],
            data["spending"],
            row.etag,
        )


async def signed_in(rows: Rows, mailbox: str) -> bool:
    """Did the mailbox's user sign in, whether that still holds or not?"""
    return await rows.get(PARTITION, mailbox) is not None


def _place(mailbox: str) -> str:
    return f"tokens|{mailbox}|refresh"
