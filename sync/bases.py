"""A link's base as it is stored. Pure.

A comparison in full reads the bases of tens of thousands of links, and of nearly all of them needs no single pair (`sync.resting`): so the text is
kept, and taken apart when somebody asks for a pair.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from sys import intern

from sync.model import Base, Held


class StoredBase(Mapping[str, Held]):
    """`text`: as `text_of` makes it. Raises ValueError at the first use if it is not."""

    __slots__ = ("_pairs", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._pairs: dict[str, Held] | None = None

    def pairs(self) -> dict[str, Held]:
        if self._pairs is None:
            self._pairs = _pairs(self.text)
        return self._pairs

    def __getitem__(self, pair: str) -> Held:
        return self.pairs()[pair]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs())

    def __len__(self) -> int:
        return len(self.pairs())


def text_of(base: Base) -> str:
    """JSON {field pair: "digest digest"}, as it is stored."""
    if isinstance(base, StoredBase):
        return base.text
    return json.dumps({pair: f"{held.crm} {held.mailbox}" for pair, held in base.items()}, separators=(",", ":"))


def _pairs(text: str) -> dict[str, Held]:
    """The name of a field pair, and two digests that are equal, are one text in memory."""
    base: dict[str, Held] = {}
    for pair, both in json.loads(text).items():
        crm, _, mailbox = both.partition(" ")
        base[intern(pair)] = _alike(crm) if mailbox == crm else Held(crm, mailbox)
    return base


def _alike(digest: str) -> Held:
    return _nothing(digest) if digest.endswith(".") else Held(digest, digest)


@cache
def _nothing(digest: str) -> Held:
    """What most field pairs hold: there are as many of it as keys and versions."""
    return Held(digest, digest)
