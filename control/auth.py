"""Who may use the control endpoints: admins only (SPEC 7.3).

On Azure App Service signs people in with Entra ID and tells us who it was in X-MS-CLIENT-PRINCIPAL. The platform removes that header
from what comes in from outside - but only while its sign-in is on; when it is off anybody could forge it, so then nobody gets in.
Elsewhere a bearer token, ADMIN_TOKEN; without that setting nobody gets in. Never logs a header.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

from control.environment import Environment

ROLE = "Connector.Admin"
ROLE_CLAIMS = frozenset({"roles", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"})
ID_CLAIMS = frozenset({"oid", "http://schemas.microsoft.com/identity/claims/objectidentifier"})


@dataclass(frozen=True, slots=True)
class Admin:
    """Somebody who may. `id`: the person's object id, or `token`."""

    id: str


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
    if scheme.lower() != "bearer":
        return Denied(401, "sign_in_first")
    if not hmac.compare_digest(token.strip().encode(), environment.admin_token.encode()):
        return Denied(401, "sign_in_first")
    return Admin("token")


def _signed_in(header: str) -> Admin | Denied:
    if not header:
        return Denied(401, "sign_in_first")
    try:
        principal = json.loads(base64.b64decode(header, validate=True))
        claims = [(str(claim["typ"]), str(claim["val"])) for claim in principal["claims"]]
        entra = principal["auth_typ"] == "aad"
        role_claims = ROLE_CLAIMS | {str(principal.get("role_typ") or "roles")}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Denied(401, "sign_in_first")
    if not entra or not any(typ in role_claims and value == ROLE for typ, value in claims):
        return Denied(403, "not_admin")
    person = next((value for typ, value in claims if typ in ID_CLAIMS), "")
    return Admin(person) if person else Denied(403, "not_admin")
