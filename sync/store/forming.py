"""CRM series that are forming: what was last seen of them, until they stand still. Rows `u|uid` in the partition of a mailbox's calendar."""

from __future__ import annotations

from dataclasses import dataclass

from sync.store.base import Drop, Op, Put, Rows
from sync.store.ledger import safe


@dataclass(frozen=True, slots=True)
class Forming:
    """A set of records that may be a series: its digest, in how many runs it was seen unchanged, since when (ISO UTC)."""

    members: str = ""
    seen: int = 0
    since: str = ""


def put_forming(uid: str, forming: Forming) -> Op:
    return Put(_key(uid), {"members": forming.members, "seen": forming.seen, "since": forming.since})


def drop_forming(uid: str) -> Op:
    return Drop(_key(uid))


async def forming(rows: Rows, partition: str, uid: str) -> Forming:
    """What was last seen of a series; nothing yet: a Forming without members."""
    row = await rows.get(partition, _key(uid))
    if row is None:
        return Forming()
    return Forming(str(row.data["members"]), int(row.data["seen"]), str(row.data["since"]))


def _key(uid: str) -> str:
    return f"u|{safe(uid)}"
