"""Lanes, cap, quota and pauses, on a clock that only sleeping moves."""

from __future__ import annotations

import asyncio

import pytest

from sync.errors import Cause, RetryLater
from sync.sides.graph.throttle import Throttle
from tests.contract.graph_world import Time


class Crowd:
    """Counts who is inside."""

    def __init__(self, throttle: Throttle) -> None:
        self.throttle, self.inside, self.peak = throttle, 0, 0

    async def go(self, mailbox: str, lanes: int = 1) -> None:
        async with self.throttle.slot(mailbox, lanes=lanes):
            self.inside += lanes
            self.peak = max(self.peak, self.inside)
            for _ in range(3):
                await asyncio.sleep(0)
            self.inside -= lanes


def throttle(time: Time, **given: float) -> Throttle:
    return Throttle(clock=time.clock, sleep=time.sleep, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("cap", "mailboxes", "peak"), [(99, 1, 4), (99, 3, 12), (6, 3, 6), (2, 1, 2)])
async def test_lanes_of_a_mailbox_and_cap_of_the_process(cap: int, mailboxes: int, peak: int) -> None:
    crowd = Crowd(throttle(Time(), cap=cap))
    await asyncio.gather(*(crowd.go(f"m{n % mailboxes}") for n in range(40)))
    assert (crowd.peak, crowd.inside) == (peak, 0)


async def test_four_abreast_fit_in_whatever_the_cap() -> None:
    crowd = Crowd(throttle(Time(), cap=4))
    await asyncio.gather(*(crowd.go("m", lanes=4 if n % 3 else 1) for n in range(12)))
    assert crowd.peak == 4
    narrow = throttle(Time(), cap=2)
    async with narrow.slot("m", lanes=4):
        pass


async def test_a_429_halves_the_cap_once_and_a_minute_gives_a_lane_back() -> None:
    time = Time()
    subject = throttle(time, cap=16)
    subject.refused("m", 5)
    subject.refused("m", 5)
    assert subject.allowed == 8
    time.now += 60
    assert subject.allowed == 9
    time.now += 6000
    assert subject.allowed == 16
    for _ in range(9):
        subject.refused("m", 1)
        time.now += 2
    assert subject.allowed == 1


async def test_short_pauses_are_slept_long_ones_end_the_run() -> None:
    time = Time()
    subject = throttle(time, patience=15)
    subject.refused("m", 12)
    async with subject.slot("other"):
        assert time.slept == []
    async with subject.slot("m"):
        assert time.slept == [12]
    subject.refused("m", 16)
    with pytest.raises(RetryLater) as later:
        async with subject.slot("m"):
            raise AssertionError("never entered")
    assert (later.value.cause, later.value.after, later.value.counts) == (Cause.GRAPH_THROTTLED, 16, False)


async def test_a_pause_that_begins_while_queueing_is_kept() -> None:
    time = Time()
    subject = throttle(time, cap=1)
    entered: list[float] = []

    async def queue() -> None:
        async with subject.slot("m"):
            entered.append(time.now)

    async with subject.slot("m"):
        waiting = asyncio.create_task(queue())
        await asyncio.sleep(0)
        subject.refused("m", 3)
        until = time.now + 3
    await waiting
    assert entered == [until]


async def test_the_quota_counts_parts_and_fills_again() -> None:
    time = Time()
    subject = throttle(time, patience=15)
    for _ in range(480):
        async with subject.slot("m", cost=20):
            pass
    assert time.slept == []
    async with subject.slot("m", cost=20):
        assert sum(time.slept) == pytest.approx(1.25)
    with pytest.raises(RetryLater):
        async with subject.slot("m", cost=400):
            pass
    async with subject.slot("other", cost=20):
        pass


async def test_a_failure_inside_gives_the_lanes_back() -> None:
    subject = throttle(Time(), cap=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with subject.slot("m"):
                raise ZeroDivisionError
    async with subject.slot("m"):
        pass


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    subject = throttle(Time(), cap=1)
    async with subject.slot("m"):
        waiter = asyncio.create_task(Crowd(subject).go("m"))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
    async with subject.slot("m"):
        pass
