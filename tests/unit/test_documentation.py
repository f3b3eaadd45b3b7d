"""What docs/operations.md and docs/security.md name exists: commands, make targets, modules, files, routes, settings, causes, buttons, measurements.

And what a person at night needs is there: every cause, every gauge, every key of host.json, every alert.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from control import telemetry
from control.api import ENDPOINTS
from control.texts import table
from sync.errors import Cause
from sync.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("operations.md", "security.md")
THERE = (ROOT / "infra").is_dir()
"""What is deployed lies in a part of the repository of its own."""
OPENED = (
    "/api/panel",
    "/api/my",
    "/api/oauth/connect",
    "/api/oauth/callback",
    "/api/oauth/consent",
    "/api/oauth/consent-callback",
)
"""Pages and the ways back from Microsoft's sign-in: no endpoints."""
FOREIGN = {
    "AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "STORAGE__accountName", "STORAGE__clientId",
    "WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME",
    "WEBSITE_AUTH_ENABLED", "PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
    "STORAGEACCOUNT", "VAULT", "NAME", "APP", "RG", "MODE", "ENTRA_CLIENT_ID", "KILL", "GET", "PUT", "POST",
}  # fmt: skip
"""Azure's own settings, and what stands for a name in a command."""
MADE_UP = {"ledger-2026-11-28.jsonl.gz", "keys.txt", "index-key.blob"}
"""Files that a command of the text makes."""
COMMANDS = {"az", "azd", "func", "make", "bash", "python", ".venv/bin/python", "umask", "printf", "rm"}
AZ = re.compile(
    r"az (login|keyvault secret (show|set|backup|list|recover)|storage table delete|functionapp (show|restart"
    r"|deployment source config-zip))\b"
)


@cache
def text(page: str) -> str:
    return (ROOT / "docs" / page).read_text("utf-8")


@cache
def spans(page: str) -> tuple[str, ...]:
    """What stands between backticks, outside of blocks of code."""
    return tuple(re.findall(r"`([^`\n]+)`", text(page)))


@cache
def shell(page: str) -> tuple[str, ...]:
    """Lines of blocks of code, and commands between backticks."""
    lines = [line.strip() for line in text(page).splitlines() if line.startswith("    ")]
    return (*lines, *(span for span in spans(page) if span.split(" ")[0] in COMMANDS))


