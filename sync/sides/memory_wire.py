"""The wire between the engine and a side in memory: where the simulator lets calls fail, get lost after they were carried out, or kill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sync.errors import Failure
from sync.sides.base import Refused, Result, Unclear

Wire = Callable[[str, str], Awaitable[str]]
"""(moment 'before' | 'after', operation) -> '' go on | 'refuse' | 'lose' (the answer) | 'busy'; may raise to kill the caller."""


async def quiet(moment: str, operation: str) -> str:
    """A wire on which nothing ever happens."""
    return ""


async def written(wire: Wire, operation: str, execute: Callable[[], Result]) -> Result:
    """The result of a write, unless something happens to it on the wire."""
    match await wire("before", operation):
        case "refuse":
            return Refused(Failure(400, "REFUSED"))
        case "busy":
            return Refused(Failure(429, "BUSY", 1.0))
        case "":
            pass
        case _:
            return Unclear(Failure(0, "never sent"))
    result = execute()
    return Unclear(Failure(0, "lost")) if await wire("after", operation) else result
