"""Who calls, as a person of our own organisation: what the platform says (`control.auth`), held against the tenant that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from control.auth import Denied, Person, of_tenant, person_of
from control.environment import Environment
from sync.settings_store import SettingsStore


async def caller(
    headers: Mapping[str, str], environment: Environment, settings: Callable[[], SettingsStore]
) -> Person | Denied:
    """`headers` by lower-case name. The settings are read only where the environment's TENANT_ID does not settle it. Raises StoreUnreachable."""
    person = person_of(headers, environment)
    if isinstance(person, Denied) or not environment.on_azure:  # elsewhere it is whoever has the token
        return person
    if person.tenant and person.tenant.lower() == environment.tenant_id.lower():
        return person
    return of_tenant(person, environment.tenant_id, await settings().tenant())
