"""Carry out planned actions of one mailbox: intent -> call -> result, a batch at a time. I/O; decides nothing about items.

The order is the promise: what is about to be created is written down first, then the servers are called, then link, base and history are
stored in one transaction. A crash between any two lines costs a look-up or a repeat, never a loss or a double.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mapping.model import Rendered, Translator
from sync.colours import colour
from sync.events import hides, shown_fields
from sync.joining import claimed_by, record_stamp, write_stamp
from sync.keeping import name_meetings
from sync.model import Create, Delete, Family, Flag, Item, Kind, Link, Reason, Role, Sent, Side, Update
from sync.record import Job, done, settle, waiting
from sync.settle import foreseen, record_digest, values_of
from sync.sides.base import Done, New, Remove, Revise
from sync.store.base import Op, Put
from sync.store.ledger import (
    Intent,
    put_intent,
    put_link,
)
from sync.tools import Tools

CHUNK_OF_TEXT = 30_000  # characters of a property: the service takes 32 Ki


async def apply(actions: Sequence[Create | Update | Delete], tools: Tools) -> None:
    """Execute a batch: at most some twenty actions, of different items."""
    await tools.guard()
    jobs = [_job(action, tools) for action in await _claimed(actions, tools)]
    await _announce(jobs, tools)
    await colour([job.writes[Side.MAILBOX] for job in jobs if Side.MAILBOX in job.writes], tools)
    await tools.guard()  # whoever hung between intent and call may have been replaced
    await asyncio.gather(*(_call(side, jobs, tools) for side in Side))
    groups: list[list[Op]] = []
    ended: list[str] = []
    begun: dict[str, Role] = {}
    for job in jobs:
        ops, link = await settle(job, tools)
        groups.append(ops)
        if isinstance(job.action, Delete) and done(job, job.action.side):
            ended.append(job.action.link.crm_id)
        elif link and isinstance(job.action, Create) and job.action.side is Side.CRM:
            begun[link.crm_id] = link.role
    if begun:
        await tools.registry.hold_records(tools.context.policy.mailbox, begun)
    await _remember(jobs, tools)
    await tools.ledger.commit_groups(groups)
    await name_meetings(_made_in_mailbox(jobs), tools)
    for job in jobs:
        if isinstance(job.action, Update) and hides(job.action, tools.context):
            await tools.ledger.forget_values(job.action.pair.crm.id if job.action.pair.crm else "")
    await _afterwards(jobs, ended, tools)


def _made_in_mailbox(jobs: Sequence[Job]) -> list[Item]:
    results = [job.results.get(Side.MAILBOX) for job in jobs if isinstance(job.action, Create)]
    return [r.item for r in results if isinstance(r, Done) and r.item and r.item.kind is Kind.EVENT]


async def _claimed(actions: Sequence[Create | Update | Delete], tools: Tools) -> list[Create | Update | Delete]:
    """Leave out people whom another mailbox is bringing into the CRM right now: next time they are matched."""
    new = [a for a in actions if isinstance(a, Create) and a.because is Reason.MAILBOX_NEW]
    mine = tools.context.policy.mailbox
    claims = [tools.registry.claim(claimed_by(action.source, tools.context), mine, tools.now()) for action in new]
    late = [action for action, got in zip(new, await asyncio.gather(*claims), strict=True) if not got]
    await tools.ledger.commit_groups(
        [waiting(Side.MAILBOX, a.source.id, a.kind, Reason.CHANGED_MEANWHILE, tools)] for a in late
    )
    return [action for action in actions if action not in late]


def _job(action: Create | Update | Delete, tools: Tools) -> Job:
    job = Job(action)
    match action:
        case Create(side=side, kind=kind, source=source, values=values):
            rendered = _render(side, tools.translator(kind), values, None, tools, action)
            stamp = _stamp(side, kind, source, tools)
            owner = tools.context.policy.owner if side is Side.CRM else ""
            job.rendered[side] = rendered
            job.writes[side] = New(kind, rendered.fields, stamp, owner)
        case Update(pair=pair, to_crm=to_crm, to_mailbox=to_mailbox):
            for side, values, item in ((Side.CRM, to_crm, pair.crm), (Side.MAILBOX, to_mailbox, pair.mailbox)):
                if not values or not isinstance(item, Item):
                    continue
                rendered = _render(side, tools.translator(item.kind), values, item, tools, action)
                job.rendered[side] = rendered
                if rendered.fields:
                    job.writes[side] = Revise(item, rendered.fields)
        case Delete(side=side, item=item):
            job.writes[side] = Remove(item)
    return job


def _stamp(side: Side, kind: Kind, source: Item, tools: Tools) -> str:
    """What the new item will carry of ours."""
    if side is Side.MAILBOX:
        return write_stamp(source.id, kind, tools.new_id())
    return tools.new_id() if kind in Family.PEOPLE.kinds else record_stamp(source)


def _render(
    side: Side,
    translator: Translator,
    values: Mapping[str, str],
    current: Item | None,
    tools: Tools,
    action: Create | Update,
) -> Rendered:
    fields = current.fields if current else None
    if side is Side.MAILBOX:
        link = action.pair.link if isinstance(action, Update) else None
        return translator.render_mailbox(values, fields, tools.context.sealed(link).anchor() if link else None)
    accounts = tools.accounts
    if isinstance(action, Create) and action.because is Reason.BECAME_CONTACT and action.replaces:
        name = str(action.source.fields.get("companyName", ""))
        accounts = {**accounts, name: (action.replaces.crm_id,)}
    return translator.render_crm(values, fields, accounts)


async def _announce(jobs: Sequence[Job], tools: Tools) -> None:
    """Before the calls: who will hold what, intents of creations, journal of what is overwritten or deleted."""
    roles: dict[str, Role] = {}
    groups: list[list[Op]] = []
    for job in jobs:
        match job.action:
            case Create(side=side, kind=kind, source=source, replaces=replaces):
                write = job.writes[side]
                stamp = write.stamp if isinstance(write, New) else ""
                sent = sent_digests(job.rendered[side].held, kind, tools)
                taken_over, action = replaces.crm_id if replaces else "", job.action
                intent = Intent(
                    source.side, source.id, kind, stamp, tools.at(), taken_over, sent, action.role, action.flags
                )
                groups.append([put_intent(intent)])
                if side is Side.MAILBOX:
                    roles[source.id] = replaces.role if replaces else job.action.role
            case Update(pair=pair, role=role, lost=lost):
                if pair.crm and (pair.link is None or pair.link.role is not role):
                    roles[pair.crm.id] = role
                if job.writes and pair.link:
                    link = _begun(job, pair.link, tools)
                    job.action = replace(job.action, pair=replace(pair, link=link))
                    groups.append(put_link(link))
                if lost and pair.crm:
                    values = {f"{x.side.value}:{x.field_pair}": x.value for x in lost}
                    groups.append([_journal(pair.crm.id, job.action.because, values, tools)])
            case Delete(item=item, link=link, side=side):
                kept = shown_fields(item)
                fields = {f"{side.value}:{name}": value for name, value in kept.items() if value}
                groups.append([_journal(link.crm_id, job.action.because, fields, tools)])
    if roles:
        await tools.registry.hold_records(tools.context.policy.mailbox, roles)
    await tools.ledger.commit_groups(groups)


def _begun(job: Job, link: Link, tools: Tools) -> Link:
    """The link with what is about to be written, and whose word a private event is (else a crash would hide it)."""
    action = job.action
    if not isinstance(action, Update):
        return link
    translator, sealed = tools.translator(link.kind), tools.context.sealed(link)
    sent: dict[str, Sent] = {}
    for side, rendered in job.rendered.items():
        item = action.pair.mailbox if side is Side.CRM else action.pair.crm
        if side not in job.writes or not isinstance(item, Item):
            continue
        values = action.to_crm if side is Side.CRM else action.to_mailbox
        sent |= foreseen(side, values, rendered.held, values_of(item, translator, sealed), sealed)
    return replace(link, sent=sent, flags=link.flags | (action.flags & {Flag.CRM_PRIVATE}))


def sent_digests(held: Mapping[str, str], kind: Kind, tools: Tools) -> str:
    """What a new item is expected to hold, as JSON {field pair: digest of its image}: see sync.intents."""
    translator = tools.translator(kind)
    images = {pair: translator.image(pair, value) for pair, value in held.items() if value}
    digest = tools.keys.digest
    return json.dumps({pair: digest("intent", pair, translator.version, image) for pair, image in images.items()})


def _journal(crm_id: str, because: Reason, values: Mapping[str, object], tools: Tools) -> Op:
    """A row with values that are about to be overwritten or deleted, encrypted, restorable for 30 days."""
    key = f"j|{tools.at()}|{crm_id}|{tools.new_id()}"
    sealed = tools.keys.encrypt(json.dumps(values, ensure_ascii=False), key)
    parts = [sealed[i : i + CHUNK_OF_TEXT] for i in range(0, len(sealed), CHUNK_OF_TEXT)]
    data: dict[str, str | int | bool] = {"because": because.value, "parts": len(parts)}
    data.update({f"v{number}": part for number, part in enumerate(parts)})
    return Put(key, data)


async def _call(side: Side, jobs: Sequence[Job], tools: Tools) -> None:
    mine = [job for job in jobs if side in job.writes]
    if not mine:
        return
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    results = await server.apply([job.writes[side] for job in mine])
    for job, result in zip(mine, results, strict=True):
        job.results[side] = result


async def _remember(jobs: Sequence[Job], tools: Tools) -> None:
    """What we wrote to the CRM, so that the sweep drops its echo - unless another mailbox must hear of it too.

    Forgetting is as important: what the sweep saw before our write must not hide somebody who undoes it.
    """
    written: dict[str, Item] = {}
    told: set[str] = set()  # whose mailbox has heard of all that the record says now
    for job in jobs:
        result = job.results.get(Side.CRM)
        if isinstance(result, Done) and result.item:
            written[result.item.id] = result.item
            told |= {result.item.id} if _as_expected(job, result.item, tools) else set()
    if not written:
        return
    holders = await tools.registry.holders_near(written)
    mine = {tools.context.policy.mailbox}
    alone = {i for i in told if holders[i].keys() <= mine and tools.context.role_of(written[i]) is Role.HOME}
    digests = {i: record_digest(item, tools.translator(item.kind), tools.keys) for i, item in written.items()}
    await tools.registry.saw({crm_id: digest if crm_id in alone else "" for crm_id, digest in digests.items()})


def _as_expected(job: Job, answer: Item, tools: Tools) -> bool:
    """Did the write change what was sent and nothing else? A workflow may have; and a company's name stands on other cards too."""
    translator, write = tools.translator(answer.kind), job.writes[Side.CRM]
    before = translator.crm_values(write.expected.fields) if isinstance(write, Revise) else {}
    expected = {**before, **job.rendered[Side.CRM].held}
    now = translator.crm_values(answer.fields)
    same = all(translator.image(p, v) == translator.image(p, expected.get(p, "")) for p, v in now.items())
    return same and answer.kind is not Kind.COMPANY


async def _afterwards(jobs: Sequence[Job], ended: Sequence[str], tools: Tools) -> None:
    """After the links: holders that ended, old homes that may let go."""
    mine = tools.context.policy.mailbox
    if ended:
        await tools.registry.release_records(mine, ended)
    begun = [
        job.action.source.id
        for job in jobs
        if isinstance(job.action, Create) and job.action.side is Side.MAILBOX and done(job, Side.MAILBOX)
    ] + [
        job.action.pair.crm.id
        for job in jobs
        if isinstance(job.action, Update) and job.action.pair.link is None and job.action.pair.crm
    ]
    if not begun:
        return
    kinds = {j.action.source.id: j.action.kind for j in jobs if isinstance(j.action, Create)}
    joined = [job.action.pair.crm for job in jobs if isinstance(job.action, Update)]
    kinds.update({record.id: record.kind for record in joined if isinstance(record, Item)})
    for crm_id, holders in (await tools.registry.holders_near(begun)).items():
        for mailbox in holders if holders.keys() - {mine} else ():  # us too: the others may have written since we read
            await tools.registry.mark(mailbox, [(kinds.get(crm_id, Kind.CONTACT), crm_id)], tools.new_id())
