"""What timer, queue and admin's commands work with, and how a failure that concerns everybody is noted.

The ports to the outside (servers, queue) are protocols here; control.app fills them. No HTTP; knows no library.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sync.errors import RetryLater, StopConnector, StopMailbox
from sync.groups import Groups
from sync.settings import SettingsStore
from sync.sides.base import CrmGroup, CrmUser, MailboxUser
from sync.store.board import Board, BoardStore
from sync.store.registry import MailboxRow, Registry
from sync.sweep import SweepTools
from sync.users import Users

AT_ONCE = 16


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

    async def sweep_tools(self) -> SweepTools: ...


@dataclass(frozen=True, slots=True)
class Connector:
    """One process's access to everything. `crm_missing`: settings of the CRM that are not there."""

    registry: Registry
    board: BoardStore
    settings: SettingsStore
    users: Users
    groups: Groups
    outside: Outside
    queue: Queue
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
        return "paused" if not (await self.settings.read()).active or await self.missing() else "running"

    async def refresh_directory(self) -> None:
        """Read the users of the CRM; those that are gone for sure are disconnected."""
        refreshed = await self.users.refresh(await self.outside.crm_users(), self.now())
        for user in refreshed.disconnected:
            if user.mailbox:
                await self.registry.change_mailbox(user.mailbox, enabled=False)
        if refreshed.disconnected:
            await self.board.touch()

    async def enqueue(self, mailboxes: Iterable[str], why: str) -> int:
        """A message for each; how many."""
        names = sorted(set(mailboxes))
        for start in range(0, len(names), AT_ONCE):
            await asyncio.gather(*(self.queue.send(name, why) for name in names[start : start + AT_ONCE]))
        return len(names)

    async def wake(self, mailboxes: Iterable[MailboxRow], why: str, *, full: bool = False) -> int:
        """Mark mailboxes as having work and queue those that may run; how many."""
        ready = [row for row in mailboxes if row.enabled and row.state != "error"]
        for row in ready:
            await self.registry.change_mailbox(row.id, dirty=True, **({"full": True} if full else {}))
        return await self.enqueue((row.id for row in ready), why)

    async def note(self, error: RetryLater | StopConnector | StopMailbox) -> None:
        """A failure outside any mailbox: an attempt, a pause that the server asked for, or an error that waits for a person."""
        now = self.now()
        if not isinstance(error, RetryLater):
            await self.board.enter("error", now, error.cause.value)
        elif error.counts:
            await self.board.failed(error.cause.value, now)
        else:
            due = (now + timedelta(seconds=error.after or 60)).isoformat()
            await self.board.pause(error.cause.value, due)
