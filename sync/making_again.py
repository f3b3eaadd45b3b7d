"""Make a deleted item again, at the beginning of a run: written down that it begins, made, then taken up like something new. I/O.

The other side gets it by the plan of the same run, or is joined with it if its own item lives on. Neither server can give back what it keeps of a
deletion: Graph restores neither contacts, events nor tasks (BEHAVIOUR 5.1, 7.1, 7.3), vtenext has no operation for its recycle bin (API.md 3.9).
So it is a new item, with a new id; of events and tasks `sync.again` decides what it is. A person who takes it out of the bin meanwhile is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.model import Rendered
from sync.again import Again, Deleted, NotAgain, plan_again
from sync.announced import before_call
from sync.events import is_over
from sync.gather import Joined, Work
from sync.holds import ask
from sync.intents import GRAPH_TIME_LIMIT, SKEW
from sync.joining import write_stamp
from sync.mails import ASKED, charged, permit, spend
from sync.model import Family, Hold, Item, Kind, Link, Reason, Side, Unread, Value
from sync.record import PATIENCE, cleared, history, waiting
from sync.sides.base import Done, New, Refused, Unclear
from sync.store.base import Op, Put
from sync.store.journal import Kept, side_of
from sync.store.ledger import Tombstone, drop_pending, drop_tombstone, put_tombstone
from sync.store.orders import Order, drop_order, put_order
from sync.tools import Tools

TRIES = 3


class NotRestorable(Exception):
    """It cannot be done; `outcome` says why, and stays with the order: gone | unlinked | read_only | people | missing | there | direction |
    refused | rejected | private | elsewhere."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Unreadable(Exception):
    """An item that matters cannot be read now: the order waits."""


async def make_again(
    order: Order, kept: Kept, before: Mapping[str, Value], work: Work, crm_time_limit: timedelta, tools: Tools
) -> None:
    """One deleted item. When it returns the order is gone, waits for the next run, or for the other side. Raises NotRestorable."""
    side = Side(kept.side)
    old = {Side.CRM: kept.crm_id, Side.MAILBOX: kept.item_id}
    if await tools.ledger.link_by_crm(kept.crm_id) or await tools.ledger.link_by_item(kept.item_id):
        raise NotRestorable("there")
    new = _new(kept, before, tools)
    if order.begun:
        made = await _made(order, kept, new, before, tools)
        if made is None and tools.now() - datetime.fromisoformat(order.begun) < time_limit(side, crm_time_limit):
            return  # a creation that timed out may still be committed
    else:
        made = await item_now(side, old[side], kept.kind, tools)  # somebody took it out of the bin
    if made is None and not await may_mail(order, kept, new.mails, new.fields, tools):
        return
    made = made or await _create(order, kept, new, tools)
    if made is None:
        return
    partner = await _partner(side.other, old[side.other], kept.kind, tools)
    await _taken_up(order, made, partner, kept, new.alone, work, tools)


def time_limit(side: Side, crm_time_limit: timedelta) -> timedelta:
    return crm_time_limit if side is Side.CRM else GRAPH_TIME_LIMIT


def deleted_of(kept: Kept, before: Mapping[str, Value]) -> Deleted:
    """The deleted item in the words of `sync.again`."""
    fields = {side_of(name)[1]: value for name, value in before.items()}
    return Deleted(Side(kept.side), kept.kind, kept.because, fields, kept.owner, kept.role, kept.open)


def _new(kept: Kept, before: Mapping[str, Value], tools: Tools) -> Again:
    """What is written. Raises NotRestorable."""
    side = Side(kept.side)
    if tools.family is Family.PEOPLE:
        if side is Side.MAILBOX:  # a card as it was, also what no field pair knows of it
            return Again(
                side, kept.kind, {name: value for name, value in deleted_of(kept, before).fields.items() if value}
            )
        return Again(side, kept.kind, _as_it_was(kept, before, tools).fields, kept.owner)
    try:
        return plan_again(deleted_of(kept, before), tools.context)
    except NotAgain as reason:
        raise NotRestorable(reason.outcome) from reason


