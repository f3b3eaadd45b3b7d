"""Carry out what an admin ordered to be restored, at the beginning of a run. I/O.

A value is written back to its side as a person would: the base stays, so that the same run takes it for an edit and carries it to the other
side, with every limit and brake. A deleted item is made again on its side, then looked at like any new one: joined with its partner if
that lives, else made on the other side. A value of an event is always written in the CRM: from there it reaches Exchange as an
edit whose mails are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.model import Rendered
from mapping.people import is_person
from sync.gather import Joined, Work
from sync.intents import GRAPH_TIME_LIMIT, SKEW
from sync.joining import write_stamp
from sync.journal import keep, new_key, overwritten
from sync.model import Family, Item, Kind, Link, Reason, Role, Side, Value
from sync.record import PATIENCE, history, waiting
from sync.sides.base import Done, New, Refused, Revise, Unclear
from sync.store.base import Op, Put
from sync.store.journal import Change, Kept, change_of, kept_of, side_of
from sync.store.ledger import drop_tombstone
from sync.store.orders import Order, drop_order, orders, put_order
from sync.tools import Tools

AT_ONCE = 100
TRIES = 3
READ_ONLY = frozenset({Role.GUEST, Role.ATTENDEE})


class NotRestorable(Exception):
    """It cannot be done; `outcome` says why, and stays with the order: gone | unlinked | read_only | people |
    missing | kind | there | direction | refused."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


async def restore_ordered(work: Work, crm_time_limit: timedelta, tools: Tools) -> bool:
    """A share of the orders. Are some left, which the next run must go on with?"""
    known = await orders(tools.ledger.rows, tools.ledger.partition)
    limit = (tools.now() - timedelta(days=30)).isoformat(timespec="seconds")
    await tools.ledger.commit([drop_order(order) for order in known if order.at < limit])
    open_ = [order for order in known if not order.outcome and order.at >= limit]
    for order in open_[:AT_ONCE]:
        await tools.guard()
        try:
            await _restore(order, work, crm_time_limit, tools)
        except NotRestorable as reason:
            await tools.ledger.commit([put_order(replace(order, outcome=reason.outcome))])
    return len(open_) > AT_ONCE


async def _restore(order: Order, work: Work, crm_time_limit: timedelta, tools: Tools) -> None:
    row = await tools.ledger.rows.get(tools.ledger.partition, order.journal)
    if row is None:  # older than thirty days, or it turned private
        raise NotRestorable("gone")
    kept, before = kept_of(row), change_of(row, tools.keys).before
    if kept.kind not in tools.context.translators:
        raise NotRestorable("missing")
    if kept.what == "delete":
        again = str(row.data.get("again", ""))  # what it was made again as: an order given twice makes no double
        if again and await _item(Side(kept.side), again, kept.kind, tools):
            raise NotRestorable("there")
        await _make_again(order, kept, before, work, crm_time_limit, tools)
        return
    link = await tools.ledger.link_by_crm(kept.crm_id)
    if link is None:
        raise NotRestorable("unlinked")
    if link.role in READ_ONLY:
        raise NotRestorable("read_only")
    wanted: dict[Side, dict[str, str]] = {}
    for name, value in before.items():
        side, pair = side_of(name)
        if order.names and name not in order.names:
            continue
        if is_person(pair):
            raise NotRestorable("people")
        wanted.setdefault(Side.CRM if kept.kind is Kind.EVENT else side, {})[pair] = str(value)
    if not wanted:
        raise NotRestorable("gone")
    if not all(tools.context.policy.kinds[kept.kind].writes(side) for side in wanted):
        raise NotRestorable("direction")
    for side, values in wanted.items():
        if not await _write_back(order, side, values, link, work, tools):
            return
    await tools.ledger.commit(
        [drop_order(order), waiting(Side.CRM, link.crm_id, link.kind, Reason.CHANGED_MEANWHILE, tools)]
    )


