"""What one thing costs - a tick, a look, a change each way, a night's comparison, a notification, a renewal - counted on the whole product.

One mailbox, Azurite behind the tap, the emulators' own counts, the hosts' CPU by the kernel's account. Counts do not depend on how busy the
machine is, CPU hardly. `costs.json` holds what was counted last; `scripts/scale.py` makes a model of it.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from tests.bench.crowd import AFTER, FOLDER, Crowd, crowd
from tests.bench.figures import Figure, at_most, shown

RECORDED = Path(__file__).with_name("costs.json")
_RAN = re.compile(r" functions_host (queue|timer|http) (\w+) ")
QUIET = AFTER
"""Seconds without an invocation: what was set going has ended."""
REPEATED = 40
APART = 0.25


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one thing. `parts`: operations that Graph counts against its quota (those of a batch one by one); `writes`: in the CRM; `table`:
    transactions, of which `mailboxes` and `control` in the partitions that everybody shares; `queue`: messages sent, deleted, prolonged - without
    looking for them; `runs`: invocations; `cpu`: seconds."""

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
        return self._with(other, 1)

    def __sub__(self, other: Cost) -> Cost:
        return self._with(other, -1)

    def __mul__(self, times: float) -> Cost:
        return Cost(**{name: each * times for name, each in asdict(self).items()})

    def _with(self, other: Cost, sign: int) -> Cost:
        mine, others = asdict(self), asdict(other)
        return Cost(**{name: mine[name] + sign * others[name] for name in mine})

    def rounded(self) -> Cost:
        """Processor time is sampled: what is less than nothing is nothing."""
        return replace(
            Cost(**{name: round(each, 3) for name, each in asdict(self).items()}), cpu=max(0.0, round(self.cpu, 3))
        )


