"""Series that were made in the CRM: written to the mailbox as one. I/O.

vtenext keeps a series as one record per occurrence, saved one by one and with no readable rule (API.md 7.6). So its records are left alone until
their set has been quiet for two runs and two minutes; then dates that fit a rule become one series, the others single events (SPEC 2.3).
Once linked, each record is the partner of one occurrence and everything else is planned occurrence by occurrence.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from mapping.people import is_person
from sync.announced import before_call
from sync.events import as_connected, is_over, over_at
from sync.inference import Inferred, infer
from sync.invitations import BEGUN, first_guests, withheld
from sync.joining import write_stamp
from sync.model import Create, Flag, Item, Kind, Link, Planned, Reason, Role, Side, Unread, Wait
from sync.record import again, cleared, history, waiting
from sync.series import to_text
from sync.sides.base import Done, New, Refused, Remove
from sync.spans import read_span, span_text
from sync.store.base import Op
from sync.store.forming import Forming, drop_forming, forming, put_forming
from sync.store.ledger import (
    Intent,
    Tombstone,
    drop_intent,
    put_intent,
    put_link,
    put_tombstone,
)
from sync.tools import Tools
from sync.written import happened

QUIET_RUNS = 2
QUIET_TIME = timedelta(minutes=2)
LEAST = 3  # records that can be a series
SERIES = "~"
"""Begins the id of an intent that is about a whole series (its ical_uuid follows)."""


@dataclass(frozen=True, slots=True)
class CrmSeries:
    """Records of one CRM series that become one series in the mailbox."""

    uid: str
    records: Sequence[Item]
    inferred: Inferred


async def find_series(planned: Sequence[Planned], tools: Tools) -> tuple[list[Planned], list[CrmSeries]]:
    """Take the records of CRM series out of what would become single events, or let them wait until their set is quiet."""
    groups = _new_records(planned)
    if not groups:
        return list(planned), []
    everybody: dict[str, list[Item]] = defaultdict(list)
    for item in await tools.crm.by_uid(Kind.EVENT, sorted(groups)):
        everybody[str(item.fields["uid"])].append(item)
    held: dict[str, Reason] = {}
    found: list[CrmSeries] = []
    done: set[str] = set()  # linked already
    for uid, items in groups.items():
        members = everybody[uid] or items
        linked = {item.id for item in members if await tools.ledger.link_by_crm(item.id)}
        if linked:
            done |= linked
            continue  # its series is in the mailbox already: what was added to it since stands alone
        verdict = await _verdict(uid, members, tools)
        if isinstance(verdict, CrmSeries):
            found.append(verdict)
            held.update(dict.fromkeys((item.id for item in items), Reason.SERIES_FORMING))
        elif verdict:
            held.update(dict.fromkeys((item.id for item in items), verdict))
    return _without(planned, held, done), found


def _new_records(planned: Sequence[Planned]) -> dict[str, list[Item]]:
    """By ical_uuid: what would become single events."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for _, action in planned:
        if isinstance(action, Create) and action.side is Side.MAILBOX and action.because is Reason.CRM_NEW:
            groups[str(action.source.fields.get("uid", ""))].append(action.source)
    groups.pop("", None)
    return groups


def _without(planned: Sequence[Planned], held: Mapping[str, Reason], done: Collection[str]) -> list[Planned]:
    """What is planned, with `held` records waiting and without creations of `done` ones: an earlier part of this run linked those."""
    kept: list[Planned] = []
    for pair, action in planned:
        crm_id = pair.crm.id if pair.crm else ""
        if crm_id in held:
            action = Wait(Side.CRM, crm_id, held[crm_id])
        if pair.link or crm_id not in done or not isinstance(action, Create):
            kept.append((pair, action))
    return kept