async def _write_back(
    order: Order, side: Side, values: Mapping[str, str], link: Link, work: Work, tools: Tools
) -> bool:
    """One side's values, as an edit. False: not now, the order stays. Raises NotRestorable."""
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    item = await _item(side, link.id_on(side), link.kind, tools)
    if item is None:
        raise NotRestorable("missing")
    rendered = _render(item, values, link, tools)
    if rendered.refused:
        raise NotRestorable("refused")
    if not rendered.fields or all(item.fields.get(name, "") == value for name, value in rendered.fields.items()):
        return True  # it says so already: an earlier life of this order wrote it
    lost = overwritten(item, rendered.held, (), tools, link)
    written = {f"{side.value}:{pair}": value for pair, value in rendered.held.items()}
    kept = Kept(
        new_key(tools), link.crm_id, link.item_id, link.kind, "restore", Reason.RESTORED.value, tools.run, side.value
    )
    await tools.ledger.commit(keep(kept, Change(lost, written), values.keys(), tools))
    await tools.guard()
    (result,) = await server.apply([Revise(item, rendered.fields)])
    if not isinstance(result, Done) or result.item is None:
        await _not_now(order, result, tools)
        return False
    await tools.ledger.commit(
        [history(link, Reason.RESTORED, f"restore in {side.value}", values, tools, journal=kept.key)]
    )
    tools.counts[Reason.RESTORED.value] += 1
    if side is Side.MAILBOX:
        work.cards[link.item_id] = result.item
    return True


async def _item(side: Side, id_: str, kind: Kind, tools: Tools) -> Item | None:
    present = (await (tools.mailbox.get([id_]) if side is Side.MAILBOX else tools.crm.get(kind, [id_]))).get(id_)
    return present if isinstance(present, Item) else None


def _render(item: Item, values: Mapping[str, str], link: Link, tools: Tools) -> Rendered:
    translator = tools.translator(link.kind)
    if item.side is Side.CRM:
        return translator.render_crm(values, item.fields, tools.accounts)
    return translator.render_mailbox(values, item.fields, tools.context.sealed(link).anchor())


async def _not_now(order: Order, result: Done | Refused | Unclear, tools: Tools) -> None:
    """A refusal of the item counts; what is unclear is looked at in the next run. Raises NotRestorable after three."""
    failure = None if isinstance(result, Done) else result.failure
    counts = isinstance(result, Refused) and failure is not None and failure.status not in PATIENCE
    fails = order.fails + (1 if counts else 0)
    if fails >= TRIES:
        raise NotRestorable("refused")
    await tools.ledger.commit([put_order(replace(order, fails=fails))])


async def _make_again(
    order: Order, kept: Kept, before: Mapping[str, Value], work: Work, crm_time_limit: timedelta, tools: Tools
) -> None:
    """A deleted person or company: written down that it begins, made, then taken up like something new."""
    side = Side(kept.side)
    old = {Side.CRM: kept.crm_id, Side.MAILBOX: kept.item_id}
    if tools.family is not Family.PEOPLE:
        raise NotRestorable("kind")
    if await tools.ledger.link_by_crm(kept.crm_id) or await tools.ledger.link_by_item(kept.item_id):
        raise NotRestorable("there")
    if order.begun:
        made = await _made(order, side, kept, before, tools)
        limit = crm_time_limit if side is Side.CRM else GRAPH_TIME_LIMIT
        if made is None and tools.now() - datetime.fromisoformat(order.begun) < limit:
            return  # a creation that timed out may still be committed
    else:
        made = await _item(side, old[side], kept.kind, tools)  # somebody took it out of the bin
    if made is None:
        made = await _create(order, side, kept, before, tools)
    if made is None:
        return
    partner = await _item(side.other, old[side.other], kept.kind, tools)
    await _taken_up(order, made, partner, kept, work, tools)


