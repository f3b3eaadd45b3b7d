"""What the pages for whoever deploys and watches name exists: commands, files, routes, settings, causes, buttons, measurements.

And what a person at night needs is there: every cause, every gauge, every key of host.json, every alert.
"""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

from control import telemetry
from control.api import ENDPOINTS
from control.texts import table
from control.version import VERSION
from sync.errors import Cause
from sync.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("docs/operations.md", "docs/security.md")
OPERATIONS = PAGES[0]
GUIDES = (*PAGES, "infra/README.md", "infra/entra/README.md", "README.md")
"""Whatever has commands and links."""
OPENED = (
    "/api/panel",
    "/api/my",
    "/api/notifications",
    "/api/nudge",
    "/api/oauth/connect",
    "/api/oauth/callback",
    "/api/oauth/consent",
    "/api/oauth/consent-callback",
)
"""Pages, the ways back from Microsoft's sign-in, and what servers call: no endpoints."""
TOLD = {("POST", "/api/notifications"), ("POST", "/api/nudge")}
"""Where servers tell us of changes (control/notifications.py)."""
FOREIGN = {
    "AzureWebJobsStorage", "AzureWebJobsStorage__accountName", "STORAGE__accountName", "STORAGE__clientId",
    "WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
    "WEBSITE_AUTH_ENABLED", "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
    "PYTHON_ENABLE_OPENTELEMETRY", "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY",
    "STORAGEACCOUNT", "VAULT", "NAME", "APP", "RG", "MODE", "KILL", "GET", "PUT", "POST",
}  # fmt: skip
"""Azure's own settings, and what stands for a name in a command."""
MADE_UP = {"ledger-2026-11-28.jsonl.gz", "vtenext-m365-sync-1.0.0.zip"}
"""Files that a command of the text makes."""
COMMANDS = {"az", "azd", "func", "make", "bash", "pwsh", "python", ".venv/bin/python", "umask", "printf", "rm"}
AZ = re.compile(
    r"az (login|deployment sub (create|what-if)|bicep build|role assignment create|keyvault (recover|secret (show|set))"
    r"|storage (account (list|show)|table delete)"
    r"|ad (signed-in-user show|sp update)|monitor log-analytics (query|workspace list)|webapp log tail"
    r"|functionapp (show|stop|start|restart|config hostname add|deployment source config-zip))\b"
)
AZD = re.compile(r"azd (auth login|env (new|set|get-value)|up|provision|deploy|down|hooks run \w+)\b")
TABLES = {"AppTraces", "AppExceptions", "AppDependencies", "AppRequests", "AppMetrics"}
"""Of Application Insights in a workspace."""


