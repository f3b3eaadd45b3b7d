"""The CRM's own hint that something changed: a sweep soon, one for many hints. I/O."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync.connector import NUDGE, Connector
from sync.store.base import Conflict, Drop, Insert, Op, Replace, Rows, StoreUnreachable

PARTITION, KEY = "control", "nudged"
LOST = timedelta(minutes=2)
"""A sweep that was asked for and did not begin by then is asked for again."""


async def nudge(connector: Connector) -> bool:
    """Ask for a sweep, unless one was asked for that has not begun. Was one?"""
    rows, now = connector.registry.rows, connector.now()
    row = await rows.get(PARTITION, KEY)
    if row is not None and now - datetime.fromisoformat(str(row.data["at"])) < LOST:
        return False
    data = {"at": now.isoformat()}
    op: Op = Insert(KEY, data) if row is None else Replace(KEY, data, row.etag)
    try:
        await rows.transact(PARTITION, [op])
    except Conflict:  # another hint came at the same moment
        return False
    try:
        await connector.queue.send("", NUDGE)
    except StoreUnreachable:  # none is on its way
        await begun(rows)
        raise
    return True


async def begun(rows: Rows) -> None:
    """A sweep begins: what changes from now on is another one's."""
    await rows.transact(PARTITION, [Drop(KEY)])