async def _create(order: Order, side: Side, kept: Kept, before: Mapping[str, Value], tools: Tools) -> Item | None:
    begun = replace(order, begun=tools.at())
    await tools.ledger.commit([put_order(begun)])
    await tools.guard()
    rendered = _as_it_was(side, kept, before, tools)
    owner = kept.owner if side is Side.CRM else ""
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    (result,) = await server.apply([New(kept.kind, rendered.fields, _stamp(order, side, kept), owner)])
    if isinstance(result, Done) and result.item is not None:
        return result.item
    refused = isinstance(result, Refused)
    await _not_now(replace(begun, begun="") if refused else begun, result, tools)
    return None


def _stamp(order: Order, side: Side, kept: Kept) -> str:
    return write_stamp(kept.crm_id, kept.kind, order.id) if side is Side.MAILBOX else order.id


def _as_it_was(side: Side, kept: Kept, before: Mapping[str, Value], tools: Tools) -> Rendered:
    """The deleted item's fields as those of a new one."""
    translator = tools.translator(kept.kind)
    fields = {side_of(name)[1]: value for name, value in before.items()}
    if side is Side.CRM:
        values = {pair: value for pair, value in translator.crm_values(fields).items() if value}
        return translator.render_crm(values, None, _account(fields))
    values = {pair: value for pair, value in translator.mailbox_values(fields).items() if value}
    return translator.render_mailbox(values, None)


def _account(fields: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """The company that the deleted contact belonged to, by the name under which it was known."""
    name, id_ = str(fields.get("account_name", "")), str(fields.get("account_id", ""))
    return {name: (id_,)} if name and id_ else {}


async def _made(order: Order, side: Side, kept: Kept, before: Mapping[str, Value], tools: Tools) -> Item | None:
    """What an earlier life of this order made: by its stamp, in the CRM (which keeps none of people) by all that was sent."""
    if side is Side.MAILBOX:
        stamp = _stamp(order, side, kept)
        async for page in tools.mailbox.stamped():
            for item in page:
                if item.stamp == stamp:
                    return item
        return None
    since = datetime.fromisoformat(order.begun) - SKEW
    translator, sent = tools.translator(kept.kind), _as_it_was(side, kept, before, tools).held
    for record in await tools.crm.created_since(kept.kind, since.isoformat()):
        now = translator.crm_values(record.fields)
        same = all(translator.image(p, now.get(p, "")) == translator.image(p, v) for p, v in sent.items())
        if same and record.owner == kept.owner and await tools.ledger.link_by_crm(record.id) is None:
            return record
    return None


async def _taken_up(order: Order, made: Item, partner: Item | None, kept: Kept, work: Work, tools: Tools) -> None:
    """The new item waits to be looked at, with its partner if that lives and is unlinked; nothing keeps the two apart any more."""
    crm, card = (made, partner) if made.side is Side.CRM else (partner, made)
    ids = {kept.crm_id, kept.item_id, made.id}
    stones = [(side, id_) for side in Side for id_ in sorted(ids) if id_ in tools.context.tombstones]
    ops: list[Op] = [drop_tombstone(side, id_) for side, id_ in stones]
    for each in filter(None, (crm, card)):
        ops.append(waiting(each.side, each.id, kept.kind, Reason.CHANGED_MEANWHILE, tools))
    link = Link("", kept.kind, crm.id if crm else kept.crm_id, card.id if card else kept.item_id, made.side)
    line = history(link, Reason.RESTORED, f"restore in {made.side.value}", (), tools)
    row = await tools.ledger.rows.get(tools.ledger.partition, order.journal)
    noted = [Put(row.key, {**row.data, "again": made.id})] if row else []
    await tools.ledger.commit([*ops, line, *noted, drop_order(order)])
    left = {id_: why for id_, why in tools.context.tombstones.items() if id_ not in ids}
    tools.context = replace(tools.context, tombstones=left)
    tools.counts[Reason.RESTORED.value] += 1
    if card:
        work.cards[card.id] = card
    if crm and card:
        work.records[crm.id] = kept.kind
        work.joined[card.id] = Joined(crm.id, Reason.MATCHED)
