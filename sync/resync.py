"""The comparison in full that a change of settings or mapping asked for: when it began, and which mailbox it has reached. How far: `overview`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.store.base import Put, Rows
from sync.store.registry import MailboxRow

PARTITION, KEY = "control", "resync"


@dataclass(frozen=True, slots=True)
class Began:
    """`since`: when settings or mapping moved last, ISO UTC, '' = never; `why`: what moved."""

    since: str = ""
    why: str = ""


async def begin_resync(rows: Rows, now: datetime, why: str) -> None:
    """Settings or mapping moved, and every mailbox will be compared in full."""
    await rows.transact(PARTITION, [Put(KEY, {"since": now.isoformat(timespec="seconds"), "why": why})])


async def began(rows: Rows) -> Began:
    """The last one; empty when nothing ever moved."""
    noted = await rows.get(PARTITION, KEY)
    return Began(str(noted.data["since"]), str(noted.data["why"])) if noted else Began()


def compared_since(row: MailboxRow, since: str) -> bool:
    """Was everything in this mailbox compared in full since then?"""
    return not row.full and bool(row.compared_at) and row.compared_at >= since
