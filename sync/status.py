"""What an admin sees of the connector: states, counts and ids - no names, no addresses, no sentences. Reads only."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sync.connector import AT_ONCE, Connector
from sync.errors import SIGN_IN
from sync.model import Family
from sync.store.ledger import MailboxLedger
from sync.store.registry import MailboxRow
from sync.store.servers import Server
from sync.tick import last_sweep

EVERY_MINUTES = re.compile(r"0 \*/([1-9]|[1-5]\d) \* \* \* \*")


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """One mailbox. `state`: ok | error | retrying | disabled. `comparing`: a comparison in full is due or under way."""

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


@dataclass(frozen=True, slots=True)
class Status:
    """The whole. `missing`: settings that are needed before anything can run. `secret_days_left`: None when nobody said when it ends.

    `reconnect`: mailboxes whose user must sign in (again).
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
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    reconnect: tuple[str, ...]
    holds: int
    mailboxes: tuple[MailboxStatus, ...]


async def status(connector: Connector, schedule: str) -> Status:
    """Everything that the status shows; one small look into the ledger of each mailbox."""
    board = await connector.board.read()
    state = await connector.state(board)
    holds = Counter(hold.mailbox for hold in await connector.registry.holds() if hold.state == "open")
    directory = await connector.users.state()
    rows = await connector.registry.mailboxes()
    mailboxes: list[MailboxStatus] = []
    for start in range(0, len(rows), AT_ONCE):
        part = rows[start : start + AT_ONCE]
        mailboxes += await asyncio.gather(*(_mailbox(connector, row, holds[row.id]) for row in part))
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
        sweep=await last_sweep(connector),
        directory_read_at=directory.read_at,
        directory_missing=directory.braked,
        secret_days_left=(expires - connector.now().date()).days if expires else None,
        reconnect=tuple(each.mailbox for each in mailboxes if each.state == "error" and each.cause in SIGN_IN),
        holds=holds.total(),
        mailboxes=tuple(mailboxes),
    )


def next_run(schedule: str, now: datetime) -> str:
    """When a schedule of every n minutes is next due; '' for any other schedule."""
    found = EVERY_MINUTES.fullmatch(schedule)
    if not found:
        return ""
    every = int(found[1])
    moment = now.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    while moment.minute % every:
        moment += timedelta(minutes=1)
    return moment.isoformat(timespec="seconds")


async def _mailbox(connector: Connector, row: MailboxRow, holds: int) -> MailboxStatus:
    rows = connector.registry.rows
    ledgers = [MailboxLedger(rows, row.id, 0, "", family) for family in Family]  # no fence: for reading only
    pending: Counter[str] = Counter()
    for ledger in ledgers:
        pending.update(each.because.value for each in await ledger.pending())
    points = [await ledger.checkpoint() for ledger in ledgers]
    compared_at = min(point.full_at for point in points)
    return MailboxStatus(
        mailbox=row.id,
        user=row.user,
        state=state_of(row),
        cause=row.cause,
        attempts=row.attempts,
        due_at=row.due_at,
        running=bool(row.holder) and row.expires > connector.now().isoformat(),
        last_run=row.last_run,
        last_counts=counts_of(row.counts),
        pending=dict(sorted(pending.items())),
        holds=holds,
        comparing=row.enabled and (row.full or not compared_at),
        compared_at=compared_at,
    )


def state_of(row: MailboxRow) -> str:
    """ok | error | retrying | disabled | leaving | removed."""
    if row.clearing and not row.enabled:
        return row.state if row.state == "error" else "leaving"
    if not row.enabled:
        return "removed" if row.state == "removed" else "disabled"
    return "retrying" if row.state == "ok" and row.cause else row.state


def counts_of(text: str) -> dict[str, int]:
    """`reason=number` pairs, as the worker writes them."""
    pairs = (part.partition("=") for part in text.split())
    return {name: int(number) for name, _, number in pairs}
