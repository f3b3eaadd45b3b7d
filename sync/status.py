"""What an admin sees of the connector: states, counts and ids - no names, no addresses, no sentences. Reads only."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.connector import Connector
from sync.overview import is_running, overview, state_of
from sync.store.registry import MailboxRow
from sync.store.servers import Server
from sync.tick import last_sweep

EVERY_MINUTES = re.compile(r"0 \*/([1-9]|[1-5]\d) \* \* \* \*")


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """One mailbox. `state`: see `overview.state_of`. `comparing`: a comparison in full is due or under way; `first`: the first one.

    `pending`: what was not settled when the last run ended, by reason; `items`, `items_done`: of a long run that is under way.
    """

    mailbox: str
    user: str
    state: str
    cause: str
    attempts: int
    due_at: str
    running: bool
    last_run: str
    last_counts: Mapping[str, int]
    pending: Mapping[str, int]
    holds: int
    comparing: bool
    compared_at: str
    first: bool
    items: int
    items_done: int


@dataclass(frozen=True, slots=True)
class Status:
    """The whole. `missing`: settings that are needed before anything can run. `secret_days_left`: None when nobody said when it ends.

    `every`: seconds between two sweeps, 0 = the schedule is no regular one. `mailboxes`: how many there are by state; `trouble` and
    `reconnect`: the first ids of those in error and of those whose user must sign in (again), `counted_at`: when that was counted.
    """

    state: str
    cause: str
    since: str
    by: str
    attempts: int
    servers: tuple[Server, ...]
    restored_by: str
    restored_at: str
    missing: tuple[str, ...]
    last_run: str
    next_run: str
    every: int
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    holds: int
    mailboxes: Mapping[str, int]
    running: int
    trouble: tuple[str, ...]
    reconnect: tuple[str, ...]
    reconnecting: int
    counted_at: str


async def status(connector: Connector, schedule: str) -> Status:
    """Everything but the single mailboxes. The same few reads however many there are."""
    board = await connector.board.read()
    state = await connector.state(board)
    directory = await connector.users.state()
    seen = await overview(connector.registry, connector.now())
    expires = (await connector.settings.read()).client_secret_expires
    planned = next_run(schedule, connector.now()) if state == "running" else ""
    return Status(
        state=state,
        cause=board.cause,
        since=board.since,
        by=board.by,
        attempts=board.attempts,
        servers=board.trouble,
        restored_by=board.restored_by,
        restored_at=board.restored_at,
        missing=await connector.missing(),
        last_run=board.last_sweep,
        next_run=max(planned, board.due_at) if planned else "",
        every=interval(schedule),
        sweep=await last_sweep(connector),
        directory_read_at=directory.read_at,
        directory_missing=directory.braked,
        secret_days_left=(expires - connector.now().date()).days if expires else None,
        holds=sum(1 for hold in await connector.registry.holds() if hold.state == "open"),
        mailboxes=seen.states,
        running=seen.running,
        trouble=tuple(seen.trouble),
        reconnect=tuple(seen.reconnect),
        reconnecting=seen.reconnecting,
        counted_at=seen.at,
    )


async def mailboxes(connector: Connector, after: str, limit: int) -> list[MailboxStatus]:
    """The next ones in the order of their ids."""
    return await _shown(connector, await connector.registry.mailboxes_from(after, limit))


async def named(connector: Connector, ids: Sequence[str]) -> list[MailboxStatus]:
    """These mailboxes, as far as they are there."""
    rows = await asyncio.gather(*(connector.registry.mailbox(id_) for id_ in ids))
    return await _shown(connector, [row for row in rows if row is not None])


async def _shown(connector: Connector, rows: Sequence[MailboxRow]) -> list[MailboxStatus]:
    holds = Counter(hold.mailbox for hold in await connector.registry.holds() if hold.state == "open")
    return [_mailbox(row, holds[row.id], connector.now()) for row in rows]


def interval(schedule: str) -> int:
    """Seconds between two runs of a schedule of every n minutes; 0 for any other schedule."""
    found = EVERY_MINUTES.fullmatch(schedule)
    return int(found[1]) * 60 if found else 0


def next_run(schedule: str, now: datetime) -> str:
    """When a schedule of every n minutes is next due; '' for any other schedule."""
    every = interval(schedule) // 60
    if not every:
        return ""
    moment = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment.minute % every:
        moment += timedelta(minutes=1)
    return moment.isoformat(timespec="seconds")


def _mailbox(row: MailboxRow, holds: int, now: datetime) -> MailboxStatus:
    return MailboxStatus(
        mailbox=row.id,
        user=row.user,
        state=state_of(row),
        cause=row.cause,
        attempts=row.attempts,
        due_at=row.due_at,
        running=is_running(row, now),
        last_run=row.last_run,
        last_counts=_counts(row.counts),
        pending=_counts(row.waits),
        holds=holds,
        comparing=row.enabled and (row.full or not row.compared_at),
        compared_at=row.compared_at,
        first=row.enabled and not row.compared_at,
        items=row.items,
        items_done=row.items_done,
    )


def _counts(text: str) -> dict[str, int]:
    """`reason=number` pairs, as the worker writes them."""
    pairs = (part.partition("=") for part in text.split())
    return {name: int(number) for name, _, number in pairs}
