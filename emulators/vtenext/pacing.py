"""How long a call takes: the corner's service time, and the cap on writes of modest hardware (API.md 1.3)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from emulators.corner import Corner


@dataclass(frozen=True, slots=True)
class WriteCap:
    """Writes a second: on one session, and on the whole server however many sessions there are."""

    per_session: float = 7.0
    server: float = 13.0


class Pacing:
    """Waits before an operation. Without latency and cap it never yields."""

    def __init__(self) -> None:
        self.corner: Corner | None = None
        self.cap: WriteCap | None = None
        self._session_free: dict[str, float] = {}
        self._server_free = 0.0

    async def wait(self, session: str, *, writes: bool) -> None:
        """Sleep for the service time, or for the call's share of the write cap if that is longer."""
        seconds = self.corner.service_time() if self.corner else 0.0
        if writes and self.cap is not None:
            seconds = max(seconds, self._claim(session, self.cap))
        if seconds:
            await asyncio.sleep(seconds)

    def _claim(self, session: str, cap: WriteCap) -> float:
        """Take the next free slots of session and server; returns how long until both have passed."""
        now = asyncio.get_running_loop().time()
        done = max(now, self._session_free.get(session, 0.0)) + 1 / cap.per_session
        self._server_free = max(now, self._server_free) + 1 / cap.server
        self._session_free[session] = max(done, self._server_free)
        return self._session_free[session] - now
