"""Rows that are read as they are, and written nowhere: what a preview writes stays in memory, over the real rows. Implements `base.Rows`.

Nothing of it may outlive the preview, and nobody else sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from sync.store.base import Conflict, Drop, Op, Row, Rows, check, plain
from sync.store.memory import copied, holds, order


class OverlayRows:
    """`real` is only read."""

    def __init__(self, real: Rows) -> None:
        self._real = real
        self._partitions: dict[str, dict[str, Row | None]] = {}  # None: dropped here
        self._writes = 0
        self._turn = asyncio.Lock()

    async def get(self, partition: str, key: str) -> Row | None:
        mine = self._partitions.get(partition, {})
        if key not in mine:
            return await self._real.get(partition, key)
        await asyncio.sleep(0)  # others go first, as over the network
        row = mine[key]
        return copied(row) if row else None

    async def query(self, partition: str, first: str = "", last: str = "", limit: int = 0) -> AsyncIterator[Row]:
        """As `Rows.query`, over the rows of here as they were when the iteration began."""
        given = 0
        async for row in self._both(partition, first, last, limit):
            yield row
            given += 1
            if given == limit:
                return

    async def scan(self, partition: str = "", key: str = "") -> AsyncIterator[Row]:
        """As `Rows.scan`: partition after partition of both. No preview looks at every row; it costs what the real ones cost."""
        found = {each.partition async for each in self._real.scan(partition)} | {partition} | set(self._partitions)
        for name in sorted((each for each in found if each and order(each) >= order(partition)), key=order):
            async for row in self.query(name):
                if name != partition or order(row.key) > order(key):
                    yield row

    async def _both(self, partition: str, first: str, last: str, limit: int) -> AsyncIterator[Row]:
        mine = dict(self._partitions.get(partition, {}))
        low, high = order(first), order(last)
        added = [key for key, row in mine.items() if row and low <= order(key) and (not last or order(key) < high)]
        waiting = sorted(added, key=order)
        hidden = sum(1 for key in mine if low <= order(key) and (not last or order(key) < high))
        async for row in self._real.query(partition, first, last, limit and limit + hidden):
            while waiting and order(waiting[0]) < order(row.key):
                if found := mine[waiting.pop(0)]:
                    yield copied(found)
            if row.key not in mine:
                yield row
            elif waiting and waiting[0] == row.key and (found := mine[waiting.pop(0)]):
                yield copied(found)
        for key in waiting:
            if found := mine[key]:
                yield copied(found)

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        """As `Rows.transact`, in memory."""
        check(partition, ops)
        async with self._turn:
            for index, op in enumerate(ops):
                if not holds(op, await self.get(partition, op.key)):
                    raise Conflict(index, op.key)
            rows = self._partitions.setdefault(partition, {})
            return [self._write(rows, partition, op) for op in ops]

    def written(self, partition: str) -> list[Row]:
        """The rows of a partition that were written here and nowhere else, in the order of their keys."""
        rows = self._partitions.get(partition, {})
        return [copied(row) for key in sorted(rows, key=order) if (row := rows[key])]

    def _write(self, rows: dict[str, Row | None], partition: str, op: Op) -> str:
        if isinstance(op, Drop):
            rows[op.key] = None
            return ""
        self._writes += 1
        row = Row(partition, op.key, plain(op.data), f'W/"overlay{self._writes}"')
        rows[op.key] = row
        return row.etag
