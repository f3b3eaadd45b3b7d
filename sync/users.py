"""The users: who is in the CRM's directory, which mailbox belongs to whom, who is connected.

A copy of the directory is kept, names and addresses encrypted, so that settings and status do not depend on the CRM answering. A user who
vanishes or becomes inactive is disconnected when two readings in a row, well apart, say so; when too many vanish at once an admin is asked (SPEC 5.4,
`sync.vanishing`). Disconnecting ends the synchronisation and deletes nothing; what a user who left leaves behind: `sync.clearing`.
A mailbox is connected with one user at most: who connects replaces, in the same transaction, the mailbox's claim beside the users' rows, so that
of two at once one is refused (`Taken`). What counts is the users' own rows; a claim that was left behind keeps nobody out.
A user may be a resource (SPEC 5.3): with a mailbox it is a room, whose mailbox answers invitations; without one a thing, for which we
answer. No HTTP; asks no server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from mapping.colours import is_colour
from sync.policy import DeleteLimits, Preferences, PrivateEvents
from sync.settings import PARTITION, Model, contact_folder, mistake_of, start_day, wrong
from sync.sides.base import CrmUser
from sync.store.base import Conflict, Drop, Insert, Op, Put, Replace, Row, Rows, following
from sync.store.secrets import Sealing, Undecipherable

USERS = "users"
PAIRED = "paired|"
CHANGED = "~"
"""A row that every change of a user writes: while its ETag stays, what a process read of all users is as it was."""
"""Begins the keys of claims, above those of users, which begin with a digit."""
DIRECTORY = "directory"
PROOFS = 2
REREAD = timedelta(hours=1)
APART = timedelta(minutes=30)
"""Between two readings that prove an absence. Below REREAD, so that every hourly reading counts; far above how long a half-read or half-restored
directory lasts, and above whatever asks for readings in a row."""
VANISHING = DeleteLimits(2, 0.05)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class User:
    """A user of the CRM and the mailbox paired with it. `mailbox`: object id, '' = not paired; `address`: what an admin paired by.

    `addresses`: of the mailbox, the primary one first; () = not known, because it was paired before they were asked for. `colour`: #RRGGBB or ''.
    Preferences (SPEC 5.2), '' = as the settings say: `sync_start` (ISO date), `folder` (a name), `private_events`.
    """

    id: str
    name: str = field(repr=False)
    email: str = field(repr=False)
    active: bool
    absent: int = 0  # readings in a row, each well after the one before, that did not show the user as active
    absent_at: str = ""  # the last of them
    mailbox: str = ""
    address: str = field(default="", repr=False)
    enabled: bool = False
    barred: bool = False  # an admin disabled the user: nobody connects by pressing Connect until an admin enables
    resource: bool = False
    colour: str = ""
    addresses: tuple[str, ...] = field(default=(), repr=False)
    sync_start: str = ""
    folder: str = field(default="", repr=False)
    private_events: str = ""

    @property
    def connected(self) -> bool:
        return self.enabled and bool(self.mailbox)

    @property
    def is_room(self) -> bool:
        return self.resource and bool(self.mailbox)

    @property
    def is_thing(self) -> bool:
        return self.resource and not self.mailbox

    @property
    def preferences(self) -> Preferences:
        """Those that a run of the mailbox needs."""
        since = date.fromisoformat(self.sync_start) if self.sync_start else None
        return Preferences(since, PrivateEvents(self.private_events) if self.private_events else None)


def _colour(text: str) -> str:
    if text and not is_colour(text):
        raise wrong("colour")
    return text.upper()


def _start(text: str) -> str:
    if text and not _DAY.fullmatch(text):
        raise wrong("day_or_none")
    try:
        return start_day(date.fromisoformat(text)).isoformat() if text else ""
    except ValueError:
        raise wrong("day_that_exists") from None


def _own_folder(text: str) -> str:
    return contact_folder(text) if text else ""


class UserChange(Model):
    """What an admin may change of a user. None = as it is; `mailbox` '' = unpair, `colour` '' = none.

    `sync_start`, `folder` and `private_events`: '' = as the settings say.
    """

    mailbox: Annotated[str, Field(max_length=320)] | None = None
    enabled: bool | None = None
    resource: bool | None = None
    colour: Annotated[str, AfterValidator(_colour)] | None = None
    sync_start: Annotated[str, AfterValidator(_start)] | None = None
    folder: Annotated[str, Field(max_length=200), AfterValidator(_own_folder)] | None = None
    private_events: Literal["", "busy", "full", "none"] | None = None


def preferred(before: User, change: UserChange, enabled: bool, default: date, has_folder: bool) -> tuple[User, str]:
    """The user with the preferences asked for, and the code of a refusal ('' = none). `enabled`: will the user be?

    The start is frozen when the user is enabled: what the setting (`default`) says then counts from there on. A mailbox that has a folder
    keeps it (`has_folder`), because the linked cards lie there; a removal ends that.
    """
    sync_start = before.sync_start if change.sync_start is None else change.sync_start
    if enabled and not before.enabled:
        sync_start = sync_start or default.isoformat()
    folder = before.folder if change.folder is None else change.folder
    private = before.private_events if change.private_events is None else change.private_events
    refused = ""
    if sync_start != before.sync_start and before.enabled and enabled:
        refused = "start_frozen"
    elif folder != before.folder and has_folder:
        refused = "folder_frozen"
    return replace(before, sync_start=sync_start, folder=folder, private_events=private), refused


def user_change(body: Mapping[str, Any]) -> UserChange:
    """Raises ConfigMistake."""
    try:
        return UserChange.model_validate(dict(body), strict=True)
    except ValidationError as error:
        raise mistake_of(error) from None


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a reading of the directory changed. `vanished`: ids of users, so many at once that none of them was disconnected."""

    known: int
    disconnected: tuple[User, ...] = ()
    vanished: tuple[str, ...] = ()

    @property
    def braked(self) -> int:
        return len(self.vanished)


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """When the directory was last read, and how many were missing if that was too many to be true."""

    read_at: str = ""
    braked: int = 0

    def stale(self, now: datetime, after: timedelta = REREAD) -> bool:
        return not self.read_at or now - datetime.fromisoformat(self.read_at) >= after


