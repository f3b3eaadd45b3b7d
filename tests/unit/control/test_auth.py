"""Who gets in: by token here, by the platform's sign-in with the app role on Azure, and nobody when either is not set up."""

from __future__ import annotations

import base64
import json

import pytest

from control.auth import Admin, Denied, Person, admin_of, of_tenant, person_of
from control.environment import Environment, read_environment
from tests.unit.control.test_environment import NEEDED

TOKEN = "t0ken-" + "x" * 30
OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
TID = "http://schemas.microsoft.com/identity/claims/tenantid"
MAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"


def local(token: str = TOKEN) -> Environment:
    return read_environment({**NEEDED, "ADMIN_TOKEN": token})


def azure(sign_in: str = "True") -> Environment:
    return read_environment({**NEEDED, "WEBSITE_INSTANCE_ID": "i", "WEBSITE_AUTH_ENABLED": sign_in})


def principal(*claims: tuple[str, str], auth_typ: str = "aad", role_typ: str = "roles") -> dict[str, str]:
    listed = [{"typ": typ, "val": value} for typ, value in claims]
    text = json.dumps({"auth_typ": auth_typ, "role_typ": role_typ, "name_typ": "name", "claims": listed})
    return {"x-ms-client-principal": base64.b64encode(text.encode()).decode()}


ADMIN = (("roles", "Connector.Admin"), (OID, "person-1"))


def test_the_token() -> None:
    assert admin_of({"authorization": f"Bearer {TOKEN}"}, local()) == Admin("token")
    assert admin_of({"authorization": f"bearer {TOKEN}"}, local()) == Admin("token")