ANSWERED = Cost(runs=1)
"""The answer to the notification that asked for a look; a tick asks for it without one."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """All counts so far."""

    storage: Counter[str]
    graph: Counter[str]
    parts: Counter[str]
    crm: Counter[str]
    runs: Counter[str]
    cpu: float


@dataclass(slots=True)
class Counting:
    """Counts what a deed sets going, until nothing runs any more. Tasks that nobody can subscribe to are looked at by every run: counted apart."""

    place: Crowd
    idle_cpu: float = 0.0  # a second, of a host with nothing to do
    tasks: Cost = Cost()
    """What looking at the tasks cost in the last count, per run."""

    def of(self, do: Callable[[], object]) -> Cost:
        before, began = self._now(), time.monotonic()
        do()
        self._end()
        now = self._now()
        spent = max(0.0, now.cpu - before.cpu - self.idle_cpu * (time.monotonic() - began))
        storage, graph, crm = now.storage - before.storage, now.graph - before.graph, now.crm - before.crm
        table = {key: n for key, n in storage.items() if key.startswith("table ")}
        of_tasks = sum(n for key, n in table.items() if "|tasks" in key)
        todo = sum(n for key, n in graph.items() if "/todo/" in key)
        batches = sum(n for key, n in graph.items() if "$batch" in key)
        writes = sum(n for key, n in crm.items() if key.split()[1] in ("create", "revise", "delete"))
        share = (of_tasks + todo) / max(1, sum(table.values()) + graph.total() + crm.total())
        looked = max(1, sum(n for key, n in graph.items() if "/todo/lists/delta" in key))
        self.tasks = Cost(graph=todo, parts=todo, table=of_tasks, cpu=spent * share) * (1 / looked)
        return Cost(
            graph=graph.total() - todo,
            parts=graph.total() - todo - batches + (now.parts - before.parts).total(),
            crm=crm.total(),
            writes=writes,
            table=sum(table.values()) - of_tasks,
            mailboxes=sum(n for key, n in table.items() if key.endswith(" mailboxes")),
            control=sum(n for key, n in table.items() if key.endswith(" control")),
            queue=sum(n for key, n in storage.items() if key.startswith("queue ") and key != "queue GET"),
            runs=(now.runs - before.runs).total(),
            cpu=spent * (1 - share),
        )

    def rest(self, seconds: float) -> None:
        """What a host costs that only looks for messages."""
        cpu = self.place.cpu()
        time.sleep(seconds)
        self.idle_cpu = (self.place.cpu() - cpu) / seconds

    def _now(self) -> _Seen:
        place = self.place
        parts = Counter({str(key): int(n) for key, n in place.outlook.ask("GET", "parts")["by"].items()})
        graph, crm = Counter(place.outlook.requests()), Counter(place.crm.requests())
        return _Seen(Counter(place.tap.counts), graph, parts, crm, self._invocations(), place.cpu())

    def _invocations(self) -> Counter[str]:
        log = (self.place.stack.logs / "host.log").read_text("utf-8", errors="replace")
        return Counter(f"{kind} {name}" for kind, name in _RAN.findall(log))

    def _end(self) -> None:
        seen, since, end = self._invocations(), time.monotonic(), time.monotonic() + 300
        while time.monotonic() - since < QUIET:
            time.sleep(0.2)
            now = self._invocations()
            taken = self.place.tap.busy()
            if now != seen or taken:
                seen, since = now, time.monotonic()
            if time.monotonic() > end:
                raise RuntimeError("what was set going does not end")


def count(items: int, more: int) -> dict[str, Cost]:
    """By name. `items`: in the mailbox at first, three contacts to one event; `more`: added for a second comparison."""
    found: dict[str, Cost] = {}
    with crowd("costs") as place:
        counting = Counting(place)
        place.people(1)
        counting.of(lambda: _sweep(place))
        counting.rest(8)
        _fill(place, items)
        found["first_fill_item"] = counting.of(place.connect) * (1 / items)
        counting.of(lambda: _sweep(place))
        people, calendar = _states(place)
        found["look_people"] = look = counting.of(lambda: _notify(place, people))
        found["look_calendar"] = counting.of(lambda: _notify(place, calendar))
        found["look_both"] = counting.of(lambda: _notify(place, people, calendar))
        many = counting.of(lambda: [_notify(place, people) for _ in range(REPEATED)])
        found["notification"] = _one(many, look)
        for name in ("look_people", "look_calendar", "look_both"):
            found[name] -= ANSWERED
        found["run"] = run = found["look_people"] + found["look_calendar"] - found["look_both"]
        # the tasks are looked at by every tick, and by no run that was told of others
        with_run = counting.of(lambda: _sweep(place))
        found["look_tasks"] = counting.tasks
        found["tick"] = with_run - run
        found |= _changes(place, counting, with_run - run)
        told = {"event": "reauthorizationRequired"}
        asked = counting.of(lambda: place.outlook.ask("POST", "subscriptions/lifecycle", told))
        found["renewal"] = asked - found["look_both"] - ANSWERED
        small = counting.of(lambda: place.connector.say("settings", horizon_days=91))
        _fill(place, more)
        counting.of(lambda: _sweep(place))
        large = counting.of(lambda: place.connector.say("settings", horizon_days=92))
        found["night_item"] = (large - small) * (1 / more)
        found["night"] = small - found["night_item"] * items
    return {name: cost.rounded() for name, cost in found.items()}


def _one(many: Cost, look: Cost) -> Cost:
    """What a notification costs that sets nothing going, of many among which were some looks: it reads the mailbox's row."""
    looks = many.runs - REPEATED
    each = (many - look * looks) * (1 / (REPEATED - looks))
    return Cost(table=each.mailboxes, mailboxes=each.mailboxes, runs=1, cpu=max(0.0, each.cpu))


