"""The address book that follows from users: who is invited by what, who is a room or a thing, and what its category is called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mapping.people import AddressBook, refused_tag
from sync.people import LONGEST, address_book, category_names
from sync.users import User

ANNA = User("19x5", "Anna Rossi", "anna@acme.example", True, mailbox="box-a", address="anna@acme.example")
BRUNO = User("19x6", "Bruno Verdi", "bruno@acme.example", True)
ROOM = User("19x8", "Sala Blu", "sala@crm.example", True, mailbox="box-r", address="sala@acme.example", resource=True)
CAR = User("19x9", "Auto", "auto@crm.example", True, resource=True, colour="#C11A25")


def test_invited_by_the_mailboxs_primary_address_and_known_by_the_crms() -> None:
    anna = replace(ANNA, email="anna@crm.example", addresses=("Anna.Rossi@acme.example", "ar@acme.example"))
    book = address_book([anna, BRUNO])
    assert book.invited_as == {"19x5": "Anna.Rossi@acme.example", "19x6": "bruno@acme.example"}
    assert book.known_as == {"19x5": "anna@crm.example", "19x6": "bruno@acme.example"}
    for address in ("anna.rossi@ACME.example", "ar@acme.example", "anna@crm.example"):
        assert book.user_of(address) == "19x5"
    assert book.user_of("someone@acme.example") == ""


def test_a_mailbox_whose_addresses_are_not_known_yet() -> None:
    renamed = replace(ANNA, address="a.rossi@acme.example")
    assert address_book([renamed]).invited_as == {"19x5": "a.rossi@acme.example"}
    by_id = replace(ANNA, address="0000000a-0000-4000-8000-000000000000")
    assert address_book([by_id]).invited_as == {"19x5": "anna@acme.example"}
    assert address_book([replace(by_id, email="")]).invited_as == {}


@pytest.mark.parametrize("typed", ["anna", "a@x.example, b@x.example", "anna @x.example", "a|b@x.example", "@", " "])
def test_what_the_crm_did_not_check_is_no_address(typed: str) -> None:
    book = address_book([replace(BRUNO, email=typed)])
    assert (book.invited_as, book.known_as, dict(book.users)) == ({}, {}, {})


def test_spaces_around_an_address_are_not_part_of_it() -> None:
    assert address_book([replace(BRUNO, email=" bruno@x.example ")]).known_as == {"19x6": "bruno@x.example"}


def test_users_who_are_not_active_take_part_in_nothing() -> None:
    gone = replace(ANNA, active=False)
    car = replace(CAR, active=False)
    assert address_book([gone, car]) == AddressBook()
    heir = replace(BRUNO, email="anna@acme.example")
    assert address_book([gone, heir]).user_of("anna@acme.example") == heir.id


class TestSharedAddresses:
    def test_two_crm_addresses_lead_to_nobody_and_invite_nobody(self) -> None:
        book = address_book(
            [replace(ANNA, email="Info@acme.example", mailbox=""), replace(BRUNO, email="info@acme.example")]
        )
        assert (book.user_of("info@acme.example"), book.known_as, book.invited_as) == ("", {}, {})

    def test_a_mailboxs_alias_and_anothers_crm_address(self) -> None:
        anna = replace(ANNA, addresses=("info@acme.example", "anna@acme.example"))
        bruno = replace(BRUNO, email="info@acme.example")
        book = address_book([anna, bruno])
        assert book.user_of("info@acme.example") == ""
        assert book.known_as == {"19x5": "anna@acme.example"}
        assert book.invited_as == {"19x5": "anna@acme.example"}, "by the next address that is hers alone"

    def test_a_things_address_counts_in_the_crm_only(self) -> None:
        book = address_book([ANNA, replace(CAR, email=ANNA.email.upper())])
        assert book.known_as == {}, "vtenext would invite both"
        assert (book.user_of(ANNA.email), book.invited_as) == ("19x5", {"19x5": ANNA.email})

    def test_one_user_may_have_it_twice(self) -> None:
        book = address_book([replace(ANNA, addresses=("ANNA@acme.example",))])
        assert (book.user_of("anna@acme.example"), set(book.known_as)) == ("19x5", {"19x5"})

    def test_a_book_made_otherwise_keeps_to_it(self) -> None:
        book = AddressBook({"19x1": "a@x.example"}, {"19x2": "A@x.example"}, aliases={"19x1": ("b@x.example",)})
        assert (book.user_of("a@x.example"), book.user_of("B@x.example")) == ("", "19x1")


def test_resources_with_and_without_a_mailbox() -> None:
    book = address_book([ANNA, ROOM, CAR])
    assert (book.rooms, book.things) == ({"19x8"}, {"19x9"})
    assert book.tags == {"19x8": "Sala Blu", "19x9": "Auto"}
    assert book.colours == {"Sala Blu": "none", "Sala Blu ✗": "preset12", "Auto": "preset15", "Auto ✗": "preset12"}
    assert book.invited_as["19x8"] == "sala@acme.example"
    assert "19x9" not in book.invited_as
    assert book.known_as["19x9"] == "auto@crm.example"
    assert book.user_of("auto@crm.example") == ""


class TestCategoryNames:
    @staticmethod
    def names(*names: str) -> list[str]:
        return list(category_names([replace(CAR, id=f"19x{n}", name=name) for n, name in enumerate(names)]).values())

    def test_what_outlook_does_not_allow(self) -> None:
        assert self.names("Sala A, 1° piano; sinistra") == ["Sala A 1° piano sinistra"]
        assert self.names(" , ", "") == []

    def test_the_same_name_is_told_apart_without_case(self) -> None:
        assert self.names("Auto", "auto", "Auto (2)", "AUTO") == ["Auto", "auto (2)", "Auto (2) (2)", "AUTO (3)"]

    def test_no_name_is_anothers_refusal(self) -> None:
        assert self.names("Auto", "Auto ✗") == ["Auto", "Auto ✗ (2)"]
        assert self.names("Auto ✗", "Auto") == ["Auto ✗", "Auto (2)"]

    def test_long_names_are_cut_with_room_for_what_follows(self) -> None:
        first, second = self.names("x" * 300, "x" * 301)
        assert (len(refused_tag(first)), len(refused_tag(second))) == (LONGEST, LONGEST)
        assert first != second

    def test_names_stay_when_somebody_becomes_inactive(self) -> None:
        cars = [replace(CAR, id=f"19x{n}") for n in (30, 9, 10)]
        assert address_book(cars).tags == {"19x9": "Auto", "19x10": "Auto (2)", "19x30": "Auto (3)"}
        cars[1] = replace(cars[1], active=False)
        assert address_book(cars).tags == {"19x10": "Auto (2)", "19x30": "Auto (3)"}


@pytest.mark.parametrize(("colour", "preset"), [("", "none"), ("#2858A5", "preset22"), ("#c11a24", "preset15")])
def test_the_nearest_preset(colour: str, preset: str) -> None:
    assert address_book([replace(CAR, colour=colour)]).colours["Auto"] == preset
