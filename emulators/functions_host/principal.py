"""Who is signed in, as App Service tells the app: claims of an id token -> X-MS-CLIENT-PRINCIPAL. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

_SOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
_ENTRA = "http://schemas.microsoft.com/identity/claims"
NAME, ROLE = f"{_SOAP}/emailaddress", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
RENAMED = {
    "oid": f"{_ENTRA}/objectidentifier",
    "tid": f"{_ENTRA}/tenantid",
    "sub": f"{_SOAP}/nameidentifier",
    "email": NAME,
}
"""The platform's default mapping, as far as it concerns claims of ours; `roles`, `preferred_username` and the rest keep their names."""
SET_BY_US = (b"x-ms-client-principal", b"x-ms-token-")
"""What nobody outside may say: headers that begin so."""

Claims = list[dict[str, str]]


def claims_of(token: Mapping[str, Any]) -> Claims:
    """One entry a value: a list becomes several."""
    found: Claims = []
    for name, value in token.items():
        values = value if isinstance(value, list) else [value]
        found += [{"typ": RENAMED.get(name, name), "val": str(each)} for each in values]
    return found


def value_of(claims: Claims, name: str) -> str:
    """The first value of a claim by its name in the token, '' when it is not there."""
    return next((each["val"] for each in claims if each["typ"] == RENAMED.get(name, name)), "")


def headers_for(claims: Claims) -> list[tuple[bytes, bytes]]:
    """What the app gets with each request of this person."""
    principal = {"auth_typ": "aad", "claims": claims, "name_typ": NAME, "role_typ": ROLE}
    said = {
        "x-ms-client-principal": base64.b64encode(json.dumps(principal).encode()).decode(),
        "x-ms-client-principal-id": value_of(claims, "oid"),
        "x-ms-client-principal-name": value_of(claims, "preferred_username"),
        "x-ms-client-principal-idp": "aad",
    }
    return [(name.encode(), value.encode()) for name, value in said.items()]


def without_claims_of_others(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The request's headers, those removed that only the platform may set."""
    return [(name, value) for name, value in headers if not name.lower().startswith(SET_BY_US)]
