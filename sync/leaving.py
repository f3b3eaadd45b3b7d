"""What a removal will do, as counts, and what is left of one after 30 days: nothing. I/O, no commands.

The store keeps no list of its partitions: what a mailbox has is found by the names that `sync.store` gives them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sync.clearing import left_to_delete, would_delete
from sync.clearing_tools import LEAVE, is_ours
from sync.connector import Connector
from sync.model import Family, Kind
from sync.policy import RemovalScope
from sync.store.base import MAX_OPS, Drop
from sync.store.ledger import MailboxLedger, partition_of
from sync.store.mailboxes import Lease, MailboxRow

KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Leaving:
    """What the removal of a user does. `to_delete`: cards that are deleted in the mailbox; `ours`: of all linked cards those that we made."""

    contacts: int = 0
    companies: int = 0
    ours: int = 0
    to_delete: int = 0
    events: int = 0
    tasks: int = 0
    pending: int = 0
    holds: int = 0


async def leaving_of(connector: Connector, row: MailboxRow) -> Leaving:
    """The counts, as the ledger says now; of a removal that was ordered: what is left of it. Asks no server."""
    registry, mailbox = connector.registry, row.id
    kinds: Counter[Kind] = Counter()
    ours = pending = 0

    async def count(family: Family) -> None:
        nonlocal ours, pending
        ledger = MailboxLedger(registry.rows, mailbox, 0, "", family)  # no fence: for reading only
        waiting = await ledger.pending()
        pending += len(waiting)
        async for link in ledger.links():
            kinds[link.kind] += 1
            ours += is_ours(link) and family is Family.PEOPLE

    async def delete() -> int:
        return await cards_to_delete(connector, row, (await connector.settings.read()).removal)

    counting = asyncio.gather(*(count(family) for family in Family))
    to_delete, holds, _ = await asyncio.gather(delete(), registry.holds(), counting)
    return Leaving(
        contacts=kinds[Kind.CONTACT],
        companies=kinds[Kind.COMPANY],
        ours=ours,
        to_delete=to_delete,
        events=kinds[Kind.EVENT],
        tasks=kinds[Kind.TASK],
        pending=pending,
        holds=sum(1 for hold in holds if hold.mailbox == mailbox),
    )


async def cards_to_delete(connector: Connector, row: MailboxRow, scope: RemovalScope | None) -> int:
    """How many a removal would delete with this scope; of one that was ordered already: how many it still has to."""
    if was_ordered(row):
        return await left_to_delete(connector.registry, row)
    return await would_delete(connector.registry, row.id, scope)


def was_ordered(row: MailboxRow) -> bool:
    """Was the end of its user ordered, and not taken back since?"""
    return row.has_left and row.clearing in {"", LEAVE}


async def forget_removed(connector: Connector) -> None:
    """Journal, tombstones and row of mailboxes whose user was removed 30 days ago and not connected again."""
    before = (connector.now() - KEPT).isoformat(timespec="seconds")
    for row in await connector.registry.mailboxes():
        if is_removed(row) and row.left_at < before:
            await _forget(connector, row.id)


async def _forget(connector: Connector, mailbox: str) -> None:
    """Under the lease: whose user is connected meanwhile keeps its row, and runs afterwards. The row goes last: by it the rest is found again."""
    registry = connector.registry
    lease = await registry.take_lease(mailbox, connector.new_id(), connector.now())
    if lease is None:
        return
    if is_removed(lease.row):
        for family in Family:
            if not await _drop_all(connector, partition_of(mailbox, family), lease):
                return
        if await registry.drop_mailbox(mailbox, lambda now: now.fence == lease.row.fence and is_removed(now)):
            return
    await registry.release(lease)


def is_removed(row: MailboxRow) -> bool:
    """Has the removal ended, and nobody taken it back?"""
    return row.state == "removed" and not row.enabled and not row.clearing and row.has_left


async def _drop_all(connector: Connector, partition: str, lease: Lease) -> bool:
    """False: the lease was lost on the way."""
    keys = [row.key async for row in connector.registry.rows.query(partition)]
    for start in range(0, len(keys), MAX_OPS):
        if await connector.registry.renew(lease, connector.now()) is None:
            return False
        await connector.registry.rows.transact(partition, [Drop(key) for key in keys[start : start + MAX_OPS]])
    return True
