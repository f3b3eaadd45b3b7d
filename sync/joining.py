"""Find the partners of cards and records without a link (SPEC 1.5): by stamp, by natural key, among cards that were left. I/O.

Whom they are the same as is decided in `sync.match`; here it is looked up and noted in the run's `Work`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mapping import kind_of_card
from sync.event_names import crm_stamp, meeting_name
from sync.gather import MANY, Joined, Key, Links, Work, read_records
from sync.match import handles_of, match, natural_key, same
from sync.merge import Digests
from sync.model import Family, Gone, Item, Kind, Pair, Reason
from sync.plan import Context
from sync.sides.base import Crm, Mailbox, NaturalKey
from sync.store.ledger import MailboxLedger
from sync.tasks import task_uid

FIND = 100  # natural keys looked up at a time


async def join_unlinked(
    work: Work, links: Links, mailbox: Mailbox, crm: Crm, context: Context, ledger: MailboxLedger
) -> None:
    """Find the partners of cards and records without a link: by stamp, then by natural key (SPEC 1.5)."""
    await learn(links, [joined.crm_id for joined in work.joined.values()], ledger)
    work.joined = {i: j for i, j in work.joined.items() if j.crm_id not in links.by_crm}  # somebody has it: ask anew
    cards = {i: item for i, item in work.cards.items() if item and i not in links.by_item and i not in work.joined}
    await by_stamp(cards, work, links, mailbox, crm, context, ledger)
    rest = {i: item for i, item in cards.items() if i not in work.joined and i not in work.allowed}
    keys = {i: natural_key(item, context.translators[item.kind]) for i, item in rest.items() if _tellable(item)}
    await _by_key(keys, work, links, crm, context, ledger)
    await _known_already(work, links, crm, context)


async def learn(links: Links, crm_ids: Collection[str], ledger: MailboxLedger) -> None:
    """Whether these records have a card here already: only what the ledger says counts."""
    unknown = [crm_id for crm_id in crm_ids if crm_id not in links.by_crm]
    for link in await asyncio.gather(*(ledger.link_by_crm(crm_id) for crm_id in unknown)):
        if link:
            links.add(link)


async def by_stamp(
    cards: Mapping[str, Item],
    work: Work,
    links: Links,
    mailbox: Mailbox,
    crm: Crm,
    context: Context,
    ledger: MailboxLedger,
) -> None:
    """A card with our stamp whose record has no card in this mailbox (any more): the ledger was lost, or the run crashed."""
    if not cards:
        return
    stamps: dict[str, str] = {}
    if len(cards) > MANY:
        async for page in mailbox.stamped():
            stamps.update({item.id: item.stamp for item in page if item.id in cards})
    else:
        for item_id, present in (await mailbox.get(list(cards))).items():
            if isinstance(present, Item):
                stamps[item_id] = present.stamp
                work.cards[item_id] = replace(present, kind=cards[item_id].kind)
    await join_stamped(stamps, cards, work, links, crm, context, ledger)


async def join_stamped(
    stamps: Mapping[str, str],
    cards: Mapping[str, Item],
    work: Work,
    links: Links,
    crm: Crm,
    context: Context,
    ledger: MailboxLedger,
) -> None:
    """Join cards whose stamp (item id -> stamp) names a living record that has no card here; of several copies none."""
    await learn(links, {read_stamp(stamp)[0] for stamp in stamps.values()} - {""}, ledger)
    by_record: Mapping[str, list[str]] = defaultdict(list)
    for item_id, stamp in stamps.items():
        crm_id, kind = read_stamp(stamp)
        if crm_id and kind is cards[item_id].kind and crm_id not in links.by_crm and crm_id not in context.tombstones:
            by_record[crm_id].append(item_id)
    taken = {joined.crm_id for joined in work.joined.values()}
    by_record = {crm_id: ids for crm_id, ids in by_record.items() if crm_id not in taken}
    alive = await read_records([Key(c, "", cards[ids[0]].kind) for c, ids in by_record.items()], crm)
    for crm_id, item_ids in by_record.items():
        if isinstance(alive[crm_id], Gone):
            continue
        if len(item_ids) == 1 and item_ids[0] not in context.tombstones:
            work.joined[item_ids[0]] = Joined(crm_id, Reason.STAMP)
            work.records.setdefault(crm_id, cards[item_ids[0]].kind)


def write_stamp(crm_id: str, kind: Kind, nonce: str) -> str:
    """What a card made by us carries."""
    return f"{crm_id};{kind.value};{nonce}"


def read_stamp(stamp: str) -> tuple[str, Kind | None]:
    """The record that a stamp speaks of, ('', None) when it is not one of ours."""
    parts = stamp.split(";")
    if len(parts) != 3 or parts[1] not in set(Kind):
        return "", None
    return parts[0], Kind(parts[1])


async def _by_key(
    keys: Mapping[str, NaturalKey], work: Work, links: Links, crm: Crm, context: Context, ledger: MailboxLedger
) -> None:
    ids = [item_id for item_id in keys if item_id not in context.tombstones]
    records: dict[str, NaturalKey] = {}
    for start in range(0, len(ids), FIND):
        part = ids[start : start + FIND]
        for found in await crm.find([keys[item_id] for item_id in part]):
            for item in found:
                records[item.id] = natural_key(item, context.translators[item.kind])
    await learn(links, records, ledger)
    candidates = [(crm_id, key) for crm_id, key in records.items() if not context.buried(crm_id)]
    taken = links.by_crm.keys() | {joined.crm_id for joined in work.joined.values()}
    result = match([(i, keys[i]) for i in ids], candidates, taken)
    work.joined.update({item_id: Joined(crm_id, Reason.MATCHED) for item_id, crm_id in result.pairs.items()})
    work.unsure.update(result.unsure)
    for item_id, crm_id in result.pairs.items():
        work.records.setdefault(crm_id, keys[item_id].kind)


async def _known_already(work: Work, links: Links, crm: Crm, context: Context) -> None:
    """Company cards that got the name of somebody whom the CRM knows: an admin decides whether that is a new person."""
    translator = context.translators[Kind.CONTACT]
    keys: dict[str, NaturalKey] = {}
    for item_id, item in work.cards.items():
        link = links.by_item.get(item_id)
        person = item is not None and kind_of_card(item.fields) == Kind.CONTACT.value
        if item and person and link and link.kind is Kind.COMPANY and item_id not in work.allowed:
            keys[item_id] = natural_key(replace(item, kind=Kind.CONTACT), translator)
    if not keys:
        return
    for (item_id, key), found in zip(keys.items(), await crm.find(list(keys.values())), strict=True):
        if any(same(key, natural_key(record, translator)) for record in found):
            work.unsure[item_id] = ()


def _tellable(item: Item) -> bool:
    return kind_of_card(item.fields) is not None


async def find_left_cards(
    pairs: Sequence[Pair], handles: Mapping[str, Sequence[str]], mailbox: Mailbox, work: Work, context: Context
) -> list[Pair]:
    """Join new CRM records with cards that earlier runs left without a link (`handles`: digest of a name or address -> card ids)."""
    lonely = {p.crm.id: p.crm for p in pairs if isinstance(p.crm, Item) and p.mailbox is None and p.link is None}
    if not handles or not lonely:
        return list(pairs)
    keys = {crm_id: natural_key(item, context.translators[item.kind]) for crm_id, item in lonely.items()}
    ids = {i for key in keys.values() for h in card_handles(key, context.digests) for i in handles.get(h, ())}
    present = await mailbox.get(sorted(ids)) if ids else {}
    cards = {i: item for i, item in present.items() if isinstance(item, Item) and not context.buried(i)}
    card_keys = [(i, natural_key(item, context.translators[item.kind])) for i, item in cards.items()]
    result = match(card_keys, list(keys.items()))
    work.unsure.update({i: candidates for i, candidates in result.unsure.items() if i not in work.allowed})
    partner = {crm_id: cards[item_id] for item_id, crm_id in result.pairs.items()}
    return [
        Pair(p.crm, partner[p.crm.id], None, Reason.MATCHED, p.kind)
        if p.crm and p.crm.id in partner and not p.link
        else p
        for p in pairs
    ]


def record_stamp(source: Item) -> str:
    """What the record of a mailbox's event or task is recognised by in the CRM."""
    return crm_stamp(source) if source.kind is Kind.EVENT else task_uid(source)


def claimed_by(item: Item, context: Context) -> list[str]:
    """What an item is recognised by in every mailbox: names and addresses of people, the iCalUId and the occurrence of an event,
    the uid of a task."""
    if item.kind not in Family.PEOPLE.kinds:
        name = meeting_name(item) if item.kind is Kind.EVENT else task_uid(item)
        return [context.digests.digest(item.kind.value, "handle", "1", name)]
    return card_handles(natural_key(item, context.translators[item.kind]), context.digests)


def card_handles(key: NaturalKey, digests: Digests) -> list[str]:
    """Keyed digests of what a card is recognised by, the same in every mailbox: no name or address is stored."""
    return [digests.digest(key.kind.value, "handle", "1", handle) for handle in handles_of(key)]
