"""What a compiler says of names: everything that is used is declared, everything that is declared is used."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.infra.files import MAIN, Bicep, Finding, Infra
from scripts.infra.parameters import TYPES
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


def check(infra: Infra) -> Iterator[Finding]:
    for file in infra.bicep.values():
        used = list(references(file.words))
        yield from _symbols(file, used)
        yield from _paths(infra, file, used)
        for line in nested(file.words):
            yield Finding(
                "nested", f"{file.path}:{line}", "a resource inside of another: write it at the top, with parent"
            )
    yield from _unreached(infra)


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


def _unreached(infra: Infra) -> Iterator[Finding]:
    called = {
        target.path
        for file in infra.bicep.values()
        for each in file.tree.get("modules", {}).values()
        if (target := infra.module(file, each["detail"]["path"])) is not None
    }
    for path in infra.bicep.keys() - called - {MAIN}:
        yield Finding("unused", path, "no file uses this module")
