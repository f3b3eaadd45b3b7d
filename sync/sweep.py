"""Once for everybody: read the CRM's changes, drop echoes of our own writes, mark the mailboxes concerned. I/O.

The cost grows with changes, not with mailboxes. Which mailboxes: the home of the record's owner, and whoever holds a copy (a reassignment does
not name the old owner, a deletion carries only an id). A mark says "look at this id", never what it holds; cursors move after the marks.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mapping.model import Translator
from sync.brakes import braked
from sync.event_names import series_of
from sync.groups import note_met
from sync.merge import Digests
from sync.model import Family, Item, Kind, Reason, Role, Side
from sync.policy import SWEEP_LIMITS, DeleteLimits
from sync.settle import is_record, record_digest
from sync.sides.base import Crm
from sync.store.asking import HoldRow
from sync.store.base import Drop, Put, Rows
from sync.store.ledger import MailboxLedger
from sync.store.registry import Registry, held_partition

PARTITION = "sweep"
ANSWERS, ANSWERS_EVERY, ANSWERS_AHEAD = "answers", timedelta(minutes=15), timedelta(days=14)


@dataclass(frozen=True, slots=True)
class SweepTools:
    """What a sweep works with. `homes_of`: a CRM item -> ids of the mailboxes where it lives. `group_prefix`: of ids of groups, '' = not known."""

    crm: Crm
    registry: Registry
    translators: Mapping[Kind, Translator]
    digests: Digests
    homes_of: Callable[[Item], Collection[str]]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    group_prefix: str = ""
    brake: DeleteLimits = SWEEP_LIMITS


@dataclass(slots=True)
class Swept:
    """What a sweep found. `marked`: mailboxes with work. `groups`: ids of groups that own what changed."""

    changed: int = 0
    echoes: int = 0
    gone: int = 0
    marked: set[str] = field(default_factory=set)
    without_mailbox: int = 0
    held: int = 0
    groups: set[str] = field(default_factory=set)


async def sweep(tools: SweepTools) -> Swept:
    """Read every module's changes since the last sweep and mark mailboxes."""
    swept = Swept()
    for kind in tools.translators:
        await _sweep_kind(kind, tools, swept)
    if Kind.EVENT in tools.translators:
        await _sweep_answers(tools, swept)
    await note_met(tools.registry.rows, swept.groups)
    return swept


async def ask_for_answers(rows: Rows) -> None:
    """The next sweep reads answers, however lately one did: somebody asked for everything now."""
    await rows.transact(PARTITION, [Drop(ANSWERS)])


async def _sweep_answers(tools: SweepTools, swept: Swept) -> None:
    """Answers given in vtenext do not touch modifiedtime (API.md 5): now and then the coming events are read for them."""
    rows, now = tools.registry.rows, tools.now()
    row = await rows.get(PARTITION, ANSWERS)
    if row is not None and now - datetime.fromisoformat(str(row.data["at"])) < ANSWERS_EVERY:
        return
    items = [item for item in await tools.crm.upcoming(now + ANSWERS_AHEAD) if item.fields.get("invitees")]
    fresh = await _without_echoes(items, Kind.EVENT, tools, swept)
    await _mark_items(fresh, Kind.EVENT, tools, swept)
    await _saw(fresh, Kind.EVENT, tools)
    await rows.transact(PARTITION, [Put(ANSWERS, {"at": now.isoformat(timespec="seconds")})])


async def _saw(items: Sequence[Item], kind: Kind, tools: SweepTools) -> None:
    await tools.registry.saw({i.id: record_digest(i, tools.translators[kind], tools.digests) for i in items})


async def begin_cursors(crm: Crm, rows: Rows, kinds: Iterable[Kind]) -> None:
    """Before the first run of any mailbox: the sweep reads from now on, what is there already is read by each first fill."""
    there = {row.key async for row in rows.query(PARTITION)}
    for kind in kinds:
        if kind.value not in there:
            await rows.transact(PARTITION, [Put(kind.value, {"cursor": await crm.beginning()})])


async def _sweep_kind(kind: Kind, tools: SweepTools, swept: Swept) -> None:
    rows = tools.registry.rows
    row = await rows.get(PARTITION, kind.value)
    if row is None:  # nobody ran yet
        await begin_cursors(tools.crm, rows, [kind])
        return
    gone: list[str] = []
    cursor = str(row.data["cursor"])
    async for page in tools.crm.changes(kind, cursor):
        gone.extend(page.gone)
        swept.groups |= {i.owner for i in page.items if i.owner.startswith(f"{tools.group_prefix}x")}
        fresh = await _without_echoes(page.items, kind, tools, swept)
        await _mark_items(fresh, kind, tools, swept)
        if kind is Kind.COMPANY and fresh:
            contacts = await tools.crm.contacts_of([item.id for item in fresh])
            await _mark_holders(contacts, Kind.CONTACT, tools, swept)
        await _saw(fresh, kind, tools)
        cursor = page.cursor or cursor
    await _mark_gone(gone, kind, tools, swept)
    await rows.transact(PARTITION, [Put(kind.value, {"cursor": cursor})])


