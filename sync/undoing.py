"""Taking a user's removal back: its cards are made again as they were when they were deleted, and are linked as before. I/O.

A card that is back already, because the user was connected again, is left alone: no doubles. What was not deleted is only linked again. Links
begin without a base, so the next run compares what both sides hold as if they had never agreed. Pictures, and phones that no listing shows, are
not in the journal and do not come back from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from mapping.model import Value
from sync.announced import before_call
from sync.clearing_tools import Clearing, Progress
from sync.errors import Cause, RetryLater
from sync.intents import GRAPH_TIME_LIMIT
from sync.joining import write_stamp
from sync.model import Family, Gone, Item, Link, Reason, Side
from sync.record import again
from sync.sides.base import Done, New, Refused, Result
from sync.store.base import Op
from sync.store.ledger import Intent, MailboxLedger, drop_intent, drop_link, drop_pending, put_intent, put_link
from sync.store.remnants import Kept, Remnant, drop_remnant, kept_values, remnants
from sync.store.secrets import Sealing, Undecipherable
from sync.tools import Tools

CARD = f"{Side.MAILBOX.value}:"


def restored_card(kept: Kept, keys: Sealing) -> Mapping[str, Value]:
    """The fields of a card from its journal row, as the mailbox showed them; {} when only a removed key opens it."""
    try:
        values = json.loads(keys.decrypt(kept.sealed, kept.key))["before"]
    except Undecipherable:
        return {}
    return {
        name.removeprefix(CARD): tuple(value) if isinstance(value, list) else str(value)
        for name, value in values.items()
        if name.startswith(CARD)
    }


async def undo(job: Clearing) -> Progress:
    """One slice."""
    ledger = await job.ledger(Family.PEOPLE)
    left = await _left(ledger, job)
    deleted = [each for each in left if each.deleted]
    kept = [each for each in left if not each.deleted]
    for start in range(0, len(kept), job.limits.batch):
        await job.guard()
        part = kept[start : start + job.limits.batch]
        here = [each for each in part if await ledger.link_by_crm(each.link.crm_id)]
        await ledger.commit([drop_remnant(each) for each in here])
        await _link([(each, each.link) for each in part if each not in here], ledger, job)
        if job.late:
            return Progress.GOES_ON
    return await _make_all(deleted, ledger, job) if deleted else Progress.DONE


async def _left(ledger: MailboxLedger, job: Clearing) -> list[Remnant]:
    return await remnants(job.registry.rows, ledger.partition, job.row.id, job.row.left_at)


async def _make_all(deleted: Sequence[Remnant], ledger: MailboxLedger, job: Clearing) -> Progress:
    """Everything that is not there. Raises RetryLater while a creation of an earlier life may still happen."""
    tools = await job.people_or_none(ledger) or await job.people(ledger, "")
    waiting = await _found_again(deleted, tools, job)
    missing = await _missing(deleted, tools)
    rest = [each for each in missing if each.link.crm_id not in waiting]
    values = await kept_values(job.registry.rows, ledger.partition, job.row.left_at, Reason.USER_LEFT)
    for start in range(0, len(rest), job.limits.batch):
        await _make(rest[start : start + job.limits.batch], values, tools, job)
        if job.late:
            return Progress.GOES_ON
    if await _left(ledger, job):
        raise RetryLater(Cause.GRAPH_THROTTLED, GRAPH_TIME_LIMIT.total_seconds(), counts=False)
    return Progress.DONE


async def _found_again(deleted: Sequence[Remnant], tools: Tools, job: Clearing) -> set[str]:
    """Cards that an earlier life of this undoing made without noting it: linked. Ids whose creation may still happen are returned."""
    intents = {intent.id: intent for intent in await tools.ledger.intents() if intent.side is Side.CRM}
    mine = [each for each in deleted if each.link.crm_id in intents]
    if not mine:
        return set()
    stamps: dict[str, Item] = {}
    async for page in tools.mailbox.stamped():
        for item in page:
            stamps.setdefault(item.stamp, item)
    made = [(each, stamps.get(intents[each.link.crm_id].stamp)) for each in mine]
    await _link([(each, replace(each.link, item_id=item.id)) for each, item in made if item], tools.ledger, job)
    lost = [intents[each.link.crm_id] for each, item in made if item is None]
    young = {i.id for i in lost if job.now() - datetime.fromisoformat(i.since) < GRAPH_TIME_LIMIT}
    await tools.ledger.commit([drop_intent(i.side, i.id) for i in lost if i.id not in young])
    return young


async def _missing(deleted: Sequence[Remnant], tools: Tools) -> list[Remnant]:
    """Those that have no card. A link that the removal was just about to end may still be there, its card deleted by us or not."""
    linked = {each.link.crm_id: await tools.ledger.link_by_crm(each.link.crm_id) for each in deleted}
    links = {crm_id: link for crm_id, link in linked.items() if link}
    present = await tools.mailbox.get([link.item_id for link in links.values()]) if links else {}
    ops: list[Op] = []
    back: set[str] = set()
    for each in deleted:
        link = links.get(each.link.crm_id)
        if link is None:
            continue
        if link.item_id == each.link.item_id and isinstance(present[link.item_id], Gone):
            ops += drop_link(link)
        else:
            back.add(link.crm_id)
            ops.append(drop_remnant(each))
    await tools.ledger.commit(ops)
    found = await _left_of(deleted, tools)
    return [each for each in found if each.link.crm_id not in back]


async def _left_of(deleted: Sequence[Remnant], tools: Tools) -> list[Remnant]:
    """Those that were not settled meanwhile."""
    rows = tools.registry.rows
    first = deleted[0]
    now = await remnants(rows, tools.ledger.partition, first.link.mailbox, first.left_at)
    open_ids = {each.link.crm_id for each in now}
    return [each for each in deleted if each.link.crm_id in open_ids]


async def _make(batch: Sequence[Remnant], values: Mapping[str, Kept], tools: Tools, job: Clearing) -> None:
    """Make these cards as they were when they were deleted, and link them."""
    writes: list[tuple[Remnant, New]] = []
    ops: list[Op] = []
    for each in batch:
        link = each.link
        kept = values.get(link.crm_id)
        fields = restored_card(kept, job.keys) if kept else {}
        if fields:
            new = New(link.kind, fields, write_stamp(link.crm_id, link.kind, job.new_id()))
            writes.append((each, new))
            ops.append(put_intent(Intent(Side.CRM, link.crm_id, link.kind, new.stamp, job.at(), role=link.role)))
        else:
            ops.append(drop_remnant(each))
            job.counts[Reason.REFUSED.value] += 1
    await tools.guard()
    await tools.ledger.commit(ops)
    announced = [drop_intent(Side.CRM, each.link.crm_id) for each, _ in writes]
    await before_call(tools.guard, lambda: tools.ledger.commit(announced))
    results = await tools.mailbox.apply([new for _, new in writes]) if writes else []
    made: list[tuple[Remnant, Link]] = []
    refused: list[Op] = []
    for (each, _), result in zip(writes, results, strict=True):
        if isinstance(result, Done) and result.item:
            made.append((each, replace(each.link, item_id=result.item.id)))
        else:
            refused += _refused(each, result, tools)
    await _link(made, tools.ledger, job)
    await tools.ledger.commit(refused)


def _refused(each: Remnant, result: Result, tools: Tools) -> list[Op]:
    """Tried again; a card that the server refused three times stays in the journal."""
    if not isinstance(result, Refused):
        return []
    crm_id = each.link.crm_id
    tried = again(Side.CRM, crm_id, each.link.kind, result, tools)
    if tools.pending[(Side.CRM, crm_id)].because is Reason.QUARANTINED:
        return [drop_intent(Side.CRM, crm_id), drop_pending(Side.CRM, crm_id), drop_remnant(each)]
    return [drop_intent(Side.CRM, crm_id), tried]


async def _link(pairs: Sequence[tuple[Remnant, Link]], ledger: MailboxLedger, job: Clearing) -> None:
    """Links begin again, without a base."""
    if not pairs:
        return
    await job.registry.hold_records(job.row.id, {link.crm_id: link.role for _, link in pairs})
    groups: list[list[Op]] = []
    for remnant, link in pairs:
        over: list[Op] = [
            drop_intent(Side.CRM, link.crm_id),
            drop_pending(Side.CRM, link.crm_id),
            drop_remnant(remnant),
        ]
        groups.append([*put_link(link), *over, job.note(link, "link", Reason.UNDONE)])
        job.counts[Reason.UNDONE.value] += 1
    await ledger.commit_groups(groups)
