"""The users: who is in the CRM's directory, which mailbox belongs to whom, who is connected.

A copy of the directory is kept, names and addresses encrypted, so that settings and status do not depend on the CRM answering. A user who
vanishes or becomes inactive is disconnected when two readings in a row say so; when too many vanish at once nobody is (SPEC 5.4).
Disconnecting ends the synchronisation and deletes nothing. A user may be a resource (SPEC 5.3): with a mailbox it is a room, whose mailbox
answers invitations; without one a thing, for which we answer. No HTTP; asks no server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from mapping.colours import is_colour
from sync.policy import DeleteLimits
from sync.settings import PARTITION, Model, mistake_of
from sync.sides.base import CrmUser
from sync.store.base import Conflict, Insert, Op, Put, Replace, Row, Rows
from sync.store.secrets import Sealing, Undecipherable

USERS = "users"
DIRECTORY = "directory"
PROOFS = 2
REREAD = timedelta(hours=1)
VANISHING = DeleteLimits(2, 0.05)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the CRM and the mailbox paired with it. `mailbox`: object id, '' = not paired; `address`: what an admin paired by.

    `addresses`: of the mailbox, the primary one first; () = not known, because it was paired before they were asked for. `colour`: #RRGGBB or ''.
    """

    id: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    active: bool
    absent: int = 0  # readings in a row that did not show the user as active
    mailbox: str = ""
    address: str = field(default="", repr=False)
    enabled: bool = False
    resource: bool = False
    colour: str = ""
    addresses: tuple[str, ...] = field(default=(), repr=False)

    @property
    def connected(self) -> bool:
        return self.enabled and bool(self.mailbox)

    @property
    def is_room(self) -> bool:
        return self.resource and bool(self.mailbox)

    @property
    def is_thing(self) -> bool:
        return self.resource and not self.mailbox


def _colour(text: str) -> str:
    if text and not is_colour(text):
        raise ValueError("a colour as #RRGGBB, or '' for none")
    return text.upper()


class UserChange(Model):
    """What an admin may change of a user. None = as it is; `mailbox` '' = unpair, `colour` '' = none."""

    mailbox: Annotated[str, Field(max_length=320)] | None = None
    enabled: bool | None = None
    resource: bool | None = None
    colour: Annotated[str, AfterValidator(_colour)] | None = None


