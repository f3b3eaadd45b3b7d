"""Messages that failed so often that the queue gave them up: which, when, and with what. I/O.

They are shown until the mailbox ran well or the state was restored. Nothing is lost with them: messages are hints, and a later tick queues what
is due.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sync.store.base import MAX_OPS, Conflict, Drop, Put, Row, Rows
from sync.store.registry import Registry

PARTITION = "poison"
SWEEP = "sweep"
_FAILED = "~"
SHOWN = 25


@dataclass(frozen=True, slots=True)
class Poisoned:
    """`mailbox` '' = a sweep, or a message that was none of ours. `error`: the type of what went wrong last, `id`: under which the log says more."""

    mailbox: str
    at: str
    error: str
    id: str


async def failed(rows: Rows, mailbox: str, error: str, id_: str) -> None:
    """A message's work failed. It comes again, or is given up."""
    await rows.transact(PARTITION, [Put(f"{_FAILED}{mailbox or SWEEP}", {"error": error, "id": id_})])


async def note(rows: Rows, mailbox: str, now: datetime) -> None:
    """A message was given up."""
    row = await rows.get(PARTITION, f"{_FAILED}{mailbox or SWEEP}")
    why = {"error": str(row.data["error"]), "id": str(row.data["id"])} if row else {"error": "", "id": ""}
    await rows.transact(PARTITION, [Put(mailbox or SWEEP, {"at": now.isoformat(timespec="seconds"), **why})])


async def given_up(registry: Registry) -> list[Poisoned]:
    """Those that still matter, at most SHOWN."""
    found: list[Poisoned] = []
    async for row in registry.rows.query(PARTITION, last=_FAILED):
        if len(found) < SHOWN and not await _well(registry, row):
            found.append(Poisoned(_mailbox(row), *(str(row.data[name]) for name in ("at", "error", "id"))))
    return found


async def tidy(registry: Registry) -> None:
    """Forget those that matter no more."""
    rows = registry.rows
    for row in [row async for row in rows.query(PARTITION, last=_FAILED) if await _well(registry, row)]:
        with suppress(Conflict):  # another one was given up meanwhile
            await rows.transact(PARTITION, [Drop(row.key, row.etag), Drop(f"{_FAILED}{row.key}")])


def _mailbox(row: Row) -> str:
    return "" if row.key == SWEEP else row.key


async def _well(registry: Registry, row: Row) -> bool:
    """Did the mailbox end a run since?"""
    present = await registry.mailbox(mailbox) if (mailbox := _mailbox(row)) else None
    return present is not None and present.last_run >= str(row.data["at"])


async def forget(rows: Rows) -> None:
    """The state was restored."""
    keys = [row.key async for row in rows.query(PARTITION)]
    for start in range(0, len(keys), MAX_OPS):
        await rows.transact(PARTITION, [Drop(key) for key in keys[start : start + MAX_OPS]])
