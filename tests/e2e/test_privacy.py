"""The search for what stands in clear, judged: it finds what is there in any spelling, and nothing that is not."""

from __future__ import annotations

import base64
import random

from tests.e2e.privacy import Place, in_clear, texts_of

TREE = {
    "firstname": "Zoë",
    "lastname": "Nardò",
    "emailAddresses": [{"address": "zoe.nardo@x.example"}],
    "id": "4x12345",
}


def test_texts_are_those_of_people() -> None:
    assert texts_of(TREE, [{"subject": "Cena segreta\r\ncon Anna", "type": "singleInstance"}]) == {
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
    ):
        assert in_clear(texts, [Place("here", text)]), text


def test_ciphers_and_ids_are_not_names() -> None:
    noise = base64.urlsafe_b64encode(random.Random(1).randbytes(200_000)).decode()
    words = {"Conti", "Rossi", "Bianchi", "Ferrari", "Verdi"}
    assert in_clear(words, [Place("noise", noise), Place("id", "aContib"), Place("id", "conti")]) == []
