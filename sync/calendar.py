"""What a run of a calendar gathers besides the common steps: the baseline of a new mailbox, vanished occurrences, partners by iCalUId. I/O.

Decides nothing about events: that is `sync.events`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.calendar import WHEN
from mapping.tasks import is_completed
from sync.events import baseline_of, crm_stamp, is_occurrence, lone_day, series_of
from sync.gather import Joined, Links, Work
from sync.joining import by_stamp, learn
from sync.keeping import join_copies
from sync.model import Item, Kind, Reason
from sync.relinking import relink
from sync.spans import ends_at
from sync.store.base import Op
from sync.store.ledger import Checkpoint, drop_link, put_link
from sync.tools import Tools

LOOKED_BACK = timedelta(days=31)
"""How far back a comparison in full looks; a day more than the listing's window."""
CHUNK = 200


async def begin(point: Checkpoint, owners: Sequence[str], tools: Tools) -> Checkpoint:
    """The start of a run of events or tasks: before anything is imported, a new mailbox's baseline is taken (SPEC 2.11)."""
    tools.context = replace(tools.context, connected=point.connected or tools.at())
    if point.imported:
        return point
    rules = replace(tools.context.policy.calendar, import_only=True)
    tools.context = replace(tools.context, policy=replace(tools.context.policy, calendar=rules))
    if point.connected:
        return point
    since = tools.at()
    (kind,) = tools.family.kinds
    for owner in owners:
        async for ids in tools.crm.owned(kind, owner, ending_after=tools.now()):
            for start in range(0, len(ids), CHUNK):
                await _take(kind, ids[start : start + CHUNK], since, tools)
    point = replace(point, connected=since)
    await tools.ledger.save_checkpoint(point)
    return point


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


def _to_come(item: Item, tools: Tools) -> bool:
    if item.kind is Kind.TASK:
        return not is_completed(item.fields)
    when = str(item.fields.get("when", ""))
    return bool(when) and ends_at(when, tools.context.policy.calendar.zone) > tools.now()


def _later(created: str, since: str) -> bool:
    return bool(created) and datetime.fromisoformat(created) > datetime.fromisoformat(since)


def looked_back(tools: Tools) -> str:
    """Events that were over by then are out of every listing: not looked for."""
    return (tools.now() - LOOKED_BACK).isoformat(timespec="seconds")


async def claim_occurrences(work: Work, links: Links, tools: Tools) -> None:
    """Linked occurrences that their series does not show any more, and removals of ids that no link knows.

    An unknown id may be an event outside the listing's window, which is no removal at all (BEHAVIOUR 2.4), or an occurrence: whose, only
    its series tells, so all of them are looked at.
    """
    unknown = sorted(work.gone - links.by_item.keys())
    once = () if work.full else (i for i in work.cards if i not in links.by_item and not is_occurrence(i))
    series = {*work.whole, *unknown, *once}  # a single event may have been a series
    for each in sorted(series):
        for link in await tools.ledger.links_of_series(each):
            if link.ends > tools.at() and link.item_id not in work.cards:
                links.add(link)
                work.gone.add(link.item_id)
    told = {item_id.partition("|")[0] for item_id in links.by_item if is_occurrence(item_id)}
    work.gone -= told  # a series is looked at by its occurrences
    rest = [item_id for item_id in unknown if item_id not in told]
    lost = False
    for item_id, present in (await tools.mailbox.get(rest)).items() if rest else ():
        work.gone.discard(item_id)
        if isinstance(present, Item) and "rule" not in present.fields:
            work.cards[item_id] = present
        lost |= not isinstance(present, Item)
    if lost and not work.full:
        await _claim_all(work, links, tools)


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
    if work.full:
        await by_stamp(cards, work, links, tools.mailbox, tools.crm, tools.context, tools.ledger)
        await relink(work, links, tools)
    tombstones = tools.context.tombstones
    stamps = {i: crm_stamp(item) for i, item in cards.items() if i not in work.joined and i not in tombstones}
    uids = sorted({stamp.rpartition("|")[0] for stamp in stamps.values()} - {""})
    records: dict[str, list[Item]] = {}
    for start in range(0, len(uids), CHUNK):
        for item in await tools.crm.by_uid(Kind.EVENT, uids[start : start + CHUNK]):
            records.setdefault(_whole(item.stamp), []).append(item)
    known = {i: records.get(stamp) or _by_day(cards[i], stamp, records) for i, stamp in stamps.items()}
    await learn(links, [item.id for items in records.values() for item in items], tools.ledger)
    await _moved_along(known, work, links, tools)
    stamps = {i: stamp for i, stamp in stamps.items() if i not in links.by_item}
    await join_copies({i: cards[i] for i in stamps if not known[i]}, work, tools)
    stamps = {i: stamp for i, stamp in stamps.items() if i not in work.joined}
    taken = links.by_crm.keys() | {joined.crm_id for joined in work.joined.values()}
    for item_id, stamp in stamps.items():
        found = known[item_id] or _by_time(cards[item_id], stamp, records, tools)
        free = [r for r in found if r.id not in taken and not _buried(r.id, tools)]
        mine = [r for r in free if tools.context.is_home(r)] or free
        if len(mine) == 1:
            work.joined[item_id] = Joined(mine[0].id, Reason.MATCHED)
            work.records.setdefault(mine[0].id, Kind.EVENT)
            taken |= {mine[0].id}
        elif mine and item_id not in work.allowed:
            work.unsure[item_id] = tuple(sorted(r.id for r in mine))


def _by_day(card: Item, stamp: str, records: Mapping[str, list[Item]]) -> list[Item]:
    """The record of an occurrence that somebody who was invited to nothing else had brought into the CRM."""
    day = card.id.partition("|")[2].replace("-", "")
    return records.get(f"{stamp.rpartition('|')[0]}|{day}", []) if day else []


def _by_time(card: Item, stamp: str, records: Mapping[str, list[Item]], tools: Tools) -> list[Item]:
    """The record of the series whose occurrence this is a copy of, and nothing else: the one at the same time."""
    if not lone_day(card):
        return []
    translator = tools.translator(Kind.EVENT)
    when = translator.image(WHEN.id, translator.mailbox_values(card.fields)[WHEN.id])
    uid = stamp.rpartition("|")[0]
    family = [record for key, each in records.items() if key.rpartition("|")[0] == uid for record in each]
    return [r for r in family if translator.image(WHEN.id, translator.crm_values(r.fields)[WHEN.id]) == when]


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
