"""The infrastructure and the app agree: settings, routes without sign-in, names of measurements, queues and tables, permissions in Entra ID.

What the app reads and serves is asked of the app itself, in a process of its own; nothing of it is written down twice.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from control.notifications import MAX_BODY
from scripts.infra import measured
from scripts.infra.files import Finding, Infra

FROM_AZURE = frozenset({"WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME", "WEBSITE_AUTH_ENABLED"})
"""Read by the app, set by the platform."""
NOT_ON_AZURE = frozenset({"ADMIN_TOKEN", "STORAGE", "AzureWebJobsStorage"})
"""Read by the app, not set there: the token is refused on Azure, and storage has no keys, so no connection strings."""
OF_THE_HOST = frozenset(
    {
        "AzureWebJobsStorage__credential",
        "STORAGE__credential",
        "APPLICATIONINSIGHTS_CONNECTION_STRING",
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL",
        "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT",
        "WEBSITE_AUTH_AAD_ALLOWED_TENANTS",
        "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID",
    }
)
"""Set for the Functions host and App Service's sign-in; whether the app reads them too is its own affair."""
LOCAL_ONLY = frozenset({"FUNCTIONS_WORKER_RUNTIME"})
"""In local.settings.json for the host there; Flex Consumption refuses it."""
TWINS: Mapping[str, str] = {
    "AzureWebJobsStorage__accountName": "STORAGE__accountName",
    "AzureWebJobsStorage__clientId": "STORAGE__clientId",
}
"""Documented under the other's name (docs/operations.md: likewise)."""
OPEN = frozenset({"/api/notifications", "/api/nudge"})
"""The only paths that may be reached without signing in: both check what comes by themselves."""
ROUTES = """
import json, function_app
triggers = [each.get_trigger() for each in function_app.app.get_functions()]
print(json.dumps([each.route for each in triggers if each.type == "httpTrigger"]))
"""
SECRETS: Mapping[str, str] = {
    "INDEX_KEY": "index-key",
    "DIGEST_KEYS": "digest-keys",
    "ENCRYPTION_KEYS": "encryption-keys",
    "NUDGE_KEY": "nudge-key",
    "VTENEXT_ACCESS_KEY": "vtenext-access-key",
}
"""Settings that are references into the vault, and the secret of each."""
MUST_SAY: Mapping[str, str] = {
    **{name: f"@Microsoft.KeyVault(SecretUri=${{vaultUri}}secrets/{secret}/)" for name, secret in SECRETS.items()},
    "KEY_VAULT_URL": "panelVaultUri",
    "PUBLIC_URL": "reachedAt",
    "TENANT_ID": "tenantId",
    "CLIENT_ID": "entraClientId",
    "VTENEXT_ALLOW_HTTP": "false",
    "AzureWebJobsStorage__credential": "managedidentity",
    "AzureWebJobsStorage__clientId": "identityClientId",
    "STORAGE__credential": "managedidentity",
    "STORAGE__clientId": "identityClientId",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=${identityClientId};Authorization=AAD",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": str(MAX_BODY),
    "WEBSITE_AUTH_AAD_ALLOWED_TENANTS": "tenantId",
}
"""Settings with one right value; a name is a symbol of the file."""
READING = frozenset({"os.environ", "os.environ.get", "os.getenv", "environ", "environ.get", "getenv"})
_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
ENOUGH: Mapping[str, str] = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "INDEX_KEY": _KEY,
    "DIGEST_KEYS": f"a:{_KEY}",
    "ENCRYPTION_KEYS": f"a:{_KEY}",
}
"""Settings with which the app starts."""


@dataclass(frozen=True, slots=True)
class App:
    """What the app reads, documents, serves and measures."""

    read: frozenset[str]
    documented: frozenset[str]
    paths: frozenset[str]
    sent: Mapping[str, frozenset[str]]  # measurements and traces, with their attributes
    stored: frozenset[str]  # names of its table and its queues
    services: frozenset[str]  # what azure.yaml calls it


def ask(root: Path) -> App:
    """Ask the app at `root`."""
    from control.queue import FILLS, POISON, RUNS
    from sync.store.tables import TableRows

    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    run = subprocess.run(  # noqa: S603 - our own interpreter, our own words
        [sys.executable, "-c", ROUTES], cwd=root, env={**kept, **ENOUGH}, capture_output=True, text=True, check=True
    )
    example = json.loads((root / "local.settings.example.json").read_text("utf-8"))
    prefix = json.loads((root / "host.json").read_text("utf-8"))["extensions"]["http"]["routePrefix"]
    defaults = TableRows.connect.__kwdefaults__ or {}
    return App(
        read=frozenset(_asked_for() | read_directly(root)),
        documented=frozenset(example["Values"]),
        paths=frozenset(f"/{prefix}/{route}" for route in json.loads(run.stdout)),
        sent=measured.sent(root),
        stored=frozenset({RUNS, FILLS, RUNS + POISON, FILLS + POISON, str(defaults["table"])}),
        services=frozenset(re.findall(r"^services:\n  (\w+):", (root / "azure.yaml").read_text("utf-8"), re.M)),
    )


