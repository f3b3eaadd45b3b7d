"""The alerts: each is whole, its times are ones that Azure takes, and what SPEC asks for is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from control.telemetry import STATES
from scripts.infra.files import Finding, Infra

FIELDS = {"name", "title", "description", "severity", "frequency", "window", "operator", "threshold", "query"}
MINUTES = {"PT5M": 5, "PT10M": 10, "PT15M": 15, "PT30M": 30, "PT1H": 60, "PT6H": 360, "P1D": 1440}
ASKED = {
    "vtesync.state",
    "vtesync.attempts",
    "vtesync.oldest_due_minutes",
    "vtesync.poison",
    "vtesync.holds_oldest_hours",
    "vtesync.secret_days_left",
    "vtesync.sweeps",
    "vtesync.runs",
}
"""Measurements over which there must be an alert."""


def check(infra: Infra) -> Iterator[Finding]:
    path = "alerts.json"
    rules = json.loads(infra.others[path])
    for rule in rules:
        where = f"{path}:{rule.get('name')}"
        if rule.keys() != FIELDS:
            yield Finding("alert", where, f"has {sorted(rule.keys() ^ FIELDS)} too little or too much")
            continue
        if not re.fullmatch("[a-z]+", rule["name"]) or rule["severity"] not in range(5):
            yield Finding("alert", where, "name or severity is odd")
        frequency, window = MINUTES.get(rule["frequency"]), MINUTES.get(rule["window"])
        if frequency is None or window is None or frequency > window:
            yield Finding(
                "alert", where, f"Azure does not take these times: every {rule['frequency']} over {rule['window']}"
            )
        if (rule["operator"], rule["threshold"]) not in (("GreaterThan", 0), ("LessThan", 1)):
            yield Finding("alert", where, "rows are counted: some (GreaterThan 0) or none (LessThan 1)")
        if not rule["query"].startswith("AppMetrics | where Name == 'vtesync."):
            yield Finding("alert", where, "asks for no measurement of ours")
        grave = re.search(r"'vtesync\.state' .*Sum >= (\d+)", rule["query"])
        if grave is not None and int(grave[1]) != STATES["stopped"]:
            yield Finding("alert", where, f"stopped is {STATES['stopped']} and error above it, it asks for {grave[1]}")
    names = [rule.get("name") for rule in rules]
    if len(set(names)) != len(names):
        yield Finding("alert", path, "two have one name")
    for missing in sorted(ASKED - set(re.findall(r"'(vtesync\.[a-z_]+)'", infra.others[path]))):
        yield Finding("alert", path, f"nobody is told of {missing}")
