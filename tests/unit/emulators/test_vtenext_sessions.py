"""Logins, locks and sessions of the vtenext emulator: what the transcripts only tell in part."""

from __future__ import annotations

import asyncio

import pytest

from emulators.vtenext import VtenextEmulator, WriteCap, password
from tests.unit.emulators.vtenext_client import Client, refusal


async def test_five_wrong_keys_lock_the_user_for_that_address_only(emulator: VtenextEmulator) -> None:
    here, there = Client(emulator), Client(emulator, address="10.0.0.9")
    for _ in range(5):
        assert await refusal(here.login(key="wrong")) == "INVALID_USER_CREDENTIALS"
    assert await refusal(here.login()) == "LOGIN_LOCKED"
    await there.login()
    assert emulator.logins() == {"logins_ok": 1, "logins_refused": 6}
    await here.http.post("/_emulator/unlock", json={"user_name": "svc.sync"})
    await here.login()


async def test_a_success_before_the_lock_clears_the_counter(emulator: VtenextEmulator) -> None:
    client = Client(emulator)
    for _ in range(2):
        for _ in range(4):
            await refusal(client.login(key="wrong"))
        await client.login()


@pytest.mark.parametrize(("seconds", "code"), [(31 * 60, "SESSION_LEFT_IDLE"), (25 * 3600, "SESSION_EXPIRED")])
async def test_sessions_end(client: Client, seconds: int, code: str) -> None:
    client.emulator.clock.advance(seconds)
    assert await refusal(client.get("listtypes")) == code
    assert await refusal(client.get("listtypes")) == "INVALID_SESSIONID"


async def test_use_keeps_a_session_alive_but_not_beyond_a_day(client: Client) -> None:
    for _ in range(48):
        client.emulator.clock.advance(29 * 60)
        await client.get("listtypes")
    client.emulator.clock.advance(49 * 60)
    assert await refusal(client.get("listtypes")) == "SESSION_EXPIRED"


async def test_a_challenge_is_good_for_five_minutes(emulator: VtenextEmulator) -> None:
    client = Client(emulator)
    await client.get("getchallenge", username="svc.sync")
    emulator.clock.advance(301)
    assert await refusal(client.post("login", username="svc.sync", accessKey="0")) == "INVALID_AUTH_TOKEN"


async def test_a_password_gives_the_access_key(emulator: VtenextEmulator) -> None:
    client = Client(emulator)
    answer = await client.post("login_pwd", username="svc.sync", password=password("svc.sync"))
    assert answer == ["svc.sync.key"]
    wrong = client.post("login_pwd", username="svc.sync", password="no")
    assert await refusal(wrong) == "INVALID_USER_CREDENTIALS"


async def test_login_tells_how_far_the_users_clock_is_ahead_of_the_servers(emulator: VtenextEmulator) -> None:
    users = [{"user_name": "ny", "last_name": "N", "user_timezone": "America/New_York"}]
    emulator.backdoor.add_users(users)
    assert (await Client(emulator).login("ny"))["timezone"] == -21600


async def test_an_inactive_user_is_told_so(emulator: VtenextEmulator) -> None:
    emulator.backdoor.add_users([{"user_name": "gone", "last_name": "G", "status": "Inactive"}])
    assert await refusal(Client(emulator).login("gone")) == "AUTHENTICATION_REQUIRED"


async def test_an_operation_that_is_not_emulated_is_told_apart_from_all_answers_of_vtenext(
    client: Client,
) -> None:
    form = {"operation": "convertlead", "sessionName": client.session}
    answer = await client.http.post("/webservice.php", data=form)
    assert answer.status_code == 501


async def test_writes_are_capped_per_session_and_for_the_server(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The waits are looked at, not waited for."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    client.emulator.cap_writes(WriteCap(per_session=10, server=20))
    for number in range(3):
        await client.create("Contacts", lastname=f"C{number}")
    other = Client(client.emulator)
    await other.login()
    await other.create("Contacts", lastname="other")
    await other.query("select id from Contacts;")
    assert waits[:3] == pytest.approx([0.1, 0.2, 0.3], abs=0.05)
    assert waits[3] == pytest.approx(0.2, abs=0.05)
    assert len(waits) == 4


async def test_service_time_is_paid_by_every_operation(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", note)
    client.emulator.corner.set_latency(round_trip_ms=20, service_ms=50)
    await client.query("select id from Contacts;")
    assert waits == [0.02, 0.05]
