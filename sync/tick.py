"""What the timer and a queue message do: sweep once for everybody, queue runs, run one mailbox and go on with it. I/O.

One sweep at a time, by a lease that expires: two at once would be harmless (marks are idempotent, cursors overlap) but wasteful. Nothing is done
while the connector is killed, in error, stopped or paused, or before a retry is due.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sync import nudges
from sync.agenda import apart
from sync.alone import alone
from sync.connector import CONTINUED, HINT, NUDGE, TOLD, Connector
from sync.errors import RetryLater, StopConnector, StopMailbox
from sync.run import Outcome
from sync.store.base import Put
from sync.store.board import Board
from sync.store.mailboxes import MailboxRow
from sync.store.servers import MICROSOFT
from sync.sweep import Swept, sweep
from sync.upgrading import upgraded
from sync.upkeep import keep_up
from sync.worker import Worker

PARTITION, LAST = "control", "swept"
ADMIN = "admin"
"""Why a sweep was asked for: a person wants everything looked at now."""
AGAIN = 5
"""Seconds until a sweep that somebody asked for, and that found another one under way, is tried again."""


@dataclass(frozen=True, slots=True)
class Ticked:
    """What a tick did. `state`: swept | busy | waiting | failed | upgrading, or why nothing may be done (killed, error, stopped, paused)."""

    state: str
    queued: int = 0
    marked: int = 0


async def tick(connector: Connector, why: str) -> Ticked:
    """Sweep the CRM and queue every mailbox that is due; ADMIN: every mailbox that may run. What it costs grows with them, not with all mailboxes.
    Rows of an earlier version are upgraded first."""
    if not await upgraded(connector):
        return Ticked("upgrading")
    waits = await _waits(connector, await connector.board.read())
    if waits:
        return Ticked(waits)
    async with alone(connector) as mine:
        if not mine:
            return Ticked("busy")
        board = await connector.board.read()  # another may have failed, or killed, before the lease was ours
        waits = await _waits(connector, board)
        if waits:
            return Ticked(waits)
        await nudges.begun(connector.registry.rows)
        try:
            began = connector.now().isoformat()
            await _look_first(connector, board)
            swept = await _sweep(connector)
            answered = {each.server for each in board.trouble} - set(MICROSOFT)  # the sweep needs the store and the CRM
            await connector.board.reached(("crm", *answered), connector.now())
            due = await _due(connector, why)
            if due and not _troubled(board, MICROSOFT):
                await _look_at_mailboxes(connector)
        except (RetryLater, StopConnector, StopMailbox) as error:
            await connector.note(error, board.generation)
            return Ticked("failed")
    await connector.board.change(last_sweep=connector.now().isoformat(), sweep_began=began)
    queued = await connector.enqueue(due, why)
    await keep_up(connector)
    return Ticked("swept", queued, len(swept.marked))


async def _due(connector: Connector, why: str) -> list[str]:
    if why == ADMIN:
        return await _everybody(connector)
    registry, now = connector.registry, connector.now()
    return await (registry.due_now(now) if why == NUDGE else registry.due(now))


async def _everybody(connector: Connector) -> list[str]:
    """All that may run, told to look at everything."""
    ready = [row for row in await connector.registry.mailboxes() if is_due(row, connector.now().isoformat())]
    await connector.change_all(ready, dirty=True)
    return [row.id for row in ready]


async def tick_asked(connector: Connector, why: str) -> Ticked:
    """A tick that somebody asked for: when another sweep is under way, it is asked for again."""
    ticked = await tick(connector, why)
    if ticked.state == "busy":
        await connector.queue.send("", why, AGAIN)
    return ticked


async def run_one(connector: Connector, worker: Worker, mailbox: str, why: str = "") -> Outcome | None:
    """One slice of one mailbox; a continuation is queued when there is more to do."""
    board = await connector.board.read()
    row = await connector.registry.mailbox(mailbox)
    if not await _may_run(connector, board) or (row and row.due_at > connector.now().isoformat()):
        await connector.registry.spent(mailbox)
        return None
    try:
        outcome = await worker.run(mailbox, polls=why not in TOLD)
    except (RetryLater, StopConnector, StopMailbox) as error:  # before its lease: settings or mapping could not be read
        await connector.registry.spent(mailbox)
        await connector.note(error, board.generation)
        return None
    if outcome is None:
        await connector.registry.spent(mailbox)
        await connector.try_again_in_time()
    row = await connector.registry.mailbox(mailbox)
    now = connector.now()
    if row and goes_on(row, now.isoformat()) and await _may_run(connector, await connector.board.read()):
        more = outcome is not None and outcome.unfinished  # else there is only what happened meanwhile
        why = CONTINUED if more else HINT
        await connector.enqueue([mailbox], why, apart(row, now))
    return outcome


def goes_on(row: MailboxRow, now: str) -> bool:
    """Is there something to do at once: more than a slice could do, or what happened during it? Not when a message is on its way, or it runs."""
    there = bool(row.dirty or row.hints)
    return there and is_due(row, now) and row.expires <= now and row.queued_until <= now


def is_due(row: MailboxRow, now: str) -> bool:
    """May this mailbox run now?"""
    return row.works and row.state != "error" and row.due_at <= now


async def last_sweep(connector: Connector) -> dict[str, int]:
    """Counts of the last sweep, {} before the first."""
    row = await connector.registry.rows.get(PARTITION, LAST)
    return dict(json.loads(str(row.data["counts"]))) if row else {}


async def _may_run(connector: Connector, board: Board) -> bool:
    return not board.attempts and not await _waits(connector, board)


async def _waits(connector: Connector, board: Board) -> str:
    """Why nothing may be done now: a state, or `waiting` for the end of a pause; '' = it may."""
    state = await connector.state(board)
    if state != "running":
        return state
    return "waiting" if board.due_at > connector.now().isoformat() else ""


async def _look_first(connector: Connector, board: Board) -> None:
    """One cheap call to a server that had failed, before anything is asked of it; raises when it fails."""
    if _troubled(board, ("crm",)):
        await connector.outside.check_crm()
        await connector.board.reached(("crm",), connector.now())
    if _troubled(board, MICROSOFT):
        await _look_at_mailboxes(connector)


async def _look_at_mailboxes(connector: Connector) -> None:
    """Before mailboxes are queued: an outage is met by one call, not by every worker. For the CRM the sweep is that call."""
    await connector.outside.check_mailboxes()
    await connector.board.reached(MICROSOFT, connector.now())


def _troubled(board: Board, servers: Sequence[str]) -> bool:
    return any(each.server in servers and each.attempts for each in board.trouble)


async def _sweep(connector: Connector) -> Swept:
    if (await connector.users.state()).stale(connector.now()):
        await connector.refresh_directory()
    swept = await sweep(await connector.outside.sweep_tools())
    counts = {
        "changed": swept.changed,
        "echoes": swept.echoes,
        "deleted": swept.gone,
        "held": swept.held,
        "without_mailbox": swept.without_mailbox,
    }
    await connector.registry.rows.transact(PARTITION, [Put(LAST, {"counts": json.dumps(counts)})])
    return swept
