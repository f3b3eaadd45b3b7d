"""What the tests of the mapping know of vtenext, written from API.md alone: no line of it comes from the product."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "data" / "vtenext"

CUT_FIRST, TAGS_FIRST = "cut, then encode", "encode, then cut"
ORDERS = (CUT_FIRST, TAGS_FIRST)
"""API.md 3.7 does not say whether text is cut before or after its tags are encoded: both must do no harm."""

_DANGEROUS = re.compile(r"</?(script|iframe|object|embed)\b", re.IGNORECASE)


def describe(module: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((DATA / f"describe-{module}.json").read_text(encoding="utf-8"))["result"]
    return result


def lengths(module: str) -> dict[str, int | None]:
    """From the dump of the server's own columns, not from the table that the product ships."""
    columns = json.loads((DATA / "field-lengths.json").read_text(encoding="utf-8"))["modules"][module]
    return {name: column["max_chars"] for name, column in columns.items() if column["sql_type"] == "varchar"}


def read_back(text: str, limit: int | None, order: str = TAGS_FIRST) -> str:
    """What vtenext answers for a text that was written (API.md 3.7)."""
    stored = "".join("????" if ord(c) > 0xFFFF else c for c in text)
    if order == CUT_FIRST and limit is not None:
        stored = stored[:limit]
    if _DANGEROUS.search(stored):
        stored = stored.replace("<", "&lt;").replace(">", "&gt;")
    if order == TAGS_FIRST and limit is not None:
        stored = stored[:limit]
    return stored


class Record:
    """One record: what was sent is stored with the server's losses."""

    def __init__(self, module: str, accounts: Mapping[str, str] | None = None) -> None:
        self.module = module
        self.limits = lengths(module)
        self.accounts = dict(accounts or {})
        self.values = {entry["name"]: "" for entry in describe(module)["fields"]}

    def write(self, fields: Mapping[str, Any]) -> None:
        mandatory = {"Contacts": "lastname", "Accounts": "accountname"}[self.module]
        if not fields.get(mandatory, self.values[mandatory]):
            raise AssertionError(f"MANDATORY_FIELDS_MISSING: {mandatory} does not have a value")
        for name, value in fields.items():
            assert name in self.values, f"{name} is no field of {self.module}"
            self.values[name] = read_back(value, self.limits.get(name))

    def read(self) -> dict[str, Any]:
        """As the vtenext side hands it on: with the linked account's name."""
        if self.module == "Accounts":
            return dict(self.values)
        return {**self.values, "account_name": self.accounts.get(self.values["account_id"], "")}