@pytest.mark.parametrize("header", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ", "Bearer é"])
def test_another_token(header: str) -> None:
    assert admin_of({"authorization": header}, local()) == Denied(401, "sign_in_first")


def test_without_the_setting_nobody_gets_in() -> None:
    for header in ("", "Bearer ", "Bearer x"):
        assert admin_of({"authorization": header}, local("")) == Denied(403, "no_admin_token")


def test_the_principal_header_counts_only_on_azure() -> None:
    assert admin_of(principal(*ADMIN), local()) == Denied(401, "sign_in_first")
    assert admin_of(principal(*ADMIN), azure()) == Admin("person-1")
    assert admin_of(principal(*ADMIN), azure("False")) == Denied(403, "sign_in_off")
    assert admin_of(principal(*ADMIN), azure("")) == Denied(403, "sign_in_off")


def test_the_token_is_nothing_on_azure() -> None:
    assert admin_of({"authorization": f"Bearer {TOKEN}"}, azure()) == Denied(401, "sign_in_first")


def test_other_spellings_of_the_role_claim() -> None:
    long = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
    assert admin_of(principal((long, "Connector.Admin"), ("oid", "p")), azure()) == Admin("p")
    own = principal(("r", "Connector.Admin"), ("oid", "p"), role_typ="r")
    assert admin_of(own, azure()) == Admin("p")


@pytest.mark.parametrize(
    "headers",
    [
        principal((OID, "person-1")),
        principal(("roles", "Connector.User"), (OID, "person-1")),
        principal(("name", "Connector.Admin"), (OID, "person-1")),
        principal(*ADMIN, auth_typ="facebook"),
        principal(("roles", "Connector.Admin")),
    ],
)
def test_signed_in_is_not_enough(headers: dict[str, str]) -> None:
    assert admin_of(headers, azure()) == Denied(403, "not_admin")


@pytest.mark.parametrize("text", ["", "%%%", "bm90IGpzb24=", "W10=", "eyJjbGFpbXMiOiBbMV19"])
def test_a_broken_header(text: str) -> None:
    assert admin_of({"x-ms-client-principal": text}, azure()) == Denied(401, "sign_in_first")


ANNA = ((TID, "tenant-1"), (OID, "person-1"), ("preferred_username", "Anna@Acme.example"), ("name", "Anna Rossi"))


def test_an_ordinary_person_is_somebody_but_no_admin() -> None:
    person = person_of(principal(*ANNA, (MAIL, "anna@acme.example"), (MAIL, "a.rossi@acme.example")), azure())
    assert person == Person("tenant-1", "person-1", False, ("anna@acme.example", "a.rossi@acme.example"))
    assert "acme" not in repr(person)
    assert admin_of(principal(*ANNA), azure()) == Denied(403, "not_admin")


IDP = "http://schemas.microsoft.com/identity/claims/identityprovider"
HOME = "33333333-2222-4333-8444-555555555555"


@pytest.mark.parametrize(
    "claim",
    [
        (IDP, f"https://sts.windows.net/{HOME}/"),
        ("idp", f"https://login.microsoftonline.com/{HOME}/v2.0"),
        ("idp", "live.com"),
        ("idp", "google.com"),
        ("idp", "mail"),
        ("idp", "https://evil.example/?tenant-1"),
        ("idp", ""),
        ("acct", "1"),
        ("upn", "anna_evil.example#EXT#@acme.onmicrosoft.com"),
    ],
)
def test_a_guest_is_nobody_by_an_address(claim: tuple[str, str]) -> None:
    """What a guest is called another organisation says, or nobody."""
    found = person_of(principal(*ANNA, (MAIL, "boss@acme.example"), claim), azure())
    assert found == Person("tenant-1", "person-1", False, ())


@pytest.mark.parametrize(
    "claim", [(IDP, "https://sts.windows.net/TENANT-1/"), ("idp", "https://sts.windows.net/tenant-1/"), ("acct", "0")]
)
def test_a_member_whose_token_says_so_keeps_the_address(claim: tuple[str, str]) -> None:
    assert person_of(principal(*ANNA, claim), azure()) == Person("tenant-1", "person-1", False, ("anna@acme.example",))


def test_an_admin_is_a_person_too() -> None:
    assert person_of(principal(*ADMIN, ("tid", "tenant-1")), azure()) == Person("tenant-1", "person-1", True)


def test_elsewhere_the_token_is_the_only_person() -> None:
    assert person_of({"authorization": f"Bearer {TOKEN}"}, local()) == Person("", "token", True)
    assert person_of({}, local()) == Denied(401, "sign_in_first")
    assert person_of(principal(*ANNA), local()) == Denied(401, "sign_in_first")
    assert person_of({"authorization": "Bearer "}, local("")) == Denied(403, "no_admin_token")


@pytest.mark.parametrize("sign_in", ["False", ""])
def test_a_header_that_anybody_could_forge_is_nobody(sign_in: str) -> None:
    assert person_of(principal(*ANNA), azure(sign_in)) == Denied(403, "sign_in_off")


@pytest.mark.parametrize("text", ["", "%%%", "W10="])
def test_a_broken_header_is_nobody(text: str) -> None:
    assert person_of({"x-ms-client-principal": text}, azure()) == Denied(401, "sign_in_first")


@pytest.mark.parametrize("headers", [principal(("tid", "t")), principal(*ANNA, auth_typ="facebook")])
def test_somebody_without_an_object_id_of_entra_is_nobody(headers: dict[str, str]) -> None:
    assert person_of(headers, azure()) == Denied(403, "not_admin")


HERE, THERE = "11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"


@pytest.mark.parametrize("admin", [True, False])
def test_another_tenants_people_are_nobody_here(admin: bool) -> None:
    mine, foreign, unknown = (Person(tenant, "p", admin) for tenant in (HERE, THERE, ""))
    for tenants in ((HERE, ""), ("", HERE), (HERE.upper(), "acme.example"), (HERE, HERE)):
        assert of_tenant(mine, *tenants) == mine
        assert of_tenant(foreign, *tenants) == Denied(403, "foreign_tenant")
        assert of_tenant(unknown, *tenants) == Denied(403, "foreign_tenant")
    assert of_tenant(foreign, HERE, THERE) == foreign, "the environment's and the settings' both count"


def test_without_an_id_to_hold_it_against_the_platform_decides() -> None:
    for tenants in (("", ""), ("acme.example", ""), ("", "acme.example")):
        assert of_tenant(Person(THERE, "p", True), *tenants) == Person(THERE, "p", True)
