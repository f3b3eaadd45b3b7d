"""How far the comparison in full has come that a change of settings or mapping asked for. Reads mailboxes' rows only, and notes its end.

Once every mailbox was compared that is noted, and nothing but the note is read from then on. While it is under way a large office is counted
twice a minute at most, however often somebody looks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sync import progress
from sync.store.base import Conflict, Put, Replace, Rows
from sync.store.mailboxes import MailboxRow
from sync.store.registry import Registry

PARTITION, KEY = "control", "resync"
SHOWN = 25
LIVE = 200
"""Up to so many mailboxes are counted at each look."""
FRESH = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Resync:
    """`since`: when settings or mapping moved last, ISO UTC, '' = never; `why`: what moved. `done`: of the `mailboxes` that take part, those
    compared in full since. `waiting`: the first 25 ids of the others. `items`, `items_done`: of mailboxes that are half compared.
    """

    since: str = ""
    why: str = ""
    mailboxes: int = 0
    done: int = 0
    waiting: tuple[str, ...] = ()
    items: int = 0
    items_done: int = 0

    @property
    def ended(self) -> bool:
        return self.done == self.mailboxes


def summary(since: str, why: str, rows: Collection[MailboxRow]) -> Resync:
    """Pure. Mailboxes that are switched off take no part."""
    mine = [row for row in rows if row.enabled]
    waiting = [row for row in mine if not compared_since(row, since)]
    found = [progress.items(progress.read(row.progress)) for row in waiting]
    return Resync(
        since,
        why,
        len(mine),
        len(mine) - len(waiting),
        tuple(row.id for row in waiting[:SHOWN]),
        sum(items for items, _ in found),
        sum(done for _, done in found),
    )


def compared_since(row: MailboxRow, since: str) -> bool:
    """Was every family of the mailbox compared in full since then?"""
    at = progress.compared_at(progress.read(row.progress))
    return not row.full and bool(at) and at >= since


async def begin_resync(rows: Rows, now: datetime, why: str) -> None:
    """Settings or mapping moved, and every mailbox will be compared in full."""
    await rows.transact(PARTITION, [Put(KEY, {"since": now.isoformat(timespec="seconds"), "why": why})])


async def resync(registry: Registry, now: datetime) -> Resync:
    """How far it has come; all empty when nothing ever moved."""
    row = await registry.rows.get(PARTITION, KEY)
    if row is None:
        return Resync()
    data = {name: value for name, value in row.data.items() if name in Resync.__dataclass_fields__}
    noted = Resync(**{**data, "waiting": tuple(str(data.get("waiting", "")).split())})  # type: ignore[arg-type]
    at = str(row.data.get("counted_at", ""))
    if at and (noted.ended or (noted.mailboxes > LIVE and now - datetime.fromisoformat(at) < FRESH)):
        return noted
    found = summary(noted.since, noted.why, await registry.mailboxes())
    if found.ended or found.mailboxes > LIVE:
        counted = {**asdict(found), "waiting": " ".join(found.waiting), "counted_at": now.isoformat()}
        try:
            await registry.rows.transact(PARTITION, [Replace(KEY, counted, row.etag)])
        except Conflict:
            return found  # another look noted it, or it begins anew
    return found
