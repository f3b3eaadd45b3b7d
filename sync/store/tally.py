"""What was written and what failed, hour by hour, for the chart of the last day: rows of numbers, without ids or names.

    <hour>|<shard>   columns <side>_<kind>_<what>, failed_<family of causes>, runs

Eight rows an hour share the mailboxes, so that runs which end together seldom meet. Only runs that wrote something or failed are counted: a
quiet mailbox costs nothing. A lost count is harmless; nothing is decided by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zlib import crc32

from sync.model import Kind, Side
from sync.store.base import Conflict, Drop, Insert, Op, Replace, Rows
from sync.written import WHAT, Written

PARTITION = "tally"
SHARDS = 8
TRIES = 5
HOURS = 24
KEPT = timedelta(hours=48)
FAMILIES = ("crm", "graph", "entra")
OTHER = "mailbox"


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour. `hour`: ISO UTC, when it began; `written`: items by side, kind and what; `failures` by family of causes.

    `runs`: those that wrote something or failed.
    """

    hour: str
    written: Mapping[tuple[Side, Kind, str], int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    runs: int = 0

    def items(self, side: Side, kind: Kind) -> int:
        """Of this kind created, changed or deleted on this side."""
        return sum(self.written.get((side, kind, what), 0) for what in WHAT)


def family_of(cause: str) -> str:
    """crm | graph | entra: a server's trouble; `mailbox`: all that is a mailbox's own."""
    family = cause.partition("_")[0]
    return family if family in FAMILIES else OTHER


async def add(rows: Rows, mailbox: str, now: datetime, written: Written, failure: str = "") -> None:
    """Count a run that ended. `failure`: its cause, '' = it succeeded. Raises Conflict when others are always quicker."""
    key = f"{_hour(now)}|{crc32(mailbox.encode()) % SHARDS}"
    more: Counter[str] = Counter({_column(*each): number for each, number in written.items()})
    more["runs"] += 1
    if failure:
        more[f"failed_{family_of(failure)}"] += 1
    for _ in range(TRIES):
        row = await rows.get(PARTITION, key)
        before = row.data if row else {}
        after = {**before, **{name: int(before.get(name, 0)) + number for name, number in more.items()}}
        op: Op = Replace(key, after, row.etag) if row else Insert(key, after)
        try:
            await rows.transact(PARTITION, [op])
        except Conflict:
            continue
        return
    raise Conflict(0, key)


async def last_day(rows: Rows, now: datetime) -> list[Hour]:
    """The last 24 hours, the one under way last; an hour in which nothing happened is there too."""
    hours = [_hour(now - timedelta(hours=back)) for back in range(HOURS - 1, -1, -1)]
    found: dict[str, Counter[str]] = {hour: Counter() for hour in hours}
    async for row in rows.query(PARTITION, hours[0]):
        hour = row.key.partition("|")[0]
        if hour in found:
            found[hour].update({name: int(number) for name, number in row.data.items()})
    return [_told(hour, numbers) for hour, numbers in found.items()]


async def drop_old(rows: Rows, now: datetime) -> None:
    """Forget what is older than two days."""
    old = [Drop(row.key) async for row in rows.query(PARTITION, last=_hour(now - KEPT), limit=100)]
    await rows.transact(PARTITION, old)


def _hour(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H")


def _column(side: Side, kind: Kind, what: str) -> str:
    return f"{side.value}_{kind.value}_{what}"


def _told(hour: str, numbers: Mapping[str, int]) -> Hour:
    columns = {(side, kind, what): _column(side, kind, what) for side in Side for kind in Kind for what in WHAT}
    written = {each: numbers[column] for each, column in columns.items() if numbers.get(column)}
    failures = {name.removeprefix("failed_"): n for name, n in numbers.items() if name.startswith("failed_")}
    return Hour(f"{hour}:00:00+00:00", written, dict(sorted(failures.items())), numbers.get("runs", 0))
