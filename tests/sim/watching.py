"""Subscriptions in memory: a server that tells of changes, and by seed refuses, grants little, ends them without a word, loses, delays and doubles.

With them a world's mailboxes are looked at when they are told of or due, as the timer and the queue do it; without them by every tick.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Protocol

from sync.errors import Failure
from sync.model import Family
from sync.tick import goes_on
from sync.watches import Place, Watch, told_by
from sync.worker import Worker

if TYPE_CHECKING:
    from tests.sim.world import World

HOURLY = timedelta(minutes=95)
"""Within so long everything is looked at, told of or not."""
ROUNDS = 8
REFUSED, GRANTED_LITTLE, ENDS, LOST, LATE, DOUBLED, MESSAGE_LOST = 0.3, 0.3, 0.05, 0.15, 0.1, 0.2, 0.05


class Box(Protocol):
    """A side of a mailbox."""

    id: str
    writes: int


def written_first(box: Box, subscriptions: Subscriptions | None) -> int:
    """Writes until the end of the first of the runs that a tick brought; without subscriptions it brings one."""
    return subscriptions.first.get(box.id, box.writes) if subscriptions else box.writes


@dataclass(frozen=True, slots=True)
class Subscription:
    mailbox: str
    place: Place
    until: datetime
    state: str


class Subscriptions:
    """All of a world's mailboxes. `reliable`: from now on nothing is lost or late, and what is there stays. `owes`: something was lost that only a
    look finds. `first`: what of each mailbox had been written when its first run, since somebody forgot it, had ended."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self._world, self._dice = world, dice
        self.there: dict[str, Subscription] = {}
        self.reliable = self.owes = False
        self.first: dict[str, int] = {}
        self._messages: dict[
            str, bool
        ] = {}  # mailbox -> whether the timer sent it; they outlive the process that took them
        self._seen: dict[tuple[str, Family], int] = {}
        self._late: list[tuple[str, Family]] = []
        self._silent: list[Subscription] = []  # they ended without a word
        self._lost = False
        self._ids = count(1)

    def watcher(self, mailbox: str) -> MemoryWatcher:
        return MemoryWatcher(self, self._world, mailbox)

    def happens(self, chance: float) -> bool:
        return not self.reliable and self._dice.random() < chance

    def made(self, subscription: Subscription) -> str:
        """One of before for the same place is replaced. Its id."""
        alike = [
            i
            for i, each in self.there.items()
            if (each.mailbox, each.place) == (subscription.mailbox, subscription.place)
        ]
        for id_ in alike:
            del self.there[id_]
        id_ = f"subscription-{next(self._ids)}"
        self.there[id_] = subscription
        return id_

    def granted(self, until: datetime) -> datetime:
        """Sometimes less than was asked for."""
        little = self._world.now() + timedelta(minutes=self._dice.randrange(45, 200))
        return little if self.happens(GRANTED_LITTLE) else until

    def quiet(self) -> timedelta:
        """From now on all is reliable; how much time passes first: so much that everything is looked at that nobody told of, or none."""
        self.reliable = True
        jump = self.owes or self._dice.random() < 0.5
        self.owes = False
        return HOURLY if jump else timedelta()

    async def runs(self, worker: Worker) -> None:
        """What one tick of the timer, and what is told around it, brings."""
        world = self._world
        self._messages |= dict.fromkeys(await world.registry.due(world.now()), True)
        for _ in range(ROUNDS):
            await self._deliver()
            if not self._messages:
                break
            taken = dict(self._messages)
            for mailbox, by_timer in taken.items():
                if await worker.run(mailbox, polls=by_timer) is None:
                    await world.registry.spent(mailbox)
                self.first.setdefault(mailbox, sum(box.writes for box in self._boxes(mailbox)))
                del self._messages[mailbox]
            rows = [await world.registry.mailbox(mailbox) for mailbox in taken]
            on = [row.id for row in rows if row and goes_on(row, world.now().isoformat())]
            self._messages |= dict.fromkeys(on, False)

    async def _deliver(self) -> None:
        """Tell of what happened since the last time. What a crash takes along is told no more."""
        owed, self.owes = self.owes, True
        for mailbox, family, again in list(self._told()):
            if not await self._world.registry.hint(mailbox, {family}, self._world.now(), rewatch=again):
                continue
            if self.happens(MESSAGE_LOST):
                owed = True
            else:
                self._messages.setdefault(mailbox, False)
        self.owes = owed or self._lost
        self._lost = False

    def _told(self) -> Iterator[tuple[str, Family, bool]]:
        """Mailbox, family, and whether it is a wish for renewal."""
        late, self._late = self._late, []
        yield from ((mailbox, family, False) for mailbox, family in late)
        yield from ((each.mailbox, each.place.family, True) for each in self._ended())
        if self.reliable:
            yield from ((each.mailbox, each.place.family, True) for each in self._silent)
            self._silent = []
        for mailbox, family in self._moved():
            if not self._live(mailbox, family):
                self._lost |= any((each.mailbox, each.place.family) == (mailbox, family) for each in self._silent)
                continue
            if self.happens(LOST):
                self._lost = True
            elif self.happens(LATE):
                self._late.append((mailbox, family))
            else:
                yield from [(mailbox, family, False)] * (2 if self.happens(DOUBLED) else 1)

    def _ended(self) -> Iterator[Subscription]:
        """Those whose end, or challenge, is told; others end without a word."""
        for id_, each in list(self.there.items()):
            if each.until <= self._world.now():
                del self.there[id_]
            elif self.happens(ENDS):
                del self.there[id_]
                if self._dice.random() < 0.5:
                    yield each
                else:
                    self._silent.append(each)
            elif self.happens(ENDS):  # reauthorizationRequired
                yield each

    def _boxes(self, mailbox: str) -> list[Box]:
        world = self._world
        return [world.mailboxes[mailbox], world.calendars[mailbox], world.todos[mailbox]]

    def _moved(self) -> Iterator[tuple[str, Family]]:
        """Where something happened since the last time, whoever did it."""
        world = self._world
        sides = {Family.PEOPLE: world.mailboxes, Family.CALENDAR: world.calendars, Family.TASKS: world.todos}
        for family, boxes in sides.items():
            for mailbox, box in boxes.items():
                before, now = self._seen.get((mailbox, family), 0), len(box.log)
                self._seen[mailbox, family] = now
                if now > before:
                    yield mailbox, family

    def _live(self, mailbox: str, family: Family) -> bool:
        """Is there one, and does its secret speak of this mailbox and family?"""
        mine = [each for each in self.there.values() if (each.mailbox, each.place.family) == (mailbox, family)]
        if any(told_by(each.state, self._world.keys) != (mailbox, family) for each in mine):
            raise AssertionError("a secret that speaks of something else")
        return bool(mine)


