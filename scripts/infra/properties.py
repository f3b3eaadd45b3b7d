"""Every property of every resource is one that Azure knows, none that it needs is missing, and its words are written as it lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from scripts.infra.files import Bicep, Finding, Infra, branches
from scripts.infra.shapes import TYPES, Shape, shape_of

OF_BICEP = frozenset({"name", "parent", "scope", "dependsOn"})


def check(infra: Infra) -> Iterator[Finding]:
    for file in infra.bicep.values():
        for symbol, kind, version, body in file.resources():
            where = f"{file.path}:{symbol}"
            known = kind if kind in TYPES else f"{kind}:{body.get('name')}"
            if known not in TYPES:
                yield Finding("resource", where, f"{known} is not among the types that scripts/infra/shapes.py knows")
                continue
            if version not in TYPES[known].versions:
                yield Finding(
                    "version", where, f"{kind}: API version {version}, not {' or '.join(TYPES[known].versions)}"
                )
            rest = {name: value for name, value in body.items() if name not in OF_BICEP}
            yield from _members(file, where, rest, shape_of(known), top=True)
        yield from _existing(file)


def _existing(file: Bicep) -> Iterator[Finding]:
    for symbol, each in file.tree.get("resources", {}).items():
        kind, version = each["type"], each["api_version"]
        if each["existing"] and (kind not in TYPES or version not in TYPES[kind].versions):
            yield Finding("version", f"{file.path}:{symbol}", f"{kind}@{version} is not among those that we know")


def _members(file: Bicep, where: str, body: Mapping[str, Any], shape: Shape, *, top: bool = False) -> Iterator[Finding]:
    if shape.members is None:
        if shape.plain:
            yield Finding("property", where, "is a value, not an object")
        return
    for name, value in body.items():
        below = f"{where}.{name}"
        if name not in shape.members:
            near = next((each for each in shape.members if each.lower() == name.lower()), "")
            yield Finding("property", below, f"Azure knows no such property{f', but {near}' if near else ''}")
        elif name in shape.read_only:
            yield Finding("property", below, "can be read only")
        else:
            yield from _value(file, below, value, shape.members[name]())
    for name in sorted(shape.required - body.keys() - (OF_BICEP if top else set())):
        yield Finding("missing", where, f"Azure needs {name}")


def _value(file: Bicep, where: str, value: Any, shape: Shape) -> Iterator[Finding]:
    for each in branches(value):
        if isinstance(each, list):
            for item in each:
                yield from _value(file, where, item, shape)
        elif isinstance(each, dict):
            yield from _members(file, where, each, shape)
        elif isinstance(each, str) and file.variable(each) is not None:
            yield from _value(file, where, file.variable(each), shape)
        elif isinstance(each, str) and shape.values and each not in {*shape.values, *_names(file)} and "${" not in each:
            yield Finding("value", where, f"{each!r} is not one of {', '.join(shape.values)}")


def _names(file: Bicep) -> set[str]:
    """What may stand for a value: symbols and variables of loops. pycep gives them as it gives texts."""
    loops = {file.words[i + 1].text for i, word in enumerate(file.words[:-1]) if word.text == "for"}
    return loops | file.declared.symbols().keys()
