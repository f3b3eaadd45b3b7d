"""Series that were made in the CRM: written to the mailbox as one, and cut there when all that was to come was deleted. I/O.

vtenext keeps a series as one record per occurrence, saved one by one and with no readable rule (API.md 7.6). So its records are left alone until
their set has been quiet for two runs and two minutes; then dates that fit a rule become one series, the others single events (SPEC 2.3).
Once linked, each record is the partner of one occurrence and everything else is planned occurrence by occurrence.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from mapping.people import is_person
from sync.errors import Failure
from sync.events import is_occurrence, over_at, same_record, series_of
from sync.inference import Inferred, infer
from sync.invitations import BEGUN, first_guests
from sync.joining import write_stamp
from sync.model import Action, Create, Delete, Flag, Gone, Item, Kind, Link, Pair, Reason, Role, Side, Unread, Wait
from sync.record import again, cleared, history, waiting
from sync.series import to_text
from sync.sides.base import Done, New, Refused, Remove, Result, Revise
from sync.spans import read_span, span_text
from sync.store.base import Op
from sync.store.ledger import (
    Forming,
    Intent,
    Tombstone,
    drop_forming,
    drop_intent,
    drop_link,
    put_forming,
    put_intent,
    put_link,
    put_tombstone,
)
from sync.tools import Tools

QUIET_RUNS = 2
QUIET_TIME = timedelta(minutes=2)
LEAST = 3  # records that can be a series
SERIES = "~"
"""Begins the id of an intent that is about a whole series (its ical_uuid follows)."""

Planned = tuple[Pair, Action | None]


@dataclass(frozen=True, slots=True)
class CrmSeries:
    """Records of one CRM series that become one series in the mailbox."""

    uid: str
    records: Sequence[Item]
    inferred: Inferred


async def find_series(planned: Sequence[Planned], tools: Tools) -> tuple[list[Planned], list[CrmSeries]]:
    """Take the records of CRM series out of what would become single events, or let them wait until their set is quiet."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for _, action in planned:
        if isinstance(action, Create) and action.side is Side.MAILBOX and action.because is Reason.CRM_NEW:
            groups[str(action.source.fields.get("uid", ""))].append(action.source)
    groups.pop("", None)
    if not groups:
        return list(planned), []
    everybody: dict[str, list[Item]] = defaultdict(list)
    for item in await tools.crm.by_uid(Kind.EVENT, sorted(groups)):
        everybody[str(item.fields["uid"])].append(item)
    held: dict[str, Reason] = {}
    found: list[CrmSeries] = []
    done: set[str] = set()
    for uid, items in groups.items():
        members = everybody[uid] or items
        done |= {item.id for item in members if await tools.ledger.link_by_crm(item.id)}
        if done & {item.id for item in members}:
            continue  # its series is in the mailbox already: what was added to it since stands alone
        verdict = await _verdict(uid, members, tools)
        if isinstance(verdict, Reason):
            held.update(dict.fromkeys((item.id for item in items), verdict))
        elif verdict:
            found.append(CrmSeries(uid, members, verdict))
            held.update(dict.fromkeys((item.id for item in items), Reason.SERIES_FORMING))
    kept: list[Planned] = []
    for pair, action in planned:
        crm_id = pair.crm.id if pair.crm else ""
        if crm_id in held:
            action = Wait(Side.CRM, crm_id, held[crm_id])
        if (
            pair.link or crm_id not in done or not isinstance(action, Create)
        ):  # else linked by an earlier part of this run
            kept.append((pair, action))
    return kept, found


async def _verdict(uid: str, members: Sequence[Item], tools: Tools) -> Inferred | Reason | None:
    """What these records are: a series, something to wait for, or (None) single events."""
    if f"{SERIES}{uid}" in tools.context.intents:
        return Reason.INTENT_OPEN
    if len(members) == 1 and not _may_grow(members[0]):
        return None
    if not await _quiet(uid, members, tools):
        return Reason.SERIES_FORMING
    if len(members) < LEAST or not all(_ours(item, tools) for item in members):
        return None
    spans = {item.id: read_span(str(item.fields["when"])) for item in members if item.fields.get("when")}
    return infer(spans, tools.context.policy.calendar.zone) if len(spans) == len(members) else None


def _may_grow(item: Item) -> bool:
    """Only the first record of a series tells that there is one; the others carry a number."""
    return bool(item.fields.get("recurring")) or item.fields.get("slot") not in {"", "0"}


def _ours(item: Item, tools: Tools) -> bool:
    """Does it belong to this mailbox, made since it was connected and never unlinked?"""
    context = tools.context
    stored = context.baseline.get(item.id)
    old = stored is not None and same_record(stored, item, tools.translator(Kind.EVENT), tools.keys)
    return context.is_home(item) and not old and item.id not in context.tombstones


