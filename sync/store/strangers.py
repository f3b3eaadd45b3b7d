"""How many notifications were none of ours: forged, or of subscriptions that another installation made. One row; nothing is decided by it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.store.base import INT32, Conflict, Data, Insert, Op, Replace, Rows

PARTITION, KEY = "control", "strangers"
EVERY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Strangers:
    """`count` since ever, as far as a row can hold it. `last_at`: ISO UTC, '' = there were none."""

    count: int = 0
    last_at: str = ""


class StrangerCount:
    """One per process. Whoever forges notifications costs us a transaction every few seconds and no more: what came since waits for the next one."""

    def __init__(self, rows: Rows) -> None:
        self._rows, self._waiting = rows, 0
        self._stored_at: datetime | None = None

    async def add(self, more: int, now: datetime) -> None:
        self._waiting += more
        if self._stored_at is not None and now - self._stored_at < EVERY:
            return
        self._stored_at = now
        waiting, self._waiting = self._waiting, 0
        row = await self._rows.get(PARTITION, KEY)
        data: Data = {
            "count": min(int(row.data["count"] if row else 0) + waiting, INT32 - 1),
            "last_at": now.isoformat(timespec="seconds"),
        }
        op: Op = Insert(KEY, data) if row is None else Replace(KEY, data, row.etag)
        try:
            await self._rows.transact(PARTITION, [op])
        except Conflict:  # another process counted
            self._waiting += waiting


async def strangers(rows: Rows) -> Strangers:
    """As far as they were stored."""
    row = await rows.get(PARTITION, KEY)
    return Strangers(int(row.data["count"]), str(row.data["last_at"])) if row else Strangers()