class Taken(Exception):
    """The mailbox is connected with another user. `user`: CRM id of that one."""

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.user = user


class Users:
    """The rows of all users."""

    def __init__(self, rows: Rows, keys: Sealing) -> None:
        self._rows, self._keys = rows, keys
        self._read: tuple[str, tuple[User, ...]] | None = None

    async def all(self) -> Sequence[User]:
        """By id; the very same while none of them changed. Read and decrypted anew only then: a run of one mailbox needs all of them."""
        row = await self._rows.get(USERS, CHANGED)  # before the rows: what changes while they are read is read again
        if row is None or self._read is None or self._read[0] != row.etag:
            users = tuple([self._user(each) async for each in self._rows.query(USERS, last=PAIRED)])
            self._read = (row.etag, users) if row else None
            return users
        return self._read[1]

    async def page(self, after: str, limit: int) -> list[User]:
        """By id, those behind `after`; no more are read, and decrypted, than asked for."""
        return [self._user(row) async for row in self._rows.query(USERS, following(after), PAIRED, limit)]

    async def matching(self, search: str, after: str, limit: int) -> list[User]:
        """Those whose name or address contains this text, by id. Slow: what is encrypted cannot be searched, so all behind `after` are read."""
        wanted = search.casefold()
        found: list[User] = []
        async for row in self._rows.query(USERS, following(after), PAIRED):
            user = self._user(row)
            if any(wanted in text.casefold() for text in (user.name, user.email, user.address, *user.addresses)):
                found.append(user)
            if len(found) == limit:
                break
        return found

    async def get(self, user: str) -> User | None:
        row = await self._rows.get(USERS, user)
        return self._user(row) if row else None

    async def change(self, user: str, **changes: object) -> User:
        """Change columns of a user that is in the directory, whatever others change meanwhile. Raises Taken."""
        return (await self.revise(user, lambda before: replace(before, **changes)))[1]  # type: ignore[arg-type]

    async def revise(self, user: str, decide: Callable[[User], User]) -> tuple[User, User]:
        """Replace a user that is in the directory by what `decide` makes of the present one; both. It may refuse by raising. Raises Taken."""
        for _ in range(20):
            row = await self._rows.get(USERS, user)
            if row is None:
                raise KeyError(user)
            before = self._user(row)
            after = decide(before)
            ops = [Replace(user, self._data(after), row.etag), *await self._claims(before, after), Put(CHANGED, {})]
            try:
                await self._rows.transact(USERS, ops)
            except Conflict:
                continue
            return before, after
        raise Conflict(0, user)

    async def claimed(self, mailbox: str) -> str:
        """The user who connected with this mailbox last, '' when that one disconnected since."""
        row = await self._rows.get(USERS, PAIRED + mailbox.lower())
        return str(row.data["user"]) if row else ""

    async def _claims(self, before: User, after: User) -> list[Op]:
        """What becomes of the claims of the mailboxes that the user is connected with, before and after. Raises Taken."""
        left, taken = _claim(before), _claim(after)
        if left == taken:
            return []
        ops: list[Op] = []
        if left and (row := await self._rows.get(USERS, left)) and row.data["user"] == before.id:
            ops.append(Drop(left, row.etag))
        if taken:
            row = await self._rows.get(USERS, taken)  # before the look at everybody: who connects later moves it
            for other in await self.all():
                if other.id != after.id and _claim(other) == taken:
                    raise Taken(other.id)
            data = {"user": after.id}
            ops.append(Replace(taken, data, row.etag) if row else Insert(taken, data))
        return ops

    async def state(self) -> DirectoryState:
        row = await self._rows.get(PARTITION, DIRECTORY)
        return DirectoryState(str(row.data["read_at"]), int(row.data["braked"])) if row else DirectoryState()

    async def refresh(
        self, found: Sequence[CrmUser], now: datetime, spared: Collection[str] = frozenset()
    ) -> Refreshed:
        """Take over what the CRM's directory shows now. Returns who must be disconnected; their rows say so already.

        `spared`: users whose absence an admin said to ignore, until they are seen again.
        """
        for _ in range(3):
            try:
                return await self._refresh(found, now, spared)
            except Conflict:  # an admin changed a user meanwhile
                continue
        return await self._refresh(found, now, spared)

    async def _refresh(self, found: Sequence[CrmUser], now: datetime, spared: Collection[str]) -> Refreshed:
        rows = {row.key: row async for row in self._rows.query(USERS, last=PAIRED)}
        known = {key: self._user(row) for key, row in rows.items()}
        active = {user.id for user in found if user.active}
        missing = sorted(u.id for u in known.values() if u.active and not u.absent and u.id not in active)
        losses = [user for user in missing if user not in spared]
        population = sum(1 for user in known.values() if user.active)
        vanished = losses if _too_many(len(losses), population, found) else []
        left: list[User] = []
        if found:
            left = await self._take_over(found, known, rows, active, {*spared, *vanished} - active, now)
        state: dict[str, str | int | bool] = {"read_at": now.isoformat(timespec="seconds"), "braked": len(vanished)}
        await self._rows.transact(PARTITION, [Put(DIRECTORY, state)])
        return Refreshed(len(found), tuple(left), tuple(vanished))

    async def vanish(self, user: str) -> User:
        """An admin confirmed that the user is gone: inactive and disabled from now on, without a second reading."""
        return await self.change(user, active=False, absent=PROOFS, enabled=False)

    async def _take_over(
        self,
        found: Sequence[CrmUser],
        known: dict[str, User],
        rows: dict[str, Row],
        active: set[str],
        untouched: Collection[str],
        now: datetime,
    ) -> list[User]:
        shown = {user.id: user for user in found}
        left: list[User] = []
        ops: list[Op] = []
        for id_ in sorted((known.keys() | shown.keys()) - set(untouched)):
            before, crm = known.get(id_), shown.get(id_)
            after = before or User(id_, "", "", True)
            if crm is not None:
                after = replace(after, name=crm.name, email=crm.email)
            after = _seen(after) if id_ in active else _missed(after, now)
            after = replace(after, active=after.absent < (PROOFS if before else 1))
            if not after.active and after.enabled:
                after = replace(after, enabled=False)
                left.append(after)
            if before is None:
                ops.append(Insert(id_, self._data(after)))
            elif after != before:
                ops.append(Replace(id_, self._data(after), rows[id_].etag))
        for start in range(0, len(ops), 99):
            await self._rows.transact(USERS, [*ops[start : start + 99], Put(CHANGED, {})])
        return left

    def _user(self, row: Row) -> User:
        data = row.data
        opened = {name: self._open(row.key, name, str(data[name])) for name in ("name", "email", "address")}
        # rows of earlier versions have no columns for resources, a mailbox's addresses and preferences
        addresses = self._open(row.key, "addresses", str(data.get("addresses", "")))
        return User(
            row.key,
            active=bool(data["active"]),
            absent=int(data["absent"]),
            absent_at=str(data.get("absent_at", "")),
            mailbox=str(data["mailbox"]),
            enabled=bool(data["enabled"]),
            barred=bool(data.get("barred", False)),
            resource=bool(data.get("resource", False)),
            colour=str(data.get("colour", "")),
            addresses=tuple(addresses.split("\n")) if addresses else (),
            sync_start=str(data.get("sync_start", "")),
            folder=self._open(row.key, "folder", str(data.get("folder", ""))),
            private_events=str(data.get("private_events", "")),
            **opened,
        )

    def _data(self, user: User) -> dict[str, str | int | bool]:
        sealed = {name: self._seal(user.id, name, getattr(user, name)) for name in ("name", "email", "address")}
        return {
            **sealed,
            "addresses": self._seal(user.id, "addresses", "\n".join(user.addresses)),
            "resource": user.resource,
            "colour": user.colour,
            "sync_start": user.sync_start,
            "folder": self._seal(user.id, "folder", user.folder),
            "private_events": user.private_events,
            "active": user.active,
            "absent": user.absent,
            "absent_at": user.absent_at,
            "mailbox": user.mailbox,
            "enabled": user.enabled,
            "barred": user.barred,
        }

    def _seal(self, user: str, name: str, text: str) -> str:
        return self._keys.encrypt(text, f"users|{user}|{name}") if text else ""

    def _open(self, user: str, name: str, token: str) -> str:
        """What only a removed key opens is lost: names and addresses come back with the next reading of the directory, or pairing."""
        try:
            return self._keys.decrypt(token, f"users|{user}|{name}") if token else ""
        except Undecipherable:
            return ""


