"""A thousand notifications in ten seconds at one host: half of them repeat others, a tenth is forged. A mass edit of many people at a time.

Each comes in a request of its own, which is the worst that Microsoft does. Those of one mailbox come in a burst, as when its user moves a folder; then once
more the same number without bursts, for comparison. Nothing changed in the mailboxes, so a run costs a look.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

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
        with Slowness() as slowness:
            burst = fired(place, bursts(place, notifications))
        spread = fired(
            place,
            [
                Shot(random.Random(i).random() * SECONDS, s.state, s.item)
                for i, s in enumerate(bursts(place, notifications))
            ],
        )
    group, forged = "flood", notifications // 10
    how = f"one host, {mailboxes} mailboxes, bursts of {BURST}; {slowness.told()}"
    lost = sum(n for status, n in burst.statuses.items() if status != 202)
    strangers = abs(burst.strangers - forged)
    found = [
        at_most(
            group,
            f"{notifications} notifications in {SECONDS:.0f} s: slowest answer",
            round(max(burst.answers), 3),
            LIMIT,
            "s",
            how,
        ),
        shown(
            group,
            "  answers: median",
            round(percentile(burst.answers, 50), 3),
            "s",
            f"p95 {percentile(burst.answers, 95):.3f} s",
        ),
        at_most(group, "  that were not taken (202)", lost, 0),
        at_most(group, f"  forged of which {forged} were sent: counted wrongly", strangers, 0),
        at_most(
            group,
            "  most runs of a mailbox",
            max(burst.runs.values()),
            RUNS,
            how=f"{sum(burst.runs.values())} runs in all",
        ),
        at_most(group, "  mailboxes without a run", mailboxes - len(burst.runs), 0),
        shown(
            group,
            "  without bursts: runs in all",
            sum(spread.runs.values()),
            how=f"most of a mailbox {max(spread.runs.values())}, slowest answer {max(spread.answers):.3f} s",
        ),
    ]
    return found


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
    url = f"{place.stack.urls['host']}/api/notifications"
    before = place.connector.status()["strangers"]["count"]
    began = time.time()
    answers = asyncio.run(_volley(url, shots))
    until("all is done", lambda: _quiet(place), 120, 1.0)
    runs = Counter(state.mailbox for state in place.tap.taken() if state.asked >= began)
    strangers = place.connector.status()["strangers"]["count"] - before
    return Came([took for took, _ in answers], Counter(status for _, status in answers), dict(runs), strangers)


def _quiet(place: Crowd) -> bool:
    """Twice in a row nothing runs and no hint is left."""
    looks = []
    for _ in range(2):
        looks.append(place.idle())
        time.sleep(1.5)
    return all(looks)


async def _volley(url: str, shots: Sequence[Shot]) -> list[tuple[float, int]]:
    limits = httpx.Limits(
        max_connections=200, max_keepalive_connections=200, keepalive_expiry=2
    )  # sooner than the server closes them
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
