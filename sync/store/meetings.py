"""What all mailboxes share about meetings: who keeps one whose organizer is not connected, and where the events of an iCalUId lie.

Partition `meetings`: `k|<handle>` -> the mailbox that keeps the CRM's event of this meeting; `n|<handle>` -> organizer's mailbox and event of an
iCalUId that no CRM record carries. A handle is a keyed digest, so that no iCalUId or address stands in the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.store.base import Conflict, Insert, Op, Put, Replace, Rows

PARTITION = "meetings"
CLAIM = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the organizer's event lies."""

    mailbox: str
    event: str


class Meetings:
    """The rows of all meetings."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def keep(self, handle: str, mailbox: str, holding: Collection[str], now: datetime) -> bool:
        """May `mailbox` keep this meeting? Whoever asked first does, as long as it is among those `holding` a copy of the CRM's event;
        for a quarter of an hour also without one, because it is just making it.
        """
        row = await self._rows.get(PARTITION, f"k|{handle}")
        fresh = row is not None and now - datetime.fromisoformat(str(row.data["since"])) < CLAIM
        if row is not None and row.data["mailbox"] != mailbox and (fresh or row.data["mailbox"] in holding):
            return False
        if row is not None and row.data["mailbox"] == mailbox and (fresh or mailbox in holding):
            return True
        data: dict[str, str | int | bool] = {"mailbox": mailbox, "since": now.isoformat(timespec="seconds")}
        op: Op = Replace(f"k|{handle}", data, row.etag) if row else Insert(f"k|{handle}", data)
        try:
            await self._rows.transact(PARTITION, [op])
        except Conflict:
            return False  # somebody was faster: asked again in the next run
        return True

    async def name(self, places: Mapping[str, Place]) -> None:
        """Remember where the events of these handles lie."""
        items = sorted(places.items())
        for start in range(0, len(items), 100):
            ops = [
                Put(f"n|{handle}", {"mailbox": place.mailbox, "event": place.event})
                for handle, place in items[start : start + 100]
            ]
            await self._rows.transact(PARTITION, ops)

    async def named(self, handles: Sequence[str]) -> dict[str, Place]:
        """Where the events of these handles lie, as far as that is known."""
        rows = await asyncio.gather(*(self._rows.get(PARTITION, f"n|{handle}") for handle in handles))
        return {
            handle: Place(str(row.data["mailbox"]), str(row.data["event"]))
            for handle, row in zip(handles, rows, strict=True)
            if row
        }
