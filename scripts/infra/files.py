"""The files of the infrastructure, read once: text, words, pycep's tree. A check takes them as they are and gives back what it found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from scripts.infra.tokens import Declared, Unreadable, Word, declared, words

MAIN = "main.bicep"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, and where. `rule`: one word for tests and people."""

    rule: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Bicep:
    """One file. `tree`: as pycep gives it."""

    path: str
    text: str
    words: list[Word]
    declared: Declared
    tree: Mapping[str, Any]

    def resources(self) -> Iterator[tuple[str, str, str, Mapping[str, Any]]]:
        """(symbol, type, API version, body) of each that is made here, loops and conditions taken off."""
        for symbol, each in self.tree.get("resources", {}).items():
            if not each["existing"]:
                yield symbol, each["type"], each["api_version"], body_of(each["config"])

    def variable(self, name: str) -> Any:
        return self.tree.get("variables", {}).get(name, {}).get("value")


@dataclass(frozen=True, slots=True)
class Infra:
    """All of it. `bicep`: by path below infra/; `others`: the .json files there, by path, as text."""

    bicep: Mapping[str, Bicep]
    others: Mapping[str, str]

    def module(self, of: Bicep, path: str) -> Bicep | None:
        """The file that a module of `of` names."""
        return self.bicep.get(str(PurePosixPath(of.path).parent / path))


def read_texts(root: Path) -> dict[str, str]:
    """Every .bicep and .json file below `root`, by its path there."""
    files = [path for path in sorted(root.rglob("*")) if path.suffix in (".bicep", ".json")]
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in files}


def parse(texts: Mapping[str, str]) -> tuple[Infra, list[Finding]]:
    """Texts by path -> what can be read of them, and what cannot."""
    found, files = list[Finding](), dict[str, Bicep]()
    others = {path: text for path, text in texts.items() if path.endswith(".json")}
    for path, text in texts.items():
        if path in others:
            try:
                json.loads(text)
            except ValueError as error:
                found.append(Finding("syntax", path, str(error)))
            continue
        try:
            tree = _tree(text)
            read = words(text)
        except Unreadable as error:
            found.append(Finding("syntax", path, str(error)))
        except Exception as error:  # lark's own family of errors, one per way to be wrong
            found.append(Finding("syntax", path, " ".join(str(error).split())[:200]))
        else:
            files[path] = Bicep(path, text, read, declared(read), tree)
    return Infra(files, others), found


@cache
def _tree(text: str) -> Mapping[str, Any]:
    from pycep import BicepParser

    return dict(BicepParser().parse(text=text))


def body_of(config: Any) -> Any:
    """The object inside of a loop or a condition."""
    while isinstance(config, dict) and "config" in config and config.keys() & {"loop_type", "condition"}:
        config = config["config"]
    return config


def branches(value: Any) -> Iterator[Any]:
    """What an expression may come to: both sides of a condition, the body of a loop as a list; of other calculations nothing."""
    if isinstance(value, dict) and value.keys() == {"operator"}:
        operands = value["operator"]["operands"]
        if value["operator"]["type"] == "conditional":
            yield from branches(operands["true_value"])
            yield from branches(operands["false_value"])
        elif _calculated(operands.get("operand_2")):  # pycep reads `a > b ? c : d` as `a > (b ? c : d)`
            yield from branches(operands["operand_2"])
    elif isinstance(value, dict) and "loop_type" in value:
        yield [body_of(value)]
    elif not (isinstance(value, dict) and value.keys() == {"function"}):
        yield value


def _calculated(operand: Any) -> bool:
    return isinstance(operand, dict) and operand.keys() == {"operator"}
