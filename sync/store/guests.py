"""CRM contacts who take part in coming events of a mailbox, and until when: whom the run of its people may copy there (SPEC 2.7).

Partition `<mailbox>|guests`: a row per contact, with ids and times only. Written by the run of the calendar, without its fence: a row is true
whoever writes it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sync.store.base import MAX_OPS, Drop, Op, Put, Rows


class Guests:
    """The contacts of one mailbox's coming events."""

    def __init__(self, rows: Rows, mailbox: str) -> None:
        self._rows, self._partition = rows, f"{mailbox}|guests"

    async def all(self) -> dict[str, str]:
        """Contact -> when the last event with it that we know of is over (ISO UTC)."""
        return {row.key: str(row.data["until"]) async for row in self._rows.query(self._partition)}

    async def expect(self, until: Mapping[str, str]) -> None:
        """Note these, instead of what was noted of them before."""
        await self._write([Put(contact, {"until": ends}) for contact, ends in until.items()])

    async def forget(self, contacts: Collection[str]) -> None:
        """Their events are over."""
        await self._write([Drop(contact) for contact in contacts])

    async def _write(self, ops: list[Op]) -> None:
        for start in range(0, len(ops), MAX_OPS):
            await self._rows.transact(self._partition, ops[start : start + MAX_OPS])