async def _quiet(uid: str, members: Sequence[Item], tools: Tools) -> bool:
    digest = tools.keys.index(json.dumps(sorted([item.id, item.version] for item in members)))
    before = await tools.ledger.forming(uid)
    now = tools.now()
    if before.members != digest:
        await tools.ledger.commit([put_forming(uid, Forming(digest, 1, now.isoformat()))])
        return False
    seen = before.seen + 1
    await tools.ledger.commit([put_forming(uid, replace(before, seen=seen))])
    return seen >= QUIET_RUNS and now - datetime.fromisoformat(before.since) >= QUIET_TIME


async def create_series(series: CrmSeries, tools: Tools) -> None:
    """Intent, one creation, then the links. What deviates from the rule is written by the next runs, occurrence by occurrence."""
    mailbox, inferred = tools.context.policy.mailbox, series.inferred
    await tools.guard()
    await tools.registry.hold_records(mailbox, {item.id: Role.HOME for item in series.records})
    plan = {
        "slots": {crm_id: slot.isoformat() for crm_id, slot in inferred.slots.items()},
        "gaps": [gap.isoformat() for gap in inferred.gaps],
    }
    id_ = f"{SERIES}{series.uid}"
    stamp = write_stamp(f"{SERIES}{tools.keys.index(series.uid)}", Kind.EVENT, tools.new_id())
    intent = Intent(Side.CRM, id_, Kind.EVENT, stamp, tools.at(), "", json.dumps(plan))
    await tools.ledger.commit([put_intent(intent)])
    await tools.guard()
    (result,) = await tools.mailbox.apply([New(Kind.EVENT, _master_fields(series, tools), stamp)])
    if isinstance(result, Refused):
        rows = [again(Side.CRM, item.id, Kind.EVENT, result, tools) for item in series.records]
        await tools.ledger.commit([drop_intent(Side.CRM, id_), *rows])
        return
    made = result.item if isinstance(result, Done) else None
    if made is None or not await finish_series(intent, made, tools):
        # open: this run may meet more of its records in the next chunk
        tools.context = replace(tools.context, intents={*tools.context.intents, id_})


def _master_fields(series: CrmSeries, tools: Tools) -> dict[str, str]:
    """The series as most of its records say it."""
    translator = tools.translator(Kind.EVENT)
    values = [translator.crm_values(item.fields) for item in series.records]
    usual = {
        pair.id: _most([each.get(pair.id, "") for each in values]) for pair in translator.pairs
    }  # guests come last
    rendered = translator.render_mailbox({p: v for p, v in usual.items() if v}, None)
    fields = {name: str(value) for name, value in rendered.fields.items()}
    return {**fields, "when": span_text(series.inferred.first), "rule": to_text(series.inferred.rule)}


def _most(values: Sequence[str]) -> str:
    return max(sorted(set(values)), key=values.count)


async def finish_series(intent: Intent, master: Item, tools: Tools) -> bool:
    """Cancel the dates that the CRM does not have, link every record with its occurrence, end the intent. May be repeated.

    False: something did not succeed; the intent stays and the next run goes on.
    """
    plan = json.loads(intent.sent)
    gaps = await tools.mailbox.get([f"{master.id}|{gap}" for gap in plan["gaps"]]) if plan["gaps"] else {}
    await tools.guard()
    results = await tools.mailbox.apply([Remove(item) for item in gaps.values() if isinstance(item, Item)])
    if any(not isinstance(result, Done) for result in results) or any(isinstance(gap, Unread) for gap in gaps.values()):
        return False
    slots: dict[str, str] = plan["slots"]
    occurrences = await tools.mailbox.get([f"{master.id}|{slot}" for slot in slots.values()])
    records = await tools.crm.get(Kind.EVENT, list(slots))
    groups: list[list[Op]] = []
    roles: dict[str, Role] = {}
    for crm_id, slot in slots.items():
        occurrence, record = occurrences[f"{master.id}|{slot}"], records[crm_id]
        if isinstance(occurrence, Unread):
            return False
        if await tools.ledger.link_by_crm(crm_id):
            continue
        if isinstance(occurrence, Item):
            link, ops = _linked(crm_id, occurrence, record if isinstance(record, Item) else None, tools)
            roles[crm_id] = link.role
            groups.append(ops)
        else:  # cancelled in the meantime, or Exchange counts otherwise: never made a second time
            stone = Tombstone(Side.CRM, crm_id, Reason.CRM_SERIES, f"{master.id}|{slot}")
            groups.append([*cleared(crm_id, stone.other, tools), put_tombstone(stone)])
    await tools.registry.hold_records(tools.context.policy.mailbox, roles)
    await tools.ledger.commit_groups(groups)
    uid = intent.id.removeprefix(SERIES)
    await tools.ledger.commit([drop_intent(Side.CRM, intent.id), drop_forming(uid)])
    tools.counts[Reason.CRM_SERIES.value] += 1
    return True


