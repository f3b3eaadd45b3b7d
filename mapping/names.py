"""Names of people: a card that knows little, and a CRM that demands a last name (SPEC 1.7); shown names; what kind a card is (SPEC 1.2).

The *view* of a card is how the CRM would say its names: (first name, last name). Writing back undoes the view, so that nothing bounces:
the view of the card that was written is what was written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from mapping.model import FieldType, Value
from mapping.normalise import normalise

GIVEN, FAMILY, COMPANY, DISPLAY = "givenName", "surname", "companyName", "displayName"
NAME_PARTS = frozenset({GIVEN, FAMILY, COMPANY, "middleName", "generation"})


def text_at(fields: Mapping[str, Value], name: str) -> str:
    """A name in one spelling, without blanks around it; '' when it is empty, absent or a list."""
    value = fields.get(name, "")
    return (normalise(FieldType.TEXT, value) or "").strip() if isinstance(value, str) else ""


def first_address(fields: Mapping[str, Value]) -> str:
    """The first e-mail address of a card, '' = none."""
    addresses = fields.get("emailAddresses", ())
    given = (addresses,) if isinstance(addresses, str) else addresses
    return next((word for word in (each.strip() for each in given) if word), "")


def kind_of_card(fields: Mapping[str, Value]) -> Literal["contact", "company"] | None:
    """A card without first and last name but with a company name is a company. None: nothing that a CRM item could be named after."""
    if not is_nameless(fields):
        return "contact"
    if text_at(fields, COMPANY):
        return "company"
    return "contact" if text_at(fields, DISPLAY) or first_address(fields) else None


@dataclass(frozen=True, slots=True)
class CrmNames:
    """A person's names as vtenext holds them."""

    first: str
    last: str


def local_part(address: str) -> str:
    """What stands before the @."""
    return address.partition("@")[0].strip() or address.strip()


def view(fields: Mapping[str, Value]) -> CrmNames:
    """The names of a card as the CRM would say them: given name only -> last name; no name -> shown name, or local part of the address."""
    given, family = text_at(fields, GIVEN), text_at(fields, FAMILY)
    if family:
        return CrmNames(given, family)
    if given:
        return CrmNames("", given)
    shown, address = text_at(fields, DISPLAY), first_address(fields)
    computed = shown in {"", address, text_at(fields, COMPANY)}  # says nothing about the person
    return CrmNames("", local_part(address) if computed else shown)


def written(names: CrmNames, card: Mapping[str, Value] | None) -> dict[str, str]:
    """Name fields of a card that is to be viewed as `names`. `card`: as it is now, None = a new one."""
    only_given = card is not None and bool(text_at(card, GIVEN)) and not text_at(card, FAMILY)
    if only_given and not names.first:
        return {GIVEN: names.last, FAMILY: ""}
    return {GIVEN: names.first, FAMILY: names.last}


def is_nameless(card: Mapping[str, Value]) -> bool:
    """Has it neither first nor last name?"""
    return not text_at(card, GIVEN) and not text_at(card, FAMILY)


# Shown names -------------------------------------------------------------------------------------------------------------


def _joined(fields: Mapping[str, Value], *parts: str) -> str:
    names = " ".join(text for text in (text_at(fields, part) for part in parts) if text)
    return names or text_at(fields, COMPANY)


def plain_name(fields: Mapping[str, Value]) -> str:
    """'given surname', or the company."""
    return _joined(fields, GIVEN, FAMILY)


def full_name(fields: Mapping[str, Value]) -> str:
    """As Exchange computes it."""
    return _joined(fields, GIVEN, "middleName", FAMILY, "generation")


_FORMS: tuple[Callable[[Mapping[str, Value]], str], ...] = (plain_name, full_name)


def shown_name(before: Mapping[str, Value], after: Mapping[str, Value]) -> str:
    """The displayName to send with a change: computed anew if it was computed before, else the user's own. '' = leave it alone.

    It is sent with every change, because the server computes it anew when other name fields change (BEHAVIOUR 7.1).
    """
    shown = text_at(before, DISPLAY)
    changed = any(text_at(before, part) != text_at(after, part) for part in NAME_PARTS)
    if not changed:
        return shown
    if shown in {"", first_address(before)}:
        return plain_name(after) or shown
    return next((form(after) for form in _FORMS if form(before) == shown and form(after)), shown)
