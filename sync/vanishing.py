"""Users who vanish from the CRM's directory, so many at once that an admin is asked (SPEC 5.4): the hold, and what an answer means. I/O.

The hold names no mailbox and no kind; the users' ids lie in its own partition. Approved: they are gone, without a second reading. Rejected: they
stay, whatever the directory says, until it shows them again; who vanishes after that is asked about anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime

from sync.model import Reason, Side
from sync.store.asking import HoldRow
from sync.store.base import MAX_OPS, Drop, Op, Put
from sync.store.registry import Registry, held_partition

SHOWN = 100


async def spared(registry: Registry) -> frozenset[str]:
    """Users whose absence an admin said to ignore."""
    found: set[str] = set()
    for hold in await _holds(registry):
        if hold.state == "rejected":
            found |= await registry.shown_in(hold)
    return frozenset(found)


async def _noted(registry: Registry, hold: HoldRow) -> set[str]:
    """Ids of the users that a hold speaks of, or will."""
    return {row.key async for row in registry.rows.query(held_partition(hold.id))}


async def note(
    registry: Registry, vanished: Collection[str], active: Collection[str], now: datetime, new_id: Callable[[], str]
) -> None:
    """After a reading of the directory: ask about those who vanished, forget questions about those who are `active` again or too few."""
    at = now.isoformat(timespec="seconds")
    asked: HoldRow | None = None
    shown: set[str] = set()
    for hold in await _holds(registry):
        ids = await _noted(registry, hold)
        if hold.state == "open" and vanished and asked is None:
            asked, shown = hold, await registry.shown_in(hold)
            await _write(registry, hold, [Drop(user) for user in sorted(ids - set(vanished))])
        elif hold.state == "open" or (hold.state == "approved" and hold.until <= at) or ids <= set(active):
            await _write(registry, hold, [Drop(user) for user in sorted(ids)])
            await registry.drop_hold(hold.id)
        elif hold.state == "rejected":
            await _write(registry, hold, [Drop(user) for user in sorted(ids & set(active))])
    if shown == set(vanished):
        return
    hold = asked or HoldRow(new_id(), "", None, Side.MAILBOX, Reason.USERS_VANISHED, at, version=0)
    version = hold.version + 1  # an answer to the hold as it is does not speak of those who are new in it
    await _write(
        registry, hold, [Put(user, {"kind": "user", "version": version}) for user in sorted({*vanished} - shown)]
    )
    grown = replace(hold, version=version, count=len(vanished), items=tuple(sorted(vanished)[:SHOWN]))
    if asked is None:
        await registry.put_hold(grown)
    else:  # when it was answered just now, the next reading asks about the others
        await registry.change_hold(asked, grown)


async def _holds(registry: Registry) -> list[HoldRow]:
    return [hold for hold in await registry.holds() if hold.because is Reason.USERS_VANISHED]


async def _write(registry: Registry, hold: HoldRow, ops: list[Op]) -> None:
    for start in range(0, len(ops), MAX_OPS):
        await registry.rows.transact(held_partition(hold.id), ops[start : start + MAX_OPS])
