"""What the twin in memory offers beyond the contract (tests/contract/test_rows.py): crashes on demand, and a look at everything."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.store.base import Conflict, Insert, Put
from sync.store.memory import MemoryRows

P = "mailbox|people"


async def test_a_crash_before_the_commit_stores_nothing() -> None:
    rows = MemoryRows(before=blow_up_at("transact"))
    with pytest.raises(InterruptedError):
        await rows.transact(P, [Put("r", {})])
    assert rows.everything() == []
    assert await rows.get(P, "r") is None


async def test_a_crash_after_the_commit_has_stored_everything() -> None:
    rows = MemoryRows(after=blow_up_at("transact"))
    with pytest.raises(InterruptedError):
        await rows.transact(P, [Put("r", {}), Put("s", {})])
    assert [row.key for row in rows.everything()] == ["r", "s"]


async def test_the_hooks_see_every_operation() -> None:
    seen: list[str] = []
    rows = MemoryRows(
        before=lambda name: seen.append(f"before {name}"), after=lambda name: seen.append(f"after {name}")
    )
    await rows.transact(P, [Insert("r", {})])
    with pytest.raises(Conflict):
        await rows.transact(P, [Insert("r", {})])
    await rows.get(P, "r")
    assert [row.key async for row in rows.query(P)] == ["r"]
    await rows.transact(P, [])
    assert seen == ["before transact", "after transact", "before transact", "before get", "before query"]


async def test_a_query_is_a_snapshot() -> None:
    rows = MemoryRows()
    await rows.transact(P, [Put(key, {"n": 1}) for key in "ab"])
    seen = []
    async for row in rows.query(P):
        seen.append((row.key, row.data))
        await rows.transact(P, [Put("b", {"n": 2}), Put("c", {"n": 2})])
    assert seen == [("a", {"n": 1}), ("b", {"n": 1})]


def blow_up_at(wanted: str) -> Callable[[str], None]:
    def hook(operation: str) -> None:
        if operation == wanted:
            raise InterruptedError(operation)

    return hook
