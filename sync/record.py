"""What is stored after an action was carried out: link, base, pending row, history - all rows of one item in one transaction.

It asks no server anything, but for one look at a company whose card became a person's. What a base is: `sync.settle`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from mapping.calendar import WHEN
from mapping.model import Rendered, Translator
from mapping.people import CONTACT, TAG, WHO, is_person
from sync.errors import Failure
from sync.events import over_at
from sync.invitations import BEGUN, at_once, plan_tags
from sync.journal import history_key, new_key
from sync.model import Create, Delete, Flag, Item, Kind, Link, Reason, Role, Side, Update
from sync.settle import answered, left_out, rekeyed, renewed, streaks
from sync.sides.base import Done, Refused, Result, Unclear, Write
from sync.store.base import Drop, Op, Put
from sync.store.ledger import (
    Pending,
    Tombstone,
    drop_intent,
    drop_link,
    drop_pending,
    drop_tombstone,
    put_link,
    put_pending,
    put_tombstone,
    put_tombstones,
)
from sync.tools import Tools

QUARANTINE = 3
PATIENCE = frozenset({0, 401, 408, 429})  # the server's trouble, not the item's: never counted against it


@dataclass(slots=True)
class Job:
    """One action on its way: what is written on each side, and what came back."""

    action: Create | Update | Delete
    writes: dict[Side, Write] = field(default_factory=dict)
    rendered: dict[Side, Rendered] = field(default_factory=dict)
    results: dict[Side, Result] = field(default_factory=dict)
    journal: str = ""  # key of the row with its values


def done(job: Job, side: Side) -> bool:
    return isinstance(job.results.get(side), Done)


async def settle(job: Job, tools: Tools) -> tuple[list[Op], Link | None]:
    """The rows to store for one executed action."""
    match job.action:
        case Create() as action:
            return await _settle_create(job, action, tools)
        case Update() as action:
            return _settle_update(job, action, tools)
        case Delete(link=link, because=because, side=side):
            failure = _failure(job.results[side])
            if failure:
                op = again(Side.CRM, link.crm_id, link.kind, job.results[side], tools)
                return [op, *_not_done(job, link.crm_id)], None
            tools.counts[because.value] += 1
            return [
                *drop_link(link),
                *cleared(link.crm_id, link.item_id, tools),
                history(link, because, "delete", (), tools, journal=job.journal),
            ], None


async def _settle_create(job: Job, action: Create, tools: Tools) -> tuple[list[Op], Link | None]:
    source, side, result = action.source, action.side, job.results[action.side]
    if isinstance(result, Unclear):
        return [waiting(source.side, source.id, action.kind, Reason.INTENT_OPEN, tools)], None
    if isinstance(result, Refused) or result.item is None:
        op = again(source.side, source.id, action.kind, result, tools)
        return [drop_intent(source.side, source.id), op, *_not_done(job, "")], None
    rendered, made = job.rendered[side], result.item
    crm, card = (made, source) if side is Side.CRM else (source, made)
    link = new_link(crm, card, action, tools)
    link = _base_of_new(link, crm, card, rendered, side, tools)
    if side is Side.CRM and left_out(
        action.values, rendered.refused, tools.translator(crm.kind).crm_values(crm.fields)
    ):
        link = replace(link, flags=link.flags | {Flag.INVITEES_LEFT})
    old = action.replaces
    ops: dict[str, Op] = {}
    if old:
        tags = {pair: sealed for pair, sealed in old.base.items() if pair.startswith(TAG)}
        link = replace(link, base={**tags, **link.base})  # what we put there stays ours to take away
        ops.update({op.key: op for op in drop_link(old)})
        if action.because is Reason.BECAME_CONTACT:
            ops.update({op.key: op for op in await company_after(old, tools)})
    ops.update({op.key: op for op in [*put_link(link), *cleared(crm.id, card.id, tools)]})
    tools.counts[action.because.value] += 1
    ops.update({op.key: op for op in _unfinished(crm, card, link, tools, made=side)})
    extra = [
        drop_intent(source.side, source.id),
        history(link, action.because, f"create in {side.value}", rendered.held, tools, link.flags, job.journal),
    ]
    return [*ops.values(), *extra], link


def _now(job: Job, item: Item) -> Item:
    """An item as its side answered when it was written, else as it was read."""
    result = job.results.get(item.side)
    return result.item if isinstance(result, Done) and result.item else item


def _unfinished(
    crm: Item, card: Item, link: Link, tools: Tools, made: Side | None = None, moved: bool = False
) -> list[Op]:
    """A pending row for an event that does not show yet what its record says of resources, that was answered while it was made or moved (rooms are
    quick), or whose new record asks for a thing. What comes back of our own writes is an echo, so nobody else would look again. `made`: where it is
    new."""
    if link.kind is not Kind.EVENT or tools.context.policy.calendar.import_only or link.ends <= tools.at():
        return []
    early = at_once(crm, card, tools.context) if made is Side.MAILBOX or moved else frozenset()
    asked = made is Side.CRM and any(WHO + thing in link.base for thing in tools.context.policy.people.things)
    if not early and not asked and not plan_tags(crm, card, link, tools.context):
        return []
    return [waiting(Side.CRM, crm.id, link.kind, Reason.CHANGED_MEANWHILE, tools)]


def new_link(crm: Item, card: Item, action: Create, tools: Tools) -> Link:
    old = action.replaces
    retyped = action.because is Reason.BECAME_CONTACT
    origin = old.origin if old and not retyped else action.source.side
    role = old.role if old and not retyped and action.role is Role.HOME else action.role
    matched = old.matched if old and not retyped else False
    return Link(
        tools.context.policy.mailbox, action.kind, crm.id, card.id, origin, role, flags=action.flags, matched=matched
    )


def _base_of_new(link: Link, crm: Item, card: Item, rendered: Rendered, side: Side, tools: Tools) -> Link:
    """The first base: what the source held, and what the new item holds of it."""
    translator, sealed = tools.translator(link.kind), tools.context.sealed(link)
    held = rendered.held
    made = crm if side is Side.CRM else card
    target = {**_values_of(made, translator, held), **answered(held, held, made, translator)}
    source = _values_of(card if side is Side.CRM else crm, translator, {})
    for pair in [*source]:
        unsent = pair in target and pair not in held  # a workflow may have filled it in: then it was never agreed on
        if pair in rendered.refused or (
            unsent and translator.image(pair, source[pair]) != translator.image(pair, target[pair])
        ):
            source.pop(pair)
    crm_values, mailbox_values = (target, source) if side is Side.CRM else (source, target)
    shows = _values_of(card, translator, held)
    hidden = {p: v for p, v in crm_values.items() if p not in shows and not is_person(p)}
    unseen = {p: v for p, v in hidden.items() if p not in rendered.refused}
    mailbox_values = {**unseen, **mailbox_values}  # fax: no listing shows it
    if link.kind is Kind.EVENT:  # who is on one list only is agreed on as that
        people = {BEGUN, *crm_values, *mailbox_values}
        people -= {CONTACT} - held.keys()  # see `sync.invitations`: whom the CRM shows is ours only if we wrote it
        people -= at_once(crm, card, tools.context) if side is Side.MAILBOX else frozenset()
        crm_values, mailbox_values = _only(crm_values, people), _only(mailbox_values, people)
    flags = link.flags | rendered.flags
    return replace(
        renewed(link, sealed, crm_values, mailbox_values),
        crm_version=crm.version,
        item_version=card.version,
        flags=flags,
        ends=over_at((crm, card), None, tools.context) if link.kind is Kind.EVENT else "",
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


def _settle_update(job: Job, action: Update, tools: Tools) -> tuple[list[Op], Link | None]:
    crm, card, linked = action.pair.crm, action.pair.mailbox, action.pair.link
    if not isinstance(crm, Item) or not isinstance(card, Item):
        raise TypeError("an update needs both items")
    origin = Side.CRM if action.because is Reason.STAMP else Side.MAILBOX
    matched = action.because is not Reason.STAMP
    before = linked or Link(tools.context.policy.mailbox, crm.kind, crm.id, card.id, origin, matched=matched)
    after = _brought_together(job, action, before, crm, card, tools)
    link, flags = after.link, action.flags | frozenset(Flag(f) for r in job.rendered.values() for f in r.flags)
    left = [_as_left(job, item) for item in (crm, card)]
    ends = over_at(left, linked, tools.context) if crm.kind is Kind.EVENT else ""
    dropped = action.dropped | ({Flag.INVITEES_LEFT} if after.left_out is False else frozenset())
    flags |= {Flag.INVITEES_LEFT} if after.left_out else frozenset()
    open_ends = before.sent if isinstance(after.failed, Unclear) else {}
    link = replace(link, role=action.role, flags=(before.flags | flags) - dropped, ends=ends, sent=open_ends)
    if after.written:
        link = replace(link, streaks=streaks(before.streaks, dict.fromkeys(after.written), tools.turn))
    ops: dict[str, Op] = {}
    if after.failed is None:
        if action.ended:
            link = replace(link, base={pair: held for pair, held in link.base.items() if pair not in action.ended})
        link = replace(link, crm_version=after.versions[Side.CRM], item_version=after.versions[Side.MAILBOX])
        ops.update({op.key: op for op in cleared(crm.id, card.id, tools)})
        moved = WHEN.id in action.to_crm or WHEN.id in action.to_mailbox
        ops.update({op.key: op for op in _unfinished(_now(job, crm), _now(job, card), link, tools, moved=moved)})
        if action.because is Reason.REASSIGNED:  # the last edits went along; now the copy may go
            op = waiting(Side.CRM, crm.id, link.kind, Reason.OTHER_HOME, tools)
            ops[op.key] = op
    else:  # what is not linked yet is found again by its card: the record may live in another mailbox
        side, id_ = (Side.CRM, crm.id) if linked or after.written else (Side.MAILBOX, card.id)
        op = again(side, id_, link.kind, after.failed, tools)
        ops[op.key] = op
        if not after.written:
            ops.update({op.key: op for op in _not_done(job, crm.id)})
        if linked is None and not after.written:
            return list(ops.values()), None
    ops.update({op.key: op for op in put_link(link)})
    if after.written or linked is None:
        tools.counts[action.because.value] += 1
        op = history(link, action.because, "update", after.written, tools, flags - before.flags, job.journal)
        ops[op.key] = op
    if linked is None:
        ops.update({op.key: op for op in (drop_intent(Side.CRM, crm.id), drop_intent(Side.MAILBOX, card.id))})
    return list(ops.values()), link


def _as_left(job: Job, item: Item) -> Item:
    """What its side holds after the action."""
    result = job.results.get(item.side)
    return result.item if isinstance(result, Done) and result.item else item


@dataclass(frozen=True, slots=True)
class _After:
    """A link after the writes of an update: field pairs written, the failure of a side, versions now."""

    link: Link
    written: list[str]
    failed: Result | None
    versions: Mapping[Side, str]
    left_out: bool | None  # see `settle.left_out`


def _brought_together(job: Job, action: Update, before: Link, crm: Item, card: Item, tools: Tools) -> _After:
    """Renew the bases of what agreed and of what was written; a side that failed keeps its old ones."""
    translator, sealed = tools.translator(before.kind), tools.context.sealed(before)
    now = {
        Side.CRM: translator.crm_values(crm.fields),
        Side.MAILBOX: translator.mailbox_values(card.fields, sealed.anchor()),
    }
    unseen = {
        p: v for p, v in now[Side.CRM].items() if p not in now[Side.MAILBOX] and not is_person(p)
    }  # fax: no listing shows it
    shown = {**now[Side.MAILBOX], **unseen}
    link = renewed(before, sealed, _only(now[Side.CRM], action.agreed), _only(shown, action.agreed))
    written: list[str] = []
    failed: Result | None = None
    left: bool | None = None
    versions = {Side.CRM: crm.version, Side.MAILBOX: card.version}
    for side, rendered in job.rendered.items():
        values = action.to_crm if side is Side.CRM else action.to_mailbox
        refused = frozenset() if action.because is Reason.REASSIGNED else rendered.refused  # given up: the copy goes
        sent = {pair: value for pair, value in values.items() if pair not in refused}
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
        left = left_out(values, refused, target) if side is Side.CRM else left
        both = {side: target, side.other: _only(now[side.other], sent)}
        link = renewed(link, sealed, both[Side.CRM], both[Side.MAILBOX])
    link = rekeyed(link, now[Side.CRM], now[Side.MAILBOX], sealed)
    if _says_more(job, link, tools):
        versions[Side.MAILBOX] = ""
    return _After(link, written, failed, versions, left)


def _says_more(job: Job, link: Link, tools: Tools) -> bool:
    """Did the mailbox make something else of a write (a recurring task that is done goes on)? Then it is no echo and is looked at again."""
    result = job.results.get(Side.MAILBOX)
    if not isinstance(result, Done) or result.item is None:
        return False
    sealed = tools.context.sealed(link)
    shown = tools.translator(link.kind).mailbox_values(result.item.fields, sealed.anchor())
    return any(sealed.unchanged(Side.MAILBOX, pair, value) is False for pair, value in shown.items())


def _only(values: Mapping[str, str], pairs: Collection[str]) -> dict[str, str]:
    wanted = set(pairs)
    absent = {pair: "" for pair in wanted if is_person(pair)}  # who is not on a list is not invited
    return absent | {pair: value for pair, value in values.items() if pair in wanted}


def _failure(result: Result) -> Failure | None:
    return None if isinstance(result, Done) else result.failure


def again(side: Side, id_: str, kind: Kind, result: Result, tools: Tools) -> Op:
    """A pending row for what did not succeed: looked at again, and quarantined after three refusals."""
    failure = _failure(result) or Failure(0, "empty answer")
    if isinstance(result, Unclear) or failure.status in {404, 412}:
        return waiting(side, id_, kind, Reason.CHANGED_MEANWHILE, tools)
    if failure.status in PATIENCE or failure.status >= 500:
        return waiting(side, id_, kind, Reason.THROTTLED, tools)
    before = tools.pending.get((side, id_))
    fails = (before.fails if before else 0) + (before is None or before.turn != tools.turn)
    because = Reason.QUARANTINED if fails >= QUARANTINE else Reason.REFUSED
    return waiting(side, id_, kind, because, tools, fails, f"{failure.status} {failure.code}".strip())


def waiting(
    side: Side, id_: str, kind: Kind, because: Reason, tools: Tools, fails: int | None = None, cause: str = ""
) -> Op:
    before = tools.pending.get((side, id_))
    since = before.since if before else tools.at()
    kept = before.fails if before else 0
    kept_turn = before.turn if before else 0
    counted = (kept, kept_turn) if fails is None else (fails, tools.turn)
    row = Pending(side, id_, because, since, counted[0], cause=cause, kind=kind.value, turn=counted[1])
    tools.pending[(side, id_)] = row
    tools.counts[because.value] += 1
    return put_pending(row)


def cleared(crm_id: str, item_id: str, tools: Tools) -> list[Op]:
    """Pending rows and tombstones that are settled now."""
    ops: list[Op] = []
    for side, id_ in ((Side.CRM, crm_id), (Side.MAILBOX, item_id)):
        if tools.pending.pop((side, id_), None):
            ops.append(drop_pending(side, id_))
        if id_ in tools.context.tombstones:
            ops.append(drop_tombstone(side, id_))
    return ops


def _not_done(job: Job, crm_id: str) -> list[Op]:
    """The journal's rows of an action that certainly did nothing: gone. What is unclear stays."""
    if not job.journal or not all(isinstance(result, Refused) for result in job.results.values()):
        return []
    return [Drop(job.journal), *([Drop(history_key(crm_id, job.journal))] if crm_id else [])]


def history(
    link: Link,
    because: Reason,
    what: str,
    pairs: Iterable[str],
    tools: Tools,
    flags: frozenset[str] = frozenset(),
    journal: str = "",
) -> Op:
    """A line of an item's history. `journal`: key of the row with its values."""
    names = ",".join(sorted(pairs))
    data: dict[str, str | int | bool] = {"what": what, "because": because.value, "pairs": names, "run": tools.run}
    data |= {"item": link.item_id, "kind": link.kind.value, "journal": journal}
    if flags:
        data["flags"] = " ".join(sorted(flags))
    return Put(history_key(link.crm_id, journal or new_key(tools)), data)


def unlink_ops(link: Link, because: Reason, tombstone: bool, tools: Tools) -> list[Op]:
    """End a link without touching either side."""
    tools.counts[because.value] += 1
    stones = put_tombstones(link, because) if tombstone else []
    ops = {op.key: op for op in [*cleared(link.crm_id, link.item_id, tools), *drop_link(link), *stones]}
    return [*ops.values(), history(link, because, "unlink", (), tools)]
