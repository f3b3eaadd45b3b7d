"""Which properties a resource has: taken from Azure's management libraries, which are generated from the same descriptions as Bicep's types.

Two generations of them exist: `rest_field` with types, and `_attribute_map` with dotted keys. Both become a `Shape`. The three types without a
library of the list are written down here.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, partial
from importlib import import_module
from typing import Any


@dataclass(slots=True)
class Shape:
    """`members` None = anything goes (a dictionary), or with `plain` a value. `values`: the words that a text may be, () = any.

    A member is made when it is looked at: models hold each other in circles.
    """

    members: dict[str, Callable[[], Shape]] | None = None
    required: set[str] = field(default_factory=set)
    read_only: set[str] = field(default_factory=set)
    values: tuple[str, ...] = ()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """Where a type's models are: what is written, what is read back, and the API versions that we may use (each seen in Azure's references)."""

    library: str
    write: str
    read: str
    versions: tuple[str, ...]


def _at(library: str, versions: str, write: str, read: str = "") -> Known:
    return Known(f"azure.mgmt.{library}.models", write, read or write, tuple(versions.split()))


WEB, STORAGE, NETWORK = "2025-05-01", "2025-06-01", "2025-05-01"
TYPES: Mapping[str, Known] = {
    "Microsoft.Web/serverfarms": _at("web", WEB, "AppServicePlan"),
    "Microsoft.Web/sites": _at("web", WEB, "Site"),
    "Microsoft.Web/sites/config:appsettings": _at("web", WEB, "StringDictionary"),
    "Microsoft.Web/sites/config:authsettingsV2": _at("web", WEB, "SiteAuthSettingsV2"),
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": _at("web", WEB, "CsmPublishingCredentialsPoliciesEntity"),
    "Microsoft.Storage/storageAccounts": _at("storage", STORAGE, "StorageAccountCreateParameters", "StorageAccount"),
    "Microsoft.Storage/storageAccounts/blobServices": _at("storage", STORAGE, "BlobServiceProperties"),
    "Microsoft.Storage/storageAccounts/blobServices/containers": _at("storage", STORAGE, "BlobContainer"),
    "Microsoft.Storage/storageAccounts/queueServices": _at("storage", STORAGE, "QueueServiceProperties"),
    "Microsoft.Storage/storageAccounts/queueServices/queues": _at("storage", STORAGE, "StorageQueue"),
    "Microsoft.Storage/storageAccounts/tableServices": _at("storage", STORAGE, "TableServiceProperties"),
    "Microsoft.Storage/storageAccounts/tableServices/tables": _at("storage", STORAGE, "Table"),
    "Microsoft.KeyVault/vaults": _at("keyvault", "2024-11-01", "VaultCreateOrUpdateParameters", "Vault"),
    "Microsoft.OperationalInsights/workspaces": _at("loganalytics", "2025-07-01", "Workspace"),
    "Microsoft.Insights/components": _at(
        "applicationinsights.v2020_02_02", "2020-02-02", "ApplicationInsightsComponent"
    ),
    "Microsoft.Insights/workbooks": _at("applicationinsights.v2023_06_01", "2023-06-01", "Workbook"),
    "Microsoft.Insights/actionGroups": _at("monitor", "2023-01-01", "ActionGroupResource"),
    "Microsoft.Insights/scheduledQueryRules": _at("monitor", "2023-12-01", "ScheduledQueryRuleResource"),
    "Microsoft.Authorization/roleAssignments": _at(
        "authorization.v2022_04_01", "2022-04-01", "RoleAssignmentCreateParameters"
    ),
    "Microsoft.ManagedIdentity/userAssignedIdentities": _at("msi.v2024_11_30", "2024-11-30", "Identity"),
    "Microsoft.Network/virtualNetworks": _at("network", NETWORK, "VirtualNetwork"),
    "Microsoft.Network/virtualNetworks/subnets": _at("network", NETWORK, "Subnet"),
    "Microsoft.Network/networkSecurityGroups": _at("network", NETWORK, "NetworkSecurityGroup"),
    "Microsoft.Network/privateEndpoints": _at("network", NETWORK, "PrivateEndpoint"),
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups": _at("network", NETWORK, "PrivateDnsZoneGroup"),
    "Microsoft.Network/privateDnsZones": _at("privatedns", "2024-06-01", "PrivateZone"),
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks": _at("privatedns", "2024-06-01", "VirtualNetworkLink"),
    "Microsoft.Resources/resourceGroups": Known("", "", "", ("2025-04-01",)),
    "Microsoft.Insights/diagnosticSettings": Known("", "", "", ("2021-05-01-preview",)),
    "Microsoft.Authorization/locks": Known("", "", "", ("2020-05-01",)),
}


def _plain() -> Shape:
    return Shape(plain=True)


def _of(required: str = "", **members: Shape) -> Shape:
    return Shape({name: partial(_itself, shape) for name, shape in members.items()}, set(required.split()))


def _itself(shape: Shape) -> Shape:
    return shape


BY_HAND: Mapping[str, Shape] = {
    "Microsoft.Resources/resourceGroups": _of("location", location=_plain(), tags=Shape()),
    "Microsoft.Insights/diagnosticSettings": _of(
        properties=_of(
            workspaceId=_plain(),
            logs=_of("enabled", category=_plain(), categoryGroup=_plain(), enabled=_plain()),
            metrics=_of("enabled", category=_plain(), enabled=_plain()),
        )
    ),
    "Microsoft.Authorization/locks": _of(
        "properties",
        properties=_of("level", level=Shape(values=("CanNotDelete", "ReadOnly"), plain=True), notes=_plain()),
    ),
}


@cache
def shape_of(kind: str, *, reading: bool = False) -> Shape:
    """The shape of a type's body, as it is written or as it is read back."""
    known = TYPES[kind]
    if not known.library:
        return BY_HAND[kind]
    return _of_model(getattr(import_module(known.library), known.read if reading else known.write))


