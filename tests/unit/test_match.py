"""Who is the same person: only what is one to one is joined."""

from __future__ import annotations

import pytest

from sync.match import match, same
from sync.model import Kind
from sync.sides.base import NaturalKey


def person(*emails: str, given: str = "", family: str = "", company: str = "") -> NaturalKey:
    return NaturalKey(Kind.CONTACT, emails, given, family, company)


ANNA = person("anna@x.it", given="Anna", family="Rossi", company="Acme")


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (person("ANNA@x.it", given="anna", family="ROSSI"), True),
        (person("anna@x.it"), True),
        (person("anna@x.it", given="Carlo", family="Neri"), False),  # a shared address
        (person("other@x.it", given="Anna", family="Rossi", company="acme"), True),
        (person("other@x.it", given="Anna", family="Rossi", company="Beta"), False),
        (person(given="Anna", family="Rossi"), False),  # a name alone is no proof
        (person(given="", family="", company="Acme"), False),
        (NaturalKey(Kind.COMPANY, ("anna@x.it",), "", "", "Acme"), False),
    ],
)
def test_same(other: NaturalKey, expected: bool) -> None:
    assert same(ANNA, other) is expected
    assert same(other, ANNA) is expected


def test_companies_are_the_same_by_name() -> None:
    one, two = (NaturalKey(Kind.COMPANY, (), "", "", name) for name in ("Acme Srl", "acme  srl"))
    assert same(one, two)


def test_one_to_one_is_joined() -> None:
    result = match([("c1", ANNA)], [("4x1", ANNA), ("4x2", person("b@x.it", family="Bruni"))])
    assert (result.pairs, result.unsure) == ({"c1": "4x1"}, {})


def test_several_records_are_a_question() -> None:
    result = match([("c1", ANNA)], [("4x1", ANNA), ("4x2", ANNA)])
    assert result.pairs == {}
    assert result.unsure == {"c1": ("4x1", "4x2"), "4x1": ("c1",), "4x2": ("c1",)}


def test_two_cards_of_one_record_are_a_question() -> None:
    result = match([("c1", ANNA), ("c2", ANNA)], [("4x1", ANNA)])
    assert result.pairs == {}
    assert set(result.unsure) == {"c1", "c2", "4x1"}


def test_a_card_of_a_record_that_has_one_already_is_a_question() -> None:
    result = match([("copy", ANNA)], [("4x1", ANNA)], taken={"4x1"})
    assert (result.pairs, result.unsure) == ({}, {"copy": ("4x1",)})


def test_nothing_alike_is_nothing() -> None:
    result = match([("c1", ANNA)], [("4x2", person("b@x.it", family="Bruni"))])
    assert (result.pairs, result.unsure) == ({}, {})
