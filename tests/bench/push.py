"""From an edit in Outlook to the write in the CRM, by change notifications, while twenty other mailboxes run.

Every edit of every mailbox is followed: when it happened and when its notification was answered (the Graph emulator's own account), when the
mailbox's lease was taken (the tap), when the CRM was asked to write it (the vtenext emulator's). Without emulated latencies what is left is
ours and the queue's; with them it is told beside.
"""

from __future__ import annotations

import random
import statistics
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.bench.common import ROUND_TRIP, SERVICE
from tests.bench.crowd import FOLDER, Crowd, Slowness, crowd, until
from tests.bench.figures import Figure, at_most, shown

LIMIT = 2.0
OTHERS = 20
CARDS = 12
"""Of each mailbox: one that is edited by every run would be taken for one that two programs fight over."""
RATE = 1.0
"""Edits a second, all mailboxes together."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One, and when each station was reached, in seconds since it happened."""

    told: float
    taken: float
    written: float


def figures(edits: int, host: Mapping[str, Any] | None = None) -> list[Figure]:
    with crowd("push", host=host) as place:
        place.people(1 + OTHERS)
        for n in range(1 + OTHERS):
            place.records(n, CARDS)
        place.connect()
        place.settled()
        until("the first fills' own writes are heard of", place.at_rest, 120, 1.0)
        used = place.cpu()
        with Slowness() as slowness:
            bare = followed(place, edits)
        used = place.cpu() - used
        until("all is done", place.at_rest, 120, 1.0)
        place.slow_down(ROUND_TRIP * 1000, SERVICE * 1000)
        slow = followed(place, max(edits // 2, 10))
    group = "push"
    how = f"{len(bare)} edits of {1 + OTHERS} mailboxes, {RATE:g} a second, no emulated latency; {slowness.told()}"
    return [
        at_most(group, "edit in Outlook -> write in the CRM: p95", share(bare, 95), LIMIT, "s", how),
        *_parts(bare),
        shown(group, "  CPU of the host per edit", round(used / len(bare), 3), "s"),
        shown(
            group,
            "  with 50 ms of way and 50 ms of service on every request: p95",
            share(slow, 95),
            "s",
            f"{len(slow)} edits; nothing deducted",
        ),
        *_parts(slow),
    ]


def _parts(edits: Sequence[Edit]) -> list[Figure]:
    group = "push"
    stations = {
        "change -> notification answered": [each.told for each in edits],
        "answered -> lease taken (the queue)": [each.taken - each.told for each in edits],
        "lease -> write in the CRM (the run)": [each.written - each.taken for each in edits],
        "the whole": [each.written for each in edits],
    }
    return [
        shown(group, f"    {name}: median, p95, most", round(statistics.median(took), 2), "s", _spread(took))
        for name, took in stations.items()
    ]


def _spread(took: Sequence[float]) -> str:
    return f"p95 {percentile(took, 95):.2f}, most {max(took):.2f}"


def share(edits: Sequence[Edit], percent: int) -> float:
    return round(percentile([each.written for each in edits], percent), 2)


def percentile(values: Sequence[float], percent: int) -> float:
    """Nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def followed(place: Crowd, number: int) -> list[Edit]:
    """Edits, at random moments, in turn of the mailboxes; then each one's way."""
    dice, mark = random.Random(7), f"Job{time.time_ns() % 10**9}x"
    cards = [sorted(str(c["id"]) for c in place.outlook.cards(mailbox, FOLDER)) for mailbox in place.mailboxes]
    people = len(place.mailboxes)
    jobs = [f"{mark}{n:05d}z" for n in range(number)]
    place.crm.ask("POST", "sightings", {"texts": jobs})
    place.outlook.ask("DELETE", "notifications")
    began = time.time()
    edited: list[tuple[int, str, str]] = []
    for n, job in enumerate(jobs):
        user = n % people
        card = cards[user][(n // people) % CARDS]
        place.edit(user, card, job)
        edited.append((user, card, job))
        threading.Event().wait(dice.expovariate(RATE))
    until("every edit arrives", lambda: set(jobs) <= place.crm.ask("GET", "sightings").keys(), 120, 0.5)
    return _ways(place, edited, began)


def _ways(place: Crowd, edited: Sequence[tuple[int, str, str]], began: float) -> list[Edit]:
    sightings = place.crm.ask("GET", "sightings")
    told: dict[str, list[tuple[float, float]]] = {}
    for row in place.outlook.ask("GET", "notifications/deliveries"):
        told.setdefault(str(row["id"]), []).append((_at(row["changed"]), _at(row["acknowledged"])))
    taken: dict[str, list[float]] = {}
    for state in place.tap.taken():
        taken.setdefault(state.mailbox, []).append(state.answered)
    found: list[Edit] = []
    for user, card, job in edited:
        written = _at(sightings[job])
        heard = [(changed, answered) for changed, answered in told[card] if began <= changed <= written]
        changed = max(each for each, _ in heard)  # of the edits of this card the last one before it was written
        answered = min(at for each, at in heard if changed - each < 0.05)
        starts = sorted(taken[place.mailboxes[user]])
        start = starts[bisect_left(starts, written) - 1]
        found.append(Edit(answered - changed, start - changed, written - changed))
    return found


def _at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
