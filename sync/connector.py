"""What timer, queue and admin's commands work with, and how a failure that concerns everybody is noted.

The ports to the outside (servers, queue) are protocols here; control.app fills them. No HTTP; knows no library.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from mapping.fields import Field
from sync import agenda, vanishing
from sync.clearing_tools import ALL, LEAVE
from sync.errors import RetryLater, StopConnector, StopMailbox
from sync.groups import Groups
from sync.model import Family, Item, Kind
from sync.policy import RemovalScope
from sync.resync import begin_resync
from sync.settings_store import SettingsStore, SignIn
from sync.sides.base import Crm, CrmGroup, CrmUser, Mailbox, MailboxUser
from sync.store.audit import Audit
from sync.store.base import StoreUnreachable
from sync.store.board import Board, BoardStore
from sync.store.mailboxes import MailboxRow
from sync.store.registry import Registry
from sync.store.schema import misfit
from sync.sweep import SweepTools
from sync.users import Users

AT_ONCE = 16
HINT, NUDGE, CONTINUED = "hint", "nudge", "continued"
TOLD = frozenset({HINT, NUDGE, CONTINUED})
"""Why a run was queued for what was told, or goes on: it looks at nothing else, and leaves to the timer what every tick looks at."""
LOOK_AGAIN = timedelta(minutes=1)


class Queue(Protocol):
    """Messages that start runs. They are hints: a lost one is made good by the next tick."""

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        """`mailbox` '' = sweep first, then everybody. `delay` in seconds. Raises StoreUnreachable."""
        ...


class Outside(Protocol):
    """The two servers, as far as control needs them. All raise what sync.errors names."""

    async def check_crm(self) -> None:
        """Is the CRM there, does it let us in, is our account fit for the work?"""
        ...

    async def check_mailboxes(self) -> None:
        """Does Microsoft 365 let us in? One cheap call."""
        ...

    async def try_sign_in(self, sign_in: SignIn, server: str) -> None:
        """As `check_mailboxes`, with a sign-in (at the cloud that `server` names) that is not saved."""
        ...

    async def forget_refusals(self) -> None:
        """The login that the CRM refused may be tried again, once."""
        ...

    async def crm_users(self) -> list[CrmUser]: ...

    async def crm_group(self, group: str) -> CrmGroup | None:
        """The CRM's group with this id, None when there is none."""
        ...

    async def resolve_mailbox(self, address: str) -> MailboxUser:
        """Who has this address, principal name or object id. Raises StopMailbox(MAILBOX_UNKNOWN)."""
        ...

    async def look(
        self, mailbox: str, folder: str, kind: Kind, crm_ids: Sequence[str], item_ids: Sequence[str]
    ) -> list[Item]:
        """These items of the CRM and of a mailbox (its people in `folder`) as they are now, for display only: nothing of it is kept. Those that
        are gone or cannot be read are left out."""
        ...

    async def sweep_tools(self) -> SweepTools: ...

    async def catalogs(self) -> Mapping[Kind, Mapping[str, Field]]:
        """The CRM's mappable fields, of contacts and of companies, as it describes them now (at most an hour old)."""
        ...

    async def crm_showing(self, columns: Mapping[Kind, Sequence[str]]) -> Crm:
        """The CRM, its records with these fields: for what is not mapped (yet)."""
        ...

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        """The people of a mailbox."""
        ...


