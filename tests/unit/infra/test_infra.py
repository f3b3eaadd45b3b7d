"""infra/ as it is passes every check, and each check finds what it is there for: faults are planted one at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from control.telemetry import FAILURES, GAUGES, ITEMS, RUNS, SPAN_RUN, SPAN_SWEEP, SWEEPS
from scripts.infra.__main__ import ROOT, findings
from scripts.infra.app import App, read_directly
from scripts.infra.files import parse
from scripts.infra.policy import ROLES
from tests.unit.infra.conftest import Planting

MAIN, APP, STORAGE = "main.bicep", "modules/app.bicep", "modules/storage.bicep"
VAULT, NETWORK, ALERTS = "modules/vault.bicep", "modules/network.bicep", "modules/alerts.bicep"
MONITORING = "modules/monitoring.bicep"
OWNER, CONTRIBUTOR = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "b24988ac-6180-42a0-ab88-20f7382dd24c"
BLOBS = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"


def test_nothing_is_wrong(texts: Mapping[str, str], asked: App) -> None:
    assert [str(each) for each in findings(texts, asked)] == []


FAULTS = {
    # what a compiler would say
    "syntax": (APP, "resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {", "resource plan {", "syntax"),
    "text without end": (APP, "name: 'FC1'", "name: 'FC1", "syntax"),
    "undefined symbol": (APP, "serverFarmId: plan.id", "serverFarmId: plam.id", "undefined"),
    "undefined in a text": (STORAGE, "${package.name}'", "${packages.name}'", "undefined"),
    "undefined in a key": (APP, "'${identityId}': {}", "'${identityID}': {}", "undefined"),
    "undefined in a condition": (APP, "empty(publicUrl) ?", "empty(publicUri) ?", "undefined"),
    "a loop's variable outside": (
        NETWORK,
        "addressPrefix: appSubnetPrefix",
        "addressPrefix: endpoint.name",
        "undefined",
    ),
    "undefined output": (MAIN, "identity.outputs.clientId", "identity.outputs.clientID", "undefined"),
    "what a resource does not have": (VAULT, "vault.properties.vaultUri", "vault.properties.vaultUrl", "undefined"),
    "unknown function": (MAIN, "toLower(uniqueString(", "lower(uniqueString(", "function"),
    "unused parameter": (APP, "VTENEXT_USERNAME: vtenextUsername", "VTENEXT_USERNAME: vtenextUrl", "unused"),
    "unused variable": (APP, "excludedPaths: openPaths", "excludedPaths: []", "unused"),
    "odd type": (APP, "param subnetId string", "param subnetId text", "type"),
    "missing module": (MAIN, "'modules/app.bicep'", "'modules/apps.bicep'", "module"),
    "parameter not given": (MAIN, "    vtenextUrl: vtenextUrl\n", "", "params"),
    "parameter too many": (
        MAIN,
        "    publicUrl: publicUrl\n",
        "    publicUrl: publicUrl\n    other: location\n",
        "params",
    ),
    "nested resource": (
        STORAGE,
        "  kind: 'StorageV2'\n",
        "  kind: 'StorageV2'\n  resource x 'queueServices' = {\n    name: 'default'\n  }\n",
        "nested",
    ),
    "parameters for nothing": ("main.parameters.json", '"vtenextUsername"', '"vtenextUserName"', "params"),
    "parameter of another type": ("environments/test.parameters.json", '"value": 30', '"value": "30"', "params"),
    "value that is not allowed": ("environments/test.parameters.json", "Standard_LRS", "Standard_XRS", "params"),
    # what Azure would say
    "misspelt property": (STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAcces: false", "property"),
    "misspelt deep inside": (APP, "userAssignedIdentityResourceId:", "userAssignedIdentityResourceID:", "property"),
    "misspelt in a list": (NETWORK, "privateLinkServiceId:", "privateLinkServiceID:", "property"),
    "misspelt in a loop": (ALERTS, "useCommonAlertSchema", "useCommonAlertsSchema", "property"),
    "misspelt in a variable": (APP, "    instanceCount: always", "    instances: always", "property"),
    "misspelt by the older libraries": (MONITORING, "WorkspaceResourceId:", "workspaceResourceId:", "property"),
    "misspelt by hand": (VAULT, "categoryGroup:", "category_group:", "property"),
    "read-only property": (APP, "    httpsOnly: true", "    httpsOnly: true\n    defaultHostName: name", "property"),
    "value, not object": (APP, "    httpsOnly: true", "    httpsOnly: {\n      on: true\n    }", "property"),
    "required property": (STORAGE, "  kind: 'StorageV2'\n", "", "missing"),
    "required by the older libraries": (MONITORING, "  kind: 'web'\n", "", "missing"),
    "word that Azure does not know": (
        STORAGE,
        "defaultAction: closed ? 'Deny'",
        "defaultAction: closed ? 'Denied'",
        "value",
    ),
    "unknown API version": (APP, "Microsoft.Web/sites@2025-05-01", "Microsoft.Web/sites@2025-05-31", "version"),
    "unknown type": (APP, "Microsoft.Web/serverfarms@", "Microsoft.Web/serverFarm@", "resource"),
    # what we would not want
    "shared keys": (STORAGE, "allowSharedKeyAccess: false", "allowSharedKeyAccess: true", "policy"),
    "shared keys, unsaid": (STORAGE, "    allowSharedKeyAccess: false\n", "", "policy"),
    "public blobs": (STORAGE, "allowBlobPublicAccess: false", "allowBlobPublicAccess: true", "policy"),
    "public container": (STORAGE, "publicAccess: 'None'", "publicAccess: 'Blob'", "policy"),
    "old TLS": (STORAGE, "'TLS1_2'", "'TLS1_0'", "policy"),
    "old TLS of the app": (APP, "    minTlsVersion: '1.2'", "    minTlsVersion: '1.0'", "policy"),
    "what Flex Consumption refuses": (
        APP,
        "      http20Enabled: true",
        "      http20Enabled: true\n      ftpsState: 'Disabled'",
        "flex",
    ),
    "http": (APP, "httpsOnly: true", "httpsOnly: false", "policy"),
    "no purge protection": (VAULT, "enablePurgeProtection: true", "enablePurgeProtection: false", "policy"),
    "access policies": (VAULT, "enableRbacAuthorization: true", "enableRbacAuthorization: false", "policy"),
    "open ingestion": (MONITORING, "DisableLocalAuth: true", "DisableLocalAuth: false", "policy"),
    "no sign-in": (APP, "requireAuthentication: true", "requireAuthentication: false", "policy"),
    "any directory": (APP, "loginEndpoint}${tenantId}/v2.0", "loginEndpoint}common/v2.0", "policy"),
    "deployment password": (APP, "    allow: false", "    allow: true", "policy"),
    "both are the same password": (APP, "  name: 'scm'", "  name: 'ftp'", "policy"),
    "wide role": (STORAGE, BLOBS, OWNER, "role"),
    "wide role in a variable": (VAULT, "b86a8fe4-44ce-4948-aee5-eccb2c155cd7", CONTRIBUTOR, "role"),
    "wide role, written out": (
        MONITORING,
        "roleDefinitions', monitoringMetricsPublisher)",
        f"roleDefinitions', '{OWNER}')",
        "role",
    ),
    "role on the whole group": (VAULT, "  scope: vault\n", "", "role"),
    "role by chance": (VAULT, "name: guid(vault.id, appPrincipalId, secretsOfficer)", "name: appPrincipalId", "role"),
    "keys read": (
        STORAGE,
        "output id string = account.id",
        "output id string = listKeys(account.id, '2025-06-01')",
        "secret",
    ),
    "secret that is not secure": (MAIN, "param vtenextUsername string", "param vtenextPassword string", "secret"),
    "secret that comes out": (MAIN, "output AZURE_RESOURCE_GROUP", "output CLIENT_SECRET", "secret"),
    "connection string that comes out": (
        MONITORING,
        "output componentName string = component.name",
        "output componentName string = component.properties.ConnectionString",
        "secret",
    ),
    # where infrastructure and app disagree
    "missing setting": (APP, "    RUN_SECONDS: '240'\n", "", "setting"),
    "setting that nobody reads": (APP, "RUN_SECONDS: '240'", "RUN_SECONDS: '240'\n    RUN_MINUTES: '4'", "setting"),
    "admin token on Azure": (APP, "RUN_SECONDS: '240'", "RUN_SECONDS: '240'\n    ADMIN_TOKEN: 'x'", "setting"),
    "path that is nobody's to open": (APP, "'/api/nudge'", "'/api/status'", "open"),
    "way back of the sign-in": (APP, "'/api/nudge'", "'/api/oauth/callback'", "open"),
    "queue of another name": (STORAGE, "name: 'runs'", "name: 'jobs'", "storage"),
    "table of another name": (STORAGE, "name: 'vtesync'", "name: 'sync'", "storage"),
    "alert with a wide window": ("alerts.json", '"window": "PT15M"', '"window": "PT1M"', "alert"),
    "alert that is gone": ("alerts.json", "vtesync.poison", "vtesync.state", "alert"),
    "alert on error only": ("alerts.json", "where Sum >= 3", "where Sum >= 4", "alert"),
    "alert in misspelt Kusto": ("alerts.json", "| where Sum < 30", "| wher Sum < 30", "query"),
    "attribute that nobody sends": ("alerts.json", "Properties.state)", "Properties.stat)", "measurement"),
    "attribute of another measurement": ("alerts.json", "Properties.outcome)", "Properties.cause)", "measurement"),
    "attribute of no span": ("workbook.json", "Properties.mailbox", "Properties.person", "measurement"),
    **{
        f"without {name}": (APP, f"    {name}: {value}\n", "", "setting")
        for name, value in {
            "AzureWebJobsStorage__credential": "'managedidentity'",
            "STORAGE__credential": "'managedidentity'",
            "APPLICATIONINSIGHTS_CONNECTION_STRING": "component.properties.ConnectionString",
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "'ClientId=${identityClientId};Authorization=AAD'",
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "'true'",
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "'true'",
            "WEBSITE_AUTH_AAD_ALLOWED_TENANTS": "tenantId",
            "OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID": "withSecret ? '' : identityClientId",
        }.items()
    },
    "key of another": (APP, "secrets/index-key/)'", "secrets/digest-keys/)'", "setting"),
    "secret in the file": (
        APP,
        "'@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/vtenext-access-key/)'",
        "'Zq8sjd82jdKsl2'",
        "setting",
    ),
    "address of another": (APP, "PUBLIC_URL: reachedAt", "PUBLIC_URL: vtenextUrl", "setting"),
    "app writes where its keys are": (APP, "KEY_VAULT_URL: panelVaultUri", "KEY_VAULT_URL: vaultUri", "setting"),
    "tag that azd does not find": (APP, "'azd-service-name': 'connector'", "'azd-service-name': 'conector'", "azd"),
    "Python that nobody tested": (APP, "version: '3.13'", "version: '3.10'", "policy"),
    "another language": (APP, "name: 'python'", "name: 'node'", "policy"),
    "deployment by a key": (APP, "type: 'UserAssignedIdentity'", "type: 'StorageAccountConnectionString'", "policy"),
    "sign-in without its provider": (
        APP,
        "azureActiveDirectory: {\n        enabled: true",
        "azureActiveDirectory: {\n        enabled: false",
        "policy",
    ),
    "tokens for others": (
        APP,
        "            'api://${entraClientId}'\n",
        "            'api://${entraClientId}'\n            'https://graph.microsoft.com'\n",
        "policy",
    ),
    "tokens by others": (
        APP,
        "allowedApplications: [\n              entraClientId",
        "allowedApplications: [",
        "policy",
    ),
    "alerts that sleep": (ALERTS, "rule.severity\n    enabled: true", "rule.severity\n    enabled: false", "policy"),
    "alerts that tell nobody": (ALERTS, "        people.id\n", "", "policy"),
    "nobody to be told": (ALERTS, "'vtesync'\n    enabled: true", "'vtesync'\n    enabled: false", "policy"),
    "log that goes elsewhere": (VAULT, "    workspaceId: workspaceId\n", "    workspaceId: vault.id\n", "policy"),
    "vault open to all": (VAULT, "closed && empty(operatorAddresses) ? 'Disabled' : 'Enabled'", "'Enabled'", "policy"),
    "storage open to all": (STORAGE, "closed ? 'Deny' : 'Allow'", "'Allow'", "policy"),
    "zone that resolves nothing": (NETWORK, "privatelink.vaultcore.azure.net", "privatelink.vault.azure.net", "policy"),
    "subnet for another plan": (NETWORK, "Microsoft.App/environments", "Microsoft.Web/serverFarms", "policy"),
    "no parent": (STORAGE, "  parent: account\n  name: 'default'", "  name: '${name}/default'", "parent"),
    "keys read by a method": (
        STORAGE,
        "output id string = account.id",
        "output id string = account.listKeys().keys[0].value",
        "secret",
    ),
    "role that does not name who": (
        STORAGE,
        "guid(account.id, appPrincipalId, role)",
        "guid(account.id, role)",
        "role",
    ),
    "role that does not name where": (STORAGE, "guid(account.id, app", "guid(tags.x, app", "role"),
    "role for a user that is an app": (
        VAULT,
        "    principalType: 'ServicePrincipal'",
        "    principalType: operatorPrincipalType",
        "role",
    ),
    "parameter that azd is not told": (
        "main.parameters.json",
        '    "storageSku": {\n      "value": "${STORAGE_SKU=Standard_ZRS}"\n    },\n',
        "",
        "params",
    ),
    "two defaults": ("main.parameters.json", "STORAGE_SKU=Standard_ZRS", "STORAGE_SKU=Standard_LRS", "params"),
    "default that hides the question": ("main.parameters.json", "${ALERT_EMAILS}", "${ALERT_EMAILS=}", "params"),
    "number out of range": ("environments/test.parameters.json", '"value": 40', '"value": 4000', "params"),
    "id that is too short": (
        "environments/test.parameters.json",
        "00000000-0000-0000-0000-000000000000",
        "abc",
        "params",
    ),
    "type of another parameter": (MAIN, "    closed: privateNetwork", "    closed: location", "params"),
    "name that is too long": (MAIN, "'stvtesync${unique}'", "'stvtesyncstorage${unique}'", "params"),
    "lock of no kind": (STORAGE, "level: 'CanNotDelete'", "level: 'CannotDelete'", "value"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found(fault: str, planted: Planting) -> None:
    path, old, new, rule = FAULTS[fault]
    found = planted(path, old, new)
    assert rule in {each.rule for each in found}, [str(each) for each in found]


def test_a_measurement_that_the_app_does_not_send(texts: Mapping[str, str], asked: App) -> None:
    found = findings(texts, replace(asked, sent={"vtesync.state": frozenset({"state", "cause"})}))
    assert "alerts.json: the app does not measure vtesync.attempts [measurement]" in map(str, found)
    assert "workbook.json: the app does not measure vtesync.items [measurement]" in map(str, found)


def test_a_setting_that_is_not_documented(texts: Mapping[str, str], asked: App) -> None:
    found = findings(texts, replace(asked, documented=asked.documented - {"RUN_SECONDS"} | {"RUN_MINUTES"}))
    assert [str(each) for each in found] == [
        "local.settings.example.json: the app reads RUN_SECONDS, which is not documented [setting]",
        "local.settings.example.json: RUN_MINUTES is documented, and nothing reads it [setting]",
    ]


def test_a_setting_that_the_app_begins_to_read(texts: Mapping[str, str], asked: App) -> None:
    found = findings(texts, replace(asked, read=asked.read | {"NEW_SETTING"}))
    assert {each.rule for each in found} == {"setting"}
    assert len(found) == 2, "neither set nor documented"


def test_an_open_path_is_a_route_of_the_app(texts: Mapping[str, str], asked: App) -> None:
    found = findings(texts, replace(asked, paths=asked.paths - {"/api/nudge"}))
    assert {each.rule for each in found} == {"open"}


def test_the_app_is_asked_and_answers(asked: App) -> None:
    assert {"/api/panel", "/api/status", "/api/oauth/callback"} <= asked.paths
    assert {
        "INDEX_KEY",
        "VTENEXT_URL",
        "STORAGE__clientId",
        "AzureWebJobsStorage__clientId",
        "SYNC_SCHEDULE",
    } <= asked.read
    assert asked.stored == {"runs", "runs-poison", "fills", "fills-poison", "vtesync"}
    assert asked.services == {"connector"}
    assert {*GAUGES, SWEEPS, RUNS, ITEMS, FAILURES, SPAN_RUN, SPAN_SWEEP} == asked.sent.keys()
    assert asked.sent[ITEMS] == {"kind", "side", "what"}
    assert {"mailbox", "why", "outcome", "cause", "error"} <= asked.sent[SPAN_RUN]


def test_settings_that_the_product_reads_by_itself(tmp_path: Path) -> None:
    (tmp_path / "sync").mkdir()
    (tmp_path / "function_app.py").write_text("import os\nos.environ.get('ONE')\nos.environ['TWO']\n", "utf-8")
    (tmp_path / "sync/some.py").write_text("from os import environ, getenv\ngetenv('THREE')\nenviron[name]\n", "utf-8")
    assert read_directly(tmp_path) == {"ONE", "TWO", "THREE", "some.py: a name that is calculated"}


def test_the_readme_names_every_role(texts: Mapping[str, str]) -> None:
    readme = (ROOT / "infra/README.md").read_text("utf-8")
    assert set(re.findall(r"^\| ([A-Z][\w ]+) \| the app", readme, re.MULTILINE)) == set(ROLES.values())


def test_outputs_name_routes_of_the_app(texts: Mapping[str, str], asked: App) -> None:
    infra, _ = parse(texts)
    outputs = infra.bicep[MAIN].tree["outputs"]
    assert outputs["PANEL_URL"]["value"].removeprefix("${app.outputs.publicUrl}") in asked.paths
    redirects = infra.bicep[APP].tree["outputs"]["redirectUris"]["value"]
    own = {each.removeprefix("${reachedAt}") for each in redirects} - {"/.auth/login/aad/callback"}
    assert own == {"/api/oauth/callback", "/api/oauth/consent-callback"} & asked.paths


def test_azd_runs_scripts_that_are_there_and_is_new_enough() -> None:
    azure = yaml.safe_load((ROOT / "azure.yaml").read_text("utf-8"))
    assert azure["requiredVersions"] == {"azd": ">= 1.18.0"}, "Azure/azure-dev#5383: .funcignore"
    for hook in azure["hooks"].values():
        for shell in hook.values():
            assert (ROOT / shell["run"].removeprefix("bash ")).is_file()


def test_every_json_file_is_used(texts: Mapping[str, str]) -> None:
    loaded = "".join(text for path, text in texts.items() if path.endswith(".bicep"))
    for path in texts:
        if path.endswith(".json") and not path.endswith(".parameters.json") and not path.startswith("entra/"):
            assert f"../{path}'" in loaded, path


def test_the_workbook_is_one(texts: Mapping[str, str]) -> None:
    workbook = json.loads(texts["workbook.json"])
    assert workbook["version"] == "Notebook/1.0"
    names = [item["name"] for item in workbook["items"]]
    assert len(set(names)) == len(names)
    queries = [item["content"]["query"] for item in workbook["items"] if item["type"] == 3]
    assert all(query.startswith(("AppMetrics | where Name", "AppDependencies | where Name")) for query in queries)
