"""What an admin should know about a mapping that is right: where values will be given up on the way. Pure; refuses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mapping.fields import MAILBOX_CATALOG, Field
from mapping.model import Direction, FieldPair, FieldType
from mapping.rules import FieldMapping
from mapping.translate import COMPANY_LINK

USUAL: Mapping[FieldType, int] = {
    FieldType.TEXT: 40,
    FieldType.MULTILINE: 250,
    FieldType.EMAIL: 100,
    FieldType.PHONE: 30,
    FieldType.URL: 100,
}
"""Characters that values of a type commonly need. Exchange names no limits of its own for contacts, so a warning compares with this."""


class Advice(StrEnum):
    """What is worth knowing about a pair."""

    CRM_SHORTER = "crm_shorter"
    CHOICES = "choices"


@dataclass(frozen=True, slots=True)
class Warned:
    """`names`: what its sentence speaks of, in the sentence's order (control/texts)."""

    advice: Advice
    pair: str
    names: tuple[str, ...]


def advice(mapping: FieldMapping, crm_catalog: Mapping[str, Field]) -> list[Warned]:
    """Everything worth knowing, in the order of the pairs. Pairs that cannot be used are spoken of by `FieldMapping.validate`."""
    return [warned for pair in mapping.pairs for warned in _about(pair, crm_catalog)]


def _about(pair: FieldPair, crm_catalog: Mapping[str, Field]) -> Iterator[Warned]:
    crm, mailbox = crm_catalog.get(pair.crm), MAILBOX_CATALOG.get(pair.mailbox)
    if crm is None or mailbox is None or pair.direction is Direction.TO_MAILBOX or pair.id == COMPANY_LINK.id:
        return
    if crm.type is FieldType.CHOICE:
        yield Warned(Advice.CHOICES, pair.id, (crm.name, mailbox.name))
    elif crm.max_length is not None and crm.max_length < USUAL.get(mailbox.type, 0):
        yield Warned(Advice.CRM_SHORTER, pair.id, (crm.name, str(crm.max_length), mailbox.name))
