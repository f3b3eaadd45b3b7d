"""The seeded simulator: `python -m tests.sim.run --seeds 5000 [--first N] [--workers 2]`.

Each seed is four stories, of people, of calendars, of tasks and of meetings:
a first fill, people acting on both sides, one accident (a crash at a random operation, a refused call, a lost answer, a busy
server, a forgotten delta cursor), quiet ticks, then the properties. Prints every violation with its seed; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

from tests.sim.calendar_points import CALENDAR_SCENARIOS, every_calendar_point
from tests.sim.calendar_run import play_calendar
from tests.sim.kill_points import every_kill_point
from tests.sim.meeting_points import MEETING_SCENARIOS, every_meeting_point
from tests.sim.meeting_run import play_meetings
from tests.sim.points import SCENARIOS, every_point
from tests.sim.properties import violations
from tests.sim.rotating import may_rotate
from tests.sim.story import Story
from tests.sim.task_points import TASK_SCENARIOS, every_task_point
from tests.sim.task_run import play_tasks
from tests.sim.world import World, accident

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
ROUNDS = 2
REMAPS = 0.1
"""How often an admin changes the mapping while people act."""


async def play(seed: int, world: World | None = None) -> list[str]:
    """One story; what is wrong at the end. `world`: another than the one in memory (tests/whole)."""
    dice = random.Random(seed)
    world = world or World(USERS).watched(seed)
    story = Story(world, dice)
    admin = random.Random(f"admin {seed}")  # of their own: the stories of seeds without a remap stay what they were
    await world.connect()
    story.act(dice.randrange(0, 12))
    await world.attempt(accident(dice, 120) if dice.random() < 0.3 else None)
    for number in range(ROUNDS):
        await world.settle(3)
        may_rotate(world, seed, number)
        story.settled()
        story.act(dice.randrange(1, 10))
        if admin.random() < REMAPS:
            await story.remaps(admin)
        if dice.random() < 0.1:
            _forget_cursors(world)
        await world.attempt(accident(dice, 90))
        if dice.random() < 0.3:
            story.act(dice.randrange(1, 4))
            await world.attempt(accident(dice, 60))
    last = await world.settle(6)
    return await violations(story, last)


def _forget_cursors(world: World) -> None:
    for mailbox in world.mailboxes.values():
        mailbox.forgotten = len(mailbox.log) + 1


def play_many(seeds: range) -> list[tuple[str, list[str]]]:
    """Violations by seed, of a range of seeds: a story of people, one of calendars, one of tasks and one of meetings each."""
    found = []
    for seed in seeds:
        for name, tell in (
            ("people", play),
            ("calendar", play_calendar),
            ("tasks", play_tasks),
            ("meetings", play_meetings),
        ):
            try:
                wrong = asyncio.run(tell(seed))
            except Exception as error:
                wrong = [f"{type(error).__name__}: {error}"]
            if wrong:
                found.append((f"{name} {seed}", wrong))
    return found


POINTS: list[tuple[str, str, Callable[[], Coroutine[Any, Any, list[str]]]]] = [
    *((act.__name__, "people", partial(every_point, act)) for act in SCENARIOS),
    *((act.__name__, "calendar", partial(every_calendar_point, act)) for act in CALENDAR_SCENARIOS),
    *((act.__name__, "tasks", partial(every_task_point, act)) for act in TASK_SCENARIOS),
    *((act.__name__, "meetings", partial(every_meeting_point, act)) for act in MEETING_SCENARIOS),
    *((f"kill, part {part}", "all kinds", partial(every_kill_point, 4, part)) for part in range(1, 5)),
    *((f"kill -9, part {part}", "all kinds", partial(every_kill_point, 4, part, True)) for part in range(1, 5)),
]


def play_points(number: int) -> tuple[str, list[str]]:
    """Every crash point of one fixed scenario."""
    name, family, play = POINTS[number]
    return f"{name} ({family})", asyncio.run(play())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started = time.monotonic()
    last = options.first + options.seeds
    ranges = [range(first, min(first + 50, last)) for first in range(options.first, last, 50)]
    scenarios = len(POINTS)
    wrong = 0
    with ProcessPoolExecutor(options.workers) as pool:
        for number, found in enumerate(pool.map(play_many, ranges), 1):
            for seed, messages in found:
                wrong += 1
                print(f"{seed}:", *messages[:6], sep="\n  ", flush=True)
            if number % 10 == 0:
                seconds = time.monotonic() - started
                print(f"{number * 50} seeds, {wrong} with violations, {seconds:.0f} s", file=sys.stderr)
        told = f"{options.seeds} seeds of people, of calendars, of tasks and of meetings"
        print(f"{told}, {wrong} with violations, {time.monotonic() - started:.0f} s", flush=True)
        for name, messages in pool.map(play_points, range(scenarios)):
            wrong += len(messages)
            print(f"every crash point of {name}: {len(messages)} violations", *messages[:6], sep="\n  ", flush=True)
    print(
        f"{told} and {scenarios} scenarios at every crash point: {wrong} violations of the properties, {time.monotonic() - started:.0f} s"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
