"""Settings of the process: defaults, all mistakes at once, and documentation that names every variable."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from control.environment import ConfigMistakes, read_environment

ROOT = Path(__file__).resolve().parents[3]
KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
NEEDED = {
    "STORAGE": "UseDevelopmentStorage=true",
    "INDEX_KEY": KEY,
    "DIGEST_KEYS": f"b:{KEY},a:{KEY}",
    "ENCRYPTION_KEYS": f"a:{KEY}",
}
CRM = {"VTENEXT_URL": "https://crm.example/", "VTENEXT_USERNAME": "svc", "VTENEXT_ACCESS_KEY": "k3y"}


def test_the_least_that_starts() -> None:
    environment = read_environment(NEEDED)
    assert environment.crm is None
    assert environment.crm_missing == ("VTENEXT_URL", "VTENEXT_USERNAME", "VTENEXT_ACCESS_KEY")
    assert environment.graph_base_url == "https://graph.microsoft.com/v1.0"
    assert (environment.schedule, environment.crm_time_limit) == ("0 */5 * * * *", timedelta(minutes=5))
    assert environment.keyring().index("x")


def test_storage_by_identity() -> None:
    rest = {name: value for name, value in NEEDED.items() if name != "STORAGE"}
    environment = read_environment({**rest, "AzureWebJobsStorage__accountName": "acme"})
    assert (environment.connection, environment.storage, environment.account) == ("AzureWebJobsStorage", "", "acme")


def test_secrets_do_not_show() -> None:
    environment = read_environment({**NEEDED, **CRM, "CLIENT_SECRET": "cl1ent~s", "ADMIN_TOKEN": "t" * 32})
    for secret in (KEY, "k3y", "cl1ent~s", "t" * 32, "UseDevelopment"):
        assert secret not in repr(environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STORAGE", "nonsense"),
        ("INDEX_KEY", "short"),
        ("DIGEST_KEYS", KEY),
        ("ENCRYPTION_KEYS", f"a:{KEY},a:{KEY}"),
        ("ADMIN_TOKEN", "t" * 31),
        ("VTENEXT_URL", "http://crm.example"),
        ("VTENEXT_URL", "https://user:pass@crm.example"),
        ("VTENEXT_URL", "crm.example"),
        ("VTENEXT_URL", "https://crm.example:port"),
        ("VTENEXT_ALLOW_HTTP", "maybe"),
        ("VTENEXT_TIME_LIMIT_SECONDS", "99999"),
        ("VTENEXT_SESSIONS", "four"),
        ("GRAPH_IN_FLIGHT", "-1"),
        ("RUN_SECONDS", "900"),
        ("GRAPH_BASE_URL", "http://graph.example/v1.0"),
        ("ENTRA_AUTHORITY_HOST", "http://login.example"),
        ("KEY_VAULT_URL", "my-vlt"),
        ("PUBLIC_URL", "http://sync.example"),
        ("PUBLIC_URL", "https://sync.example/panel"),
        ("TENANT_ID", "not a tenant"),
        ("CLIENT_ID", "not-a-guid"),
        ("CLIENT_SECRET", "11111111-2222-4333-8444-555555555555"),
        ("CLIENT_ASSERTION_MANAGED_IDENTITY", "me"),
        ("STORAGE__clientId", "me"),
        ("SYNC_SCHEDULE", "every day"),
        ("CLIENT_SECRET", "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"),
    ],
)
def test_a_malformed_setting_is_named_and_its_value_is_not_shown(name: str, value: str) -> None:
    with pytest.raises(ConfigMistakes) as wrong:
        read_environment({**NEEDED, name: value})
    assert [mistake.field for mistake in wrong.value.mistakes] == [name]
    assert value not in str(wrong.value)


def test_all_mistakes_at_once() -> None:
    with pytest.raises(ConfigMistakes) as wrong:
        read_environment({"ADMIN_TOKEN": "x", "SYNC_SCHEDULE": "x"})
    names = [mistake.field for mistake in wrong.value.mistakes]
    assert names == ["STORAGE", "INDEX_KEY", "DIGEST_KEYS", "ENCRYPTION_KEYS", "ADMIN_TOKEN", "SYNC_SCHEDULE"]
    assert all(mistake.expected in str(wrong.value) for mistake in wrong.value.mistakes)


@pytest.mark.parametrize("marker", ["WEBSITE_INSTANCE_ID", "WEBSITE_SITE_NAME"])
def test_no_token_on_azure(marker: str) -> None:
    with pytest.raises(ConfigMistakes, match="ADMIN_TOKEN"):
        read_environment({**NEEDED, marker: "x", "ADMIN_TOKEN": "t" * 40})


@pytest.mark.parametrize(
    "changes",
    [
        {"VTENEXT_URL": "http://127.0.0.1:8080"},
        {"VTENEXT_URL": "http://crm.local", "VTENEXT_ALLOW_HTTP": "true"},
        {"GRAPH_BASE_URL": "http://localhost:1/v1.0", "ENTRA_AUTHORITY_HOST": "http://[::1]:2"},
    ],
)
def test_http_where_it_is_allowed(changes: dict[str, str]) -> None:
    environment = read_environment({**NEEDED, **CRM, **changes})
    assert environment.crm is not None


def test_every_variable_is_in_the_example_and_in_the_documentation() -> None:
    source = (ROOT / "control" / "environment.py").read_text(encoding="utf-8")
    asked = set(re.findall(r'"([A-Z][A-Z]+(?:_[A-Z]+)+)"', source)) | {"STORAGE", "AzureWebJobsStorage"}
    assert len(asked) > 20, "the search itself must work"
    example = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]
    documented = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for name in asked:
        assert f"`{name}`" in documented, name
        assert name in example or name.startswith("WEBSITE_"), name


def test_the_example_is_well_formed_and_holds_no_secret() -> None:
    example = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]
    with pytest.raises(ConfigMistakes) as wrong:
        read_environment(example)
    assert {mistake.field for mistake in wrong.value.mistakes} == {"INDEX_KEY", "DIGEST_KEYS", "ENCRYPTION_KEYS"}
    assert read_environment({**example, **NEEDED, "STORAGE": ""}).connection == "AzureWebJobsStorage"
