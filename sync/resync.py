"""How far the comparison in full has come that a change of settings or mapping asked for. Reads, and notes when one began."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.model import Family
from sync.store.base import Put, Rows
from sync.store.ledger import Checkpoint, MailboxLedger
from sync.store.registry import MailboxRow, Registry

PARTITION, KEY = "control", "resync"
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Seen:
    """One mailbox's part: the checkpoints of its families; of families that are half compared the links, and how many of them are done."""

    row: MailboxRow
    points: Sequence[Checkpoint]
    items: int = 0
    items_done: int = 0


@dataclass(frozen=True, slots=True)
class Resync:
    """`since`: when settings or mapping moved last, ISO UTC, '' = never; `why`: what moved. `done`: mailboxes compared in full since.

    `waiting`: ids of the others. Of mailboxes that are half compared: links, and how many of them were compared.
    """

    since: str = ""
    why: str = ""
    mailboxes: int = 0
    done: int = 0
    waiting: tuple[str, ...] = ()
    items: int = 0
    items_done: int = 0


def summary(since: str, why: str, mailboxes: Collection[Seen]) -> Resync:
    """Pure. Mailboxes that are switched off take no part."""
    mine = [seen for seen in mailboxes if seen.row.enabled]
    waiting = tuple(seen.row.id for seen in mine if not compared_since(seen, since))
    return Resync(
        since,
        why,
        len(mine),
        len(mine) - len(waiting),
        waiting,
        sum(seen.items for seen in mine),
        sum(seen.items_done for seen in mine),
    )


def compared_since(seen: Seen, since: str) -> bool:
    """Was every family of the mailbox compared in full since then?"""
    return not seen.row.full and all(point.full_at >= since and point.full_at for point in seen.points)


async def begin_resync(rows: Rows, now: datetime, why: str) -> None:
    """Settings or mapping moved, and every mailbox will be compared in full."""
    await rows.transact(PARTITION, [Put(KEY, {"since": now.isoformat(timespec="seconds"), "why": why})])


async def resync(registry: Registry) -> Resync:
    """How far it has come; all empty when nothing ever moved."""
    noted = await registry.rows.get(PARTITION, KEY)
    if noted is None:
        return Resync()
    return summary(str(noted.data["since"]), str(noted.data["why"]), await seen(registry))


async def seen(registry: Registry) -> list[Seen]:
    """Every mailbox's checkpoints; links are counted only where a comparison is under way."""
    rows, found = await registry.mailboxes(), []
    for start in range(0, len(rows), AT_ONCE):
        found += await asyncio.gather(*(_seen(registry, row) for row in rows[start : start + AT_ONCE]))
    return found


async def _seen(registry: Registry, row: MailboxRow) -> Seen:
    ledgers = [MailboxLedger(registry.rows, row.id, 0, "", family) for family in Family]  # no fence: for reading only
    points = [await ledger.checkpoint() for ledger in ledgers]
    items = done = 0
    for ledger, point in zip(ledgers, points, strict=True):
        if point.compared and row.enabled:
            ids = [link.crm_id async for link in ledger.links()]
            items += len(ids)
            done += sum(1 for crm_id in ids if crm_id <= point.compared)
    return Seen(row, points, items, done)
