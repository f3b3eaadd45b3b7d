"""The wire between the engine and a side in memory: where the simulator lets calls fail, get lost after they were carried out, or kill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from sync.errors import Failure
from sync.sides.base import Refused, Result, Unclear, Write

Wire = Callable[[str, str], Awaitable[str]]
"""(moment 'before' | 'after', operation) -> '' go on | 'refuse' | 'lose' (the answer) | 'busy'; may raise to kill the caller."""


async def quiet(moment: str, operation: str) -> str:
    """A wire on which nothing ever happens."""
    return ""


async def apply_all(wire: Wire, side: str, writes: Sequence[Write], execute: Callable[[Write], Result]) -> list[Result]:
    """The writes one after the other; to each something may happen on the wire."""
    return [await _written(wire, f"{side} {type(write).__name__}", write, execute) for write in writes]


async def _written(wire: Wire, operation: str, write: Write, execute: Callable[[Write], Result]) -> Result:
    match await wire("before", operation):
        case "refuse":
            return Refused(Failure(400, "REFUSED"))
        case "busy":
            return Refused(Failure(429, "BUSY", 1.0))
        case "":
            pass
        case _:
            return Unclear(Failure(0, "never sent"))
    result = execute(write)
    return Unclear(Failure(0, "lost")) if await wire("after", operation) else result
