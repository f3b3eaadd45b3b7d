"""A thousand notifications in ten seconds at one host: half of them repeat others, a tenth is forged.

Each comes in a request of its own, which is the worst that Microsoft does. Those of one mailbox come in a burst, as when its user moves a folder;
then once more the same number without bursts, for comparison. Nothing changed in the mailboxes, so a run costs a look.

One process answers and another runs mailboxes, as on Flex Consumption, where the HTTP functions of an app scale as a group of their own and every
other function by itself. Then the same with one process for both, which is told beside: its runs stand in the way of its answers.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import httpx

from sync.store.strangers import EVERY
from tests.bench.crowd import Crowd, Slowness, crowd, until
from tests.bench.figures import Figure, at_most, shown
from tests.bench.push import percentile

SECONDS = 10.0
LIMIT = 1.0
RUNS = 2
"""Of a mailbox: one that was under way, and one after it."""
BURST = 20
"""Notifications of one mailbox, half of them repetitions."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One request. `at`: seconds from the beginning."""

    at: float
    state: str
    item: str


@dataclass(frozen=True, slots=True)
class Came:
    """What came of all of them."""

    answers: list[float]
    statuses: Counter[int]
    runs: dict[str, int]
    strangers: int


def figures(notifications: int) -> list[Figure]:
    mailboxes = notifications * 9 // 10 // BURST
    with crowd("flood") as place:
        place.people(mailboxes)
        for n in range(mailboxes):
            place.records(n, 1)
        place.connect()
        place.settled()
        until("the first fills' own writes are heard of", place.at_rest, 120, 1.0)
        shots = bursts(place, notifications)
        both = fired(place, shots)
        _part(place)
        with Slowness() as slowness:
            burst = fired(place, shots)
        spread = fired(place, _spread(shots))
    group, forged = "flood", notifications // 10
    how = f"{mailboxes} mailboxes, bursts of {BURST}; {slowness.told()}"
    lost = sum(n for status, n in burst.statuses.items() if status != 202)
    what = f"{notifications} notifications in {SECONDS:.0f} s"
    return [
        at_most(group, f"{what}: slowest answer", round(max(burst.answers), 3), LIMIT, "s", how),
        shown(group, "  answers: median", _median(burst), "s", f"p95 {percentile(burst.answers, 95):.3f} s"),
        at_most(group, "  that were not taken (202)", lost, 0),
        at_most(group, f"  of {forged} forged: counted wrongly", abs(burst.strangers - forged), 0),
        at_most(
            group, "  most runs of a mailbox", max(burst.runs.values()), RUNS, how=f"{sum(burst.runs.values())} in all"
        ),
        at_most(group, "  mailboxes without a run", mailboxes - len(burst.runs), 0),
        shown(group, "  without bursts: runs in all", sum(spread.runs.values()), how=_told(spread)),
        shown(group, "  in bursts, one process for all: median", _median(both), "s", how=_told(both)),
    ]


def _median(came: Came) -> float:
    return round(percentile(came.answers, 50), 3)


def _told(came: Came) -> str:
    return f"most of a mailbox {max(came.runs.values())}, slowest answer {max(came.answers):.3f} s"


def _part(place: Crowd) -> None:
    """One process for requests, one for everything else."""
    place.stack.start_host("host-runs")
    place.stack.stop_host("host")
    place.stack.start_host("host", **{f"AzureWebJobs.{name}.Disabled": "true" for name in ("run", "fill", "sweep")})
    asyncio.run(_volley(_url(place), [Shot(0, "nobody's", "first")] * 3))  # loads the libraries


def _url(place: Crowd) -> str:
    return f"{place.stack.urls['host']}/api/notifications"


def _spread(shots: Sequence[Shot]) -> list[Shot]:
    dice = random.Random(13)
    return [replace(shot, at=dice.random() * SECONDS) for shot in shots]


def bursts(place: Crowd, notifications: int) -> list[Shot]:
    """A tenth forged, at any time; the others in bursts of a mailbox, every second one a repetition."""
    dice = random.Random(11)
    states = {
        row["mailbox"]: row["clientState"]
        for row in place.outlook.ask("GET", "subscriptions")
        if row["state"] == "live" and row["kind"] == "contact"
    }
    shots = [
        Shot(dice.random() * SECONDS, _tampered(states[dice.choice(place.mailboxes)], dice), f"forged{n}")
        for n in range(notifications // 10)
    ]
    for n, mailbox in enumerate(place.mailboxes):
        begins = SECONDS * n / len(place.mailboxes)
        for k in range(BURST):
            shots.append(Shot(begins + k * SECONDS / len(place.mailboxes) / BURST, states[mailbox], f"item{k // 2}"))
    return sorted(shots, key=lambda shot: shot.at)


def _tampered(state: str, dice: random.Random) -> str:
    """Half of them name a mailbox of ours and prove nothing, half are of nobody."""
    return state[:-1] + ("A" if state[-1] != "A" else "B") if dice.random() < 0.5 else f"{dice.random()}"


def fired(place: Crowd, shots: Sequence[Shot]) -> Came:
    """Send them in their time, wait for the end of what they set going."""
    _strangers(place)
    before = _strangers(place)
    began = time.time()
    answers = asyncio.run(_volley(_url(place), shots))
    until("all is done", place.at_rest, 120, 1.0)
    runs = Counter(state.mailbox for state in place.tap.taken() if state.asked >= began)
    strangers = _strangers(place) - before - 1
    return Came([took for took, _ in answers], Counter(status for _, status in answers), dict(runs), strangers)


def _strangers(place: Crowd) -> int:
    """How many were counted so far: one more, for what came within a few seconds is counted with the next."""
    time.sleep(EVERY.total_seconds() + 0.1)
    asyncio.run(_volley(_url(place), [Shot(0, "nobody's", "last")]))
    return int(place.connector.status()["strangers"]["count"])


async def _volley(url: str, shots: Sequence[Shot]) -> list[tuple[float, int]]:
    # sooner than the server closes them
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200, keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as http:
        began = time.monotonic()

        async def one(shot: Shot) -> tuple[float, int]:
            await asyncio.sleep(max(0.0, shot.at - (time.monotonic() - began)))
            notice = {
                "subscriptionId": "s",
                "changeType": "updated",
                "clientState": shot.state,
                "resource": f"Users/x/Contacts/{shot.item}",
                "resourceData": {"id": shot.item},
            }
            sent = time.monotonic()
            answer = await http.post(url, json={"value": [notice]})
            return time.monotonic() - sent, answer.status_code

        return list(await asyncio.gather(*(one(shot) for shot in shots)))
