"""How much a test does of what is exhaustive: a sample in `make test`, all of it in `make sim` (which sets EVERYTHING)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")
EVERYTHING = bool(os.environ.get("EVERYTHING"))


def sampled(points: Sequence[T], every: int, name: str = "") -> Sequence[T]:
    """Every `every`-th, from the first or from where `name` (of a parameter) says, so that tests alike take different ones."""
    return points if EVERYTHING else points[offset(name, every) :: every]


def offset(name: str, every: int) -> int:
    """Where a sample begins, from 0: the same in every run, another for another name."""
    return crc32(name.encode()) % every if name else 0
