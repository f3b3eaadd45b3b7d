"""The settings that come with the process: read once at the start, checked as a whole, wrong ones named.

A malformed setting stops the start; one that is merely missing for the CRM or for Microsoft 365 leaves the connector `paused`. Never
shows a value: a mistake carries the setting's name and what it should be. `os.environ` is handed in by function_app.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from sync.errors import ConfigMistake
from sync.store.secrets import Keyring

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
GUID = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")
DEFAULT_SCHEDULE = "0 */5 * * * *"
DEFAULT_GRAPH = "https://graph.microsoft.com/v1.0"
DEFAULT_AUTHORITY = "https://login.microsoftonline.com"
CLOUDS: Mapping[str, tuple[str, str]] = {
    "outlook.office365.com": (DEFAULT_GRAPH, DEFAULT_AUTHORITY),
    "outlook.office365.us": ("https://graph.microsoft.us/v1.0", "https://login.microsoftonline.us"),
    "partner.outlook.cn": ("https://microsoftgraph.chinacloudapi.cn/v1.0", "https://login.partner.microsoftonline.cn"),
}
"""Server name of the settings -> Graph and authority of that cloud."""
ON_AZURE = ("WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME")  # set by the platform; not every plan sets the first
NO_SECRET_ID = "the secret's value, not its id (the id looks like a GUID)"  # noqa: S105 - a sentence
_KEYS = {"INDEX_KEY": "index_key", "DIGEST_KEYS": "digest_keys", "ENCRYPTION_KEYS": "encryption_keys"}
_SAMPLE = (
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"  # a well-formed key: stands in for the others while one is checked
)


class ConfigMistakes(Exception):
    """Every setting that is malformed, one sentence each."""

    def __init__(self, mistakes: Sequence[ConfigMistake]) -> None:
        super().__init__(
            "the settings cannot be used: " + "; ".join(f"{m.field} must be {m.expected}" for m in mistakes)
        )
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True, slots=True)
class CrmAccess:
    """The CRM's address and our account there."""

    url: str
    username: str
    access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Environment:
    """All settings of the process. Texts are '' when not set."""

    connection: str  # name of the storage setting, for the queue trigger: STORAGE or AzureWebJobsStorage
    storage: str = field(repr=False)  # connection string, '' when the account is reached with our identity
    account: str
    identity: str  # client id of a user-assigned managed identity for storage and key vault, '' = the app's own
    key_vault_url: str
    index_key: str = field(repr=False)
    digest_keys: str = field(repr=False)
    encryption_keys: str = field(repr=False)
    admin_token: str = field(repr=False)
    nudge_key: str = field(repr=False)
    on_azure: bool
    sign_in_on: bool
    crm: CrmAccess | None
    crm_missing: tuple[str, ...]
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    managed_identity: str
    graph_base_url: str
    authority_host: str
    public_url: str
    schedule: str
    crm_time_limit: timedelta
    run_limit: timedelta
    crm_sessions: int
    graph_in_flight: int
    insights: str = field(repr=False)  # connection string of Application Insights, '' = nothing is measured
    insights_identity: str

    def cloud(self, server: str) -> tuple[str, str]:
        """(Graph, authority) for the server name of the settings; addresses that the environment gives win."""
        graph, authority = CLOUDS.get(server, (DEFAULT_GRAPH, DEFAULT_AUTHORITY))
        given = self.graph_base_url != DEFAULT_GRAPH
        elsewhere = self.authority_host != DEFAULT_AUTHORITY
        return self.graph_base_url if given else graph, self.authority_host if elsewhere else authority

    def keyring(self) -> Keyring:
        return Keyring.from_settings(self.index_key, self.digest_keys, self.encryption_keys)


def read_environment(values: Mapping[str, str]) -> Environment:
    """All settings, checked. Raises ConfigMistakes with every one that is malformed."""
    return _Reader(values).read()


