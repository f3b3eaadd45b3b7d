"""What ticks do besides: forget what is too old, set right what a crash left, count the mailboxes anew. I/O.

What reads all mailboxes is done by every tick in a small office, once an hour in a large one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sync import overview, poison
from sync.connector import Connector
from sync.following import set_right
from sync.leaving import forget_removed
from sync.model import Family
from sync.run import JOURNAL_KEPT
from sync.store import tally
from sync.store.asking import HoldRow
from sync.store.base import MAX_OPS, Drop, Put
from sync.store.journal import old_rows
from sync.store.ledger import partition_of
from sync.store.registry import Registry, held_partition

ANSWERS_KEPT = timedelta(days=30)
PARTITION, TURN, LAST = "control", "values-forgotten", "upkeep"
EVERY = timedelta(hours=1)
A_TICK = 10
"""Mailboxes a tick: two thousand have their turn in less than a day."""


async def keep_up(connector: Connector) -> None:
    """A tick's share of it."""
    registry, now = connector.registry, connector.now()
    await forget_values(registry, now)
    row = await registry.rows.get(PARTITION, LAST)
    if row and row.data["large"] and now - datetime.fromisoformat(str(row.data["at"])) < EVERY:
        return
    await forget_removed(connector)
    await set_right(connector)
    await forget_old(registry, now)
    await poison.tidy(registry)
    rows = await registry.mailboxes()
    await registry.set_agenda(rows)
    counted = await overview.note(registry, rows, now)
    await registry.rows.transact(PARTITION, [Put(LAST, {"at": now.isoformat(), "large": not counted.small})])


async def forget_old(registry: Registry, now: datetime) -> None:
    """Questions about one mailbox go with their items (`sync.holds.tidy`). Of a sweep's those go that were approved: it is done. A rejected one
    stays, because it still says what is to be left alone."""
    before = (now - ANSWERS_KEPT).isoformat(timespec="seconds")
    for hold in await registry.holds():
        if not hold.mailbox and hold.state == "approved" and (hold.at or hold.since) < before:
            await _forget(registry, hold)
    await tally.drop_old(registry.rows, now)


async def _forget(registry: Registry, hold: HoldRow) -> None:
    """The ids that it speaks of first: a crash in between is made good by the next tick."""
    partition = held_partition(hold.id)
    ids = [row.key async for row in registry.rows.query(partition)]
    for start in range(0, len(ids), MAX_OPS):
        await registry.rows.transact(partition, [Drop(key) for key in ids[start : start + MAX_OPS]])
    await registry.drop_hold(hold.id)


async def forget_values(registry: Registry, now: datetime) -> None:
    """The journal's values are kept for thirty days everywhere (SPEC 4.6): a few mailboxes a tick, in turn. A comparison in full does the same for
    its own mailbox; those that are off, in error or killed have none."""
    row = await registry.rows.get(PARTITION, TURN)
    after = str(row.data["after"]) if row else ""
    part = await registry.mailboxes(after, A_TICK)
    before = (now - JOURNAL_KEPT).isoformat(timespec="seconds")
    for mailbox in part:
        for family in Family:
            ops = await old_rows(registry.rows, partition_of(mailbox.id, family), before)
            for start in range(0, len(ops), MAX_OPS):
                await registry.rows.transact(partition_of(mailbox.id, family), ops[start : start + MAX_OPS])
    await registry.rows.transact(PARTITION, [Put(TURN, {"after": part[-1].id if len(part) == A_TICK else ""})])
