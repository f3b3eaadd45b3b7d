"""Creations whose outcome is unknown: a crash or a lost answer came between the call and the record. I/O.

Before anything new is planned, each is looked up: found -> joined with its source, not found -> forgotten and planned anew, but no sooner than
the server's time limit after the intent, because a timed-out creation may still be committed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sync.events import over_at
from sync.gather import Joined, Work
from sync.invitations import BEGUN, first_guests, withheld
from sync.match import KeyFields
from sync.model import Item, Kind, Link, Present, Reason, Side
from sync.record import company_after
from sync.recurring import SERIES, finish_series
from sync.settle import renewed
from sync.store.ledger import Intent, drop_intent, drop_link, put_link
from sync.tools import Tools

SKEW = timedelta(minutes=10)  # between our clock and the CRM's
LIKE = 0.5
RENAMED = 0.75
LEAST_REST = 3  # values besides the name that tell one from a colleague
GRAPH_TIME_LIMIT = timedelta(seconds=120)


async def resolve(intents: Sequence[Intent], work: Work, crm_time_limit: timedelta, tools: Tools) -> set[str]:
    """Join what was created after all; the ids that must still wait are returned."""
    waiting = await _in_mailbox([i for i in intents if i.side is Side.CRM], work, tools)
    return waiting | await _in_crm([i for i in intents if i.side is Side.MAILBOX], work, crm_time_limit, tools)


async def _in_mailbox(intents: Sequence[Intent], work: Work, tools: Tools) -> set[str]:
    """Cards made by us: the folder is listed with stamps (the filter on stamps lags behind)."""
    if not intents:
        return set()
    found: dict[str, Item] = {}
    async for page in tools.mailbox.stamped():
        for item in page:
            found.setdefault(item.stamp, item)  # the first: a copy made by the user carries the same stamp
    records = await _records([intent for intent in intents if not intent.id.startswith(SERIES)], tools)
    waiting: set[str] = set()
    for intent in intents:
        card = found.get(intent.stamp)
        if card is None:
            waiting |= await _forget_if_late(intent, GRAPH_TIME_LIMIT, tools)
            continue
        if intent.id.startswith(SERIES):
            waiting |= set() if await finish_series(intent, card, tools) else {intent.id}
            continue
        if await tools.ledger.link_by_item(card.id):
            await tools.ledger.commit([drop_intent(intent.side, intent.id)])
            continue
        await _join(intent, intent.id, card.id, work, tools)
        await _link(intent, intent.id, card.id, [records[intent.id], card], tools)
        work.cards[card.id] = card
    return waiting


async def _records(intents: Sequence[Intent], tools: Tools) -> dict[str, Present]:
    found: dict[str, Present] = {}
    for kind in {intent.kind for intent in intents}:
        found.update(await tools.crm.get(kind, [intent.id for intent in intents if intent.kind is kind]))
    return found


async def _in_crm(intents: Sequence[Intent], work: Work, limit: timedelta, tools: Tools) -> set[str]:
    """Records made by us: by their stamp where the module has one, else by all sent values, creator and time."""
    waiting: set[str] = set()
    for kind in {intent.kind for intent in intents}:
        mine = [intent for intent in intents if intent.kind is kind]
        candidates = await _free(await _candidates(kind, mine, tools), tools)
        cards = await tools.mailbox.get([intent.id for intent in mine])
        found = _recognise(mine, candidates, tools)
        for intent in mine:
            record = found.get(intent.id)
            if record is None:
                waiting |= await _forget_if_late(intent, limit, tools)
                continue
            await _join(intent, record.id, intent.id, work, tools)
            await _link(intent, record.id, intent.id, [record, cards.get(intent.id)], tools)
    return waiting


async def _candidates(kind: Kind, intents: Sequence[Intent], tools: Tools) -> list[Item]:
    if kind is Kind.EVENT:
        return await tools.crm.by_uid(kind, sorted({intent.stamp.rpartition("|")[0] for intent in intents}))
    if kind is Kind.TASK:
        return await tools.crm.by_uid(kind, sorted({intent.stamp for intent in intents}))
    since = min(_time(intent.since) for intent in intents) - SKEW
    return await tools.crm.created_since(kind, since.isoformat())


async def _free(records: Sequence[Item], tools: Tools) -> dict[str, Item]:
    """Those that are linked nowhere and were not unlinked on purpose. Holding it here is no link yet: that is written after it."""
    mine = tools.context.policy.mailbox
    holders = await tools.registry.holders_near([record.id for record in records])
    free = [r for r in records if holders[r.id].keys() <= {mine} and r.id not in tools.context.tombstones]
    return {r.id: r for r in free if await tools.ledger.link_by_crm(r.id) is None}


def _recognise(intents: Sequence[Intent], candidates: Mapping[str, Item], tools: Tools) -> dict[str, Item]:
    """Intent's id -> its record: by stamp, else the one that holds the most of what was sent, and half of it at least.

    The names must be those sent. Not all the rest: a workflow changes fields on creation, and somebody may have edited the record.
    What is left over on both sides may have been renamed meanwhile: then one name and nearly all the rest must be as sent. Who had one name
    only keeps none of it: then all the rest must be as sent, and no other intent or record may be as like.
    """
    found: dict[str, Item] = {}
    for least, like in ((LIKE, _likeness), (RENAMED, _likeness_renamed)):
        left = [intent for intent in intents if intent.id not in found]
        free = [record for record in candidates.values() if record not in found.values()]
        scores = [(like(intent, record, tools), intent.id, record.id) for intent in left for record in free]
        taken: set[str] = set()
        for score, intent_id, crm_id in sorted(scores, reverse=True):
            if score >= least and intent_id not in found and crm_id not in taken:
                found[intent_id] = candidates[crm_id]
                taken.add(crm_id)
    return found | _renamed_wholly(intents, candidates, found, tools)


def _renamed_wholly(
    intents: Sequence[Intent], candidates: Mapping[str, Item], found: Mapping[str, Item], tools: Tools
) -> dict[str, Item]:
    """Those whose only name was changed meanwhile. In doubt none: a double is better than two people in one."""
    left = [intent for intent in intents if intent.id not in found]
    free = [record for record in candidates.values() if record not in found.values()]
    alike = [(intent.id, record) for intent in left for record in free if _is_but_for_name(intent, record, tools)]
    of_intent = Counter(intent_id for intent_id, _ in alike)
    of_record = Counter(record.id for _, record in alike)
    return {i: record for i, record in alike if of_intent[i] == of_record[record.id] == 1}


def _is_but_for_name(intent: Intent, record: Item, tools: Tools) -> bool:
    """Does it hold all that was sent besides a single name, and several things at that?"""
    same, names = _held(intent, record, tools)
    rest = json.loads(intent.sent or "{}").keys() - names
    mine = not record.stamp and record.owner == tools.context.policy.owner
    return mine and len(names) == 1 and len(rest) >= LEAST_REST and rest <= same


def _likeness(intent: Intent, record: Item, tools: Tools) -> float:
    """From 0 to 1: the share of sent values that the record holds; 2 for its stamp, 0 for another's."""
    if record.stamp:
        return 2.0 if record.stamp == intent.stamp else 0.0
    same, names = _held(intent, record, tools)
    if not names <= same:
        return 0.0  # colleagues share company, phone and address: without the same name it is somebody else
    return len(same) / max(len(json.loads(intent.sent or "{}")), 1)


