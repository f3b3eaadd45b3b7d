"""One run of one mailbox: gather, plan, brake, apply, record - in chunks, until all is settled or the slice's time is up.

The shell around the pure core. It may be killed at any line: the checkpoint moves last, marks are removed after what they asked for,
and what is half done is found again by intents, bases and the old checkpoint.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sync import calendar, todo
from sync.apply import apply
from sync.deletions import Deletions
from sync.gather import (
    Joined,
    Key,
    Links,
    Work,
    drop_echoes,
    keys_of,
    not_compared,
    read_changes,
    read_everything,
    read_links,
    read_waiting,
)
from sync.guests import expect_guests
from sync.holds import ask, decided, reconsider, tidy
from sync.intents import resolve
from sync.joining import claimed_by, join_unlinked
from sync.model import (
    Create,
    Decline,
    Delete,
    Family,
    Hold,
    Item,
    Kind,
    Leave,
    Pair,
    Planned,
    Reason,
    Side,
    Unlink,
    Update,
    Wait,
)
from sync.planning import chunks
from sync.progress import Progress
from sync.record import unlink_ops, waiting
from sync.recurring import create_series
from sync.restoring import restore_ordered
from sync.settle import oscillates, turn_of
from sync.store.base import Op
from sync.store.ledger import Checkpoint, Pending, drop_pending, put_pending, renew_link
from sync.store.registry import Mark
from sync.tools import Tools

JOURNAL_KEPT = timedelta(days=30)
RETRIED = frozenset(
    {
        Reason.UNREADABLE,
        Reason.INTENT_OPEN,
        Reason.OTHER_HOME,
        Reason.THROTTLED,
        Reason.CHANGED_MEANWHILE,
        Reason.REFUSED,
        Reason.SLICE_ENDED,
        Reason.FIRST_IMPORT,
        Reason.SERIES_FORMING,
        Reason.ORGANIZER_FIRST,
    }
)
"""Pending for these reasons is looked at in every run; the others wait for a change, an admin or a full comparison."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How a run cuts its work. `slice`: after that a continuation goes on. `crm_time_limit`: see sync.intents. `workers`: batches under way; a
    mailbox has four lanes, and the other batches are at the store meanwhile (with six the lanes stood idle a twelfth of the time)."""

    slice: timedelta = timedelta(minutes=4)
    crm_time_limit: timedelta = timedelta(minutes=5)
    chunk: int = 200
    batch: int = 20
    workers: int = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. `unfinished`: a continuation must follow at once. `cause`: what kept a family of kinds from running, or failed beside it.

    `progress`: where it leaves its family of kinds. `moved`: it had something to look at, beside a comparison in full.
    """

    counts: dict[str, int] = field(default_factory=dict)
    unfinished: bool = False
    cause: str = ""
    progress: Progress = field(default_factory=Progress)
    moved: bool = False
    waits: bool = False  # what was ordered or begun is not done: the next tick looks again


