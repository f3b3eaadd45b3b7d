"""The guests of a series that was made in the CRM: invited once for the whole series, not occurrence by occurrence. I/O.

An invitation to each of fifty-two occurrences would be fifty-two mails to everybody. So when all coming records of a series invite the same people,
the mailbox's series gets them in one write, after its exceptions and cancellations (SPEC 2.9); its occurrences are then looked at again.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

from mapping.people import WHO
from sync.event_names import is_occurrence, series_of
from sync.invitations import first_guests
from sync.mails import charged, exceptions_now, spend
from sync.model import Action, Hold, Item, Kind, Pair, Planned, Reason, Side, Update, Wait
from sync.sides.base import Done, Revise
from sync.tools import Tools
from sync.written import happened


async def invite_series(
    planned: Sequence[Planned], again: Callable[[Pair], Action | None], tools: Tools
) -> list[Planned]:
    """The same plan, with what concerns the guests of whole series done. `again`: plans a pair anew."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, (pair, action) in enumerate(planned):
        if isinstance(action, Update) and pair.mailbox and is_occurrence(pair.mailbox.id) and _guests(action):
            groups[series_of(pair.mailbox.id)].append(index)
    result = list(planned)
    for series, indexes in groups.items():
        mine = [planned[index] for index in indexes]
        for index, done in zip(indexes, await _series(series, mine, again, tools), strict=True):
            result[index] = done
    return result


def _guests(action: Update) -> dict[str, str]:
    return {pair: value for pair, value in action.to_mailbox.items() if pair.startswith(WHO)}


async def _series(
    series: str, planned: Sequence[Planned], again: Callable[[Pair], Action | None], tools: Tools
) -> list[Planned]:
    """One series: its guests are changed in one write when every coming record says the same, else occurrence by occurrence."""
    changes = await _common(series, planned, tools)
    if changes is None:
        return list(planned)
    master = (await tools.mailbox.get([series]))[series]
    if not isinstance(master, Item):
        return [(pair, Wait(Side.CRM, pair.crm.id if pair.crm else "", Reason.UNREADABLE)) for pair, _ in planned]
    translator = tools.translator(Kind.EVENT)
    before = translator.mailbox_values(master.fields)
    needed = {pair: value for pair, value in changes.items() if before.get(pair, "") != value}
    if needed and (refused := await _write(series, master, needed, planned, tools)):
        return refused
    cards = await tools.mailbox.get([pair.mailbox.id for pair, _ in planned if pair.mailbox])
    fresh = [replace(pair, mailbox=cards.get(pair.mailbox.id, pair.mailbox)) for pair, _ in planned if pair.mailbox]
    return [(pair, again(pair)) for pair in fresh]


async def _common(series: str, planned: Sequence[Planned], tools: Tools) -> dict[str, str] | None:
    """The change of guests that all coming records of a series ask for, None when they differ."""
    coming = {link.crm_id for link in await tools.ledger.links_of_series(series) if link.ends > tools.at()}
    records = await tools.crm.get(Kind.EVENT, sorted(coming))
    lists = {json.dumps(sorted(first_guests(r, tools.context))) for r in records.values() if isinstance(r, Item)}
    asked = {json.dumps(_guests(action), sort_keys=True) for _, action in planned if isinstance(action, Update)}
    if len(lists) != 1 or len(asked) != 1 or len(coming) < 2:
        return None
    changes: dict[str, str] = json.loads(asked.pop())
    return changes


async def _write(
    series: str, master: Item, needed: dict[str, str], planned: Sequence[Planned], tools: Tools
) -> list[Planned]:
    """Change the guests of the whole series; what to do instead when that may not or could not be done."""
    cost = len(needed) * (1 + await exceptions_now(series, tools))
    shown = json.dumps(["series", needed, cost], sort_keys=True)
    ids = [pair.crm.id for pair, _ in planned if pair.crm]
    holds = [Hold(Side.CRM, id_, Reason.MAIL_LIMIT, shown=shown, count=cost, about=series) for id_ in ids]
    if not await spend(cost, holds[0], tools):
        return [(pair, hold) for (pair, _), hold in zip(planned, holds, strict=True)]
    await charged(tools)
    await tools.guard()
    rendered = tools.translator(Kind.EVENT).render_mailbox(needed, master.fields)
    write = Revise(master, {"attendees": rendered.fields["attendees"]})
    (result,) = await tools.mailbox.apply([write])
    tools.written += happened(Side.MAILBOX, [write], [result])
    if isinstance(result, Done):
        return []
    return [(pair, Wait(Side.CRM, id_, Reason.CHANGED_MEANWHILE)) for (pair, _), id_ in zip(planned, ids, strict=True)]