def _likeness_renamed(intent: Intent, record: Item, tools: Tools) -> float:
    """From 0 to 1: the share of what was sent besides the names, 0 when not one of two names is as sent or the owner is another."""
    same, names = _held(intent, record, tools)
    rest = json.loads(intent.sent or "{}").keys() - names
    if record.stamp or record.owner != tools.context.policy.owner or not names & same or not rest:
        return 0.0
    return len(same & rest) / len(rest)


def _held(intent: Intent, record: Item, tools: Tools) -> tuple[set[str], set[str]]:
    """The field pairs that the record holds as they were sent, and which of those sent are names."""
    values = tools.translator(intent.kind).crm_values(record.fields)
    sent = json.loads(intent.sent or "{}")
    key = KeyFields.of(intent.kind, tools.translator(intent.kind))
    names = {key.company} if intent.kind is Kind.COMPANY else {key.given, key.family}
    same = {pair for pair in sent if _was_sent(intent, pair, values.get(pair, ""), tools)}
    return same, names & sent.keys()


def _was_sent(intent: Intent, pair: str, value: str, tools: Tools) -> bool:
    translator = tools.translator(intent.kind)
    digest = json.loads(intent.sent)[pair]
    return bool(tools.keys.matches(digest, "intent", pair, translator.version, translator.image(pair, value)))


