"""Carry out what an admin ordered to be restored, at the beginning of a run. I/O.

A value is written back to its side as a person would: the base stays, so that the same run takes it for an edit and carries it to the other
side, with every limit and brake. A deleted item is made again on its side, then looked at like any new one: joined with its partner if
that lives, else made on the other side. A value of an event is always written in the CRM: from there it reaches Exchange as an
edit whose mails are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from mapping.model import Rendered
from mapping.people import WHO, is_person
from sync.gather import Work
from sync.journal import keep, new_key, overwritten
from sync.making_again import NotRestorable, Unreadable, item_now, make_again, not_now, wait_for_link
from sync.model import Family, Item, Kind, Link, Reason, Role, Side, Value
from sync.record import history, waiting
from sync.series_again import cut_series, make_series_again
from sync.sides.base import Done, Revise
from sync.store.base import Row
from sync.store.journal import Change, Kept, change_of, kept_of, side_of
from sync.store.orders import Order, drop_order, orders, put_order
from sync.store.secrets import Undecipherable
from sync.tools import Tools

AT_ONCE = 100
READ_ONLY = frozenset({Role.GUEST, Role.ATTENDEE})


async def restore_ordered(work: Work, crm_time_limit: timedelta, tools: Tools) -> bool:
    """A share of the orders. Are some left, which the next run must go on with?"""
    known = await orders(tools.ledger.rows, tools.ledger.partition)
    limit = (tools.now() - timedelta(days=30)).isoformat(timespec="seconds")
    await tools.ledger.commit([drop_order(order) for order in known if order.at < limit])
    open_ = [order for order in known if not order.outcome and order.at >= limit]
    tools.waits |= bool(open_)
    waiting_ = [order for order in open_ if order.made]
    fresh = [order for order in open_ if not order.made]
    go_on = len(fresh) > AT_ONCE
    for order in [*waiting_, *fresh[:AT_ONCE]]:
        await tools.guard()
        try:
            go_on |= await _restore(order, work, crm_time_limit, tools)
        except NotRestorable as reason:
            await tools.ledger.commit([put_order(replace(order, outcome=reason.outcome))])
        except Undecipherable:  # the key of its values was taken out of ENCRYPTION_KEYS
            await tools.ledger.commit([put_order(replace(order, outcome="gone"))])
        except Unreadable:
            continue
    return go_on


async def _restore(order: Order, work: Work, crm_time_limit: timedelta, tools: Tools) -> bool:
    """One order. Must another run follow at once? Raises NotRestorable, Unreadable."""
    row = await tools.ledger.rows.get(tools.ledger.partition, order.journal)
    if row is None:  # older than thirty days, or it turned private
        raise NotRestorable("gone")
    kept, before = kept_of(row), change_of(row, tools.keys).before
    if kept.kind not in tools.context.translators:
        raise NotRestorable("missing")
    if kept.what == "delete":
        return await _restore_deleted(order, row, work, crm_time_limit, tools)
    link = await tools.ledger.link_by_crm(kept.crm_id)
    if link is None:
        raise NotRestorable("unlinked")
    if link.role in READ_ONLY:
        raise NotRestorable("read_only")
    wanted = _wanted(order, kept, before, link, tools)
    if not all(tools.context.policy.kinds[kept.kind].writes(side) for side in wanted):
        raise NotRestorable("direction")
    for side, values in wanted.items():
        if not await _write_back(order, side, values, link, work, tools):
            return False
    await tools.ledger.commit(
        [drop_order(order), waiting(Side.CRM, link.crm_id, link.kind, Reason.CHANGED_MEANWHILE, tools)]
    )
    return False


def _wanted(
    order: Order, kept: Kept, before: Mapping[str, Value], link: Link, tools: Tools
) -> dict[Side, dict[str, str]]:
    """The values to write back, by side and field pair. Raises NotRestorable.

    Of a meeting's people those of our users who were taken off the list: they are invited again. Answers are not ours to give, contacts would get
    mails from vtenext, and of somebody else's meeting the list is its organizer's.
    """
    named = {name: value for name, value in before.items() if not order.names or name in order.names}
    if not named:
        raise NotRestorable("gone")
    wanted: dict[Side, dict[str, str]] = {}
    for name, value in named.items():
        side, pair = side_of(name)
        if is_person(pair) and not (pair.startswith(WHO) and link.role is not Role.KEEPER and _one_of_us(pair, tools)):
            continue
        wanted.setdefault(Side.CRM if kept.kind is Kind.EVENT else side, {})[pair] = str(value)
    if not wanted:
        raise NotRestorable("people")
    return wanted


def _one_of_us(pair: str, tools: Tools) -> bool:
    user, policy = pair.removeprefix(WHO), tools.context.policy
    return policy.is_user(user) and bool(policy.people.known_as.get(user))


async def _restore_deleted(order: Order, row: Row, work: Work, crm_time_limit: timedelta, tools: Tools) -> bool:
    """A deleted item, or the whole series that it went with."""
    kept, before = kept_of(row), change_of(row, tools.keys).before
    if order.made:
        await wait_for_link(order, kept, work, tools)
        return False
    if tools.family is not Family.PEOPLE and tools.context.policy.calendar.import_only:
        return False
    if series := await cut_series(kept, tools):
        return await make_series_again(order, kept, series, work, tools)
    again = str(row.data.get("again", ""))  # what it was made again as: an order given twice makes no double
    if again and await item_now(Side(kept.side), again, kept.kind, tools):
        raise NotRestorable("there")
    await make_again(order, kept, before, work, crm_time_limit, tools)
    return False


async def _write_back(
    order: Order, side: Side, values: Mapping[str, str], link: Link, work: Work, tools: Tools
) -> bool:
    """One side's values, as an edit. False: not now, the order stays. Raises NotRestorable."""
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    item = await item_now(side, link.id_on(side), link.kind, tools)
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
        await not_now(order, result, tools)
        return False
    await tools.ledger.commit(
        [history(link, Reason.RESTORED, f"restore in {side.value}", values, tools, journal=kept.key)]
    )
    tools.counts[Reason.RESTORED.value] += 1
    if side is Side.MAILBOX:
        work.cards[link.item_id] = result.item
    return True


def _render(item: Item, values: Mapping[str, str], link: Link, tools: Tools) -> Rendered:
    translator = tools.translator(link.kind)
    if item.side is Side.CRM:
        return translator.render_crm(values, item.fields, tools.accounts)
    return translator.render_mailbox(values, item.fields, tools.context.sealed(link).anchor())
