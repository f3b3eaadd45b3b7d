"""The contract between mapping and engine: what a field pair is and what a translator can do. No I/O.

A *field pair* ties one CRM field to one mailbox field. A mailbox field is named as Graph spells it, flattened: `surname`,
`businessAddress.city`, and with a slot number for an element of a list: `emailAddresses#2`, `businessPhones#1`. In an item's fields a
list is one tuple under its plain name (`emailAddresses`), everything else is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

Value = str | tuple[str, ...]


class FieldType(StrEnum):
    TEXT = "text"
    MULTILINE = "multiline"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    DATE = "date"
    CHOICE = "choice"
    NUMBER = "number"
    BOOLEAN = "boolean"
    REFERENCE = "reference"
    OWNER = "owner"
    DATETIME = "datetime"


class Direction(StrEnum):
    BOTH = "both"
    TO_CRM = "to_crm"
    TO_MAILBOX = "to_mailbox"


class Mode(StrEnum):
    ALWAYS = "always"
    ONLY_IF_EMPTY = "only_if_empty"
    ON_CREATE = "on_create"


@dataclass(frozen=True, slots=True)
class FieldPair:
    """`id` is stable for a (crm, mailbox) combination: bases are kept under it."""

    crm: str
    mailbox: str
    direction: Direction = Direction.BOTH
    mode: Mode = Mode.ALWAYS
    id: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"{self.crm}~{self.mailbox}")  # asked for some hundred times per item


@dataclass(frozen=True, slots=True)
class Rendered:
    """What to write on a side: the side's own field names, with whole lists; and what had to be given up on the way.

    `held`: field pair id -> what that side is expected to hold afterwards, normalised (the image of what was sent).
    `flags` are values of sync.model.Flag, `refused` the field pair ids that were left out (choice or company unknown).
    """

    fields: Mapping[str, Value]
    held: Mapping[str, str]
    flags: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()


Anchor = Callable[[str, str], bool]
"""(field pair id, normalised value) -> is this what the mailbox held in that pair when both sides last agreed?"""


class Translator(Protocol):
    """One kind's mapping, ready to use. Pure and total: any field content gives an answer.

    *Normalised* value: text in one spelling (no trailing spaces, \\n line ends, e-mail and URL compared without case ...), '' = empty.
    """

    kind: str
    version: str  # of the normaliser: part of every digest
    pairs: Sequence[FieldPair]

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        """Field pair id -> normalised value that the CRM item holds. Pairs whose field was not read are left out."""
        ...

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        """Field pair id -> normalised value that the mailbox item holds.

        Elements of a list are given to the slots whose anchor recognises them, the others to the remaining slots (first the slots that held
        something, then the free ones, in order): so that removing the first of two addresses does not look like an edit of both.
        Pairs that a mailbox listing cannot show (fax) are left out.
        """
        ...

    def image(self, pair: str, value: str) -> str:
        """The value as the poorer side can hold it. Both sides say the same exactly when the images of their values are equal."""
        ...

    def render_crm(
        self,
        values: Mapping[str, str],
        current: Mapping[str, Value] | None,
        accounts: Mapping[str, tuple[str, ...]],
    ) -> Rendered:
        """CRM fields to write for these pair values. `current` None = a new item (mandatory fields are then filled by SPEC 1.7).

        `accounts`: company name (normalised) -> ids of the Accounts of that name, for the pair company name <-> account_id.
        """
        ...

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        """Mailbox fields to write: lists whole (elements that no pair maps are kept), derived fields (displayName, fileAs) included.

        `anchor`: as in `mailbox_values`, of the link that `current` belongs to. Without it elements go by place, which takes the second
        of two addresses for the first when the first was removed.
        """
        ...

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        """Field pair ids that, for this item, travel mailbox -> crm only (a body with pictures, what is masked)."""
        ...

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        """Does a card hold enough to become a CRM item of this kind (SPEC 1.7)?"""
        ...
