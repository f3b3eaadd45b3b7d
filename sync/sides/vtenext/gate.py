"""The login gate: how all workers together try an access key exactly once.

The fifth refused login locks the account at the CRM, for good (API.md 1.1). So one worker logs in first while the others wait; what it learns
stands in the store under the fingerprint of address, user and key. A refused fingerprint is never tried again by anybody: only another key or
an admin's `reset` opens the gate. It never sees the key itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.errors import Cause, RetryLater, StopConnector
from sync.store.base import Conflict, Data, Drop, Insert, Put, Replace, Row, Rows

PARTITION = "login"
POLL = 0.2


class Ticket(Protocol):
    """The permission to try one login. Exactly one of its methods is called when the attempt is over."""

    async def succeeded(self) -> None:
        """The CRM let us in."""
        ...

    async def refused(self, cause: Cause) -> None:
        """The CRM said no: nobody tries this fingerprint again."""
        ...

    async def unanswered(self) -> None:
        """Neither yes nor no: the next one may try."""
        ...


class LoginGate(Protocol):
    """What a client asks before every login."""

    async def enter(self, fingerprint: str) -> Ticket:
        """Wait for the permission to log in. Raises StopConnector (refused before) or RetryLater (somebody is still trying)."""
        ...

    async def reset(self) -> None:
        """An admin's 'restore state': forget every verdict."""
        ...


class StoreLoginGate:
    """The gate as one row per fingerprint, guarded by its ETag.

    `trying` whose worker died ends after `tries_for`. `ok` lets everybody in for `trusts`; later the next one goes alone again, because the
    key may have been changed at the CRM meanwhile.
    """

    def __init__(
        self,
        rows: Rows,
        now: Callable[[], datetime],
        *,
        tries_for: float = 60.0,
        trusts: float = 60.0,
        patience: float = 20.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rows, self._now, self._sleep = rows, now, sleep
        self._tries_for, self._trusts = timedelta(seconds=tries_for), timedelta(seconds=trusts)
        self._polls = int(patience / POLL)

    async def enter(self, fingerprint: str) -> Ticket:
        for _ in range(self._polls):
            row = await self._rows.get(PARTITION, fingerprint)
            state = "" if row is None else str(row.data["state"])
            if row is not None and state == "refused":
                raise StopConnector(Cause(str(row.data["cause"])))
            if row is None or datetime.fromisoformat(str(row.data["until"])) <= self._now():
                etag = await self._claim(fingerprint, row)
                if etag:
                    return _StoreTicket(self, fingerprint, etag)
            elif state == "ok":
                return _StoreTicket(self, fingerprint, "")
            else:
                await self._sleep(POLL)
        raise RetryLater(Cause.CRM_UNREACHABLE, self._tries_for.total_seconds(), counts=False)

    async def reset(self) -> None:
        rows = [row async for row in self._rows.query(PARTITION)]
        for row in rows:
            await self._rows.transact(PARTITION, [Drop(row.key)])

    async def _claim(self, fingerprint: str, row: Row | None) -> str:
        """Begin to try, alone; '' when another worker was quicker."""
        data = self._data("trying", self._tries_for)
        claim = Insert(fingerprint, data) if row is None else Replace(fingerprint, data, row.etag)
        try:
            return (await self._rows.transact(PARTITION, [claim]))[0]
        except Conflict:
            return ""

    async def settle(self, fingerprint: str, etag: str, data: Data) -> None:
        """Write down how the claimed attempt ended. An attempt that took too long and was taken over says no more."""
        try:
            await self._rows.transact(PARTITION, [Replace(fingerprint, data, etag)])
        except Conflict:
            return

    async def refuse(self, fingerprint: str, cause: Cause) -> None:
        """A refusal is written whatever stands there, so that it is never overlooked."""
        data = {**self._data("refused", timedelta()), "cause": cause.value}
        await self._rows.transact(PARTITION, [Put(fingerprint, data)])

    def verdict(self, state: str) -> Data:
        return self._data(state, self._trusts if state == "ok" else timedelta())

    def _data(self, state: str, lasts: timedelta) -> dict[str, str]:
        return {"state": state, "until": (self._now() + lasts).isoformat()}


@dataclass(frozen=True, slots=True)
class _StoreTicket:
    """`etag` of the claim that this ticket holds; '' for a ticket under somebody else's success."""

    gate: StoreLoginGate
    fingerprint: str
    etag: str

    async def succeeded(self) -> None:
        if self.etag:
            await self.gate.settle(self.fingerprint, self.etag, self.gate.verdict("ok"))

    async def refused(self, cause: Cause) -> None:
        await self.gate.refuse(self.fingerprint, cause)

    async def unanswered(self) -> None:
        if self.etag:
            await self.gate.settle(self.fingerprint, self.etag, self.gate.verdict("trying"))
