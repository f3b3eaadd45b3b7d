"""One story of meetings per seed: `python -m tests.sim.meeting_run FIRST LAST` plays a range of them.

Every third story has narrow mail limits: what is held is approved at its end, and then everything must be as if it had never been held.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from dataclasses import replace
from datetime import timedelta

from sync.model import Family
from sync.policy import MailLimits
from tests.sim.meeting_properties import mails_of_engine, mails_uncharged, meeting_violations
from tests.sim.meeting_story import USERS, MeetingStory, furnished
from tests.sim.rotating import may_rotate
from tests.sim.watching import written_first
from tests.sim.world import World, accident

PLENTY, NARROW = MailLimits(10_000, 100_000, 100_000), MailLimits(2, 3, 4)
ROUNDS = 2
PATIENCE = timedelta(hours=25)
"""After a day a copy waits for its organizer no longer."""
USERS_OF = {mailbox: user for user, mailbox in USERS.items()}


async def play_meetings(seed: int, world: World | None = None) -> list[str]:
    """One story; what is wrong at the end."""
    dice = random.Random(seed)
    world = world or furnished(World(USERS, family=Family.CALENDAR)).watched(seed)
    world.mails = NARROW if seed % 3 == 0 else PLENTY
    story = MeetingStory(world, dice)
    waiting = dice.sample(sorted(USERS), dice.randrange(0, 3))  # connect in the course of the story
    story.late = set(waiting)
    world.users = {user: mailbox for user, mailbox in USERS.items() if user not in waiting}
    await world.connect()
    story.act(dice.randrange(0, 10))
    await world.attempt(accident(dice, 150) if dice.random() < 0.3 else None)
    story.exported.clear()  # what was there before the connection stays in the CRM
    found = [f"the first runs made {n} mails" for n in [mails_of_engine(world)] if n]
    for number in range(ROUNDS):
        await world.settle(5)
        may_rotate(world, seed, number)
        found += await mails_uncharged(story)
        world.time += timedelta(days=dice.choice([0, 0, 0, 1, 4]))
        world.office.late = dice.random() < 0.3
        story.act(dice.randrange(1, 8))
        found += await _comes_or_goes(story, waiting)
        if dice.random() < 0.1:
            for calendar in world.calendars.values():
                calendar.forgotten = len(calendar.log) + 1
        await world.attempt(accident(dice, 120))
        if dice.random() < 0.3:
            story.act(dice.randrange(1, 4))
            await world.attempt(accident(dice, 90))
        world.office.late = False
        world.office.deliver()
    last = await world.settle(12)
    found += await mails_uncharged(story)
    world.time += PATIENCE
    last += await world.settle(6)
    if world.mails is NARROW:
        found += await mails_uncharged(story)
        world.mails = replace(NARROW, day=PLENTY.day)
        story.approved = True
        last = await _approve_all(world)
    return found + await meeting_violations(story, last)


async def _comes_or_goes(story: MeetingStory, waiting: list[str]) -> list[str]:
    """Somebody connects, or is disconnected (and comes back with the next who connect). What is wrong with a first run."""
    world, dice = story.world, story.random
    for mailbox in set(USERS.values()) - set(world.users.values()):
        if world.calendars[mailbox].writes and USERS_OF[mailbox] not in story.left:
            return [f"written before it was connected: {mailbox}"]
    if waiting and dice.random() < 0.6:
        user = waiting.pop()
        world.users = {**world.users, user: USERS[user]}
        await world.connect()
        before = world.calendars[USERS[user]].writes
        if world.subscriptions:
            world.subscriptions.first.clear()
        await world.attempt()
        wrote = written_first(world.calendars[USERS[user]], world.subscriptions) - before
        return [f"the first run of {user} wrote {wrote}"] if wrote and user not in story.left else []
    if len(world.users) > 1 and dice.random() < 0.25:
        user = dice.choice(sorted(world.users))
        await world.registry.change_mailbox(world.users[user], enabled=False)
        world.users = {each: mailbox for each, mailbox in world.users.items() if each != user}
        story.late.add(user)
        story.left.add(user)
        waiting.append(user)
    return []


async def _approve_all(world: World) -> int:
    """An admin says yes to everything, again and again; the writes of the last tick."""
    last = 0
    for _ in range(8):
        for hold in await world.registry.holds():
            if hold.state == "open":
                await world.registry.put_hold(replace(hold, state="approved", until="2030-01-01"))
        await world.wake()
        last = await world.settle(5)
    return last


def dumped(world: World) -> str:
    """Everything there is, for a person who looks into a seed."""
    records = {r.id: [r.owner, r.deleted, r.invitees, r.fields] for r in world.crm.records.values()}
    events = {
        e.id: [e.rule, e.deleted, e.called_off, e.organizer, e.response, sorted(e.guests), e.fields, e.changed]
        for c in world.office.calendars.values()
        for e in c.events.values()
    }
    return json.dumps({"crm": records, "events": events}, indent=1)


def main(first: int, last: int) -> int:
    """Play the seeds; prints what is wrong, and how many seeds had something."""
    wrong = 0
    for seed in range(first, last):
        try:
            found = asyncio.run(play_meetings(seed))
        except Exception as error:
            found = [f"{type(error).__name__}: {error}"]
        if found:
            wrong += 1
            print(f"{seed}:", *found[:6], sep="\n  ", flush=True)
    print(f"{last - first} seeds of meetings, {wrong} with violations")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
