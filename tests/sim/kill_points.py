"""An admin presses Kill at every operation of a run that has all four kinds to do; after Restore state it goes on from there (SPEC 4.1, 4.2).

Compared with the same work undisturbed: both sides say the same, nothing is lost, nothing doubled, not one mail more; and once Kill has answered
nothing more is written than what was on its way.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sync import commands
from sync.connector import Connector
from sync.model import Family, Kind
from tests.sim.world import Accident, Crash, Process, World, _let_go, address_of, copied

USERS = {"19x1": "mailbox-a", "19x2": "mailbox-b"}
A, B = (address_of(mailbox) for mailbox in USERS.values())
WEEKS = [f"2026-12-{day:02d}T14:00Z/2026-12-{day:02d}T15:00Z" for day in (3, 10, 17)]
MONDAYS = [f"2026-12-{day:02d}T09:00Z/2026-12-{day:02d}T10:00Z" for day in (7, 14, 21)]
DATES = {"date_start": "2026-12-01", "due_date": "2026-12-03", "taskstatus": "Not Started"}
NOT_SEEN = frozenset({"uid", "slot", "recurring"})


@dataclass
class Killing(Process):
    """A process during whose n-th operation an admin presses Kill. `at_kill`: what had been written when Kill answered."""

    world: World | None = None
    at: int = 0
    at_kill: int = -1
    order: asyncio.Task[None] | None = None

    def step(self, moment: str, operation: str) -> str:
        answer = super().step(moment, operation)
        if self.world and moment == "before" and self.operations == self.at and self.order is None:
            self.order = asyncio.ensure_future(self._kill(self.world))
        return answer

    async def _kill(self, world: World) -> None:
        await commands.kill(_office(world), "admin")
        self.at_kill = world.writes


def _office(world: World) -> Connector:
    """What Kill needs of it: the rows."""
    nobody = (None,) * 7
    settings, users, groups, outside, queue, fills, audit = nobody
    return Connector(
        world.registry, world.board, settings, users, groups, outside, queue, fills, audit, (), world.now, world.new_id
    )  # type: ignore[arg-type]


async def begun() -> World:
    """Two users with something of every kind, settled; then a day's work on both sides."""
    world = World(USERS, None, Family.PEOPLE, Family.CALENDAR, Family.TASKS)
    await world.connect()
    for number, owner in enumerate(USERS):
        world.crm.add(Kind.CONTACT, owner, {"firstname": "Anna", "lastname": f"Rossi {number}", "title": f"s{number}"})
    world.crm.add(Kind.COMPANY, "19x1", {"accountname": "Acme", "description": "s3"})
    calendar, todo = world.calendars["mailbox-a"], world.todos["mailbox-a"]
    event = calendar.add({"subject": "m1", "when": WEEKS[0]}, guests=[B])
    series = calendar.add({"subject": "m2", "when": WEEKS[1]}, rule="FREQ=WEEKLY;INTERVAL=1;BYDAY=TH;WKST=MO;COUNT=4")
    task = todo.add({"title": "t1"})
    world.crm.add(Kind.TASK, "19x2", {"subject": "t2", **DATES})
    await world.settle(4)
    _work(world)
    calendar.edit(event.id, location="Sala 1")
    calendar.edit_occurrence(series.id, "2026-12-17", subject="m2 anders")
    todo.edit(task.item_id, status="completed")
    return world


