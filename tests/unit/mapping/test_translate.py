"""The default mappings at work."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping import kind_of_card
from mapping.model import FieldPair, Translator, Value
from mapping.rules import FieldMapping, translator
from sync.model import Flag
from tests.unit.mapping.cards import MAILS, card, cards, catalog, companies, contacts, steady
from tests.unit.mapping.crm import Record

SALUTATION, COMPANY, MAIL = "salutationtype~title", "account_id~companyName", "email~emailAddresses#1"
BIRTHDAY, NOTES, FAX = "birthday~birthday", "description~personalNotes", "fax~ext:businessFax"
CITY, LAST = "mailingcity~businessAddress.city", "lastname~surname"


def filled(module: str, **fields: str) -> dict[str, Value]:
    record = Record(module)
    record.write(fields)
    return record.read()


def test_it_is_a_translator_of_the_contract() -> None:
    checked: list[Translator] = [contacts(), companies()]
    assert [(each.kind, each.version) for each in checked] == [("contact", "1"), ("company", "1")]
    assert {p.id for p in contacts().pairs} >= {SALUTATION, COMPANY, MAIL, BIRTHDAY, NOTES, FAX, CITY, LAST}


def test_flags_are_flags_of_the_engine() -> None:
    from mapping import translate as t

    flags = {t.TEXT_CUT, t.CHARACTERS_LOST, t.CHOICE_UNKNOWN, t.COMPANY_UNKNOWN, t.COMPANY_AMBIGUOUS, t.MANDATORY_KEPT}
    assert flags <= {flag.value for flag in Flag}


def test_what_was_not_read_is_left_out() -> None:
    assert contacts().crm_values({"lastname": "Rossi"}) == {LAST: "Rossi"}
    assert contacts().mailbox_values({"personalNotes": "x"}) == {NOTES: "x"}
    assert COMPANY not in contacts().crm_values({"lastname": "Rossi", "account_id": "3x1"})
    assert BIRTHDAY not in contacts().crm_values({"birthday": "04-03-1980"})


def test_fax_is_written_and_never_read() -> None:
    assert FAX not in contacts().mailbox_values(card())
    assert contacts().render_mailbox({FAX: "02 1"}, card()).fields == {"ext:businessFax": "02 1"}
    assert contacts().render_mailbox({FAX: ""}, card()).fields == {"ext:businessFax": ""}


def test_birthday_is_a_day() -> None:
    values = contacts().mailbox_values(card(birthday="1980-03-03T23:00:00Z"))
    assert values[BIRTHDAY] == "1980-03-04"
    assert contacts().render_mailbox({BIRTHDAY: "1980-03-04"}, card(birthday="1980-03-04T11:59:00Z")).fields == {}
    assert contacts().crm_values({"birthday": "0000-00-00"}) == {BIRTHDAY: ""}


def test_tags_that_the_crm_encodes_travel_as_typed() -> None:
    assert contacts().crm_values({"description": "&lt;script&gt;x"}) == {NOTES: "<script>x"}


def test_the_richer_side_keeps_what_the_crm_lost() -> None:
    current = card(personalNotes="ciao 😀", businessAddress__city="c" * 50)
    rendered = contacts().render_mailbox({NOTES: "ciao ????", CITY: "c" * 40}, current)
    assert rendered.fields == {}
    assert rendered.held == {NOTES: "ciao 😀", CITY: "c" * 50}


def test_losses_are_flagged() -> None:
    rendered = contacts().render_crm({CITY: "c" * 41, NOTES: "😀"}, filled("Contacts", lastname="R"), {})
    assert rendered.fields == {"mailingcity": "c" * 40, "description": "????"}
    assert rendered.held == {CITY: "c" * 40, NOTES: "????"}
    assert rendered.flags == {"text_cut", "characters_lost"}


def test_a_mandatory_field_is_never_cleared() -> None:
    rendered = contacts().render_crm({LAST: "", CITY: "Roma"}, filled("Contacts", lastname="Rossi"), {})
    assert rendered.fields == {"mailingcity": "Roma"}
    assert (rendered.refused, rendered.flags) == ({LAST}, {"mandatory_kept"})
    assert LAST not in rendered.held


def test_a_new_record_gets_a_last_name_whatever_the_directions() -> None:
    assert contacts().render_crm({"firstname~givenName": "Anna"}, None, {}).fields == {"lastname": "Anna"}
    assert contacts().render_crm({MAIL: "anna@x.it"}, None, {}).fields == {"email": "anna@x.it", "lastname": "anna"}


# salutation


@pytest.mark.parametrize("title", ["Mr.", "Ms.", "Mrs.", "Dr.", "Prof."])
def test_a_title_that_is_a_choice_travels_both_ways(title: str) -> None:
    values = contacts().mailbox_values(card(surname="R", title=title))
    record = Record("Contacts")
    record.write(contacts().render_crm({**values}, None, {}).fields)
    assert record.values["salutationtype"] == title
    assert contacts().render_mailbox(contacts().crm_values(record.read()), card()).fields["title"] == title


@pytest.mark.parametrize("title", ["Sig.", "Dott.ssa", "mr."])
@pytest.mark.parametrize("before", ["", "--None--", "Mr."])
def test_any_other_title_leaves_the_crm_alone(title: str, before: str) -> None:
    current = filled("Contacts", lastname="R", salutationtype=before)
    rendered = contacts().render_crm({SALUTATION: title, CITY: "Roma"}, current, {})
    assert rendered.fields == {"mailingcity": "Roma"}
    assert (rendered.refused, rendered.flags) == ({SALUTATION}, {"choice_unknown"})


def test_no_choice_is_empty() -> None:
    assert contacts().crm_values({"salutationtype": "--None--"}) == {SALUTATION: ""}
    assert (
        contacts().render_crm({SALUTATION: ""}, filled("Contacts", lastname="R", salutationtype="--None--"), {}).fields
        == {}
    )
    assert contacts().render_crm(
        {SALUTATION: ""}, filled("Contacts", lastname="R", salutationtype="Mr."), {}
    ).fields == {"salutationtype": ""}


# company of a contact


@pytest.mark.parametrize(
    ("accounts", "flag"),
    [({}, "company_unknown"), ({"Acme": ()}, "company_unknown"), ({"Acme": ("3x1", "3x2")}, "company_ambiguous")],
)
def test_a_company_that_is_not_exactly_one_account(accounts: dict[str, tuple[str, ...]], flag: str) -> None:
    rendered = contacts().render_crm({COMPANY: "Acme", CITY: "Roma"}, filled("Contacts", lastname="R"), accounts)
    assert rendered.fields == {"mailingcity": "Roma"}
    assert (rendered.refused, rendered.flags) == ({COMPANY}, {flag})


@pytest.mark.parametrize("key", ["Acme Società", "acme societa", "ACME SOCIETÀ "])
def test_a_company_that_is_one_account_is_linked(key: str) -> None:
    rendered = contacts().render_crm({COMPANY: "Acme Società"}, filled("Contacts", lastname="R"), {key: ("3x1",)})
    assert rendered.fields == {"account_id": "3x1"}
    record = Record("Contacts", {"3x1": "ACME SOCIETÀ"})
    record.write({"lastname": "R", **rendered.fields})
    now = contacts().crm_values(record.read())[COMPANY]
    assert contacts().image(COMPANY, now) == contacts().image(COMPANY, rendered.held[COMPANY])


def test_an_emptied_company_is_unlinked_and_the_same_one_left() -> None:
    record = Record("Contacts", {"3x1": "Acme"})
    record.write({"lastname": "R", "account_id": "3x1"})
    assert contacts().render_crm({COMPANY: ""}, record.read(), {}).fields == {"account_id": ""}
    assert contacts().render_crm({COMPANY: "acme"}, record.read(), {}).fields == {}


def test_a_renamed_account_refreshes_the_card() -> None:
    rendered = contacts().render_mailbox({COMPANY: "Nuova"}, card(surname="R", companyName="Acme", displayName="R"))
    assert rendered.fields == {"companyName": "Nuova", "displayName": "R"}


# lists


def test_addresses_keep_their_pairs_when_one_goes() -> None:
    first, second = "email1~emailAddresses#1", "email2~emailAddresses#2"
    held = {first: "a@x.it", second: "b@x.it"}
    now = card(companyName="Acme", emailAddresses=("b@x.it",))
    values = companies().mailbox_values(now, lambda pair, value: held.get(pair) == value)
    assert (values[first], values[second]) == ("", "b@x.it")
    base = {first: "", second: "b@x.it"}
    rendered = companies().render_mailbox({first: "c@x.it"}, now, lambda pair, value: base.get(pair) == value)
    assert rendered.fields["emailAddresses"] == ("c@x.it", "b@x.it")
    assert rendered.held == {first: "c@x.it", second: "b@x.it"}


def test_further_addresses_of_a_contact_survive() -> None:
    rendered = contacts().render_mailbox(
        {MAIL: "n@x.it"}, card(surname="R", emailAddresses=("a@x.it", "b@x.it", "c@x.it"))
    )
    assert rendered.fields["emailAddresses"] == ("n@x.it", "b@x.it", "c@x.it")


def test_case_of_an_address_alone_is_no_change() -> None:
    rendered = contacts().render_mailbox({MAIL: "ANNA@x.it"}, card(surname="R", emailAddresses=("Anna@X.it",)))
    assert (rendered.fields, rendered.held) == ({}, {MAIL: "Anna@X.it"})


# companies


def test_a_new_company_card() -> None:
    rendered = companies().render_mailbox(companies().crm_values(filled("Accounts", accountname="Acme Srl")), None)
    assert rendered.fields == {"companyName": "Acme Srl", "displayName": "Acme Srl", "fileAs": "Acme Srl"}
    assert kind_of_card(rendered.fields) == "company"


def test_a_renamed_company() -> None:
    now = card(companyName="Acme", displayName="Acme", fileAs="Acme")
    rendered = companies().render_mailbox({"accountname~companyName": "Nuova"}, now)
    assert rendered.fields == {"companyName": "Nuova", "displayName": "Nuova"}


@pytest.mark.parametrize("part", ["accountname~companyName"])
def test_a_company_keeps_its_name(part: str) -> None:
    assert companies().render_crm({part: ""}, filled("Accounts", accountname="Acme"), {}).flags == {"mandatory_kept"}
    assert companies().render_mailbox({part: ""}, card(companyName="Acme")).flags == {"mandatory_kept"}


def test_usable() -> None:
    assert companies().usable(card(companyName="Acme"))
    assert not companies().usable(card(companyName="Acme", surname="Rossi"))
    assert not contacts().usable(card(mobilePhone="333"))
    assert not contacts().usable(card(companyName="Acme"))


# properties


@steady
@given(cards(), cards())
def test_a_written_card_holds_what_was_said(old: dict[str, Value], new: dict[str, Value]) -> None:
    """Values of any card that the CRM can hold, written over any other card: read back with `held` as anchor, they are what it says."""
    company: dict[str, Value] = {**new, "givenName": "", "surname": "", "companyName": new["companyName"] or "Acme"}
    person: dict[str, Value] = new if contacts().usable(new) else {**new, "surname": "Rossi"}
    for each, source in ((contacts(), person), (companies(), company)):
        values = each.mailbox_values(source)
        rendered = each.render_mailbox(values, old)
        now = {**old, **rendered.fields}
        read = each.mailbox_values(now, lambda pair, value, held=rendered.held: held.get(pair) == value)  # type: ignore[misc]
        for pair, value in rendered.held.items():
            assert read.get(pair, value) == value, pair
        for pair in values.keys() - rendered.refused:
            if values[pair]:
                assert each.image(pair, rendered.held[pair]) == each.image(pair, values[pair]), pair


@steady
@given(cards())
def test_companies_do_not_bounce(fields: dict[str, Value]) -> None:
    each = companies()
    fields = {**fields, "givenName": "", "surname": ""}
    if not each.usable(fields):
        return
    seen = each.mailbox_values(fields)
    record = Record("Accounts")
    rendered = each.render_crm(seen, None, {})
    record.write(rendered.fields)
    read = each.crm_values(record.read())
    assert {pair: read[pair] for pair in rendered.held} == rendered.held
    assert each.render_mailbox({pair: read[pair] for pair in seen}, fields).fields == {}


@steady
@given(st.lists(MAILS, max_size=3, unique_by=str.lower), st.sampled_from([(1,), (2,), (1, 2), (1, 3), (1, 2, 3)]))
def test_any_choice_of_places_reads_what_it_wrote(addresses: list[str], places: tuple[int, ...]) -> None:
    names = ("email1", "email2", "external_code")
    fields = {**catalog("Accounts")}
    fields["external_code"] = fields["email1"]
    pairs = [FieldPair("accountname", "companyName")]
    pairs += [FieldPair(names[i], f"emailAddresses#{place}") for i, place in enumerate(places)]
    each = translator(FieldMapping("company", tuple(pairs)), fields)
    now = card(companyName="A", emailAddresses=tuple(addresses))
    base = each.mailbox_values(now)
    mails = [pair.id for pair in pairs[1:]]
    for pair, value in product(mails, ("", "new@x.it")):
        rendered = each.render_mailbox({pair: value}, now, lambda p, v: base.get(p) == v)
        after = {**now, **rendered.fields}
        read = each.mailbox_values(after, lambda p, v, held=rendered.held: held.get(p) == v)  # type: ignore[misc]
        assert len(after["emailAddresses"]) <= 3
        assert {p: read[p] for p in mails if p in rendered.held} == {
            p: v for p, v in rendered.held.items() if p in mails
        }
