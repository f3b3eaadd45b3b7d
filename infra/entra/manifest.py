"""The application in Entra ID as it should be: the body of a PATCH of Graph's `applications/{id}`, printed. register.sh sends it.

Needs nothing but Python: whoever administers Entra ID may have no virtual environment of ours.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

MODES = ("application", "delegated", "both")
SIGN_IN = ("User.Read", "openid", "profile")
"""Delegated permissions that the sign-in at the panel needs in every mode."""
CALLBACKS = ("/.auth/login/aad/callback", "/api/oauth/callback", "/api/oauth/consent-callback")


def manifest(mode: str, *, scoped: bool, pair_by_address: bool, public_url: str) -> dict[str, object]:
    """`scoped`: Exchange gives what it can limit to some mailboxes (scope.ps1), so Entra ID does not. `public_url` '' = not deployed yet."""
    known = json.loads((Path(__file__).parent / "permissions.json").read_text("utf-8"))
    delegated = [each for each in known["delegated"] if mode != "application" or each["name"] in SIGN_IN]
    application = [each for each in known["application"] if not (scoped and "exchange" in each)]
    if mode == "delegated":
        application = [each for each in application if each["name"] == "User.Read.All" and pair_by_address]
    wanted = [{"id": each["id"], "type": "Scope"} for each in delegated]
    wanted += [{"id": each["id"], "type": "Role"} for each in application]
    redirects = [public_url.rstrip("/") + path for path in CALLBACKS] if public_url else []
    return {
        "signInAudience": "AzureADMyOrg",
        "groupMembershipClaims": "DirectoryRole",  # the claim wids: by it the app knows that an administrator consented
        "web": {"redirectUris": redirects, "implicitGrantSettings": {"enableIdTokenIssuance": True}},
        "requiredResourceAccess": [{"resourceAppId": known["graph"], "resourceAccess": wanted}],
        "appRoles": [
            {
                "id": known["admin_role"]["id"],
                "value": known["admin_role"]["value"],
                "displayName": "Administrator of the connector",
                "description": "May see and change everything in the panel of the vtenext connector.",
                "allowedMemberTypes": ["User"],
                "isEnabled": True,
            }
        ],
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--mode", choices=MODES, required=True)
    words.add_argument("--scoped", action="store_true")
    words.add_argument("--pair-by-address", action="store_true")
    words.add_argument("--public-url", default="")
    given = words.parse_args()
    if given.public_url and not given.public_url.startswith("https://"):
        words.error("--public-url is an https address")
    body = manifest(given.mode, scoped=given.scoped, pair_by_address=given.pair_by_address, public_url=given.public_url)
    json.dump(body, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
