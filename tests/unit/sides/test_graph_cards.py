"""Contact <-> fields: what is empty, what is kept, what is sent."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model import Kind, Side
from sync.sides.graph.cards import ADDRESSES, LISTS, PARTS, TEXTS, card_of, fields_of, is_whole, item_of
from sync.sides.graph.stamps import STAMP

CARD: dict[str, Any] = {
    "@odata.etag": 'W/"abc"',
    "id": "AAk=",
    "lastModifiedDateTime": "2026-11-23T10:00:00.1234567Z",
    "parentFolderId": "F",
    "categories": ["Rosso"],
    "givenName": "Anna",
    "surname": None,
    "companyName": "",
    "title": "",
    "businessAddress": {},
    "homeAddress": {"city": "Forlì", "street": None},
    "otherAddress": None,
    "businessPhones": ["1", None, ""],
    "emailAddresses": [{"name": "A", "address": "a@example.com"}, {"name": "leer", "address": None}],
    "birthday": "1980-02-29T11:59:00Z",
    "singleValueExtendedProperties": [{"id": STAMP.replace("String", "string"), "value": "s-1"}],
}


def test_an_item() -> None:
    item = item_of(CARD, "mailbox-1")
    assert (item.side, item.kind, item.id, item.version) == (Side.MAILBOX, Kind.CONTACT, "AAk=", 'W/"abc"')
    assert (item.owner, item.stamp, item.modified) == ("mailbox-1", "s-1", "2026-11-23T10:00:00Z")
    assert item_of(CARD, "m", stamp="known").stamp == "known"


def test_every_way_of_being_empty_is_the_same() -> None:
    fields = fields_of(CARD)
    assert fields["surname"] == fields["companyName"] == fields["title"] == ""
    assert {fields[f"businessAddress.{part}"] for part in PARTS} == {""}
    assert {fields[f"otherAddress.{part}"] for part in PARTS} == {""}
    assert (fields["homeAddress.city"], fields["homeAddress.street"]) == ("Forlì", "")
    assert fields["businessPhones"] == ("1",)
    assert (fields["emailAddresses"], fields["emailAddresses.name"]) == (("a@example.com",), ("A",))
    assert "categories" not in fields
    assert "homePhones" not in fields, "what was not sent is not known"


def test_partial_cards_are_known_as_such() -> None:
    assert is_whole(CARD)
    assert not is_whole({"id": "AAk=", "jobTitle": "x"})


def test_nothing_given_nothing_sent() -> None:
    assert card_of({}) == {}


def test_clearing_is_said() -> None:
    assert card_of({"surname": "", "businessPhones": (), "birthday": "", "emailAddresses": (), "ext:homeFax": ""}) == {
        "surname": None,
        "businessPhones": [],
        "birthday": None,
        "emailAddresses": [],
        "singleValueExtendedProperties": [{"id": "String 0x3A25", "value": ""}],
    }


def test_a_part_of_an_address_takes_the_others_along() -> None:
    body = card_of(
        {"homeAddress.city": "Cesena", "homeAddress.state": ""}, fields_of(CARD) | {"homeAddress.street": "V"}
    )
    expected = {"street": "V", "city": "Cesena", "state": None, "postalCode": None, "countryOrRegion": None}
    assert body == {"homeAddress": expected}


def test_a_shown_name_stays_with_its_address() -> None:
    body = card_of({"emailAddresses": ("b@example.com", "A@example.com")}, fields_of(CARD))
    assert body == {"emailAddresses": [{"address": "b@example.com"}, {"address": "A@example.com", "name": "A"}]}


def test_stamp_and_fax_stand_side_by_side() -> None:
    body = card_of({"ext:businessFax": "9"}, stamp="s")
    assert body["singleValueExtendedProperties"] == [
        {"id": STAMP, "value": "s"},
        {"id": "String 0x3A24", "value": "9"},
    ]


def test_a_birthday_is_a_date() -> None:
    for text in ("1980-02-29", "1980-02-29T11:59:00Z"):
        assert card_of({"birthday": text}) == {"birthday": "1980-02-29T11:59:00Z"}


word = st.text(min_size=1, max_size=8)
names = [name for name in TEXTS if name != "birthday"] + [f"{root}.{part}" for root in ADDRESSES for part in PARTS]
texts = st.dictionaries(st.sampled_from(names), word)
lists = st.dictionaries(st.sampled_from(LISTS), st.lists(word, min_size=1, max_size=3).map(tuple))


@settings(max_examples=50, deadline=None)
@given(texts, lists)
def test_what_is_sent_reads_back(text: dict[str, str], many: dict[str, tuple[str, ...]]) -> None:
    fields = {**text, **many}
    read = fields_of(card_of(fields))
    assert {name: read[name] for name in fields} == fields
    assert all(not value for name, value in read.items() if name not in fields)
