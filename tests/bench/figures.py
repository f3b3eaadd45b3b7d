"""What a bench found: a number, what it should be, and how it was measured. Printed as one table, written as one JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement. `met` is None when nothing is demanded of it; `how`: what was sampled, scaled or left out."""

    group: str
    what: str
    value: float
    unit: str = ""
    target: str = ""
    met: bool | None = None
    how: str = ""


def shown(group: str, what: str, value: float, unit: str = "", how: str = "") -> Figure:
    """Nothing is demanded: it helps to judge the others."""
    return Figure(group, what, value, unit, how=how)


def at_most(group: str, what: str, value: float, limit: float, unit: str = "", how: str = "") -> Figure:
    return Figure(group, what, value, unit, f"<= {limit:g}", value <= limit, how)


def at_least(group: str, what: str, value: float, limit: float, unit: str = "", how: str = "") -> Figure:
    return Figure(group, what, value, unit, f">= {limit:g}", value >= limit, how)


def table(figures: Sequence[Figure]) -> str:
    """A line each; what was sampled stands below its line."""
    lines = [f"{'':6} {'figure':66} {'measured':>12} {'target':>9}  "]
    for each in figures:
        measured = f"{each.value:g} {each.unit}".strip()
        verdict = {None: "", True: "met", False: "MISSED"}[each.met]
        lines.append(f"{each.group:6} {each.what:66} {measured:>12} {each.target:>9}  {verdict}".rstrip())
        if each.how:
            lines.append(f"{'':6}   ({each.how})")
    return "\n".join(lines)


def as_json(figures: Sequence[Figure]) -> list[dict[str, Any]]:
    return [asdict(each) for each in figures]
