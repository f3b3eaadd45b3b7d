"""What a compiler says of names: everything that is used is declared, everything that is declared is used, modules get what they ask for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from scripts.infra.files import MAIN, Bicep, Finding, Infra
from scripts.infra.shapes import readable
from scripts.infra.tokens import Reference, nested, references

FUNCTIONS = frozenset(
    {
        "any",
        "concat",
        "contains",
        "empty",
        "environment",
        "guid",
        "join",
        "loadJsonContent",
        "loadTextContent",
        "max",
        "min",
        "replace",
        "resourceGroup",
        "split",
        "string",
        "subscription",
        "subscriptionResourceId",
        "tenant",
        "toLower",
        "union",
        "uniqueString",
    }
)
"""Functions of Bicep that we use, and that give nothing secret away (none of the list* family)."""
NAMESPACES = frozenset({"environment", "subscription", "tenant", "resourceGroup"})
OF_EVERY_RESOURCE = frozenset({"id", "name", "type", "apiVersion", "location", "tags"})
TYPES = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}


def check(infra: Infra) -> Iterator[Finding]:
    for file in infra.bicep.values():
        used = list(references(file.words))
        yield from _symbols(file, used)
        yield from _paths(infra, file, used)
        yield from _modules(infra, file)
        for line in nested(file.words):
            yield Finding(
                "nested", f"{file.path}:{line}", "a resource inside of another: write it at the top, with parent"
            )
    yield from _unreached(infra)
    yield from _parameters(infra)


def _symbols(file: Bicep, used: list[Reference]) -> Iterator[Finding]:
    symbols = file.declared.symbols()
    for each in used:
        where = f"{file.path}:{each.line}"
        if each.called and each.name not in FUNCTIONS:
            yield Finding("function", where, f"{each.name}() is no function of Bicep that we use")
        elif not each.called and each.name not in symbols:
            yield Finding("undefined", where, f"{each.name} is not declared")
    named = {each.name for each in used}
    for kind, names in (("param", file.declared.params), ("var", file.declared.variables)):
        for name, line in names.items():
            if name not in named:
                yield Finding("unused", f"{file.path}:{line}", f"{kind} {name} is never used")
    for word, _, following in zip(file.words, file.words[1:], file.words[2:], strict=False):
        if word.first and word.kind == "name" and word.text in ("param", "output") and following.text not in TYPES:
            yield Finding("type", f"{file.path}:{word.line}", f"{following.text} is no type of Bicep")


def _paths(infra: Infra, file: Bicep, used: list[Reference]) -> Iterator[Finding]:
    """`module.outputs.x` is an output of that module; `resource.properties.x` is a property that Azure gives."""
    for each in used:
        where = f"{file.path}:{each.line}"
        if each.name in file.declared.modules and not each.called:
            target = infra.module(file, file.tree["modules"][each.name]["detail"]["path"])
            if each.path[:1] == ("outputs",) and target is not None and each.path[1:2]:
                if each.path[1] not in target.declared.outputs:
                    yield Finding("undefined", where, f"{target.path} has no output {each.path[1]}")
            elif each.path and each.path[0] not in ("outputs", "name"):
                yield Finding("undefined", where, f"a module has no {each.path[0]}")
        elif each.name in file.declared.resources and each.path and each.path[0] not in OF_EVERY_RESOURCE:
            kind = file.tree["resources"][each.name]["type"]
            if not readable(kind, each.path):
                yield Finding("undefined", where, f"{kind} has no {'.'.join(each.path)}")


def _modules(infra: Infra, file: Bicep) -> Iterator[Finding]:
    for name, each in file.tree.get("modules", {}).items():
        where = f"{file.path}:{file.declared.modules.get(name, 0)}"
        target = infra.module(file, each["detail"]["path"])
        if target is None:
            yield Finding("module", where, f"there is no {each['detail']['path']}")
            continue
        config = each["config"].get("config", each["config"])
        given = config.get("params", {})
        for extra in given.keys() - target.declared.params.keys():
            yield Finding("params", where, f"{target.path} has no parameter {extra}")
        for missing in required(target) - given.keys():
            yield Finding("params", where, f"{target.path} needs the parameter {missing}")


def required(file: Bicep) -> set[str]:
    """Parameters without a default. pycep gives None for none, so the text decides."""
    with_default = set(re.findall(r"^param\s+(\w+)\s+\w+\s*=", file.text, re.MULTILINE))
    return file.declared.params.keys() - with_default


def _unreached(infra: Infra) -> Iterator[Finding]:
    called = {
        target.path
        for file in infra.bicep.values()
        for each in file.tree.get("modules", {}).values()
        if (target := infra.module(file, each["detail"]["path"])) is not None
    }
    for path in infra.bicep.keys() - called - {MAIN}:
        yield Finding("unused", path, "no file uses this module")


def _parameters(infra: Infra) -> Iterator[Finding]:
    """Files of parameters: names, types and allowed values are those of main.bicep."""
    main = infra.bicep.get(MAIN)
    if main is None:
        yield Finding("module", MAIN, "is missing")
        return
    for path, text in infra.others.items():
        if not path.endswith(".parameters.json"):
            continue
        given = {name: each.get("value") for name, each in json.loads(text)["parameters"].items()}
        for extra in given.keys() - main.declared.params.keys():
            yield Finding("params", path, f"{MAIN} has no parameter {extra}")
        for missing in required(main) - given.keys():
            yield Finding("params", path, f"{MAIN} needs the parameter {missing}")
        for name in given.keys() & main.declared.params.keys():
            yield from _value(path, name, given[name], main.tree["parameters"][name])


def _value(path: str, name: str, value: Any, param: Any) -> Iterator[Finding]:
    if isinstance(value, str) and value.startswith("${"):  # azd puts it in
        return
    kind = TYPES[param["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield Finding("params", path, f"{name} is a {param['type']}")
    for decorator in param["decorators"]:
        if decorator["type"] == "allowed" and value not in decorator["argument"]:
            yield Finding("params", path, f"{name} may be {', '.join(map(str, decorator['argument']))}")
        if decorator["type"] == "secure":
            yield Finding("secret", path, f"{name} is secret: it has no place in a file")
