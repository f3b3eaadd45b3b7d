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
from sync.announced import before_call
from sync.colours import colour
from sync.events import hides
from sync.joining import claimed_by, record_stamp, write_stamp
from sync.journal import change_by, deleted, keep, new_key
from sync.keeping import name_meetings
from sync.model import Create, Delete, Family, Flag, Item, Kind, Link, Reason, Role, Sent, Side, Update
from sync.record import Job, done, settle, waiting
from sync.settle import foreseen, record_digest, values_of
from sync.sides.base import Done, New, Remove, Revise
from sync.store.base import Op
from sync.store.journal import Kept
from sync.store.ledger import Intent, drop_intent, put_intent, put_link
from sync.tools import Tools
from sync.written import happened


async def apply(actions: Sequence[Create | Update | Delete], tools: Tools) -> None:
    """Execute a batch: at most some twenty actions, of different items."""
    await tools.guard()
    jobs = [_job(action, tools) for action in await _claimed(actions, tools)]
    await colour([job.writes[Side.MAILBOX] for job in jobs if Side.MAILBOX in job.writes], tools)
    await _announce(jobs, tools)
    await before_call(tools.guard, lambda: _withdraw(jobs, tools))
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
    """Before the calls: who will hold what, intents of creations, journal of what is overwritten, deleted and written."""
    await tools.ledger.forget_values(_turned_private(jobs, tools))
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
                groups.append([put_intent(intent), *_journal(job, tools)])
                if side is Side.MAILBOX:
                    roles[source.id] = replaces.role if replaces else job.action.role
            case Update(pair=pair, role=role):
                if pair.crm and (pair.link is None or pair.link.role is not role):
                    roles[pair.crm.id] = role
                groups.append(_journal(job, tools))
                if job.writes and pair.link:
                    link = _begun(job, pair.link, tools)
                    job.action = replace(job.action, pair=replace(pair, link=link))
                    groups.append(put_link(link))
            case Delete():
                groups.append(_journal(job, tools))
    if roles:
        await tools.registry.hold_records(tools.context.policy.mailbox, roles)
    await tools.ledger.commit_groups(groups)


async def _withdraw(jobs: Sequence[Job], tools: Tools) -> None:
    """Take back the intents. Raises Fenced where somebody took over."""
    made = [job.action for job in jobs if isinstance(job.action, Create)]
    await tools.ledger.commit_groups([drop_intent(each.source.side, each.source.id)] for each in made)


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


def _turned_private(jobs: Sequence[Job], tools: Tools) -> set[str]:
    """Ids of events whose text goes from the CRM with these writes: what is kept of them goes first."""
    pairs = [j.action.pair for j in jobs if isinstance(j.action, Update) and hides(j.action, tools.context)]
    return {item.id for pair in pairs for item in (pair.crm, pair.mailbox) if item}


def _journal(job: Job, tools: Tools) -> list[Op]:
    """The values that this action overwrites, deletes and writes."""
    rendered = {side: made for side, made in job.rendered.items() if side in job.writes}
    change = change_by(job.action, rendered, tools)
    if not change:
        return []
    job.journal = new_key(tools)
    where, pairs = "", {key.partition(":")[2] for key in change.before}
    match job.action:
        case Create(side=side, source=source, kind=kind):
            ids, what, where = (source.id, "") if source.side is Side.CRM else ("", source.id), "create", side.value
        case Update(pair=pair):
            ids, what = (pair.crm.id if pair.crm else "", pair.mailbox.id if pair.mailbox else ""), "update"
            kind = pair.crm.kind if isinstance(pair.crm, Item) else pair.kind
        case Delete():
            return keep(deleted(job.action, job.journal, job.action.because, tools), change, pairs, tools)
    because = job.action.because.value
    kept = Kept(job.journal, *ids, kind, what, because, tools.run, where)
    return keep(kept, change, pairs, tools)


async def _call(side: Side, jobs: Sequence[Job], tools: Tools) -> None:
    mine = [job for job in jobs if side in job.writes]
    if not mine:
        return
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    results = await server.apply([job.writes[side] for job in mine])
    tools.written += happened(side, [job.writes[side] for job in mine], results)
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
