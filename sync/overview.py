"""All mailboxes in a few numbers, kept in one row: a status of thousands of mailboxes reads no list.

Every tick counts anew, because it reads the mailboxes' rows anyway. In between a small office is counted at each look, and so is a large one when a
command changed a mailbox (then the row is dropped: `Registry.change_mailbox`) or the count is old. It is a cache: the last writer wins.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sync import progress
from sync.errors import SIGN_IN
from sync.store.base import Put
from sync.store.mailboxes import OVERVIEW, MailboxRow
from sync.store.registry import Registry

STATES = ("ok", "error", "retrying", "disabled", "leaving", "removed")
SHOWN = 25
LIVE = 200
"""Up to so many mailboxes (or open holds) are counted at each look."""
FRESH = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Overview:
    """`states`: how many mailboxes are in each of `STATES`. `running` now, `filling`: enabled and never compared in full yet.

    `trouble`: ids of those in state error, `reconnect`: of those whose user must sign in (again); the first 25, and how many there are.
    `holds`: questions that wait for an admin.
    """

    states: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    total: int = 0
    running: int = 0
    filling: int = 0
    trouble: tuple[str, ...] = ()
    trouble_count: int = 0
    reconnect: tuple[str, ...] = ()
    reconnect_count: int = 0
    holds: int = 0
    counted_at: str = ""

    @property
    def small(self) -> bool:
        return self.total <= LIVE and self.holds <= LIVE


def state_of(row: MailboxRow) -> str:
    """ok | error | retrying | disabled | leaving | removed."""
    if row.clearing and not row.enabled:
        return row.state if row.state == "error" else "leaving"
    if not row.enabled:
        return "removed" if row.state == "removed" else "disabled"
    return "retrying" if row.state == "ok" and row.cause else row.state


def is_running(row: MailboxRow, now: datetime) -> bool:
    return bool(row.holder) and row.expires > now.isoformat()


def is_filling(row: MailboxRow) -> bool:
    """Is this its first synchronisation?"""
    return row.enabled and not progress.compared_at(progress.read(row.progress))


def count(rows: Collection[MailboxRow], holds: int, now: datetime) -> Overview:
    """Pure."""
    states = {row.id: state_of(row) for row in rows}
    trouble = [row for row in rows if states[row.id] == "error"]
    reconnect = [row.id for row in trouble if row.cause in SIGN_IN]
    return Overview(
        {**dict.fromkeys(STATES, 0), **Counter(states.values())},
        len(rows),
        sum(is_running(row, now) for row in rows),
        sum(is_filling(row) for row in rows),
        tuple(row.id for row in trouble[:SHOWN]),
        len(trouble),
        tuple(reconnect[:SHOWN]),
        len(reconnect),
        holds,
        now.isoformat(timespec="seconds"),
    )


async def note(registry: Registry, rows: Collection[MailboxRow], now: datetime) -> Overview:
    """Count these mailboxes, which are all, and keep the result."""
    counted = await _counted(registry, rows, now)
    partition, key = OVERVIEW
    await registry.rows.transact(partition, [Put(key, {"counts": json.dumps(asdict(counted))})])
    return counted


async def overview(registry: Registry, now: datetime) -> Overview:
    """As it was counted last, or counted now."""
    row = await registry.rows.get(*OVERVIEW)
    noted = _noted(str(row.data["counts"])) if row else None
    if noted is None:
        return await note(registry, await registry.mailboxes(), now)
    if noted.small:
        return await _counted(registry, await registry.mailboxes(), now)
    if now - datetime.fromisoformat(noted.counted_at) < FRESH:
        return noted
    return await note(registry, await registry.mailboxes(), now)


async def _counted(registry: Registry, rows: Collection[MailboxRow], now: datetime) -> Overview:
    waiting = [hold for hold in await registry.holds() if hold.state == "open"]
    return count(rows, len(waiting), now)


def _noted(text: str) -> Overview:
    found = json.loads(text)
    return Overview(**{**found, "trouble": tuple(found["trouble"]), "reconnect": tuple(found["reconnect"])})
