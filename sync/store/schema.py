"""Which form the stored rows have, and the steps from each form to the next. The steps are pure; `sync.upgrading` carries them out.

    control / schema   version: the form that all rows have; becoming: the form they are being brought to, 0 = none; since;
                       partition, key: the last row that was brought from `version` to the next

A column that is new needs no step: what reads a row has a default for it. A step is for what cannot be read as it was: another meaning, another
place, another key. It looks at one row at a time and leaves alone what it has already changed, so that doing it twice does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sync.errors import Cause
from sync.store.base import Data, Insert, Op, Replace, Row, Rows

FIRST = 1
"""The form of the first release: rows without a schema row have it."""
PARTITION, KEY = "control", "schema"


@dataclass(frozen=True, slots=True)
class Made:
    """A row that a step writes beside the one it looks at."""

    partition: str
    key: str
    data: Data


@dataclass(frozen=True, slots=True)
class Becomes:
    """What a row becomes: its data in the next form, None = the row goes; and what is written before that."""

    data: Data | None
    beside: tuple[Made, ...] = ()


Step = Callable[[Row], Becomes]
STEPS: tuple[Step, ...] = ()
"""The first leads from FIRST to the form after it, and so on."""


@dataclass(frozen=True, slots=True)
class Schema:
    version: int = FIRST
    becoming: int = 0
    since: str = ""
    partition: str = ""
    key: str = ""
    etag: str = ""

    @property
    def newest(self) -> int:
        """The newest form that a row may have."""
        return max(self.version, self.becoming)

    def at(self, row: Row) -> Schema:
        return replace(self, partition=row.partition, key=row.key)


def current(steps: Sequence[Step] = STEPS) -> int:
    """The form that this program reads and writes."""
    return FIRST + len(steps)


async def read(rows: Rows) -> Schema | None:
    """As it stands; None before the first sweep."""
    row = await rows.get(PARTITION, KEY)
    if row is None:
        return None
    kept = {name: value for name, value in row.data.items() if name in Schema.__dataclass_fields__}
    return Schema(**{**kept, "etag": row.etag})  # type: ignore[arg-type]


async def write(rows: Rows, schema: Schema) -> Schema:
    """Store it over what was read. Raises Conflict when somebody else was quicker."""
    data: Data = {name: getattr(schema, name) for name in Schema.__dataclass_fields__ if name != "etag"}
    op: Op = Replace(KEY, data, schema.etag) if schema.etag else Insert(KEY, data)
    (etag,) = await rows.transact(PARTITION, [op])
    return replace(schema, etag=etag)


async def misfit(rows: Rows, steps: Sequence[Step] = STEPS) -> Cause | None:
    """Why this program may not work with the rows now: a later one wrote them, or they are not brought to its form yet."""
    found = await read(rows) or Schema()
    if found.newest > current(steps):
        return Cause.SCHEMA_NEWER
    return Cause.SCHEMA_UPGRADING if found.version < current(steps) or found.becoming else None
