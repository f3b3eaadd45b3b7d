"""All mailboxes at a glance: how many are in which state, which need somebody, how far a re-synchronisation has come (SPEC 4.5).

A picture that the tick draws, since it reads all rows anyway, and that is drawn anew when it is old, missing, or cheap to draw. Kept in one row;
whoever writes last is right enough. Ids only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sync.errors import SIGN_IN
from sync.resync import Began, began, compared_since
from sync.store.base import Drop, Put, Rows
from sync.store.registry import MailboxRow, Registry

PARTITION, KEY = "control", "overview"
FEW = 200
"""So many mailboxes are counted anew each time somebody looks."""
OLD, OLD_WHILE_COMPARING = timedelta(minutes=10), timedelta(seconds=20)
NAMED = 25
"""How many ids of each sort are kept."""


@dataclass(frozen=True, slots=True)
class Overview:
    """`at`: when it was drawn. `trouble`, `reconnect`, `waiting`: the first ids of mailboxes in error, of those whose user must sign in, and of
    those that a re-synchronisation has not compared yet; how many there are: `states["error"]`, `reconnecting`, `mailboxes - compared`.

    `mailboxes`: that take part in a re-synchronisation; `items`, `items_done`: of those that are under way.
    """

    at: str = ""
    total: int = 0
    running: int = 0
    states: Mapping[str, int] = field(default_factory=dict)
    trouble: Sequence[str] = ()
    reconnect: Sequence[str] = ()
    reconnecting: int = 0
    since: str = ""
    why: str = ""
    mailboxes: int = 0
    compared: int = 0
    waiting: Sequence[str] = ()
    items: int = 0
    items_done: int = 0


def state_of(row: MailboxRow) -> str:
    """ok | error | retrying | disabled | leaving | removed."""
    if row.clearing and not row.enabled:
        return row.state if row.state == "error" else "leaving"
    if not row.enabled:
        return "removed" if row.state == "removed" else "disabled"
    return "retrying" if row.state == "ok" and row.cause else row.state


def drawn(rows: Sequence[MailboxRow], resync: Began, now: datetime) -> Overview:
    """The picture. Pure."""
    trouble = [row for row in rows if state_of(row) == "error"]
    reconnect = [row.id for row in trouble if row.cause in SIGN_IN]
    mine = [row for row in rows if row.enabled] if resync.since else []
    waiting = [row for row in mine if not compared_since(row, resync.since)]
    return Overview(
        at=now.isoformat(timespec="seconds"),
        total=len(rows),
        running=sum(1 for row in rows if is_running(row, now)),
        states=dict(sorted(Counter(state_of(row) for row in rows).items())),
        trouble=tuple(row.id for row in trouble[:NAMED]),
        reconnect=tuple(reconnect[:NAMED]),
        reconnecting=len(reconnect),
        since=resync.since,
        why=resync.why,
        mailboxes=len(mine),
        compared=len(mine) - len(waiting),
        waiting=tuple(row.id for row in waiting[:NAMED]),
        items=sum(row.items for row in waiting),
        items_done=sum(row.items_done for row in waiting),
    )


def is_running(row: MailboxRow, now: datetime) -> bool:
    return bool(row.holder) and row.expires > now.isoformat()


async def overview(registry: Registry, now: datetime) -> Overview:
    """The picture, at most ten minutes old; while a re-synchronisation is under way twenty seconds."""
    kept = await _kept(registry.rows)
    if kept is not None and kept.total > FEW:
        most = OLD_WHILE_COMPARING if kept.compared < kept.mailboxes else OLD
        if now - datetime.fromisoformat(kept.at) < most:
            return kept
    return await draw(registry, await registry.mailboxes(), now)


async def draw(registry: Registry, rows: Sequence[MailboxRow], now: datetime) -> Overview:
    """Draw it from these rows, and keep it."""
    found = drawn(rows, await began(registry.rows), now)
    await registry.rows.transact(PARTITION, [Put(KEY, {"overview": json.dumps(asdict(found))})])
    return found


async def forget(rows: Rows) -> None:
    """Somebody changed what it shows: it is drawn anew when it is looked at."""
    await rows.transact(PARTITION, [Drop(KEY)])


async def _kept(rows: Rows) -> Overview | None:
    row = await rows.get(PARTITION, KEY)
    return Overview(**json.loads(str(row.data["overview"]))) if row else None
