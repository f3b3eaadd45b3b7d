"""What a removal keeps of the links it ended, so that it can be taken back for 30 days. No values: those stand in the journal, encrypted.

Rows `x|<when the removal was ordered>|<crm id>` in the partition of the mailbox's people, written under the ledger's fence like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.model import Kind, Link, Reason, Role, Side
from sync.store.base import Data, Drop, Op, Put, Rows, prefix_end


@dataclass(frozen=True, slots=True)
class Remnant:
    """A link that a removal ended. `deleted`: was its card to be deleted too?"""

    link: Link  # without a base: what both sides held is not kept
    left_at: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal row as it is stored: `key` is what its values are sealed with."""

    key: str
    sealed: str


def put_remnant(link: Link, left_at: str, *, deleted: bool) -> Op:
    data: Data = {
        "item": link.item_id,
        "kind": link.kind.value,
        "origin": link.origin.value,
        "role": link.role.value,
        "flags": " ".join(sorted(link.flags)),
        "deleted": deleted,
        "matched": link.matched,
    }
    return Put(f"x|{left_at}|{link.crm_id}", data)


def drop_remnant(remnant: Remnant) -> Op:
    return Drop(f"x|{remnant.left_at}|{remnant.link.crm_id}")


async def remnants(rows: Rows, partition: str, mailbox: str, left_at: str) -> list[Remnant]:
    """What the removal that was ordered then left."""
    prefix = f"x|{left_at}|"
    return [
        Remnant(_link(mailbox, row.key.removeprefix(prefix), row.data), left_at, bool(row.data["deleted"]))
        async for row in rows.query(partition, prefix, prefix_end(prefix))
    ]


def _link(mailbox: str, crm_id: str, data: Mapping[str, str | int | bool]) -> Link:
    text = {name: str(value) for name, value in data.items()}
    origin, role, flags = Side(text["origin"]), Role(text["role"]), frozenset(text["flags"].split())
    matched = bool(data.get("matched", origin is Side.MAILBOX))  # of an older version: in doubt nobody's copy
    return Link(mailbox, Kind(text["kind"]), crm_id, text["item"], origin, role, flags=flags, matched=matched)


async def kept_values(rows: Rows, partition: str, since: str, because: Reason) -> dict[str, Kept]:
    """CRM id -> its last journal row of this reason, written at `since` (ISO UTC) or later."""
    found: dict[str, Kept] = {}
    async for row in rows.query(partition, f"j|{since}", prefix_end("j|")):
        if row.data["because"] == because.value:
            sealed = "".join(str(row.data[f"v{number}"]) for number in range(int(row.data["parts"])))
            found[str(row.data["crm"])] = Kept(row.key, sealed)
    return found
