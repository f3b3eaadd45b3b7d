"""The login gate on the store in memory, with a clock that only the test moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from sync.errors import Cause, RetryLater, StopConnector
from sync.sides.vtenext.gate import StoreLoginGate, Ticket
from sync.store.memory import MemoryRows

KEY = "fingerprint"


class Scene:
    """Several workers on one store; sleeping moves the clock, so that nobody waits for real."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

    def worker(self) -> StoreLoginGate:
        return StoreLoginGate(self.rows, lambda: self.at, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_the_others_wait_until_the_first_succeeded(scene: Scene) -> None:
    first = await scene.worker().enter(KEY)
    waiting = [asyncio.create_task(scene.worker().enter(KEY)) for _ in range(3)]
    for _ in range(10):
        await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    await first.succeeded()
    assert len(await asyncio.gather(*waiting)) == 3


async def test_a_refusal_reaches_those_who_wait(scene: Scene) -> None:
    first = await scene.worker().enter(KEY)
    waiting = asyncio.create_task(scene.worker().enter(KEY))
    await asyncio.sleep(0)
    await first.refused(Cause.CRM_LOGIN_LOCKED)
    with pytest.raises(StopConnector) as raised:
        await waiting
    assert raised.value.cause is Cause.CRM_LOGIN_LOCKED


async def test_an_attempt_without_answer_lets_exactly_one_other_try(scene: Scene) -> None:
    await (await scene.worker().enter(KEY)).unanswered()
    await scene.worker().enter(KEY)
    with pytest.raises(RetryLater):
        await scene.worker().enter(KEY)


async def test_waiting_is_bounded_and_does_not_count(scene: Scene) -> None:
    await scene.worker().enter(KEY)
    before = scene.at
    with pytest.raises(RetryLater) as raised:
        await scene.worker().enter(KEY)
    assert raised.value.counts is False
    assert timedelta(seconds=15) < scene.at - before < timedelta(seconds=25)


async def test_an_attempt_whose_worker_died_expires(scene: Scene) -> None:
    await scene.worker().enter(KEY)
    scene.at += timedelta(seconds=59)
    waiting = asyncio.create_task(scene.worker().enter(KEY))
    assert await waiting
    assert scene.at < datetime(2026, 11, 23, 12, 1, 5, tzinfo=UTC)


async def test_a_late_success_does_not_overrule_who_took_over(scene: Scene) -> None:
    late = await scene.worker().enter(KEY)
    scene.at += timedelta(seconds=61)
    second = await scene.worker().enter(KEY)
    await late.succeeded()
    with pytest.raises(RetryLater):
        await scene.worker().enter(KEY)
    await second.refused(Cause.CRM_LOGIN_REFUSED)
    with pytest.raises(StopConnector):
        await scene.worker().enter(KEY)


async def test_a_refusal_is_never_overlooked(scene: Scene) -> None:
    """A ticket under somebody else's success may be refused too, when the key is changed meanwhile."""
    await (await scene.worker().enter(KEY)).succeeded()
    free: Ticket = await scene.worker().enter(KEY)
    await free.refused(Cause.CRM_LOGIN_REFUSED)
    with pytest.raises(StopConnector):
        await scene.worker().enter(KEY)


async def test_an_old_success_is_proven_again_by_one_alone(scene: Scene) -> None:
    await (await scene.worker().enter(KEY)).succeeded()
    scene.at += timedelta(hours=1)
    await scene.worker().enter(KEY)
    with pytest.raises(RetryLater):
        await scene.worker().enter(KEY)


async def test_fingerprints_are_apart_and_reset_opens_all_that_were_refused(scene: Scene) -> None:
    for key in ("one", "two"):
        await (await scene.worker().enter(key)).refused(Cause.CRM_LOGIN_REFUSED)
    assert await scene.worker().enter("three")
    await scene.worker().reset()
    assert await scene.worker().enter("one")
    assert await scene.worker().enter("two")


async def pressed(scene: Scene) -> Cause:
    """An admin presses Restore state, and the key is still wrong."""
    await scene.worker().reset()
    try:
        await (await scene.worker().enter(KEY)).refused(Cause.CRM_LOGIN_REFUSED)
    except StopConnector as stop:
        return stop.cause
    return Cause.CRM_LOGIN_REFUSED


async def test_pressing_again_and_again_asks_the_crm_three_times_and_then_once_an_hour(scene: Scene) -> None:
    await (await scene.worker().enter(KEY)).refused(Cause.CRM_LOGIN_REFUSED)
    refused, spared = Cause.CRM_LOGIN_REFUSED, Cause.CRM_LOGIN_SPARED
    assert [await pressed(scene) for _ in range(5)] == [refused, refused, spared, spared, spared]
    with pytest.raises(StopConnector) as raised:
        await scene.worker().enter(KEY)
    assert raised.value.cause is spared
    scene.at += timedelta(minutes=59)
    assert await pressed(scene) is spared
    scene.at += timedelta(minutes=2)
    assert [await pressed(scene) for _ in range(2)] == [refused, spared]
    await (await scene.worker().enter("another key")).succeeded()


async def test_the_count_survives_an_answer_that_never_came_and_ends_with_a_success(scene: Scene) -> None:
    await (await scene.worker().enter(KEY)).refused(Cause.CRM_LOGIN_REFUSED)
    await pressed(scene)
    await scene.worker().reset()
    await (await scene.worker().enter(KEY)).unanswered()
    await (await scene.worker().enter(KEY)).refused(Cause.CRM_LOGIN_REFUSED)
    assert await pressed(scene) is Cause.CRM_LOGIN_SPARED
    scene.at += timedelta(hours=1)
    await scene.worker().reset()
    await (await scene.worker().enter(KEY)).succeeded()
    scene.at += timedelta(hours=1)
    await (await scene.worker().enter(KEY)).refused(Cause.CRM_LOGIN_REFUSED)
    assert await pressed(scene) is Cause.CRM_LOGIN_REFUSED, "the CRM's own count began anew"


async def test_a_reset_lets_nobody_in_beside_one_who_is_trying(scene: Scene) -> None:
    first = await scene.worker().enter(KEY)
    await scene.worker().reset()
    with pytest.raises(RetryLater):
        await scene.worker().enter(KEY)
    await first.refused(Cause.CRM_LOGIN_REFUSED)
    with pytest.raises(StopConnector):
        await scene.worker().enter(KEY)


async def test_two_at_the_same_moment_and_only_one_tries(scene: Scene) -> None:
    tickets = await asyncio.gather(*(scene.worker().enter(KEY) for _ in range(3)), return_exceptions=True)
    assert sum(not isinstance(ticket, RetryLater) for ticket in tickets) == 1