@dataclass(frozen=True, slots=True)
class Connector:
    """One process's access to everything. `crm_missing`: settings of the CRM that are not there.

    `queue`: for what takes seconds. `fills`: for what takes minutes, so that many first fills stand in nobody's way.
    """

    registry: Registry
    board: BoardStore
    settings: SettingsStore
    users: Users
    groups: Groups
    outside: Outside
    queue: Queue
    fills: Queue
    audit: Audit
    crm_missing: tuple[str, ...]
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def missing(self) -> tuple[str, ...]:
        """Names of the settings that are still needed; () = configured."""
        return (*self.crm_missing, *(await self.settings.sign_in()).missing)

    async def state(self, board: Board | None = None) -> str:
        """running | killed | error | stopped | paused. What an admin or a failure stopped comes before `paused`."""
        board = board or await self.board.read()
        if board.state != "running":
            return board.state
        if await misfit(self.registry.rows):
            return "paused"
        return "paused" if not (await self.settings.read()).active or await self.missing() else "running"

    async def refresh_directory(self) -> None:
        """Read the users of the CRM; those that are gone for sure leave, of too many an admin is asked."""
        found = await self.outside.crm_users()
        refreshed = await self.users.refresh(found, self.now(), await vanishing.spared(self.registry))
        active = {user.id for user in found if user.active}
        await vanishing.note(self.registry, refreshed.vanished, active, self.now(), self.new_id)
        if refreshed.disconnected:
            await self.board.touch()
        await self.leave_gone()

    async def look_again(self) -> None:
        """Read the users for the sake of an id that nobody has; who asks for ids that are made up makes the CRM read once a minute at most."""
        if (await self.users.state()).stale(self.now(), LOOK_AGAIN) and await self.may_look():
            await self.refresh_directory()

    async def may_look(self) -> bool:
        """May the CRM be asked because somebody looks at a page? Not while nothing runs; and a server that failed is tried by the sweep, once for
        all (SPEC 4.3)."""
        board = await self.board.read()
        return board.state == "running" and not board.attempts

    async def leave_gone(self) -> None:
        """Mailboxes whose user is gone for sure and has not left yet, also when a crash came between the two (SPEC 5.4).

        What the settings say at this moment is what their cards go by.
        """
        settings = await self.settings.read()
        users = await self.users.all()
        rows = {row.id: row for row in await self.registry.mailboxes()}
        gone = {user.mailbox: user.id for user in users if not user.active and user.mailbox in rows}
        taken = {user.mailbox for user in users if user.connected} | {settings.shared_mailbox}
        for mailbox, user in gone.items():
            if mailbox not in taken and _stays(rows[mailbox], user) and await self._is_gone(user):
                await self.leave(mailbox, settings.removal, ALL, partial(_stays, user=user))

    async def _is_gone(self, user: str) -> bool:
        """Now: there may be hundreds before this one, and somebody else may see to the same ones."""
        found = await self.users.get(user)
        return found is not None and not found.active

    async def leave(
        self, mailbox: str, scope: RemovalScope | None, permitted: int, may: Callable[[MailboxRow], bool]
    ) -> None:
        """The user of this mailbox is gone or was removed: the synchronisation ends, and a run clears the mailbox (`sync.clearing`).

        `scope`: which cards go, None = none; `permitted`: how many at most. A later change of the settings moves neither. Only where the row is as
        `may` wants it when it is written: an order that is given twice would move `left_at`, by which an undo finds what was deleted.
        """
        order = {"scope": scope.value if scope else "", "permitted": permitted}
        left_at = self.now().isoformat(timespec="seconds")
        await self.clear(mailbox, LEAVE, may, enabled=False, left_at=left_at, **order)

    async def clear(
        self, mailbox: str, how: str, may: Callable[[MailboxRow], bool] = lambda _: True, **changes: object
    ) -> None:
        """Order a clearing, where the row is as `may` wants it. Runs under way begin anew."""
        fresh = {"state": "ok", "cause": "", "attempts": 0, "starts": 0, "due_at": "", "dirty": True}
        if await self.registry.change_mailbox_if(mailbox, may, clearing=how, **fresh, **changes) is None:
            return
        await self.board.touch()
        if await self.state() == "running":
            await self.enqueue([mailbox], how)

    async def enqueue(self, mailboxes: Iterable[str], why: str, delay: int = 0) -> int:
        """A message for each, in this order; how many. `delay` in seconds."""
        names = list(dict.fromkeys(mailboxes))
        for start in range(0, len(names), AT_ONCE):
            await asyncio.gather(*(self._enqueue(name, why, delay) for name in names[start : start + AT_ONCE]))
        return len(names)

    async def _enqueue(self, mailbox: str, why: str, delay: int) -> None:
        row = await self.registry.queued(mailbox, self.now())
        await self._send(mailbox, row, why, delay)

    async def _send(self, mailbox: str, row: MailboxRow | None, why: str, delay: int) -> None:
        """A message for a mailbox that is noted as queued. What was not sent is not on its way."""
        takes_long = why == CONTINUED or (row is not None and agenda.is_long(row))
        try:
            await (self.fills if takes_long else self.queue).send(mailbox, why, delay)
        except StoreUnreachable:
            await self.registry.spent(mailbox)
            raise

    async def hint(self, told: Mapping[str, Collection[Family]], rewatch: Collection[str] = ()) -> int:
        """Microsoft 365 tells of changes in these mailboxes. Many hints are one run: how many were queued. While nothing may run they are noted:
        whoever goes on queues what is due."""
        board = await self.board.read()
        waits = board.attempts or board.due_at > self.now().isoformat()
        runs = not waits and await self.state(board) == "running"

        async def one(mailbox: str) -> bool:
            now = self.now()
            row = await self.registry.hint(mailbox, told[mailbox], now, rewatch=mailbox in rewatch, runs=runs)
            if row is not None:
                await self._send(mailbox, row, HINT, agenda.apart(row, now))
            return row is not None

        names = list(told)
        asked = 0
        for start in range(0, len(names), AT_ONCE):
            asked += sum(await asyncio.gather(*(one(name) for name in names[start : start + AT_ONCE])))
        return asked

    async def wake(self, mailboxes: Iterable[MailboxRow], why: str) -> int:
        """Mark mailboxes as having work and queue those that may run; how many."""
        ready = [row for row in mailboxes if row.works and row.state != "error"]
        await self.change_all(ready, dirty=True)
        return await self.enqueue((row.id for row in ready), why)

    async def change_all(self, mailboxes: Sequence[MailboxRow], **changes: object) -> None:
        """The same change of many rows, some at a time: there may be thousands, and somebody waits."""
        for start in range(0, len(mailboxes), AT_ONCE):
            part = mailboxes[start : start + AT_ONCE]
            await asyncio.gather(*(self.registry.change_mailbox(row.id, **changes) for row in part))

    async def compare(self, mailboxes: Sequence[MailboxRow], why: str) -> None:
        """Have these mailboxes compared in full: now, and those that cannot run now as soon as they can."""
        await self.change_all(mailboxes, full=True)
        if await self.state() == "running":
            await self.wake(mailboxes, why)

    async def compare_all(self, why: str) -> None:
        """What decides about items moved."""
        await begin_resync(self.registry.rows, self.now(), why)
        await self.compare(await self.registry.mailboxes(), why)

    async def note(self, error: RetryLater | StopConnector | StopMailbox, seen: int) -> None:
        """A failure outside any mailbox: an attempt, a pause that the server asked for, or an error that waits for a person.

        `seen`: the board's generation before what failed began.
        """
        now = self.now()
        if not isinstance(error, RetryLater):
            await self.board.enter_error(error.cause.value, now, seen)
        elif error.counts:
            await self.board.failed(error.cause.value, now)
            await self.try_again_in_time()
        else:
            due = (now + timedelta(seconds=error.after or 60)).isoformat()
            await self.board.pause(error.cause.value, due)

    async def try_again_in_time(self) -> None:
        """A message for the moment when the next attempt is due: the timer comes less often than the first of them."""
        board = await self.board.read()
        if board.state != "running" or not board.attempts:
            return
        wait = (datetime.fromisoformat(board.due_at) - self.now()).total_seconds()
        if wait > 0:
            await self.queue.send("", "retry", math.ceil(wait) + 1)


def _stays(row: MailboxRow, user: str) -> bool:
    """Is it this user's, and was no end of it ordered?"""
    return row.user == user and not row.has_left