@cache
def text(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


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


@cache
def variables() -> set[str]:
    """What an environment of azd knows: what is set for a deployment, and what a deployment says."""
    listed = re.findall(r"\$\{(\w+)", (ROOT / "infra" / "main.parameters.json").read_text("utf-8"))
    return {
        *listed,
        *re.findall(r"^output (\w+)", (ROOT / "infra" / "main.bicep").read_text("utf-8"), re.M),
    }


@pytest.mark.parametrize("page", GUIDES)
def test_make_targets_and_modules_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    assert {"demo", "package"} <= targets
    found = "\n".join(shell(page))
    assert set(re.findall(r"\bmake ([a-z]+)", found)) - targets == set()
    for module in re.findall(r"python -m ([\w.]+)", found):
        assert (ROOT / (module.replace(".", "/") + ".py")).exists(), module


@pytest.mark.parametrize("page", GUIDES)
def test_commands_of_azure_are_ones_that_exist(page: str) -> None:
    """By a list that was read in Azure's documentation: a new one is added there on purpose."""
    for line in shell(page):
        for call in re.findall(r"(?=\b(az [a-z].*))", re.sub(r"#.*", "", line)):
            assert AZ.match(call) or call == "az storage", call
        for call in re.findall(r"(?=\b(azd [a-z].*))", re.sub(r"#.*", "", line)):
            assert AZD.match(call), call


def test_what_is_set_for_a_deployment_and_read_from_it_exists() -> None:
    lines = "\n".join(line for page in GUIDES for line in shell(page))
    told = set(re.findall(r"azd env set ([A-Z_]+)", lines))
    assert {"ENTRA_CLIENT_ID", "VTENEXT_URL", "VTENEXT_USERNAME", "ALERT_EMAILS"} <= told
    assert told - {"NAME"} <= variables()
    read = set(re.findall(r"azd env get-value ([A-Z_]+)", lines))
    assert {"PANEL_URL", "IDENTITY_PRINCIPAL_ID"} <= read <= variables()
    hooks = re.findall(r"^  (\w+):", (ROOT / "azure.yaml").read_text("utf-8").partition("\nhooks:")[2], re.M)
    assert set(re.findall(r"azd hooks run (\w+)", lines)) <= set(hooks)


def test_the_list_of_installing_is_whole_and_in_order() -> None:
    """Who follows it from the top to the bottom can sign in: without the second registration there is no trust, without the role nothing to see."""
    section = text(OPERATIONS).partition("## Installing")[2].partition("\n### ")[0]
    order = [
        "az login", "azd auth login", "register.sh", "azd env new", "azd env set ENTRA_CLIENT_ID", "azd env set ALERT_EMAILS", "azd up",
        "register.sh", "consent.sh", "admins.sh", "scope.ps1", "azd env get-value PANEL_URL ",
    ]  # fmt: skip
    place = 0
    for step in order:
        place = section.find(step, place) + 1
        assert place, step


def test_scripts_are_given_what_they_read() -> None:
    calls = [
        (given, script)
        for page in GUIDES
        for line in shell(page)
        for given, script in re.findall(r"((?:[A-Z_]+=(?:\"[^\"]*\"|\S*) )+)bash (infra/\S+\.sh)", line)
    ]
    assert len(calls) > 3, "the search itself must work"
    for given, script in calls:
        source_of_it = (ROOT / script).read_text("utf-8")
        names = set(re.findall(r"([A-Z_]+)=", re.sub(r"\"[^\"]*\"", "", given)))
        needed = set(re.findall(r"\$\{([A-Z_]+):\?", source_of_it))
        assert needed <= names, (script, needed - names)
        for name in names:
            assert re.search(rf"\$\{{{name}\b", source_of_it), (script, name)


def test_zips_are_called_as_they_are_made_and_built_where_they_have_to_be() -> None:
    sent = re.findall(r"config-zip .*--src (?:dist/)?(\S+) --build-remote (true|false)", "\n".join(shell(OPERATIONS)))
    assert len(sent) > 1
    for name, built in sent:
        assert name in {f"vtenext-m365-sync-{VERSION}.zip", f"vtenext-m365-sync-{VERSION}-libraries.zip"}
        assert built == ("false" if "-libraries" in name else "true"), name


@pytest.mark.parametrize("page", GUIDES)
def test_blocks_of_commands_can_be_pasted(page: str) -> None:
    """Quotes and brackets close: bash reads each block without running it."""
    blocks = re.findall(r"((?:^    \S.*\n|^    +\|.*\n)+)", text(page), re.M)
    for block in blocks:
        if re.match(r" +(az|azd|make|MODE|CLIENT_ID|panel|for|\(umask|\.venv)\b", block):
            read = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True, check=False)
            assert read.returncode == 0, read.stderr


