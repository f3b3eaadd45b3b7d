"""Where the settings are kept: versions of them, and the client secret, which only goes in.

Saved settings win over the environment's defaults for tenant, client id and secret (SPEC 4.4). The client secret is write-only: it lies in the
key vault, or encrypted in the settings' row when there is none, and never leaves through here but to the sign-in. In the vault every save gives it a
name of its own, and the settings' row says which one counts: a save that is refused changes nothing. All names that are in use, or were and could not
be deleted yet, are listed in rows of their own, which are written first and go last. No HTTP.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, count, takewhile
from typing import Protocol

from sync.settings import PARTITION, Settings
from sync.store.base import Conflict, Drop, Insert, Op, Put, Replace, Row, Rows, Stale, StoreUnreachable, prefix_end
from sync.store.secrets import Sealing, Undecipherable

KEY = "settings"
BEFORE = "settings-before"
VERSIONS_KEPT = 50
PART = 16_000
"""Characters of the settings' JSON in one property: the service takes 32 Ki of UTF-16, and there are characters that are two. What is longer (an
allow-list) goes on in `json1`, `json2`, ..."""
SECRET_NAME = "client-secret"  # noqa: S105 - how names begin in the vault; of earlier versions the whole name
LISTED = "secret|"
IN_VAULT = "vault"
_TRIES = 5
SECRET_PLACE = "control|settings|client-secret"  # noqa: S105 - what the token is bound to


class Vault(Protocol):
    """What is needed of a key vault (`sync.store.secrets.KeyVaultSecrets`)."""

    async def read_secret(self, name: str) -> str | None: ...

    async def write_secret(self, name: str, value: str) -> None: ...

    async def delete_secret(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Safe:
    """A key vault, and ids for what goes in: letters, digits and dashes, never twice the same."""

    vault: Vault
    new_id: Callable[[], str]


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


@dataclass(frozen=True, slots=True)
class InForce:
    """Settings and sign-in that count now, of one look."""

    settings: Settings
    sign_in: SignIn


class SettingsStore:
    """Reads and saves the settings. `safe` None: the secret is kept in the store, encrypted."""

    def __init__(self, rows: Rows, keys: Sealing, defaults: Defaults, safe: Safe | None = None) -> None:
        self._rows, self._keys, self._defaults, self._safe = rows, keys, defaults, safe
        self._from_vault: tuple[str, str] = ("", "")  # the name that was asked for last, and its secret

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

    async def tenant(self) -> str:
        """The tenant in force, an id or a domain; '' = none is named yet."""
        return (await self.read()).tenant_id or self._defaults.tenant_id

    async def in_force(self) -> InForce:
        """Both, as they are saved now."""
        row, kept = await self._with_secret()
        settings = _saved(row).settings if row else Settings()
        return InForce(settings, self._sign_in(settings, kept))

    async def sign_in(self, settings: Settings | None = None, secret: str | None = None) -> SignIn:
        """Saved values where there are any, else the environment's. A saved secret wins over a managed identity.

        A saved secret whose key was taken out of ENCRYPTION_KEYS is a missing one: an admin enters it again. `settings`, `secret`:
        as if these had been saved.
        """
        row, kept = await self._with_secret()
        kept = kept if secret is None else secret or None
        return self._sign_in(settings or (_saved(row).settings if row else Settings()), kept)

    def _sign_in(self, settings: Settings, kept: str | None) -> SignIn:
        return SignIn(
            settings.tenant_id or self._defaults.tenant_id,
            settings.client_id or self._defaults.client_id,
            self._defaults.client_secret if kept is None else kept,
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
        # Whoever listed a name before this save is stored began over the same row or an older one, and is refused after it.
        listed = await self._listed(token)
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
            if secret is not None:
                await self._forget({_name(token)} - {""})
            raise Stale from None
        await self._forget(listed - {_name(token)})
        return new

    async def _with_secret(self) -> tuple[Row | None, str | None]:
        """The settings' row and its secret: None = it has none, '' = it cannot be read. One that is not there was perhaps replaced a moment ago."""
        row = await self._rows.get(PARTITION, KEY)
        for _ in range(_TRIES):
            token = str(row.data["secret"]) if row else ""
            name = _name(token)
            if not name:
                return row, self._opened(token) if token else None
            found = await self._read_from_vault(name)
            if found is not None:
                return row, found
            before, row = row, await self._rows.get(PARTITION, KEY)
            if row == before:
                break
        return row, ""

    async def _read_from_vault(self, name: str) -> str | None:
        """Asked for once: no other secret ever gets a name that was given (`_keep`). But the one name that earlier versions had for all."""
        if self._safe is None:
            return None
        if name == self._from_vault[0]:
            return self._from_vault[1]
        found = await self._safe.vault.read_secret(name)
        if found is not None and name != SECRET_NAME:
            self._from_vault = (name, found)
        return found

    def _opened(self, token: str) -> str:
        try:
            return self._keys.decrypt(token, SECRET_PLACE)
        except Undecipherable:
            return ""

    async def _listed(self, token: str) -> set[str]:
        """Names in the vault; the one that an earlier version gave is listed now."""
        if _name(token) == SECRET_NAME:
            await self._rows.transact(PARTITION, [Put(LISTED + SECRET_NAME, {})])
        rows = self._rows.query(PARTITION, LISTED, prefix_end(LISTED))
        return {row.key.removeprefix(LISTED) async for row in rows}

    async def _keep(self, secret: str) -> str:
        if not secret or self._safe is None:
            return self._keys.encrypt(secret, SECRET_PLACE) if secret else ""
        name = f"{SECRET_NAME}-{self._safe.new_id()}"
        await self._rows.transact(PARTITION, [Put(LISTED + name, {})])
        await self._safe.vault.write_secret(name, secret)
        return f"{IN_VAULT}:{name}"

    async def _forget(self, names: Collection[str]) -> None:
        """Delete secrets that do not count. What cannot be deleted now stays listed for the next save."""
        if self._safe is None:
            return
        for name in sorted(names):
            try:
                await self._safe.vault.delete_secret(name)
                await self._rows.transact(PARTITION, [Drop(LISTED + name)])
            except StoreUnreachable:
                return


def _name(token: str) -> str:
    """Under which name the secret lies in the vault, '' = it does not. Earlier versions had one name for all."""
    place, _, name = token.partition(":")
    return (name or SECRET_NAME) if place == IN_VAULT else ""


def _saved(row: Row) -> Saved:
    data = row.data  # rows of earlier versions of the connector have no version
    text = "".join(str(data[name]) for name in takewhile(data.__contains__, _parts()))
    settings = Settings.model_validate_json(text)
    return Saved(settings, int(data.get("version", 1)), str(data.get("by", "")), str(data.get("at", "")))


def _data(saved: Saved) -> dict[str, str | int | bool]:
    text = saved.settings.model_dump_json()
    parts = zip(_parts(), (text[start : start + PART] for start in range(0, len(text), PART)), strict=False)
    return {**dict(parts), "version": saved.version, "by": saved.by, "at": saved.at}


def _parts() -> Iterator[str]:
    """The properties that the settings' JSON lies in, without an end."""
    return chain(["json"], (f"json{number}" for number in count(1)))


def _place(version: int) -> str:
    return f"{BEFORE}|{max(version, 0):08d}"