def _linked(crm_id: str, occurrence: Item, record: Item | None, tools: Tools) -> tuple[Link, list[Op]]:
    """The link of one record. Where it differs from its occurrence the base says what the occurrence says: an edit of the CRM."""
    translator = tools.translator(Kind.EVENT)
    mailbox = tools.context.policy.mailbox
    private = translator.image("visibility~sensitivity", str(occurrence.fields.get("sensitivity", ""))) == "private"
    link = Link(
        mailbox,
        Kind.EVENT,
        crm_id,
        occurrence.id,
        Side.CRM,
        item_version=occurrence.version,
        flags=frozenset({Flag.CRM_PRIVATE}) if private else frozenset(),
        ends=over_at((occurrence, record), None, tools.context),
    )
    sealed = tools.context.sealed(link)
    shown = translator.mailbox_values(occurrence.fields)
    held = translator.crm_values(record.fields) if record else {}
    base = {
        pair: sealed.seal(pair, _agreed(pair, held, shown, translator.image), value) for pair, value in shown.items()
    }
    guests = first_guests(record, tools.context) if record else {}
    base[BEGUN] = sealed.seal(BEGUN, "", "")
    link = replace(link, base=base, role=Role.ORGANIZER if guests else Role.HOME)
    ops = [*put_link(link), *cleared(crm_id, occurrence.id, tools)]
    if (
        guests
        or any(
            _agreed(pair, held, shown, translator.image) != value for pair, value in held.items() if not is_person(pair)
        )
        or record is None
    ):
        ops.append(waiting(Side.CRM, crm_id, Kind.EVENT, Reason.CHANGED_MEANWHILE, tools))
    merged = {op.key: op for op in ops}
    return link, [*merged.values(), history(link, Reason.CRM_SERIES, "series in mailbox", (), tools)]


def _agreed(pair: str, held: dict[str, str], shown: dict[str, str], image) -> str:  # type: ignore[no-untyped-def]
    """What the CRM is taken to have held when the occurrence was made."""
    mine, theirs = held.get(pair, ""), shown[pair]
    return mine if image(pair, mine) == image(pair, theirs) else image(pair, theirs)


# Cutting ------------------------------------------------------------------------------------------------------------------


async def cuts(deletes: Sequence[Delete], tools: Tools) -> dict[str, list[Delete]]:
    """Series of which every coming occurrence was deleted in the CRM: id of the series -> these deletions."""
    groups: dict[str, list[Delete]] = defaultdict(list)
    for action in deletes:
        occurrence = action.item.kind is Kind.EVENT and is_occurrence(action.item.id)
        if action.side is Side.MAILBOX and occurrence and action.because is Reason.CRM_DELETED:
            groups[series_of(action.item.id)].append(action)
    return {series: mine for series, mine in groups.items() if await _nothing_left(series, mine, tools)}


async def _nothing_left(series: str, deletes: Sequence[Delete], tools: Tools) -> bool:
    coming = {link.item_id for link in await tools.ledger.links_of_series(series) if link.ends > tools.at()}
    kept = any(series_of(id_) == series for id_ in tools.context.tombstones if is_occurrence(id_))
    return not kept and coming <= {action.item.id for action in deletes}


async def cut(series: str, deletes: Sequence[Delete], tools: Tools) -> None:
    """End the mailbox's series before the first deleted occurrence, or delete it whole when nothing was before; one call."""
    await tools.guard()
    first = min(date.fromisoformat(action.item.id.partition("|")[2]) for action in deletes)
    master = (await tools.mailbox.get([series]))[series]
    result: Result = Done(None)
    if isinstance(master, Item):
        write = Revise(master, {"until": (first - timedelta(days=1)).isoformat()})
        begins = any(action.item.fields.get("slot") == "0" for action in deletes)
        (result,) = await tools.mailbox.apply([Remove(master) if begins else write])
    elif not isinstance(master, Gone):
        result = Refused(Failure(503, "UNREAD", where="series"))
    groups = [_settled(action, result, tools) for action in deletes]
    if isinstance(result, Done):
        await tools.registry.release_records(tools.context.policy.mailbox, [a.link.crm_id for a in deletes])
        tools.counts[Reason.SERIES_CUT.value] += 1
    await tools.ledger.commit_groups(groups)


def _settled(action: Delete, result: Result, tools: Tools) -> list[Op]:
    link = action.link
    if not isinstance(result, Done):
        return [again(Side.CRM, link.crm_id, link.kind, result, tools)]
    ops = {op.key: op for op in [*drop_link(link), *cleared(link.crm_id, link.item_id, tools)]}
    return [*ops.values(), history(link, Reason.SERIES_CUT, "delete", (), tools)]