async def _without_echoes(items: Sequence[Item], kind: Kind, tools: SweepTools, swept: Swept) -> list[Item]:
    seen = await tools.registry.seen([item.id for item in items])
    translator = tools.translators[kind]
    fresh = [item for item in items if not is_record(seen.get(item.id, ""), item, translator, tools.digests)]
    swept.changed += len(fresh)
    swept.echoes += len(items) - len(fresh)
    return fresh


async def _mark_items(items: Sequence[Item], kind: Kind, tools: SweepTools, swept: Swept) -> None:
    holders = await tools.registry.holders_near([item.id for item in items])
    marks: dict[str, list[tuple[Kind, str]]] = defaultdict(list)
    for item in items:
        homes = tools.homes_of(item)
        swept.without_mailbox += not homes
        for mailbox in {*holders[item.id], *homes}:
            marks[mailbox].append((kind, item.id))
    await _mark(marks, tools, swept)


async def _mark_holders(ids: Collection[str], kind: Kind, tools: SweepTools, swept: Swept) -> None:
    marks: dict[str, list[tuple[Kind, str]]] = defaultdict(list)
    for crm_id, holders in (await tools.registry.holders_near(ids)).items():
        for mailbox in holders:
            marks[mailbox].append((kind, crm_id))
    await _mark(marks, tools, swept)


async def _mark(marks: Mapping[str, Sequence[tuple[Kind, str]]], tools: SweepTools, swept: Swept) -> None:
    for mailbox, mine in sorted(marks.items()):
        await tools.registry.mark(mailbox, mine, tools.new_id())
        swept.marked.add(mailbox)


async def _mark_gone(ids: Sequence[str], kind: Kind, tools: SweepTools, swept: Swept) -> None:
    """Deletions concern holders only. More than the brake allows are held as a whole until an admin decides (SPEC 7.1)."""
    holders = await tools.registry.holders_near(set(ids))
    held = sorted(crm_id for crm_id, mailboxes in holders.items() if mailboxes)
    if not held:
        return
    day = (tools.now() - timedelta(days=1)).isoformat()
    holds = [h for h in await tools.registry.holds() if not h.mailbox and h.kind is kind and h.since >= day]
    decided = [h for h in holds if h.state != "open"]
    for hold in decided:  # the overlap shows the same deletions again: that question was answered
        answered = await tools.registry.shown_in(hold)
        held = [crm_id for crm_id in held if crm_id not in answered]
    swept.gone += len(held)
    await tools.registry.saw(dict.fromkeys(held, ""))  # restored from the recycle bin it must not look like an echo
    population = await tools.crm.count(kind) + len(held)
    if braked(len(held), 0, population, tools.brake) and braked(
        await _things(held, holders, kind, tools), 0, population, SWEEP_LIMITS
    ):
        swept.held += len(held)
        await _hold(held, kind, tools)
        return
    await _mark_holders(held, kind, tools, swept)


async def _things(held: Sequence[str], holders: Mapping[str, Mapping[str, Role]], kind: Kind, tools: SweepTools) -> int:
    """How many things these records are: a series made or deleted at a stroke is one, however many occurrences it has."""
    if kind is not Kind.EVENT:
        return len(held)
    found: set[str] = set()
    for crm_id in held:
        for mailbox in holders[crm_id]:
            link = await MailboxLedger(tools.registry.rows, mailbox, 0, "", Family.CALENDAR).link_by_crm(crm_id)
            found.add(series_of(link.item_id) if link else crm_id)
    return len(found)


async def _hold(ids: Sequence[str], kind: Kind, tools: SweepTools) -> None:
    """One open hold per module; the next sweep, which sees the same deletions again in its overlap, adds to it."""
    open_one = next(
        (h for h in await tools.registry.holds() if not h.mailbox and h.kind is kind and h.state == "open"), None
    )
    since = tools.now().isoformat(timespec="seconds")
    hold = open_one or HoldRow(tools.new_id(), "", kind, Side.MAILBOX, Reason.DELETE_BRAKE, since, version=0)
    shown = await tools.registry.shown_in(hold) if open_one else set()
    fresh = [crm_id for crm_id in ids if crm_id not in shown]
    if not fresh:
        return
    version = hold.version + 1  # an answer to the hold as it is does not speak of these
    for start in range(0, len(fresh), 100):
        ops = [Put(crm_id, {"kind": kind.value, "version": version}) for crm_id in fresh[start : start + 100]]
        await tools.registry.rows.transact(held_partition(hold.id), ops)
    grown = replace(hold, version=version)
    total = sorted(await tools.registry.shown_in(grown))
    held = replace(grown, count=len(total), items=tuple(total[:100]))
    if open_one is None:
        await tools.registry.put_hold(held)
    elif not await tools.registry.change_hold(open_one, held):  # answered meanwhile: these are another question
        await _hold(fresh, kind, tools)


async def mark_approved(hold: HoldRow, tools: SweepTools) -> int:
    """After an admin approved a sweep's deletions: mark the mailboxes that hold the records. Returns how many records."""
    if hold.kind is None:
        return 0
    ids = sorted(await tools.registry.shown_in(hold))
    await _mark_holders(ids, hold.kind, tools, Swept())
    return len(ids)
