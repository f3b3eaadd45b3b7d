"""The application in Entra ID asks for what the code uses, and README tells an administrator all of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from control.auth import ROLE
from infra.entra.manifest import MODES, manifest
from scripts.infra.__main__ import ROOT
from scripts.infra.files import parse, read_texts
from sync.signing import GRAPH_SCOPES

ENTRA = ROOT / "infra/entra"
KNOWN = json.loads((ENTRA / "permissions.json").read_text("utf-8"))
NAMES = {
    (each["id"], kind): each["name"]
    for kind, key in (("Scope", "delegated"), ("Role", "application"))
    for each in KNOWN[key]
}
SIGN_IN = {"User.Read", "openid", "profile"}
OF_EXCHANGE = {"Contacts.ReadWrite", "Calendars.ReadWrite", "MailboxSettings.ReadWrite"}


def asked(mode: str, *, scoped: bool = True, pair: bool = False) -> tuple[set[str], set[str]]:
    """(delegated, application) permissions by name."""
    body: Any = manifest(mode, scoped=scoped, pair_by_address=pair, public_url="")
    [graph] = body["requiredResourceAccess"]
    assert graph["resourceAppId"] == "00000003-0000-0000-c000-000000000000"
    found = [(NAMES[each["id"], each["type"]], each["type"]) for each in graph["resourceAccess"]]
    return {name for name, kind in found if kind == "Scope"}, {name for name, kind in found if kind == "Role"}


def test_delegated_mode_asks_for_what_users_sign_in_with() -> None:
    delegated, application = asked("delegated")
    assert delegated == {*GRAPH_SCOPES, "offline_access", "openid", "profile"}
    assert application == set()
    assert asked("delegated", pair=True)[1] == {"User.Read.All"}


def test_application_mode_leaves_to_exchange_what_exchange_can_limit() -> None:
    assert asked("application") == (SIGN_IN, {"Tasks.ReadWrite.All", "User.Read.All"})
    assert asked("application", scoped=False)[1] == {"Tasks.ReadWrite.All", "User.Read.All"} | OF_EXCHANGE


def test_both_modes_together() -> None:
    assert asked("both") == (asked("delegated")[0], asked("application")[1])


def test_roles_of_exchange_are_named_after_the_permission() -> None:
    for each in KNOWN["application"]:
        assert each.get("exchange") == (f"Application {each['name']}" if each["name"] in OF_EXCHANGE else None)


@pytest.mark.parametrize("mode", MODES)
def test_the_way_in_is_the_same_in_every_mode(mode: str) -> None:
    body: Any = manifest(mode, scoped=True, pair_by_address=False, public_url="https://app.example.com/")
    [role] = body["appRoles"]
    assert (role["value"], role["isEnabled"]) == (ROLE, True)
    assert body["signInAudience"] == "AzureADMyOrg"
    infra, _ = parse(read_texts(ROOT / "infra"))
    deployed = infra.bicep["modules/app.bicep"].tree["outputs"]["redirectUris"]["value"]
    assert body["web"]["redirectUris"] == [each.replace("${reachedAt}", "https://app.example.com") for each in deployed]


def test_ids_are_guids_and_each_is_there_once() -> None:
    ids = [each["id"] for key in ("delegated", "application") for each in KNOWN[key]]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", each) for each in ids)


def test_the_readme_explains_every_permission() -> None:
    rows = (ENTRA / "README.md").read_text("utf-8").splitlines()
    told = set()
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        if len(cells) == 5 and cells[1] in ("delegated", "application"):
            assert all(cells)
            told |= {(name, cells[1]) for name in re.findall(r"`([\w.]+)`", cells[0])}
    assert told == {(each["name"], key) for key in ("delegated", "application") for each in KNOWN[key]}
