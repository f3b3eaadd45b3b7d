"""The store in memory: an exact twin of `tables.TableRows`, for the simulator and for unit tests.

It keeps the service's promises (atomic transactions, an ETag that moves at every write, keys in UTF-16 order) and refuses what
the service refuses. It never does I/O and never outlives its process; every operation lets other tasks go first, as a call over
the network would, so that races show up here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from sync.store.base import Conflict, Drop, Insert, Op, Put, Replace, Row, check, check_key, plain

Hook = Callable[[str], None]


class MemoryRows:
    """Rows in dictionaries. Implements `base.Rows`.

    before: called with 'get' | 'query' | 'scan' | 'transact' as each operation begins; after: called with 'transact' when a transaction
    was stored. Either may raise: that is a crash before, or after, the commit.
    """

    def __init__(self, before: Hook | None = None, after: Hook | None = None) -> None:
        self.before, self.after = before, after
        self._partitions: dict[str, dict[str, Row]] = {}
        self._writes = 0

    async def get(self, partition: str, key: str) -> Row | None:
        check_key(partition)
        check_key(key)
        await self._begin("get")
        row = self._partitions.get(partition, {}).get(key)
        return copied(row) if row else None

    async def query(self, partition: str, first: str = "", last: str = "", limit: int = 0) -> AsyncIterator[Row]:
        """As `Rows.query`, over the rows as they were when the iteration began."""
        check_key(partition)
        await self._begin("query")
        low, high = order(first), order(last)
        places = sorted((order(key), key) for key in self._partitions.get(partition, {}))
        chosen = [key for place, key in places if low <= place and (not last or place < high)]
        for row in [self._partitions[partition][key] for key in chosen[: limit or None]]:
            yield copied(row)

    async def scan(self, partition: str = "", key: str = "") -> AsyncIterator[Row]:
        """As `Rows.scan`, over the rows as they were when the iteration began."""
        await self._begin("scan")
        behind = (order(partition), order(key))
        for row in self.everything():
            if (order(row.partition), order(row.key)) > behind:
                yield row

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        """As `Rows.transact`. Nothing awaits between the first guard checked and the last row written."""
        check(partition, ops)
        if not ops:
            return []
        await self._begin("transact")
        rows = self._partitions.setdefault(partition, {})
        for index, op in enumerate(ops):
            if not holds(op, rows.get(op.key)):
                raise Conflict(index, op.key)
        etags = [self._write(rows, partition, op) for op in ops]
        if self.after is not None:
            self.after("transact")
        return etags

    def everything(self) -> list[Row]:
        """Every row there is, by partition and key: for a test that looks for what must not be stored. Calls no hook."""
        return [copied(rows[key]) for _, rows in self._in_order() for key in sorted(rows, key=order)]

    def _in_order(self) -> list[tuple[str, dict[str, Row]]]:
        return sorted(self._partitions.items(), key=lambda each: order(each[0]))

    async def _begin(self, operation: str) -> None:
        if self.before is not None:
            self.before(operation)
        await asyncio.sleep(0)

    def _write(self, rows: dict[str, Row], partition: str, op: Op) -> str:
        if isinstance(op, Drop):
            rows.pop(op.key, None)
            return ""
        self._writes += 1
        row = Row(partition, op.key, plain(op.data), f'W/"{self._writes}"')
        rows[op.key] = row
        return row.etag


def holds(op: Op, row: Row | None) -> bool:
    match op:
        case Insert():
            return row is None
        case Put() | Drop(etag=None):
            return True
        case Replace(etag=etag) | Drop(etag=etag):
            return row is not None and row.etag == etag


def order(key: str) -> bytes:
    """The service sorts keys by UTF-16 unit, so an astral character comes before U+E000; Python's own order differs there."""
    return key.encode("utf-16-be", "surrogatepass")


def copied(row: Row) -> Row:
    return Row(row.partition, row.key, dict(row.data), row.etag)
