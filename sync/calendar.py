"""What a run of a calendar gathers besides the common steps: the baseline of a new mailbox, vanished occurrences, partners by iCalUId. I/O.

Decides nothing about events: that is `sync.events`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.calendar import SENSITIVITY, is_private
from mapping.tasks import is_completed
from sync.event_names import alone_stamp, crm_stamp, is_occurrence, of_day, original_day, series_of
from sync.events import baseline_of, is_current_baseline, is_over
from sync.gather import Joined, Links, Work
from sync.joining import by_stamp, learn
from sync.keeping import join_copies
from sync.lookalikes import join_alike_events
from sync.meetings import is_copy
from sync.model import Family, Item, Kind, Pair, Reason, Side, Unread
from sync.policy import PrivateEvents
from sync.relinking import relink
from sync.store.base import Op
from sync.store.exports import drop_export, ordered
from sync.store.ledger import Checkpoint, drop_link, put_baseline, put_link
from sync.tools import Tools

LOOKED_BACK = timedelta(days=31)
"""How far back a comparison in full looks; a day more than the listing's window."""
CHUNK = 200


async def begin(point: Checkpoint, owners: Sequence[str], tools: Tools) -> Checkpoint:
    """The start of a run of events or tasks: before anything is imported, a new mailbox's baseline is taken (SPEC 2.11).

    Taken anew when its user is connected again: what was made in the CRM meanwhile is not sent to everybody either.
    """
    if tools.family is Family.CALENDAR:
        tools.context = replace(tools.context, ordered=await ordered(tools.ledger.rows, tools.ledger.mailbox))
    known = point.connected if point.connected >= tools.connected_at else ""
    tools.context = replace(tools.context, connected=known or tools.at())
    if not point.imported:
        rules = replace(tools.context.policy.calendar, import_only=True)
        tools.context = replace(tools.context, policy=replace(tools.context.policy, calendar=rules))
    if known:
        return point
    since = tools.at()
    (kind,) = tools.family.kinds
    for owner in owners:
        async for ids in tools.crm.owned(kind, owner, ending_after=tools.now()):
            for start in range(0, len(ids), CHUNK):
                await _take(kind, ids[start : start + CHUNK], since, tools)
    await tools.ledger.commit([drop_export(crm_id) for crm_id in sorted(tools.context.ordered)])
    tools.context = replace(tools.context, ordered=frozenset())  # of an earlier connection
    point = replace(point, connected=since)
    await tools.ledger.save_checkpoint(point)
    return point


def take_ordered(work: Work, tools: Tools) -> None:
    """Look at the events whose export was ordered; those that an earlier run could not settle wait by themselves."""
    open_ = [crm_id for crm_id in sorted(tools.context.ordered) if (Side.CRM, crm_id) not in tools.pending]
    work.records.update(dict.fromkeys(open_, Kind.EVENT))


async def settle_ordered(tools: Tools) -> None:
    """The end of a run that came to its end: an order is carried out when its event waits for nothing. Until then it may still go out."""
    done = [crm_id for crm_id in sorted(tools.context.ordered) if (Side.CRM, crm_id) not in tools.pending]
    await tools.ledger.commit([drop_export(crm_id) for crm_id in done])


async def _take(kind: Kind, ids: Sequence[str], since: str, tools: Tools) -> None:
    """Digests of the coming events or open tasks among these; what was made after the connection is no part of it."""
    translator = tools.translator(kind)
    await tools.guard()
    found = await tools.crm.get(kind, ids)
    coming = [
        item
        for item in found.values()
        if isinstance(item, Item) and _to_come(item, tools) and not _later(str(item.fields.get("created", "")), since)
    ]
    await tools.ledger.take_baseline({item.id: baseline_of(item, translator, tools.keys) for item in coming})


def renewed_baseline(pair: Pair, tools: Tools) -> list[Op]:
    """A record that still is as it was when the mailbox was connected: said with the newest key."""
    item = pair.crm
    stored = tools.context.baseline.get(item.id) if isinstance(item, Item) else None
    if not isinstance(item, Item) or stored is None or is_current_baseline(stored, tools.keys):
        return []
    return [put_baseline(item.id, baseline_of(item, tools.translator(item.kind), tools.keys))]


def _to_come(item: Item, tools: Tools) -> bool:
    if item.kind is Kind.TASK:
        return not is_completed(item.fields)
    return bool(item.fields.get("when")) and not is_over(item, tools.context)


def _later(created: str, since: str) -> bool:
    return bool(created) and datetime.fromisoformat(created) > datetime.fromisoformat(since)


def looked_back(tools: Tools) -> str:
    """Events that were over by then are out of every listing: not looked for."""
    return (tools.now() - LOOKED_BACK).isoformat(timespec="seconds")


