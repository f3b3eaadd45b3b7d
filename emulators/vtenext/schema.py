"""What the modules look like: the recorded ``describe`` answers and column lengths, as data.

The files under ``data/`` were taken from a running 20.04.3; nothing here is made up or edited.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_DATA = Path(__file__).parent / "data"
CARRIED = ("Accounts", "Contacts", "Leads", "Events", "Calendar", "Employees", "Users", "Groups", "Currency")
ACTIVITY = "activity"  # Events and tasks are rows of one table (API.md 8)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a module: what ``describe`` says and the column behind it."""

    name: str
    type: str
    mandatory: bool
    editable: bool
    refers_to: tuple[str, ...]
    sql_type: str
    max_chars: int | None

    @property
    def empty(self) -> str:
        """What a column reads that was never written (ws-contacts-crud, ws-accounts-crud)."""
        if self.name == "organizer" or self.name == "reminder_time":
            return ""
        if self.sql_type == "decimal":
            return "0.00"
        if self.type == "datetime":
            return "0000-00-00 00:00:00"
        return "0" if self.type in ("boolean", "integer", "currency") or self.name == "weekstart" else ""


@dataclass(frozen=True, slots=True)
class Module:
    """A module with its id prefix, its table and its fields in the order of ``describe``."""

    name: str
    prefix: str
    fields: Mapping[str, Field]
    label_field: str

    @property
    def table(self) -> str:
        return ACTIVITY if self.name in ("Events", "Calendar") else self.name

    def of_type(self, *types: str) -> tuple[Field, ...]:
        return tuple(field for field in self.fields.values() if field.type in types)

    @property
    def mandatory(self) -> tuple[Field, ...]:
        return tuple(field for field in self.fields.values() if field.mandatory)


@cache
def modules() -> Mapping[str, Module]:
    """The modules that the emulator carries, by name."""
    lengths = _load("field-lengths")["modules"]
    return {name: _module(_load(f"describe-{name}")["result"], lengths.get(name, {})) for name in CARRIED}


@cache
def prefixes() -> Mapping[str, Module]:
    """Modules by the prefix of their ids."""
    return {module.prefix: module for module in modules().values()}


@cache
def operations() -> Mapping[str, str]:
    """HTTP verb by operation, lower case: names are matched case-insensitively (API.md 1.1)."""
    return {entry["operation"].lower(): entry["http"] for entry in _load("operations")["operations"]}


def list_types() -> Any:
    """The recorded ``listtypes`` answer: the same for everybody."""
    return _load("listtypes")["result"]


@cache
def describe(name: str, *, date_format: str, administrator: bool) -> dict[str, Any]:
    """The recorded answer; dates carry the caller's format, Users shows ``id`` only to ordinary users. Kept, and not to be changed."""
    answer: dict[str, Any] = copy.deepcopy(_load(f"describe-{name}")["result"])
    for field in answer["fields"]:
        if "format" in field["type"]:
            field["type"]["format"] = date_format
    if name == "Users" and not administrator:
        answer["fields"] = [field for field in answer["fields"] if field["name"] == "id"]
    return answer


@cache
def _load(name: str) -> Any:
    return json.loads((_DATA / f"{name}.json").read_text(encoding="utf-8"))


def _module(described: dict[str, Any], columns: dict[str, Any]) -> Module:
    fields = {given["name"]: _field(given, columns.get(given["name"], {})) for given in described["fields"]}
    label = described["labelFields"].split(",")[0]
    return Module(described["name"], described["idPrefix"], fields, label)


def _field(given: dict[str, Any], column: dict[str, Any]) -> Field:
    kind = given["type"]["name"]
    return Field(
        name=given["name"],
        type=kind,
        mandatory=given["mandatory"],
        editable=given["editable"],
        refers_to=tuple(given["type"].get("refersTo", ())),
        sql_type=column.get("sql_type", "varchar"),
        max_chars=column.get("max_chars"),
    )
