"""Where the settings are kept: versions of them, and the client secret, which only goes in.

Saved settings win over the environment's defaults for tenant, client id and secret (SPEC 4.4). The client secret is write-only: it lies in the
key vault, or encrypted in the store when there is none, and never leaves through here but to the sign-in. No HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from sync.settings import PARTITION, Settings
from sync.store.base import Conflict, Drop, Insert, Op, Put, Replace, Row, Rows, Stale
from sync.store.secrets import Sealing, Undecipherable

KEY = "settings"
BEFORE = "settings-before"
VERSIONS_KEPT = 50
SECRET_NAME = "client-secret"  # noqa: S105 - a name
SECRET_PLACE = "control|settings|client-secret"  # noqa: S105 - what the token is bound to


class Vault(Protocol):
    """What is needed of a key vault (sync.store.vault.Secrets)."""

    async def read_secret(self, name: str) -> str | None: ...

    async def write_secret(self, name: str, value: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the environment says; saved settings win over it."""

    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    managed_identity: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How the application signs in at Entra. `missing`: names of the settings that are not there yet."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    managed_identity: str
    delegated: bool = False  # every user signs in for the own mailbox

    @property
    def missing(self) -> tuple[str, ...]:
        secret = self.client_secret or self.managed_identity
        given = {"TENANT_ID": self.tenant_id, "CLIENT_ID": self.client_id, "CLIENT_SECRET": secret}
        return tuple(name for name, value in given.items() if not value)


@dataclass(frozen=True, slots=True)
class Saved:
    """The settings with their version: it rises with every change, 0 = nobody saved any yet. `by`, `at`: who did, when (ISO UTC)."""

    settings: Settings
    version: int = 0
    by: str = ""
    at: str = ""


class SettingsStore:
    """Reads and saves the settings. `vault` None: the secret is kept in the store, encrypted."""

    def __init__(self, rows: Rows, keys: Sealing, defaults: Defaults, vault: Vault | None = None) -> None:
        self._rows, self._keys, self._defaults, self._vault = rows, keys, defaults, vault

    async def read(self) -> Settings:
        return (await self.saved()).settings

    async def saved(self) -> Saved:
        row = await self._rows.get(PARTITION, KEY)
        return _saved(row) if row else Saved(Settings())

    async def before(self) -> list[Saved]:
        """Earlier versions, the newest first, as far as they are kept."""
        rows = [row async for row in self._rows.query(PARTITION, f"{BEFORE}|", f"{BEFORE}~")]
        return [_saved(row) for row in reversed(rows)]

    async def of_version(self, version: int) -> Settings:
        """The settings as that version had them; those that we ship where it is not kept any more, or nothing was saved yet."""
        saved = await self.saved()
        if version == saved.version:
            return saved.settings
        row = await self._rows.get(PARTITION, _place(version))
        return _saved(row).settings if row else Settings()

    async def sign_in(self, settings: Settings | None = None, secret: str | None = None) -> SignIn:
        """Saved values where there are any, else the environment's. A saved secret wins over a managed identity.

        A saved secret whose key was taken out of ENCRYPTION_KEYS is a missing one: an admin enters it again. `settings`, `secret`:
        as if these had been saved.
        """
        row = await self._rows.get(PARTITION, KEY)
        settings = settings or (_saved(row).settings if row else Settings())
        token = str(row.data["secret"]) if row else ""
        if secret is not None:
            chosen = secret or self._defaults.client_secret
        else:
            chosen = await self._saved_secret(token) if token else self._defaults.client_secret
        return SignIn(
            settings.tenant_id or self._defaults.tenant_id,
            settings.client_id or self._defaults.client_id,
            chosen,
            self._defaults.managed_identity,
            settings.delegated,
        )

    async def save(
        self, settings: Settings, secret: str | None, *, over: int | None = None, by: str = "", at: str = ""
    ) -> Saved:
        """Store both over the version `over`, None = whichever is there. Raises Stale when it is not the present one any more.

        The secret first: settings that name a new application must not meet the old one's secret.
        """
        row = await self._rows.get(PARTITION, KEY)
        old = _saved(row) if row else Saved(Settings())
        if over not in (None, old.version):
            raise Stale
        token = str(row.data["secret"]) if row else ""
        if secret is not None:
            token = await self._keep(secret)
        new = Saved(settings, old.version + 1, by, at)
        data = {**_data(new), "secret": token}
        ops: list[Op] = [Replace(KEY, data, row.etag) if row else Insert(KEY, data)]
        if row:
            ops += [Put(_place(old.version), _data(old)), Drop(_place(new.version - VERSIONS_KEPT))]
        try:
            await self._rows.transact(PARTITION, ops)
        except Conflict:
            raise Stale from None
        return new

    async def _saved_secret(self, token: str) -> str:
        if token == "vault":  # noqa: S105 - says where it is
            return (await self._vault.read_secret(SECRET_NAME) if self._vault else None) or ""
        try:
            return self._keys.decrypt(token, SECRET_PLACE)
        except Undecipherable:
            return ""

    async def _keep(self, secret: str) -> str:
        if not secret or self._vault is None:
            return self._keys.encrypt(secret, SECRET_PLACE) if secret else ""
        await self._vault.write_secret(SECRET_NAME, secret)
        return "vault"


def _saved(row: Row) -> Saved:
    data = row.data  # rows of earlier versions of the connector have no version
    settings = Settings.model_validate_json(str(data["json"]))
    return Saved(settings, int(data.get("version", 1)), str(data.get("by", "")), str(data.get("at", "")))


def _data(saved: Saved) -> dict[str, str | int | bool]:
    return {"json": saved.settings.model_dump_json(), "version": saved.version, "by": saved.by, "at": saved.at}


def _place(version: int) -> str:
    return f"{BEFORE}|{max(version, 0):08d}"