@cache
def source(*folders: str) -> str:
    return "\n".join(path.read_text("utf-8") for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_and_modules_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {"demo", "package"} <= targets
    found = "\n".join(shell(page))
    assert set(re.findall(r"\bmake ([a-z]+)", found)) - targets == set()
    for module in re.findall(r"python -m ([\w.]+)", found):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_azure_are_ones_that_exist(page: str) -> None:
    """By a list that was read in Azure's documentation: a new one is added there on purpose."""
    for line in shell(page):
        for call in re.findall(r"\baz login|\baz [a-z]+ [a-z].*", line):
            assert AZ.match(call), call


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    linked = re.findall(r"\]\(([^)#]+)\)", text(page))
    named = [
        span
        for span in spans(page)
        if re.fullmatch(r"[\w.-]+(?:/[\w.-]+)*\.(?:md|py|json|sh|ps1|txt|html|zip|bicep)", span)
    ]
    run = re.findall(r"\b(?:bash|python) ((?:\w+/)+[\w.]+)", "\n".join(shell(page)))
    bare = re.findall(r"\b(?:docs|tests|scripts|infra|control|sync)/[\w./-]+\.(?:md|py|sh|json)", text(page))
    assert len(named) + len(bare) > 2, "the search itself must work"
    for name in {*named, *run, *bare} - MADE_UP:
        if name.startswith("infra/") and not THERE:
            continue
        assert (ROOT / name).exists(), name
    for name in linked:
        assert (ROOT / "docs" / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_routes_exist(page: str) -> None:
    known = {(each.method, f"/api/{each.route}") for each in ENDPOINTS}
    called = re.findall(r"`(GET|POST|PUT|DELETE) (?:/api/)?([a-z][\w{}/-]*)", text(page))
    assert called, "the search itself must work"
    for method, route in called:
        assert any(method == known_method and matches(shape, f"/api/{route}") for known_method, shape in known), (
            method,
            route,
        )
    for path in re.findall(r"PUBLIC_URL(/api/[\w/-]+)", text(page)):
        assert path in OPENED, path


def matches(shape: str, path: str) -> bool:
    """Is it this route, with a name or a value in the place of its parameters?"""
    pattern = re.sub(r"\\\{\w+\\\}", r"[^/]+", re.escape(shape))
    return re.fullmatch(pattern, path) is not None


@pytest.mark.parametrize("page", PAGES)
def test_settings_of_the_process_exist(page: str) -> None:
    environment = (ROOT / "control" / "environment.py").read_text("utf-8")
    names = {span for span in spans(page) if re.fullmatch(r"[A-Z][A-Z]+(?:_[A-Z]+)*", span)}
    assert names
    for name in names - FOREIGN:
        assert f'"{name}"' in environment, name


@pytest.mark.parametrize("page", PAGES)
def test_words_of_the_product_exist(page: str) -> None:
    """Settings, causes, states, outcomes, columns of answers: a word with an underline that nobody knows is a mistake."""
    known = source("control", "sync") + json.dumps(table()) + (ROOT / "host.json").read_text("utf-8")
    words = {span for span in spans(page) if re.fullmatch(r"[a-z]+(?:_[a-z]+)+", span)}
    assert words
    assert {word for word in words if not re.search(rf"\b{word}\b", known)} == set()


@pytest.mark.parametrize("page", PAGES)
def test_buttons_are_called_so(page: str) -> None:
    labels = {
        entry["en"] for section in ("command", "panel.settings", "panel.home") for entry in table()[section].values()
    }
    pressed = set(re.findall(r"\*\*([^*]+)\*\*", text(page))) & {
        "Restore state",
        "Restore attempts",
        "KILL",
        "Approve",
        "Reject",
        "Test connection",
    }
    assert pressed <= labels
    assert page != "operations.md" or pressed == {
        "Restore state",
        "Restore attempts",
        "KILL",
        "Approve",
        "Reject",
        "Test connection",
    }


def test_every_cause_and_state_is_explained() -> None:
    page = text("operations.md")
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in page] == []
    assert [state for state in telemetry.STATES if state not in page] == []


def test_every_measurement_is_named_and_no_other() -> None:
    page = text("operations.md")
    ours = {value for value in vars(telemetry).values() if isinstance(value, str) and value.startswith("vtesync.")}
    assert set(re.findall(r"`(vtesync\.\w+)`", page)) == ours


def test_every_key_of_host_json_is_explained() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    section = text("operations.md").partition("## host.json")[2].partition("\n## ")[0]

    def leaves(value: object, path: str = "") -> list[str]:
        if not isinstance(value, dict) or path in ("logging.logLevel", "extensionBundle"):
            return [path]
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}".strip("."))]

    for path in leaves(host):
        assert path == "version" or f"`{path.rpartition('.')[2]}`" in section or f"`{path}`" in section, path
    for key in re.findall(r"^\| `([\w.]+)`", section, re.M):
        assert key.rpartition(".")[2] in json.dumps(host), key


def test_every_alert_has_its_line() -> None:
    section = text("operations.md").partition("## Measurements and alerts")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section.partition("### The night")[0], re.M)
    assert len(told) == len(set(told)) == 8
    if THERE:
        assert set(told) == {each["name"] for each in json.loads((ROOT / "infra" / "alerts.json").read_text("utf-8"))}


def test_settings_that_the_panel_changes_are_called_as_in_the_api() -> None:
    """Those that the two pages name are fields of the settings."""
    for name in ("active", "delete_contacts", "verbose_log", "sign_in_mode", "allow_list"):
        assert name in Settings.model_fields
        assert f"`{name}" in text("operations.md"), name
