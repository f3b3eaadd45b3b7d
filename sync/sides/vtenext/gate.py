"""The login gate: how all workers together try an access key exactly once.

The fifth refused login locks the account at the CRM, for good (API.md 1.1). So one worker logs in first while the others wait; what it learns
stands in the store under the fingerprint of address, user and key. A refused fingerprint is never tried again by anybody: only another key or
an admin's `reset` opens the gate. The CRM counts refusals until a login succeeds, however long that takes, so we count them too: after the third a
reset opens the gate once an hour only. It never sees the key itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.errors import Cause, RetryLater, StopConnector
from sync.store.base import Conflict, Data, Insert, Replace, Row, Rows

PARTITION = "login"
POLL = 0.2
FREELY = 3
"""So many refusals may follow one another as quickly as an admin resets: the first, and two that were asked for."""
PAUSE = timedelta(hours=1)
"""After so many refusals: how long after the last one a reset opens the gate again."""


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
        """An admin's 'restore state': what was refused may be tried again, once. Where that would come too near to the account's lock it
        may not: then the refusal is CRM_LOGIN_SPARED from now on."""
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
        for row in [row async for row in self._rows.query(PARTITION)]:
            if row.data["state"] != "refused":  # somebody is trying, or was let in
                continue
            refusals, at = _refusals(row)
            spared = refusals >= FREELY and at + PAUSE > self._now()
            data = {**row.data, "cause": Cause.CRM_LOGIN_SPARED.value} if spared else {**row.data, "state": "again"}
            try:
                await self._rows.transact(PARTITION, [Replace(row.key, data, row.etag)])
            except Conflict:  # an admin was quicker, or it was refused once more
                continue

    async def _claim(self, fingerprint: str, row: Row | None) -> str:
        """Begin to try, alone; '' when another worker was quicker."""
        data = {**self._data("trying", self._tries_for), **_counted(row)}
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
        """A refusal is written whatever stands there, so that it is never overlooked, and counted."""
        while True:  # whoever is quicker wrote a refusal or a success: each of them happens once
            row = await self._rows.get(PARTITION, fingerprint)
            data = self._data("refused", timedelta())
            data |= {"cause": cause.value, "refused_at": self._now().isoformat()}
            data["refusals"] = _refusals(row)[0] + 1 if row else 1
            write = Insert(fingerprint, data) if row is None else Replace(fingerprint, data, row.etag)
            try:
                await self._rows.transact(PARTITION, [write])
            except Conflict:
                continue
            return

    def let_in(self) -> Data:
        """What stands after a success; the CRM's count of refusals began anew."""
        return self._data("ok", self._trusts)

    async def give_up(self, fingerprint: str, etag: str) -> None:
        """The claimed attempt ended without a yes or no: whoever comes next may try."""
        row = await self._rows.get(PARTITION, fingerprint)
        await self.settle(fingerprint, etag, {**self._data("trying", timedelta()), **_counted(row)})

    def _data(self, state: str, lasts: timedelta) -> dict[str, str | int | bool]:
        return {"state": state, "until": (self._now() + lasts).isoformat()}


def _refusals(row: Row) -> tuple[int, datetime]:
    """How often a fingerprint was refused since it was last let in, and when last. Rows of earlier versions say neither: once, long ago."""
    at = str(row.data.get("refused_at", ""))
    refusals = int(row.data.get("refusals", row.data["state"] == "refused"))
    return refusals, datetime.fromisoformat(at or str(row.data["until"]))


def _counted(row: Row | None) -> dict[str, str | int | bool]:
    """The columns that outlive an attempt."""
    return {name: row.data[name] for name in ("refusals", "refused_at") if name in row.data} if row else {}


@dataclass(frozen=True, slots=True)
class _StoreTicket:
    """`etag` of the claim that this ticket holds; '' for a ticket under somebody else's success."""

    gate: StoreLoginGate
    fingerprint: str
    etag: str

    async def succeeded(self) -> None:
        if self.etag:
            await self.gate.settle(self.fingerprint, self.etag, self.gate.let_in())

    async def refused(self, cause: Cause) -> None:
        await self.gate.refuse(self.fingerprint, cause)

    async def unanswered(self) -> None:
        if self.etag:
            await self.gate.give_up(self.fingerprint, self.etag)
