"""Order that a user's coming events, which were in the CRM before the connection, go to the mailbox after all (SPEC 2.11): first shown, then
confirmed. No HTTP, no sentences.

The CRM is read for it, Exchange is not asked; nothing is written but the order, which the mailbox's next runs carry out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sync.commands import NotNow, configured, known_user
from sync.connector import Connector
from sync.exports import Exports, exports_of
from sync.keeping import led_by_others
from sync.model import Family, Item, Kind
from sync.plan import Context
from sync.preview import may_ask
from sync.store.exports import order, ordered
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import MailboxRow
from sync.worker import Worker

CHUNK = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What an order would do, and how many events of earlier orders still wait."""

    would: Exports
    waiting: int


async def show_exports(connector: Connector, worker: Worker, user_id: str) -> Order:
    """What `order_exports` would order now. Raises NotFound, NotNow and what sync.errors names."""
    return await _seen(connector, worker, await _connected(connector, user_id))


async def order_exports(connector: Connector, worker: Worker, user_id: str, confirm: int, by: str) -> Order:
    """Order it; once more changes nothing. `confirm`: how many events the preview showed. Returns what waits then."""
    row = await _connected(connector, user_id)
    seen = await _seen(connector, worker, row)
    if len(seen.would.items) != confirm:
        raise NotNow("exports_changed", count=str(len(seen.would.items)))
    at = connector.now().isoformat(timespec="seconds")
    await order(connector.registry.rows, row.id, seen.would.items, by, at)
    if seen.would.items and await connector.state() == "running":
        await connector.wake([row], "export")
    return Order(seen.would, len(await ordered(connector.registry.rows, row.id)))


async def _connected(connector: Connector, user_id: str) -> MailboxRow:
    """The mailbox of a connected user. Raises NotFound, NotNow."""
    await configured(connector)
    await may_ask(connector, "")
    user = await known_user(connector, user_id)
    row = await connector.registry.mailbox(user.mailbox) if user.connected else None
    if row is None or not row.enabled:
        raise NotNow("not_connected")
    return row


async def _seen(connector: Connector, worker: Worker, row: MailboxRow) -> Order:
    """Raises NotNow before the first synchronisation has ended: until then it is not known what was there before."""
    rows = connector.registry.rows
    ledger = MailboxLedger(rows, row.id, 0, "", Family.CALENDAR)  # no fence: for reading only
    point = await ledger.checkpoint()
    if not point.imported or point.connected < row.connected_at:
        raise NotNow("export_too_early")
    setup = await worker.setup()
    if Kind.EVENT not in setup.translators:
        return Order(Exports(), 0)
    policy = setup.policy(row.id, row.user)
    waiting = await ordered(rows, row.id)
    context = Context(
        policy,
        setup.translators_of(policy),
        worker.keys,
        tombstones={stone.id: stone.because for stone in await ledger.tombstones()},
        intents={intent.id for intent in await ledger.intents()},
        now=worker.now(),
        baseline=await ledger.baseline(),
        connected=point.connected,
        ordered=waiting,
    )
    records = await _unlinked(connector, worker, context, ledger)
    elsewhere = await led_by_others([record.id for record in records], row.id, worker.registry)
    return Order(exports_of(records, replace(context, led_elsewhere=elsewhere)), len(waiting))


async def _unlinked(connector: Connector, worker: Worker, context: Context, ledger: MailboxLedger) -> list[Item]:
    """The coming events that live in this mailbox and have no link."""
    crm = await worker.sides.crm()
    linked = {link.crm_id async for link in ledger.links()}
    found: list[Item] = []
    for owner in context.policy.owners_at_home(Kind.EVENT):
        async for ids in crm.owned(Kind.EVENT, owner, ending_after=context.now):
            wanted = [crm_id for crm_id in ids if crm_id not in linked]
            for start in range(0, len(wanted), CHUNK):
                await may_ask(connector, "")  # a kill ends this too
                present = await crm.get(Kind.EVENT, wanted[start : start + CHUNK])
                found += [each for each in present.values() if isinstance(each, Item)]
    return found