async def run_mailbox(tools: Tools, limits: Limits, full: bool) -> Outcome:
    """Synchronise one mailbox. Raises what `sync.errors` names; everything recorded so far stays."""
    deadline = tools.now() + limits.slice
    point = await tools.ledger.checkpoint()
    tools.run = point.run + 1
    tools.turn, turn_at = turn_of(point.turn, point.turn_at, tools.now())
    point = replace(point, turn=tools.turn, turn_at=turn_at)
    tools.pending = {(row.side, row.id): row for row in await tools.ledger.pending()}
    tools.context = replace(tools.context, now=tools.now())
    if tools.family is not Family.PEOPLE:
        point = await calendar.begin(point, _owners(tools), tools)
    work, marks, ordered = await _gather(tools, point, limits, full)
    links = await _linked(work, tools)
    keys = everything = keys_of(work, links)
    goes_on = point.under == tools.generation and point.compared_with == tools.keys.digest_key
    if work.full and point.compared and goes_on:
        touched = {mark.crm_id for mark in marks} | {id_ for side, id_ in tools.pending if side is Side.CRM}
        keys = not_compared(keys, point.compared, touched, work)
    deletions = Deletions(tools, point, links if work.full else None)
    skipped = sum(1 for key in everything if key.link) if not point.full_at else len(everything) - len(keys)

    async def looked_at(number: int) -> None:
        if tools.progressed and work.full and number < len(keys):
            await tools.progressed(*so_far(len(everything), skipped + number))

    planned = await _pipeline(keys, work, deletions, deadline, looked_at, tools, limits)
    again = [
        [waiting(Side.MAILBOX, id_, tools.family.kinds[0], Reason.CHANGED_MEANWHILE, tools)]
        for id_ in sorted(tools.later)
    ]
    await tools.ledger.commit_groups(again)
    unfinished = planned < len(keys)
    full_at, digest_key = point.full_at, point.digest_key
    if unfinished:
        await deletions.postpone()
        before = point.compared if goes_on else ""
        compared = next((key.crm_id for key in reversed(keys[:planned]) if key.link), before)
        after = replace(
            point,
            compared=compared if work.full else "",
            compared_with=tools.keys.digest_key,
            under=tools.generation,
        )
        await tools.ledger.save_checkpoint(after)
    else:
        point = await deletions.execute(limits.batch)
        if work.full:
            full_at, digest_key = tools.at(), tools.keys.digest_key
            await tools.ledger.purge_journal((tools.now() - JOURNAL_KEPT).isoformat(timespec="seconds"))
        imported = point.imported or tools.family is not Family.PEOPLE
        await tools.ledger.save_checkpoint(
            replace(
                point,
                cursor=work.cursor,
                run=tools.run,
                full_at=full_at,
                compared="",
                imported=imported,
                digest_key=digest_key,
            )
        )
        await tools.registry.unmark(tools.context.policy.mailbox, marks)
        await calendar.settle_ordered(tools)
        await tidy(tools)
    under_way = so_far(len(everything), skipped + planned) if unfinished and work.full else (0, 0)
    pending = Counter(row.because.value for row in tools.pending.values())
    progress = Progress(full_at, *under_way, dict(sorted(pending.items())))
    return Outcome(
        dict(tools.counts), unfinished or ordered, tools.cause, progress, bool(keys) and not work.full, tools.waits
    )


def so_far(items: int, done: int) -> tuple[int, int]:
    """How much of a comparison in full is done. Of a first fill what is linked counts as done: a slice looks at it again at its end."""
    return items, min(done, items)


async def _linked(work: Work, tools: Tools) -> Links:
    """The links of what is to be looked at, and partners for what has none."""
    if tools.family is Family.PEOPLE:
        await expect_guests(work, tools)
        links = await read_links(tools.ledger, work)
        drop_echoes(work, links)
        await join_unlinked(work, links, tools.mailbox, tools.crm, tools.context, tools.ledger)
        return links
    if tools.family is Family.TASKS:
        links = await todo.linked(work, tools)
    else:
        links = await read_links(tools.ledger, work, calendar.looked_back(tools))
        await calendar.claim_occurrences(work, links, tools)
        await calendar.claim_older(work, links, tools)
        drop_echoes(work, links)
        await calendar.join_events(work, links, tools)
    if any(crm_id not in links.by_crm for crm_id in work.records):
        tools.context = replace(tools.context, baseline=await tools.ledger.baseline())
    return links


