"""Run one mailbox under its lease, and turn whatever goes wrong into the right state. I/O; the queue trigger calls it.

The lease is renewed while the run works; a worker whose lease ended, or that sees the board's generation move, stops at its next batch and
records nothing more.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from sync import agenda, progress, watches
from sync.clearing import clear, left_to_delete
from sync.clearing_tools import LEAVE, UNDO, Clearing
from sync.clearing_tools import Progress as Cleared
from sync.errors import SIGN_IN, Cause, Fenced, ReconnectNeeded, RetryLater, SkipItem, StopConnector, StopMailbox
from sync.model import Family, Reason
from sync.plan import Context
from sync.policy import CalendarPolicy
from sync.progress import Progress, counts_of
from sync.run import RETRIED, Limits, Outcome, run_mailbox
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.store import tally
from sync.store.base import Conflict, StoreUnreachable
from sync.store.board import BoardStore
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import MAX_STARTS, Lease, MailboxRow
from sync.store.registry import Registry
from sync.store.servers import ATTEMPTS, MICROSOFT, TOGETHER, spacing
from sync.sweep import begin_cursors
from sync.tools import Keys, Tools
from sync.watching import Watcher, Watching, places_of
from sync.written import Written

log = logging.getLogger("connector")
RENEW_BEFORE = timedelta(seconds=60)


class Sides(Protocol):
    """How a worker reaches the two sides."""

    async def crm(self) -> Crm: ...

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        """Opens (or makes) the contact folder. Raises StopMailbox when a folder that was known is gone."""
        ...

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        """The id of the folder that `mailbox` would open, '' when it would have to be made. `name`: of this name ('' = the default folder),
        whatever user and settings say."""
        ...

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        """The mailbox's default calendar."""
        ...

    async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        """The lists and tasks of the mailbox's user."""
        ...

    async def watcher(self, mailbox: str) -> Watcher | None:
        """Its subscriptions; None: nobody outside can reach us."""
        ...

    async def forget_sign_in(self, mailbox: str) -> None:
        """Its user was removed: what the user signed in with is no more to be kept."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """One process's ability to run mailboxes. `setup` reads settings and users as they are now."""

    registry: Registry
    board: BoardStore
    keys: Keys
    sides: Sides
    setup: Callable[[], Awaitable[Setup]]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    limits: Limits = field(default_factory=Limits)
    # told at the end of each slice: what it wrote, why it failed
    heard: Callable[[Written, str], None] = lambda written, failure: None

    async def run(self, mailbox: str, *, polls: bool = True) -> Outcome | None:
        """One slice of one mailbox. None: somebody else runs it, or nothing may run now. `polls`: also of what every tick looks at."""
        board = await self.board.read()  # before the setup: what moves after this is seen by the guard
        setup = await self.setup()
        if not setup.active or board.state != "running" or board.attempts:  # the tick looks first whether it answers
            return None
        lease = await self.registry.take_lease(mailbox, self.new_id(), self.now())
        if lease is None or not lease.row.works:
            if lease:
                await self.registry.release(lease)
            return None
        written: Written = Counter()
        outcome, failure = None, ""
        try:
            if lease.row.state == "error":
                raise StopMailbox(Cause(lease.row.cause))
            if lease.row.starts > MAX_STARTS:
                raise StopMailbox(Cause.RUNS_NEVER_END)
            if mailbox in setup.parted and lease.row.clearing not in {LEAVE, UNDO}:
                await self.registry.release(lease)  # its user was disabled a moment ago, the row follows
                return None
            if lease.row.clearing and not await self._cleared(lease, setup, board.generation):
                return None
            families = setup.families
            due = agenda.due(lease.found, families, self.now(), again=lease.row.starts > 1, polls=polls)
            if not due:
                await self.registry.release(lease, began_at=lease.found.began_at)
                return Outcome(counts_of(lease.row.counts), cause=lease.row.cause)
            outcome = await self._slice(lease, setup, board.generation, written, due)
        except Fenced:
            await self.registry.release(lease, dirty=True)
        except StopMailbox as stop:
            failure = _told(stop.cause, mailbox, setup).value
            await self.registry.release(lease, state="error", cause=failure)
        except ReconnectNeeded:
            failure = _told(Cause.RECONNECT, mailbox, setup).value
            await self.registry.release(lease, state="error", cause=failure)
        except SkipItem:  # a refusal of the whole mailbox that is none of the known ones
            failure = Cause.GRAPH_REFUSED.value
            await self.registry.release(lease, state="error", cause=failure)
        except RetryLater as later:
            failure = later.cause.value if later.counts else ""
            await self._later(lease, later)
        except StopConnector as stop:
            failure = stop.cause.value
            if setup.delegated and stop.cause is Cause.CONSENT_MISSING:  # this person's token was refused: others go on
                await self.registry.release(lease, state="error", cause=failure)
            else:
                await self.registry.release(lease, dirty=True)
                await self.board.enter_error(failure, self.now(), board.generation)
        else:
            await self._ended(lease, outcome, board.generation)
        await self._tally(mailbox, written, failure)
        return outcome

    async def _tally(self, mailbox: str, written: Written, failure: str) -> None:
        """Count what a run did, if it did anything. The counts are for a chart: that they cannot be kept ends no run."""
        self.heard(written, failure)
        if not written and not failure:
            return
        try:
            await tally.add(self.registry.rows, mailbox, self.now(), written, failure)
        except (Conflict, StoreUnreachable) as error:
            log.warning("tally: not kept, %s", type(error).__name__)

    async def _cleared(self, lease: Lease, setup: Setup, generation: int) -> bool:
        """Clear the mailbox (`sync.clearing`). True: it waits for an admin, and is synchronised meanwhile; else the lease is given back."""
        row, now = lease.row, self.now()
        guard = self._guard(lease, generation)
        await guard()
        job = Clearing(
            row,
            setup,
            self.sides,
            self.registry,
            self.keys,
            self.now,
            self.new_id,
            guard,
            self.limits,
            now + self.limits.slice,
        )
        try:
            came = await clear(job)
        except (StopMailbox, ReconnectNeeded, SkipItem):
            if row.clearing != LEAVE:
                raise
            left = await left_to_delete(self.registry, row)
            counts = f"{Reason.CLEAN_UP.value}={left}"
            await self.registry.release(lease, state="error", cause=Cause.CLEAN_UP_PENDING.value, counts=counts)
            return False
        if came is Cleared.ASKS:
            return True
        present = await self.registry.mailbox(row.id)
        if came is Cleared.GOES_ON or present is None or present.clearing != row.clearing:
            await self.registry.release(lease, dirty=True)
            return False
        counts = " ".join(f"{name}={number}" for name, number in sorted(job.counts.items()))
        left = row.clearing == LEAVE and not present.enabled  # somebody else may have been connected with this mailbox
        after = {"state": "removed"} if left else {"state": "ok", "full": True, "dirty": True}
        done = {"clearing": "", "permitted": 0, "scope": "", "cause": "", "attempts": 0, "due_at": "", "counts": counts}
        fresh: dict[str, object] = {}
        if row.clearing == LEAVE:  # its ledgers were emptied
            fresh = {"progress": "", "watches": "", "looks": ""}
        elif row.clearing == UNDO:  # the order is over: its user may be removed again
            fresh = {"left_at": ""}
        await self.registry.release(lease, **done, **after, **fresh)
        return False

    async def _slice(
        self, lease: Lease, setup: Setup, generation: int, written: Written, due: Sequence[Family]
    ) -> Outcome:
        """Each family of kinds that is due in turn, with its share of the time. `written` grows, also when this ends early."""
        families = setup.families
        guard = self._guard(lease, generation)
        await guard()
        crm = await self.sides.crm()
        await begin_cursors(crm, self.registry.rows, setup.translators)
        await self._watch(lease, families)
        limits = replace(self.limits, slice=self.limits.slice / len(due))
        so_far = {f: found for f, found in progress.read(lease.row.progress).items() if f in families}
        counts: Counter[str] = Counter()
        unfinished, waits = False, set[Family]()
        for family in due:
            try:
                told = self._progressed(lease.row.id, so_far, family)
                outcome = await self._family(family, lease.row, setup, crm, guard, generation, limits, written, told)
            except StopConnector as stop:
                if family is not Family.TASKS or stop.cause is not Cause.CONSENT_MISSING:
                    raise
                # 401 of To Do means its own role; the others ran (BEHAVIOUR 1.1)
                so_far[family] = Progress(cause=Cause.TASKS_NOT_PERMITTED.value)
                continue
            before = so_far.get(family, Progress())
            if outcome.moved and self._untold(family, lease, before):
                lease.noted["rewatch"] = True
            moved_at = self._at() if outcome.moved or not before.moved_at else before.moved_at
            so_far[family] = replace(outcome.progress, moved_at=moved_at, cause=outcome.cause)
            lease.noted["progress"] = progress.write(so_far)
            counts.update(outcome.counts)
            unfinished |= outcome.unfinished
            waits |= {family} if outcome.waits else set()
        lease.noted["progress"] = progress.write(so_far)
        lease.noted["looks"] = self._looks(lease, due, so_far, waits, setup)
        return Outcome(dict(counts), unfinished, next((each.cause for each in so_far.values() if each.cause), ""))

    async def _watch(self, lease: Lease, families: Sequence[Family]) -> None:
        """Keep the subscriptions alive, before anything is read: what happens from now on is told."""
        row, watcher = lease.row, await self.sides.watcher(lease.row.id)
        if watcher is None:
            lease.noted.update(watches="", rewatch=False)  # whatever is there, nothing of it comes to us
            return
        cursor = ""
        if watcher.lists and Family.TASKS in families:
            ledger = MailboxLedger(self.registry.rows, row.id, 0, "", Family.TASKS)  # no fence: for reading only
            cursor = (await ledger.checkpoint()).cursor
        places = places_of(families, watcher, cursor)
        watching = Watching(row.id, self.keys, self.now, self.new_id)
        asked = lease.found.rewatch or row.starts > 1  # the last run, which never ended, may have been asked
        kept = await watching.keep(watcher, watches.read(row.watches), places, asked=asked)
        lease.noted.update(watches=watches.write(kept), rewatch=False)

    def _untold(self, family: Family, lease: Lease, before: Progress) -> bool:
        """Is what was found there something that a subscription should have told us of? It may be gone: the next run renews it, or makes it anew."""
        found, kept = lease.found, str(lease.noted.get("watches", ""))
        asked = found.dirty or found.full or lease.row.starts > 1 or family in agenda.hints_of(found.hints)
        retried = RETRIED & before.pending.keys()
        return not asked and not retried and family in watches.read(kept).families(self.now())

    def _looks(
        self, lease: Lease, due: Sequence[Family], so_far: progress.Families, waits: Collection[Family], setup: Setup
    ) -> str:
        """When each family is looked at next without a hint: what can tell of its changes, and waits for nothing, seldom."""
        now, row = self.now(), lease.row
        watched = watches.read(str(lease.noted.get("watches", row.watches))).families(now)
        resting = agenda.live(due, watched, {family: each.moved_at for family, each in so_far.items()}, now)
        waiting = {family for family, each in so_far.items() if RETRIED & each.pending.keys()} | set(waits)
        not_there = {family for family in due if so_far[family].absent}
        seldom = (resting - waiting) | not_there
        night = agenda.next_night(row.id, now, setup.calendar.zone).isoformat(timespec="seconds")
        later = min(agenda.look_again(row.id, now, setup.look_every), night)
        found = {family: later if family in seldom else agenda.NOW for family in due}
        return agenda.looks({**agenda.looks_of(row.looks), **found})

    async def _family(
        self,
        family: Family,
        row: MailboxRow,
        setup: Setup,
        crm: Crm,
        guard: Callable[[], Awaitable[None]],
        generation: int,
        limits: Limits,
        written: Written,
        told: Callable[[int, int], Awaitable[None]],
    ) -> Outcome:
        ledger = await MailboxLedger.open(self.registry.rows, row.id, row.fence, family)
        point = await ledger.checkpoint()
        if family is Family.CALENDAR:
            side = await self.sides.calendar(row.id, setup.policy(row.id, row.user).calendar)
        elif family is Family.TASKS:
            side = await self.sides.todo(row.id, setup.calendar)
        else:
            side = await self.sides.mailbox(row.id, point.folder)
        if side.folder_id != point.folder:
            await ledger.save_checkpoint(replace(point, folder=side.folder_id, cursor=""))
        tombstones = {stone.id: stone.because for stone in await ledger.tombstones()}
        policy = setup.policy(row.id, row.user)
        context = Context(policy, setup.translators_of(policy), self.keys, tombstones, remaps=setup.remaps)
        tools = Tools(side, crm, ledger, self.registry, self.keys, context, self.now, self.new_id, guard)
        tools.connected_at, tools.past_too, tools.generation = row.connected_at, row.past_too, generation
        tools.written, tools.progressed = written, told
        night = agenda.last_night(row.id, self.now(), policy.calendar.zone)
        stale = not point.full_at or datetime.fromisoformat(point.full_at) < night
        rotated = point.digest_key not in ("", self.keys.digest_key)  # what an older key digested is digested anew
        return await run_mailbox(tools, limits, row.full or stale or rotated)

    def _progressed(
        self, mailbox: str, so_far: Mapping[Family, progress.Progress], family: Family
    ) -> Callable[[int, int], Awaitable[None]]:
        """Notes on the mailbox's row, in the middle of a slice, how far a long comparison has come, for whoever watches."""

        async def progressed(items: int, items_done: int) -> None:
            now = replace(so_far.get(family, progress.Progress()), items=items, items_done=items_done)
            await self.registry.change_mailbox(mailbox, progress=progress.write({**so_far, family: now}))

        return progressed

    def _at(self) -> str:
        return self.now().isoformat()

    def _guard(self, lease: Lease, generation: int) -> Callable[[], Awaitable[None]]:
        """Raises Fenced when the lease is not ours or the board moved; renews the lease in time."""
        expires = datetime.fromisoformat(lease.row.expires)

        async def guard() -> None:
            nonlocal expires
            now = self.now()
            if now >= expires or (await self.board.read()).generation != generation:
                raise Fenced
            if expires - now < RENEW_BEFORE:
                renewed = await self.registry.renew(lease, now)
                if renewed is None:
                    raise Fenced
                expires = renewed

        return guard

    async def _ended(self, lease: Lease, outcome: Outcome, generation: int) -> None:
        counts = " ".join(f"{name}={number}" for name, number in sorted(outcome.counts.items()))
        await self.board.reached(MICROSOFT, self.now())
        moved = (await self.board.read()).generation != generation  # settings changed at the last moment: compare anew
        done = {"full": False, "past_too": False} if lease.row.full and not outcome.unfinished and not moved else {}
        await self.registry.release(
            lease,
            **done,
            state="ok",
            cause=outcome.cause,
            attempts=0,
            due_at="",
            last_run=self._at(),
            dirty=outcome.unfinished,
            counts=counts,
        )

    async def _later(self, lease: Lease, later: RetryLater) -> None:
        """The server asked for patience, or cannot be reached: spaced attempts, of this mailbox or of the whole connector."""
        now = self.now()
        if later.everybody or later.cause.value.startswith(("crm_", "entra_")):
            due = (now + timedelta(seconds=later.after)).isoformat() if later.after is not None else ""
            await self.registry.release(lease, dirty=True, due_at=due)
            if not later.counts:
                return
            await self.board.failed(later.cause.value, now)
            return
        if later.counts and await self._others_fail(lease.row, later.cause, now) >= TOGETHER - 1:
            await self.registry.release(lease, dirty=True)
            await self.board.failed(later.cause.value, now)
            return
        attempts = lease.row.attempts + (1 if later.counts else 0)
        if attempts >= ATTEMPTS:
            await self.registry.release(lease, state="error", cause=later.cause.value, attempts=attempts)
            return
        wait = timedelta(seconds=later.after) if later.after is not None else spacing(attempts)
        due = (now + wait).isoformat()
        await self.registry.release(lease, attempts=attempts, due_at=due, cause=later.cause.value, dirty=True)

    async def _others_fail(self, row: MailboxRow, cause: Cause, now: datetime) -> int:
        """How many other mailboxes wait after a counted failure of this kind."""
        rows = await self.registry.mailboxes()
        return sum(
            1
            for other in rows
            if other.id != row.id and other.attempts and other.cause == cause.value and other.due_at > now.isoformat()
        )


def _told(cause: Cause, mailbox: str, setup: Setup) -> Cause:
    """The mailbox of everybody lacks a sign-in, and no connected user is there to press Connect for it: an admin sees to that first."""
    alone = mailbox == setup.admin_mailbox and mailbox not in setup.homes.values()
    return Cause.SHARED_NOT_CONNECTED if alone and cause.value in SIGN_IN else cause
