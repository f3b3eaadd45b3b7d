"""What of a mailbox is not settled, item by item, and trying again what was given up. No HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sync.commands import NotFound, NotNow
from sync.connector import Connector
from sync.model import Family, Reason, Side
from sync.restore import GIVEN_UP, put_back, stuck_in
from sync.store.base import Row, prefix_end
from sync.store.ledger import Pending, partition_of, pending_of
from sync.store.mailboxes import MailboxRow


@dataclass(frozen=True, slots=True)
class Unsettled:
    """An item of a mailbox that waits, is held, left or given up, and why."""

    family: Family
    row: Pending

    @property
    def key(self) -> str:
        """Its place in the list."""
        return f"{self.family.value}|{self.row.side.value}|{self.row.id}"


@dataclass(frozen=True, slots=True)
class NotSettled:
    """What of a mailbox is not settled; `orders`: how many restores wait or could not be done (`history_commands.ordered`)."""

    items: list[Unsettled]
    orders: int


async def unsettled(connector: Connector, mailbox: str, reasons: Collection[Reason] = GIVEN_UP) -> NotSettled:
    """Items that are pending for these reasons, () = any; without a word those that were given up. Raises NotFound."""
    reading = asyncio.gather(*(_open_rows(connector, partition_of(mailbox, family)) for family in Family))
    _, parts = await asyncio.gather(_mailbox(connector, mailbox), reading)
    found = [
        Unsettled(family, pending_of(row))
        for family, rows in zip(Family, parts, strict=True)
        for row in rows
        if row.key.startswith("p|")
    ]
    items = sorted((e for e in found if not reasons or e.row.because in reasons), key=lambda each: each.key)
    return NotSettled(items, sum(map(len, parts)) - len(found))


async def _open_rows(connector: Connector, partition: str) -> list[Row]:
    """Orders and pending rows: their letters follow each other, so one look finds both."""
    return [row async for row in connector.registry.rows.query(partition, "o|", prefix_end("p|"))]


async def retry(connector: Connector, mailbox: str, side: Side | None = None, id_: str = "") -> int:
    """Look again at one item that was given up, or at all of the mailbox; how many.

    Raises NotFound when there is none, NotNow when a run took the lease first.
    """
    row = await _mailbox(connector, mailbox)
    stuck: Mapping[Family, list[Pending]] = {
        family: [each for each in await stuck_in(connector, mailbox, family) if _meant(each, side, id_)]
        for family in Family
    }
    wanted = {family: pending for family, pending in stuck.items() if pending}
    if not wanted:
        raise NotFound
    count = await put_back(connector, row, wanted)
    if not count:
        raise NotNow("mailbox_busy")
    if await connector.state() == "running":
        again = await connector.registry.mailbox(mailbox)
        await connector.wake([again] if again else [], "retry")
    return count


def _meant(row: Pending, side: Side | None, id_: str) -> bool:
    return not id_ or (row.id == id_ and row.side is side)


async def _mailbox(connector: Connector, mailbox: str) -> MailboxRow:
    row = await connector.registry.mailbox(mailbox)
    if row is None:
        raise NotFound
    return row
