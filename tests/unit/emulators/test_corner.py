"""The corner: counts, faults, clock and reset, in process and over TCP."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import uvicorn

from emulators.corner import Clock, Corner, Fault, Receive, Scope, Send
from emulators.inprocess import InProcessTransport
from emulators.serving import BreakConnections

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Echo:
    """Answers with the body it was sent, and remembers what reached it."""

    def __init__(self) -> None:
        self.handled: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = (await receive())["body"]
        self.handled.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def corner(echo: Echo) -> Corner:
    return Corner(echo, clock=Clock(AT), on_reset=echo.handled.clear, extra={("GET", "twice"): lambda _: [2]})


@pytest.fixture
async def http(corner: Corner) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=InProcessTransport(corner), base_url="http://it.test") as client:
        yield client


async def test_requests_are_counted_by_label_and_the_corner_itself_is_not(http: httpx.AsyncClient) -> None:
    assert (await http.post("/a", content=b"1")).content == b"1"
    await http.post("/a", content=b"2")
    await http.get("/b")
    counted = (await http.get("/_emulator/requests")).json()
    assert counted == {"total": 3, "by": {"POST /a": 2, "GET /b": 1}}


async def test_a_status_fault_strikes_the_nth_match_and_then_times_in_a_row(
    http: httpx.AsyncClient, echo: Echo
) -> None:
    fault = {"kind": "status", "status": 429, "headers": {"Retry-After": "7"}, "body": "busy"}
    posted = await http.post("/_emulator/faults", json={"match": "^POST /a", "nth": 2, "times": 2, "fault": fault})
    assert posted.json() == {"id": 1}
    await http.get("/other")
    answers = [await http.post("/a", content=bytes([n])) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 200]
    assert answers[1].headers["retry-after"] == "7"
    assert answers[1].text == "busy"
    assert echo.handled == [b"", b"\x00", b"\x03"]


async def test_a_lost_response_was_handled_and_a_dropped_request_was_not(
    http: httpx.AsyncClient, corner: Corner, echo: Echo
) -> None:
    corner.add_fault(Fault("lost_response"), match="/lost")
    corner.add_fault(Fault("drop"), match="/dropped")
    for path in ("/lost", "/dropped"):
        with pytest.raises(httpx.ReadError):
            await http.post(path, content=path.encode())
    assert echo.handled == [b"/lost"]
    assert corner.total == 2


async def test_faults_can_be_cleared(http: httpx.AsyncClient, corner: Corner) -> None:
    corner.add_fault(Fault("drop"), times=99)
    assert (await http.delete("/_emulator/faults")).status_code == 200
    assert (await http.get("/a")).status_code == 200


async def test_reset_empties_the_emulator_the_counts_and_the_faults(
    http: httpx.AsyncClient, corner: Corner, echo: Echo
) -> None:
    await http.post("/a", content=b"1")
    corner.add_fault(Fault("drop"))
    await http.post("/_emulator/reset")
    assert (corner.total, echo.handled) == (0, [])
    assert (await http.get("/a")).status_code == 200


async def test_the_clock_is_set_advanced_and_released(http: httpx.AsyncClient, corner: Corner) -> None:
    assert (await http.get("/_emulator/clock")).json() == {"now": AT.isoformat()}
    await http.post("/_emulator/clock/advance", json={"seconds": 90})
    assert corner.clock.now() == AT + timedelta(seconds=90)
    await http.put("/_emulator/clock", json={"now": "2027-01-01T00:00:00Z"})
    assert corner.clock.now() == datetime(2027, 1, 1, tzinfo=UTC)
    await http.put("/_emulator/clock", json={"now": None})
    assert abs(corner.clock.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_ticking_clock_keeps_ticking_after_an_advance() -> None:
    clock = Clock()
    clock.advance(3600)
    assert clock.now() - datetime.now(UTC) > timedelta(minutes=59)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        Clock().set(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_latency_is_what_the_emulator_reads(http: httpx.AsyncClient, corner: Corner) -> None:
    await http.put("/_emulator/latency", json={"round_trip_ms": 0, "service_ms": 50})
    assert corner.service_time() == 0.05


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/_emulator/faults", {"fault": {"kind": "explode"}}, 400),
        ("POST", "/_emulator/faults", {"match": "(", "fault": {"kind": "drop"}}, 400),
        ("POST", "/_emulator/clock/advance", {}, 400),
        ("GET", "/_emulator/nothing", {}, 404),
    ],
)
async def test_mistakes_are_told(
    http: httpx.AsyncClient, method: str, path: str, body: dict[str, object], status: int
) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_an_emulator_adds_endpoints_of_its_own(http: httpx.AsyncClient) -> None:
    assert (await http.get("/_emulator/twice")).json() == [2]


async def test_over_tcp_a_dropped_connection_is_really_broken(corner: Corner, echo: Echo) -> None:
    corner.add_fault(Fault("lost_response"))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(BreakConnections(corner), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}") as client:
            with pytest.raises(httpx.TransportError):
                await client.post("/a", content=b"1")
            assert (await client.post("/a", content=b"2")).content == b"2"
    finally:
        server.should_exit = True
        await running
    assert echo.handled == [b"1", b"2"]