async def may_mail(order: Order, kept: Kept, cost: int, fields: Mapping[str, Value], tools: Tools) -> bool:
    """May the mails that this makes Exchange send leave now? They are charged then; else an admin is asked. Raises NotRestorable when one said no."""
    id_ = kept.crm_id or kept.item_id
    asked = tools.pending.get((Side.CRM, id_))
    if asked and asked.hold and asked.because in ASKED:
        hold = await tools.registry.hold(asked.hold)
        if hold is not None and hold.state == "rejected":
            tools.pending.pop((Side.CRM, id_))
            await tools.ledger.commit([drop_pending(Side.CRM, id_)])
            raise NotRestorable("rejected")
        await permit(asked, tools)
    if not cost:
        return True
    shown = json.dumps(["restore", order.journal, fields], sort_keys=True)
    question = Hold(Side.CRM, id_, Reason.MAIL_LIMIT, shown=shown, count=cost)
    if await spend(cost, question, tools):
        await charged(tools)
        return True
    await tools.ledger.commit([await ask(question, kept.kind, tools)])
    return False


async def _create(order: Order, kept: Kept, new: Again, tools: Tools) -> Item | None:
    begun = replace(order, begun=tools.at())
    await tools.ledger.commit([put_order(begun)])
    await before_call(tools.guard, lambda: tools.ledger.commit([put_order(replace(order, begun=""))]))
    server = tools.mailbox if new.side is Side.MAILBOX else tools.crm
    (result,) = await server.apply([New(kept.kind, new.fields, _stamp(order, kept, new), new.owner)])
    if isinstance(result, Done) and result.item is not None:
        return result.item
    refused = isinstance(result, Refused)
    await not_now(replace(begun, begun="") if refused else begun, result, tools)
    return None


def _stamp(order: Order, kept: Kept, new: Again) -> str:
    if new.side is Side.MAILBOX:
        return write_stamp(kept.crm_id, kept.kind, order.id)
    return (new.identity or f"{order.id}|0") if kept.kind is Kind.EVENT else order.id


async def not_now(order: Order, result: Done | Refused | Unclear, tools: Tools) -> None:
    """A refusal of the item counts; what is unclear is looked at in the next run. Raises NotRestorable after three."""
    failure = None if isinstance(result, Done) else result.failure
    counts = isinstance(result, Refused) and failure is not None and failure.status not in PATIENCE
    fails = order.fails + (counts and order.turn != tools.turn)
    if fails >= TRIES:
        raise NotRestorable("refused")
    turn = tools.turn if counts else order.turn
    await tools.ledger.commit([put_order(replace(order, fails=fails, turn=turn))])


async def item_now(side: Side, id_: str, kind: Kind, tools: Tools) -> Item | None:
    """The item if it is there. Raises Unreadable when nobody can tell."""
    if not id_:
        return None
    present = (await (tools.mailbox.get([id_]) if side is Side.MAILBOX else tools.crm.get(kind, [id_]))).get(id_)
    if present is None or isinstance(present, Unread):
        raise Unreadable
    return present if isinstance(present, Item) else None


def _as_it_was(kept: Kept, before: Mapping[str, Value], tools: Tools) -> Rendered:
    """A deleted record's fields as those of a new one."""
    translator = tools.translator(kept.kind)
    fields = {side_of(name)[1]: value for name, value in before.items()}
    values = {pair: value for pair, value in translator.crm_values(fields).items() if value}
    return translator.render_crm(values, None, _account(fields))


def _account(fields: Mapping[str, Value]) -> dict[str, tuple[str, ...]]:
    """The company that the deleted contact belonged to, by the name under which it was known."""
    name, id_ = str(fields.get("account_name", "")), str(fields.get("account_id", ""))
    return {name: (id_,)} if name and id_ else {}


async def _made(order: Order, kept: Kept, new: Again, before: Mapping[str, Value], tools: Tools) -> Item | None:
    """What an earlier life of this order made: by its stamp; in the CRM, which keeps none of people, by all that was sent."""
    if new.side is Side.MAILBOX:
        return await stamped_as(_stamp(order, kept, new), tools)
    if kept.kind not in Family.PEOPLE.kinds:
        stamp = _stamp(order, kept, new)
        found = await tools.crm.by_uid(kept.kind, [stamp.rpartition("|")[0] if kept.kind is Kind.EVENT else stamp])
        mine = [item for item in found if item.stamp == stamp and await tools.ledger.link_by_crm(item.id) is None]
        return mine[0] if mine else None
    since = datetime.fromisoformat(order.begun) - SKEW
    translator, sent = tools.translator(kept.kind), _as_it_was(kept, before, tools).held
    for record in await tools.crm.created_since(kept.kind, since.isoformat()):
        now = translator.crm_values(record.fields)
        same = all(translator.image(p, now.get(p, "")) == translator.image(p, v) for p, v in sent.items())
        if same and record.owner == kept.owner and await tools.ledger.link_by_crm(record.id) is None:
            return record
    return None


