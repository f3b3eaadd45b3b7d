"""Whoever is stopped between an announcement and its call takes the announcement back."""

from __future__ import annotations

import asyncio

import pytest

from sync.announced import before_call
from sync.errors import Fenced


async def test_who_may_go_on_withdraws_nothing() -> None:
    withdrawn: list[str] = []

    async def guard() -> None:
        return None

    async def withdraw() -> None:
        withdrawn.append("intent")

    await before_call(guard, withdraw)
    assert withdrawn == []


async def test_who_was_replaced_withdraws() -> None:
    withdrawn: list[str] = []

    async def guard() -> None:
        raise Fenced

    async def withdraw() -> None:
        withdrawn.append("intent")

    with pytest.raises(Fenced):
        await before_call(guard, withdraw)
    assert withdrawn == ["intent"]


async def test_who_is_cancelled_because_another_batch_failed_withdraws() -> None:
    withdrawn: list[str] = []
    waits = asyncio.Event()

    async def guard() -> None:
        waits.set()
        await asyncio.Event().wait()

    async def withdraw() -> None:
        await asyncio.sleep(0)
        withdrawn.append("intent")

    job = asyncio.create_task(before_call(guard, withdraw))
    await waits.wait()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert withdrawn == ["intent"]
