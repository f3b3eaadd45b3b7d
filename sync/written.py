"""What a run wrote, counted by side and kind for the hourly tallies (sync.store.tally). Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sync.model import Kind, Side
from sync.sides.base import Done, New, Remove, Result, Revise, Write

CREATED, CHANGED, DELETED = "created", "changed", "deleted"
WHAT = (CREATED, CHANGED, DELETED)

Written = Counter[tuple[Side, Kind, str]]
"""(side written, kind, created | changed | deleted) -> items."""


def happened(side: Side, writes: Sequence[Write], results: Sequence[Result]) -> Written:
    """Those of `writes` that happened for sure."""
    return Counter(
        (side, *_what(write)) for write, result in zip(writes, results, strict=True) if isinstance(result, Done)
    )


def _what(write: Write) -> tuple[Kind, str]:
    match write:
        case New(kind=kind):
            return kind, CREATED
        case Revise(expected=item):
            return item.kind, CHANGED
        case Remove(expected=item):
            return item.kind, DELETED
