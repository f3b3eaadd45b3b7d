"""Logins at the emulator: one refusal for all workers, and what each kind of broken server means."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from sync.errors import Cause, RetryLater, StopConnector
from sync.sides.vtenext import VtenextClient
from tests.contract.vtenext_world import SERVICE, VtenextWorld, answering


@pytest.fixture
def world() -> VtenextWorld:
    return VtenextWorld()


async def outcome(client: VtenextClient) -> Cause | None:
    try:
        await client.query("select count(*) from Contacts;")
    except (StopConnector, RetryLater) as error:
        return error.cause
    return None


async def test_a_wrong_key_on_three_workers_is_tried_exactly_once(world: VtenextWorld) -> None:
    world.emulator.corner.set_latency(round_trip_ms=1)
    workers = [world.worker(key="wrong", sessions=8) for _ in range(3)]
    causes = await asyncio.gather(*(outcome(worker) for worker in workers for _ in range(8)))
    assert set(causes) == {Cause.CRM_LOGIN_REFUSED}
    assert len(causes) == 24
    assert world.emulator.logins() == {"logins_ok": 0, "logins_refused": 1}


async def test_a_right_key_on_three_workers_opens_all_sessions(world: VtenextWorld) -> None:
    world.emulator.corner.set_latency(round_trip_ms=1)
    workers = [world.worker(sessions=8) for _ in range(3)]
    assert set(await asyncio.gather(*(outcome(worker) for worker in workers for _ in range(8)))) == {None}
    logins = world.emulator.logins()
    assert logins["logins_refused"] == 0
    assert 3 < logins["logins_ok"] <= 24


async def test_a_refused_key_stays_refused_for_new_workers_until_the_gate_is_reset(world: VtenextWorld) -> None:
    assert await outcome(world.worker(key="wrong")) is Cause.CRM_LOGIN_REFUSED
    world.wait(86_400)
    assert await outcome(world.worker(key="wrong")) is Cause.CRM_LOGIN_REFUSED
    assert world.emulator.logins()["logins_refused"] == 1
    await world.gate().reset()
    assert await outcome(world.worker(key="wrong")) is Cause.CRM_LOGIN_REFUSED
    assert world.emulator.logins()["logins_refused"] == 2


async def test_another_key_is_tried_at_once(world: VtenextWorld) -> None:
    assert await outcome(world.worker(key="wrong")) is Cause.CRM_LOGIN_REFUSED
    assert await outcome(world.worker()) is None
    assert await outcome(world.worker(key="wrong")) is Cause.CRM_LOGIN_REFUSED
    assert world.emulator.logins() == {"logins_ok": 1, "logins_refused": 1}


async def test_a_key_changed_at_the_crm_is_refused_once_on_three_workers(world: VtenextWorld) -> None:
    workers = [world.worker(sessions=4) for _ in range(3)]
    assert {await outcome(worker) for worker in workers} == {None}
    user = next(user for user in world.emulator.crm.state.users.values() if user.values["user_name"] == SERVICE)
    user.values["accesskey"] = "changed by an admin"
    world.wait(3600)  # all sessions have ended
    world.emulator.corner.set_latency(round_trip_ms=1)
    causes = await asyncio.gather(*(outcome(worker) for worker in workers for _ in range(4)))
    assert set(causes) == {Cause.CRM_LOGIN_REFUSED}
    assert world.emulator.logins()["logins_refused"] == 1


async def test_an_unknown_user_and_a_locked_one(world: VtenextWorld) -> None:
    assert await outcome(world.worker(user="nobody")) is Cause.CRM_LOGIN_REFUSED
    for number in range(5):
        await outcome(world.worker(key=f"wrong {number}"))
    assert await outcome(world.worker()) is Cause.CRM_LOGIN_LOCKED


@pytest.mark.parametrize(
    ("transport", "cause"),
    [
        (answering(200, "<html>maintenance</html>"), Cause.CRM_NOT_VTENEXT),
        (answering(404, "<html>not found</html>"), Cause.CRM_NOT_VTENEXT),
        (answering(302, "", {"location": "https://elsewhere.example/"}), Cause.CRM_NOT_VTENEXT),
        (answering(200, '{"some": "json"}'), Cause.CRM_NOT_VTENEXT),
        (answering(200, '{"success": true, "result": []}'), Cause.CRM_NOT_VTENEXT),
        (answering(500), Cause.CRM_CRASHED),
        (answering(502, "<html>bad gateway</html>"), Cause.CRM_UNREACHABLE),
        (httpx.AsyncHTTPTransport(), Cause.CRM_UNREACHABLE),
    ],
    ids=["html", "404", "redirect", "other json", "other result", "crash", "gateway", "nobody listens"],
)
async def test_a_broken_server_is_no_refusal(
    world: VtenextWorld, transport: httpx.AsyncBaseTransport, cause: Cause
) -> None:
    broken = VtenextClient(
        "http://127.0.0.1:9",  # the discard port: nobody listens
        SERVICE,
        f"{SERVICE}.key",
        gate=world.gate(),
        fingerprint=f"{SERVICE}-{SERVICE}.key",
        now=world.now,
        transport=transport,
    )
    assert await outcome(broken) is cause
    await broken.aclose()
    assert await outcome(world.worker()) is None  # the next one may try at once


async def test_a_pause_that_the_server_asks_for_does_not_count(world: VtenextWorld) -> None:
    busy = world.worker(transport=answering(503, "busy", {"retry-after": "120"}))
    with pytest.raises(RetryLater) as raised:
        await busy.user_id()
    assert (raised.value.after, raised.value.counts) == (120.0, False)


async def test_the_key_never_travels(world: VtenextWorld) -> None:
    await outcome(world.worker())
    (login,) = [form for form in world.sent if form["operation"] == "login"]
    assert login["username"] == SERVICE
    assert f"{SERVICE}.key" not in str(world.sent)
