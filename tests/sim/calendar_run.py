"""One calendar story per seed: see tests/sim/run.py, which plays them after the stories of people."""

from __future__ import annotations

import json
import random

from sync.model import Family
from tests.sim.calendar_properties import calendar_violations
from tests.sim.calendar_story import CalendarStory
from tests.sim.rotating import may_rotate
from tests.sim.watching import written_first
from tests.sim.world import World, accident

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
ROUNDS = 2


async def play_calendar(seed: int, world: World | None = None) -> list[str]:
    """One story; what is wrong at the end."""
    dice = random.Random(seed)
    world = world or World(USERS, family=Family.CALENDAR).watched(seed)
    story = CalendarStory(world, dice)
    await world.connect()
    story.act(dice.randrange(0, 10))
    story.connected()
    await world.attempt(accident(dice, 120) if dice.random() < 0.3 else None)
    found = [
        f"the first run wrote to {c.id}" for c in world.calendars.values() if written_first(c, world.subscriptions)
    ]
    for number in range(ROUNDS):
        await world.settle(4)
        may_rotate(world, seed, number)
        story.settled()
        story.act(dice.randrange(1, 8))
        if dice.random() < 0.1:
            for calendar in world.calendars.values():
                calendar.forgotten = len(calendar.log) + 1
        await world.attempt(accident(dice, 90))
        if dice.random() < 0.5:
            story.act(dice.randrange(0, 3))
            await world.attempt(accident(dice, 120))  # what is made in two steps, a series of the CRM, is made now
    last = await world.settle(8)
    return found + await calendar_violations(story, last)


def dumped(world: World) -> str:
    """Everything there is, for a person who looks into a seed."""
    records = {r.id: [r.owner, r.deleted, r.fields] for r in world.crm.records.values()}
    events = {
        e.id: [e.rule, e.deleted, e.fields, e.changed, sorted(e.cancelled)]
        for c in world.calendars.values()
        for e in c.events.values()
    }
    return json.dumps({"crm": records, "events": events}, indent=1)
