"""The scripts that an operator and an administrator of Entra ID run, against a stand-in for the Azure CLI: repeated they change nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scripts.infra.__main__ import ROOT
from sync.store.secrets import Keyring

SCRIPTS = sorted((ROOT / "infra").rglob("*.sh"))
EMPTY: Mapping[str, Any] = {
    "secrets": {},
    "deleted": [],
    "apps": {},
    "principals": {},
    "patched": [],
    "given": [],
    "refreshed": "",
    "calls": [],
}
OF_DEPLOYMENT = {"AZURE_KEY_VAULT_NAME": "kv", "AZURE_RESOURCE_GROUP": "rg", "AZURE_FUNCTION_APP_NAME": "func"}
IDENTITY = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True, slots=True)
class Azure:
    """The stand-in and what it remembers."""

    home: Path

    @property
    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "state.json").read_text("utf-8"))
        return found

    def remember(self, **more: Any) -> None:
        (self.home / "state.json").write_text(json.dumps({**EMPTY, **more}), "utf-8")

    def run(self, script: str, **values: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.home}:{os.environ['PATH']}"
        environment = {"PATH": path, "AZ_STATE": str(self.home / "state.json"), "HOME": str(self.home), **values}
        return subprocess.run(
            ["bash", str(ROOT / "infra" / script)],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def azure(tmp_path: Path) -> Azure:
    az = tmp_path / "az"
    az.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{Path(__file__).parent / "az.py"}" "$@"\n', "utf-8")
    az.chmod(0o755)
    found = Azure(tmp_path)
    found.remember()
    return found


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    assert "\nset -euo pipefail\n" in script.read_text("utf-8")
    assert os.access(script, os.X_OK)
    shellcheck = Path(sys.executable).parent / "shellcheck"
    run = subprocess.run([shellcheck, script], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_secrets_open_the_app_and_are_shown_nowhere(azure: Azure) -> None:
    run = azure.run("scripts/secrets.sh", **OF_DEPLOYMENT, VTENEXT_ACCESS_KEY="an access key")
    assert run.returncode == 0, run.stderr
    secrets = azure.state["secrets"]
    assert secrets.keys() == {"index-key", "digest-keys", "encryption-keys", "nudge-key", "vtenext-access-key"}
    assert secrets["vtenext-access-key"] == "an access key"
    keys = Keyring.from_settings(secrets["index-key"], secrets["digest-keys"], secrets["encryption-keys"])
    assert keys.decrypt(keys.encrypt("text", "place"), "place") == "text"
    for value in secrets.values():
        assert value not in run.stdout + run.stderr
        assert all(value not in call for call in azure.state["calls"]), "a list of processes would show it"
    assert azure.state["refreshed"].endswith(
        "/sites/f/config/configreferences/appsettings/refresh?api-version=2022-03-01"
    )


def test_the_references_of_the_app_are_the_secrets_that_are_placed(azure: Azure) -> None:
    azure.run(
        "scripts/secrets.sh",
        **OF_DEPLOYMENT,
        APPLICATION_CREDENTIAL="secret",
        VTENEXT_ACCESS_KEY="a",
        CLIENT_SECRET="b",
    )
    bicep = (ROOT / "infra/modules/app.bicep").read_text("utf-8")
    referred = {part.split("/)")[0] for part in bicep.split("${vaultUri}secrets/")[1:]}
    assert azure.state["secrets"].keys() == referred


def test_what_is_in_the_vault_stays(azure: Azure) -> None:
    there = {"index-key": "a", "digest-keys": "b", "encryption-keys": "c", "nudge-key": "n", "vtenext-access-key": "d"}
    azure.remember(secrets=there)
    run = azure.run("scripts/secrets.sh", **OF_DEPLOYMENT, VTENEXT_ACCESS_KEY="another")
    assert run.returncode == 0, run.stderr
    assert azure.state["secrets"] == there


def test_a_deleted_key_is_recovered_not_replaced(azure: Azure) -> None:
    azure.remember(deleted=["index-key"])
    run = azure.run("scripts/secrets.sh", **OF_DEPLOYMENT, VTENEXT_ACCESS_KEY="a")
    assert run.returncode == 1
    assert "az keyvault secret recover --vault-name kv --name index-key" in run.stderr
    assert azure.state["secrets"] == {}


def test_nobody_there_to_be_asked(azure: Azure) -> None:
    run = azure.run("scripts/secrets.sh", **OF_DEPLOYMENT)
    assert run.returncode == 1
    assert "VTENEXT_ACCESS_KEY is not set" in run.stderr
    assert "vtenext-access-key" not in azure.state["secrets"]


def test_the_application_is_made_once_and_then_kept(azure: Azure) -> None:
    first = azure.run("entra/register.sh", MODE="application")
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines() == ["ENTRA_CLIENT_ID=client-1", "SERVICE_PRINCIPAL_ID=principal-1"]
    assert "redirectUris" not in azure.state["patched"][0]["web"], "those that are there stay"
    for _ in range(2):
        again = azure.run(
            "entra/register.sh",
            MODE="application",
            PUBLIC_URL="https://app.example.com",
            IDENTITY_PRINCIPAL_ID=IDENTITY,
        )
        assert again.stdout == first.stdout, again.stderr
    assert list(azure.state["apps"]) == ["client-1"]
    [trust] = azure.state["apps"]["client-1"]["trust"]
    assert trust == {
        "name": "vtesync-11111111",
        "issuer": "https://login.microsoftonline.com/00000000-0000-0000-0000-00000000000f/v2.0",
        "subject": IDENTITY,
        "audiences": ["api://AzureADTokenExchange"],
    }
    assert azure.state["patched"][-1]["web"]["redirectUris"][0] == "https://app.example.com/.auth/login/aad/callback"


def test_of_two_applications_of_one_name_none_is_taken(azure: Azure) -> None:
    azure.remember(apps={"one": {"trust": []}, "two": {"trust": []}})
    run = azure.run("entra/register.sh", MODE="delegated")
    assert run.returncode == 1
    assert "CLIENT_ID" in run.stderr
    assert azure.state["patched"] == []


def test_the_admin_role_is_given_once(azure: Azure) -> None:
    azure.remember(principals={"client-1": "principal-1"})
    for _ in range(2):
        run = azure.run("entra/admins.sh", CLIENT_ID="client-1", PRINCIPAL_ID=IDENTITY)
        assert run.returncode == 0, run.stderr
    [given] = azure.state["given"]
    role = json.loads((ROOT / "infra/entra/permissions.json").read_text("utf-8"))["admin_role"]["id"]
    assert given == {"id": "given-1", "principalId": IDENTITY, "resourceId": "principal-1", "appRoleId": role}


def test_consent_shows_what_it_grants_and_grants_it(azure: Azure) -> None:
    azure.remember(apps={"client-1": {"asked": ["permission-1 Role"]}})
    run = azure.run("entra/consent.sh", CLIENT_ID="client-1")
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == ["permission-1 Role", "Granted."]
    assert azure.state["apps"]["client-1"]["granted"] == ["permission-1 Role"]


def test_consent_to_an_application_that_is_not_there_is_not_said_to_be_granted(azure: Azure) -> None:
    run = azure.run("entra/consent.sh", CLIENT_ID="client-2")
    assert run.returncode != 0
    assert "Granted" not in run.stdout


@pytest.mark.parametrize("key", ["digest-keys", "encryption-keys"])
def test_a_new_key_can_be_read_before_it_is_written_with(azure: Azure, key: str) -> None:
    azure.run("scripts/secrets.sh", **OF_DEPLOYMENT, VTENEXT_ACCESS_KEY="a")
    before = azure.state["secrets"]
    sealed = keyring(before).encrypt("text", "place")
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY=key)
    assert run.returncode == 0, run.stderr
    between = azure.state["secrets"]
    assert {name for name in between if between[name] != before[name]} == {key}
    old, new = between[key].split(",")
    assert old == before[key]
    assert re.fullmatch(r"\d{12}:[\w-]{43}", new)
    assert azure.state["refreshed"].endswith("/refresh?api-version=2022-03-01")

    azure.remember(secrets=between)
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY=key)
    assert run.returncode != 0, "another instance may not have read it yet"
    assert "Nothing was changed" in run.stderr
    assert (azure.state["secrets"], azure.state["refreshed"]) == (between, "")

    waited = f"{int(new[:4]) - 1}{new[4:]}"
    azure.remember(secrets={**between, key: f"{old},{waited}"})
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY=key)
    assert run.returncode == 0, run.stderr
    after = azure.state["secrets"]
    assert after[key] == f"{waited},{old}"
    assert keyring(after).decrypt(sealed, "place") == "text"
    assert azure.state["refreshed"].endswith("/refresh?api-version=2022-03-01")
    for value in (new, old):
        assert value not in run.stdout + run.stderr
        assert all(value not in part for call in azure.state["calls"] for part in call)

    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY=key)  # the next rotation
    assert azure.state["secrets"][key].split(",")[:2] == [waited, old]


def test_a_key_of_which_the_app_could_not_be_told_is_not_there(azure: Azure) -> None:
    """Else the second step would write with it before every instance can read it."""
    before = {"digest-keys": f"k1:{'A' * 43}"}
    azure.remember(secrets=before, deaf=True)
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY="digest-keys")
    assert run.returncode != 0
    assert "as they were" in run.stderr
    assert azure.state["secrets"] == before


@pytest.mark.parametrize("lies_there", [{}, {"digest-keys": ""}, {"digest-keys": "ERROR: forbidden"}])
def test_without_the_old_keys_nothing_is_placed(azure: Azure, lies_there: dict[str, str]) -> None:
    azure.remember(secrets=lies_there)
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY="digest-keys")
    assert run.returncode != 0
    assert "nothing was changed" in run.stderr
    assert azure.state["secrets"] == lies_there
    assert azure.state["refreshed"] == ""


def test_the_key_of_the_index_is_not_rotated(azure: Azure) -> None:
    azure.remember(secrets={"index-key": "a"})
    run = azure.run("scripts/rotate.sh", **OF_DEPLOYMENT, KEY="index-key")
    assert run.returncode == 1
    assert azure.state["calls"] == []


def keyring(secrets: Mapping[str, str]) -> Keyring:
    return Keyring.from_settings(secrets["index-key"], secrets["digest-keys"], secrets["encryption-keys"])
