"""What a run does first in a mailbox that is to be cleared: the end of a user (`leave`), its undoing (`undo`), copies made anew (`purge`). I/O.

A run like any other: under the mailbox's lease, in slices, behind the guard, intent before call and result after it. It may be killed at any line
and goes on from what the ledger holds: a link that ended is not looked at again, a card that is being made is found by its stamp.

- leave (SPEC 5.4): linked cards go as the settings said when it was ordered, and no more of them than an admin confirmed; every other link ends
  without touching either side, and what the mailbox had here is forgotten, but for the journal and what `undo` needs. No brake holds it: the
  switch, or the admin's count, is the consent.
- undo: the cards that `leave` deleted are made again as they were, and are linked as before. What is back already is left alone.
- purge (SPEC 3.4): home copies that we made and that nobody edited since both sides agreed are deleted; the comparison that follows makes them
  again. Behind the delete brake: an admin confirmed a number (`permitted`), and more than that is a question.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from sync import watches
from sync.apply import apply
from sync.brakes import braked
from sync.clearing_tools import ALL, LEAVE, PATIENCE_OF_SERVER, PURGE, UNDO, Clearing, Progress, end, is_ours
from sync.errors import Cause, ReconnectNeeded, RetryLater, StopMailbox
from sync.model import Delete, Family, Gone, Item, Kind, Left, Link, Reason, Role, Side
from sync.policy import RemovalScope
from sync.store.asking import HoldRow
from sync.store.base import Drop, prefix_end
from sync.store.guests import Guests
from sync.store.ledger import Checkpoint, MailboxLedger
from sync.store.mailboxes import MailboxRow
from sync.store.registry import Registry
from sync.store.remnants import drop_remnant, put_remnant, remnants
from sync.tools import Tools
from sync.undoing import undo

PASSES = 3
"""How often a slice looks again at cards whose deletion was refused; after three refusals a card is left (`sync.record.again`)."""
SHOWN = 100
FORGOTTEN = ("i|", "p|", "b|", "e|", "o|", "u|", "q")
"""Rows of a ledger that end with the user; the fence, history, journal, tombstones and remnants stay, and of the checkpoint the number of the run:
the journal names runs for thirty days, and the next user of the mailbox must not begin with the same ones."""


async def clear(job: Clearing) -> Progress:
    """One slice."""
    work = {LEAVE: leave, UNDO: undo, PURGE: purge}[job.row.clearing]
    return await work(job)


def to_delete(link: Link, scope: RemovalScope | None) -> bool:
    """Is the card of this link deleted when its user leaves?"""
    return scope is RemovalScope.LINKED or (scope is RemovalScope.OURS and is_ours(link))


async def would_delete(registry: Registry, mailbox: str, scope: RemovalScope | None) -> int:
    """How many cards a removal would delete that was ordered now."""
    ledger = MailboxLedger(registry.rows, mailbox, 0, "")  # no fence: for reading only
    return sum([to_delete(link, scope) async for link in ledger.links()])


async def left_to_delete(registry: Registry, row: MailboxRow) -> int:
    """How many cards the removal that was ordered still has to delete."""
    return len(await _doomed(MailboxLedger(registry.rows, row.id, 0, ""), row))


async def _doomed(ledger: MailboxLedger, row: MailboxRow) -> list[Link]:
    """The cards that are to go with their user. Those linked since an admin confirmed a number are more than that number: they stay."""
    scope = RemovalScope(row.scope) if row.scope else None
    found = [link async for link in ledger.links() if to_delete(link, scope)]
    if row.permitted == ALL:
        return found
    left = await remnants(ledger.rows, ledger.partition, row.id, row.left_at)
    begun = {remnant.link.crm_id for remnant in left if remnant.deleted}
    others = [link for link in found if link.crm_id not in begun]
    return [link for link in found if link.crm_id in begun] + others[: max(0, row.permitted - len(begun))]


async def leave(job: Clearing) -> Progress:
    """The end of a user in this mailbox."""
    for family in (Family.CALENDAR, Family.TASKS):
        if not await _end_links(await job.ledger(family), job):
            return Progress.GOES_ON
    people = await job.ledger(Family.PEOPLE)
    if not await _delete_cards(people, job) or not await _end_links(people, job):
        return Progress.GOES_ON
    for family in Family:
        await _forget(await job.ledger(family), job)
    await _forget_shared(job)
    await job.guard()
    await _end_watches(job)
    await job.sides.forget_sign_in(job.row.id)
    return Progress.DONE


async def _end_watches(job: Clearing) -> None:
    """Nothing more is to be told. Where the sign-in is over they end by themselves."""
    there = watches.read(job.row.watches)
    try:
        watcher = await job.sides.watcher(job.row.id) if there.kept else None
        if watcher is not None:
            for watch in there.kept:
                await watcher.drop(watch)
    except (ReconnectNeeded, StopMailbox):
        return


async def _delete_cards(ledger: MailboxLedger, job: Clearing) -> bool:
    """The cards that are to go, until none is left (True) or the slice ends."""
    doomed = await _doomed(ledger, job.row)
    tools = await job.people_or_none(ledger) if doomed else None
    if tools is None:  # with their folder the cards went too: only their links are left to end
        return True
    return await _in_passes(doomed, Reason.USER_LEFT, tools, job)


async def _in_passes(doomed: Sequence[Link], because: Reason, tools: Tools, job: Clearing) -> bool:
    """Delete these cards; what is refused is tried again. True: none is left that can be deleted. Raises RetryLater."""
    left_alone: set[str] = set()
    for _ in range(PASSES):
        for start in range(0, len(doomed), job.limits.batch):
            left_alone |= await _delete(doomed[start : start + job.limits.batch], because, tools, job)
            if job.late:
                return False
        links = [await tools.ledger.link_by_crm(link.crm_id) for link in doomed if link.crm_id not in left_alone]
        doomed = [link for link in links if link and not _given_up(link, tools)]
        if not doomed:
            return True
    raise RetryLater(Cause.GRAPH_THROTTLED, PATIENCE_OF_SERVER, counts=False)


def _given_up(link: Link, tools: Tools) -> bool:
    row = tools.pending.get((Side.CRM, link.crm_id))
    return row is not None and row.because is Reason.QUARANTINED


async def _delete(links: Sequence[Link], because: Reason, tools: Tools, job: Clearing) -> set[str]:
    """A batch, each card as it is now; crm ids of those that are left alone.

    What is about to go is marked first, so that our own deletion is never taken for the user's, whenever we are killed.
    """
    await tools.guard()
    order = PURGE if because is Reason.PURGED else job.row.left_at
    present = await tools.mailbox.get([link.item_id for link in links])
    cards = {link.crm_id: item for link in links if isinstance(item := present[link.item_id], Item)}
    over = [link for link in links if isinstance(present[link.item_id], Gone | Left)]
    alone: set[str] = set()
    if because is Reason.PURGED:
        cards = {link.crm_id: cards[link.crm_id] for link in links if _as_agreed(link, cards.get(link.crm_id))}
        marked = {r.link.crm_id for r in await remnants(job.registry.rows, tools.ledger.partition, job.row.id, PURGE)}
        over = [link for link in over if link.crm_id in marked and isinstance(present[link.item_id], Gone)]
        alone = {link.crm_id for link in links} - cards.keys() - {link.crm_id for link in over}
    await tools.ledger.commit([put_remnant(link, order, deleted=True) for link in links if link.crm_id in cards])
    await end(over, because, tools.ledger, job)
    actions = [Delete(Side.MAILBOX, cards[link.crm_id], link, because) for link in links if link.crm_id in cards]
    if actions and because is Reason.USER_LEFT:  # first, or a crash would leave a note of what nobody looks at any more
        await job.registry.release_records(job.row.id, cards)
    if actions:
        await apply(actions, tools)
    return alone


def _as_agreed(link: Link, card: Item | None) -> bool:
    """Is it as both sides left it? An edit that has not travelled yet would be lost: such a card is rewritten in place instead."""
    return card is not None and card.version == link.item_version


async def _end_links(ledger: MailboxLedger, job: Clearing) -> bool:
    """End all links of a family without touching either side. False: the slice is over."""
    rest = [link async for link in ledger.links()]
    for start in range(0, len(rest), job.limits.batch):
        await job.guard()
        part = rest[start : start + job.limits.batch]
        await end(part, Reason.USER_LEFT, ledger, job, remember=ledger.family is Family.PEOPLE)
        if job.late:
            return False
    return True


async def _forget(ledger: MailboxLedger, job: Clearing) -> None:
    for prefix in FORGOTTEN:
        rows = job.registry.rows.query(ledger.partition, prefix, prefix_end(prefix))
        await ledger.commit([Drop(row.key) async for row in rows])
    await ledger.save_checkpoint(Checkpoint(run=(await ledger.checkpoint()).run))


async def _forget_shared(job: Clearing) -> None:
    """Marks, guests and questions of this mailbox."""
    mailbox, registry = job.row.id, job.registry
    await job.guard()
    await registry.unmark(mailbox, await registry.inbox(mailbox))
    guests = Guests(registry.rows, mailbox)
    await guests.forget(await guests.all())
    for hold in await registry.holds():
        if hold.mailbox == mailbox:
            await registry.drop_hold(hold.id)


async def purge(job: Clearing) -> Progress:
    """Our copies go, to be made again by the comparison in full that follows."""
    ledger = await job.ledger(Family.PEOPLE)
    links = [link async for link in ledger.links()]
    doomed = [link for link in links if is_ours(link) and link.role is Role.HOME]
    hold = await _question(job)
    if doomed and not (hold and hold.state == "rejected"):
        if not _permitted(len(doomed), len(links), hold, job):
            await _ask(doomed, hold, job)
            return Progress.ASKS
        tools = await job.people_or_none(ledger)
        if tools is not None and not await _in_passes(doomed, Reason.PURGED, tools, job):
            return Progress.GOES_ON
    marks = await remnants(job.registry.rows, ledger.partition, job.row.id, PURGE)
    await ledger.commit([drop_remnant(mark) for mark in marks])
    if hold:
        await job.registry.drop_hold(hold.id)
    return Progress.DONE


def _permitted(planned: int, population: int, hold: HoldRow | None, job: Clearing) -> bool:
    """May so many be deleted? As many as an admin confirmed, or as the delete brake lets pass anyway."""
    approved = hold is not None and hold.state == "approved" and hold.until > job.at() and planned <= hold.count
    return approved or planned <= job.row.permitted or not braked(planned, 0, population, job.setup.deletes)


async def _question(job: Clearing) -> HoldRow | None:
    holds = await job.registry.holds()
    return next((hold for hold in holds if hold.mailbox == job.row.id and hold.because is Reason.PURGED), None)


async def _ask(doomed: Collection[Link], hold: HoldRow | None, job: Clearing) -> None:
    ids = tuple(sorted(link.crm_id for link in doomed))
    asked = hold or HoldRow(job.new_id(), job.row.id, Kind.CONTACT, Side.MAILBOX, Reason.PURGED, job.at())
    asked = replace(asked, state="open", until="", by="", at="", count=len(ids), items=ids[:SHOWN])
    if hold is None:
        await job.registry.put_hold(asked)
    elif asked != hold:  # when it was answered just now, the next run looks at the answer
        await job.registry.change_hold(hold, replace(asked, version=hold.version + 1))
