"""The search for what stands in clear, judged: it finds what is there in any spelling, and nothing that is not."""

from __future__ import annotations

import base64
import random

from tests.e2e.company import FAMILY, GIVEN
from tests.e2e.privacy import SHORTEST, Place, in_clear, texts_of

TREE = {
    "firstname": "Zoë",
    "lastname": "Nardò",
    "emailAddresses": [{"address": "zoe.nardo@x.example"}],
    "title": "Capo",
    "id": "4x12345",
}


def test_texts_are_those_of_people() -> None:
    assert texts_of(TREE, [{"subject": "Cena segreta\r\ncon Anna", "type": "singleInstance"}]) == {
        "Zoë",
        "Nardò",
        "zoe.nardo@x.example",
        "Cena segreta",
        "con Anna",
    }


def test_it_finds_every_spelling() -> None:
    texts = texts_of(TREE, {"subject": "Cena segreta"})
    for text in (
        "x=Nardò;",
        'said "Nard\\u00f2"',
        "q=Cena+segreta&",
        "Cena%20segreta",
        "mail ZOE.Nardo@X.example sent",
        "x=Zoë",
        'said "Zo\\u00eb"',
        "firstname=Zo%C3%AB&",
    ):
        assert in_clear(texts, [Place("here", text)]), text


def test_a_short_word_stands_alone() -> None:
    assert in_clear({"Zoë", "Mirò"}, [Place("here", "Zoëlie Azoë aZoë Miròn")]) == []
    assert in_clear({"Zoë", "Mirò"}, [Place("here", "Zoëlie, Zoë")]) == ["here: Zo... (3 characters) in clear"]


def test_the_demos_world_has_short_names_that_nothing_else_can_be() -> None:
    names = texts_of([{"firstname": name} for name in GIVEN], [{"lastname": name} for name in FAMILY])
    assert {name for name in names if len(name) < SHORTEST} == {"Zoë", "Mirò", "Zanè"}


def test_ciphers_and_ids_are_not_names() -> None:
    noise = base64.urlsafe_b64encode(random.Random(1).randbytes(200_000)).decode()
    words = {"Conti", "Rossi", "Bianchi", "Ferrari", "Verdi", "Zoë", "Mirò"}
    assert in_clear(words, [Place("noise", noise), Place("id", "aContib"), Place("id", "conti")]) == []