async def claim_occurrences(work: Work, links: Links, tools: Tools) -> None:
    """Linked occurrences that their series does not show any more, and removals of ids that no link knows.

    An unknown id may be an event outside the listing's window, which is no removal at all (BEHAVIOUR 2.4), or an occurrence: whose, only
    its series tells, so all of them are looked at. What cannot be read now is asked about again.
    """
    masters = [item_id for item_id, card in work.cards.items() if card and "rule" in card.fields]
    for item_id in masters:  # an earlier run could not read it: a series is looked at by its occurrences
        work.cards.pop(item_id)
        work.gone.add(item_id)
    unknown = sorted(work.gone - links.by_item.keys())
    once = () if work.full else (i for i in work.cards if i not in links.by_item and not is_occurrence(i))
    series = {*work.whole, *unknown, *once}  # a single event may have been a series
    for each in sorted(series):
        for link in await tools.ledger.links_of_series(each):
            if link.ends > tools.at() and link.item_id not in work.cards:
                links.add(link)
                work.gone.add(link.item_id)
    told = {series_of(item_id) for item_id in links.by_item if is_occurrence(item_id)}
    work.gone -= told  # a series is looked at by its occurrences
    rest = [item_id for item_id in unknown if item_id not in told]
    lost, says = False, await _sensitivities(work, tools)
    for item_id, present in (await tools.mailbox.get(rest)).items() if rest else ():
        work.gone.discard(item_id)
        if isinstance(present, Item) and "rule" in present.fields:
            says[item_id] = str(present.fields["sensitivity"])
        elif isinstance(present, Item):
            work.cards[item_id] = present
        elif isinstance(present, Unread):
            tools.later.add(item_id)
        lost |= not isinstance(present, Item)
    if lost and not work.full:
        await _claim_all(work, links, tools)
    await _claim_hidden_past(says, work, links, tools)


async def _claim_hidden_past(says: Mapping[str, str], work: Work, links: Links, tools: Tools) -> None:
    """Occurrences that are over and listed no more, of series (id -> sensitivity) that are private now: their records are to hide it too."""
    if tools.context.policy.calendar.private is PrivateEvents.FULL:
        return
    for series, sensitivity in says.items():
        if not is_private({SENSITIVITY.mailbox: sensitivity}):
            continue
        for link in await tools.ledger.links_of_series(series):
            known = tools.context.sealed(link).unchanged(Side.MAILBOX, SENSITIVITY.id, sensitivity)
            if link.ends <= tools.at() and not known and link.item_id not in work.cards:
                links.add(link)
                work.gone.add(link.item_id)


async def claim_older(work: Work, links: Links, tools: Tools) -> None:
    """When the rule for private events changed: the private ones that are too long over for a listing, whose records may say too much now.

    Of those that are in the mailbox no more nothing is concluded.
    """
    if not (work.full and tools.past_too) or tools.context.policy.calendar.private is PrivateEvents.FULL:
        return
    before = looked_back(tools)
    ids = {link.item_id: link async for link in tools.ledger.links() if link.ends and link.ends < before}
    older = [item_id for item_id in ids if item_id not in work.cards and item_id not in work.gone]
    for start in range(0, len(older), CHUNK):
        await tools.guard()
        for item_id, present in (await tools.mailbox.get(older[start : start + CHUNK])).items():
            if isinstance(present, Item) and is_private(present.fields):
                links.add(ids[item_id])
                work.cards[item_id] = present
                work.records[ids[item_id].crm_id] = Kind.EVENT


async def _sensitivities(work: Work, tools: Tools) -> dict[str, str]:
    """What each listed series says, as most of its occurrences do: few are exceptions. Where none is inside the horizon, its master tells."""
    shown: dict[str, Counter[str]] = {series: Counter() for series in work.whole}
    for item_id, card in work.cards.items():
        if card and is_occurrence(item_id) and series_of(item_id) in shown:
            shown[series_of(item_id)][str(card.fields["sensitivity"])] += 1
    hidden = sorted(series for series, counted in shown.items() if not counted)
    masters = await tools.mailbox.get(hidden) if hidden else {}
    says = {series: counted.most_common(1)[0][0] for series, counted in shown.items() if counted}
    return says | {key: str(each.fields["sensitivity"]) for key, each in masters.items() if isinstance(each, Item)}


async def _claim_all(work: Work, links: Links, tools: Tools) -> None:
    async for link in tools.ledger.links():
        if is_occurrence(link.item_id) and link.ends > tools.at() and link.item_id not in work.cards:
            links.add(link)
            work.gone.add(link.item_id)


