"""Who ordered what and when: a row per command of an admin or a user, kept for four hundred days. Ids and words only, no values.

A row is written before the command is carried out, and again when it is known how that ended: a crash between the two leaves it open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sync.store.base import Drop, Insert, Put, Row, Rows, following

AUDIT = "audit"
KEPT = timedelta(days=400)
_LAST = 10**13  # milliseconds: keys count down from it, so that the newest comes first
_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Noted:
    """One command. `key`: its place in the audit; `outcome`: HTTP status of the answer, 0 = it did not end."""

    key: str
    at: str
    by: str
    what: str
    target: str = ""
    outcome: int = 0


class Audit:
    """The rows."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def begin(self, by: str, what: str, target: str, now: datetime, id_: str) -> Noted:
        """Note that somebody orders something; what is older than it is kept goes."""
        noted = Noted(f"{_place(now)}|{id_}", now.isoformat(timespec="seconds"), by, what, target)
        await self._rows.transact(AUDIT, [Insert(noted.key, _data(noted))])
        old = [row.key async for row in self._rows.query(AUDIT, _place(now - KEPT), limit=_AT_ONCE)]
        await self._rows.transact(AUDIT, [Drop(key) for key in old])
        return noted

    async def end(self, noted: Noted, outcome: int) -> None:
        await self._rows.transact(AUDIT, [Put(noted.key, _data(replace(noted, outcome=outcome)))])

    async def listed(self, after: str, limit: int) -> list[Noted]:
        """The newest first, those after the place `after`."""
        return [_noted(row) async for row in self._rows.query(AUDIT, following(after), limit=limit)]


def _place(at: datetime) -> str:
    return f"{_LAST - int(at.timestamp() * 1000):013d}"


def _data(noted: Noted) -> dict[str, str | int | bool]:
    return {
        "at": noted.at,
        "by": noted.by,
        "what": noted.what,
        "target": noted.target,
        "outcome": noted.outcome,
    }


def _noted(row: Row) -> Noted:
    data = row.data
    return Noted(
        row.key, str(data["at"]), str(data["by"]), str(data["what"]), str(data["target"]), int(data["outcome"])
    )
