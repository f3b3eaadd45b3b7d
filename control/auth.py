"""Who calls: admins may use the control endpoints, everybody else reaches what is their own only (SPEC 7.3).

On Azure App Service signs people in with Entra ID and tells us who it was in X-MS-CLIENT-PRINCIPAL. The platform removes that header
from what comes in from outside - but only while its sign-in is on; when it is off anybody could forge it, so then nobody gets in.
Whose tenant it was is held against ours (`of_tenant`, by `control.callers`): a sign-in that lets in several tenants must not make their admins ours.
Elsewhere ADMIN_TOKEN, as a bearer token or by the session of the panel's own sign-in; without that setting nobody gets in. Never logs a header.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from control.environment import Environment
from control.session import has_session
from sync.signing import named_as_guest

ROLE = "Connector.Admin"
ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
ID_CLAIMS = frozenset({"oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"})
TENANT_CLAIMS = frozenset({"tid", "http://schemas.microsoft.com/identity/claims/tenantid"})
NAME_CLAIMS = frozenset(
    {
        "preferred_username",
        "upn",
        "email",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
    }
)


ISSUER_CLAIMS = frozenset({"idp", "http://schemas.microsoft.com/identity/claims/identityprovider"})
"""Who signed the account in: named of guests, seldom of members (then it is this tenant)."""
ACCOUNT_CLAIMS = frozenset({"acct"})
"""1 = a guest, where the application asks for it."""


@dataclass(frozen=True, slots=True)
class Admin:
    """Somebody who may. `id`: the person's object id, or `token`."""

    id: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is signed in. `oid`: the object id, or `token`; `tenant`: '' for the token; `names`: principal name and address, small.

    A guest has no `names`: it is another organisation that says what they are, or nobody. By the object id a guest is who an admin says.
    """

    tenant: str
    oid: str
    admin: bool
    names: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """401 = sign in first, 403 = signed in, or not allowed at all. `code`: key of the sentence."""

    status: int
    code: str


def admin_of(headers: Mapping[str, str], environment: Environment) -> Admin | Denied:
    """The admin who calls. `headers` by lower-case name."""
    if environment.on_azure:
        if not environment.sign_in_on:
            return Denied(403, "sign_in_off")
        return _signed_in(headers.get("x-ms-client-principal", ""))
    if not environment.admin_token:
        return Denied(403, "no_admin_token")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), environment.admin_token.encode()):
        return Admin("token")
    if has_session(headers.get("cookie", ""), environment.admin_token):
        return Admin("token")
    return Denied(401, "sign_in_first")


def person_of(headers: Mapping[str, str], environment: Environment) -> Person | Denied:
    """The person who calls, admin or not. Elsewhere than on Azure there is one only: whoever has the token. `headers` by lower-case name."""
    if environment.on_azure and environment.sign_in_on:
        return _principal(headers.get("x-ms-client-principal", ""))
    admin = admin_of(headers, environment)
    return admin if isinstance(admin, Denied) else Person("", admin.id, True)


def of_tenant(person: Person, *tenants: str) -> Person | Denied:
    """Somebody of another organisation is nobody here, whatever role was given there. `tenants`: ours, by the environment and by the settings.

    Where no id of a tenant is known - none is named yet, or by a domain only - the platform's sign-in alone decides: it accepts one tenant.
    """
    ids = {tenant.lower() for tenant in tenants if tenant and "." not in tenant}
    return person if not ids or person.tenant.lower() in ids else Denied(403, "foreign_tenant")


def _signed_in(header: str) -> Admin | Denied:
    person = _principal(header)
    if isinstance(person, Denied):
        return person
    return Admin(person.oid) if person.admin else Denied(403, "not_admin")


def _principal(header: str) -> Person | Denied:
    """Who it is by what the platform says. Signed in elsewhere than at Entra, or without an object id: 403."""
    if not header:
        return Denied(401, "sign_in_first")
    try:
        principal = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
        entra = principal["auth_typ"] == "aad"
        role_claims = ROLE_CLAIMS | {str(principal.get("role_typ") or "roles")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Denied(401, "sign_in_first")
    oid = next((value for typ, value in claims if typ in ID_CLAIMS), "")
    if not entra or not oid:
        return Denied(403, "not_admin")
    tenant = next((value for typ, value in claims if typ in TENANT_CLAIMS), "")
    names = tuple(dict.fromkeys(value.lower() for typ, value in claims if typ in NAME_CLAIMS and "@" in value))
    return Person(
        tenant=tenant,
        oid=oid,
        admin=any(typ in role_claims and value == ROLE for typ, value in claims),
        names=() if _is_guest(claims, tenant, names) else names,
    )


def _is_guest(claims: Sequence[tuple[str, str]], tenant: str, names: Sequence[str]) -> bool:
    """Is the account at home elsewhere than in the tenant that lets it in?"""
    issuers = [value.lower() for typ, value in claims if typ in ISSUER_CLAIMS]
    elsewhere = any(not tenant or tenant.lower() not in urlsplit(issuer).path.split("/") for issuer in issuers)
    said = any(typ in ACCOUNT_CLAIMS and value == "1" for typ, value in claims)
    return elsewhere or said or named_as_guest(names)
