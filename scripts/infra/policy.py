"""What may not be, whatever Azure would accept: shared keys, public blobs, old TLS, passwords, wide roles, secrets let out, holes in the sign-in.

Rules about single values are a table; the others are functions. checkov (`make policy`) asks more, and slower.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.infra.files import Bicep, Finding, Infra
from scripts.infra.tokens import references
from scripts.package import PYTHON

CLOSED = (
    "publicNetworkAccess: closed && empty(operatorAddresses) ? 'Disabled' : 'Enabled'",
    "defaultAction: closed ? 'Deny' : 'Allow'",
)
KINDS_OF_PRINCIPAL: Mapping[str, str] = {
    "appPrincipalId": "ServicePrincipal",
    "operatorPrincipalId": "operatorPrincipalType",
}
MUST_BE: Mapping[str, Mapping[str, object]] = {
    "Microsoft.Storage/storageAccounts": {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.allowCrossTenantReplication": False,
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": True,
    },
    "Microsoft.Storage/storageAccounts/blobServices/containers": {"properties.publicAccess": "None"},
    "Microsoft.KeyVault/vaults": {
        "properties.enablePurgeProtection": True,
        "properties.enableSoftDelete": True,
        "properties.enableRbacAuthorization": True,
    },
    "Microsoft.Web/sites": {
        "properties.httpsOnly": True,
        "properties.siteConfig.minTlsVersion": "1.2",
        "properties.siteConfig.scmMinTlsVersion": "1.2",
        "identity.type": "UserAssigned",
        "properties.functionAppConfig.runtime.name": "python",
        "properties.functionAppConfig.runtime.version": PYTHON,
        "properties.functionAppConfig.deployment.storage.authentication.type": "UserAssignedIdentity",
    },
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
    "Microsoft.Web/sites/config:authsettingsV2": {
        "properties.platform.enabled": True,
        "properties.globalValidation.requireAuthentication": True,
        "properties.globalValidation.unauthenticatedClientAction": "RedirectToLoginPage",
        "properties.httpSettings.requireHttps": True,
        "properties.login.tokenStore.enabled": False,
        "properties.identityProviders.azureActiveDirectory.enabled": True,
        "properties.identityProviders.azureActiveDirectory.registration.clientId": "entraClientId",
        "properties.identityProviders.azureActiveDirectory.validation.allowedAudiences": [
            "entraClientId",
            "api://${entraClientId}",
        ],
        "properties.identityProviders.azureActiveDirectory.validation.defaultAuthorizationPolicy.allowedApplications": [
            "entraClientId"
        ],
        "properties.identityProviders.azureActiveDirectory.registration.openIdIssuer": (
            "${environment().authentication.loginEndpoint}${tenantId}/v2.0"  # one directory, never `common`
        ),
    },
    "Microsoft.Insights/actionGroups": {"properties.enabled": True},
    "Microsoft.Insights/scheduledQueryRules": {
        "properties.enabled": True,
        "properties.actions.actionGroups": [
            {"operator": {"type": "property_accessor", "operands": {"operand_1": "people", "operand_2": "id"}}}
        ],
    },
    "Microsoft.Insights/diagnosticSettings": {"properties.workspaceId": "workspaceId"},
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
}
MUST_STAND: Mapping[str, tuple[str, ...]] = {
    "modules/storage.bicep": CLOSED,
    "modules/vault.bicep": CLOSED,
    "modules/network.bicep": ("'privatelink.vaultcore.azure.net'", "serviceName: 'Microsoft.App/environments'"),
}
"""Calculations, which pycep gives in trees of its own: as they are written."""
NEEDED = frozenset({*MUST_BE, "Microsoft.Authorization/roleAssignments"})
FLEX_TAKES = frozenset({"minTlsVersion", "scmMinTlsVersion", "http20Enabled"})
"""What we write into siteConfig. Flex Consumption refuses much of the rest (error 51021), in some regions only: alwaysOn, linuxFxVersion, ftpsState,
functionAppScaleLimit, use32BitWorkerProcess... (Azure/terraform-azurerm-avm-res-web-site#345, Azure/azure-functions-host#10643)."""
ROLES: Mapping[str, str] = {
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
    "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
    "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3": "Storage Table Data Contributor",
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7": "Key Vault Secrets Officer",
    "4633458b-17de-408a-b874-0445c86b69e6": "Key Vault Secrets User",
    "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
}
"""Every role that may be given. All others are wide: Owner, Contributor and User Access Administrator with them."""
SECRET = re.compile(r"secret|password|access_?key|token|connectionstring", re.IGNORECASE)
NO_SECRETS = frozenset(
    {"applicationCredential", "clientSecretReference", "withSecret", "secretsOfficer", "secretsUser"}
)
"""Names that only speak of secrets."""


def check(infra: Infra) -> Iterator[Finding]:
    seen: set[str] = set()
    for file in infra.bicep.values():
        for symbol, kind, _, body in file.resources():
            known = f"{kind}:{body.get('name')}" if kind == "Microsoft.Web/sites/config" else kind
            seen.add(known)
            where = f"{file.path}:{symbol}"
            for path, wanted in MUST_BE.get(known, {}).items():
                if (found := _at(body, path)) != wanted or isinstance(found, bool) != isinstance(wanted, bool):
                    yield Finding("policy", f"{where}.{path}", f"is {found!r}, must be {wanted!r}")
            if kind == "Microsoft.Web/sites":
                for name in sorted((_at(body, "properties.siteConfig") or {}).keys() - FLEX_TAKES):
                    yield Finding("flex", f"{where}.properties.siteConfig.{name}", "Flex Consumption may refuse it")
            if kind.count("/") > 1 and ("parent" not in body or "/" in str(body["name"])):
                yield Finding("parent", where, "belongs to another resource: name that as its parent")
            if kind == "Microsoft.Authorization/roleAssignments":
                yield from _role(file, where, body)
        yield from _secrets(file)
        for text in MUST_STAND.get(file.path, ()):
            if text not in file.text:
                yield Finding("policy", file.path, f"does not say {text}")
    for missing in sorted(NEEDED - seen):
        yield Finding("policy", "infra", f"there is no {missing}")
    yield from _passwords(infra)


def _at(body: Any, path: str) -> Any:
    for name in path.split("."):
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _role(file: Bicep, where: str, body: Mapping[str, Any]) -> Iterator[Finding]:
    """A role that is on the list, on one resource, under a name that is the same at every deployment."""
    definition = _at(body, "properties.roleDefinitionId")
    named = _at(definition, "function.parameters.resource_name_1")
    kind = _at(definition, "function.parameters.resource_type")
    roles = _literals(file, named)
    if kind != "Microsoft.Authorization/roleDefinitions" or not roles:
        yield Finding("role", where, "which role it gives cannot be read")
    for role in roles:
        if role not in ROLES:
            yield Finding("role", where, f"gives the role {role}, which is not among those that we need")
    if body.get("scope") not in file.declared.resources:
        yield Finding("role", where, "is not limited to a resource")
    principal = _at(body, "properties.principalId")
    scope = {"operator": {"type": "property_accessor", "operands": {"operand_1": body.get("scope"), "operand_2": "id"}}}
    parts = _at(body, "name.function.parameters") if _at(body, "name.function.type") == "guid" else None
    if not isinstance(parts, dict) or [each for each in parts.values() if each] != [scope, principal, named]:
        yield Finding("role", where, "its name must be guid(resource.id, principal, role)")
    if _at(body, "properties.principalType") != KINDS_OF_PRINCIPAL.get(str(principal)):
        yield Finding("role", where, "says not, or wrongly, what kind of principal gets it")


def _literals(file: Bicep, named: Any) -> list[str]:
    """The texts that a name stands for: a variable, or a loop's variable over a list of texts; a text is itself."""
    if not isinstance(named, str):
        return []
    value = file.variable(named)
    if isinstance(value, str):
        return [value]
    loop = re.search(rf"\[for {re.escape(named)} in (\w+):", file.text)
    if loop is not None:
        items = file.variable(loop.group(1))
        return [each for each in items if isinstance(each, str)] if isinstance(items, list) else []
    return [] if named in file.declared.symbols() else [named]


def _secrets(file: Bicep) -> Iterator[Finding]:
    secure = {
        name
        for name, each in file.tree.get("parameters", {}).items()
        if any(decorator["type"] == "secure" for decorator in each["decorators"])
    }
    for name, line in file.declared.params.items():
        if SECRET.search(name) and name not in secure | NO_SECRETS:
            yield Finding("secret", f"{file.path}:{line}", f"param {name} sounds secret and is not @secure()")
    for name in secure:
        if file.tree["parameters"][name]["default"] not in (None, ""):
            yield Finding("secret", f"{file.path}:{file.declared.params[name]}", f"{name} has a value in the file")
    lines = file.text.splitlines()
    for name, line in file.declared.outputs.items():
        text = lines[line - 1]
        if (SECRET.search(name) and name not in NO_SECRETS) or any(re.search(rf"\b{each}\b", text) for each in secure):
            yield Finding(
                "secret", f"{file.path}:{line}", f"output {name} is readable by everybody who sees the deployment"
            )
        if "ConnectionString" in text:
            yield Finding("secret", f"{file.path}:{line}", f"output {name} gives a connection string away")
    for method in re.findall(r"\.(list\w+)\(", file.text):
        yield Finding("secret", file.path, f"{method}() reads keys")
    for each in references(file.words):
        if each.called and each.name.startswith("list"):
            yield Finding("secret", f"{file.path}:{each.line}", f"{each.name}() reads keys")


def _passwords(infra: Infra) -> Iterator[Finding]:
    """Both ways to deploy with a password are shut."""
    shut = {
        body.get("name")
        for file in infra.bicep.values()
        for _, kind, _, body in file.resources()
        if kind == "Microsoft.Web/sites/basicPublishingCredentialsPolicies"
    }
    for name in sorted({"ftp", "scm"} - shut):
        yield Finding("policy", "infra", f"deployment with a password ({name}) is not shut")
