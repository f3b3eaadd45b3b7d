"""Spelling and images of values, against an independent model of what vtenext loses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.model import FieldType
from mapping.normalise import image, kept, name_image, normalise, sendable
from tests.unit.mapping.cards import TEXTS, steady
from tests.unit.mapping.crm import ORDERS, read_back

LIMITS = st.one_of(st.none(), st.integers(1, 60))
KINDS = st.sampled_from(list(FieldType))
TEXT_KINDS = st.sampled_from(
    [FieldType.TEXT, FieldType.MULTILINE, FieldType.EMAIL, FieldType.PHONE, FieldType.URL, FieldType.CHOICE]
)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldType.TEXT, "Anna \r\n", "Anna"),
        (FieldType.TEXT, "  Anna", "  Anna"),
        (FieldType.MULTILINE, "a\r\nb\rc\n\n", "a\nb\nc"),
        (FieldType.TEXT, "half \ud83d", "half \ufffd"),
        (FieldType.EMAIL, " Anna@Rossi.it ", "Anna@Rossi.it"),
        (FieldType.PHONE, "+39 02 123-456 ", "+39 02 123-456"),
        (FieldType.CHOICE, "--None--", ""),
        (FieldType.CHOICE, "Mr.", "Mr."),
        (FieldType.NUMBER, "1500000.50", "1500000.5"),
        (FieldType.NUMBER, "-0.00", "0"),
        (FieldType.NUMBER, "many", None),
        (FieldType.NUMBER, "NaN", None),
        (FieldType.BOOLEAN, "on", "1"),
        (FieldType.BOOLEAN, "", "0"),
        (FieldType.REFERENCE, "0", ""),
        (FieldType.OWNER, "19x4", "19x4"),
        (FieldType.DATETIME, "0000-00-00 00:00:00", ""),
    ],
)
def test_one_spelling(kind: FieldType, value: str, expected: str | None) -> None:
    assert normalise(kind, value) == expected


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1980-03-04", "1980-03-04"),
        ("1980-03-04T11:59:00Z", "1980-03-04"),  # Outlook
        ("1980-03-04T11:59:00.0000000Z", "1980-03-04"),
        ("1980-03-04T00:00:00Z", "1980-03-04"),
        ("1980-03-04T12:00:00Z", "1980-03-04"),
        ("1980-03-03T23:00:00Z", "1980-03-04"),  # midnight in Rome
        ("1980-07-03T22:00:00Z", "1980-07-04"),  # midnight in Rome, summer
        ("1980-03-04T05:00:00Z", "1980-03-04"),  # midnight in New York
        ("1980-03-04T00:00:00+01:00", "1980-03-04"),
        ("2000-02-28T23:00:00Z", "2000-02-29"),
        ("", ""),
        ("0000-00-00", ""),
        ("04-03-1980", None),
        ("1980-02-30", None),
        ("1980-03", None),
        ("0001-01-01T00:00:00+10:00", None),
        ("9999-12-31T23:59:59Z", None),
    ],
)
def test_a_birthday_is_the_nearest_day(value: str, day: str | None) -> None:
    assert normalise(FieldType.DATE, value) == day


@steady
@given(KINDS, TEXTS)
def test_normalising_is_idempotent_and_total(kind: FieldType, value: str) -> None:
    once = normalise(kind, value)
    if once is not None:
        once.encode()
        assert normalise(kind, once) == once


@steady
@given(KINDS, TEXTS, LIMITS)
def test_an_image_has_the_same_image(kind: FieldType, value: str, limit: int | None) -> None:
    once = image(kind, value, limit)
    assert image(kind, once, limit) == once


@steady
@given(TEXTS, LIMITS)
def test_a_company_name_has_the_same_image(value: str, limit: int | None) -> None:
    once = name_image(value, limit)
    assert name_image(once, limit) == once


@steady
@given(TEXT_KINDS, TEXTS, LIMITS, st.sampled_from(ORDERS))
def test_what_the_crm_gives_back_has_the_image_of_what_travelled(
    kind: FieldType, raw: str, limit: int | None, order: str
) -> None:
    value = normalise(kind, raw) or ""
    assert image(kind, read_back(value, limit, order), limit) == image(kind, value, limit)
    assert name_image(read_back(value, limit, order), limit) == name_image(value, limit)


@steady
@given(TEXTS, LIMITS, st.sampled_from(ORDERS))
def test_what_is_sent_loses_nothing_more(value: str, limit: int | None, order: str) -> None:
    sent = sendable(value, limit)
    assert kept(read_back(sent, limit, order), limit) == kept(value, limit)
    assert limit is None or len(sent) <= limit or sent != kept(value, limit)


def test_what_is_compared_without_case() -> None:
    assert image(FieldType.EMAIL, "Anna@ROSSI.it", 100) == image(FieldType.EMAIL, "anna@rossi.it", 100)
    assert image(FieldType.URL, "HTTPS://WWW.Rossi.it/Chi", 100) == "https://www.rossi.it/Chi"
    assert image(FieldType.URL, "WWW.Rossi.it", 100) == "www.rossi.it"
    assert image(FieldType.TEXT, "Anna", 100) != image(FieldType.TEXT, "anna", 100)
    assert name_image("Società ROSSI ", 100) == name_image("Societa\u0300 rossi", 100) == "societa rossi"


def test_every_lost_character_counts_four() -> None:
    assert kept("ciao 😀😀", 40) == "ciao ????????"
    assert kept("😀😀", 6) == "??????"


def test_tags_are_compared_as_typed() -> None:
    shown = "&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;x&lt;/b&gt; a&amp;b & c"
    typed = "<script>alert(1)</script><b>x</b> a&amp;b & c"
    assert kept(shown, None) == kept(typed, None) == typed


def test_a_cut_leaves_no_part_of_a_tag() -> None:
    assert kept("abc<script>", 5) == sendable("abc<script>", 5) == "abc"
    assert kept("abc<script>", 7) == "abc<"


def test_entities_that_were_typed_are_sent_as_typed() -> None:
    assert sendable("1 &lt; 2 &amp; 3", 100) == "1 &lt; 2 &amp; 3"


@pytest.mark.parametrize("character", ["\u226e", "\u00e0", "\u0130", "\u1e9e", "\uac00", "\u212b"])
def test_company_names_of_odd_characters(character: str) -> None:
    """U+226E decomposes into '<', which counts four when a cut is made."""
    for text in (character * 12, f"a{character}", f"{character}\u0300 "):
        once = name_image(text, 10)
        assert name_image(once, 10) == once
