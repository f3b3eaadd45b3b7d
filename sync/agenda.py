"""When a mailbox is looked at next, and at which of its families of kinds. Pure.

A family with live subscriptions tells us by itself: without a hint it is looked at once in a while, spread evenly over that while. Any other is
looked at by every tick. Whoever changes a mailbox's row moves its place in the agenda in the same transaction, so a tick reads what is due.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from sync import progress
from sync.model import Family

NOW = ""
"""At the next tick."""
QUIET = timedelta(hours=24)
"""Tasks that nobody can subscribe to, and that rested for so long, are looked at as seldom as what is subscribed to (SPEC 6.2)."""
APART = timedelta(seconds=10)
"""Between the beginnings of two runs of one mailbox that what was told brings about (BEHAVIOUR 3.3: debounce)."""
NIGHT = time(22), timedelta(hours=7)
"""When comparisons in full begin, in the company's zone, and over how long they are spread."""


class Planned(Protocol):
    """What the agenda reads of a mailbox's row."""

    @property
    def works(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def dirty(self) -> bool: ...
    @property
    def full(self) -> bool: ...
    @property
    def hints(self) -> str: ...
    @property
    def looks(self) -> str: ...
    @property
    def holder(self) -> str: ...
    @property
    def expires(self) -> str: ...
    @property
    def due_at(self) -> str: ...
    @property
    def queued_until(self) -> str: ...
    @property
    def began_at(self) -> str: ...
    @property
    def progress(self) -> str: ...
    @property
    def clearing(self) -> str: ...


def next_at(row: Planned) -> str | None:
    """When a tick queues the mailbox, ISO UTC, NOW = the next one, None = none does. One that runs: when its lease ends without being given back, and
    not again while the message of that moment is on its way."""
    if not row.works or row.state == "error":
        return None
    if row.holder:
        return max(row.expires, row.queued_until)
    wanted = NOW if is_told(row) else min(looks_of(row.looks).values(), default=NOW)
    return max(wanted, row.due_at, row.queued_until)


def due(row: Planned, families: Iterable[Family], now: datetime, *, again: bool, polls: bool = True) -> list[Family]:
    """The families that a run looks at which found the row like this. `again`: the last run never ended, so nobody knows what it left. `polls`: also
    those that every tick looks at; not when the run is there because of what was told of another family."""
    if row.dirty or row.full or again:
        return list(families)
    hinted, looks, at = hints_of(row.hints), looks_of(row.looks), now.isoformat()
    return [f for f in families if f in hinted or (looks.get(f, NOW) <= at and (polls or looks.get(f, NOW) != NOW))]


def is_told(row: Planned) -> bool:
    """Is there something to do beside looking whether there is?"""
    return bool(row.dirty or row.full or row.hints)


def is_long(row: Planned) -> bool:
    """Does its next run take minutes, as far as the row says? Everything is compared, for the first time or anew, or it is cleared."""
    families = progress.read(row.progress).values()
    compared = families and all(not each.items and (each.compared_at or each.absent) for each in families)
    return bool(row.full or row.clearing or not compared)


def apart(row: Planned, now: datetime) -> int:
    """Seconds until a run may begin because of what was told: a mailbox in which something happens all the time is looked at now and then. What a
    run left undone goes on at once."""
    if row.dirty or not row.began_at:
        return 0
    return max(0, math.ceil((datetime.fromisoformat(row.began_at) + APART - now).total_seconds()))


def hints_of(text: str) -> set[Family]:
    """Families in which something happened, as a column of the row says."""
    return {Family(name) for name in text.split()}


def hinted(text: str, more: Iterable[Family]) -> str:
    """The column with more of them."""
    return " ".join(sorted({*text.split(), *(family.value for family in more)}))


def looks_of(text: str) -> dict[Family, str]:
    """When each family is looked at next without a hint, as a column of the row says."""
    pairs = (part.partition("=") for part in text.split())
    return {Family(name): at for name, _, at in pairs}


def looks(each: Mapping[Family, str]) -> str:
    """As a column of the row."""
    return " ".join(f"{family.value}={at}" for family, at in sorted(each.items()))


def look_again(mailbox: str, now: datetime, every: timedelta) -> str:
    """Once in a while: the mailbox's own moment, at least half a while from now. Mailboxes that ran together part by this."""
    step = every.total_seconds()
    soonest = now.timestamp() + step / 2
    turns = (soonest - spread(mailbox) * step) // step + 1
    at = turns * step + spread(mailbox) * step
    return datetime.fromtimestamp(at, now.tzinfo).isoformat(timespec="seconds")


def last_night(mailbox: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The latest moment at which a comparison in full of this mailbox was due. The clock of that night may be changed: hours are counted in UTC."""
    begins, over = NIGHT
    days = (now.astimezone(zone).date() - timedelta(days=back) for back in range(3))
    moments = (datetime.combine(day, begins, zone).astimezone(UTC) + over * spread(mailbox) for day in days)
    return next(at for at in moments if at <= now)


def next_night(mailbox: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The next one."""
    begins, over = NIGHT
    last = last_night(mailbox, now, zone)
    day = (last - over * spread(mailbox)).astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, begins, zone).astimezone(UTC) + over * spread(mailbox)


def spread(mailbox: str) -> float:
    """From 0 to 1, the same for ever for one mailbox, evenly for many."""
    return int.from_bytes(hashlib.sha256(mailbox.encode()).digest()[:4]) / 2**32


def live(
    families: Collection[Family], watched: Collection[Family], quiet_since: Mapping[Family, str], now: datetime
) -> set[Family]:
    """Which of the families need not be looked at by every tick."""
    rested = (now - QUIET).isoformat()
    tasks = {Family.TASKS} if "" < quiet_since.get(Family.TASKS, "") < rested else set()
    return {family for family in families if family in watched or family in tasks}
