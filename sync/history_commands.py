"""What an admin can ask and order about what was done: the history of an item, its values, and restoring them (SPEC 4.6). No HTTP.

Listing decrypts nothing. Whoever shows values notes it in the audit first (`noted` endpoints do).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sync.commands import NotFound, NotNow
from sync.connector import Connector
from sync.errors import ConfigMistake
from sync.model import Family
from sync.run import JOURNAL_KEPT
from sync.store.base import Row
from sync.store.journal import Change, Entry, Kept, Opens, change_of, entries, kept_of, of_run
from sync.store.ledger import MailboxLedger, partition_of
from sync.store.orders import Order, add, orders
from sync.store.secrets import Undecipherable


@dataclass(frozen=True, slots=True)
class Ordered:
    """How many journal rows will be restored by the mailbox's next run."""

    orders: int


async def history(
    connector: Connector, mailbox: str, family: Family, id_: str, after: str = "", limit: int = 0
) -> list[Entry]:
    """What was done to an item, the newest first: those behind the key `after`, at most `limit` (0 = all). `id_`: of the CRM's or of the mailbox's
    item. Raises NotFound."""
    ledger = await _ledger(connector, mailbox, family)
    link = await ledger.link_by_item(id_)
    found = await entries(ledger.rows, ledger.partition, link.crm_id if link else id_, after, limit)
    if found:
        return found
    for crm_id in [] if link else await _buried_with(ledger, id_):  # slow: reads the journal
        if found := await entries(ledger.rows, ledger.partition, crm_id, after, limit):
            return found
    if after:
        return []
    raise NotFound


async def run_rows(connector: Connector, mailbox: str, family: Family, run: int) -> list[Kept]:
    """The journal of one run of a mailbox, the newest first: also what `restore_run` would restore."""
    reading = of_run(connector.registry.rows, partition_of(mailbox, family), run)
    _, rows = await asyncio.gather(_there(connector, mailbox), reading)
    return [kept_of(row) for row in rows]


async def reveal(connector: Connector, keys: Opens, mailbox: str, family: Family, journal: str) -> Change:
    """The values before and after, decrypted. Raises NotFound when they are not kept any more."""
    return _opened(await _row(connector, await _ledger(connector, mailbox, family), journal), keys)


async def _row(connector: Connector, ledger: MailboxLedger, journal: str) -> Row:
    """A row of the journal, for thirty days. Raises NotFound."""
    row = await ledger.rows.get(ledger.partition, _journal_key(journal))
    if row is None or kept_of(row).at < (connector.now() - JOURNAL_KEPT).isoformat(timespec="seconds"):
        raise NotFound
    return row


def _opened(row: Row, keys: Opens) -> Change:
    try:
        return change_of(row, keys)
    except Undecipherable:  # its key was taken out of ENCRYPTION_KEYS
        raise NotFound from None


async def restore(
    connector: Connector, keys: Opens, by: str, mailbox: str, family: Family, journal: str, names: Sequence[str] = ()
) -> Ordered:
    """Order that what a journal row kept is restored: values by `side:field pair`, () = all of them; a deleted item as a whole."""
    ledger = await _ledger(connector, mailbox, family)
    row = await _row(connector, ledger, journal)
    kept = kept_of(row)
    if kept.what == "delete" and names:
        raise ConfigMistake("names", "restored_as_a_whole")
    if kept.what not in {"update", "delete", "restore"}:
        raise NotNow("nothing_to_restore")
    if names and not set(names) <= _opened(row, keys).before.keys():
        raise ConfigMistake("names", "kept_names")
    return await _order(connector, by, ledger, [kept], tuple(names))


async def restore_run(connector: Connector, by: str, mailbox: str, family: Family, run: int) -> Ordered:
    """Order that everything that a run overwrote or deleted is restored, the newest first: what stood there before the run stays. Raises NotNow."""
    found = [kept for kept in await run_rows(connector, mailbox, family, run) if kept.what in {"update", "delete"}]
    ledger = await _ledger(connector, mailbox, family)
    if not found:
        raise NotNow("nothing_to_restore")
    return await _order(connector, by, ledger, found, ())


async def ordered(connector: Connector, mailbox: str, families: Sequence[Family]) -> list[Order]:
    """Orders that wait for the next run, and those of the last thirty days that could not be carried out, with why: the oldest first."""
    rows = connector.registry.rows
    reading = asyncio.gather(*(orders(rows, partition_of(mailbox, family)) for family in families))
    _, found = await asyncio.gather(_there(connector, mailbox), reading)
    return sorted((order for part in found for order in part), key=lambda order: order.key)


async def _order(
    connector: Connector, by: str, ledger: MailboxLedger, rows: Sequence[Kept], names: tuple[str, ...]
) -> Ordered:
    row = await connector.registry.mailbox(ledger.mailbox)
    if row is None or not row.enabled:  # nobody would carry it out
        raise NotNow("not_connected")
    at = connector.now().isoformat(timespec="seconds")
    found = [
        Order(f"o|{at}|{number:06d}|{connector.new_id()}", kept.key, kept.crm_id, by, names)
        for number, kept in enumerate(rows)
    ]
    await add(ledger.rows, ledger.partition, found)
    if found and await connector.state() == "running":
        await connector.wake([row], "restore")
    return Ordered(len(found))


async def _ledger(connector: Connector, mailbox: str, family: Family) -> MailboxLedger:
    """For reading only: without a fence. Raises NotFound when there is no such mailbox."""
    await _there(connector, mailbox)
    return MailboxLedger(connector.registry.rows, mailbox, 0, "", family)


async def _there(connector: Connector, mailbox: str) -> None:
    if await connector.registry.mailbox(mailbox) is None:
        raise NotFound


async def _buried_with(ledger: MailboxLedger, item_id: str) -> list[str]:
    """Records whose link with a mailbox item ended; of a deleted one the journal knows."""
    stones = [stone.other for stone in await ledger.tombstones() if stone.id == item_id]
    if stones:
        return stones
    rows = ledger.rows.query(ledger.partition, "j|", "k")
    return [str(row.data["crm"]) async for row in rows if row.data["item"] == item_id and row.data["crm"]]


def _journal_key(text: str) -> str:
    if not text.startswith("j|") or text.count("|") != 2:
        raise NotFound
    return text
