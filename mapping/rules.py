"""A mapping as an admin edits it: field pairs of one kind, checked, stored as JSON, and turned into a translator.

Never does: changing a pair by itself. What is wrong with a mapping is said (`validate`), and nothing is translated with it before that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from mapping.fields import COMPANY_NAME, MAILBOX_CATALOG, Field, compatible
from mapping.model import Direction, FieldPair, FieldType, Mode, Translator
from mapping.names import COMPANY
from mapping.translate import COMPANY_LINK, LAST_NAME, BoundPair, CardTranslator

KINDS = ("contact", "company")
MOST_PAIRS = 150
"""More than either side has fields for; the whole fits one property of the store."""
NAMES: Mapping[str, FieldPair] = {"contact": LAST_NAME, "company": FieldPair("accountname", COMPANY)}
"""The pair by which a card is known to be of a kind (mapping/names): it cannot be missing, nor go to the CRM only."""
TOKEN = 36
"""Characters of the token that a stamp field carries."""
_E = TypeVar("_E", bound=StrEnum)


class BadMapping(ValueError):
    """A stored or submitted mapping that cannot be read: `where` in it, and what is `expected` there."""

    def __init__(self, where: str, expected: str) -> None:
        super().__init__(f"{where}: expected {expected}")
        self.where = where
        self.expected = expected


class Wrong(StrEnum):
    """What can be wrong with a readable mapping."""

    UNKNOWN_CRM_FIELD = "unknown_crm_field"
    UNKNOWN_MAILBOX_FIELD = "unknown_mailbox_field"
    DIFFERENT_TYPES = "different_types"
    CRM_READ_ONLY = "crm_read_only"
    MAILBOX_DERIVED = "mailbox_derived"
    NEVER_LISTED = "never_listed"
    WRITTEN_TWICE = "written_twice"
    PAIR_TWICE = "pair_twice"
    MANDATORY_MISSING = "mandatory_missing"
    COMPANY_FIXED = "company_fixed"
    NAME_FIXED = "name_fixed"
    STAMP_FIELD = "stamp_field"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a mapping. `pair`: its id, '' = the mapping as a whole; `names`: fields and types it speaks of, in the order
    of its sentence (control/texts)."""

    wrong: Wrong
    pair: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmapped:
    """Fields that no pair speaks of: never written, never wiped."""

    crm: tuple[Field, ...]
    mailbox: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """The field pairs of one kind. `stamp_field`: a custom field of contacts that carries our token, '' = none (DESIGN 4)."""

    kind: str
    pairs: tuple[FieldPair, ...]
    stamp_field: str = ""

    @property
    def version(self) -> str:
        """Changes with every change of the mapping."""
        text = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, object]:
        """What `from_json` reads."""
        pairs = [
            {"crm": p.crm, "mailbox": p.mailbox, "direction": p.direction.value, "mode": p.mode.value}
            for p in self.pairs
        ]
        return {"kind": self.kind, "pairs": pairs, **({"stamp_field": self.stamp_field} if self.stamp_field else {})}

    @classmethod
    def from_json(cls, data: object) -> FieldMapping:
        """The mapping that a parsed JSON document says; direction and mode may be left out. Raises BadMapping."""
        if not isinstance(data, Mapping):
            raise BadMapping("mapping", "an object with kind and pairs")
        kind, entries, stamp = data.get("kind"), data.get("pairs"), data.get("stamp_field", "")
        unknown = sorted(str(key) for key in data if key not in ("kind", "pairs", "stamp_field"))
        if unknown:
            raise BadMapping(unknown[0], "kind, pairs or stamp_field")
        if kind not in KINDS:
            raise BadMapping("kind", " | ".join(KINDS))
        if not isinstance(entries, Sequence) or isinstance(entries, str) or len(entries) > MOST_PAIRS:
            raise BadMapping("pairs", f"a list of at most {MOST_PAIRS} pairs")
        if not isinstance(stamp, str):
            raise BadMapping("stamp_field", "the name of a custom field, or ''")
        return cls(str(kind), tuple(_pair(f"pairs[{i}]", entry) for i, entry in enumerate(entries)), stamp)

    def validate(self, crm_catalog: Mapping[str, Field]) -> list[Problem]:
        """Everything that is wrong with it for this CRM, in the order of the pairs; [] = usable."""
        problems = [problem for pair in self.pairs for problem in _check(self.kind, pair, crm_catalog)]
        ids = [pair.id for pair in self.pairs]
        twice = {pair for pair in ids if ids.count(pair) > 1}
        problems += [Problem(Wrong.PAIR_TWICE, pair, tuple(pair.split("~"))) for pair in sorted(twice)]
        for side, towards in (("crm", Direction.TO_CRM), ("mailbox", Direction.TO_MAILBOX)):
            seen: set[str] = set()
            for pair in self.pairs:
                name = pair.crm if side == "crm" else pair.mailbox
                if pair.direction not in (Direction.BOTH, towards):
                    continue
                if name in seen and pair.id not in twice:
                    problems.append(Problem(Wrong.WRITTEN_TWICE, pair.id, (name,)))
                seen.add(name)
            if side == "crm":
                needed = (f for f in crm_catalog.values() if f.mandatory and f.type is not FieldType.OWNER)
                missing = (field.name for field in needed if field.name not in seen)
                problems += [Problem(Wrong.MANDATORY_MISSING, "", (name,)) for name in missing]
        fixed = NAMES[self.kind]
        named = any(pair.id == fixed.id and pair.direction is not Direction.TO_CRM for pair in self.pairs)
        if not named and all(problem.wrong is not Wrong.MANDATORY_MISSING for problem in problems):
            problems.append(Problem(Wrong.NAME_FIXED, fixed.id, (fixed.crm, fixed.mailbox)))
        return problems + self._stamp(crm_catalog)

    def _stamp(self, crm_catalog: Mapping[str, Field]) -> list[Problem]:
        """The one field for our token: a custom text field of contacts that nobody else fills."""
        if not self.stamp_field:
            return []
        field = crm_catalog.get(self.stamp_field)
        custom = self.kind == "contact" and self.stamp_field.startswith("cf_")
        mapped = any(pair.crm == self.stamp_field for pair in self.pairs)
        fits = field is not None and field.type is FieldType.TEXT and field.writable
        roomy = field is not None and (field.max_length or TOKEN) >= TOKEN
        return [] if custom and not mapped and fits and roomy else [Problem(Wrong.STAMP_FIELD, "", (self.stamp_field,))]