def readable(kind: str, path: tuple[str, ...]) -> bool:
    """May `.path` be read of a resource of this type? Of a type that we do not know: yes, `properties` says that it is unknown."""
    if kind not in TYPES:
        return True
    shape = shape_of(kind, reading=True)
    for name in path:
        if shape.members is None:
            return not shape.plain
        if name not in shape.members:
            return False
        shape = shape.members[name]()
    return True


@cache
def _of_model(model: Any) -> Shape:
    return _of_map(model) if hasattr(model, "_attribute_map") else _of_fields(model)


def _of_fields(model: Any) -> Shape:
    members: dict[str, Callable[[], Shape]] = {}
    shape = Shape(members)
    for cls in reversed(model.__mro__):
        fields = {name: rest for name, rest in vars(cls).items() if type(rest).__name__ == "_RestField"}
        for attribute, rest in fields.items():
            name = rest._rest_name_input or attribute
            annotation, optional = _unwrapped(cls.__annotations__[attribute])
            members[name] = partial(_of_annotation, annotation, cls.__module__)
            if rest._visibility == ["read"]:
                shape.read_only.add(name)
            elif not optional:
                shape.required.add(name)
    return shape


def _unwrapped(annotation: Any) -> tuple[Any, bool]:
    """Without Optional; and whether it was optional."""
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is typing.Union and type(None) in args:
        rest = tuple(each for each in args if each is not type(None))
        return (rest[0] if len(rest) == 1 else typing.Union[rest]), True  # noqa: UP007 - made at run time
    return annotation, False


def _of_annotation(annotation: Any, module: str) -> Shape:
    """A type as a field writes it: a class, a forward reference to a model, a list, a dictionary, a text that is one of some words."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is list:
        return _of_annotation(args[0], module)
    if origin is typing.Union:
        shapes = [_of_annotation(each, module) for each in args]
        return next((each for each in shapes if each.values or each.members), shapes[0])
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", "")
    if name:
        return _of_class(getattr(import_module(module.rpartition(".")[0]), name.rpartition(".")[2], None))
    return Shape() if origin is dict or annotation is Any else _of_class(annotation)


def _of_class(found: Any) -> Shape:
    if isinstance(found, type) and issubclass(found, Enum):
        return Shape(values=tuple(str(each.value) for each in found), plain=True)
    if isinstance(found, type) and (hasattr(found, "_attribute_map") or hasattr(found, "_is_model")):
        return _of_model(found)
    return _plain() if isinstance(found, type) else Shape()


def _of_map(model: Any) -> Shape:
    shape = Shape({})
    library = model.__module__.rpartition(".")[0]
    for attribute, about in model._attribute_map.items():
        *outer, name = about["key"].split(".")
        target = shape
        for each in outer:
            target = _within(target, each)
        _members(target)[name] = partial(_of_text, about["type"], library)
        rules = model._validation.get(attribute, {})
        if rules.get("readonly"):
            target.read_only.add(name)
        elif rules.get("required"):
            target.required.add(name)
            shape.required |= set(outer[:1])
    return shape


def _members(shape: Shape) -> dict[str, Callable[[], Shape]]:
    if shape.members is None:
        raise TypeError("a value has no members")
    return shape.members


def _within(shape: Shape, name: str) -> Shape:
    """The object `name` inside of a shape that is being made."""
    members = _members(shape)
    if name not in members:
        members[name] = partial(_itself, Shape({}))
    return members[name]()


def _of_text(kind: str, library: str) -> Shape:
    """A type as `_attribute_map` writes it: str, [Model], {str}."""
    if kind.startswith("{") or kind == "object":
        return Shape()
    found = getattr(import_module(library), kind.strip("[]"), None)
    return _of_model(found) if hasattr(found, "_attribute_map") else _plain()
