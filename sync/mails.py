"""The mail limits: what a run makes Exchange and vtenext send is charged before the call; beyond the limit an item waits for an admin. I/O.

Graph has no way to keep Exchange from mailing attendees (BEHAVIOUR 7.2), so the only brake is not to write. An upper bound is counted; what was
charged and then failed stays charged. Deletions are charged at the end of a run, when it is known whether a series goes as a whole.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from mapping.attendees import attendees_of
from sync.brakes import Budget
from sync.event_names import is_exception
from sync.invitations import mails_of
from sync.model import Action, Create, Delete, Hold, Item, Pair, Planned, Side, Update
from sync.model import Reason as R
from sync.store.ledger import Pending
from sync.tools import Tools

DAY = timedelta(hours=24)
ASKED = frozenset({R.MAIL_LIMIT, R.WITHHELD})
"""Holds whose approval lets exactly what was shown pass."""


async def budget(tools: Tools) -> Budget:
    """This run's budget, made once."""
    if tools.budget is None:
        # the hour of 24 hours ago counts as a whole: an upper bound
        start = (tools.now() - DAY).strftime("%Y-%m-%dT%H")
        hours = {hour: n for hour, n in (await tools.ledger.mails()).items() if hour >= start}
        meetings, mails = await tools.ledger.mails_of_run(tools.run)
        tools.budget = Budget(tools.context.policy.mails, hours, meetings, mails)
    return tools.budget


async def within_limits(planned: Sequence[Planned], tools: Tools) -> list[Planned]:
    """The same actions, but holds instead of those that are too much now. What stays is charged when this returns."""
    result = [(pair, await _limited(pair, action, tools)) for pair, action in planned]
    await charged(tools)
    return result


async def _limited(pair: Pair, action: Action | None, tools: Tools) -> Action | None:
    if isinstance(action, Hold) and action.instead is not None:
        if not permitted(action, tools):
            return await _without_permit(pair, action, tools)
        (await budget(tools)).charge(mails_of(action.instead, tools.context), _hour(tools))
        return action.instead
    cost = mails_of(action, tools.context) if action else 0
    if not action or not cost or isinstance(action, Delete):
        return action
    held = _hold(pair, action, cost)
    return action if await spend(cost, held, tools) else held


async def _without_permit(pair: Pair, held: Hold, tools: Tools) -> Action | None:
    """What a question does not stop goes first, and the next run asks. After a rejection both sides keep their lists for good."""
    rest, instead = held.rest, held.instead
    if rest is None or not isinstance(instead, Update):
        return held
    if tools.rejected.get((held.side, held.id)) == shown_as(held, tools):
        lists = instead.to_mailbox.keys() - rest.to_mailbox.keys()
        return await _limited(pair, replace(rest, agreed=rest.agreed | lists), tools)
    if not (rest.to_crm or rest.to_mailbox):
        return held
    if isinstance(pair.mailbox, Item):
        tools.later.add(pair.mailbox.id)
    return await _limited(pair, rest, tools)


async def deletions_within_limits(actions: Sequence[Delete], tools: Tools) -> tuple[list[Delete], list[Hold]]:
    """Those that may be executed now, and the questions about the others. What may is charged when this returns."""
    allowed: list[Delete] = []
    held: list[Hold] = []
    for action in actions:
        cost = mails_of(action, tools.context)
        question = Hold(Side.CRM, action.link.crm_id, R.MAIL_LIMIT, shown=_said("delete", {}, action.item), count=cost)
        if not cost or await spend(cost, question, tools):
            allowed.append(action)
        else:
            held.append(question)
    await charged(tools)
    return allowed, held


async def whole_series_within_limits(series: str, actions: Sequence[Delete], cost: int, tools: Tools) -> list[Hold]:
    """[] when the series may be called off in one call, which is charged then; else one question, put about each of its records."""
    shown = json.dumps(["cut", *sorted(action.item.id for action in actions)])
    ids = [action.link.crm_id for action in actions]
    held = [Hold(Side.CRM, id_, R.MAIL_LIMIT, shown=shown, count=cost, about=series) for id_ in ids]
    if cost and not await spend(cost, held[0], tools):
        return held
    await charged(tools)
    return []


async def spend(cost: int, held: Hold, tools: Tools) -> bool:
    """Charge these mails if the limits or an admin's permit for exactly this allow them."""
    mine = await budget(tools)
    importing = tools.context.policy.calendar.import_only
    if not permitted(held, tools) and (importing or not mine.fits(cost)):
        return False
    mine.charge(cost, _hour(tools))
    return True


async def charged(tools: Tools) -> None:
    """Write down what was charged, before the calls."""
    mine = await budget(tools)
    if mine.changed:
        await tools.ledger.save_mails(mine.hours, tools.run, mine.meetings, mine.mails)
        mine.changed = False


def permitted(held: Hold, tools: Tools) -> bool:
    """Did an admin approve exactly this?"""
    return tools.permits.get((held.side, held.id)) == shown_as(held, tools)


def shown_as(held: Hold, tools: Tools) -> str:
    """What an admin is asked about, as a keyed digest: the same only for the same question."""
    mailbox = tools.context.policy.mailbox
    what = [mailbox, held.side, held.about or held.id, *sorted(held.candidates)]
    return tools.keys.index("|".join([*what, held.shown] if held.shown else what))


async def permit(row: Pending, tools: Tools) -> str:
    """The answer about an item that is held for its mails: 'look' when it is to be planned with it now, '' otherwise. A rejection stands until it
    changes."""
    hold = await tools.registry.hold(row.hold)
    if hold is not None and hold.state == "rejected" and row.because is R.WITHHELD:
        tools.rejected[(row.side, row.id)] = row.shown
        return "look"
    if hold is None or hold.state != "approved" or hold.until <= tools.at():
        return ""
    tools.permits[(row.side, row.id)] = row.shown
    return "look"


def _hold(pair: Pair, action: Action, cost: int) -> Hold:
    """The question about one action: its item, what would be written, and to whom."""
    match action:
        case Create(source=source, values=values):
            return Hold(source.side, source.id, R.MAIL_LIMIT, shown=_said("create", values, None), count=cost)
        case Update(to_crm=to_crm, to_mailbox=to_mailbox):
            id_ = pair.crm.id if pair.crm else ""
            said = _said("update", {**to_crm, **{f">{p}": v for p, v in to_mailbox.items()}}, pair.mailbox)
            return Hold(Side.CRM, id_, R.MAIL_LIMIT, shown=said, count=cost)
    raise TypeError(f"{type(action).__name__} makes no mails")


def _said(what: str, values: object, card: object) -> str:
    guests = attendees_of(card.fields.get("attendees")) if isinstance(card, Item) else []
    return json.dumps([what, values, sorted(each.address for each in guests)], sort_keys=True)


def _hour(tools: Tools) -> str:
    return tools.now().strftime("%Y-%m-%dT%H")


async def exceptions_now(series: str, tools: Tools) -> int:
    """How many occurrences of a series have a version of their own: each makes Exchange write once more (BEHAVIOUR 7.2)."""
    occurrences = [link.item_id for link in await tools.ledger.links_of_series(series)]
    present = await tools.mailbox.get(occurrences)
    return sum(1 for item in present.values() if isinstance(item, Item) and is_exception(item.version))