async def _gather(tools: Tools, point: Checkpoint, limits: Limits, full: bool) -> tuple[Work, list[Mark], bool]:
    """Everything to look at, from the mailbox's delta, the marks, what was restored, pending rows, decided holds and open intents.

    And whether orders to restore are left for the next run.
    """
    work = Work(full=full or not point.cursor, family=tools.family)
    inbox = await tools.registry.inbox(tools.context.policy.mailbox)
    marks = [mark for mark in inbox if mark.kind in tools.family.kinds]
    work.records.update({mark.crm_id: mark.kind for mark in marks})
    calendar.take_ordered(work, tools)
    await _read_mailbox(point, work, tools)
    ordered = await restore_ordered(work, limits.crm_time_limit, tools)
    if work.full:
        await read_everything(tools.crm, _owners(tools), work, tools.now())
    open_ids = await resolve(await tools.ledger.intents(), work, limits.crm_time_limit, tools)
    tools.waits |= bool(open_ids)
    tools.context = replace(tools.context, intents=open_ids)
    for row in list(tools.pending.values()):
        await _take_up(row, work, tools)
    for stone in await tools.ledger.tombstones():
        if stone.because is Reason.REASSIGNED and stone.side is Side.CRM and stone.id in work.records:
            work.joined.setdefault(stone.other, Joined(stone.id, Reason.MATCHED))
            work.cards.setdefault(stone.other, None)
        if (
            stone.because in {Reason.LEFT_FOLDER, Reason.COPY_ENDED}
            and stone.side is Side.MAILBOX
            and stone.id in work.cards
        ):
            work.joined.setdefault(stone.id, Joined(stone.other, Reason.MATCHED))  # it was moved back
            work.records.setdefault(stone.other, _kind_of(work.cards[stone.id], tools))
    await read_waiting(work, tools.mailbox)
    work.joined = {i: j for i, j in work.joined.items() if i in work.cards}
    return work, marks, ordered


async def _read_mailbox(point: Checkpoint, work: Work, tools: Tools) -> None:
    """The mailbox's changes; for a comparison in full everything, after what changed outside of what is listed again."""
    afresh = tools.mailbox.afresh(point.cursor) if point.cursor and work.full else None
    if point.cursor and (afresh or not work.full):
        await read_changes(tools.mailbox, point.cursor, work)
    if work.full:
        await read_changes(tools.mailbox, afresh or "", work)


def _kind_of(card: Item | None, tools: Tools) -> Kind:
    return card.kind if card else tools.family.kinds[0]


def _owners(tools: Tools) -> Sequence[str]:
    """Whose records live in this mailbox."""
    return tools.context.policy.owners_at_home(tools.family.kinds[0])


async def _take_up(row: Pending, work: Work, tools: Tools) -> None:
    """Put a pending row's item back to work if it is time."""
    if row.because in {Reason.QUARANTINED, Reason.OSCILLATES}:
        (work.cards if row.side is Side.MAILBOX else work.records).pop(row.id, None)
        return
    choice = await decided(row, tools) if row.hold else ""
    if choice == "rejected":
        return
    if row.hold and not choice:
        await reconsider(row, work, tools)
    if row.because not in RETRIED and not choice:
        return
    work.again.add(row.id)
    if row.side is Side.CRM:
        work.records.setdefault(row.id, Kind(row.kind))
        if choice not in {"", "new", "look"}:
            work.joined[choice] = Joined(row.id, Reason.MATCHED)
            work.cards.setdefault(choice, None)
    else:
        work.cards.setdefault(row.id, None)
        if choice not in {"", "new", "look"}:
            work.joined[row.id] = Joined(choice, Reason.MATCHED)
            work.records.setdefault(choice, Kind(row.kind))
    if choice == "new":
        work.allowed.add(row.id)


async def _pipeline(
    keys: Sequence[Key],
    work: Work,
    deletions: Deletions,
    deadline: datetime,
    looked_at: Callable[[int], Awaitable[None]],
    tools: Tools,
    limits: Limits,
) -> int:
    """Read and plan chunk by chunk while earlier batches are being written, until time runs out. How many keys were planned; `looked_at` is told
    after each chunk."""
    queue: asyncio.Queue[list[Create | Update | Delete] | None] = asyncio.Queue(limits.workers)

    async def writer() -> None:
        while (batch := await queue.get()) is not None:
            await apply(batch, tools)

    async def producer() -> int:
        planned = 0
        async for actions, forming in chunks(keys, work, tools, limits.chunk):
            batch = await _sort_out(actions, work, deletions, tools)
            for series in forming:
                await create_series(series, tools)
            for start in range(0, len(batch), limits.batch):
                await queue.put(batch[start : start + limits.batch])
            planned = min(planned + limits.chunk, len(keys))
            await looked_at(planned)
            if tools.now() >= deadline:
                break
        for _ in range(limits.workers):
            await queue.put(None)
        return planned

    return await _together(producer(), [writer() for _ in range(limits.workers)])