async def _join(intent: Intent, crm_id: str, item_id: str, work: Work, tools: Tools) -> None:
    """Plan the two as one thing. A link that the creation takes over ends here; the intent stays until the new link is stored."""
    if intent.replaces:
        old = await tools.ledger.link_by_crm(intent.replaces)
        if old and (old.crm_id, old.item_id) != (crm_id, item_id):
            after = await company_after(old, tools) if old.kind is not intent.kind else []
            await tools.ledger.commit([*drop_link(old), *after])
    work.joined[item_id] = Joined(crm_id, Reason.STAMP)
    work.records[crm_id] = intent.kind
    work.cards.setdefault(item_id, None)
    work.gone.discard(item_id)


async def _link(intent: Intent, crm_id: str, item_id: str, present: Sequence[object], tools: Tools) -> None:
    """Link them with what was sent as base, as far as one side still holds it: what differs from that is an edit made since."""
    mailbox, translator = tools.context.policy.mailbox, tools.translator(intent.kind)
    link = Link(mailbox, intent.kind, crm_id, item_id, intent.side, intent.role, flags=intent.flags)
    items = [item for item in present if isinstance(item, Item)]
    sources = [
        translator.crm_values(item.fields) if item.side is Side.CRM else translator.mailbox_values(item.fields)
        for item in items
    ]
    agreed: dict[str, str] = {}
    for pair in json.loads(intent.sent or "{}"):
        values = (source[pair] for source in sources if pair in source)
        value = next((value for value in values if _was_sent(intent, pair, value, tools)), None)
        if value is not None:
            agreed[pair] = value
    await tools.registry.hold_records(mailbox, {crm_id: link.role})
    if intent.kind is Kind.EVENT:
        link = replace(link, ends=over_at(items, None, tools.context))
    linked = renewed(link, tools.context.sealed(link), *_with_people(link, agreed, items, tools))
    await tools.ledger.commit([*put_link(linked), drop_intent(intent.side, intent.id)])


def _with_people(
    link: Link, agreed: dict[str, str], items: Sequence[Item], tools: Tools
) -> tuple[dict[str, str], dict[str, str]]:
    """What each side held, guests included: of an event that went out without them the CRM's list is agreed on as it is."""
    if link.kind is not Kind.EVENT:
        return agreed, agreed
    record = next((item for item in items if item.side is Side.CRM), None)
    kept = first_guests(record, tools.context) if record and withheld(link) else {}
    return {**agreed, BEGUN: "", **kept}, {**agreed, BEGUN: "", **dict.fromkeys(kept, "")}


async def _forget_if_late(intent: Intent, limit: timedelta, tools: Tools) -> set[str]:
    if tools.now() - _time(intent.since) < limit:
        return {intent.id}
    await tools.ledger.commit([drop_intent(intent.side, intent.id)])
    return set()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