class _Reader:
    """Collects the mistakes on the way."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values, self._mistakes = values, list[ConfigMistake]()

    def read(self) -> Environment:
        on_azure = any(self._text(name) for name in ON_AZURE)
        connection, storage, account = self._storage()
        keys = {attribute: self._key(name) for name, attribute in _KEYS.items()}
        crm, crm_missing = self._crm()
        environment = Environment(
            connection=connection,
            storage=storage,
            account=account,
            identity=self._matching(f"{connection}__clientId", (GUID,), "the client id of a managed identity, a GUID"),
            key_vault_url=self._url("KEY_VAULT_URL", "", "the address of a key vault, https://NAME.vault.azure.net"),
            **keys,
            admin_token=self._admin_token(on_azure),
            nudge_key=self._nudge_key(),
            on_azure=on_azure,
            sign_in_on=self._text("WEBSITE_AUTH_ENABLED").lower() == "true",
            crm=crm,
            crm_missing=crm_missing,
            tenant_id=self._matching("TENANT_ID", (GUID, DOMAIN), "the tenant's id (a GUID) or one of its domains"),
            client_id=self._matching("CLIENT_ID", (GUID,), "the application's (client) id, a GUID"),
            client_secret=self._client_secret(),
            managed_identity=self._matching(
                "CLIENT_ASSERTION_MANAGED_IDENTITY", (GUID,), "the client id of a managed identity, a GUID"
            ),
            graph_base_url=self._url(
                "GRAPH_BASE_URL", DEFAULT_GRAPH, "an https address ending in the version; http only for a loopback host"
            ),
            authority_host=self._url(
                "ENTRA_AUTHORITY_HOST", DEFAULT_AUTHORITY, "an https address; http only for a loopback host"
            ),
            public_url=self._public_url(),
            schedule=self._schedule(),
            crm_time_limit=timedelta(seconds=self._number("VTENEXT_TIME_LIMIT_SECONDS", 300, 1, 7200)),
            run_limit=timedelta(seconds=self._number("RUN_SECONDS", 240, 5, 480)),
            crm_sessions=self._number("VTENEXT_SESSIONS", 4, 1, 16),
            graph_in_flight=self._number("GRAPH_IN_FLIGHT", 16, 1, 256),
            insights=self._insights(),
            insights_identity=self._insights_identity(),
        )
        if self._mistakes:
            raise ConfigMistakes(self._mistakes)
        return environment

    def _wrong(self, name: str, expected: str) -> None:
        self._mistakes.append(ConfigMistake(name, expected))

    def _text(self, name: str) -> str:
        """A setting's text. A Key Vault reference that Azure could not resolve arrives as it was written."""
        value = self._values.get(name, "").strip()
        if value.startswith("@Microsoft.KeyVault("):
            self._wrong(name, "a Key Vault reference that the app's identity may read (Azure could not resolve it)")
            return ""
        return value

    def _storage(self) -> tuple[str, str, str]:
        """(setting's name, connection string, account name): STORAGE, else the Functions host's own storage."""
        for name in ("STORAGE", "AzureWebJobsStorage"):
            storage, account = self._text(name), self._text(f"{name}__accountName")
            if storage:
                if not re.search("(AccountName|TableEndpoint)=", storage) and storage != "UseDevelopmentStorage=true":
                    self._wrong(name, "a storage connection string")
                return name, storage, ""
            if account:
                if not re.fullmatch("[a-z0-9]{3,24}", account):
                    self._wrong(f"{name}__accountName", "a storage account's name, 3 to 24 small letters and digits")
                return name, "", account
        self._wrong("STORAGE", "a storage connection string (or STORAGE__accountName, with an identity)")
        return "AzureWebJobsStorage", "", ""

    def _key(self, name: str) -> str:
        value = self._text(name)
        sample = {"index_key": _SAMPLE, "digest_keys": f"a:{_SAMPLE}", "encryption_keys": f"a:{_SAMPLE}"}
        try:
            Keyring.from_settings(**(sample | {_KEYS[name]: value}))
        except ConfigMistake as mistake:
            if all(each.field != name for each in self._mistakes):
                self._mistakes.append(mistake)
        return value

    def _admin_token(self, on_azure: bool) -> str:
        token = self._text("ADMIN_TOKEN")
        if token and on_azure:
            self._wrong("ADMIN_TOKEN", "absent on Azure, where admins sign in with Entra ID")
        elif token and (len(token) < 32 or not token.isascii()):
            self._wrong("ADMIN_TOKEN", "at least 32 characters without accents")
        return token

    def _nudge_key(self) -> str:
        key = self._text("NUDGE_KEY")
        if key and (len(key) < 32 or not key.isascii()):
            self._wrong("NUDGE_KEY", "at least 32 characters without accents")
        return key

    def _crm(self) -> tuple[CrmAccess | None, tuple[str, ...]]:
        allowed = self._flag("VTENEXT_ALLOW_HTTP")
        expected = "the CRM's https address (http only for a loopback host, or with VTENEXT_ALLOW_HTTP=true)"
        url = self._url("VTENEXT_URL", "", expected, plain_allowed=allowed)
        username, access_key = self._text("VTENEXT_USERNAME"), self._text("VTENEXT_ACCESS_KEY")
        given = {"VTENEXT_URL": url, "VTENEXT_USERNAME": username, "VTENEXT_ACCESS_KEY": access_key}
        missing = tuple(name for name, value in given.items() if not value)
        return (None if missing else CrmAccess(url, username, access_key)), missing

    def _client_secret(self) -> str:
        secret = self._text("CLIENT_SECRET")
        if GUID.fullmatch(secret):
            self._wrong("CLIENT_SECRET", NO_SECRET_ID)
        return secret

    def _insights(self) -> str:
        name = "APPLICATIONINSIGHTS_CONNECTION_STRING"
        value = self._text(name)
        if value and not re.search(r"(?:^|;)InstrumentationKey=" + GUID.pattern, value, re.I):
            self._wrong(
                name, "the connection string of an Application Insights, InstrumentationKey=...;IngestionEndpoint=..."
            )
        return value

    def _insights_identity(self) -> str:
        name = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
        value = self._text(name)
        if value and not re.fullmatch(
            f"(?:ClientId={GUID.pattern};)?Authorization=AAD(?:;ClientId={GUID.pattern})?", value
        ):
            self._wrong(name, "Authorization=AAD, with ClientId=... for a user-assigned identity")
        return value

    def _schedule(self) -> str:
        schedule = self._text("SYNC_SCHEDULE") or DEFAULT_SCHEDULE
        if not re.fullmatch(r"(?:[\d*/,A-Za-z-]+ ){5}[\d*/,A-Za-z-]+", schedule):
            self._wrong("SYNC_SCHEDULE", f"six NCRONTAB fields such as '{DEFAULT_SCHEDULE}'")
        return schedule

    def _matching(self, name: str, patterns: Sequence[re.Pattern[str]], expected: str) -> str:
        value = self._text(name)
        if value and not any(pattern.fullmatch(value) for pattern in patterns):
            self._wrong(name, expected)
        return value

    def _url(self, name: str, default: str, expected: str, *, plain_allowed: bool = False) -> str:
        value = self._text(name).rstrip("/")
        if not value:
            return default
        if not _is_address(value, plain_allowed):
            self._wrong(name, expected)
        return value

    def _public_url(self) -> str:
        expected = "the app's https address as browsers reach it, without a path; http only for a loopback host"
        value = self._url("PUBLIC_URL", "", expected)
        if "/" in value.partition("://")[2]:
            self._wrong("PUBLIC_URL", expected)
        return value

    def _flag(self, name: str) -> bool:
        value = self._text(name).lower()
        if value not in ("", "true", "false", "1", "0"):
            self._wrong(name, "true or false")
        return value in ("true", "1")

    def _number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._text(name)
        if not value:
            return default
        if not re.fullmatch("[0-9]{1,6}", value) or not least <= int(value) <= most:
            self._wrong(name, f"a whole number from {least} to {most}")
            return default
        return int(value)


def _is_address(text: str, plain_allowed: bool) -> bool:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or parts.query or parts.fragment or re.search(r"\s", text):
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (plain_allowed or host in LOOPBACK))
