"""Throttling of mailbox requests: 4 at a time, 10,000 in ten minutes (BEHAVIOUR 4)."""

from __future__ import annotations

from collections import Counter, deque

from emulators.corner import Clock
from emulators.graph.errors import GraphError
from emulators.graph.quirks import Quirks

_OVER_CONCURRENCY = "Application is over its MailboxConcurrency limit."
_OVER_QUOTA = "Application is over its request limit for this mailbox."


class Throttle:
    """Counts what is in flight and what was asked lately, per app and mailbox."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._in_flight: Counter[tuple[str, str]] = Counter()
        self._recent: dict[tuple[str, str], deque[float]] = {}
        self.refused = 0
        self.peak = 0  # most requests in flight at once, per slot owner

    def reset(self) -> None:
        """Forget the past; what is in flight stays counted."""
        self._recent.clear()
        self.refused = self.peak = 0

    def enter(self, quirks: Quirks, app: str, mailbox: str) -> tuple[str, str]:
        """Take a slot, to be given back to `leave`; 429 when there is none. A refused call counts against the quota."""
        self._count(quirks, app, mailbox)
        slot = (app, mailbox if quirks.concurrency == "mailbox" else "")
        if self._in_flight[slot] >= quirks.max_in_flight:
            raise self.refusal(quirks)
        self._in_flight[slot] += 1
        self.peak = max(self.peak, self._in_flight[slot])
        return slot

    def leave(self, slot: tuple[str, str]) -> None:
        """Give the slot back."""
        self._in_flight[slot] -= 1

    def refusal(self, quirks: Quirks) -> GraphError:
        """The 429 of too many at a time."""
        self.refused += 1
        return GraphError(429, "ApplicationThrottled", _OVER_CONCURRENCY, {"Retry-After": quirks.retry_after})

    def _count(self, quirks: Quirks, app: str, mailbox: str) -> None:
        now = self._clock.now().timestamp()
        recent = self._recent.setdefault((app, mailbox), deque())
        while recent and recent[0] <= now - quirks.quota_window_s:
            recent.popleft()
        recent.append(now)
        if len(recent) > quirks.quota:
            self.refused += 1
            wait = max(1, round(recent[len(recent) - quirks.quota] + quirks.quota_window_s - now))
            raise GraphError(429, "TooManyRequests", _OVER_QUOTA, {"Retry-After": str(wait)})
