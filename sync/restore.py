"""The work behind Restore state and Restore attempts: check the connections, clear error states, look at quarantined items again.

What a mailbox's ledger holds is changed under its lease like everything else there: a run that is still under way loses its lease first
and can record nothing more, as after a crash. No HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sync.connector import Connector, Outside
from sync.errors import Cause, RetryLater, StopConnector, StopMailbox
from sync.model import Family, Reason
from sync.store.base import Op
from sync.store.ledger import Checkpoint, MailboxLedger, Pending, put_pending
from sync.store.mailboxes import MailboxRow

GIVEN_UP = frozenset({Reason.QUARANTINED, Reason.OSCILLATES})
BY_ATTEMPTS = frozenset(
    {Cause.GRAPH_UNREACHABLE, Cause.GRAPH_THROTTLED, Cause.CRM_UNREACHABLE, Cause.ENTRA_UNREACHABLE}
)


@dataclass(frozen=True, slots=True)
class Check:
    """A connection that was tried. `cause` '' = fine."""

    what: str  # crm | mailboxes
    cause: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many mailboxes left their error state, how many items are looked at again."""

    mailboxes: int
    items: int


async def check_both(outside: Outside) -> tuple[Check, ...]:
    """One cheap look at each side, also at the second when the first fails."""
    return await checked("crm", outside.check_crm), await checked("mailboxes", outside.check_mailboxes)


async def checked(what: str, look: Callable[[], Awaitable[None]]) -> Check:
    """What became of one look."""
    try:
        await look()
    except (RetryLater, StopConnector, StopMailbox) as error:
        return Check(what, error.cause.value)
    return Check(what, "")


async def clear_errors(connector: Connector) -> Cleared:
    """Every mailbox out of its error state, every quarantined item back to work, deleted folders forgotten."""
    mailboxes = items = 0
    for row in await connector.registry.mailboxes():
        stuck = {family: await stuck_in(connector, row.id, family) for family in Family}
        lost_folder = row.state == "error" and row.cause == Cause.FOLDER_DELETED.value
        if any(stuck.values()) or lost_folder:
            items += await put_back(connector, row, stuck, lost_folder)
        if row.state == "error":
            mailboxes += 1
        if row.state == "error" or row.attempts or row.starts:
            await connector.registry.change_mailbox(
                row.id, state="ok", cause="", attempts=0, starts=0, due_at="", full=row.full or lost_folder
            )
    return Cleared(mailboxes, items)


async def clear_attempts(connector: Connector) -> None:
    """Counters of mailboxes to zero; those that stopped because of them go on. Other errors stay."""
    for row in await connector.registry.mailboxes():
        if row.state == "error" and row.cause in {cause.value for cause in BY_ATTEMPTS}:
            await connector.registry.change_mailbox(row.id, state="ok", cause="", attempts=0, due_at="")
        elif row.attempts:
            await connector.registry.change_mailbox(row.id, attempts=0, due_at="")


async def stuck_in(connector: Connector, mailbox: str, family: Family) -> list[Pending]:
    """What a family of a mailbox gave up on."""
    ledger = MailboxLedger(connector.registry.rows, mailbox, 0, "", family)  # no fence: for reading only
    return [each for each in await ledger.pending() if each.because in GIVEN_UP]


async def put_back(
    connector: Connector, row: MailboxRow, stuck: Mapping[Family, Sequence[Pending]], lost_folder: bool = False
) -> int:
    """Let items be looked at again, under the mailbox's lease. How many; 0 when a worker took the lease first: the admin presses again."""
    await connector.registry.change_mailbox(row.id, holder="", expires="")
    lease = await connector.registry.take_lease(row.id, connector.new_id(), connector.now())
    if lease is None:
        return 0
    try:
        for family, pending in stuck.items():
            ledger = await MailboxLedger.open(connector.registry.rows, row.id, lease.row.fence, family)
            ops: list[Op] = [
                put_pending(replace(each, because=Reason.REFUSED, fails=0, cause="", turn=0)) for each in pending
            ]
            await ledger.commit(ops)
            point = await ledger.checkpoint()
            # Turns further: the streaks of fields that were written turn after turn are no longer consecutive.
            after = replace(point, run=point.run + 1, turn=point.turn + 2)
            if lost_folder and family is Family.PEOPLE:
                after = Checkpoint(run=after.run, turn=after.turn, deletes=after.deletes)
            await ledger.save_checkpoint(after)
    finally:
        await connector.registry.release(lease, dirty=True)
    return sum(len(pending) for pending in stuck.values())
