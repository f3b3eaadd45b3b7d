"""Sixty mailboxes on four processes that share one storage: all equal at the end, none run twice at a time, and what of the waiting is hidden.

Servers are far away (50 ms of way, 50 ms of service a request, four at a time for a mailbox at Graph). The same mailboxes are filled once by one
process and once by four, each on a storage of its own. Of runs at a time the states of the mailboxes' rows tell (`tap`).
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from tests.bench.common import ROUND_TRIP, SERVICE
from tests.bench.crowd import Slowness, crowd
from tests.bench.figures import Figure, at_most, shown
from tests.bench.tap import Span

HOSTS = 4


@dataclass(frozen=True, slots=True)
class Filled:
    """What came of filling all mailboxes. `waited`: seconds of the servers' latency, request by request; `cpu`: of the hosts."""

    seconds: float
    waited: float
    cpu: float
    unequal: int
    leases: list[Span]
    overlaps: list[str]
    slowness: str

    @property
    def at_once(self) -> int:
        """Most runs at a time, of all mailboxes."""
        moments = sorted([(span.began, 1) for span in self.leases] + [(span.ended, -1) for span in self.leases])
        most = now = 0
        for _, step in moments:
            now += step
            most = max(most, now)
        return most


def figures(mailboxes: int, items: int) -> list[Figure]:
    one, four = filled(1, mailboxes, items), filled(HOSTS, mailboxes, items)
    runs = Counter(span.mailbox for span in four.leases)
    group = "hosts"
    what = f"{mailboxes} mailboxes of {items} items, {HOSTS} processes"
    return [
        at_most(group, f"{what}: mailboxes that differ from the CRM", four.unequal, 0),
        at_most(
            group,
            "  leases taken while another run held the mailbox",
            len(four.overlaps),
            0,
            how=f"{len(four.leases)} leases, most of a mailbox {max(runs.values())}; with one process {len(one.overlaps)} of {len(one.leases)}",
        ),
        shown(group, "  runs at a time", four.at_once, how=f"with one process {one.at_once}"),
        shown(group, "  seconds", round(four.seconds, 1), "s", f"CPU of the hosts {four.cpu:.1f} s; {four.slowness}"),
        shown(
            group, "    of one process", round(one.seconds, 1), "s", f"CPU of the host {one.cpu:.1f} s; {one.slowness}"
        ),
        shown(group, "  times faster than one process", round(one.seconds / four.seconds, 2)),
        shown(
            group,
            "  seconds of waiting for servers in each second",
            round(four.waited / four.seconds, 1),
            how=f"one process {one.waited / one.seconds:.1f}; {four.waited:.0f} s of latency were served, request by request",
        ),
    ]


def filled(hosts: int, mailboxes: int, items: int) -> Filled:
    """A first fill from both sides, to its end."""
    with crowd(f"hosts{hosts}") as place:
        place.people(mailboxes)
        for n in range(mailboxes):
            place.records(n, items - items // 4)
            place.cards(n, items // 4)
        for n in range(1, hosts):
            place.stack.start_host(f"host-{n}")
        place.slow_down(ROUND_TRIP * 1000, SERVICE * 1000)
        before, cpu = _requests(place.outlook.requests(), place.crm.requests()), place.cpu()
        began = time.monotonic()
        with Slowness() as slowness:
            place.connect()
            place.settled(900, every=1.0)
        seconds = time.monotonic() - began - 4.0  # the last four looks are for certainty
        graph, crm = _requests(place.outlook.requests(), place.crm.requests())
        parts = sum(place.outlook.ask("GET", "parts")["by"].values())
        single = graph - before[0]
        waited = (single + crm - before[1]) * ROUND_TRIP + (single + parts) * SERVICE
        spent = place.cpu() - cpu
        place.slow_down(0, 0)
        unequal = place.unequal()
    leases, overlaps = place.tap.leases()
    return Filled(seconds, waited, spent, len(unequal), leases, overlaps, slowness.told())


def _requests(graph: dict[str, int], crm: dict[str, int]) -> tuple[int, int]:
    return sum(graph.values()), sum(crm.values())
