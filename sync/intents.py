"""Creations whose outcome is unknown: a crash or a lost answer came between the call and the record. I/O.

Before anything new is planned, each is looked up: found -> joined with its source, not found -> forgotten and planned anew, but no sooner than
the server's time limit after the intent, because a timed-out creation may still be committed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sync.apply import Tools, company_after
from sync.gather import Joined, Work
from sync.match import natural_key, same
from sync.model import Item, Link, Reason, Side
from sync.settle import renewed
from sync.store.ledger import Intent, drop_intent, drop_link, put_link

SKEW = timedelta(minutes=10)  # between our clock and the CRM's
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
        found.update({item.stamp: item for item in page if item.stamp})
    waiting: set[str] = set()
    for intent in intents:
        item = found.get(intent.stamp)
        if item is None:
            waiting |= await _forget_if_late(intent, GRAPH_TIME_LIMIT, tools)
            continue
        await _join(intent, intent.id, item.id, work, tools)
        work.cards[item.id] = item
    return waiting


async def _in_crm(intents: Sequence[Intent], work: Work, limit: timedelta, tools: Tools) -> set[str]:
    """Records made by us: by their stamp where the module has one, else by all sent values, creator and time."""
    waiting: set[str] = set()
    for kind in {intent.kind for intent in intents}:
        mine = [intent for intent in intents if intent.kind is kind]
        since = min(_time(intent.since) for intent in mine) - SKEW
        candidates = await _free(await tools.crm.created_since(kind, since.isoformat()), tools)
        cards = await tools.mailbox.get([intent.id for intent in mine])
        found: dict[str, Item] = {}
        exact: set[str] = set()
        for recognise in (_exactly, _by_name):  # all exact ones first: two new cards may bear the same name
            for intent in mine:
                record = None if intent.id in found else recognise(intent, cards.get(intent.id), candidates, tools)
                if record:
                    found[intent.id] = candidates.pop(record.id)
                    exact |= {intent.id} if recognise is _exactly else set()
        for intent in mine:
            if intent.id not in found:
                waiting |= await _forget_if_late(intent, limit, tools)
                continue
            record = found[intent.id]
            await _join(intent, record.id, intent.id, work, tools)
            if intent.id in exact:
                await _link(intent, record, tools)
    return waiting


async def _free(records: Sequence[Item], tools: Tools) -> dict[str, Item]:
    """Those that are linked nowhere and were not unlinked on purpose. Holding it here is no link yet: that is written after it."""
    mine = tools.context.policy.mailbox
    holders = await tools.registry.holders_near([record.id for record in records])
    free = [r for r in records if holders[r.id].keys() <= {mine} and r.id not in tools.context.tombstones]
    return {r.id: r for r in free if await tools.ledger.link_by_crm(r.id) is None}


def _exactly(intent: Intent, card: object, candidates: Mapping[str, Item], tools: Tools) -> Item | None:
    """The record with the intent's stamp, or that holds all that was sent."""
    for record in candidates.values():
        if record.stamp == intent.stamp if record.stamp else _holds_what_was_sent(record, intent, tools):
            return record
    return None


def _by_name(intent: Intent, card: object, candidates: Mapping[str, Item], tools: Tools) -> Item | None:
    """A workflow may have changed some of it on creation: the only unstamped record of that name and address."""
    if not isinstance(card, Item):
        return None
    translator = tools.translator(intent.kind)
    key = natural_key(card, translator)
    alike = [r for r in candidates.values() if not r.stamp and same(key, natural_key(r, translator))]
    return alike[0] if len(alike) == 1 else None


def _holds_what_was_sent(record: Item, intent: Intent, tools: Tools) -> bool:
    digest, _, names = intent.sent.partition(" ")
    translator = tools.translator(intent.kind)
    values = translator.crm_values(record.fields)
    text = json.dumps([(pair, translator.image(pair, values.get(pair, ""))) for pair in names.split(",") if pair])
    return bool(tools.keys.matches(digest, "intent", intent.kind.value, translator.version, text))


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


async def _link(intent: Intent, record: Item, tools: Tools) -> None:
    """A record that holds what was sent: what the card says otherwise by now is an edit made since."""
    mailbox = tools.context.policy.mailbox
    link = Link(mailbox, intent.kind, record.id, intent.id, Side.MAILBOX)
    sent = set(intent.sent.partition(" ")[2].split(","))
    values = {p: v for p, v in tools.translator(intent.kind).crm_values(record.fields).items() if p in sent}
    sealed = tools.context.sealed(link)
    await tools.registry.hold_records(mailbox, {record.id: link.role})
    ops = [*put_link(renewed(link, sealed, values, values)), drop_intent(intent.side, intent.id)]
    await tools.ledger.commit(ops)


async def _forget_if_late(intent: Intent, limit: timedelta, tools: Tools) -> set[str]:
    if tools.now() - _time(intent.since) < limit:
        return {intent.id}
    await tools.ledger.commit([drop_intent(intent.side, intent.id)])
    return set()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
