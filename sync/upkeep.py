"""What a tick forgets because it is too old: answered questions of sweeps, tallies. I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.store import tally
from sync.store.base import MAX_OPS, Drop
from sync.store.registry import HoldRow, Registry, held_partition

ANSWERS_KEPT = timedelta(days=30)


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
