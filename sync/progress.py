"""How far each family of kinds of a mailbox is, as a short text on the mailbox's row: a status reads no ledger. Pure.

A run leaves it behind when it gives back its lease, not per write.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from sync.errors import Cause
from sync.model import Family


@dataclass(frozen=True, slots=True)
class Progress:
    """A family as its last slice left it. `compared_at`: when the last comparison in full ended, ISO UTC, '' = never.

    `items`, `items_done`: what the comparison in full that is under way looks at, and how much of it is done; 0 and 0 when none is.
    `pending`: items that are not settled, by reason. `moved_at`: when a look last found something to do. `cause`: what kept it from running,
    or failed beside it.
    """

    compared_at: str = ""
    items: int = 0
    items_done: int = 0
    pending: Mapping[str, int] = field(default_factory=dict)
    moved_at: str = ""
    cause: str = ""

    @property
    def absent(self) -> bool:
        """May it not be read?"""
        return self.cause == Cause.TASKS_NOT_PERMITTED


Families = Mapping[Family, Progress]


def read(text: str) -> dict[Family, Progress]:
    """As `write` wrote it; {} = nothing ran yet."""
    return {Family(name): Progress(**found) for name, found in json.loads(text or "{}").items()}


def write(families: Families) -> str:
    """As a column of the mailbox's row."""
    return json.dumps({family.value: asdict(each) for family, each in families.items()}, separators=(",", ":"))


def compared_at(families: Families) -> str:
    """Since when everything was compared in full at least once; '' = something never was."""
    return min((each.compared_at for each in families.values() if not each.absent), default="")


def pending(families: Families) -> dict[str, int]:
    """By reason, of all families."""
    total: Counter[str] = Counter()
    for each in families.values():
        total.update(each.pending)
    return dict(sorted(total.items()))


def items(families: Families) -> tuple[int, int]:
    """How many items the comparison in full that is under way looks at, and how many of them are done."""
    return sum(each.items for each in families.values()), sum(each.items_done for each in families.values())


def counts_of(text: str) -> dict[str, int]:
    """`reason=number` pairs, as the worker writes them."""
    pairs = (part.partition("=") for part in text.split())
    return {name: int(number) for name, _, number in pairs}
