"""What an admin sees of the connector: states, counts and ids - no names, no addresses, no sentences. Reads only, but for the overview it keeps."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync import progress, watches
from sync.connector import Connector
from sync.errors import SIGN_IN
from sync.overview import Overview, is_filling, is_running, overview, state_of
from sync.poison import Poisoned, given_up
from sync.store.asking import HoldRow
from sync.store.mailboxes import MailboxRow
from sync.store.schema import misfit
from sync.store.servers import ATTEMPTS, Server
from sync.store.strangers import Strangers, strangers
from sync.tick import last_sweep

EVERY_MINUTES = re.compile(r"0 \*/([1-9]|[1-5]\d) \* \* \* \*")
TROUBLE = "trouble"


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """One mailbox as its last run left it. `state`: ok | error | retrying | disabled | leaving | removed.

    `comparing`: a comparison in full is due or under way; of it `items` and how many of them are done (0 and 0: not known, or none). `first`: it
    is the mailbox's first; `compared_at`: when the last one ended. `watched`: families of whose changes Microsoft 365 tells us, `watch_cause`: why
    not of all.
    """

    mailbox: str
    user: str
    state: str
    cause: str
    attempts: int
    due_at: str
    watched: Sequence[str]
    watch_cause: str
    running: bool
    last_run: str
    last_run_began: str
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
    """The whole. `missing`: settings that are needed before anything can run. `secret_days_left`: None when nobody said when it ends."""

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
    last_run_began: str
    next_run: str
    every: int
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    poison: tuple[Poisoned, ...]
    strangers: Strangers
    mailboxes: Overview


async def status(connector: Connector, schedule: str) -> Status:
    """Everything that the status shows: a handful of rows, however many mailboxes there are."""
    board, directory, settings, missing, swept, counted = await asyncio.gather(
        connector.board.read(),
        connector.users.state(),
        connector.settings.read(),
        connector.missing(),
        last_sweep(connector),
        overview(connector.registry, connector.now()),
    )
    poison, foreign = await asyncio.gather(given_up(connector.registry), strangers(connector.registry.rows))
    state = await connector.state(board)
    unfit = await misfit(connector.registry.rows) if state == "paused" else None
    expires = settings.client_secret_expires
    planned = next_run(schedule, connector.now()) if state == "running" else ""
    return Status(
        state=state,
        cause=unfit.value if unfit else board.cause,
        since=board.since,
        by=board.by,
        attempts=ATTEMPTS if state == "stopped" else board.attempts,  # the board forgets the count with the server
        servers=board.trouble,
        restored_by=board.restored_by,
        restored_at=board.restored_at,
        missing=missing,
        last_run=board.last_sweep,
        last_run_began=board.sweep_began,
        next_run=max(planned, board.due_at) if planned else "",
        every=interval(schedule),
        sweep=swept,
        directory_read_at=directory.read_at,
        directory_missing=directory.braked,
        secret_days_left=(expires - connector.now().date()).days if expires else None,
        poison=tuple(poison),
        strangers=foreign,
        mailboxes=counted,
    )


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


async def mailboxes(connector: Connector, after: str, limit: int, which: str = "") -> list[MailboxStatus]:
    """At most `limit` mailboxes by id, those behind `after`. `which`: trouble | reconnect, only those."""
    registry = connector.registry
    reading = _in_error(connector, which, after, limit) if which else registry.mailboxes(after, limit)
    rows, holds = await asyncio.gather(reading, registry.holds())
    return _shown(rows, holds, connector.now())


async def mailbox(connector: Connector, id_: str) -> MailboxStatus | None:
    """One mailbox, None when there is no such."""
    row, holds = await asyncio.gather(connector.registry.mailbox(id_), connector.registry.holds())
    return _shown([row], holds, connector.now())[0] if row else None


async def _in_error(connector: Connector, which: str, after: str, limit: int) -> list[MailboxRow]:
    """As they are now. Of those that the agenda names as many are read as are shown."""
    registry, found = connector.registry, list[MailboxRow]()
    while len(found) < limit:
        ids = await registry.in_error(after, limit)
        rows = await asyncio.gather(*(registry.mailbox(id_) for id_ in ids))
        found += [row for row in rows if row and _is(row, which)]
        if len(ids) < limit:
            break
        after = ids[-1]
    return found[:limit]


def _is(row: MailboxRow, which: str) -> bool:
    return state_of(row) == "error" and (which == TROUBLE or row.cause in SIGN_IN)


def _shown(rows: Sequence[MailboxRow], holds: Sequence[HoldRow], now: datetime) -> list[MailboxStatus]:
    waiting = Counter(hold.mailbox for hold in holds if hold.state == "open")
    return [_status(row, waiting[row.id], now) for row in rows]


def _status(row: MailboxRow, holds: int, now: datetime) -> MailboxStatus:
    families, subscribed = progress.read(row.progress), watches.read(row.watches)
    compared_at = progress.compared_at(families)
    items, items_done = progress.items(families)
    return MailboxStatus(
        mailbox=row.id,
        user=row.user,
        state=state_of(row),
        cause=row.cause,
        attempts=row.attempts,
        due_at=row.due_at,
        watched=sorted(family.value for family in subscribed.families(now)),
        watch_cause=subscribed.cause,
        running=is_running(row, now),
        last_run=row.last_run,
        last_run_began=row.began_at,
        last_counts=progress.counts_of(row.counts),
        pending=progress.pending(families),
        holds=holds,
        comparing=row.enabled and (row.full or not compared_at),
        compared_at=compared_at,
        first=is_filling(row),
        items=items,
        items_done=items_done,
    )