def _pair(where: str, entry: object) -> FieldPair:
    if not isinstance(entry, Mapping):
        raise BadMapping(where, "an object with crm, mailbox, direction, mode")
    unknown = sorted(str(key) for key in entry if key not in ("crm", "mailbox", "direction", "mode"))
    if unknown:
        raise BadMapping(f"{where}.{unknown[0]}", "crm, mailbox, direction or mode")
    names: list[str] = []
    for side in ("crm", "mailbox"):
        name = entry.get(side)
        if not isinstance(name, str) or not name:
            raise BadMapping(f"{where}.{side}", "the name of a field")
        names.append(name)
    direction = _word(Direction, f"{where}.direction", entry.get("direction", Direction.BOTH.value))
    return FieldPair(names[0], names[1], direction, _word(Mode, f"{where}.mode", entry.get("mode", Mode.ALWAYS.value)))


def _word(words: type[_E], where: str, value: object) -> _E:
    found = next((word for word in words if word.value == value), None)
    if found is None:
        raise BadMapping(where, " | ".join(word.value for word in words))
    return found


def _check(kind: str, pair: FieldPair, crm_catalog: Mapping[str, Field]) -> list[Problem]:
    """What is wrong with one pair by itself."""
    crm, mailbox = crm_catalog.get(pair.crm), MAILBOX_CATALOG.get(pair.mailbox)
    problems: list[Problem] = []
    if crm is None or pair.crm == COMPANY_NAME:
        problems.append(Problem(Wrong.UNKNOWN_CRM_FIELD, pair.id, (pair.crm,)))
    if mailbox is None:
        problems.append(Problem(Wrong.UNKNOWN_MAILBOX_FIELD, pair.id, (pair.mailbox,)))
    if crm is None or mailbox is None:
        return problems
    if kind == "contact" and COMPANY_LINK.crm == pair.crm:
        if pair.mailbox != COMPANY_LINK.mailbox:
            problems.append(Problem(Wrong.COMPANY_FIXED, pair.id, (COMPANY_LINK.mailbox,)))
    elif not compatible(crm.type, mailbox.type):
        names = (crm.name, crm.type.value, mailbox.name, mailbox.type.value)
        problems.append(Problem(Wrong.DIFFERENT_TYPES, pair.id, names))
    if not crm.writable and pair.direction is not Direction.TO_MAILBOX:
        problems.append(Problem(Wrong.CRM_READ_ONLY, pair.id, (crm.name,)))
    if mailbox.derived and pair.direction is not Direction.TO_CRM:
        problems.append(Problem(Wrong.MAILBOX_DERIVED, pair.id, (mailbox.name,)))
    if not mailbox.listed and pair.direction is not Direction.TO_MAILBOX:
        problems.append(Problem(Wrong.NEVER_LISTED, pair.id, (mailbox.name,)))
    return problems


def unmapped(mapping: FieldMapping, crm_catalog: Mapping[str, Field]) -> Unmapped:
    """The fields of both sides that the mapping does not speak of, without those that the servers or the connector fill."""
    crm_names, mailbox_names = {p.crm for p in mapping.pairs}, {p.mailbox for p in mapping.pairs}
    crm = (f for f in crm_catalog.values() if f.name not in crm_names and f.writable and f.type is not FieldType.OWNER)
    mailbox = (f for f in MAILBOX_CATALOG.values() if f.name not in mailbox_names and not f.derived)
    return Unmapped(tuple(crm), tuple(mailbox))


def translator(mapping: FieldMapping, crm_catalog: Mapping[str, Field]) -> Translator:
    """The mapping at work. Raises BadMapping, naming the pair, when `validate` finds something wrong."""
    problems = mapping.validate(crm_catalog)
    if problems:
        first = problems[0]
        raise BadMapping(first.pair or mapping.kind, " ".join((f"no {first.wrong.value}:", *first.names)))
    bound = (BoundPair(pair, crm_catalog[pair.crm], MAILBOX_CATALOG[pair.mailbox]) for pair in mapping.pairs)
    return CardTranslator(mapping.kind, bound)
