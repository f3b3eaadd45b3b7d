"""One mailbox with a very long first fill beside ten others with an edit each: how long do those wait? Once with the app's host.json, once with a
host that runs one mailbox at a time, where the long one stands in everybody's way and only its slices end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench.common import ROUND_TRIP, SERVICE
from tests.bench.crowd import Crowd, Slowness, crowd, until
from tests.bench.figures import Figure, at_most, shown
from tests.bench.tap import Span

OTHERS = 10
ONE_AT_A_TIME = {"batchSize": 1, "newBatchSize": 0}
ENDING = 5
"""Seconds within which a slice ends whose time is up: a chunk that was planned is still written."""
GROUP = "fair"


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds, of each other mailbox, from its edit to the beginning of its run. `behind`: of these the long fill was running."""

    all_in_all: list[float]
    behind: list[float]
    how: str


def figures(items: int, slice_seconds: int) -> list[Figure]:
    usual = waits(items, slice_seconds, None)
    alone = waits(items, slice_seconds, ONE_AT_A_TIME)
    what = f"a first fill of {items} items beside {OTHERS} mailboxes with an edit each"
    limit = slice_seconds + ENDING
    return [
        at_most(
            GROUP, f"{what}: longest wait for a run", round(max(usual.all_in_all), 2), slice_seconds, "s", usual.how
        ),
        at_most(
            GROUP,
            "  with a host that runs one mailbox at a time: longest wait for the fill",
            round(max(alone.behind), 2),
            limit,
            "s",
            f"a slice, and {ENDING} s for the batches that it has begun; {alone.how}",
        ),
        shown(
            GROUP,
            "    longest wait for a run",
            round(max(alone.all_in_all), 2),
            "s",
            f"the others' runs come one after another, too; shortest {min(alone.all_in_all):.2f} s",
        ),
    ]


def waits(items: int, slice_seconds: int, host: Mapping[str, Any] | None) -> Waited:
    """While the long fill goes on. Raises RuntimeError when it ended before the others ran."""
    with crowd("fairness", {"RUN_SECONDS": str(slice_seconds)}, host) as place:
        place.people(1 + OTHERS)
        others = range(1, 1 + OTHERS)
        for n in others:
            place.records(n, 2)
        place.connect(others)
        place.settled()
        cards = {n: place.card_of(n) for n in others}
        place.outlook.ask("PUT", "quirks", {"quota": 10**9})
        place.records(0, items)
        place.slow_down(ROUND_TRIP * 1000, SERVICE * 1000)
        place.connect([0])
        until("the fill has begun", lambda: _runs(place, 0), 120)
        edited: dict[int, float] = {}
        with Slowness() as slowness:
            for n in others:
                edited[n] = time.time()
                place.edit(n, cards[n], f"Fair{n}")
                time.sleep(slice_seconds / OTHERS / 2)
            until("everybody had a run", lambda: all(_run_after(place, n, edited[n]) for n in others), 300, 0.5)
            if not place.connector.status()["filling"]:
                raise RuntimeError("the fill had ended before the others ran: too small")
        taken = {n: _run_after(place, n, edited[n]) for n in others}
        fill = [span for span in place.tap.leases()[0] if span.mailbox == place.mailboxes[0]]
    how = f"slices of {slice_seconds} s, {len(fill)} of the fill had ended; {slowness.told()}"
    whole = [taken[n] - edited[n] for n in others]
    return Waited(whole, [_within(fill, edited[n], taken[n]) for n in others], how)


def _within(spans: Sequence[Span], began: float, ended: float) -> float:
    """Seconds of these spans between two moments."""
    return sum(max(0.0, min(span.ended, ended) - max(span.began, began)) for span in spans)


def _runs(place: Crowd, user: int) -> bool:
    rows = place.connector.mailboxes()
    return any(row["mailbox"] == place.mailboxes[user] and row["running"] for row in rows)


def _run_after(place: Crowd, user: int, moment: float) -> float:
    """When the mailbox was next taken, 0 = not yet."""
    taken = (state.answered for state in place.tap.taken() if state.mailbox == place.mailboxes[user])
    return min((at for at in taken if at >= moment), default=0.0)