def _changes(place: Crowd, counting: Counting, tick: Cost) -> dict[str, Cost]:
    """Each with the run that carries it, its notifications, and what those of our own writes set going."""
    found: dict[str, Cost] = {}
    mailbox = place.mailboxes[0]
    card = min(str(c["id"]) for c in place.outlook.cards(mailbox, FOLDER))
    found["contact_from_outlook"] = counting.of(lambda: place.edit(0, card, "Direttore"))
    event, contact = place.outlook.mailbox(mailbox)["events"][0]["id"], place.contacts[0][1]
    new = {"subject": "Rinviato"}
    found["event_from_outlook"] = counting.of(lambda: place.outlook.do("edit_event", mailbox, event=event, fields=new))
    found["meeting_from_outlook"] = counting.of(lambda: place.outlook.do("create_event", mailbox, fields=_meeting()))
    found["contact_from_crm"] = counting.of(lambda: (place.crm.edit(contact, title="Socio"), _sweep(place))) - tick
    row = str(place.crm.living()["Events"][1]["id"])
    found["event_from_crm"] = counting.of(lambda: (place.crm.edit(row, location="Sede"), _sweep(place))) - tick
    return found


def figures(items: int, more: int) -> list[Figure]:
    """Counted anew, beside what is recorded."""
    now = count(items, more)
    before = {name: Cost(**each) for name, each in json.loads(RECORDED.read_text("utf-8"))["costs"].items()}
    big = [name for name, cost in now.items() if cost.table >= 10]
    apart = max(abs(now[name].table / before[name].table - 1) for name in big)
    what = "transactions of storage: counted now beside what docs/scale.md is computed from"
    return [
        at_most("costs", what, round(apart, 3), APART, how=f"of what takes ten and more: {', '.join(big)}"),
        *(shown("costs", f"  {name}", each.table, how=_told(each)) for name, each in now.items()),
    ]


def record(items: int, more: int) -> None:
    """Keep what is counted now: `scripts/scale.py` reads it, docs/scale.md has to follow."""
    found = {name: asdict(cost) for name, cost in count(items, more).items()}
    told = {"counted": datetime.now(UTC).date().isoformat(), "items": [items, more], "costs": found}
    RECORDED.write_text(json.dumps(told, indent=1) + "\n", "utf-8")


def _told(cost: Cost) -> str:
    return ", ".join(f"{name} {each:g}" for name, each in asdict(cost).items() if each)


def _sweep(place: Crowd) -> None:
    httpx.post(f"{place.stack.urls['host']}/admin/functions/sweep", json={}, trust_env=False).raise_for_status()


def _states(place: Crowd) -> tuple[str, str]:
    rows = [row for row in place.outlook.ask("GET", "subscriptions") if row["state"] == "live"]
    return tuple(next(r["clientState"] for r in rows if r["kind"] == kind) for kind in ("contact", "event"))  # type: ignore[return-value]


def _notify(place: Crowd, *states: str) -> None:
    url = f"{place.stack.urls['host']}/api/notifications"
    httpx.post(
        url, json={"value": [{"clientState": each} for each in states]}, trust_env=False, timeout=30
    ).raise_for_status()


def _fill(place: Crowd, items: int) -> None:
    """Three contacts, in the CRM, to one event, in Outlook."""
    place.records(0, items * 3 // 4)
    day = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=5)
    for n in range(items - items * 3 // 4):
        begins = day + timedelta(days=n % 60, minutes=30 * (n // 60))
        place.outlook.do("create_event", place.mailboxes[0], fields={"subject": f"Appuntamento {n}", **_timed(begins)})


def _timed(begins: datetime) -> dict[str, object]:
    ends = begins + timedelta(minutes=30)
    return {
        name: {"dateTime": at.strftime("%Y-%m-%dT%H:%M:%S"), "timeZone": "UTC"}
        for name, at in (("start", begins), ("end", ends))
    }


def _meeting() -> dict[str, object]:
    guests = [{"address": f"ospite{n}@altrove.example", "name": f"Ospite {n}"} for n in range(2)]
    people = [{"emailAddress": each, "type": "required"} for each in guests]
    begins = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    return {"subject": "Incontro", **_timed(begins), "attendees": people}


if __name__ == "__main__":
    record(120, 1_600)
