"""Orders to export events that were in the CRM before the mailbox was connected (SPEC 2.11): the mailbox's next runs carry them out.

    e|crm id   in the calendar's partition: by whom it was ordered, and when

A command adds rows without a fence, because it adds what no run has; only runs drop them.
"""

from __future__ import annotations

from collections.abc import Sequence

from sync.model import Family
from sync.store.base import Drop, Op, Put, Rows, prefix_end
from sync.store.ledger import partition_of

AT_ONCE = 100


async def order(rows: Rows, mailbox: str, ids: Sequence[str], by: str, at: str) -> None:
    """All of them, a hundred in a transaction. What was ordered before is ordered once."""
    partition = partition_of(mailbox, Family.CALENDAR)
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        await rows.transact(partition, [Put(f"e|{crm_id}", {"by": by, "at": at}) for crm_id in part])


async def ordered(rows: Rows, mailbox: str) -> frozenset[str]:
    """The crm ids that wait."""
    found = rows.query(partition_of(mailbox, Family.CALENDAR), "e|", prefix_end("e|"))
    return frozenset([row.key[2:] async for row in found])


def drop_export(crm_id: str) -> Op:
    return Drop(f"e|{crm_id}")
