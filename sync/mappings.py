"""The mappings that admins saved, as versions, and what follows from them on the CRM that there is. No HTTP.

Partition `mappings`: a row per version, `<kind>|<number>`; the highest is in force, none = what we ship, which is version 0. An earlier version
is kept as long as links may remember what its pairs held. Rows hold names of fields, never values.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from mapping.companies import COMPANIES
from mapping.contacts import CONTACTS
from mapping.fields import COMPANY_NAME, Field
from mapping.model import Translator
from mapping.moving import Remap, moving
from mapping.rules import FieldMapping, Problem, Wrong
from sync.model import Kind
from sync.store.base import Drop, Insert, Op, Rows

PARTITION = "mappings"
MOST_KEPT = 30
"""Versions. What only an older one knew is not emptied any more."""
DEFAULTS: Mapping[Kind, FieldMapping] = {Kind.CONTACT: CONTACTS, Kind.COMPANY: COMPANIES}
MODULES: Mapping[Kind, str] = {Kind.CONTACT: "Contacts", Kind.COMPANY: "Accounts"}


class Strategy(StrEnum):
    """How a changed mapping reaches what is linked already (SPEC 3.4)."""

    IN_PLACE = "in_place"
    PURGE = "purge"


@dataclass(frozen=True, slots=True)
class Version:
    """A mapping as it was saved. `at`: ISO UTC, '' = it came with the program."""

    number: int
    mapping: FieldMapping
    at: str = ""
    by: str = ""
    strategy: Strategy = Strategy.IN_PLACE


Versions = Mapping[Kind, Sequence[Version]]
"""Of each kind all that are kept, the one in force last."""


class Mappings:
    """Reads and saves the versions."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    async def all(self) -> dict[Kind, tuple[Version, ...]]:
        """Both kinds, in one query."""
        found: dict[Kind, list[Version]] = {kind: [] for kind in DEFAULTS}
        async for row in self._rows.query(PARTITION):
            name, _, number = row.key.partition("|")
            data = row.data
            mapping = FieldMapping.from_json(json.loads(str(data["json"])))
            version = Version(int(number), mapping, str(data["at"]), str(data["by"]), Strategy(str(data["strategy"])))
            found[Kind(name)].append(version)
        shipped = {kind: (Version(0, mapping),) for kind, mapping in DEFAULTS.items()}
        return {kind: tuple(versions) or shipped[kind] for kind, versions in found.items()}

    async def of(self, kind: Kind) -> tuple[Version, ...]:
        return (await self.all())[kind]

    async def save(self, kind: Kind, version: Version) -> None:
        """Put it in force. Raises Conflict when that number was saved meanwhile; what we ship is kept beside the first."""
        ops: list[Op] = [Insert(_key(kind, version.number), _data(version))]
        if version.number == 1:
            ops.insert(0, Insert(_key(kind, 0), _data(Version(0, DEFAULTS[kind]))))
        await self._rows.transact(PARTITION, ops)

    async def drop(self, kind: Kind, numbers: Collection[int]) -> None:
        if numbers:
            await self._rows.transact(PARTITION, [Drop(_key(kind, number)) for number in sorted(numbers)])


def _key(kind: Kind, number: int) -> str:
    return f"{kind.value}|{number:06d}"


def _data(version: Version) -> dict[str, str | int | bool]:
    text = json.dumps(version.mapping.to_json(), separators=(",", ":"))
    return {"json": text, "at": version.at, "by": version.by, "strategy": version.strategy.value}


def left_behind(versions: Sequence[Version], compared: Collection[str]) -> list[int]:
    """Versions whose pairs no link remembers: every mailbox was compared in full after the next one was saved. Pure.

    `compared`: when each mailbox was compared in full last, '' = never, or it is about to be.
    """
    since = min(compared, default="")
    pairs = pairwise(versions)
    return [
        version.number
        for place, (version, following) in enumerate(pairs)
        if (since and following.at < since) or place < len(versions) - MOST_KEPT
    ]


@dataclass(frozen=True, slots=True)
class AtWork:
    """A kind's saved mapping on this CRM. `columns`: the CRM fields to read. `problems`: why pairs, or the stamp field, are left out."""

    translator: Translator
    remap: Remap
    columns: tuple[str, ...]
    stamp_field: str = ""
    problems: tuple[Problem, ...] = field(default=())


def at_work(versions: Sequence[Version], crm_catalog: Mapping[str, Field]) -> AtWork:
    """What this CRM can hold of the version in force; the rest is left out, named. Pure."""
    *earlier, now = versions
    saved = now.mapping
    problems = tuple(saved.validate(crm_catalog))
    unusable = {problem.pair for problem in problems}
    stamp = "" if any(problem.wrong is Wrong.STAMP_FIELD for problem in problems) else saved.stamp_field
    usable = FieldMapping(saved.kind, tuple(pair for pair in saved.pairs if pair.id not in unusable), stamp)
    translator, remap = moving(saved, usable, [version.mapping for version in earlier], crm_catalog)
    retired = {pair.id: pair.crm for version in earlier for pair in version.mapping.pairs}
    names = [pair.crm for pair in usable.pairs]
    names += [name for pair, name in retired.items() if pair in remap.from_crm]
    columns = tuple(name for name in dict.fromkeys(names) if name != COMPANY_NAME)
    return AtWork(translator, remap, columns, stamp, problems)


def numbers(versions: Versions) -> dict[Kind, tuple[int, ...]]:
    """By which a process knows that what it made of the versions is old."""
    return {kind: tuple(version.number for version in each) for kind, each in versions.items()}
