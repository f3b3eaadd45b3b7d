"""Asking Entra one after the other: who waited while somebody was refused learns that, and does not ask as well.

Many requests of a run wait for the same token. When Entra is out of order, each of them would try it in turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sync.errors import SyncError


class OneByOne:
    """One per sign-in."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._inside = self._refusals = 0
        self._last: SyncError | None = None

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[None]:
        """Alone in here. Raises what was raised in here while one waited; who comes later may ask anew."""
        seen = self._refusals
        self._inside += 1
        try:
            async with self._lock:
                if self._last is not None and self._refusals != seen:
                    raise self._last.with_traceback(None)
                yield
        except SyncError as error:
            if error is not self._last:
                self._refusals += 1
                self._last = error
            raise
        finally:
            self._inside -= 1
            if not self._inside:  # an exception holds on to everything that its callers worked with
                self._last = None

    @asynccontextmanager
    async def between(self) -> AsyncIterator[None]:
        """Alone in here, asking nothing: nobody else's refusal is raised."""
        async with self._lock:
            yield
