"""What all workers share: mailboxes with their leases (`mailboxes`), inboxes, who holds which CRM record, holds. No values of items.

Partitions: `<mailbox>|inbox` (CRM ids that a sweep marked), `r|<module>|<number // 100>` (holders of CRM records, and what the sweep last saw of
them), `claims`, `holds`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.model import Family, Kind, Role
from sync.store.asking import HoldRow, hold_data, hold_of
from sync.store.base import Conflict, Data, Drop, Insert, Op, Put, Replace, following, prefix_end
from sync.store.mailboxes import Mailboxes

CLAIM = timedelta(minutes=10)  # longer than from matching to creating
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A CRM item that a mailbox should look at. Removed with its ETag, so that a newer mark survives."""

    kind: Kind
    crm_id: str
    etag: str


def record_partition(crm_id: str) -> str:
    module, _, number = crm_id.partition("x")
    return f"r|{module}|{int(number) // 100}"


def held_partition(hold_id: str) -> str:
    """Where the ids are kept of which a hold speaks that has no mailbox, each with the version that brought it in."""
    return f"sweep|{hold_id}"


class Registry(Mailboxes):
    """Typed access to the shared rows."""

    # inbox

    async def mark(self, mailbox: str, marks: Sequence[tuple[Kind, str]], nonce: str) -> None:
        """Tell a mailbox to look at these CRM items, and that the next tick has to queue it."""
        unique = list(dict.fromkeys(marks))
        for start in range(0, len(unique), 100):
            ops = [Put(crm_id, {"kind": kind.value, "nonce": nonce}) for kind, crm_id in unique[start : start + 100]]
            await self.rows.transact(f"{mailbox}|inbox", ops)
        await self.note(mailbox, {Family.of(kind) for kind, _ in unique})

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
