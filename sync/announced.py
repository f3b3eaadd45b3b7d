"""The last look before a call that was announced: may this worker still make it? I/O.

Whoever hung between the announcement and its call may have been replaced, or was stopped by a person. Then nothing was sent, and the announcement is
taken back: else a later run would wait until it is certain that the call can no longer succeed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sync.errors import Fenced


async def before_call(guard: Callable[[], Awaitable[None]], withdraw: Callable[[], Awaitable[object]]) -> None:
    """Raises Fenced when this worker must stop, once `withdraw` took back what was announced (where somebody took over nothing is)."""
    try:
        await guard()
    except (Fenced, asyncio.CancelledError):  # cancelled: another batch of the same run failed
        await withdraw()
        raise