def test_queries_ask_for_what_is_measured() -> None:
    section = text(OPERATIONS).partition("### The night")[2].partition("| causes |")[0]
    blocks = re.findall(r"((?:^    .+\n)+)", section, re.M)
    assert len(blocks) == 3
    told = (ROOT / "control" / "telemetry.py").read_text("utf-8")
    for block in blocks:
        assert set(re.findall(r"\bApp[A-Z]\w+", block)) <= TABLES
        for name in re.findall(r"'(vtesync\.\w+)'", block):
            assert f'"{name}"' in told, name
        for attribute in re.findall(r"Properties\.(\w+)", block):
            assert re.search(rf"[`\"]{attribute}[`\"]", told), attribute
    quoted = re.findall(r'"(the settings cannot be used: )NAME must be', section)
    assert quoted
    assert quoted[0] in (ROOT / "control" / "environment.py").read_text("utf-8")
    assert "SeverityLevel >= 3" in blocks[0]


def test_permissions_are_named_in_one_place() -> None:
    """Consent in Entra ID and the limit of Exchange are never both given: whoever reads of them reads the page that says so."""
    named = json.loads((ROOT / "infra" / "entra" / "permissions.json").read_text("utf-8"))
    guide = text("infra/entra/README.md")
    for each in (*named["delegated"], *named["application"]):
        assert f"`{each['name']}`" in guide, each["name"]
        assert each["name"] == "User.Read.All" or f"`{each['name']}`" not in text(OPERATIONS), each["name"]
    app = (ROOT / "infra" / "modules" / "app.bicep").read_text("utf-8")
    redirects = re.findall(r"'\$\{reachedAt\}(/\S+)'", app)
    assert len(redirects) == 3
    for address in redirects:
        assert f"`{address}`" in guide, address


@pytest.mark.parametrize("page", GUIDES)
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
        assert any((folder / name).exists() for folder in (ROOT, (ROOT / page).parent, ROOT / "infra" / "entra")), name
    for name in linked:
        assert name.startswith("https://") or ((ROOT / page).parent / name).exists(), name


@pytest.mark.parametrize("page", PAGES)
def test_routes_exist(page: str) -> None:
    known = {*((each.method, f"/api/{each.route}") for each in ENDPOINTS), *TOLD}
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
    for name in names - FOREIGN - variables():
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
    assert page != OPERATIONS or pressed == {
        "Restore state",
        "Restore attempts",
        "KILL",
        "Approve",
        "Reject",
        "Test connection",
    }


def test_every_cause_and_state_is_explained() -> None:
    page = text(OPERATIONS)
    assert [cause.value for cause in Cause if f"`{cause.value}`" not in page] == []
    assert [state for state in telemetry.STATES if state not in page] == []


def test_every_measurement_is_named_and_no_other() -> None:
    page = text(OPERATIONS)
    ours = {value for value in vars(telemetry).values() if isinstance(value, str) and value.startswith("vtesync.")}
    assert set(re.findall(r"`(vtesync\.\w+)`", page)) == ours


def test_every_key_of_host_json_is_explained() -> None:
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    section = text(OPERATIONS).partition("## host.json")[2].partition("\n## ")[0]

    def leaves(value: object, path: str = "") -> list[str]:
        if not isinstance(value, dict) or path in ("logging.logLevel", "extensionBundle"):
            return [path]
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}.{key}".strip("."))]

    for path in leaves(host):
        assert path == "version" or f"`{path.rpartition('.')[2]}`" in section or f"`{path}`" in section, path
    for key in re.findall(r"^\| `([\w.]+)`", section, re.M):
        assert key.rpartition(".")[2] in json.dumps(host), key


def test_every_alert_has_its_line() -> None:
    section = text(OPERATIONS).partition("## Measurements and alerts")[2].partition("\n## ")[0]
    told = re.findall(r"^\| `(\w+)` \|", section.partition("### The night")[0], re.M)
    assert len(told) == len(set(told))
    assert set(told) == {each["name"] for each in json.loads((ROOT / "infra" / "alerts.json").read_text("utf-8"))}


def test_settings_that_the_panel_changes_are_called_as_in_the_api() -> None:
    """Those that the two pages name are fields of the settings."""
    for name in ("active", "delete_contacts", "verbose_log", "sign_in_mode", "allow_list"):
        assert name in Settings.model_fields
        assert f"`{name}" in text(OPERATIONS), name
