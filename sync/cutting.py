"""A series whose coming records were all deleted in the CRM: called off in the mailbox as a whole, in one call (SPEC 2.3). I/O.

Occurrence by occurrence Exchange would write to its guests each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta

from mapping.attendees import attendees_of
from mapping.calendar import MASKED, is_private
from sync.errors import Failure
from sync.event_names import is_occurrence, original_day, series_of
from sync.journal import deletion, history_key, master_deletion
from sync.mails import exceptions_now
from sync.model import Delete, Gone, Item, Kind, Reason, Side
from sync.record import again, cleared, history
from sync.sides.base import Done, Refused, Remove, Result, Revise
from sync.store.base import Drop, Op
from sync.store.ledger import drop_link
from sync.tools import Tools
from sync.written import happened


async def cuts(deletes: Sequence[Delete], tools: Tools) -> dict[str, list[Delete]]:
    """Series of which every coming occurrence was deleted in the CRM: id of the series -> these deletions.

    Where the CRM showed only one, it is cancelled like any other: of a yearly series the horizon shows no more, and nobody ended it.
    """
    groups: dict[str, list[Delete]] = defaultdict(list)
    for action in deletes:
        occurrence = action.item.kind is Kind.EVENT and is_occurrence(action.item.id)
        if action.side is Side.MAILBOX and occurrence and action.because is Reason.CRM_DELETED:
            groups[series_of(action.item.id)].append(action)
    return {
        series: mine for series, mine in groups.items() if len(mine) > 1 and await _nothing_left(series, mine, tools)
    }


async def _nothing_left(series: str, deletes: Sequence[Delete], tools: Tools) -> bool:
    coming = {link.item_id for link in await tools.ledger.links_of_series(series) if link.ends > tools.at()}
    kept = any(series_of(id_) == series for id_ in tools.context.tombstones if is_occurrence(id_))
    return not kept and coming <= {action.item.id for action in deletes}


async def cut_cost(series: str, deletes: Sequence[Delete], tools: Tools) -> int:
    """How many mails the end of a series makes Exchange send at most: to all its guests, and once more for each changed occurrence."""
    master = (await tools.mailbox.get([series]))[series]
    items = [*(action.item for action in deletes), *([master] if isinstance(master, Item) else [])]
    guests = {
        a.address for item in items if item.fields.get("organizer") for a in attendees_of(item.fields.get("attendees"))
    }
    return len(guests) * (1 + await exceptions_now(series, tools))


async def cut(series: str, deletes: Sequence[Delete], tools: Tools) -> None:
    """End the mailbox's series before the first deleted occurrence, or delete it whole when nothing was before; one call."""
    await tools.guard()
    first = min(date.fromisoformat(original_day(action.item)) for action in deletes)
    master = (await tools.mailbox.get([series]))[series]
    result: Result = Done(None)
    whole: str = ""
    written = {action.link.crm_id: deletion(action, Reason.SERIES_CUT, tools) for action in deletes}
    await tools.ledger.commit_groups([rows for _, rows in written.values()])
    if isinstance(master, Item):
        hidden = is_private(master.fields) and any(action.item.fields.get(MASKED) for action in deletes)
        whole, rows = master_deletion(master, hidden, tools)
        await tools.ledger.commit(rows)
        write = Revise(master, {"until": (first - timedelta(days=1)).isoformat()})
        begins = any(action.item.fields.get("slot") == "0" for action in deletes)
        call = Remove(master) if begins else write
        (result,) = await tools.mailbox.apply([call])
        tools.written += happened(Side.MAILBOX, [call], [result])
    elif not isinstance(master, Gone):
        result = Refused(Failure(503, "UNREAD", where="series"))
    groups = [_settled(action, result, written[action.link.crm_id][0], tools) for action in deletes]
    if whole and isinstance(result, Refused):
        groups.append([Drop(whole)])
    if isinstance(result, Done):
        await tools.registry.release_records(tools.context.policy.mailbox, [a.link.crm_id for a in deletes])
        tools.counts[Reason.SERIES_CUT.value] += 1
    await tools.ledger.commit_groups(groups)


def _settled(action: Delete, result: Result, journal: str, tools: Tools) -> list[Op]:
    link = action.link
    if not isinstance(result, Done):
        refused = isinstance(result, Refused)
        nothing_done: list[Op] = [Drop(journal), Drop(history_key(link.crm_id, journal))] if refused else []
        return [again(Side.CRM, link.crm_id, link.kind, result, tools), *nothing_done]
    ops = {op.key: op for op in [*drop_link(link), *cleared(link.crm_id, link.item_id, tools)]}
    return [*ops.values(), history(link, Reason.SERIES_CUT, "delete", (), tools, journal=journal)]
