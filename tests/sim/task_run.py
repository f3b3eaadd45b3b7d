"""One story of tasks per seed: see tests/sim/run.py, which plays them after the others."""

from __future__ import annotations

import json
import random

from tests.sim.rotating import may_rotate
from tests.sim.task_properties import task_violations
from tests.sim.task_story import TaskStory, task_world
from tests.sim.watching import written_first
from tests.sim.world import World, accident

ROUNDS = 2


async def play_tasks(seed: int, world: World | None = None) -> list[str]:
    """One story; what is wrong at the end."""
    dice = random.Random(seed)
    world = world or task_world().watched(seed)
    story = TaskStory(world, dice)
    await world.connect()
    story.act(dice.randrange(0, 12))
    story.connected()
    await world.attempt(accident(dice, 120) if dice.random() < 0.3 else None)
    found = [f"the first run wrote to {t.id}" for t in world.todos.values() if written_first(t, world.subscriptions)]
    for number in range(ROUNDS):
        await world.settle(4)
        may_rotate(world, seed, number)
        story.settled()
        story.act(dice.randrange(1, 10))
        if dice.random() < 0.1:
            for todo in world.todos.values():
                todo.forgotten = len(todo.log) + 1
        await world.attempt(accident(dice, 120))
        if dice.random() < 0.3:
            story.act(dice.randrange(1, 4))
            await world.attempt(accident(dice, 60))
    last = await world.settle(6)
    return found + await task_violations(story, last)


def dumped(world: World) -> str:
    """Everything there is, for a person who looks into a seed."""
    records = {r.id: [r.owner, r.deleted, r.fields] for r in world.crm.records.values()}
    tasks = {t.item_id: [t.deleted, t.stamp, t.fields] for todo in world.todos.values() for t in todo.tasks.values()}
    return json.dumps({"crm": records, "tasks": tasks}, indent=1)