async def _together(producer: Coroutine[Any, Any, int], writers: Sequence[Coroutine[Any, Any, None]]) -> int:
    """Run all; the first failure stops the others and is raised as itself."""
    first = asyncio.ensure_future(producer)
    tasks: list[asyncio.Future[Any]] = [first, *(asyncio.ensure_future(job) for job in writers)]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
    return first.result()


async def _sort_out(
    planned: Sequence[Planned], work: Work, deletions: Deletions, tools: Tools
) -> list[Create | Update | Delete]:
    """Writes go on; deletions wait for the end; everything that is no write is recorded here."""
    batch: list[Create | Update | Delete] = []
    groups: list[Sequence[Op]] = []
    for pair, action in planned:
        match action:
            case Update(pair=Pair(crm=crm)) if crm and _oscillates(action, tools):
                groups.append([waiting(Side.CRM, crm.id, pair.kind, Reason.OSCILLATES, tools)])
            case Create() | Update():
                batch.append(action)
            case Delete():
                deletions.add(action)
            case Decline():
                deletions.declined.append(action)
            case Unlink():
                groups.append(unlink_ops(action.link, action.because, action.tombstone, tools))
                deletions.unlinked.append(action.link)
            case Wait():
                groups.append([waiting(action.side, action.id, pair.kind, action.because, tools)])
            case Hold():
                groups.append([await ask(action, pair.kind, tools)])
            case Leave():
                groups.append(_leave(action, pair, tools))
            case None:
                groups.append(_nothing(pair, tools))
    await tools.ledger.commit_groups([ops for ops in groups if ops])
    return batch


def _oscillates(action: Update, tools: Tools) -> bool:
    """One that was found stays so until an admin has it tried again, whichever side brings it up."""
    link = action.pair.link
    known = tools.pending.get((Side.CRM, link.crm_id)) if link else None
    if known and known.because is Reason.OSCILLATES:
        return True
    return link is not None and oscillates(link.streaks, {**action.to_crm, **action.to_mailbox}, tools.turn)


def _leave(action: Leave, pair: Pair, tools: Tools) -> list[Op]:
    """Count it; an unlinked card is remembered by its handles, so that a new CRM record finds it. A record waits for nothing any more."""
    tools.counts[action.because.value] += 1
    card = pair.mailbox
    if action.side is Side.CRM:
        over = [drop_pending(Side.CRM, action.id)] if tools.pending.pop((Side.CRM, action.id), None) else []
        return over + (calendar.renewed_baseline(pair, tools) if action.because is Reason.BASELINE else [])
    if not isinstance(card, Item) or pair.link or action.because is Reason.TOMBSTONE:
        return []
    handles = claimed_by(card, tools.context) if card.kind in Family.PEOPLE.kinds else []
    row = Pending(Side.MAILBOX, card.id, action.because, tools.at(), kind=card.kind.value, handles=" ".join(handles))
    tools.pending[(Side.MAILBOX, card.id)] = row
    return [put_pending(row)]


def _nothing(pair: Pair, tools: Tools) -> list[Op]:
    """Settled: whatever was pending about it is over, and it may rest."""
    ops: list[Op] = []
    for side, present in ((Side.CRM, pair.crm), (Side.MAILBOX, pair.mailbox)):
        if present and tools.pending.pop((side, present.id), None):
            ops.append(drop_pending(side, present.id))
    link = replace(pair.link, sent={}) if pair.link and pair.link.sent else pair.link
    link = tools.context.put_to_rest(replace(pair, link=link))
    if link and link != pair.link:
        ops.append(renew_link(link))
    return ops
