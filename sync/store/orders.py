"""What an admin ordered to be restored, as rows of the mailbox's partition; the mailbox's next run carries them out (sync.restoring).

    o|at|number|id   which journal row, which of its values, how far it came

An order names values and holds none. A command adds rows without a fence, because it adds what no run has; only runs change and drop them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync.store.base import Drop, Insert, Op, Put, Row, Rows, prefix_end

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Order:
    """Restore what the journal row `journal` kept: the values named, () = all of them.

    `begun`: ISO UTC, when a deleted item began to be made again; `made`: what it was made again as, while the other side
    does not have it yet; `fails`: how often it did not succeed; `outcome`: why it cannot be done.
    """

    key: str
    journal: str
    crm_id: str
    by: str
    names: tuple[str, ...] = ()
    begun: str = ""
    fails: int = 0
    outcome: str = ""
    made: str = ""
    turn: int = 0  # in which it failed last

    @property
    def at(self) -> str:
        return self.key.split("|")[1]

    @property
    def id(self) -> str:
        return self.key.rpartition("|")[2]


def put_order(order: Order) -> Op:
    return Put(order.key, _data(order))


def drop_order(order: Order) -> Op:
    return Drop(order.key)


async def add(rows: Rows, partition: str, orders: Sequence[Order]) -> None:
    """All of them, a hundred in a transaction."""
    for start in range(0, len(orders), AT_ONCE):
        await rows.transact(partition, [Insert(order.key, _data(order)) for order in orders[start : start + AT_ONCE]])


async def orders(rows: Rows, partition: str) -> list[Order]:
    """In the order in which they are to be carried out."""
    return [_order(row) async for row in rows.query(partition, "o|", prefix_end("o|"))]


def _data(order: Order) -> dict[str, str | int | bool]:
    return {
        "journal": order.journal,
        "crm": order.crm_id,
        "by": order.by,
        "names": " ".join(order.names),
        "begun": order.begun,
        "fails": order.fails,
        "outcome": order.outcome,
        "made": order.made,
        "turn": order.turn,
    }


def _order(row: Row) -> Order:
    data = row.data
    return Order(
        row.key,
        str(data["journal"]),
        str(data["crm"]),
        str(data["by"]),
        tuple(str(data["names"]).split()),
        str(data["begun"]),
        int(data["fails"]),
        str(data["outcome"]),
        str(data.get("made", "")),
        int(data.get("turn", 0)),
    )
