"""How much may be asked of Graph at a time: lanes per mailbox, a cap for the process, the quota, and pauses on request.

BEHAVIOUR 4: at most 4 requests in flight per mailbox, 10,000 requests per 10 minutes and mailbox (parts of a batch count one by
one), and a 429 is obeyed. Waits of seconds are slept here; a longer one ends the run with `RetryLater`, it never sleeps. Reads
no clock of its own and never sends anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sync.errors import Cause, RetryLater

LANES = 4
QUOTA = 9_600
WINDOW = 600.0
GROWTH = 60.0
"""Seconds after which a halved cap gets one lane back."""


@dataclass(slots=True)
class _Box:
    """What one mailbox has used."""

    tokens: float
    filled_at: float
    busy: int = 0
    paused_until: float = 0.0


class Throttle:
    """One per process. `cap` = requests in flight over all mailboxes, `patience` = the longest wait that is slept, in seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        cap: int = LANES,
        patience: float = 15.0,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._cap, self._patience = max(1, cap), patience
        self._allowed, self._since = self._cap, clock()
        self._busy = 0
        self._boxes: dict[str, _Box] = {}
        self._freed = asyncio.Condition()

    @property
    def allowed(self) -> int:
        """Requests that may be in flight now, over all mailboxes."""
        grown = int((self._clock() - self._since) / GROWTH)
        if grown:
            self._allowed = min(self._cap, self._allowed + grown)
            self._since += grown * GROWTH
        return self._allowed

    @asynccontextmanager
    async def slot(self, mailbox: str, *, cost: int = 1, lanes: int = 1) -> AsyncIterator[None]:
        """Hold `lanes` lanes of the mailbox while asking `cost` requests of it. FIFO is not promised, progress is.

        Raises RetryLater(GRAPH_THROTTLED, counts=False) when the wait would be longer than `patience`.
        """
        box = self._boxes.setdefault(mailbox, _Box(QUOTA, self._clock()))
        taken = await self._enter(box, cost, lanes)
        try:
            yield
        finally:
            await self._leave(box, taken)

    def refused(self, mailbox: str, seconds: float) -> None:
        """The server asked for a pause: the mailbox keeps it, and the cap is halved (once for requests that failed together)."""
        now = self._clock()
        box = self._boxes.setdefault(mailbox, _Box(QUOTA, now))
        if box.paused_until <= now:
            self._allowed, self._since = max(1, self.allowed // 2), now
        box.paused_until = max(box.paused_until, now + seconds)

    async def _enter(self, box: _Box, cost: int, lanes: int) -> int:
        """Lanes and quota together. Sleeping holds no lane: a paused mailbox must not keep the others waiting."""

        def fits() -> bool:
            wanted = min(lanes, self.allowed)
            return box.busy + wanted <= LANES and self._busy + wanted <= self.allowed

        while True:
            await self._patiently(box, cost)
            async with self._freed:
                await self._freed.wait_for(fits)
                if self._due(box, cost) > 0:  # paused, or the quota used up, while this one queued
                    continue
                taken = min(lanes, self.allowed)
                box.tokens -= cost
                box.busy += taken
                self._busy += taken
                return taken

    async def _leave(self, box: _Box, taken: int) -> None:
        box.busy -= taken
        self._busy -= taken
        async with self._freed:
            self._freed.notify_all()

    async def _patiently(self, box: _Box, cost: int) -> None:
        while (seconds := self._due(box, cost)) > 0:
            if seconds > self._patience:
                raise RetryLater(Cause.GRAPH_THROTTLED, seconds, counts=False)
            await self._sleep(seconds)

    def _due(self, box: _Box, cost: int) -> float:
        """Seconds until the mailbox may be asked for `cost` requests more."""
        return max(box.paused_until - self._clock(), self._lacking(box, cost))

    def _lacking(self, box: _Box, cost: int) -> float:
        """Seconds until the quota holds `cost` requests."""
        now = self._clock()
        box.tokens = min(QUOTA, box.tokens + (now - box.filled_at) * QUOTA / WINDOW)
        box.filled_at = now
        return (cost - box.tokens) * WINDOW / QUOTA
