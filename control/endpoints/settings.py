"""The settings (SPEC 4.4): read, change over the version that was seen, try before saving, earlier versions."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from control.endpoint import Call, Endpoint, Paging, Reply, Shown, page
from control.endpoints.control import CheckShown, check_shown
from sync import settings_commands
from sync.errors import ConfigMistake
from sync.settings import Settings


class SettingsChange(Settings):
    """What is named is changed, the rest stays. `client_secret` goes in only; '' removes the saved one."""

    client_secret: Annotated[str, Field(max_length=500)] | None = None


class SettingsShown(Settings):
    """All settings as they are in force. Secrets are never shown; the CRM's address is read-only."""

    client_secret_set: bool
    crm_url: str
    crm_username: str
    schedule: str
    missing: tuple[str, ...]
    saved_version: int
    saved_by: str
    saved_at: str


class Version(Shown):
    """The settings as they once were."""

    id: str
    by: str
    at: str
    settings: Settings


class Versions(Shown):
    """Earlier versions, the newest first."""

    versions: tuple[Version, ...]
    next: str


class Tried(Shown):
    """What became of one look at each side."""

    ok: bool
    checks: tuple[CheckShown, ...]


async def settings(call: Call) -> Reply:
    return await _shown(call)


async def put_settings(call: Call) -> Reply:
    await settings_commands.change_settings(call.app.connector, call.body, call.by, version_of(call.match))
    return await _shown(call)


async def try_settings(call: Call) -> Tried:
    checks = await settings_commands.try_settings(call.app.connector, call.body)
    shown = tuple(check_shown(check.what, check.cause, call.lang) for check in checks)
    return Tried(ok=all(check.ok for check in shown), checks=shown)


async def versions(call: Call) -> Versions:
    paging = call.asked(Paging)
    found = await call.app.connector.settings.before()
    shown = [Version(id=f"{10**8 - s.version:08d}", by=s.by, at=s.at, settings=s.settings) for s in found]
    part, after = page(shown, lambda version: version.id, paging)
    return Versions(versions=tuple(part), next=after)


def version_of(match: str) -> int | None:
    """The version that If-Match names, None for `*`: whichever is there."""
    if match == "*":
        return None
    if not match.isdecimal() or len(match) > 9:
        raise ConfigMistake("If-Match", "etag_or_any")
    return int(match)


async def _shown(call: Call) -> Reply:
    connector, environment = call.app.connector, call.app.environment
    saved = await connector.settings.saved()
    sign_in = await connector.settings.sign_in()
    body: dict[str, Any] = {
        **saved.settings.shown(),
        "tenant_id": sign_in.tenant_id,
        "client_id": sign_in.client_id,
        "client_secret_set": bool(sign_in.client_secret),
        "crm_url": environment.crm.url if environment.crm else "",
        "crm_username": environment.crm.username if environment.crm else "",
        "schedule": environment.schedule,
        "missing": await connector.missing(),
        "saved_version": saved.version,
        "saved_by": saved.by,
        "saved_at": saved.at,
    }
    return Reply(SettingsShown.model_validate(body), etag=str(saved.version))


ENDPOINTS = (
    Endpoint("settings", "GET", "settings", settings, "All settings, as they are in force", SettingsShown),
    Endpoint(
        "settings_put", "PUT", "settings", put_settings, "Change what is named", SettingsShown, body=SettingsChange, versioned=True
    ),
    Endpoint("settings_try", "POST", "settings/try", try_settings, "Test both connections as if this had been saved", Tried, body=SettingsChange),
    Endpoint("settings_versions", "GET", "settings/versions", versions, "Earlier versions", Versions, query=Paging),
)  # fmt: skip
