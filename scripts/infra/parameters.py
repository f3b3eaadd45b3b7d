"""Parameters: what files and modules give is what is asked for, and azd can set every one of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.infra.files import MAIN, Bicep, Finding, Infra

TYPES = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}
OF_AZD = "main.parameters.json"
"""What azd fills in: of a parameter that has a default and does not stand here, azd hears nothing that is configured."""
PUT_IN = re.compile(r"\$\{(\w+)(?:=(.*))?\}")
UNIQUE = "x" * 13
"""As long as what uniqueString() gives."""


def check(infra: Infra) -> Iterator[Finding]:
    for file in infra.bicep.values():
        yield from _modules(infra, file)
    main = infra.bicep.get(MAIN)
    if main is None:
        yield Finding("module", MAIN, "is missing")
        return
    for path, text in infra.others.items():
        if path.endswith(".parameters.json"):
            yield from _file(main, path, {n: each.get("value") for n, each in json.loads(text)["parameters"].items()})


def required(file: Bicep) -> set[str]:
    """Parameters without a default. pycep gives None for none, so the text decides."""
    with_default = set(re.findall(r"^param\s+(\w+)\s+\w+\s*=", file.text, re.MULTILINE))
    return file.declared.params.keys() - with_default


def _modules(infra: Infra, file: Bicep) -> Iterator[Finding]:
    own = file.tree.get("parameters", {})
    for name, each in file.tree.get("modules", {}).items():
        where = f"{file.path}:{file.declared.modules.get(name, 0)}"
        target = infra.module(file, each["detail"]["path"])
        if target is None:
            yield Finding("module", where, f"there is no {each['detail']['path']}")
            continue
        given = each["config"].get("config", each["config"]).get("params", {})
        for extra in given.keys() - target.declared.params.keys():
            yield Finding("params", where, f"{target.path} has no parameter {extra}")
        for missing in required(target) - given.keys():
            yield Finding("params", where, f"{target.path} needs the parameter {missing}")
        for parameter in given.keys() & target.declared.params.keys():
            yield from _given(where, parameter, given[parameter], target.tree["parameters"][parameter], own)


def _given(where: str, name: str, value: Any, param: Any, own: Mapping[str, Any]) -> Iterator[Finding]:
    """To a module: a parameter of ours has its type, a text is not too long for it."""
    if isinstance(value, str) and value in own:
        if own[value]["type"] != param["type"]:
            yield Finding("params", where, f"{name} is a {param['type']}, {value} a {own[value]['type']}")
    elif isinstance(value, str) and "${unique}" in value:
        yield from _limits(where, name, value.replace("${unique}", UNIQUE), param)


def _file(main: Bicep, path: str, given: Mapping[str, Any]) -> Iterator[Finding]:
    """A file of parameters: names, types, allowed values and limits are those of main.bicep."""
    for extra in given.keys() - main.declared.params.keys():
        yield Finding("params", path, f"{MAIN} has no parameter {extra}")
    asked = main.declared.params.keys() if path == OF_AZD else required(main)
    for missing in asked - given.keys():
        yield Finding("params", path, f"{MAIN} has the parameter {missing}, which is not given")
    for name in given.keys() & main.declared.params.keys():
        param, value = main.tree["parameters"][name], given[name]
        put_in = PUT_IN.fullmatch(value) if isinstance(value, str) else None
        if put_in is None:
            yield from _value(path, name, value, param)
        elif (put_in[2] is None) != (name in required(main)):
            yield Finding("params", path, f"{name}: azd asks for what has no default, and for nothing else")
        elif put_in[2] is not None and put_in[2] != _written(param["default"]):
            yield Finding("params", path, f"{name} is {put_in[2]!r} here, {_written(param['default'])!r} in {MAIN}")


def _written(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _value(path: str, name: str, value: Any, param: Any) -> Iterator[Finding]:
    kind = TYPES[param["type"]]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        yield Finding("params", path, f"{name} is a {param['type']}")
        return
    for decorator in param["decorators"]:
        if decorator["type"] == "allowed" and value not in decorator["argument"]:
            yield Finding("params", path, f"{name} may be {', '.join(map(str, decorator['argument']))}")
        if decorator["type"] == "secure":
            yield Finding("secret", path, f"{name} is secret: it has no place in a file")
    yield from _limits(path, name, value, param)


def _limits(where: str, name: str, value: Any, param: Any) -> Iterator[Finding]:
    limits = {decorator["type"]: decorator["argument"] for decorator in param["decorators"]}
    size = len(value) if isinstance(value, str | list) else value if isinstance(value, int) else None
    if size is None:
        return
    least, most = ("min_length", "max_length") if isinstance(value, str | list) else ("min_value", "max_value")
    if size < limits.get(least, size) or size > limits.get(most, size):
        yield Finding("params", where, f"{name}: {value!r} is outside of {limits.get(least)} to {limits.get(most)}")
