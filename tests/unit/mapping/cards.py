"""Cards as Graph shows them, and translators of the default mappings, for the tests of the mapping."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from hypothesis import settings
from hypothesis import strategies as st

from mapping.companies import COMPANIES
from mapping.contacts import CONTACTS
from mapping.fields import MAILBOX_CATALOG, Field, crm_catalog, slot_of
from mapping.model import FieldType, Translator, Value
from mapping.rules import translator
from tests.unit.mapping.crm import describe, lengths

steady = settings(derandomize=True, deadline=None, max_examples=120, database=None)
"""Properties are tried on the same examples every time."""


@cache
def catalog(module: str) -> Mapping[str, Field]:
    return crm_catalog(describe(module), lengths(module))


@cache
def contacts() -> Translator:
    return translator(CONTACTS, catalog("Contacts"))


@cache
def companies() -> Translator:
    return translator(COMPANIES, catalog("Accounts"))


def card(**fields: Value) -> dict[str, Value]:
    """A whole card: every property that a listing shows, empty unless given (`businessAddress__city` = businessAddress.city)."""
    whole: dict[str, Value] = {}
    for field in MAILBOX_CATALOG.values():
        root, slot = slot_of(field.name)
        if field.listed:
            whole[root] = () if slot else ""
    return {**whole, **{name.replace("__", "."): value for name, value in fields.items()}}


PIECES = st.sampled_from(
    [
        "a",
        "Z",
        "è",
        "e\u0300",
        " ",
        "\n",
        "\r\n",
        "😀",
        "????",
        "<b>",
        "<script>",
        "&lt;",
        "&amp;",
        "&",
        "'",
        "\ud83d",
        "ß",
        "İ",
    ]
)
TEXTS = st.one_of(
    st.text(max_size=12),
    st.lists(PIECES, max_size=60).map("".join),
    st.lists(PIECES, max_size=8).map(lambda parts: "".join(parts) * 40),
)
WORDS = st.text(st.sampled_from("abcXYZèß😀<>&'. "), max_size=6)
MAILS = st.from_regex(r"[a-cA-C]{1,3}@[xX]\.it", fullmatch=True)
DATES = st.sampled_from(["", "1980-03-04T11:59:00Z", "1980-03-03T23:00:00Z", "2001-02-28T05:00:00Z"])


def _values(field: Field) -> st.SearchStrategy[str]:
    if field.type is FieldType.DATE:
        return DATES
    return MAILS if field.type is FieldType.EMAIL else TEXTS


@st.composite
def cards(draw: st.DrawFn) -> dict[str, Value]:
    """Any card, many of them with few properties."""
    fields = card()
    listed = [each for each in MAILBOX_CATALOG.values() if each.listed]
    for field in draw(st.lists(st.sampled_from(listed), unique_by=lambda f: f.name, max_size=8)):
        root, slot = slot_of(field.name)
        if slot:
            fields[root] = draw(st.lists(_values(field), max_size=3 if root == "emailAddresses" else 2).map(tuple))
        else:
            fields[root] = draw(_values(field))
    for name in draw(st.sets(st.sampled_from(["givenName", "surname", "companyName", "displayName"]))):
        fields[name] = draw(WORDS)
    return fields
