"""The `state` of sign-ins under way: signed, kept in a row, good once, for ten minutes, for one person in one browser.

What comes back from Entra is foreign input: only a state that we signed, that still has its row, and that comes from whom it was given to, leads on.
Every refusal has its own word and changes nothing.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sync.store.base import Conflict, Data, Drop, Insert, Replace, Row, Rows
from sync.store.secrets import Undecipherable

PARTITION = "oauth"
LIFE = timedelta(minutes=10)
KEPT = timedelta(hours=24)
"""So long a used or expired state is remembered, to be told from one that never was."""


class Keys(Protocol):
    """What is needed of the keyring."""

    def index(self, text: str) -> str: ...

    def encrypt(self, text: str, aad: str) -> str: ...

    def decrypt(self, token: str, aad: str) -> str: ...


class StateRefused(Exception):
    """This state leads nowhere. `code`: state_missing | state_tampered | state_unknown | state_used | state_expired |
    state_of_another | no_session."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-in that somebody began. `tenant` and `oid`: who; `user`: the CRM user to connect; `secret`: what redeeming needs."""

    purpose: str
    tenant: str
    oid: str
    user: str = ""
    secret: str = field(default="", repr=False)


class States:
    """Typed access to the rows."""

    def __init__(self, rows: Rows, keys: Keys) -> None:
        self._rows, self._keys = rows, keys

    def sign(self, id_: str) -> str:
        """The text that travels through Entra."""
        return f"{id_}.{self._keys.index(f'oauth|state|{id_}')}"

    def browser(self, id_: str) -> str:
        """What the browser that began it must bring back, in a cookie: nobody can tell it from the state."""
        return self._keys.index(f"oauth|browser|{id_}")

    async def keep(self, id_: str, asked: Asked, now: datetime) -> None:
        """Remember a sign-in that begins; forget the old ones."""
        await self._tidy(now)
        data: Data = {
            "purpose": asked.purpose,
            "tenant": asked.tenant,
            "oid": asked.oid,
            "user": asked.user,
            "until": (now + LIFE).isoformat(),
            "secret": self._keys.encrypt(asked.secret, _place(id_)) if asked.secret else "",
            "used": False,
        }
        await self._rows.transact(PARTITION, [Insert(id_, data)])

    async def take(
        self, state: str, purpose: str, person: tuple[str, str] | None, browser: str, now: datetime
    ) -> Asked:
        """What was begun with this state; it is used up. `person`: tenant and object id of who is signed in here, None = not known here.

        Raises StateRefused.
        """
        id_ = self._id(state)
        row = await self._rows.get(PARTITION, id_)
        if row is None:
            raise StateRefused("state_unknown")
        self._check(row, purpose, person, browser, now)
        used: Data = {**row.data, "used": True, "secret": ""}
        try:
            await self._rows.transact(PARTITION, [Replace(id_, used, row.etag)])
        except Conflict:
            raise StateRefused("state_used") from None
        data = {name: str(value) for name, value in row.data.items()}
        return Asked(data["purpose"], data["tenant"], data["oid"], data["user"], self._opened(id_, data["secret"]))

    def _id(self, state: str) -> str:
        if not state:
            raise StateRefused("state_missing")
        id_, _, _ = state.partition(".")
        signed = self.sign(id_).encode(errors="surrogatepass")
        if not id_ or not hmac.compare_digest(signed, state.encode(errors="surrogatepass")):
            raise StateRefused("state_tampered")
        return id_

    def _check(self, row: Row, purpose: str, person: tuple[str, str] | None, browser: str, now: datetime) -> None:
        if row.data["used"]:
            raise StateRefused("state_used")
        if str(row.data["until"]) <= now.isoformat():
            raise StateRefused("state_expired")
        if row.data["purpose"] != purpose:
            raise StateRefused("state_unknown")
        if not browser:
            raise StateRefused("no_session")
        if not hmac.compare_digest(self.browser(row.key).encode(), browser.encode(errors="surrogatepass")):
            raise StateRefused("state_of_another")
        if person is not None and person != (str(row.data["tenant"]), str(row.data["oid"])):
            raise StateRefused("state_of_another")

    def _opened(self, id_: str, token: str) -> str:
        try:
            return self._keys.decrypt(token, _place(id_)) if token else ""
        except Undecipherable:
            raise StateRefused("state_unknown") from None

    async def _tidy(self, now: datetime) -> None:
        limit = (now - KEPT).isoformat()
        old = [row.key async for row in self._rows.query(PARTITION) if str(row.data["until"]) < limit]
        for start in range(0, len(old), 100):
            await self._rows.transact(PARTITION, [Drop(key) for key in old[start : start + 100]])


def _place(id_: str) -> str:
    return f"oauth|{id_}|secret"
