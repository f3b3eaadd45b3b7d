"""Which coming events hold a thing without a mailbox (a car, a beamer): so that it is not promised twice.

Partition `bookings|<resource>`: a row per CRM record with its times, and one that serialises: two workers never both book the same hour.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.store.base import Conflict, Drop, Insert, Op, Put, Replace, Rows

TURN = "turn"


@dataclass(frozen=True, slots=True)
class Booking:
    """A record holds the resource from `start` to `end` (ISO UTC)."""

    crm_id: str
    start: str
    end: str

    def clashes(self, other: Booking) -> bool:
        return self.crm_id != other.crm_id and self.start < other.end and other.start < self.end


class Bookings:
    """The bookings of one resource."""

    def __init__(self, rows: Rows, resource: str) -> None:
        self._rows, self._partition = rows, f"bookings|{resource}"

    async def all(self) -> list[Booking]:
        found = [row async for row in self._rows.query(self._partition)]
        return [Booking(row.key, str(row.data["start"]), str(row.data["end"])) for row in found if row.key != TURN]

    async def take(self, wanted: Booking) -> list[Booking]:
        """Book, unless somebody else holds it then: those are returned, and nothing is stored. What a record held before is given back."""
        for _ in range(20):
            turn = await self._rows.get(self._partition, TURN)
            clashing = [each for each in await self.all() if each.clashes(wanted)]
            if clashing:
                return clashing
            number = int(turn.data["number"]) + 1 if turn else 1
            data: dict[str, str | int | bool] = {"number": number}
            op: Op = Replace(TURN, data, turn.etag) if turn else Insert(TURN, data)
            times: dict[str, str | int | bool] = {"start": wanted.start, "end": wanted.end}
            try:
                await self._rows.transact(self._partition, [op, Put(wanted.crm_id, times)])
            except Conflict:
                continue
            return []
        raise Conflict(0, TURN)

    async def release(self, crm_id: str) -> None:
        """The record does not hold it any more."""
        if await self._rows.get(self._partition, crm_id):
            await self._rows.transact(self._partition, [Drop(crm_id)])