async def stamped_as(stamp: str, tools: Tools) -> Item | None:
    """The mailbox's item with this stamp of ours."""
    async for page in tools.mailbox.stamped():
        for item in page:
            if item.stamp == stamp:
                return item
    return None


async def _partner(side: Side, id_: str, kind: Kind, tools: Tools) -> Item | None:
    """The other side's item if it lives on. The copy of a meeting that was called off does not."""
    item = await item_now(side, id_, kind, tools)
    return None if item is None or item.fields.get("cancelled") else item


async def _taken_up(
    order: Order, made: Item, partner: Item | None, kept: Kept, alone: bool, work: Work, tools: Tools
) -> None:
    """The new item waits to be looked at, with its partner if that lives and is unlinked; nothing keeps the two apart any more.

    The order of an event or task stays: see `wait_for_link`.
    """
    crm, card = (made, partner) if made.side is Side.CRM else (partner, made)
    ids = {kept.crm_id, kept.item_id, made.id}
    stones = [(side, id_) for side in Side for id_ in sorted(ids) if id_ in tools.context.tombstones]
    ops = {op.key: op for op in (drop_tombstone(side, id_) for side, id_ in stones)}
    ops.update({op.key: op for op in cleared(kept.crm_id, kept.item_id, tools)})
    alone = alone and partner is None
    for each in () if alone else filter(None, (crm, card)):
        op = waiting(each.side, each.id, kept.kind, Reason.CHANGED_MEANWHILE, tools)
        ops[op.key] = op
    if alone:
        stone = put_tombstone(Tombstone(Side.CRM, made.id, Reason.COPY_ENDED, kept.item_id))
        ops[stone.key] = stone
    link = Link("", kept.kind, crm.id if crm else kept.crm_id, card.id if card else kept.item_id, made.side)
    line = history(link, Reason.RESTORED, f"restore in {made.side.value}", (), tools)
    row = await tools.ledger.rows.get(tools.ledger.partition, order.journal)
    noted: list[Op] = [Put(row.key, {**row.data, "again": made.id})] if row else []
    waits = kept.kind not in Family.PEOPLE.kinds and not alone
    rest = put_order(replace(order, made=made.id)) if waits else drop_order(order)
    await tools.ledger.commit([*ops.values(), line, *noted, rest])
    left = {id_: why for id_, why in tools.context.tombstones.items() if id_ not in ids}
    left |= {made.id: Reason.COPY_ENDED} if alone else {}
    again = {*tools.context.again, made.id} if waits else tools.context.again
    tools.context = replace(tools.context, tombstones=left, again=again)
    tools.counts[Reason.RESTORED.value] += 1
    _join(made, partner, kept.kind, work)


def _join(made: Item, partner: Item | None, kind: Kind, work: Work) -> None:
    """Let the run plan them, as one thing if both are there."""
    crm, card = (made, partner) if made.side is Side.CRM else (partner, made)
    if card:
        work.cards[card.id] = card
    if crm and card:
        work.records[crm.id] = kind
        work.joined[card.id] = Joined(crm.id, Reason.MATCHED)


async def wait_for_link(order: Order, kept: Kept, work: Work, tools: Tools) -> None:
    """An event or task that was made again and is not linked yet: joined anew, because a run may have died over it. As long as an event is to
    come its order stays, so that it invites nobody once it has begun."""
    linked = await tools.ledger.link_by_crm(order.made) or await tools.ledger.link_by_item(order.made)
    side = Side(kept.side)
    made = None if linked else await item_now(side, order.made, kept.kind, tools)
    if made is None:
        await tools.ledger.commit([drop_order(order)])
        return
    old = kept.item_id if side is Side.CRM else kept.crm_id
    partner = await _partner(side.other, old, kept.kind, tools)
    if partner and await tools.ledger.link_by_crm(old) is None and await tools.ledger.link_by_item(old) is None:
        _join(made, partner, kept.kind, work)
    tools.context = replace(tools.context, again={*tools.context.again, order.made})
    if kept.kind is not Kind.EVENT or is_over(made, tools.context):
        await tools.ledger.commit([drop_order(order)])
