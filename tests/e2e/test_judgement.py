"""The demo's own judgement, judged: it sees what is lost, doubled or different, and forgives what vtenext cannot hold. No processes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import compare
from tests.e2e.company import COMPANIES, CONTACTS, cards_before, companies, contacts
from tests.e2e.serve import settings_for

ROW = {
    "firstname": "Zoë", "lastname": "Nardò", "salutationtype": "--None--", "title": "Titolare", "department": "", "account_id": "3x1",
    "email": "Zoe@x.example", "phone": "1", "mobile": "2", "homephone": "", "mailingstreet": "Via 1\nscala B", "mailingcity": "",
    "mailingstate": "", "mailingzip": "", "mailingcountry": "", "otherstreet": "", "othercity": "", "birthday": "1981-05-06",
    "description": "????ciao &lt;script&gt;", "assistant": "",
}  # fmt: skip
CARD = {
    "givenName": "Zoë", "surname": "Nardò", "displayName": "Zoë Nardò", "title": "Dott.ssa", "jobTitle": "Titolare",
    "department": None, "companyName": "Perù & Figli", "emailAddresses": [{"name": "Zoë", "address": "zoe@x.example"}],
    "businessPhones": ["1"], "mobilePhone": "2", "homePhones": [], "businessAddress": {"street": "Via 1\r\nscala B"},
    "otherAddress": {}, "birthday": "1981-05-06T11:59:00Z", "personalNotes": "🌟ciao <script>", "assistantName": None,
}  # fmt: skip
ACCOUNTS = {"3x1": "Perù & Figli"}


def record(**changes: str) -> compare.Values:
    return compare.contact_record({**ROW, **changes}, ACCOUNTS)


def card(**changes: Any) -> compare.Values:
    return compare.contact_card({**CARD, **changes}, ACCOUNTS.values())


def test_what_vtenext_cannot_hold_is_no_difference() -> None:
    """Emoji, tags, line ends, case of an address, an unknown title, Outlook's time of a birthday (API.md 3.7, BEHAVIOUR 7.1)."""
    assert record() == card()
    assert record(title="T" * 50) == card(jobTitle="T" * 120)
    assert record(firstname="", lastname="Zoë") == card(surname="")


@pytest.mark.parametrize(
    "changes",
    [
        {"mobilePhone": "3"},
        {"jobTitle": "Titolare!"},
        {"birthday": "1981-05-07T11:59:00Z"},
        {"title": "Dr."},
        {"companyName": ""},
    ],
)
def test_a_difference_is_seen_and_named(changes: dict[str, Any]) -> None:
    verdict = compare.judge({"4x1": record()}, {"card": card(**changes)})
    assert (verdict.equal, verdict.total) == (0, 1)
    assert verdict.difference.startswith("record 4x1: ")


def test_lost_and_doubled_things_are_seen() -> None:
    two = {"4x1": record(), "4x2": record(mobile="9")}
    lost = compare.judge(two, {"a": card()})
    assert (lost.pairs, lost.only_crm) == ({"4x1": "a"}, ("4x2",))
    doubled = compare.judge({"4x1": record()}, {"a": card(), "b": card()})
    assert (doubled.equal, len(doubled.only_mailbox)) == (1, 1)
    assert compare.doubles([record(), record(), record(mobile="9")]) == 1


def test_the_sample_company_is_as_described() -> None:
    """60 companies and 300 contacts; every kind of card that the story needs is there before the first fill."""
    owners = ["19x1", "19x2", "19x3"]
    accounts = companies(owners, "22x1", "19x9")
    people = contacts([f"3x{n}" for n in range(COMPANIES)], owners, "22x1", "19x9")
    assert (len(accounts), len(people)) == (COMPANIES, CONTACTS) == (60, 300)
    assert len({a["accountname"] for a in accounts}) == 60
    assert {"22x1", "19x9"} < {p["assigned_user_id"] for p in people}
    assert {b.becomes for b in cards_before(people, accounts)} == {"imported", "joined", "guest", "asked", "nameless"}


@pytest.mark.parametrize(
    ("emulated", "vtenext", "environment", "missing"),
    [
        (("graph", "entra"), "http://crm.example", {"VTENEXT_USERNAME": "u"}, "VTENEXT_ACCESS_KEY"),
        (("graph", "entra"), "", {}, "--vtenext"),
        (("vtenext", "graph", "entra"), "http://crm.example", {}, "--emulators"),
        (("vtenext", "graph"), "", {}, "together"),
        (("vtenext",), "", {"TENANT_ID": "t", "CLIENT_ID": "c"}, "CLIENT_SECRET"),
    ],
)
def test_serve_names_what_is_missing(
    emulated: tuple[str, ...], vtenext: str, environment: dict[str, str], missing: str
) -> None:
    with pytest.raises(ValueError, match=missing):
        settings_for(emulated, vtenext, environment)


def test_serve_hands_on_what_the_real_servers_need() -> None:
    environment = {"VTENEXT_USERNAME": "u", "VTENEXT_ACCESS_KEY": "k", "TENANT_ID": "t"}
    settings = settings_for(("graph", "entra"), "http://crm.example", environment)
    assert settings == {
        "VTENEXT_USERNAME": "u",
        "VTENEXT_ACCESS_KEY": "k",
        "VTENEXT_URL": "http://crm.example",
        "VTENEXT_ALLOW_HTTP": "true",
    }
