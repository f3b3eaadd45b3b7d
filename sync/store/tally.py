"""What runs did, by the hour: items written by kind and side, and failures. Numbers only, kept for two days; the panel draws them.

A partition `tally`; a row for each hour and shard of mailboxes, so that many runs that end at once do not wait for one row.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sync.model import Kind, Side
from sync.store.base import MAX_OPS, Conflict, Drop, Insert, Op, Replace, Rows

PARTITION = "tally"
SHARDS = 8
KEPT = timedelta(hours=48)
FAILURES, RUNS = "failures", "runs"
_TRIES = 10


def column(kind: Kind, side: Side) -> str:
    """Name of the number of items of that kind that were written to that side."""
    return f"{side.value}_{kind.value}"


class Tally:
    """Adds and reads the numbers."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def add(self, mailbox: str, done: Mapping[tuple[Kind, Side], int], now: datetime, failures: int = 0) -> bool:
        """A run ended. Nothing done and no failure: nothing is written. False: too many write at once, the numbers are left out."""
        added = Counter({column(kind, side): number for (kind, side), number in done.items() if number})
        if not added and not failures:
            return True
        added.update({RUNS: 1, FAILURES: failures})
        key = f"{_hour(now)}|{zlib.crc32(mailbox.encode()) % SHARDS}"
        for _ in range(_TRIES):
            row = await self._rows.get(PARTITION, key)
            sums = Counter({name: int(number) for name, number in row.data.items()} if row else {})
            sums.update(added)
            op: Op = Replace(key, dict(sums), row.etag) if row else Insert(key, dict(sums))
            try:
                await self._rows.transact(PARTITION, [op])
            except Conflict:
                continue
            return True
        return False

    async def last(self, hours: int, now: datetime) -> dict[str, Counter[str]]:
        """Hour (ISO UTC) -> numbers by name, the oldest first, also of hours in which nothing was done."""
        found: dict[str, Counter[str]] = {_hour(now - timedelta(hours=n)): Counter() for n in reversed(range(hours))}
        async for row in self._rows.query(PARTITION, next(iter(found))):
            hour = row.key.partition("|")[0]
            if hour in found:
                found[hour].update({name: int(number) for name, number in row.data.items()})
        return found

    async def tidy(self, now: datetime) -> None:
        """Drop what is older than two days."""
        old = [row.key async for row in self._rows.query(PARTITION, "", _hour(now - KEPT), MAX_OPS)]
        await self._rows.transact(PARTITION, [Drop(key) for key in old])


def _hour(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0).isoformat(timespec="seconds")