@dataclass(frozen=True, slots=True)
class MemoryWatcher:
    """A `sync.watching.Watcher`. Calls may meet the process's accident like all others."""

    server: Subscriptions
    world: World
    mailbox: str
    made_for: str = "here"
    lists: bool = True

    def lists_of(self, cursor: str) -> Sequence[str]:
        return ["list"] if cursor else []

    async def create(self, place: Place, until: datetime, state: str) -> Watch | Failure:
        if failure := await self._before():
            return failure
        if self.server.happens(REFUSED):
            return Failure(self.server._dice.choice([400, 403, 503]))
        granted = self.server.granted(until)
        id_ = self.server.made(Subscription(self.mailbox, place, granted, state))
        return await self._after(Watch(place, id_, granted.isoformat(timespec="seconds")))

    async def renew(self, watch: Watch, until: datetime) -> Watch | Failure:
        if failure := await self._before():
            return failure
        found = self.server.there.get(watch.id)
        if found is None or found.until <= self.world.now():
            return Failure(404)
        if self.server.happens(REFUSED):
            return Failure(503)
        granted = self.server.granted(until)
        self.server.there[watch.id] = replace(found, until=granted)
        return await self._after(replace(watch, until=granted.isoformat(timespec="seconds")))

    async def drop(self, watch: Watch) -> None:
        if not await self._before():
            self.server.there.pop(watch.id, None)
            await self.world._wire("after", "mailbox subscription")

    async def _before(self) -> Failure | None:
        what = await self.world._wire("before", "mailbox subscription")
        return Failure(429 if what == "busy" else 503) if what else None

    async def _after(self, watch: Watch) -> Watch | Failure:
        return Failure(0) if await self.world._wire("after", "mailbox subscription") else watch