def _claim(user: User) -> str:
    """The key of the claim of the mailbox that this user is connected with, '' = with none."""
    return PAIRED + user.mailbox.lower() if user.connected else ""


def _seen(user: User) -> User:
    return replace(user, absent=0, absent_at="")


def _missed(user: User, now: datetime) -> User:
    """One proof more that the user is gone, if the last one is old enough."""
    early = user.absent_at and now - datetime.fromisoformat(user.absent_at) < APART
    if user.absent >= PROOFS or (user.absent and early):
        return user
    return replace(user, absent=user.absent + 1, absent_at=now.isoformat(timespec="seconds"))


def homes_of(users: Iterable[User]) -> dict[str, str]:
    """CRM id -> mailbox of every connected user."""
    return {user.id: user.mailbox for user in users if user.connected}


def parted(users: Iterable[User]) -> frozenset[str]:
    """Mailboxes of users who are disabled, and nobody's else."""
    everybody = list(users)
    return frozenset(user.mailbox for user in everybody if user.mailbox) - set(homes_of(everybody).values())


def _too_many(lost: int, population: int, found: Sequence[CrmUser]) -> bool:
    """An empty directory, or more than max(2, 5 %) of the users gone at once: more likely a mistake than the truth."""
    return lost > 0 and (not found or lost > VANISHING.allowed(population))
