"""Carry out planned actions of one mailbox: intent -> call -> result, a batch at a time. I/O; decides nothing about items.

The order is the promise: what is about to be created is written down first, then the servers are called, then link, base and history are
stored in one transaction. A crash between any two lines costs a look-up or a repeat, never a loss or a double.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from mapping.model import Rendered, Translator
from sync.errors import Failure
from sync.gather import write_stamp
from sync.merge import Digests
from sync.model import Create, Delete, Flag, Item, Kind, Link, Reason, Role, Side, Update
from sync.plan import Context
from sync.settle import answered, record_digest, renewed, streaks
from sync.sides.base import Crm, Done, Mailbox, New, Refused, Remove, Result, Revise, Unclear, Write
from sync.store.base import Op, Put
from sync.store.ledger import (
    Intent,
    MailboxLedger,
    Pending,
    Tombstone,
    drop_intent,
    drop_link,
    drop_pending,
    drop_tombstone,
    put_intent,
    put_link,
    put_pending,
    put_tombstone,
    put_tombstones,
)
from sync.store.registry import Registry

QUARANTINE = 3
CHUNK_OF_TEXT = 30_000  # characters of a property: the service takes 32 Ki


class Keys(Digests, Protocol):
    """What the engine needs of sync.store.secrets.Keyring."""

    def index(self, text: str) -> str: ...

    def encrypt(self, text: str, aad: str) -> str: ...


@dataclass(slots=True)
class Tools:
    """Everything a run works with. `guard` raises Fenced when this worker must stop."""

    mailbox: Mailbox
    crm: Crm
    ledger: MailboxLedger
    registry: Registry
    keys: Keys
    context: Context
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    guard: Callable[[], Awaitable[None]]
    run: int = 0
    pending: dict[tuple[Side, str], Pending] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    accounts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def translator(self, kind: Kind) -> Translator:
        return self.context.translators[kind]

    def at(self) -> str:
        return self.now().isoformat(timespec="seconds")


@dataclass(slots=True)
class _Job:
    """One action on its way: what is written on each side, and what came back."""

    action: Create | Update | Delete
    writes: dict[Side, Write] = field(default_factory=dict)
    rendered: dict[Side, Rendered] = field(default_factory=dict)
    results: dict[Side, Result] = field(default_factory=dict)


async def apply(actions: Sequence[Create | Update | Delete], tools: Tools) -> None:
    """Execute a batch: at most some twenty actions, of different items."""
    await tools.guard()
    jobs = [_job(action, tools) for action in actions]
    await _announce(jobs, tools)
    await asyncio.gather(*(_call(side, jobs, tools) for side in Side))
    groups: list[list[Op]] = []
    ended: list[str] = []
    begun: dict[str, Role] = {}
    for job in jobs:
        ops, link = await _settle(job, tools)
        groups.append(ops)
        if isinstance(job.action, Delete) and _done(job, job.action.side):
            ended.append(job.action.link.crm_id)
        elif link and isinstance(job.action, Create) and job.action.side is Side.CRM:
            begun[link.crm_id] = link.role
    if begun:
        await tools.registry.hold_records(tools.context.policy.mailbox, begun)
    await _remember(jobs, tools)
    await tools.ledger.commit_groups(groups)
    await _afterwards(jobs, ended, tools)


def _job(action: Create | Update | Delete, tools: Tools) -> _Job:
    job = _Job(action)
    match action:
        case Create(side=side, kind=kind, source=source, values=values):
            rendered = _render(side, tools.translator(kind), values, None, tools, action)
            stamp = write_stamp(source.id, kind, tools.new_id()) if side is Side.MAILBOX else tools.new_id()
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


async def _announce(jobs: Sequence[_Job], tools: Tools) -> None:
    """Before the calls: who will hold what, intents of creations, journal of what is overwritten or deleted."""
    roles: dict[str, Role] = {}
    groups: list[list[Op]] = []
    for job in jobs:
        match job.action:
            case Create(side=side, kind=kind, source=source, replaces=replaces):
                write = job.writes[side]
                stamp = write.stamp if isinstance(write, New) else ""
                sent = sent_digests(job.rendered[side].held, kind, tools) if side is Side.CRM else ""
                intent = Intent(
                    source.side, source.id, kind, stamp, tools.at(), replaces.crm_id if replaces else "", sent
                )
                groups.append([put_intent(intent)])
                if side is Side.MAILBOX:
                    roles[source.id] = replaces.role if replaces else Role.HOME
            case Update(pair=pair, role=role, lost=lost):
                if pair.crm and (pair.link is None or pair.link.role is not role):
                    roles[pair.crm.id] = role
                if lost and pair.crm:
                    values = {f"{x.side.value}:{x.field_pair}": x.value for x in lost}
                    groups.append([_journal(pair.crm.id, job.action.because, values, tools)])
            case Delete(item=item, link=link, side=side):
                fields = {f"{side.value}:{name}": value for name, value in item.fields.items() if value}
                groups.append([_journal(link.crm_id, job.action.because, fields, tools)])
    if roles:
        await tools.registry.hold_records(tools.context.policy.mailbox, roles)
    await tools.ledger.commit_groups(groups)


def sent_digests(held: Mapping[str, str], kind: Kind, tools: Tools) -> str:
    """What a new CRM item is expected to hold, as JSON {field pair: digest of its image}: see sync.intents."""
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


async def _call(side: Side, jobs: Sequence[_Job], tools: Tools) -> None:
    mine = [job for job in jobs if side in job.writes]
    if not mine:
        return
    server = tools.mailbox if side is Side.MAILBOX else tools.crm
    results = await server.apply([job.writes[side] for job in mine])
    for job, result in zip(mine, results, strict=True):
        job.results[side] = result


def _done(job: _Job, side: Side) -> bool:
    return isinstance(job.results.get(side), Done)


async def _settle(job: _Job, tools: Tools) -> tuple[list[Op], Link | None]:
    """The rows to store for one executed action."""
    match job.action:
        case Create() as action:
            return await _settle_create(job, action, tools)
        case Update() as action:
            return _settle_update(job, action, tools)
        case Delete(link=link, because=because, side=side):
            failure = _failure(job.results[side])
            if failure:
                return [_again(Side.CRM, link.crm_id, link.kind, job.results[side], tools)], None
            tools.counts[because.value] += 1
            return [
                *drop_link(link),
                *_cleared(link.crm_id, link.item_id, tools),
                _history(link, because, "delete", (), tools),
            ], None


async def _settle_create(job: _Job, action: Create, tools: Tools) -> tuple[list[Op], Link | None]:
    source, side, result = action.source, action.side, job.results[action.side]
    if isinstance(result, Unclear):
        return [_pending(source.side, source.id, action.kind, Reason.INTENT_OPEN, tools)], None
    if isinstance(result, Refused) or result.item is None:
        return [drop_intent(source.side, source.id), _again(source.side, source.id, action.kind, result, tools)], None
    rendered, made = job.rendered[side], result.item
    crm, card = (made, source) if side is Side.CRM else (source, made)
    link = new_link(crm, card, action, tools)
    link = _base_of_new(link, crm, card, rendered, side, tools)
    old = action.replaces
    ops: dict[str, Op] = {}
    if old:
        ops.update({op.key: op for op in drop_link(old)})
        if action.because is Reason.BECAME_CONTACT:
            ops.update({op.key: op for op in await company_after(old, tools)})
    ops.update({op.key: op for op in put_link(link)})
    tools.counts[action.because.value] += 1
    extra = [
        drop_intent(source.side, source.id),
        *_cleared(crm.id, card.id, tools),
        _history(link, action.because, f"create in {side.value}", rendered.held, tools, link.flags),
    ]
    return [*ops.values(), *extra], link


def new_link(crm: Item, card: Item, action: Create, tools: Tools) -> Link:
    old = action.replaces
    retyped = action.because is Reason.BECAME_CONTACT
    origin = old.origin if old and not retyped else action.source.side
    role = old.role if old and not retyped else Role.HOME
    return Link(tools.context.policy.mailbox, action.kind, crm.id, card.id, origin, role)


def _base_of_new(link: Link, crm: Item, card: Item, rendered: Rendered, side: Side, tools: Tools) -> Link:
    """The first base: what the source held, and what the new item holds of it."""
    translator, sealed = tools.translator(link.kind), tools.context.sealed(link)
    held = rendered.held
    made = crm if side is Side.CRM else card
    target = {**_values_of(made, translator, held), **answered(held, held, made, translator)}
    source = _values_of(card if side is Side.CRM else crm, translator, {})
    for pair in rendered.refused:
        source.pop(pair, None)
    crm_values, mailbox_values = (target, source) if side is Side.CRM else (source, target)
    unseen = {p: v for p, v in crm_values.items() if p not in mailbox_values and p not in rendered.refused}
    mailbox_values = {**unseen, **mailbox_values}  # fax: no listing shows it
    flags = frozenset(rendered.flags)
    return replace(
        renewed(link, sealed, crm_values, mailbox_values),
        crm_version=crm.version,
        item_version=card.version,
        flags=flags,
    )


def _values_of(item: Item, translator: Translator, held: Mapping[str, str]) -> dict[str, str]:
    if item.side is Side.CRM:
        return translator.crm_values(item.fields)
    return translator.mailbox_values(item.fields, lambda pair, value: held.get(pair) == value)


async def company_after(old: Link, tools: Tools) -> list[Op]:
    """SPEC 1.2: the company gets a card of its own again only if it has data of its own."""
    present = (await tools.crm.get(Kind.COMPANY, [old.crm_id]))[old.crm_id]
    if isinstance(present, Item):
        values = tools.translator(Kind.COMPANY).crm_values(present.fields)
        if sum(1 for value in values.values() if value) > 1:
            await tools.registry.mark(old.mailbox, [(Kind.COMPANY, old.crm_id)], tools.new_id())
            return []
    return [put_tombstone(Tombstone(Side.CRM, old.crm_id, Reason.BECAME_CONTACT, old.item_id))]


def _settle_update(job: _Job, action: Update, tools: Tools) -> tuple[list[Op], Link | None]:
    crm, card = action.pair.crm, action.pair.mailbox
    if not isinstance(crm, Item) or not isinstance(card, Item):
        raise TypeError("an update needs both items")
    before = action.pair.link or Link(tools.context.policy.mailbox, crm.kind, crm.id, card.id, Side.MAILBOX)
    if action.pair.link is None and action.because is Reason.STAMP:
        before = replace(before, origin=Side.CRM)
    translator, sealed = tools.translator(before.kind), tools.context.sealed(before)
    now = {
        Side.CRM: translator.crm_values(crm.fields),
        Side.MAILBOX: translator.mailbox_values(card.fields, sealed.anchor()),
    }
    written: list[str] = []
    failed: Result | None = None
    versions = {Side.CRM: crm.version, Side.MAILBOX: card.version}
    unseen = {p: v for p, v in now[Side.CRM].items() if p not in now[Side.MAILBOX]}  # fax: no listing shows it
    shown = {**now[Side.MAILBOX], **unseen}
    link = renewed(before, sealed, _only(now[Side.CRM], action.agreed), _only(shown, action.agreed))
    for side, rendered in job.rendered.items():
        values = action.to_crm if side is Side.CRM else action.to_mailbox
        sent = {pair: value for pair, value in values.items() if pair not in rendered.refused}
        result = job.results.get(side)
        if isinstance(result, Done) and result.item:
            target = answered(sent, rendered.held, result.item, translator)
            versions[side] = result.item.version
            written.extend(sent)
        elif result is None:  # nothing was left to write: the target says it already, as well as it can
            target = {pair: now[side].get(pair, value) for pair, value in sent.items()}
        else:
            failed = result
            continue
        other = _only(now[side.other], sent)
        pair_values = {side: target, side.other: other}
        link = renewed(link, sealed, pair_values[Side.CRM], pair_values[Side.MAILBOX])
    flags = action.flags | frozenset(Flag(f) for r in job.rendered.values() for f in r.flags)
    link = replace(link, role=action.role, flags=before.flags | flags)
    if written:
        link = replace(link, streaks=streaks(before.streaks, dict.fromkeys(written), tools.run))
    ops: dict[str, Op] = {}
    if failed is None:
        link = replace(link, crm_version=versions[Side.CRM], item_version=versions[Side.MAILBOX])
        ops.update({op.key: op for op in _cleared(crm.id, card.id, tools)})
    else:  # what is not linked yet is found again by its card: the record may live in another mailbox
        side, id_ = (Side.CRM, crm.id) if action.pair.link or written else (Side.MAILBOX, card.id)
        op = _again(side, id_, link.kind, failed, tools)
        ops[op.key] = op
    if action.pair.link is None and failed is not None and not written:
        return list(ops.values()), None  # not linked yet: matched again next time
    ops.update({op.key: op for op in put_link(link)})
    if written or action.pair.link is None:
        tools.counts[action.because.value] += 1
        op = _history(link, action.because, "update", written, tools, flags - before.flags)
        ops[op.key] = op
    if action.pair.link is None:
        ops.update({op.key: op for op in (drop_intent(Side.CRM, crm.id), drop_intent(Side.MAILBOX, card.id))})
    return list(ops.values()), link


def _only(values: Mapping[str, str], pairs: object) -> dict[str, str]:
    wanted = set(pairs)  # type: ignore[call-overload]
    return {pair: value for pair, value in values.items() if pair in wanted}


def _failure(result: Result) -> Failure | None:
    return None if isinstance(result, Done) else result.failure


def _again(side: Side, id_: str, kind: Kind, result: Result, tools: Tools) -> Op:
    """A pending row for what did not succeed: looked at again, and quarantined after three refusals."""
    failure = _failure(result) or Failure(0, "empty answer")
    if isinstance(result, Unclear) or failure.status in {404, 412}:
        return _pending(side, id_, kind, Reason.CHANGED_MEANWHILE, tools)
    if failure.status in {429, 503}:
        return _pending(side, id_, kind, Reason.THROTTLED, tools)
    before = tools.pending.get((side, id_))
    fails = (before.fails if before else 0) + 1
    because = Reason.QUARANTINED if fails >= QUARANTINE else Reason.REFUSED
    return _pending(side, id_, kind, because, tools, fails, f"{failure.status} {failure.code}".strip())


def _pending(
    side: Side, id_: str, kind: Kind, because: Reason, tools: Tools, fails: int | None = None, cause: str = ""
) -> Op:
    before = tools.pending.get((side, id_))
    since = before.since if before else tools.at()
    kept = before.fails if before else 0
    row = Pending(side, id_, because, since, kept if fails is None else fails, cause=cause, kind=kind.value)
    tools.pending[(side, id_)] = row
    tools.counts[because.value] += 1
    return put_pending(row)


def _cleared(crm_id: str, item_id: str, tools: Tools) -> list[Op]:
    """Pending rows and tombstones that are settled now."""
    ops: list[Op] = []
    for side, id_ in ((Side.CRM, crm_id), (Side.MAILBOX, item_id)):
        if tools.pending.pop((side, id_), None):
            ops.append(drop_pending(side, id_))
        if id_ in tools.context.tombstones:
            ops.append(drop_tombstone(side, id_))
    return ops


def _history(
    link: Link, because: Reason, what: str, pairs: object, tools: Tools, flags: frozenset[str] = frozenset()
) -> Op:
    names = ",".join(sorted(pairs))  # type: ignore[call-overload]
    data: dict[str, str | int | bool] = {"what": what, "because": because.value, "pairs": names, "run": tools.run}
    if flags:
        data["flags"] = " ".join(sorted(flags))
    return Put(f"h|{link.crm_id}|{tools.at()}|{tools.new_id()}", data)


async def _remember(jobs: Sequence[_Job], tools: Tools) -> None:
    """What we wrote to the CRM, so that the sweep drops its echo - unless another mailbox must hear of it too.

    Forgetting is as important: what the sweep saw before our write must not hide somebody who undoes it.
    """
    results = [job.results[Side.CRM] for job in jobs if Side.CRM in job.results]
    written = {r.item.id: r.item for r in results if isinstance(r, Done) and r.item}
    if not written:
        return
    holders = await tools.registry.holders_near(written)
    alone = {crm_id for crm_id, held in holders.items() if held.keys() <= {tools.context.policy.mailbox}}
    digests = {i: record_digest(item, tools.translator(item.kind), tools.keys) for i, item in written.items()}
    await tools.registry.saw({crm_id: digest if crm_id in alone else "" for crm_id, digest in digests.items()})


async def _afterwards(jobs: Sequence[_Job], ended: Sequence[str], tools: Tools) -> None:
    """After the links: holders that ended, old homes that may let go."""
    mine = tools.context.policy.mailbox
    if ended:
        await tools.registry.release_records(mine, ended)
    begun = [
        job.action.source.id
        for job in jobs
        if isinstance(job.action, Create) and job.action.side is Side.MAILBOX and _done(job, Side.MAILBOX)
    ] + [
        job.action.pair.crm.id
        for job in jobs
        if isinstance(job.action, Update) and job.action.pair.link is None and job.action.pair.crm
    ]
    if not begun:
        return
    kinds = {j.action.source.id: j.action.kind for j in jobs if isinstance(j.action, Create)}
    for crm_id, holders in (await tools.registry.holders_near(begun)).items():
        for mailbox in holders:
            if mailbox != mine:
                await tools.registry.mark(mailbox, [(kinds.get(crm_id, Kind.CONTACT), crm_id)], tools.new_id())


def unlink_ops(link: Link, because: Reason, tombstone: bool, tools: Tools) -> list[Op]:
    """End a link without touching either side."""
    tools.counts[because.value] += 1
    cleared = _cleared(link.crm_id, link.item_id, tools)
    stones = put_tombstones(link, because) if tombstone else []
    ops = {op.key: op for op in [*cleared, *drop_link(link), *stones]}
    return [*ops.values(), _history(link, because, "unlink", (), tools)]


wait_op = _pending
