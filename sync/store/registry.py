"""What all workers share: mailboxes with their leases, inboxes, who holds which CRM record, holds. No values of items.

Partitions: `mailboxes` (a row per mailbox: lease, state, due), `<mailbox>|inbox` (CRM ids that a sweep marked),
`r|<module>|<number // 100>` (holders of CRM records, and what the sweep last saw of them), `holds`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.model import Kind, Role
from sync.store.asking import HoldRow, hold_data, hold_of
from sync.store.base import Conflict, Data, Drop, Insert, Op, Put, Replace, Row, Rows, following, prefix_end

LEASE = timedelta(seconds=90)
MAX_STARTS = 3
CLAIM = timedelta(minutes=10)  # longer than from matching to creating
OVERVIEW = ("control", "overview")
_TRIES = 20
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
    scope: str = (
        ""  # leave: which linked cards go (a RemovalScope, '' = none), as the settings said when it was ordered
    )
    left_at: str = ""  # when the removal of its user was ordered last
    progress: str = ""  # of its families of kinds, see `sync.progress`

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
    """The right to run a mailbox. `noted`: columns that are stored when it is given back, however the run ended."""

    row: MailboxRow
    etag: str
    noted: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """A CRM item that a mailbox should look at. Removed with its ETag, so that a newer mark survives."""

    kind: Kind
    crm_id: str
    etag: str


def mailbox_of(row: Row) -> MailboxRow:
    names = MailboxRow.__dataclass_fields__
    return MailboxRow(id=row.key, **{k: v for k, v in row.data.items() if k in names})  # type: ignore[arg-type]


def _data(item: MailboxRow) -> Data:
    return {name: getattr(item, name) for name in item.__dataclass_fields__ if name != "id"}


def record_partition(crm_id: str) -> str:
    module, _, number = crm_id.partition("x")
    return f"r|{module}|{int(number) // 100}"


def held_partition(hold_id: str) -> str:
    """Where the ids are kept of which a hold speaks that has no mailbox, each with the version that brought it in."""
    return f"sweep|{hold_id}"


class Registry:
    """Typed access to the shared rows."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    # mailboxes and leases

    async def mailboxes(self, after: str = "", limit: int = 0) -> list[MailboxRow]:
        """By id; those behind `after`, at most `limit` (0 = all)."""
        return [mailbox_of(row) async for row in self.rows.query("mailboxes", following(after), limit=limit)]

    async def mailbox(self, mailbox: str) -> MailboxRow | None:
        row = await self.rows.get("mailboxes", mailbox)
        return mailbox_of(row) if row else None

    async def change_mailbox(self, mailbox: str, **changes: object) -> MailboxRow | None:
        """Change columns of a mailbox's row, whatever others change meanwhile. One that is not there is made when `user` is among them, else None."""
        return await self.change_mailbox_if(mailbox, lambda _: True, **changes)

    async def change_mailbox_if(
        self, mailbox: str, may: Callable[[MailboxRow], bool], **changes: object
    ) -> MailboxRow | None:
        """As `change_mailbox`, while the row is as `may` wants it at the moment of writing; None when it is not."""
        for _ in range(_TRIES):
            row = await self.rows.get("mailboxes", mailbox)
            if row is None and not changes.get("user"):
                return None
            before = mailbox_of(row) if row else MailboxRow(id=mailbox, user="")
            if not may(before):
                return None
            after = replace(before, **changes)  # type: ignore[arg-type]
            if row and after == before:
                return after
            op: Op = Replace(mailbox, _data(after), row.etag) if row else Insert(mailbox, _data(after))
            try:
                await self.rows.transact("mailboxes", [op])
            except Conflict:
                continue
            if any(getattr(before, name) != getattr(after, name) for name in _COUNTED):
                await self.forget_overview()
            return after
        raise Conflict(0, mailbox)

    async def forget_overview(self) -> None:
        """Somebody ordered what changes the counts: the next look counts anew (`sync.overview`)."""
        partition, key = OVERVIEW
        await self.rows.transact(partition, [Drop(key)])

    async def take_lease(self, mailbox: str, worker: str, now: datetime) -> Lease | None:
        """The right to run a mailbox, or None when somebody runs it (then it is marked to be run again)."""
        row = await self.rows.get("mailboxes", mailbox)
        if row is None:
            return None
        before = mailbox_of(row)
        if before.holder and before.expires > now.isoformat():
            await self.change_mailbox(mailbox, dirty=True)
            return None
        after = replace(
            before,
            holder=worker,
            fence=before.fence + 1,
            expires=(now + LEASE).isoformat(),
            dirty=False,
            starts=before.starts + 1,
            began_at=now.isoformat(),
        )
        try:
            (etag,) = await self.rows.transact("mailboxes", [Replace(mailbox, _data(after), row.etag)])
        except Conflict:
            return None
        return Lease(after, etag)

    async def renew(self, lease: Lease, now: datetime) -> datetime | None:
        """Extend the lease; None when it is not ours any more."""
        row = await self.mailbox(lease.row.id)
        if row is None or row.fence != lease.row.fence or row.holder != lease.row.holder:
            return None
        until = now + LEASE
        await self.change_mailbox(lease.row.id, expires=until.isoformat())
        return until

    async def release(self, lease: Lease, **changes: object) -> MailboxRow | None:
        """Give the lease back with the run's outcome; a mark set meanwhile is kept. None when it was not ours any more.

        When a clearing was ordered meanwhile, the outcome is that of a run which did not know: the order stands, and only the lease goes.
        """
        changes = {**lease.noted, **changes}
        for _ in range(_TRIES):
            row = await self.rows.get("mailboxes", lease.row.id)
            now = mailbox_of(row) if row else None
            if row is None or now is None or now.fence != lease.row.fence:
                return None
            if (now.clearing, now.left_at) != (lease.row.clearing, lease.row.left_at):
                changes = {"dirty": True}
            if now.dirty:
                changes["dirty"] = True
            after = replace(now, holder="", expires="", starts=0, **changes)  # type: ignore[arg-type]
            try:
                await self.rows.transact("mailboxes", [Replace(row.key, _data(after), row.etag)])
            except Conflict:
                continue
            return after
        return None

    # inbox

    async def mark(self, mailbox: str, marks: Sequence[tuple[Kind, str]], nonce: str) -> None:
        """Tell a mailbox to look at these CRM items."""
        unique = list(dict.fromkeys(marks))
        for start in range(0, len(unique), 100):
            ops = [Put(crm_id, {"kind": kind.value, "nonce": nonce}) for kind, crm_id in unique[start : start + 100]]
            await self.rows.transact(f"{mailbox}|inbox", ops)

    async def inbox(self, mailbox: str) -> list[Mark]:
        rows = self.rows.query(f"{mailbox}|inbox")
        return [Mark(Kind(str(row.data["kind"])), row.key, row.etag) async for row in rows]

    async def unmark(self, mailbox: str, marks: Sequence[Mark]) -> None:
        """Remove marks that were not renewed meanwhile."""
        for start in range(0, len(marks), 100):
            part = list(marks[start : start + 100])
            try:
                await self.rows.transact(f"{mailbox}|inbox", [Drop(m.crm_id, m.etag) for m in part])
            except Conflict:
                for mark in part:
                    await self._unmark_one(mailbox, mark)

    async def _unmark_one(self, mailbox: str, mark: Mark) -> None:
        try:
            await self.rows.transact(f"{mailbox}|inbox", [Drop(mark.crm_id, mark.etag)])
        except Conflict:
            return  # marked anew: stays

    # claims of people on their way into the CRM

    async def claim(self, handles: Sequence[str], mailbox: str, now: datetime) -> bool:
        """May `mailbox` create this person in the CRM? False while another does: its record is found by then."""
        data: Data = {"mailbox": mailbox, "until": (now + CLAIM).isoformat()}
        for handle in handles:
            if not await self._claim(handle, data, now):
                return False
        return True

    async def _claim(self, handle: str, data: Data, now: datetime) -> bool:
        """Looked at again when somebody came in between: that may have been another person of the same mailbox, with the same address."""
        for _ in range(_TRIES):
            row = await self.rows.get("claims", handle)
            if row and row.data["mailbox"] != data["mailbox"] and str(row.data["until"]) > now.isoformat():
                return False
            op: Op = Replace(handle, data, row.etag) if row else Insert(handle, data)
            try:
                await self.rows.transact("claims", [op])
            except Conflict:
                continue
            return True
        return False

    # holders of CRM records

    async def holders(self, crm_id: str) -> dict[str, Role]:
        """Mailboxes that hold a copy of the record, with the copy's role."""
        prefix = f"{crm_id}|"
        rows = self.rows.query(record_partition(crm_id), prefix, prefix_end(prefix))
        return {row.key.split("|", 1)[1]: Role(str(row.data["role"])) async for row in rows}

    async def holders_near(self, crm_ids: Collection[str]) -> dict[str, dict[str, Role]]:
        """`holders` of many records, a query per partition."""
        result: dict[str, dict[str, Role]] = {crm_id: {} for crm_id in crm_ids}
        for partition in sorted({record_partition(crm_id) for crm_id in crm_ids}):
            async for row in self.rows.query(partition):
                crm_id, _, mailbox = row.key.partition("|")
                if mailbox and crm_id in result:
                    result[crm_id][mailbox] = Role(str(row.data["role"]))
        return result

    async def hold_records(
        self, mailbox: str, roles: Mapping[str, Role], seen: Mapping[str, str] | None = None
    ) -> None:
        """Note that `mailbox` holds these CRM records; written before the links. `seen`: digests for `saw`."""
        by_partition: dict[str, list[Op]] = {}
        for crm_id, role in roles.items():
            ops = by_partition.setdefault(record_partition(crm_id), [])
            ops.append(Put(f"{crm_id}|{mailbox}", {"role": role.value}))
            if seen and crm_id in seen:
                ops.append(Put(crm_id, {"seen": seen[crm_id]}))
        await self._by_partition(by_partition)

    async def release_records(self, mailbox: str, crm_ids: Collection[str]) -> None:
        """The mailbox holds no copy any more; removed after the links."""
        by_partition: dict[str, list[Op]] = {}
        for crm_id in crm_ids:
            by_partition.setdefault(record_partition(crm_id), []).append(Drop(f"{crm_id}|{mailbox}"))
        await self._by_partition(by_partition)

    async def seen(self, crm_ids: Collection[str]) -> dict[str, str]:
        """What the sweep last saw of these records, as digests."""
        result: dict[str, str] = {}
        wanted = set(crm_ids)
        for partition in sorted({record_partition(crm_id) for crm_id in crm_ids}):
            async for row in self.rows.query(partition):
                if row.key in wanted:
                    result[row.key] = str(row.data["seen"])
        return result

    async def saw(self, digests: Mapping[str, str]) -> None:
        """Remember digests of records, so that their echoes are dropped; '' forgets."""
        by_partition: dict[str, list[Op]] = {}
        for crm_id, digest in digests.items():
            op: Op = Put(crm_id, {"seen": digest}) if digest else Drop(crm_id)
            by_partition.setdefault(record_partition(crm_id), []).append(op)
        await self._by_partition(by_partition)

    async def _by_partition(self, by_partition: Mapping[str, Sequence[Op]]) -> None:
        for partition, ops in by_partition.items():
            for start in range(0, len(ops), 100):
                await self.rows.transact(partition, ops[start : start + 100])

    # holds

    async def holds(self) -> list[HoldRow]:
        return [hold_of(row) async for row in self.rows.query("holds")]

    async def some_holds(self, after: str, limit: int, state: str = "", mailbox: str = "") -> list[HoldRow]:
        """By id, those behind `after`, at most `limit`; of a state, of a mailbox ('' = any). Reads on only as far as it must."""
        found: list[HoldRow] = []
        async for row in self.rows.query("holds", following(after), limit=0 if state or mailbox else limit):
            if state in ("", row.data["state"]) and mailbox in ("", row.data["mailbox"]):
                found.append(hold_of(row))
            if len(found) == limit:
                break
        return found

    async def hold(self, id_: str) -> HoldRow | None:
        row = await self.rows.get("holds", id_)
        return hold_of(row) if row else None

    async def put_hold(self, hold: HoldRow) -> None:
        await self.rows.transact("holds", [Put(hold.id, hold_data(hold))])

    async def change_hold(self, before: HoldRow, after: HoldRow) -> bool:
        """Answer a hold, or let it grow, if it still is as it was read."""
        row = await self.rows.get("holds", before.id)
        if row is None or hold_of(row) != before:
            return False
        try:
            await self.rows.transact("holds", [Replace(before.id, hold_data(after), row.etag)])
        except Conflict:
            return False
        await self.forget_overview()
        return True

    async def shown_in(self, hold: HoldRow) -> set[str]:
        """Ids of which a hold without a mailbox speaks. What was written for a version that is to come is not among them."""
        rows = self.rows.query(held_partition(hold.id))
        return {row.key async for row in rows if int(row.data.get("version", 0)) <= hold.version}

    async def drop_hold(self, id_: str) -> None:
        await self.rows.transact("holds", [Drop(id_)])
