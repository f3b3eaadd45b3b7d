"""Something happens between two writes of a store: somebody else acts, or the process ends."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence

from sync.store.base import Op
from sync.store.memory import MemoryRows


class Died(Exception):
    """The process ended here."""


def before_writing(rows: MemoryRows, partition: str, happens: Callable[[], Awaitable[object]]) -> None:
    """Something happens just before the next write there, once."""
    real, todo = rows.transact, [happens]

    async def transact(where: str, ops: Sequence[Op]) -> list[str]:
        if where == partition and todo:
            await todo.pop()()
        return await real(where, ops)

    rows.transact = transact  # type: ignore[method-assign]


def dies_at(rows: MemoryRows, number: int) -> None:
    """The process ends before the write of this number, from now on."""
    real, count = rows.transact, itertools.count(1)

    async def transact(where: str, ops: Sequence[Op]) -> list[str]:
        if next(count) == number:
            rows.transact = real  # type: ignore[method-assign]
            raise Died
        return await real(where, ops)

    rows.transact = transact  # type: ignore[method-assign]


def once_written(rows: MemoryRows, meets: Callable[[Op], bool], happens: Callable[[], Awaitable[object]]) -> None:
    """Something happens just after the first write that holds such an operation."""
    real = rows.transact

    async def transact(where: str, ops: Sequence[Op]) -> list[str]:
        tags = await real(where, ops)
        if any(meets(op) for op in ops):
            rows.transact = real  # type: ignore[method-assign]
            await happens()
        return tags

    rows.transact = transact  # type: ignore[method-assign]