async def join_events(work: Work, links: Links, tools: Tools) -> None:
    """Find the records of events without a link: by our stamp when the ledger may have been lost, then by iCalUId and occurrence."""
    await learn(links, [joined.crm_id for joined in work.joined.values()], tools.ledger)
    work.joined = {i: j for i, j in work.joined.items() if j.crm_id not in links.by_crm}
    cards = {i: item for i, item in work.cards.items() if item and i not in links.by_item and i not in work.joined}
    cards = {i: item for i, item in cards.items() if not (is_copy(item) and item.fields.get("cancelled"))}
    if work.full:
        await by_stamp(cards, work, links, tools.mailbox, tools.crm, tools.context, tools.ledger)
        await relink(work, links, tools)
    tombstones = tools.context.tombstones
    open_ = [i for i in cards if i not in work.joined and i not in tombstones]
    records = await _records_of([cards[i] for i in open_], tools)
    await learn(links, [item.id for item in records], tools.ledger)
    found = _recognised({i: cards[i] for i in open_}, records, tools)
    await _moved_along(found, work, links, tools)
    found = {i: mine for i, mine in found.items() if i not in links.by_item}
    await join_copies({i: cards[i] for i, mine in found.items() if not mine}, work, tools)
    found = {i: mine for i, mine in found.items() if i not in work.joined}
    taken = links.by_crm.keys() | {joined.crm_id for joined in work.joined.values()}
    for item_id, same in found.items():
        free = [r for r in same if r.id not in taken and not _buried(r.id, tools)]
        mine = [r for r in free if tools.context.is_home(r)] or free
        if len(mine) == 1:
            work.joined[item_id] = Joined(mine[0].id, Reason.MATCHED)
            work.records.setdefault(mine[0].id, Kind.EVENT)
            taken |= {mine[0].id}
        elif mine and item_id not in work.allowed:
            work.unsure[item_id] = tuple(sorted(r.id for r in mine))
    if tools.context.policy.calendar.import_only:
        await join_alike_events({i: cards[i] for i, same in found.items() if not same}, work, links, tools)


async def _records_of(cards: Sequence[Item], tools: Tools) -> list[Item]:
    """The CRM's records with the iCalUIds of these events."""
    uids = sorted({crm_stamp(card).rpartition("|")[0] for card in cards} - {""})
    parts = [await tools.crm.by_uid(Kind.EVENT, uids[at : at + CHUNK]) for at in range(0, len(uids), CHUNK)]
    return [item for part in parts for item in part]


def _recognised(cards: Mapping[str, Item], records: Sequence[Item], tools: Tools) -> dict[str, Sequence[Item]]:
    """Each event's records: by occurrence, whether its series is in this mailbox or the CRM, in both or in neither."""
    zone = tools.context.policy.calendar.zone
    by_stamp: dict[str, list[Item]] = {}
    by_uid: dict[str, list[Item]] = {}
    for item in records:
        by_stamp.setdefault(_whole(item.stamp), []).append(item)
        by_uid.setdefault(item.stamp.rpartition("|")[0], []).append(item)
    found: dict[str, Sequence[Item]] = {}
    for item_id, card in cards.items():
        stamp, day = crm_stamp(card), original_day(card)
        mine: Sequence[Item] = by_stamp.get(stamp) or by_stamp.get(alone_stamp(card)) or ()
        if not mine and day and not is_occurrence(item_id):
            mine = of_day(day, by_uid.get(stamp.rpartition("|")[0], ()), zone)
        found[item_id] = mine
    return found


async def _moved_along(found: Mapping[str, Sequence[Item]], work: Work, links: Links, tools: Tools) -> None:
    """A series that was shifted or got another rule: occurrences keep their records where the count of days from the start is the same. And
    a copy that takes the place of one that went keeps its record: somebody is invited again, or to the whole series instead of a day.
    """
    groups: list[list[Op]] = []
    for item_id, records in found.items():
        for record in records:
            link = links.by_crm.get(record.id)
            if link is None or item_id in links.by_item or link.ends <= tools.at():
                continue
            same = series_of(link.item_id) == series_of(item_id)
            if _ended(link.item_id, work) or (same and link.item_id == series_of(item_id)):
                groups.append([*drop_link(link)[1:], *put_link(replace(link, item_id=item_id))])
                work.gone.discard(link.item_id)
                links.by_item.pop(link.item_id, None)
                links.add(replace(link, item_id=item_id))
    await tools.ledger.commit_groups(groups)


def _ended(item_id: str, work: Work) -> bool:
    card = work.cards.get(item_id)
    return item_id in work.gone or (card is not None and bool(card.fields.get("cancelled")))


def _buried(crm_id: str, tools: Tools) -> bool:
    """A record whose copy here ended may be joined by a new one: somebody who declined takes part after all."""
    return tools.context.buried(crm_id) and tools.context.tombstones[crm_id] is not Reason.COPY_ENDED


def _whole(stamp: str) -> str:
    """A record that never got an index is the first of its series."""
    uid, _, index = stamp.rpartition("|")
    return f"{uid}|{index or '0'}"
