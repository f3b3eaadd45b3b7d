"""Names of people on a card and in a CRM that demands a last name (SPEC 1.2, 1.7)."""

from __future__ import annotations

import pytest
from hypothesis import given

from mapping import kind_of_card
from mapping.model import Rendered, Value
from mapping.names import CrmNames, view
from tests.unit.mapping.cards import card, cards, contacts, steady
from tests.unit.mapping.crm import Record

FIRST, LAST, MAIL = "firstname~givenName", "lastname~surname", "email~emailAddresses#1"


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"givenName": "Anna"}, "contact"),
        ({"surname": "Rossi", "companyName": "Acme"}, "contact"),
        ({"companyName": "Acme", "displayName": "Acme", "emailAddresses": ("info@acme.it",)}, "company"),
        ({"companyName": "Acme", "surname": "  "}, "company"),
        ({"emailAddresses": ("a@x.it",)}, "contact"),
        ({"displayName": "Idraulico"}, "contact"),
        ({"emailAddresses": ("",), "mobilePhone": "333"}, None),
        ({}, None),
    ],
)
def test_kind_of_a_card(fields: dict[str, Value], kind: str | None) -> None:
    assert kind_of_card(fields) == kind
    assert contacts().usable(fields) or kind != "contact"


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"givenName": "Anna", "surname": "Rossi"}, ("Anna", "Rossi")),
        ({"surname": "Rossi"}, ("", "Rossi")),
        ({"givenName": "Anna"}, ("", "Anna")),
        ({"displayName": "Anna R.", "emailAddresses": ("anna@x.it",)}, ("", "Anna R.")),
        ({"displayName": "anna@x.it", "emailAddresses": ("anna@x.it",)}, ("", "anna")),
        ({"emailAddresses": ("anna@x.it",)}, ("", "anna")),
        ({"emailAddresses": ("@x.it",)}, ("", "@x.it")),
        ({}, ("", "")),
    ],
)
def test_view(fields: dict[str, Value], names: tuple[str, str]) -> None:
    assert view(fields) == CrmNames(*names)


def test_blanks_before_a_name_mean_nothing() -> None:
    assert view({"surname": " " * 90 + "Rossi"}) == CrmNames("", "Rossi")
    assert kind_of_card({"givenName": " ", "companyName": "Acme"}) == "company"
    assert contacts().crm_values({"lastname": "  Rossi"}) == {LAST: "Rossi"}
    assert contacts().image(LAST, "  Rossi") == "Rossi"


def after(fields: dict[str, Value], **values: str) -> tuple[dict[str, Value], Rendered]:
    ids = {"first": FIRST, "last": LAST, "mail": MAIL, "company": "account_id~companyName"}
    rendered = contacts().render_mailbox({ids[name]: value for name, value in values.items()}, fields)
    return {**fields, **rendered.fields}, rendered


def test_a_new_last_name_goes_to_the_only_name_that_the_card_has() -> None:
    now, rendered = after(card(givenName="Anna", displayName="Anna"), last="Annamaria")
    assert rendered.fields == {"givenName": "Annamaria", "displayName": "Annamaria"}
    assert rendered.held == {LAST: "Annamaria"}
    assert view(now) == CrmNames("", "Annamaria")


def test_a_first_name_added_in_the_crm_gives_the_card_both() -> None:
    now, rendered = after(card(givenName="Rossi", displayName="Rossi"), first="Anna")
    assert rendered.fields == {"givenName": "Anna", "surname": "Rossi", "displayName": "Anna Rossi"}
    assert rendered.held == {FIRST: "Anna"}
    assert view(now) == CrmNames("Anna", "Rossi")


def test_a_first_name_removed_in_the_crm() -> None:
    now, _ = after(card(givenName="Anna", surname="Rossi"), first="")
    assert (now["givenName"], now["surname"]) == ("", "Rossi")


def test_a_card_without_names_gets_them() -> None:
    now, rendered = after(card(emailAddresses=("anna@x.it",), displayName="anna@x.it"), first="Anna", last="Rossi")
    assert view(now) == CrmNames("Anna", "Rossi")
    assert rendered.fields["displayName"] == "Anna Rossi"


def test_a_new_address_of_a_card_without_names_is_no_new_name() -> None:
    now, rendered = after(card(emailAddresses=("anna@x.it",)), mail="rossi@x.it")
    assert rendered.fields["emailAddresses"] == ("rossi@x.it",)
    assert view(now) == CrmNames("", "anna")


def test_a_company_given_to_a_card_without_names_leaves_it_a_person() -> None:
    now, _ = after(card(emailAddresses=("anna@x.it",)), company="Acme")
    assert kind_of_card(now) == "contact"
    assert view(now) == CrmNames("", "anna")


@pytest.mark.parametrize(
    ("before", "shown", "expected"),
    [
        ({"givenName": "Anna", "surname": "Rossi"}, "Anna Rossi", "Anna Verdi"),
        ({"givenName": "Anna", "middleName": "M.", "surname": "Rossi"}, "Anna M. Rossi", "Anna M. Verdi"),
        ({"givenName": "Anna", "surname": "Rossi"}, "La zia", "La zia"),
        ({"givenName": "Anna", "surname": "Rossi"}, "", "Anna Verdi"),
    ],
)
def test_shown_name_follows_only_when_it_was_computed(before: dict[str, Value], shown: str, expected: str) -> None:
    _, rendered = after(card(**before, displayName=shown), last="Verdi")
    assert rendered.fields["displayName"] == expected


def test_a_users_own_shown_name_is_sent_along_with_any_change() -> None:
    _, rendered = after(card(surname="Rossi", displayName="La zia"), mail="a@x.it")
    assert rendered.fields == {"emailAddresses": ("a@x.it",), "displayName": "La zia"}


def test_a_new_card_is_shown_by_its_name() -> None:
    rendered = contacts().render_mailbox({FIRST: "Anna", LAST: "Rossi", MAIL: ""}, None)
    assert rendered.fields == {"givenName": "Anna", "surname": "Rossi", "displayName": "Anna Rossi"}


@steady
@given(cards())
def test_none_of_it_bounces(fields: dict[str, Value]) -> None:
    """Any usable card: written to a new CRM record, read back, and rendered to the card again: nothing to write, on either side."""
    translator = contacts()
    if not translator.usable(fields):
        return
    seen = translator.mailbox_values(fields)
    rendered = translator.render_crm(seen, None, {"Acme": ("3x1",)})
    record = Record("Contacts", {"3x1": "Acme"})
    record.write(rendered.fields)
    read = translator.crm_values(record.read())
    for pair, value in rendered.held.items():
        assert read[pair] == value, pair
        assert translator.image(pair, seen[pair]) == translator.image(pair, value), pair
    back = {pair: value for pair, value in read.items() if pair not in rendered.refused and pair in seen}
    assert translator.render_mailbox(back, fields).fields == {}
    assert not translator.render_crm(
        {p: v for p, v in seen.items() if p not in rendered.refused}, record.read(), {}
    ).fields
