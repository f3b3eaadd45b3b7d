"""Carries notices to their addresses in the background: in time, several in a POST, again when they fail (BEHAVIOUR 3.3).

One task of the event loop that served the last request; it lives while there is something to watch or to send, and ends with
the loop. Nothing of it is ever waited for by an answer of the emulator. What is due goes by the emulator's clock.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Protocol

import httpx

from emulators.graph.endpoints import Endpoints
from emulators.graph.http import Json
from emulators.graph.ledger import Ledger
from emulators.graph.notices import Notice
from emulators.graph.outbound import Outbound
from emulators.graph.world import World

TICK_S = 0.05  # what happens within it may go in one POST
_AT_ONCE = 8  # posts under way
_LONGEST_WAIT_S = 600.0
Parcel = tuple[str, bytes, Json]  # a forgery: where to, what, how it is told of


class Watch(Protocol):
    """Who is asked at every tick, and told what was given up."""

    def tick(self) -> None:
        """Time passed."""

    def missed(self, notice: Notice) -> None:
        """It will never arrive."""

    @property
    def needed(self) -> bool:
        """Whether time has to pass at all."""


class PostOffice:
    """Takes notices from any thread, sends them from one loop."""

    def __init__(self, world: World, outbound: Outbound, ledger: Ledger, watch: Callable[[], Watch]) -> None:
        self._world = world
        self._outbound = outbound
        self._ledger = ledger
        self._watch = watch
        self.endpoints = Endpoints()
        self._inbox: deque[Notice] = deque()  # appending is all that other threads do
        self._waiting: list[Notice] = []
        self._parcels: deque[Parcel] = deque()
        self._under_way = self._forging = 0
        self._task: asyncio.Task[None] | None = None
        self._random = Random(0)

    def reset(self) -> None:
        """Nothing waits. What is under way arrives."""
        self._inbox.clear()
        self._waiting.clear()
        self._parcels.clear()
        self.endpoints.reset()
        self._random = Random(0)
        self._task = None if self.broken is not None else self._task

    def take(self, notice: Notice) -> None:
        """To be sent when it is due."""
        self._inbox.append(notice)

    def forge(self, parcel: Parcel) -> None:
        """To be sent at the next tick, once."""
        self._parcels.append(parcel)

    @property
    def waiting(self) -> int:
        """How many notices are not acknowledged yet."""
        return len(self._inbox) + len(self._waiting) + self._under_way

    @property
    def broken(self) -> BaseException | None:
        """What a transport raised that is no failure of delivery: nothing is sent any more until a reset."""
        ended = self._task is not None and self._task.done() and not self._task.cancelled()
        return self._task.exception() if ended and self._task is not None else None

    # the task --------------------------------------------------------------------------------------------------

    def wake(self) -> None:
        """Called from every request: see to it that the running loop carries the post, if there is any."""
        if not self._busy() or self.broken is not None:
            return
        if self._task is None or self._task.done() or not self._task.get_loop().is_running():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def quiet(self) -> None:
        """Until nothing is due and nothing is under way; raises what broke the task, if something did."""
        while True:
            if self.broken is not None:
                raise self.broken
            due = any(each.due <= self._world.clock.now() for each in self._waiting)
            if not (due or self._inbox or self._parcels or self._under_way or self._forging):
                return
            self.wake()
            await asyncio.sleep(TICK_S / 5)

    async def close(self) -> None:
        """Stop, with what is under way."""
        if self._task is None:
            return
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def _busy(self) -> bool:
        return bool(
            self._watch().needed or self._inbox or self._waiting or self._parcels or self._under_way or self._forging
        )

    async def _run(self) -> None:
        slots = asyncio.Semaphore(_AT_ONCE)
        self._under_way = self._forging = 0
        async with self._outbound.client() as client, asyncio.TaskGroup() as group:
            while self._busy():
                self._watch().tick()
                while self._parcels:
                    self._forging += 1
                    group.create_task(self._forged(client, self._parcels.popleft()))
                for url, notices in self._due():
                    self._under_way += len(notices)
                    group.create_task(self._post(client, slots, url, notices))
                await asyncio.sleep(TICK_S)

    def _due(self) -> Iterator[tuple[str, list[Notice]]]:
        """What goes now, in no order (3.3), by address; changes and lifecycle events apart."""
        while self._inbox:
            self._waiting.append(self._inbox.popleft())
        now = self._world.clock.now()
        due = [each for each in self._waiting if each.due <= now]
        if not due:
            return
        self._waiting = [each for each in self._waiting if each.due > now]
        self._random.shuffle(due)
        bags: defaultdict[tuple[str, bool], list[Notice]] = defaultdict(list)
        for each in due:
            if each.subscription.state != "live" and each.about != "subscriptionRemoved":
                self._ledger.counts["discarded"] += 1
            else:
                bags[each.url, each.of_lifecycle].append(each)
        size = max(1, self._world.quirks.notifications_per_post)
        for (url, _), bag in bags.items():
            for start in range(0, len(bag), size):
                yield url, bag[start : start + size]

    # one post --------------------------------------------------------------------------------------------------

    async def _post(self, client: httpx.AsyncClient, slots: asyncio.Semaphore, url: str, notices: list[Notice]) -> None:
        clock, limit = self._world.clock, self._world.quirks.answer_limit_s
        async with slots:
            self._ledger.counts["posts"] += 1
            self._ledger.counts["sent"] += len(notices)
            for each in notices:
                each.attempts += 1
                each.first = each.first or clock.now()
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                status, late = await _answer(client, url, {"value": [each.body for each in notices]}, limit)
            finally:
                self._under_way -= len(notices)
        took, now = loop.time() - began, clock.now()
        self._ledger.slowest_s = max(self._ledger.slowest_s, took)
        self.endpoints.note(url, now, late=late)
        for each in notices:
            if 200 <= status < 300:
                self._ledger.acknowledge(each, now, took)
            else:
                self._again(each)

    def _again(self, notice: Notice) -> None:
        """Later, or never when four hours are over."""
        quirks, now = self._world.quirks, self._world.clock.now()
        wait = min(quirks.retry_s * 2 ** min(notice.attempts - 1, 20), _LONGEST_WAIT_S)
        notice.due = now + timedelta(seconds=wait)
        if notice.first is not None and notice.due > notice.first + timedelta(seconds=quirks.retry_for_s):
            self._ledger.counts["given_up"] += 1
            self._watch().missed(notice)
            return
        self._ledger.counts["retried"] += 1
        self._inbox.append(notice)

    async def _forged(self, client: httpx.AsyncClient, parcel: Parcel) -> None:
        url, content, told = parcel
        try:
            status, _ = await _answer(client, url, content, self._world.quirks.answer_limit_s)
        finally:
            self._forging -= 1
        self._ledger.forged.append({**told, "url": url, "status": status})


async def _answer(client: httpx.AsyncClient, url: str, body: Json | bytes, limit: float) -> tuple[int, bool]:
    """The status, 0 when none came or nobody was there, and whether time ran out. What else a transport raises breaks the task."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    try:
        async with asyncio.timeout(limit):
            return (await client.post(url, content=content, headers=headers)).status_code, False
    except TimeoutError:
        return 0, True
    except httpx.HTTPError:
        return 0, False
