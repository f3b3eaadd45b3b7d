"""What the app measures, and with which attributes: read off the calls that send it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts.infra.files import Finding, Infra

OPERATORS = frozenset({"where", "summarize", "extend", "project", "order", "top"})
"""Of Kusto, those that we use: a stage of a query that begins otherwise is misspelt."""
BY_THE_PROVIDER = frozenset({"outcome", "error"})
"""Attributes that every span gets that failed (control/telemetry.py)."""


def sent(root: Path) -> dict[str, frozenset[str]]:
    """Measurement or trace -> its attributes. What is noted about a span is given to all of them."""
    from control import telemetry

    found: dict[str, set[str]] = {}
    noted: set[str] = set(BY_THE_PROVIDER)
    for path in sorted((root / "control").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in ("count", "gauge", "span", "note") or "telemetry" not in ast.unparse(node.func):
                continue
            about = {each.arg for each in node.keywords if each.arg is not None}
            if node.func.attr == "note":
                noted |= about
            else:
                constant = ast.unparse(node.args[0]).rpartition(".")[2]
                found.setdefault(str(getattr(telemetry, constant)), set()).update(about)
    for name in (telemetry.SPAN_RUN, telemetry.SPAN_SWEEP):
        found.setdefault(name, set()).update(noted)
    return {name: frozenset(about) for name, about in found.items()}


def check(infra: Infra, told: Mapping[str, frozenset[str]]) -> Iterator[Finding]:
    """Alerts and workbook ask for what the app sends, in words that Kusto knows."""
    for path in ("alerts.json", "workbook.json"):
        for query in re.findall(r'"query": "(.*?)"(?:,|\n)', infra.others[path]):
            names = re.findall(r"'(vtesync\.[a-z_]+)'", query)
            for name in sorted(set(names) - told.keys()):
                yield Finding("measurement", path, f"the app does not measure {name}")
            known = frozenset[str]().union(*(told.get(name, frozenset()) for name in names))
            for attribute in sorted(set(re.findall(r"\bProperties\.(\w+)", query)) - known):
                yield Finding("measurement", path, f"nobody sends {attribute} with {' or '.join(names)}")
            for stage in query.split(" | ")[1:]:
                if stage.split(" ")[0] not in OPERATORS:
                    yield Finding("query", path, f"{stage.split(' ')[0]} is no operator that we use: {stage}")
