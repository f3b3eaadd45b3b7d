"""A quiet pair is settled without more work than it takes: digests are most of what a comparison in full costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.model import FieldPair, FieldType
from mapping.normalise import image, normalise
from sync.merge import Sealed
from sync.model import Held, Side
from tests.unit.plain import NAME, PHONE, PlainDigests


class Counted(PlainDigests):
    """Digests that count how often they are computed."""

    def __init__(self) -> None:
        self.made = self.compared = 0

    def digest(self, link: str, pair: str, version: str, value: str) -> str:
        self.made += 1
        return f"{pair}:{version}:{value}"

    def matches(self, digest: str, link: str, pair: str, version: str, value: str) -> bool | None:
        self.compared += 1
        return digest == f"{pair}:{version}:{value}" if ":1:" in digest else None


def sealed(digests: Counted, name: tuple[str, str] = ("Anna", "Anna")) -> Sealed:
    return Sealed("link", "1", {NAME: Held(*(f"{NAME}:1:{value}" for value in name))}, digests)


def test_what_both_sides_say_alike_is_digested_once() -> None:
    digests = Counted()
    base = sealed(digests)
    assert base.anchor()(NAME, "Anna")
    assert base.settled(NAME, "Anna", "Anna")
    assert base.unchanged(Side.CRM, NAME, "Anna") is True
    assert digests.compared == 1
    assert base.seal(NAME, "Bruno", "Bruno") == Held(f"{NAME}:1:Bruno", f"{NAME}:1:Bruno")
    assert digests.made == 1


@pytest.mark.parametrize(
    ("held", "now"),
    [
        (("Anna", "Anna"), ("Anna", "Bruno")),
        (("Anna", "Anna"), ("Bruno", "Anna")),
        (("Anna", "Anna"), ("Bruno", "Bruno")),
        (("Anna", "ANNA"), ("Anna", "Anna")),
        (("Anna", "ANNA"), ("ANNA", "ANNA")),
        (("Anna", "ANNA"), ("ANNA", "Anna")),
        (("Anna", "Anna"), ("Anna", None)),
        (("Anna", "Anna"), (None, "Anna")),
    ],
)
def test_an_edit_or_what_was_not_read_settles_nothing(
    held: tuple[str, str], now: tuple[str | None, str | None]
) -> None:
    assert not sealed(Counted(), held).settled(NAME, *now)


def test_sides_that_agreed_on_two_spellings_are_settled_when_each_keeps_its_own() -> None:
    assert sealed(Counted(), ("Anna", "ANNA")).settled(NAME, "Anna", "ANNA")


def test_what_was_never_agreed_on_or_is_not_comparable_is_not_settled() -> None:
    base = Sealed("link", "1", {NAME: Held("old", "old")}, Counted())
    assert not base.settled(NAME, "Anna", "Anna")
    assert not base.settled(PHONE, "", "")
    assert base.unchanged(Side.CRM, NAME, "Anna") is None


@given(st.lists(st.tuples(st.sampled_from(Side), st.sampled_from([NAME, PHONE]), st.sampled_from(["", "a", "b"]))))
def test_what_was_asked_before_changes_no_answer(asked: list[tuple[Side, str, str]]) -> None:
    base = {pair: Held(f"{pair}:1:a", f"{pair}:1:b") for pair in (NAME, PHONE)}
    one = Sealed("link", "1", base, Counted())
    for each in asked:
        assert one.unchanged(*each) is Sealed("link", "1", base, Counted()).unchanged(*each)


@pytest.mark.parametrize("kind", FieldType)
def test_nothing_is_nothing_in_every_type(kind: FieldType) -> None:
    empty = "0" if kind is FieldType.BOOLEAN else ""
    assert (normalise(kind, ""), normalise(kind, "  "), image(kind, "", 3)) == (empty, empty, empty)


def test_a_field_pair_is_known_by_its_two_fields() -> None:
    pair = FieldPair("a", "b")
    assert pair.id == "a~b"
    assert repr(pair).count("a~b") == 0
