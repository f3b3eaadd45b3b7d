"""What the tests of the Graph side stand on: the emulator in process, a sign-in without Entra, and time that only sleeping moves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx
import uvicorn
from azure.core.credentials import AccessToken

from sync.sides.graph import GraphConnection, Throttle, connect

BASE = "http://127.0.0.1/v1.0"


class Time:
    """A monotonic clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Badge:
    """A sign-in that hands out token after token."""

    def __init__(self) -> None:
        self.generation = 0
        self.closed = False

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(f"token-{self.generation}", 4_000_000_000)

    async def renew(self, generation: int) -> None:
        self.generation += generation == self.generation

    async def close(self) -> None:
        self.closed = True


def plug(
    transport: httpx.AsyncBaseTransport, *, time: Time | None = None, tokens: Any = None, cap: int = 4, base: str = BASE
) -> GraphConnection:
    """A connection over `transport`, with ids in a row."""
    time = time or Time()
    ids = count(1)
    throttle = Throttle(clock=time.clock, sleep=time.sleep, cap=cap)
    return connect(
        tokens or Badge(),
        throttle,
        new_id=lambda: f"00000000-0000-4000-8000-{next(ids):012d}",
        sleep=time.sleep,
        base_url=base,
        transport=transport,
    )


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The app on a real loopback socket, in a thread."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    # The protocol is named because asyncio sets TCP_NODELAY only then: else an answer takes 44 ms, not 1.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