def user_change(body: Mapping[str, Any]) -> UserChange:
    """Raises ConfigMistake."""
    try:
        return UserChange.model_validate(dict(body), strict=True)
    except ValidationError as error:
        raise mistake_of(error) from None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a reading of the directory changed. `braked`: so many vanished at once that nobody was disconnected."""

    known: int
    disconnected: tuple[User, ...] = ()
    braked: int = 0


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """When the directory was last read, and how many were missing if that was too many to be true."""

    read_at: str = ""
    braked: int = 0

    def stale(self, now: datetime, after: timedelta = REREAD) -> bool:
        return not self.read_at or now - datetime.fromisoformat(self.read_at) >= after


class Users:
    """The rows of all users."""

    def __init__(self, rows: Rows, keys: Sealing) -> None:
        self._rows, self._keys = rows, keys

    async def all(self) -> list[User]:
        return [self._user(row) async for row in self._rows.query(USERS)]

    async def get(self, user: str) -> User | None:
        row = await self._rows.get(USERS, user)
        return self._user(row) if row else None

    async def change(self, user: str, **changes: object) -> User:
        """Change columns of a user that is in the directory, whatever others change meanwhile."""
        for _ in range(20):
            row = await self._rows.get(USERS, user)
            if row is None:
                raise KeyError(user)
            after = replace(self._user(row), **changes)  # type: ignore[arg-type]
            try:
                await self._rows.transact(USERS, [Replace(user, self._data(after), row.etag)])
            except Conflict:
                continue
            return after
        raise Conflict(0, user)

    async def state(self) -> DirectoryState:
        row = await self._rows.get(PARTITION, DIRECTORY)
        return DirectoryState(str(row.data["read_at"]), int(row.data["braked"])) if row else DirectoryState()

    async def refresh(self, found: Sequence[CrmUser], now: datetime) -> Refreshed:
        """Take over what the CRM's directory shows now. Returns who must be disconnected; their rows say so already."""
        for _ in range(3):
            try:
                return await self._refresh(found, now)
            except Conflict:  # an admin changed a user meanwhile
                continue
        return await self._refresh(found, now)

    async def _refresh(self, found: Sequence[CrmUser], now: datetime) -> Refreshed:
        rows = {row.key: row async for row in self._rows.query(USERS)}
        known = {key: self._user(row) for key, row in rows.items()}
        active = {user.id for user in found if user.active}
        fresh_losses = [u for u in known.values() if u.active and not u.absent and u.id not in active]
        population = sum(1 for user in known.values() if user.active)
        braked = len(fresh_losses) if _too_many(len(fresh_losses), population, found) else 0
        left: list[User] = []
        if not braked:
            left = await self._take_over(found, known, rows, active)
        state: dict[str, str | int | bool] = {"read_at": now.isoformat(timespec="seconds"), "braked": braked}
        await self._rows.transact(PARTITION, [Put(DIRECTORY, state)])
        return Refreshed(len(found), tuple(left), braked)

    async def _take_over(
        self, found: Sequence[CrmUser], known: dict[str, User], rows: dict[str, Row], active: set[str]
    ) -> list[User]:
        shown = {user.id: user for user in found}
        left: list[User] = []
        ops: list[Op] = []
        for id_ in sorted(known.keys() | shown.keys()):
            before, crm = known.get(id_), shown.get(id_)
            after = before or User(id_, "", "", True)
            if crm is not None:
                after = replace(after, name=crm.name, email=crm.email)
            after = replace(after, absent=0 if id_ in active else min(after.absent + 1, PROOFS))
            after = replace(after, active=after.absent < (PROOFS if before else 1))
            if not after.active and after.enabled:
                after = replace(after, enabled=False)
                left.append(after)
            if before is None:
                ops.append(Insert(id_, self._data(after)))
            elif after != before:
                ops.append(Replace(id_, self._data(after), rows[id_].etag))
        for start in range(0, len(ops), 100):
            await self._rows.transact(USERS, ops[start : start + 100])
        return left

    def _user(self, row: Row) -> User:
        data = row.data
        opened = {name: self._open(row.key, name, str(data[name])) for name in ("name", "email", "address")}
        # rows of earlier versions have no columns for resources and a mailbox's addresses
        addresses = self._open(row.key, "addresses", str(data.get("addresses", "")))
        return User(
            row.key,
            active=bool(data["active"]),
            absent=int(data["absent"]),
            mailbox=str(data["mailbox"]),
            enabled=bool(data["enabled"]),
            resource=bool(data.get("resource", False)),
            colour=str(data.get("colour", "")),
            addresses=tuple(addresses.split("\n")) if addresses else (),
            **opened,
        )

    def _data(self, user: User) -> dict[str, str | int | bool]:
        sealed = {name: self._seal(user.id, name, getattr(user, name)) for name in ("name", "email", "address")}
        return {
            **sealed,
            "addresses": self._seal(user.id, "addresses", "\n".join(user.addresses)),
            "resource": user.resource,
            "colour": user.colour,
            "active": user.active,
            "absent": user.absent,
            "mailbox": user.mailbox,
            "enabled": user.enabled,
        }

    def _seal(self, user: str, name: str, text: str) -> str:
        return self._keys.encrypt(text, f"users|{user}|{name}") if text else ""

    def _open(self, user: str, name: str, token: str) -> str:
        """What only a removed key opens is lost: names and addresses come back with the next reading of the directory, or pairing."""
        try:
            return self._keys.decrypt(token, f"users|{user}|{name}") if token else ""
        except Undecipherable:
            return ""


def homes_of(users: Iterable[User]) -> dict[str, str]:
    """CRM id -> mailbox of every connected user."""
    return {user.id: user.mailbox for user in users if user.connected}


def _too_many(lost: int, population: int, found: Sequence[CrmUser]) -> bool:
    """An empty directory, or more than max(2, 5 %) of the users gone at once: more likely a mistake than the truth."""
    return lost > 0 and (not found or lost > VANISHING.allowed(population))