class _Asked(dict[str, str]):
    """Remembers which names were asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.names.add(name)
        return super().get(name, default)


def _asked_for() -> set[str]:
    """What read_environment asks for, along each of its ways to storage."""
    from control.environment import ConfigMistakes, read_environment

    names: set[str] = set()
    ways: tuple[dict[str, str], ...] = (
        {},
        {"STORAGE__accountName": "account"},
        {"AzureWebJobsStorage__accountName": "account"},
    )
    for way in ways:
        asked = _Asked(way)
        try:
            read_environment(asked)
        except ConfigMistakes:
            names |= asked.names  # the keys are missing: what was asked for is known all the same
        else:
            raise AssertionError("an environment without keys was accepted")
    return names


def read_directly(root: Path) -> set[str]:
    """Names that the product reads from os.environ directly."""
    names: set[str] = set()
    files = [root / "function_app.py", *(p for f in ("control", "sync", "mapping") for p in (root / f).rglob("*.py"))]
    for path in files:
        text = path.read_text("utf-8")
        if "environ" not in text and "getenv" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            target, argument = _reading(node)
            if target is not None and ast.unparse(target) in READING:
                names.add(argument if argument is not None else f"{path.name}: a name that is calculated")
    return names


def _reading(node: ast.AST) -> tuple[ast.expr | None, str | None]:
    if isinstance(node, ast.Call) and node.args:
        return node.func, _text(node.args[0])
    if isinstance(node, ast.Subscript):
        return node.value, _text(node.slice)
    return None, None


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def check(infra: Infra, app: App) -> Iterator[Finding]:
    set_there, open_there, stored = dict[str, Any](), set[str](), set[str]()
    for file in infra.bicep.values():
        for _, kind, _, body in file.resources():
            if kind == "Microsoft.Web/sites/config" and body["name"] == "appsettings":
                set_there |= body["properties"]
            if kind == "Microsoft.Web/sites/config" and body["name"] == "authsettingsV2":
                paths = body["properties"]["globalValidation"].get("excludedPaths", [])
                open_there |= set(file.variable(paths) if isinstance(paths, str) else paths)
            if kind.endswith(("queueServices/queues", "tableServices/tables")):
                stored.add(body["name"])
    yield from _settings(set_there.keys(), app)
    for name, wanted in MUST_SAY.items():
        if name in set_there and set_there[name] != wanted:
            yield Finding("setting", "modules/app.bicep", f"{name} is {set_there[name]!r}, must be {wanted!r}")
    yield from _open(open_there, app)
    for name in sorted(app.stored - stored):
        yield Finding("storage", "modules/storage.bicep", f"the app's {name} is not made")
    named = set(re.findall(r"'azd-service-name': '(\w+)'", infra.bicep["modules/app.bicep"].text))
    if named != app.services:
        yield Finding("azd", "modules/app.bicep", f"azure.yaml calls the app {app.services}, its tag {named}")


def _settings(set_there: Set[str], app: App) -> Iterator[Finding]:
    bicep, example = "modules/app.bicep", "local.settings.example.json"
    for name in sorted(app.read - set_there - FROM_AZURE - NOT_ON_AZURE - OF_THE_HOST):
        yield Finding("setting", bicep, f"the app reads {name}, which is not set")
    for name in sorted(OF_THE_HOST - set_there):
        yield Finding("setting", bicep, f"{name} is not set: host and sign-in need it")
    for name in sorted(set_there - app.read - OF_THE_HOST):
        yield Finding("setting", bicep, f"{name} is set, and nothing reads it")
    for name in sorted(set_there & (FROM_AZURE | NOT_ON_AZURE | LOCAL_ONLY)):
        yield Finding("setting", bicep, f"{name} must not be set there")
    for name in sorted(app.read - FROM_AZURE - OF_THE_HOST - app.documented):
        if TWINS.get(name) not in app.documented:
            yield Finding("setting", example, f"the app reads {name}, which is not documented")
    for name in sorted(app.documented - app.read - LOCAL_ONLY - OF_THE_HOST):
        yield Finding("setting", example, f"{name} is documented, and nothing reads it")


def _open(open_there: set[str], app: App) -> Iterator[Finding]:
    where = "modules/app.bicep:signIn"
    for path in sorted(open_there - OPEN):
        yield Finding("open", where, f"{path} may not be reached without signing in")
    for path in sorted((open_there & OPEN) - app.paths):
        yield Finding("open", where, f"{path} is no route of the app")
    for path in sorted(OPEN & app.paths - open_there):
        yield Finding("open", where, f"{path} must be reached without signing in")
