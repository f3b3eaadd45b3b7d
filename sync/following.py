"""Rows of mailboxes follow what the users' rows say: who is connected with which mailbox. I/O; asks no server.

A command changes the user first and lets the mailbox follow; a process may end between the two. So whoever repeats the command, and every tick,
sets the rows right. Until then a run leaves such a mailbox alone (`Setup.parted`), or nobody queues it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta

from sync.clearing_tools import LEAVE, UNDO
from sync.connector import Connector
from sync.errors import Cause
from sync.store.base import Conflict
from sync.store.mailboxes import MailboxRow
from sync.store.tokens import signed_in
from sync.users import User

TRIES = 20


async def follow(connector: Connector, before: User, after: User) -> None:
    """Let the mailboxes' rows follow; runs under way begin anew, because homes moved."""
    if before.connected and (before.mailbox, True) != (after.mailbox, after.connected):
        others = await connector.users.claimed(before.mailbox) not in ("", before.id)  # somebody took it over meanwhile
        stays = others or before.mailbox == (await connector.settings.read()).shared_mailbox
        await connector.registry.change_mailbox(before.mailbox, enabled=stays)
    begins = after.connected and (before.mailbox, before.connected) != (after.mailbox, True)
    ready = begins and await _begin(connector, after)
    await connector.board.touch()
    if ready and await connector.state() == "running":
        await connector.enqueue([after.mailbox], "connected")


async def set_right(connector: Connector) -> int:
    """Rows that say otherwise than the users, because following was broken off: how many there were."""
    rows = {
        row.id: row for row in await connector.registry.mailboxes()
    }  # first: who connects now has a row that is older
    settings = await connector.settings.read()
    homes: dict[str, list[User]] = defaultdict(list)
    for user in await connector.users.all():
        if user.connected:
            homes[user.mailbox].append(user)
    over = [row.id for row in rows.values() if row.enabled and row.id not in {*homes, settings.shared_mailbox}]
    for mailbox in over:
        await connector.registry.change_mailbox(mailbox, enabled=False)
    missed = [
        mailbox
        for mailbox, users in homes.items()
        if mailbox not in rows or not rows[mailbox].enabled or rows[mailbox].user not in {user.id for user in users}
    ]
    ready = [mailbox for mailbox in missed if await _begin(connector, homes[mailbox][0])]
    if over or missed:
        await connector.board.touch()
    if ready and await connector.state() == "running":
        await connector.enqueue(ready, "connected")
    return len(over) + len(missed)


async def _begin(connector: Connector, user: User) -> bool:
    """The mailbox is this user's from now on. False: it waits for the user to sign in, or the user is not connected with it any more.

    A removal may be ordered meanwhile: first it changes the user, then the mailbox's row. So the row is read before the user, and changed only while
    it says of removals what it said then.
    """
    registry, delegated = connector.registry, (await connector.settings.read()).delegated
    for _ in range(TRIES):
        row = await registry.mailbox(user.mailbox) or MailboxRow(user.mailbox, "")
        if not await _is_connected(connector, user):
            return False
        waits = delegated and not await signed_in(registry.rows, user.mailbox)
        changes = _begun(row, user, connector.now(), waits)
        if await registry.change_mailbox_if(user.mailbox, _as_judged(row), **changes):
            return not waits
    raise Conflict(0, user.mailbox)


async def _is_connected(connector: Connector, user: User) -> bool:
    now = await connector.users.get(user.id)
    return now is not None and now.connected and now.mailbox == user.mailbox


def _as_judged(row: MailboxRow) -> Callable[[MailboxRow], bool]:
    """Does a row still say whose it is, and whether that one was removed, as this one does?"""

    def said(each: MailboxRow) -> tuple[str, ...]:
        return (each.user, each.clearing, each.left_at, each.connected_at)

    return lambda now: said(now) == said(row)


def _begun(row: MailboxRow, user: User, now: datetime, waits: bool) -> dict[str, object]:
    """What changes of a mailbox's row that is this user's from now on."""
    at = now.replace(microsecond=0)
    if row.left_at:  # times in seconds: who comes back at once comes after having left
        at = max(at, datetime.fromisoformat(row.left_at) + timedelta(seconds=1))
    state = {"state": "error", "cause": Cause.NOT_CONNECTED.value} if waits else {"state": "ok", "cause": ""}
    fresh = {**state, "attempts": 0, "starts": 0, "due_at": "", "full": True, "dirty": True}
    if row.clearing == LEAVE and row.user == user.id:  # a removal that has not ended is taken back
        fresh["clearing"] = UNDO
    return {"user": user.id, "enabled": True, "connected_at": at.isoformat(), **fresh}
