"""The settings of the platform's sign-in, in the shape that Azure has for them (authsettingsV2, or the file that auth.configFilePath names)."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from emulators.functions_host.config import ConfigError

ACTIONS = ("AllowAnonymous", "RedirectToLoginPage", "Return401", "Return403")


@dataclass(frozen=True, slots=True)
class SignInConfig:
    """`issuer`: of the one tenant that is let in. `entra`: where that authority really is, '' = at its own address."""

    action: str
    excluded: tuple[str, ...]
    issuer: str
    client_id: str
    secret: str = field(repr=False)
    key: bytes = field(repr=False)
    entra: str = ""


def read_sign_in(path: Path, entra: str, environment: Mapping[str, str]) -> SignInConfig:
    """Checked settings. ConfigError names what is wrong."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path.name}: cannot be read as JSON ({type(error).__name__})") from error
    if not _at(content, "platform", "enabled"):
        raise ConfigError(f"{path.name}: platform.enabled must be true; leave --sign-in out to have it off")
    validation = _at(content, "globalValidation") or {}
    action = validation.get("unauthenticatedClientAction", "RedirectToLoginPage")
    if action not in ACTIONS:
        raise ConfigError(f"{path.name}: unauthenticatedClientAction must be one of {', '.join(ACTIONS)}")
    registration = _at(content, "identityProviders", "azureActiveDirectory", "registration") or {}
    issuer, client_id = str(registration.get("openIdIssuer", "")), str(registration.get("clientId", ""))
    if not issuer.startswith("https://") or not client_id:
        raise ConfigError(f"{path.name}: registration needs an https openIdIssuer and a clientId")
    name = str(registration.get("clientSecretSettingName", ""))
    if not environment.get(name):
        raise ConfigError(f"{path.name}: clientSecretSettingName must name a setting; there is no setting {name!r}")
    if entra and urlsplit(entra).hostname not in ("127.0.0.1", "localhost"):
        raise ConfigError("--entra: expected the loopback address of an emulator")
    excluded = tuple(validation.get("excludedPaths") or ())
    return SignInConfig(action, excluded, issuer.rstrip("/"), client_id, environment[name], _key(environment), entra)


def _at(content: Any, *names: str) -> Any:
    for name in names:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _key(environment: Mapping[str, str]) -> bytes:
    """Sessions outlive the process when the setting is there, as on Azure, where it always is."""
    text = environment.get("WEBSITE_AUTH_ENCRYPTION_KEY", "")
    if not text:
        return base64.urlsafe_b64encode(secrets.token_bytes(32))
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise ConfigError("WEBSITE_AUTH_ENCRYPTION_KEY: expected 64 hexadecimal digits")
    return base64.urlsafe_b64encode(raw)
