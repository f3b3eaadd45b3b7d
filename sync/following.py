"""Rows of mailboxes follow what the users' rows say: who is connected with which mailbox. I/O; asks no server.

A command changes the user first and lets the mailbox follow; a process may end between the two. So whoever repeats the command, and every tick,
sets the rows right. Until then a run leaves such a mailbox alone (`Setup.parted`), or nobody queues it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from sync.clearing_tools import LEAVE, UNDO
from sync.connector import Connector
from sync.errors import Cause
from sync.store.tokens import signed_in
from sync.users import User


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
    """The mailbox is this user's from now on. False: it waits for the user to sign in."""
    registry, delegated = connector.registry, (await connector.settings.read()).delegated
    waits = delegated and not await signed_in(registry.rows, user.mailbox)
    row = await registry.mailbox(user.mailbox)
    at = connector.now().replace(microsecond=0)
    if row and row.left_at:  # times in seconds: who comes back at once comes after having left
        at = max(at, datetime.fromisoformat(row.left_at) + timedelta(seconds=1))
    state = {"state": "error", "cause": Cause.NOT_CONNECTED.value} if waits else {"state": "ok", "cause": ""}
    fresh = {**state, "attempts": 0, "starts": 0, "due_at": "", "full": True, "dirty": True}
    if row and row.clearing == LEAVE and row.user == user.id:  # a removal that has not ended is taken back
        fresh["clearing"] = UNDO
    await registry.change_mailbox(user.mailbox, user=user.id, enabled=True, connected_at=at.isoformat(), **fresh)
    return not waits