def _work(world: World) -> None:
    crm, mailbox = world.crm, world.mailboxes["mailbox-b"]
    records = {
        record.fields.get("title") or record.fields.get("description"): record for record in crm.records.values()
    }
    crm.edit(records["s0"].id, mobile="333")
    crm.delete(records["s1"].id)
    crm.edit(records["s3"].id, accountname="Acme due")
    crm.add(Kind.CONTACT, "19x2", {"firstname": "Bruno", "lastname": "Verdi", "title": "s5"})
    mailbox.add({"givenName": "Carla", "surname": "Neri", "emailAddresses": ("s6@x.example",), "jobTitle": "s6"})
    mailbox.add({"companyName": "Beta", "personalNotes": "s7"})
    meeting = crm.add(Kind.EVENT, "19x1", {"subject": "m3", "when": "2026-12-04T09:00Z/2026-12-04T10:00Z"})
    crm.invite(meeting.id, **{"19x2": "none"})
    crm.add_series("19x2", {"subject": "m4"}, MONDAYS)
    world.calendars["mailbox-b"].add({"subject": "m5", "when": "2026-12-08T09:00Z/2026-12-08T10:00Z"})
    crm.add(Kind.TASK, "19x1", {"subject": "t3", **DATES})
    crm.add(Kind.TASK, "19x2", {"subject": "t5", **DATES})
    world.todos["mailbox-b"].add({"title": "t4"})


def picture(world: World) -> Counter[str]:
    """What people see on both sides, whatever the ids."""
    seen: Counter[str] = Counter()
    for record in world.crm.records.values():
        if not record.deleted:
            fields = {name: value for name, value in record.fields.items() if value and name not in NOT_SEEN}
            fields.pop("account_id", None)
            seen[f"crm {record.kind} {record.owner} {sorted(fields.items())} {sorted(record.invitees.items())}"] += 1
    for name, box in world.mailboxes.items():
        for card in box.cards.values():
            if card.place == "folder":
                seen[f"{name} card {sorted((k, v) for k, v in card.fields.items() if v)}"] += 1
    for name, calendar in world.calendars.items():
        for event in calendar.events.values():
            if not event.deleted and not event.called_off:
                told = (
                    event.fields["subject"],
                    event.fields["when"],
                    event.rule,
                    event.response,
                    event.fields["location"],
                )
                guests = sorted((guest.address, guest.response) for guest in event.guests.values())
                seen[f"{name} event {told} {guests} {sorted(event.changed.items())}"] += 1
    for name, todo in world.todos.items():
        for task in todo.tasks.values():
            if not task.deleted:
                seen[f"{name} task {task.fields['title']} {task.fields['status']}"] += 1
    return seen


async def played(start: World, at: int, crash: bool = False) -> tuple[World, Killing, list[str]]:
    """The work, with Kill (or kill -9: `crash`) at the operation `at` (0 = never); and what is wrong."""
    world = copied(start)
    process = world.process = Killing(world=world if at and not crash else None, at=at)
    process.accident = Accident(at, "crash-before") if crash else None
    try:
        await world.tick()
    except Crash:
        world.time += timedelta(minutes=2)  # the lease of the dead runs out
    except BaseExceptionGroup as group:
        if group.subgroup(lambda error: not isinstance(error, Crash)):
            raise
    if process.order:
        await process.order
    await _let_go()
    after, world.process = world.writes, Process()
    wrong = []
    on_the_way = world.limits.batch * (world.limits.workers + 1)
    if process.order and after - process.at_kill > on_the_way:
        wrong.append(f"{after - process.at_kill} writes after Kill had answered")
    if process.order:
        silent = await world.settle(1)
        wrong += [f"{silent} writes while killed"] if silent else []
        await world.board.enter("running", world.now(), by="admin")
        await world.restore()
    last = await world.settle(8)
    wrong += [f"the last run wrote {last} times"] if last else []
    return world, process, wrong


async def every_kill_point(step: int = 1, first: int = 1, crash: bool = False) -> list[str]:
    """Kill, or kill -9, at every operation (or every `step`-th)."""
    start = await begun()
    quiet, process, found = await played(start, 0)
    usual = picture(quiet)
    for at in range(first, process.operations + 1, step):
        world, _, wrong = await played(start, at, crash)
        now = picture(world)
        wrong += [f"missing: {what}" for what in usual - now] + [f"different: {what}" for what in now - usual]
        more = len(world.office.mails) - len(quiet.office.mails)
        wrong += [f"{more} mails more"] if more > 0 else []
        found += [f"{'crash' if crash else 'kill'} at {at}: {message}" for message in wrong]
    return found
