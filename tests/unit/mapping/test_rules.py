"""Mappings as admins edit them: checked, stored, listed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mapping.advice import Advice, advice
from mapping.companies import COMPANIES
from mapping.contacts import CONTACTS
from mapping.fields import MAILBOX_CATALOG, default_lengths
from mapping.model import Direction, FieldPair, FieldType, Mode
from mapping.rules import BadMapping, FieldMapping, Wrong, translator, unmapped
from tests.unit.mapping.cards import catalog
from tests.unit.mapping.crm import lengths

NAME = FieldPair("lastname", "surname")


def problems(*pairs: FieldPair, kind: str = "contact") -> list[tuple[Wrong, tuple[str, ...]]]:
    module = "Contacts" if kind == "contact" else "Accounts"
    return [(p.wrong, p.names) for p in FieldMapping(kind, pairs).validate(catalog(module))]


def test_the_defaults_are_right() -> None:
    assert CONTACTS.validate(catalog("Contacts")) == []
    assert COMPANIES.validate(catalog("Accounts")) == []


def test_the_manuals_example() -> None:
    assert FieldPair("email2", "emailAddresses#2") in COMPANIES.pairs


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (FieldPair("email", "birthday"), (Wrong.DIFFERENT_TYPES, ("email", "email", "birthday", "date"))),
        (FieldPair("title", "mobilePhone"), (Wrong.DIFFERENT_TYPES, ("title", "text", "mobilePhone", "phone"))),
        (FieldPair("contact_id", "manager"), (Wrong.DIFFERENT_TYPES, ("contact_id", "reference", "manager", "text"))),
        (
            FieldPair("leadsource", "personalNotes"),
            (Wrong.DIFFERENT_TYPES, ("leadsource", "choice", "personalNotes", "multiline")),
        ),
        (FieldPair("account_id", "department"), (Wrong.COMPANY_FIXED, ("companyName",))),
        (FieldPair("nofield", "jobTitle"), (Wrong.UNKNOWN_CRM_FIELD, ("nofield",))),
        (FieldPair("title", "emailAddresses#4"), (Wrong.UNKNOWN_MAILBOX_FIELD, ("emailAddresses#4",))),
        (FieldPair("contact_no", "jobTitle"), (Wrong.CRM_READ_ONLY, ("contact_no",))),
        (FieldPair("title", "displayName"), (Wrong.MAILBOX_DERIVED, ("displayName",))),
        (FieldPair("fax", "ext:businessFax"), (Wrong.NEVER_LISTED, ("ext:businessFax",))),
        (FieldPair("lastname", "nickName"), (Wrong.WRITTEN_TWICE, ("lastname",))),
        (FieldPair("title", "surname"), (Wrong.WRITTEN_TWICE, ("surname",))),
    ],
)
def test_what_is_wrong_with_a_pair(pair: FieldPair, expected: tuple[Wrong, tuple[str, ...]]) -> None:
    assert problems(NAME, pair) == [expected]


def test_what_is_allowed() -> None:
    assert problems(NAME, FieldPair("leadsource", "profession")) == []
    assert problems(NAME, FieldPair("contact_no", "jobTitle", Direction.TO_MAILBOX)) == []
    assert problems(NAME, FieldPair("title", "displayName", Direction.TO_CRM)) == []
    assert problems(NAME, FieldPair("cf_m365_id", "initials")) == []


def test_what_vtenext_demands_must_be_brought() -> None:
    missing = [(Wrong.MANDATORY_MISSING, ("lastname",))]
    assert problems(FieldPair("title", "jobTitle")) == missing
    assert problems(replace(NAME, direction=Direction.TO_MAILBOX)) == missing
    assert problems(FieldPair("email1", "emailAddresses#1"), kind="company") == [
        (Wrong.MANDATORY_MISSING, ("accountname",))
    ]


def test_a_wrong_mapping_is_not_translated() -> None:
    with pytest.raises(BadMapping, match="no different_types: email email birthday date") as caught:
        translator(FieldMapping("contact", (NAME, FieldPair("email", "birthday"))), catalog("Contacts"))
    assert caught.value.where == "email~birthday"


def test_a_card_keeps_what_it_is_recognised_by() -> None:
    """A contact's card without a surname, or a company's without its name, would be taken for something else."""
    fixed = [(Wrong.NAME_FIXED, ("lastname", "surname"))]
    assert problems(FieldPair("lastname", "nickName")) == fixed
    assert problems(replace(NAME, direction=Direction.TO_CRM)) == fixed
    company = FieldPair("accountname", "department"), FieldPair("phone", "businessPhones#1")
    assert problems(*company, kind="company") == [(Wrong.NAME_FIXED, ("accountname", "companyName"))]


def test_a_pair_that_is_there_twice() -> None:
    twice = FieldPair("title", "jobTitle", Direction.TO_CRM), FieldPair("title", "jobTitle", Direction.TO_MAILBOX)
    assert problems(NAME, *twice) == [(Wrong.PAIR_TWICE, ("title", "jobTitle"))]


@pytest.mark.parametrize("field", ["nofield", "title", "description", "contact_no", "birthday"])
def test_what_cannot_carry_our_mark(field: str) -> None:
    wrong = FieldMapping("contact", (NAME,), field).validate(catalog("Contacts"))
    assert [(p.wrong, p.names) for p in wrong] == [(Wrong.STAMP_FIELD, (field,))]


def test_one_custom_field_of_contacts_carries_our_mark() -> None:
    assert FieldMapping("contact", (NAME,), "cf_m365_id").validate(catalog("Contacts")) == []
    mapped = FieldMapping("contact", (NAME, FieldPair("cf_m365_id", "initials")), "cf_m365_id")
    assert [p.wrong for p in mapped.validate(catalog("Contacts"))] == [Wrong.STAMP_FIELD]
    company = FieldMapping("company", COMPANIES.pairs, "cf_m365_id")
    assert [p.wrong for p in company.validate(catalog("Accounts"))] == [Wrong.STAMP_FIELD]
    assert FieldMapping.from_json(mapped.to_json()) == mapped


def test_what_is_worth_knowing() -> None:
    short = FieldPair("mailingzip", "personalNotes"), FieldPair("mailingzip", "officeLocation")
    found = advice(FieldMapping("contact", (NAME, *short, FieldPair("leadsource", "profession"))), catalog("Contacts"))
    limit = str(catalog("Contacts")["mailingzip"].max_length)
    assert [(w.advice, w.names) for w in found] == [
        (Advice.CRM_SHORTER, ("mailingzip", limit, "personalNotes")),
        (Advice.CRM_SHORTER, ("mailingzip", limit, "officeLocation")),
        (Advice.CHOICES, ("leadsource", "profession")),
    ]
    away = replace(short[0], direction=Direction.TO_MAILBOX)
    assert advice(FieldMapping("contact", (away,)), catalog("Contacts")) == []


@pytest.mark.parametrize("mapping", [CONTACTS, COMPANIES])
def test_json_there_and_back(mapping: FieldMapping) -> None:
    again = FieldMapping.from_json(json.loads(json.dumps(mapping.to_json())))
    assert again == mapping
    assert again.version == mapping.version


def test_every_change_makes_a_new_version() -> None:
    first, *rest = CONTACTS.pairs
    others = [
        FieldMapping("contact", tuple(rest)),
        FieldMapping("contact", (replace(first, direction=Direction.TO_CRM), *rest)),
        FieldMapping("contact", (replace(first, mode=Mode.ON_CREATE), *rest)),
    ]
    assert len({m.version for m in [CONTACTS, *others]}) == 4


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ([], "mapping"),
        ({"kind": "event", "pairs": []}, "kind"),
        ({"kind": "contact", "pairs": "x"}, "pairs"),
        ({"kind": "contact", "pairs": [{"crm": "a", "mailbox": "b"}] * 151}, "pairs"),
        ({"kind": "contact", "pairs": [], "stamp_field": 1}, "stamp_field"),
        ({"kind": "contact", "pairs": [], "colour": 1}, "colour"),
        ({"kind": "contact", "pairs": [1]}, "pairs[0]"),
        ({"kind": "contact", "pairs": [{"crm": "a", "mailbox": "b"}, {"crm": "a"}]}, "pairs[1].mailbox"),
        ({"kind": "contact", "pairs": [{"crm": "", "mailbox": "b"}]}, "pairs[0].crm"),
        ({"kind": "contact", "pairs": [{"crm": "a", "mailbox": "b", "direction": "left"}]}, "pairs[0].direction"),
        ({"kind": "contact", "pairs": [{"crm": "a", "mailbox": "b", "mode": []}]}, "pairs[0].mode"),
        ({"kind": "contact", "pairs": [{"crm": "a", "mailbox": "b", "colour": 1}]}, "pairs[0].colour"),
    ],
)
def test_a_bad_document_says_where(data: object, where: str) -> None:
    with pytest.raises(BadMapping) as caught:
        FieldMapping.from_json(data)
    assert caught.value.where == where
    assert str(caught.value).startswith(f"{where}: expected ")


def test_what_is_not_mapped_is_listed() -> None:
    people = unmapped(CONTACTS, catalog("Contacts"))
    crm, mailbox = {f.name for f in people.crm}, {f.name for f in people.mailbox}
    assert {"mailingpobox", "otherpobox", "assistantphone", "cf_m365_id"} <= crm
    assert not crm & {"lastname", "account_id", "assigned_user_id", "createdtime", "contact_no"}
    assert {"middleName", "homeAddress.city", "emailAddresses#2", "ext:homeFax"} <= mailbox
    assert not mailbox & {"surname", "displayName", "emailAddresses#1"}
    assert {"bill_pobox", "ship_pobox"} <= {f.name for f in unmapped(COMPANIES, catalog("Accounts")).crm}


# catalogs


def test_fields_of_the_crm() -> None:
    fields = catalog("Contacts")
    assert fields["salutationtype"].choices == ("--None--", "Mr.", "Ms.", "Mrs.", "Dr.", "Prof.")
    assert fields["lastname"].mandatory
    assert (fields["lastname"].max_length, fields["description"].max_length) == (80, None)
    assert (fields["fax"].type, fields["mailingstreet"].type) == (FieldType.PHONE, FieldType.MULTILINE)
    assert not fields["contact_no"].writable
    assert fields["account_id"].refers_to == ("Accounts",)
    assert "id" not in fields


@pytest.mark.parametrize("module", ["Contacts", "Accounts"])
def test_shipped_lengths_are_those_of_the_server(module: str) -> None:
    shipped = default_lengths(module)
    assert {name: length for name, length in shipped.items() if name in lengths(module)} == lengths(module)


def test_every_mailbox_field_has_both_labels() -> None:
    assert all(f.label and f.label_it for f in MAILBOX_CATALOG.values())
    assert len({f.label for f in MAILBOX_CATALOG.values()}) == len(MAILBOX_CATALOG)
    assert len({f.label_it for f in MAILBOX_CATALOG.values()}) == len(MAILBOX_CATALOG)


def test_the_catalog_knows_every_property_of_the_schema() -> None:
    import yaml

    path = "tests/data/graph/openapi-subset.yaml"
    from pathlib import Path

    text = (Path(__file__).resolve().parents[3] / path).read_text(encoding="utf-8")
    schema = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["components"]["schemas"]
    properties = set(schema["microsoft.graph.contact"]["properties"])
    roots = {f.name.partition("#")[0].partition(".")[0] for f in MAILBOX_CATALOG.values() if f.listed}
    server = {
        "id", "@odata.type", "categories", "changeKey", "createdDateTime", "lastModifiedDateTime", "parentFolderId",
        "primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress",
    }  # fmt: skip
    navigation = {"extensions", "multiValueExtendedProperties", "photo", "singleValueExtendedProperties"}
    assert roots <= properties
    assert properties - server - navigation == roots
