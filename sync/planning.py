"""A chunk of a run after the other: its pairs are read, what a family of kinds needs is learned and settled, then each pair is planned. I/O.

Decides nothing: that is `plan`, `events`, `tasks`. Here is the order in which everything else happens before and after them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from sync.events import plan_event
from sync.gather import Key, Work, company_names, other_homes, read_pairs, read_records
from sync.guests import held_events, note_guests, without_known
from sync.invited_series import invite_series
from sync.joining import find_left_cards
from sync.keeping import know_meetings, name_meetings
from sync.mails import within_limits
from sync.model import Action, Family, Hold, Item, Kind, Pair, Planned, Reason, Side
from sync.plan import Context, plan_pair
from sync.preparing import prepare
from sync.recurring import CrmSeries, find_series
from sync.settle import heard, values_of
from sync.strangers import know_strangers
from sync.tasks import plan_task
from sync.tools import Tools


async def chunks(
    keys: Sequence[Key], work: Work, tools: Tools, size: int
) -> AsyncIterator[tuple[list[Planned], list[CrmSeries]]]:
    """Pairs and what is planned for them, a chunk at a time, without those at rest; and records that become one series in the mailbox."""
    handles: dict[str, list[str]] = {}
    met: set[str] = set()
    for row in tools.pending.values():
        for handle in row.handles.split():
            handles.setdefault(handle, []).append(row.id)
    for start in range(0, len(keys), size):
        await tools.guard()
        part = keys[start : start + size]
        records = await read_records(part, tools.crm)
        found = await read_pairs(part, records, work, tools.mailbox, tools.context)
        pairs = [_heard(pair, tools.context) for pair in found if not _rests(pair, work, tools)]
        if tools.family is Family.CALENDAR:
            await know_strangers(pairs, tools)
        homes = await other_homes(pairs, tools.registry, tools.context)
        context = replace(tools.context, homes=homes)
        if tools.family is Family.CALENDAR:
            planned, forming = await _events(pairs, work, context, tools)
            await note_guests(held_events(part, records, planned, forming), tools)
            yield planned, forming
            continue
        if tools.family is Family.TASKS:
            yield [(pair, plan_task(pair, context)) for pair in pairs], []
            continue
        pairs = await find_left_cards(pairs, handles, tools.mailbox, work, tools.context)
        context = await without_known(pairs, met, context, tools)
        tools.accounts.update(await company_names(pairs, tools.crm, tools.context.translators))
        yield [(pair, _hold(pair, work) or plan_pair(pair, context)) for pair in pairs], []


async def _events(
    pairs: Sequence[Pair], work: Work, context: Context, tools: Tools
) -> tuple[list[Planned], list[CrmSeries]]:
    """What is planned for events: series and meetings taken together, mails within their limits."""
    context = await know_meetings(pairs, context, tools)
    await name_meetings([p.mailbox for p in pairs if p.link and isinstance(p.mailbox, Item)], tools)

    def planned(pair: Pair) -> Action | None:
        return _hold(pair, work) or plan_event(pair, context)

    settled = await prepare([(pair, planned(pair)) for pair in pairs], planned, context, tools)
    single, series = await find_series(settled, tools)
    single = await invite_series(single, planned, tools)
    return await within_limits(single, tools), series


def _rests(pair: Pair, work: Work, tools: Tools) -> bool:
    """Is there nothing to decide, and nothing that waits for it?"""
    if pair.link is None or not pair.link.rest:
        return False
    ids = {(Side.CRM, pair.link.crm_id), (Side.MAILBOX, pair.link.item_id)}
    asked = any(id_ in work.unsure or (side, id_) in tools.pending for side, id_ in ids)
    return not asked and tools.context.at_rest(pair)


def _heard(pair: Pair, context: Context) -> Pair:
    """The pair with what is known now about writes that were begun and never ended."""
    link = pair.link
    if link is None or not link.sent:
        return pair
    translator, sealed = context.translators[link.kind], context.sealed(link)
    values = {i.side: values_of(i, translator, sealed) for i in (pair.crm, pair.mailbox) if isinstance(i, Item)}
    return replace(pair, link=heard(link, values, sealed))


def _hold(pair: Pair, work: Work) -> Hold | None:
    """An unlinked item that may be several others, or a company card that may be a known person: an admin decides."""
    if pair.link is not None and pair.link.kind is not Kind.COMPANY:
        return None
    for side, present in ((Side.MAILBOX, pair.mailbox), (Side.CRM, pair.crm)):
        if isinstance(present, Item) and present.id in work.unsure and present.id not in work.allowed:
            return Hold(side, present.id, Reason.SEVERAL_CANDIDATES, work.unsure[present.id])
    return None
