"""One mailbox with a very long first fill beside ten others with an edit each: how long do those wait? Once with the app's host.json, once with a
host that runs one mailbox at a time, where the long one stands in everybody's way and only its slices end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tests.bench.common import ROUND_TRIP, SERVICE
from tests.bench.crowd import Crowd, Slowness, crowd, until
from tests.bench.figures import Figure, at_most, shown

OTHERS = 10
ONE_AT_A_TIME = {"batchSize": 1, "newBatchSize": 0}
GROUP = "fair"


def figures(items: int, slice_seconds: int) -> list[Figure]:
    usual = waits(items, slice_seconds, None)
    alone = waits(items, slice_seconds, ONE_AT_A_TIME)
    what = f"a first fill of {items} items beside {OTHERS} mailboxes with an edit each"
    return [
        at_most(GROUP, f"{what}: longest wait for a run", round(max(usual[0]), 2), slice_seconds, "s", usual[1]),
        at_most(
            GROUP,
            "  with a host that runs one mailbox at a time",
            round(max(alone[0]), 2),
            slice_seconds,
            "s",
            alone[1],
        ),
        shown(GROUP, "    shortest", round(min(alone[0]), 2), "s"),
    ]


def waits(items: int, slice_seconds: int, host: Mapping[str, Any] | None) -> tuple[list[float], str]:
    """Seconds from each other mailbox's edit to the beginning of its run, while the long fill goes on; and how it was measured."""
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
        with Slowness() as slowness:
            edited: dict[int, float] = {}
            for n in others:
                edited[n] = time.time()
                place.edit(n, cards[n], f"Fair{n}")
                time.sleep(slice_seconds / OTHERS / 2)
            until("everybody had a run", lambda: all(_run_after(place, n, edited[n]) for n in others), 300, 0.5)
            if not _runs(place, 0) and not place.connector.status()["filling"]:
                raise RuntimeError("the fill had ended before the others ran: too small")
        found = [_run_after(place, n, edited[n]) - edited[n] for n in others]
        slices = sum(1 for state in place.tap.taken() if state.mailbox == place.mailboxes[0])
        return found, f"slices of {slice_seconds} s, the {slices}. of the fill was under way; {slowness.told()}"


def _runs(place: Crowd, user: int) -> bool:
    rows = place.connector.mailboxes()
    return any(row["mailbox"] == place.mailboxes[user] and row["running"] for row in rows)


def _run_after(place: Crowd, user: int, moment: float) -> float:
    """When the mailbox was next taken, 0 = not yet."""
    taken = (state.answered for state in place.tap.taken() if state.mailbox == place.mailboxes[user])
    return min((at for at in taken if at >= moment), default=0.0)
