"""Mailboxes with a very long first fill beside ten others with an edit each: how long do those wait? Once beside one fill; once beside ten, which are
more than one process takes at a time, in slices so long that none ends: what waited for a place of theirs would wait for all of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sync.agenda import APART
from tests.bench.common import ROUND_TRIP, SERVICE
from tests.bench.crowd import Crowd, Slowness, crowd, until
from tests.bench.figures import Figure, at_most, shown

OTHERS = 10
FILLS = 10
AT_A_TIME = 4
"""Runs that a process begins with (batchSize of host.json)."""
NEVER_ENDS = 240
"""Seconds of a slice, longer than the whole takes."""
GROUP = "fair"


@dataclass(frozen=True, slots=True)
class Waited:
    """Seconds, of each other mailbox, from its edit to the beginning of its run."""

    each: list[float]
    how: str


def figures(items: int, slice_seconds: int) -> list[Figure]:
    beside_one = waits(items, 1, slice_seconds)
    beside_many = waits(items, FILLS, NEVER_ENDS)
    what = f"a first fill of {items} items beside {OTHERS} mailboxes with an edit each"
    return [
        at_most(
            GROUP, f"{what}: longest wait for a run", round(max(beside_one.each), 2), slice_seconds, "s", beside_one.how
        ),
        at_most(
            GROUP,
            f"  {FILLS} fills of {items // FILLS}, slices of {NEVER_ENDS} s: longest wait for a run",
            round(max(beside_many.each), 2),
            slice_seconds,
            "s",
            beside_many.how,
        ),
        shown(GROUP, "    shortest", round(min(beside_many.each), 2), "s"),
    ]


def waits(items: int, fills: int, slice_seconds: int) -> Waited:
    """While the long fills go on. Raises RuntimeError when they ended before the others ran."""
    with crowd("fairness", {"RUN_SECONDS": str(slice_seconds)}) as place:
        place.people(fills + OTHERS)
        long, others = range(fills), range(fills, fills + OTHERS)
        for n in others:
            place.records(n, 2)
        place.connect(others)
        place.settled()
        cards = {n: place.card_of(n) for n in others}
        place.outlook.ask("PUT", "quirks", {"quota": 10**9})
        for n in long:
            place.records(n, items // fills)
        if fills > 1:
            _part(place)
        place.slow_down(ROUND_TRIP * 1000, SERVICE * 1000)
        place.connect(long)
        until("the fills have begun", lambda: _running(place) >= min(fills, AT_A_TIME), 120)
        time.sleep(APART.total_seconds())  # what two runs of a mailbox lie apart is no waiting for others
        edited: dict[int, float] = {}
        with Slowness() as slowness:
            for n in others:
                edited[n] = time.time()
                place.edit(n, cards[n], f"Fair{n}")
                time.sleep(0.5)
            until("everybody had a run", lambda: all(_run_after(place, n, edited[n]) for n in others), 300, 0.5)
            if not place.connector.status()["filling"]:
                raise RuntimeError("the fills had ended before the others ran: too small")
        taken = {n: _run_after(place, n, edited[n]) for n in others}
    return Waited([taken[n] - edited[n] for n in others], f"slices of {slice_seconds} s; {slowness.told()}")


def _part(place: Crowd) -> None:
    """One process for what takes minutes, one for everything else, as Flex Consumption places them."""
    place.stack.start_host("host-fills", **{"AzureWebJobs.run.Disabled": "true"})
    place.stack.stop_host("host")
    place.stack.start_host("host", **{"AzureWebJobs.run.Disabled": "false", "AzureWebJobs.fill.Disabled": "true"})


def _running(place: Crowd) -> int:
    return sum(1 for row in place.connector.mailboxes() if row["running"])


def _run_after(place: Crowd, user: int, moment: float) -> float:
    """When the mailbox was next taken, 0 = not yet."""
    taken = (state.answered for state in place.tap.taken() if state.mailbox == place.mailboxes[user])
    return min((at for at in taken if at >= moment), default=0.0)
