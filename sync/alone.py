"""The lease of the sweep: one sweep, or one upgrade of the rows, at a time. It expires, so that a crash holds nobody up for long. I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from sync.connector import Connector
from sync.store.base import Conflict, Drop, Insert, Op, Replace

PARTITION, LEASE = "control", "sweep-lease"
LEASE_TIME = timedelta(minutes=2)


@asynccontextmanager
async def alone(connector: Connector) -> AsyncIterator[bool]:
    """True while the lease is ours; False when somebody else holds it."""
    rows, now = connector.registry.rows, connector.now()
    row = await rows.get(PARTITION, LEASE)
    if row is not None and str(row.data["expires"]) > now.isoformat():
        yield False
        return
    data = {"expires": (now + LEASE_TIME).isoformat()}
    op: Op = Insert(LEASE, data) if row is None else Replace(LEASE, data, row.etag)
    try:
        (etag,) = await rows.transact(PARTITION, [op])
    except Conflict:
        yield False
        return
    try:
        yield True
    finally:
        await _give_back(connector, etag)


async def _give_back(connector: Connector, etag: str) -> None:
    try:
        await connector.registry.rows.transact(PARTITION, [Drop(LEASE, etag)])
    except Conflict:
        return  # it had expired and somebody else holds it now