async def _verdict(uid: str, members: Sequence[Item], tools: Tools) -> CrmSeries | Reason | None:
    """What these records are: a series, something to wait for, or (None) single events. What is over stays out of it (SPEC 2.11)."""
    if f"{SERIES}{uid}" in tools.context.intents:
        return Reason.INTENT_OPEN
    if len(members) == 1 and not _may_grow(members[0]):
        return None
    if not await _quiet(uid, members, tools):
        return Reason.SERIES_FORMING
    coming = [item for item in members if not is_over(item, tools.context)]
    if len(coming) < LEAST or not all(_ours(item, tools) for item in coming):
        return None
    spans = {item.id: read_span(str(item.fields["when"])) for item in coming if item.fields.get("when")}
    inferred = infer(spans, tools.context.policy.calendar.zone) if len(spans) == len(coming) else None
    return CrmSeries(uid, coming, inferred) if inferred else None


def _may_grow(item: Item) -> bool:
    """Only the first record of a series tells that there is one; the others carry a number."""
    return bool(item.fields.get("recurring")) or item.fields.get("slot") not in {"", "0"}


def _ours(item: Item, tools: Tools) -> bool:
    """Does it belong to this mailbox, made since it was connected and never unlinked?"""
    context = tools.context
    return context.is_home(item) and not as_connected(item, context) and item.id not in context.tombstones


async def _quiet(uid: str, members: Sequence[Item], tools: Tools) -> bool:
    digest = tools.keys.index(json.dumps(sorted([item.id, item.version] for item in members)))
    before = await forming(tools.ledger.rows, tools.ledger.partition, uid)
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
    flags = _flags(series, tools)
    intent = Intent(Side.CRM, id_, Kind.EVENT, stamp, tools.at(), "", json.dumps(plan), flags=flags)
    await tools.ledger.commit([put_intent(intent)])
    await before_call(tools.guard, lambda: tools.ledger.commit([drop_intent(Side.CRM, id_)]))
    write = New(Kind.EVENT, _master_fields(series, tools), stamp)
    (result,) = await tools.mailbox.apply([write])
    tools.written += happened(Side.MAILBOX, [write], [result])
    if isinstance(result, Refused):
        rows = [again(Side.CRM, item.id, Kind.EVENT, result, tools) for item in series.records]
        await tools.ledger.commit([drop_intent(Side.CRM, id_), *rows])
        return
    made = result.item if isinstance(result, Done) else None
    if made is None or not await finish_series(intent, made, tools):
        # open: this run may meet more of its records in the next chunk
        tools.context = replace(tools.context, intents={*tools.context.intents, id_})


def _flags(series: CrmSeries, tools: Tools) -> frozenset[Flag]:
    """A series of which somebody ordered the export goes out without its guests."""
    ordered = any(item.id in tools.context.ordered for item in series.records)
    return frozenset({Flag.ATTENDEES_WITHHELD}) if ordered else frozenset()


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
            found = record if isinstance(record, Item) else None
            link, ops = _linked(crm_id, occurrence, found, intent.flags, tools)
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


def _linked(
    crm_id: str, occurrence: Item, record: Item | None, flags: frozenset[str], tools: Tools
) -> tuple[Link, list[Op]]:
    """The link of one record. Where it differs from its occurrence the base says what the occurrence says: an edit of the CRM. The guests of a
    series that went out without them are agreed on as they are."""
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
        flags=flags | ({Flag.CRM_PRIVATE} if private else frozenset()),
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
    kept = guests if withheld(link) else {}
    base |= {pair: sealed.seal(pair, answer, "") for pair, answer in kept.items()}
    link = replace(link, base=base, role=Role.ORGANIZER if guests else Role.HOME)
    ops = [*put_link(link), *cleared(crm_id, occurrence.id, tools)]
    if (
        guests.keys() - kept.keys()
        or any(
            _agreed(pair, held, shown, translator.image) != value for pair, value in held.items() if not is_person(pair)
        )
        or record is None
    ):
        ops.append(waiting(Side.CRM, crm_id, Kind.EVENT, Reason.CHANGED_MEANWHILE, tools))
    merged = {op.key: op for op in ops}
    return link, [*merged.values(), history(link, Reason.CRM_SERIES, "series in mailbox", (), tools)]


def _agreed(pair: str, held: Mapping[str, str], shown: Mapping[str, str], image: Callable[[str, str], str]) -> str:
    """What the CRM is taken to have held when the occurrence was made."""
    mine, theirs = held.get(pair, ""), shown[pair]
    return mine if image(pair, mine) == image(pair, theirs) else image(pair, theirs)
