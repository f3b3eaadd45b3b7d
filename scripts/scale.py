"""`make scale`: what the product asks of the servers and costs a month, for 10 to 10,000 mailboxes, and which limit each size meets first.

A model, computed from counted costs (`tests/bench/costs.json`, which `python -m tests.bench.costs` counts anew), a day of an office, and list
prices: all three are parameters below. docs/scale.md holds what this prints; a test sees to it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

COSTS = Path(__file__).resolve().parents[1] / "tests" / "bench" / "costs.json"
SIZES = (10, 100, 1_000, 10_000)
DAY, NIGHT, WORK = 86_400, 7 * 3_600, 10 * 3_600
MONTH, WORKING = 30.4, 21.0  # days


@dataclass(frozen=True, slots=True)
class Office:
    """A working day of one mailbox. Changes run one by one: several at a time would cost less."""

    items: int = 1_500
    contacts_from_outlook: float = 2
    contacts_from_crm: float = 4
    events_from_outlook: float = 7
    meetings_from_outlook: float = 3
    events_from_crm: float = 4
    tasks_move: float = 0.25  # share of mailboxes whose tasks moved within a day: looked at by every tick
    looks: float = 24  # look_minutes = 60
    ticks: float = 288  # every five minutes
    busiest_hour: float = 0.15  # share of a day's changes


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds that an invocation waits for one request, and what an instance does."""

    graph: float = 0.10
    crm: float = 0.15
    table: float = 0.005
    at_once: int = 6  # batchSize + newBatchSize of host.json
    memory_gb: float = 2.0
    instances: int = 40
    polls: float = 4.0  # a second and instance: two queues, maxPollingInterval half a second
    shortest: float = 1.0  # that is billed of an execution


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars, list, pay as you go; `euro`: of a dollar."""

    euro: float = 0.92
    gb_second: float = 0.000026
    free_gb_seconds: float = 100_000
    million_executions: float = 0.40
    free_executions: float = 250_000
    table_10k: float = 0.00036
    queue_10k: float = 0.004
    table_gb: float = 0.045
    vault_10k: float = 0.03
    vault_reads_a_day: float = 500
    logs_gb: float = 2.76
    free_logs_gb: float = 5
    kb_an_execution: float = 3.0
    kb_an_item: float = 3.0


@dataclass(frozen=True, slots=True)
class Cost:
    """As `tests.bench.costs.Cost`."""

    graph: float = 0
    parts: float = 0
    crm: float = 0
    writes: float = 0
    table: float = 0
    mailboxes: float = 0
    control: float = 0
    queue: float = 0
    runs: float = 0
    cpu: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Cost)))

    def __sub__(self, other: Cost) -> Cost:
        return self + other * -1

    def __mul__(self, times: float) -> Cost:
        return Cost(*(getattr(self, f.name) * times for f in fields(Cost)))

    def busy(self, speed: Speed) -> float:
        """Seconds that invocations last, none at the same time."""
        waits = self.graph * speed.graph + self.crm * speed.crm + self.table * speed.table
        return max(self.cpu + waits, self.runs * speed.shortest)


@dataclass(frozen=True, slots=True)
class Load:
    """Of a whole installation. `always`: a day, working or not; `working`: what a working day adds; `night`: within the hours of the night."""

    mailboxes: int
    always: Cost
    working: Cost
    night: Cost

    def month(self) -> Cost:
        return (self.always + self.night) * MONTH + self.working * WORKING

    def busiest_second(self, office: Office) -> Cost:
        """Of the busiest hour of a working day."""
        return self.always * (1 / DAY) + self.working * (office.busiest_hour / 3_600)


def load(costs: Mapping[str, Cost], mailboxes: int, office: Office) -> Load:
    """What a day of so many mailboxes sets going."""
    empty = costs["look_people"] + costs["look_calendar"] - costs["look_both"]  # a run that looks at nothing
    tasks = empty + costs["look_tasks"]
    looks = (costs["look_both"] + costs["look_tasks"]) * office.looks + tasks * (office.tasks_move * office.ticks)
    renewals = costs["renewal"] * (DAY / 60 / 5_000)
    each = looks + renewals
    named = {
        "contact_from_outlook": office.contacts_from_outlook,
        "contact_from_crm": office.contacts_from_crm,
        "event_from_outlook": office.events_from_outlook,
        "meeting_from_outlook": office.meetings_from_outlook,
        "event_from_crm": office.events_from_crm,
    }
    changes = sum((costs[name] * number for name, number in named.items()), Cost())
    night = costs["night"] + costs["night_item"] * office.items
    return Load(mailboxes, costs["tick"] * office.ticks + each * mailboxes, changes * mailboxes, night * mailboxes)


def active(busy: float, period: float, speed: Speed) -> float:
    """Instance seconds in which something runs: invocations come by chance, and an instance takes some at a time."""
    at_a_time = busy / period
    return period * max(1 - math.exp(-at_a_time), at_a_time / speed.at_once)


def euros(of: Load, office: Office, speed: Speed, prices: Prices) -> dict[str, float]:
    """A month, by what is paid for."""
    month = of.month()
    seconds = (active(of.always.busy(speed), DAY, speed) + active(of.night.busy(speed), NIGHT, speed)) * MONTH
    seconds += active(of.working.busy(speed), WORK, speed) * WORKING
    gb_seconds = max(0.0, seconds * speed.memory_gb - prices.free_gb_seconds)
    polls = speed.polls * max(seconds, min(instances(of, office, speed), 1) * DAY * MONTH)
    logs = max(0.0, month.runs * prices.kb_an_execution / 1e6 - prices.free_logs_gb)
    dollars = {
        "functions": gb_seconds * prices.gb_second
        + max(0.0, month.runs - prices.free_executions) / 1e6 * prices.million_executions,
        "tables": month.table / 1e4 * prices.table_10k
        + of.mailboxes * office.items * prices.kb_an_item / 1e6 * prices.table_gb,
        "queues": (month.queue + polls) / 1e4 * prices.queue_10k,
        "vault": prices.vault_reads_a_day * MONTH / 1e4 * prices.vault_10k,
        "logs": logs * prices.logs_gb,
    }
    return {name: each * prices.euro for name, each in dollars.items()}


def instances(of: Load, office: Office, speed: Speed) -> int:
    """At a time, in the busiest hour or in the night."""
    busiest = max(of.busiest_second(office).busy(speed), of.night.busy(speed) / NIGHT + of.always.busy(speed) / DAY)
    return max(1, math.ceil(busiest / speed.at_once))


def limits(of: Load, office: Office, speed: Speed) -> dict[str, float]:
    """Share of each limit that is used when it is used most; 1 = reached."""
    second, night = of.busiest_second(office), (of.night * (1 / NIGHT)) + of.always * (1 / DAY)
    alone = of.night * (1 / of.mailboxes)
    return {
        "CRM: 7 writes/s": second.writes / 7,
        "CRM: 20 requests/s": max(second.crm, night.crm) / 20,
        "Graph: 10,000 operations of a mailbox in ten minutes": alone.parts / 10_000,
        "storage: 2,000/s in partition `control`": max(second.control, night.control) / 2_000,
        "storage: 2,000/s in partition `mailboxes`": max(second.mailboxes, night.mailboxes) / 2_000,
        "storage: 20,000/s of the account": max(second.table, night.table) / 20_000,
        f"{speed.instances} instances": instances(of, office, speed) / speed.instances,
    }


def tables(costs: Mapping[str, Cost], office: Office, speed: Speed, prices: Prices) -> str:
    """In Markdown."""
    loads = [load(costs, size, office) for size in SIZES]
    lines = [
        "| counted: one ... | " + " | ".join(f.name for f in fields(Cost)) + " |",
        "|---" * (len(fields(Cost)) + 1) + "|",
    ]
    for name, cost in costs.items():
        lines.append(f"| {name} | " + " | ".join(_short(getattr(cost, f.name)) for f in fields(Cost)) + " |")
    head = ["", "| a month of | " + " | ".join(f"{size:,}" for size in SIZES) + " |", "|---" * (len(SIZES) + 1) + "|"]
    lines += head
    months = [each.month() for each in loads]
    rows = {
        "requests to Graph": "graph",
        "requests to the CRM": "crm",
        "writes in the CRM": "writes",
        "queue messages' operations": "queue",
        "table transactions": "table",
        "executions": "runs",
    }
    for title, name in rows.items():
        lines.append(f"| {title} | " + " | ".join(_short(getattr(month, name)) for month in months) + " |")
    paid = [euros(each, office, speed, prices) for each in loads]
    for name in paid[0]:
        lines.append(f"| euros: {name} | " + " | ".join(f"{each[name]:,.2f}" for each in paid) + " |")
    lines.append("| **euros** | " + " | ".join(f"**{sum(each.values()):,.2f}**" for each in paid) + " |")
    lines.append(
        "| euros a mailbox | "
        + " | ".join(f"{sum(p.values()) / n:,.3f}" for p, n in zip(paid, SIZES, strict=True))
        + " |"
    )
    lines += ["", "| share of a limit, when it is used most | " + " | ".join(f"{size:,}" for size in SIZES) + " |"]
    lines.append("|---" * (len(SIZES) + 1) + "|")
    used = [limits(each, office, speed) for each in loads]
    for name in used[0]:
        lines.append(f"| {name} | " + " | ".join(f"{each[name]:.1%}" for each in used) + " |")
    first = [max(each, key=lambda name: each[name]) for each in used]  # type: ignore[misc]
    lines.append("| **the first one** | " + " | ".join(each.partition(":")[0] for each in first) + " |")
    lines.append("| instances at a time | " + " | ".join(str(instances(each, office, speed)) for each in loads) + " |")
    return "\n".join(lines)


def assumptions(*groups: Office | Speed | Prices) -> str:
    """Every parameter with its value, in Markdown."""
    return "\n".join(
        f"- {type(group).__name__}: " + ", ".join(f"`{f.name}` {getattr(group, f.name):g}" for f in fields(group))
        for group in groups
    )


def _short(number: float) -> str:
    if abs(number) >= 1e6:
        return f"{number / 1e6:,.1f} M"
    if abs(number) >= 1e3:
        return f"{number / 1e3:,.0f} k"
    return f"{number:.3g}"


def recorded() -> dict[str, Cost]:
    """What was counted last."""
    return {name: Cost(**each) for name, each in json.loads(COSTS.read_text("utf-8"))["costs"].items()}


def text() -> str:
    """All that docs/scale.md has from here."""
    office, speed, prices = Office(), Speed(), Prices()
    return f"{tables(recorded(), office, speed, prices)}\n\n{assumptions(office, speed, prices)}\n"


if __name__ == "__main__":
    print(text(), end="")
