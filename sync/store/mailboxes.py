"""A row per mailbox: whose it is, how it stands, who runs it now (a lease), and when it is looked at next. No values of items.

Partition `mailboxes`: a row per mailbox, and the agenda: rows `~<when>|<mailbox>` without columns, moved in the transactions that change a mailbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.agenda import hinted, is_told, next_at
from sync.model import Family
from sync.store.base import Conflict, Data, Drop, Insert, Op, Put, Replace, Row, Rows, following, prefix_end

PARTITION = "mailboxes"
AGENDA = "~"  # above every id
TOLD, POLLED = "0", "1"  # before every time: what every tick queues
IN_ERROR = "~"  # behind every time: nobody is queued, a person is waited for
LEASE = timedelta(seconds=90)
MAX_STARTS = 3
MESSAGE_LOST = timedelta(minutes=15)
"""A mailbox that was queued is queued again when no run began for so long."""
OVERVIEW = ("control", "overview")
AT_ONCE = 16
_TRIES = 20
_STANDS = ("watches", "rewatch")
_COUNTED = ("enabled", "state", "cause", "clearing")


@dataclass(frozen=True, slots=True)
class MailboxRow:
    """A mailbox as all workers see it. Times are ISO UTC, '' = never."""

    id: str
    user: str  # crm id of the user it belongs to
    enabled: bool = True
    state: str = "ok"  # ok | error | removed
    cause: str = ""
    dirty: bool = False
    due_at: str = ""
    holder: str = ""
    fence: int = 0
    expires: str = ""
    starts: int = 0  # runs that began since one ended
    attempts: int = 0  # consecutive failed ones
    last_run: str = ""  # when its newest run ended
    began_at: str = ""  # when it began
    full: bool = False  # the next run compares everything
    past_too: bool = False  # also what is over for long: the rule for private events changed
    counts: str = ""  # of the last run: "reason=number ..."
    connected_at: str = ""  # when its user was connected last
    clearing: str = ""  # '' | leave | purge | undo: what the next run does first, see `sync.clearing`
    permitted: int = 0  # purge, leave: how many deletions an admin confirmed, see `sync.clearing_tools.ALL`
    # leave: which linked cards go (a RemovalScope, '' = none), as the settings said when it was ordered
    scope: str = ""
    left_at: str = ""  # when the removal of its user was ordered last
    progress: str = ""  # of its families of kinds, see `sync.progress`
    hints: str = ""  # families in which something happened that no run has looked at, see `sync.agenda`
    looks: str = ""  # when each family is looked at without a hint
    queued_until: str = ""  # a message is under way; what is not run by then has lost it
    queued_since: str = ""  # when the first one was sent that no run and no answer followed
    watches: str = ""  # its subscriptions, see `sync.watches`
    rewatch: bool = False  # Microsoft 365 asked to renew them

    @property
    def works(self) -> bool:
        """May a run do anything here? Cards are made anew only where the synchronisation goes on afterwards."""
        return self.enabled or self.clearing in {"leave", "undo"}

    @property
    def has_left(self) -> bool:
        """Was its user removed, and not connected again since?"""
        return bool(self.left_at) and self.connected_at <= self.left_at


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to run a mailbox. `found`: its row as it was before. `noted`: columns that are stored with its end, however the run ended."""

    row: MailboxRow
    etag: str
    found: MailboxRow
    noted: dict[str, object] = field(default_factory=dict)


def mailbox_of(row: Row) -> MailboxRow:
    names = MailboxRow.__dataclass_fields__
    return MailboxRow(id=row.key, **{k: v for k, v in row.data.items() if k in names})  # type: ignore[arg-type]


def _data(item: MailboxRow) -> Data:
    return {name: getattr(item, name) for name in item.__dataclass_fields__ if name != "id"}


def place(row: MailboxRow) -> str:
    """The key of the mailbox's place in the agenda, '' = it has none."""
    if row.state == "error" and row.works:
        return f"{AGENDA}{IN_ERROR}|{row.id}"
    at = next_at(row)
    return "" if at is None else f"{AGENDA}{at or (TOLD if is_told(row) else POLLED)}|{row.id}"


def _moved(before: MailboxRow | None, after: MailboxRow) -> list[Op]:
    """What moves in the agenda with this change."""
    old, new = place(before) if before else "", place(after)
    if old == new:
        return []
    return [*([Drop(old)] if old else []), *([Put(new, {})] if new else [])]


def _sent(row: MailboxRow, now: datetime) -> MailboxRow:
    """A message is on its way to it."""
    until = (now + MESSAGE_LOST).isoformat()
    return replace(row, queued_until=until, queued_since=row.queued_since or now.isoformat())


