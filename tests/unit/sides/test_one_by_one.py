"""Asking one after the other."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from sync.errors import Cause, RetryLater
from sync.sides.graph.one_by_one import OneByOne


class Asked:
    """Entra, out of order."""

    def __init__(self) -> None:
        self.alone, self.times = OneByOne(), 0

    async def ask(self, *, fails: bool = True) -> None:
        async with self.alone.asking():
            self.times += 1
            await asyncio.sleep(0)
            if fails:
                raise RetryLater(Cause.ENTRA_UNREACHABLE)


async def test_who_waited_learns_of_the_refusal_and_who_comes_later_asks_anew() -> None:
    asked = Asked()
    answers = await asyncio.gather(*(asked.ask() for _ in range(5)), return_exceptions=True)
    assert (asked.times, {type(each) for each in answers}) == (1, {RetryLater})
    answers = await asyncio.gather(*(asked.ask() for _ in range(5)), return_exceptions=True)
    assert (asked.times, {type(each) for each in answers}) == (2, {RetryLater})
    await asked.ask(fails=False)
    assert asked.times == 3


async def test_those_who_wait_for_a_second_refusal_learn_of_that_one() -> None:
    asked = Asked()

    async def first_then_again() -> None:
        with pytest.raises(RetryLater):
            await asked.ask()
        with pytest.raises(RetryLater):
            await asked.ask()

    await asyncio.gather(*(first_then_again() for _ in range(4)))
    assert asked.times == 2


async def test_a_refusal_keeps_nobody_who_asked_in_memory() -> None:
    class Run:
        """What a run holds."""

    asked, held = Asked(), []

    async def run() -> None:
        mine = Run()
        held.append(weakref.ref(mine))
        await asked.ask()

    with pytest.raises(RetryLater):
        await run()
    gc.collect()
    assert held[0]() is None
