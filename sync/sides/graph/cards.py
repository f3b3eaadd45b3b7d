"""A contact of Graph as an `Item`, and fields of an `Item` as a contact of Graph. Pure.

Fields are named as mapping/model.py says: text under its Graph name ('' = null), a list as one tuple, an address flattened to
`businessAddress.city`. Beside `emailAddresses` stands `emailAddresses.name`, the shown names in the same order: PATCH replaces
the whole list (BEHAVIOUR 7.1), so they must be sent again with the addresses that stay. What Graph did not send is left out, and
what was not given is not sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mapping import kind_of_card
from sync.model import Item, Kind, Side, Value
from sync.sides.graph.answers import Json, seconds
from sync.sides.graph.stamps import stamp_of, stamped

TEXTS = (
    "assistantName",
    "birthday",
    "businessHomePage",
    "companyName",
    "department",
    "displayName",
    "fileAs",
    "generation",
    "givenName",
    "initials",
    "jobTitle",
    "manager",
    "middleName",
    "mobilePhone",
    "nickName",
    "officeLocation",
    "personalNotes",
    "profession",
    "spouseName",
    "surname",
    "title",
    "yomiCompanyName",
    "yomiGivenName",
    "yomiSurname",
)
LISTS = ("businessPhones", "homePhones", "imAddresses", "children")
ADDRESSES = ("businessAddress", "homeAddress", "otherAddress")
PARTS = ("street", "city", "state", "postalCode", "countryOrRegion")
_FLAT = {name: tuple((part, f"{name}.{part}") for part in PARTS) for name in ADDRESSES}
EMAILS = "emailAddresses"
NAMES = "emailAddresses.name"

EXTENDED = {
    "ext:businessFax": "String 0x3A24",
    "ext:homeFax": "String 0x3A25",
    "ext:otherPhone": "String 0x3A1F",
    "ext:companyMainPhone": "String 0x3A57",
}
"""Phones without a place in v1.0 (BEHAVIOUR 7.1): written, never read, because no listing shows them."""

WHOLE = frozenset({"givenName", "surname", "companyName", EMAILS, "businessPhones", "parentFolderId"})
"""What a whole contact always shows: a delta may hold only what changed (BEHAVIOUR 2.1)."""


def is_whole(card: Json) -> bool:
    """Does it show enough to be read as a whole contact?"""
    return card.keys() >= WHOLE


def item_of(card: Json, mailbox: str, stamp: str | None = None) -> Item:
    """The item that a contact is. `stamp`: where it is known already; else what the answer was expanded with, '' when it was not."""
    fields = fields_of(card)
    kind = kind_of_card(fields)
    return Item(
        side=Side.MAILBOX,
        kind=Kind(kind) if kind else Kind.CONTACT,
        id=str(card["id"]),
        version=str(card.get("@odata.etag") or ""),
        fields=fields,
        owner=mailbox,
        stamp=stamp_of(card) if stamp is None else stamp,
        modified=seconds(str(card.get("lastModifiedDateTime") or "")),
    )


def fields_of(card: Json) -> dict[str, Value]:
    """The fields that the contact shows, flattened. Unset values come as null, '' or {} (BEHAVIOUR 7.1): all mean empty."""
    fields: dict[str, Value] = {name: card[name] or "" for name in TEXTS if name in card}
    for name in LISTS:
        if name in card:
            fields[name] = tuple(each for each in card[name] or () if each)
    for name in ADDRESSES:
        if name in card:
            address = card[name] or {}
            for part, flat in _FLAT[name]:
                fields[flat] = address.get(part) or ""
    if EMAILS in card:
        kept = [each for each in card[EMAILS] or () if each and each.get("address")]
        fields[EMAILS] = tuple(each["address"] for each in kept)
        fields[NAMES] = tuple(each.get("name") or "" for each in kept)
    return fields


def card_of(fields: Mapping[str, Value], present: Mapping[str, Value] | None = None, stamp: str = "") -> dict[str, Any]:
    """The body of a POST or PATCH for these fields. `present`: what the contact holds now, to complete what Graph replaces whole."""
    held = present or {}
    card: dict[str, Any] = {}
    extended = stamped(stamp)
    for name, value in fields.items():
        root, _, part = name.partition(".")
        if name in EXTENDED:
            extended.append({"id": EXTENDED[name], "value": _text(value)})
        elif name == EMAILS:
            card[name] = _emails(value, held)
        elif root in ADDRESSES and part:
            card[root] = _address(root, fields, held)
        elif name == "birthday":
            card[name] = _birthday(_text(value))
        elif name != NAMES:
            card[name] = list(value) if isinstance(value, tuple) else value or None
    if extended:
        card["singleValueExtendedProperties"] = extended
    return card


def _emails(value: Value, held: Mapping[str, Value]) -> list[dict[str, str]]:
    addresses = value if isinstance(value, tuple) else (value,)
    before = zip(_tuple(held.get(EMAILS)), _tuple(held.get(NAMES)), strict=False)
    names = {address.casefold(): name for address, name in before if name}
    return [
        {"address": address, "name": names[address.casefold()]} if address.casefold() in names else {"address": address}
        for address in addresses
        if address
    ]


def _address(root: str, fields: Mapping[str, Value], held: Mapping[str, Value]) -> dict[str, str | None]:
    """All five parts, the untouched ones as they are: a PATCH replaces an address as a whole (BEHAVIOUR 7.1)."""
    names = {part: f"{root}.{part}" for part in PARTS}
    return {part: _text(fields.get(name, held.get(name, ""))) or None for part, name in names.items()}


def _birthday(text: str) -> str | None:
    """Only the date matters; 11:59Z is what Outlook's own clients store (BEHAVIOUR 7.1), the same day in nearly every zone."""
    return f"{text[:10]}T11:59:00Z" if text else None


def _text(value: Value | None) -> str:
    return value if isinstance(value, str) else ""


def _tuple(value: Value | None) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else ()
