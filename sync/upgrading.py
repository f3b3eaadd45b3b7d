"""Brings the stored rows to the form that this version of the product works with, before anything else is done with them. I/O.

In the order that keeps every other process out: the schema row says what the rows are becoming (an older version that still runs refuses from then
on, and so do this version's runs), the runs under way are stopped, and after a pause, when no run holds a mailbox and no sweep goes on, row after
row is changed under its ETag. It may be killed anywhere: the schema row says how far it came, and no step minds being done twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sync.alone import LEASE, alone
from sync.connector import Connector
from sync.store.base import Conflict, Drop, Op, Put, Replace, Row, Rows, transactions
from sync.store.schema import FIRST, KEY, PARTITION, STEPS, Becomes, Schema, Step, current, read, write

PAUSE = timedelta(minutes=1)
"""Longer than from a run's look at the schema row to its lease, or to its end when it has none."""
SLICE = timedelta(seconds=60)
PAGE = 100
TRIES = 20
OURS = {(PARTITION, KEY), (PARTITION, LEASE)}


async def upgraded(connector: Connector, steps: Sequence[Step] = STEPS) -> bool:
    """True: the rows are of this version, or of a later one, that nobody here may touch (`Connector.state` says so).

    False: they are being brought to this version; a message goes on with it.
    """
    wanted = current(steps)
    found = await read(connector.registry.rows) or await _first(connector, wanted)
    if _settled(found, wanted):
        return True
    async with alone(connector) as mine:
        if not mine:
            return False
        try:
            done, wait = await _go_on(connector, steps)
        except Conflict:  # somebody else brings them up
            done, wait = False, PAUSE
    if not done:
        await connector.queue.send("", "upgrade", int(wait.total_seconds()))
    return done


def _settled(found: Schema, wanted: int) -> bool:
    """Is there nothing to do, or nothing that this version could do?"""
    return found.newest > wanted or (found.version == wanted and not found.becoming)


async def _first(connector: Connector, wanted: int) -> Schema:
    """Write down which form the rows have that never said so: the first one, or this version's, where there are none yet."""
    rows = connector.registry.rows
    version = FIRST if await connector.registry.mailboxes(limit=1) else wanted
    try:
        return await write(rows, Schema(version))
    except Conflict:
        return await read(rows) or Schema()


async def _go_on(connector: Connector, steps: Sequence[Step]) -> tuple[bool, timedelta]:
    """The next part of the work: (is all done, until when to wait for the part after it)."""
    rows, now, wanted = connector.registry.rows, connector.now(), current(steps)
    found = await read(rows) or Schema()
    if _settled(found, wanted):  # somebody else was quicker
        return True, PAUSE
    if found.becoming != wanted:
        await write(rows, replace(found, becoming=wanted, since=now.isoformat()))
        await connector.board.touch()
        return False, PAUSE
    held = [row for row in await connector.registry.mailboxes() if row.holder and row.expires > now.isoformat()]
    if held or now - datetime.fromisoformat(found.since) < PAUSE:
        return False, PAUSE
    return await _migrate(connector, found, steps), timedelta(seconds=1)


async def _migrate(connector: Connector, schema: Schema, steps: Sequence[Step]) -> bool:
    """Step by step, page by page, until all is done or the slice's time is up."""
    rows, until = connector.registry.rows, connector.now() + SLICE
    while schema.version < current(steps):
        step = steps[schema.version - FIRST]
        async for page in _pages(rows, schema):
            await _change(rows, page, step)
            schema = await write(rows, schema.at(page[-1]))
            if connector.now() >= until:
                return False
        schema = await write(rows, replace(schema, version=schema.version + 1, partition="", key=""))
    await write(rows, replace(schema, becoming=0, since=""))
    return True


async def _pages(rows: Rows, schema: Schema) -> AsyncIterator[list[Row]]:
    """All rows behind the one that was done last."""
    page: list[Row] = []
    async for row in rows.scan(schema.partition, schema.key):
        page.append(row)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


async def _change(rows: Rows, page: Sequence[Row], step: Step) -> None:
    """What is made beside the rows first, then the rows, those of a partition together."""
    ops: dict[str, list[Op]] = {}
    for row in page:
        if (row.partition, row.key) in OURS:
            continue
        op = await _prepared(rows, row, step)
        if op:
            ops.setdefault(row.partition, []).append(op)
    for partition, wanted in ops.items():
        for part in transactions([[op] for op in wanted], PAGE):
            try:
                await rows.transact(partition, part)
            except Conflict:
                for op in part:
                    await _one(rows, partition, op.key, step)


async def _one(rows: Rows, partition: str, key: str, step: Step) -> None:
    """One row, whatever others do to it meanwhile."""
    for _ in range(TRIES):
        row = await rows.get(partition, key)
        op = await _prepared(rows, row, step) if row else None
        if op is None:
            return
        try:
            await rows.transact(partition, [op])
        except Conflict:
            continue
        return
    raise Conflict(0, key)


async def _prepared(rows: Rows, row: Row, step: Step) -> Op | None:
    """The change of a row, None = it stays as it is; what belongs beside it is written."""
    becomes: Becomes = step(row)
    for made in becomes.beside:
        await rows.transact(made.partition, [Put(made.key, made.data)])
    if becomes.data is None:
        return Drop(row.key, row.etag)
    return None if dict(becomes.data) == dict(row.data) else Replace(row.key, becomes.data, row.etag)