class Mailboxes:
    """Typed access to the rows of mailboxes."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    async def mailboxes(self, after: str = "", limit: int = 0) -> list[MailboxRow]:
        """By id; those behind `after`, at most `limit` (0 = all)."""
        rows = self.rows.query(PARTITION, following(after), AGENDA, limit)
        return [mailbox_of(row) async for row in rows]

    async def mailbox(self, mailbox: str) -> MailboxRow | None:
        row = await self.rows.get(PARTITION, mailbox)
        return mailbox_of(row) if row else None

    async def change_mailbox(self, mailbox: str, **changes: object) -> MailboxRow | None:
        """Change columns of a mailbox's row, whatever others change meanwhile. One that is not there is made when `user` is among them, else None."""
        return await self.change_mailbox_if(mailbox, lambda _: True, **changes)

    async def change_mailbox_if(
        self, mailbox: str, may: Callable[[MailboxRow], bool], **changes: object
    ) -> MailboxRow | None:
        """As `change_mailbox`, while the row is as `may` wants it at the moment of writing; None when it is not."""

        def changed(before: MailboxRow) -> MailboxRow | None:
            return replace(before, **changes) if may(before) else None  # type: ignore[arg-type]

        return await self._revise(mailbox, changed, make=bool(changes.get("user")))

    async def _revise(
        self, mailbox: str, decide: Callable[[MailboxRow], MailboxRow | None], *, make: bool = False
    ) -> MailboxRow | None:
        """Replace a row by what `decide` makes of the present one; None: there is none (and none is to be made), or it is to stay as it is."""
        for _ in range(_TRIES):
            row = await self.rows.get(PARTITION, mailbox)
            if row is None and not make:
                return None
            before = mailbox_of(row) if row else MailboxRow(id=mailbox, user="")
            after = decide(before)
            if after is None or (row and after == before):
                return after
            try:
                await self._write(row, before, after)
            except Conflict:
                continue
            await self._recount(before, after)
            return after
        raise Conflict(0, mailbox)

    async def _write(self, row: Row | None, before: MailboxRow, after: MailboxRow) -> str:
        """Its new ETag. Raises Conflict when somebody else was here."""
        op: Op = Replace(after.id, _data(after), row.etag) if row else Insert(after.id, _data(after))
        etags = await self.rows.transact(PARTITION, [op, *_moved(before if row else None, after)])
        return etags[0]

    async def drop_mailbox(self, mailbox: str, may: Callable[[MailboxRow], bool]) -> bool:
        """Drop a row that is as `may` wants it at that moment, and its place in the agenda. Was it so?"""
        while row := await self.rows.get(PARTITION, mailbox):
            now = mailbox_of(row)
            if not may(now):
                return False
            at = place(now)
            try:
                await self.rows.transact(PARTITION, [Drop(row.key, row.etag), *([Drop(at)] if at else [])])
            except Conflict:  # judged anew
                continue
            await self.forget_overview()
            break
        return True

    async def _recount(self, before: MailboxRow, after: MailboxRow) -> None:
        if any(getattr(before, name) != getattr(after, name) for name in _COUNTED):
            await self.forget_overview()

    async def forget_overview(self) -> None:
        """Somebody ordered what changes the counts: the next look counts anew (`sync.overview`)."""
        partition, key = OVERVIEW
        await self.rows.transact(partition, [Drop(key)])

    # the agenda

    async def due(self, now: datetime, limit: int = 0) -> list[str]:
        """Ids of the mailboxes that are to be queued, the longest due first, at most `limit` (0 = all)."""
        return await self._due(AGENDA, f"{AGENDA}{now.isoformat()}~", limit)

    async def due_now(self, now: datetime) -> list[str]:
        """The same without those that a tick only looks whether something happened there: between two ticks."""
        told = await self._due(AGENDA, f"{AGENDA}{POLLED}")
        return [*told, *await self._due(f"{AGENDA}{POLLED}~", f"{AGENDA}{now.isoformat()}~")]

    async def _due(self, first: str, last: str, limit: int = 0) -> list[str]:
        return [row.key.rpartition("|")[2] async for row in self.rows.query(PARTITION, first, last, limit)]

    async def in_error(self, after: str, limit: int) -> list[str]:
        """Ids of mailboxes in state error, by id, those behind `after`."""
        begins = f"{AGENDA}{IN_ERROR}|"
        rows = self.rows.query(PARTITION, begins + following(after), prefix_end(begins), limit)
        return [row.key.rpartition("|")[2] async for row in rows]

    async def queued(self, mailbox: str, now: datetime) -> MailboxRow | None:
        """A message for it is on its way: no tick queues it again before that is taken for lost."""
        return await self._revise(mailbox, lambda row: _sent(row, now))

    async def spent(self, mailbox: str) -> None:
        """Its message came, and no run began."""
        await self._revise(mailbox, lambda row: replace(row, queued_until="", queued_since=""))

    async def waits_since(self, now: datetime, sample: int = 50) -> str:
        """When the mailbox was due that has waited longest for a run to begin, ISO UTC, '' = none waits. Messages that are sent again and again hide
        nothing. Of very many that wait the `sample` that the agenda names first are looked at."""
        until = (now + MESSAGE_LOST).isoformat()
        keys = [row.key async for row in self.rows.query(PARTITION, AGENDA, f"{AGENDA}{until}~", sample)]
        planned = [key.removeprefix(AGENDA).rpartition("|") for key in keys]
        rows = await asyncio.gather(*(self.mailbox(mailbox) for _, _, mailbox in planned))
        moments = [at for at, _, _ in planned if at not in (TOLD, POLLED)] + [row.queued_since for row in rows if row]
        return min((at for at in moments if "" < at <= now.isoformat()), default="")

    async def hint(
        self, mailbox: str, families: Collection[Family], now: datetime, *, rewatch: bool = False, runs: bool = True
    ) -> MailboxRow | None:
        """Something happened in these families. The row, when a message must be sent. Not when one is on its way, nor in a run, which sees it when it
        ends, nor in a pause, whose end a tick sees, nor when nothing `runs`."""
        asked = False

        def noted(row: MailboxRow) -> MailboxRow | None:
            nonlocal asked
            at = now.isoformat()
            may = runs and row.works and row.state != "error"
            asked = may and max(row.queued_until, row.expires, row.due_at) <= at
            if not row.works:
                return None
            row = _sent(row, now) if asked else row
            return replace(row, hints=hinted(row.hints, families), rewatch=row.rewatch or rewatch)

        found = await self._revise(mailbox, noted)
        return found if asked else None

    async def note(self, mailbox: str, families: Collection[Family]) -> None:
        """Something happened in these families: the next tick queues the mailbox."""
        await self._revise(mailbox, lambda row: replace(row, hints=hinted(row.hints, families)))

    async def set_agenda(self, rows: Iterable[MailboxRow]) -> int:
        """Set places right that are not as the rows say, which an earlier version of the app wrote: how many were wrong."""
        there = {row.key async for row in self.rows.query(PARTITION, AGENDA)}
        mine = {at: row.id for row in rows if (at := place(row))}
        wrong = {key.rpartition("|")[2] for key in there - mine.keys()} | {mine[at] for at in mine.keys() - there}
        keys: dict[str, list[str]] = {mailbox: [] for mailbox in wrong}
        for key in there:
            keys.get(key.rpartition("|")[2], []).append(key)
        names = sorted(wrong)
        for start in range(0, len(names), AT_ONCE):
            part = names[start : start + AT_ONCE]
            await asyncio.gather(*(self._set_place(mailbox, keys[mailbox]) for mailbox in part))
        return len(wrong)

    async def _set_place(self, mailbox: str, keys: Collection[str]) -> None:
        """Under the row's ETag: what moves it meanwhile sets it right itself."""
        row = await self.rows.get(PARTITION, mailbox)
        at = place(mailbox_of(row)) if row else ""
        ops: list[Op] = [Drop(key) for key in keys if key != at]
        if row:
            ops += [Replace(row.key, row.data, row.etag), *([Put(at, {})] if at else [])]
        try:
            await self.rows.transact(PARTITION, ops)
        except Conflict:
            return

    # leases

    async def take_lease(self, mailbox: str, worker: str, now: datetime) -> Lease | None:
        """The right to run a mailbox, or None when somebody runs it (then it is marked to be run again)."""
        row = await self.rows.get(PARTITION, mailbox)
        if row is None:
            return None
        before = mailbox_of(row)
        if before.holder and before.expires > now.isoformat():
            await self._revise(
                mailbox, lambda row: replace(row, dirty=row.dirty or not row.hints, queued_until="", queued_since="")
            )
            return None
        after = replace(
            before,
            holder=worker,
            fence=before.fence + 1,
            expires=(now + LEASE).isoformat(),
            dirty=False,
            hints="",
            rewatch=False,
            queued_until="",
            queued_since="",
            starts=before.starts + 1,
            began_at=now.isoformat(),
        )
        try:
            etag = await self._write(row, before, after)
        except Conflict:
            return None
        return Lease(after, etag, before)

    async def renew(self, lease: Lease, now: datetime) -> datetime | None:
        """Extend the lease; None when it is not ours any more."""
        until, mine = now + LEASE, (lease.row.fence, lease.row.holder)
        held = await self.change_mailbox_if(
            lease.row.id, lambda row: (row.fence, row.holder) == mine, expires=until.isoformat()
        )
        return until if held else None

    async def release(self, lease: Lease, **changes: object) -> MailboxRow | None:
        """Give the lease back with the run's outcome; what was marked meanwhile is kept. None when it was not ours any more.

        When a clearing was ordered meanwhile, the outcome is that of a run which did not know: the order stands, and only the lease goes. But what
        was subscribed to is there, and the clearing drops it.
        """
        changes = {"rewatch": lease.found.rewatch, **lease.noted, **changes}
        for _ in range(_TRIES):
            row = await self.rows.get(PARTITION, lease.row.id)
            now = mailbox_of(row) if row else None
            if row is None or now is None or now.fence != lease.row.fence:
                return None
            if (now.clearing, now.left_at) != (lease.row.clearing, lease.row.left_at):
                changes = {"dirty": True, **{name: changes[name] for name in _STANDS if name in changes}}
            for name in ("dirty", "rewatch"):
                if getattr(now, name):
                    changes[name] = True
            after = replace(now, holder="", expires="", starts=0, **changes)  # type: ignore[arg-type]
            try:
                await self._write(row, now, after)
            except Conflict:
                continue
            await self._recount(now, after)
            return after
        return None
