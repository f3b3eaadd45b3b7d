"""What takes minutes stands in nobody's way: it has a queue of its own, and what takes longer than was thought goes on there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from control.app import QUICK
from control.queue import RunMessage
from sync import commands
from sync.agenda import is_long
from sync.connector import CONTINUED, HINT, Connector
from sync.errors import Cause
from sync.model import Family
from sync.progress import Progress, write
from sync.run import Limits, Outcome
from sync.store.mailboxes import MailboxRow
from sync.tick import run_one, tick
from sync.worker import Worker
from tests.contract.api_world import Api
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, Sent, World

NIGHT = "2026-03-01T23:00:00+00:00"
COMPARED = {Family.PEOPLE: Progress(NIGHT), Family.CALENDAR: Progress(NIGHT)}


@dataclass
class Office:
    """Anna's mailbox was compared; `queue` and `fills` are two."""

    world: World
    connector: Connector
    queue: Sent
    fills: Sent

    def sent(self) -> tuple[list[str], list[str]]:
        """Whose messages, in either queue."""
        return self.queue.take(), self.fills.take()


@pytest.fixture
async def office() -> Office:
    world, fills = World(), Sent()
    connector = replace(world.connector, fills=fills)
    await commands.change_user(connector, ANNA, {"enabled": True})
    assert (world.queue.take(), fills.take()) == ([], [ANNAS])
    await world.registry.change_mailbox(
        ANNAS, full=False, dirty=False, queued_until="", queued_since="", progress=write(COMPARED)
    )
    return Office(world, connector, world.queue, fills)


@pytest.mark.parametrize(
    ("columns", "long"),
    [
        ({}, False),
        ({"dirty": True, "hints": "people", "starts": 1}, False),
        ({"progress": ""}, True),
        ({"full": True}, True),
        ({"clearing": "leave"}, True),
        ({"progress": write({**COMPARED, Family.CALENDAR: Progress("")})}, True),
        ({"progress": write({**COMPARED, Family.PEOPLE: Progress(NIGHT, 9000, 400)})}, True),
        ({"progress": write({**COMPARED, Family.TASKS: Progress(cause=Cause.TASKS_NOT_PERMITTED.value)})}, False),
    ],
)
def test_what_takes_minutes(columns: dict[str, object], long: bool) -> None:
    assert is_long(MailboxRow("m", "19x1", **{"progress": write(COMPARED), **columns})) is long  # type: ignore[arg-type]


async def test_an_edit_never_waits_behind_first_fills(office: Office) -> None:
    """They used to share the places of one queue: with ten of them an edit waited until slices of four minutes ended."""
    filled = [f"0000000{n}-0000-4000-8000-00000000000f" for n in range(10)]
    for mailbox in filled:
        await office.world.registry.change_mailbox(mailbox, user="19x9", full=True, dirty=True)
    await office.connector.enqueue(filled, "connected")
    await office.connector.hint({ANNAS: {Family.PEOPLE}})
    assert office.sent() == ([ANNAS], filled)


async def test_a_tick_and_a_sweep_that_was_asked_for_know_the_two_apart(office: Office) -> None:
    await commands.change_user(office.connector, BRUNO, {"enabled": True})
    await office.world.registry.spent(BRUNOS)
    office.sent()
    await office.world.registry.note(ANNAS, {Family.PEOPLE})
    assert (await tick(office.connector, "timer")).queued == 2
    assert office.sent() == ([ANNAS], [BRUNOS])
    await commands.run(office.connector)
    assert office.sent() == ([""], [])


@dataclass
class Runner:
    """A worker whose run ends so; meanwhile there is a hint."""

    office: Office
    outcome: Outcome | None

    async def run(self, mailbox: str, *, polls: bool = True) -> Outcome | None:
        dirty = self.outcome is not None and self.outcome.unfinished
        await self.office.world.registry.change_mailbox(mailbox, hints="people", dirty=dirty)
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "queue", "fills"),
    [
        (Outcome(unfinished=True), [], [(ANNAS, CONTINUED, 0)]),
        (Outcome(), [(ANNAS, HINT, 0)], []),
        (None, [(ANNAS, HINT, 0)], []),
    ],
)
async def test_what_a_slice_left_undone_goes_on_among_what_takes_minutes(
    office: Office, outcome: Outcome | None, queue: list[object], fills: list[object]
) -> None:
    await run_one(office.connector, Runner(office, outcome), ANNAS, HINT)  # type: ignore[arg-type]
    assert (office.queue.messages, office.fills.messages) == (queue, fills)


async def test_a_first_fill_that_lost_its_lease_goes_on_there_too(office: Office) -> None:
    await office.world.registry.change_mailbox(ANNAS, progress=write({Family.PEOPLE: Progress("", 5000, 200)}))
    await run_one(office.connector, Runner(office, None), ANNAS, CONTINUED)  # type: ignore[arg-type]
    assert office.sent() == ([], [ANNAS])


@dataclass(frozen=True, slots=True)
class Noting(Worker):
    """Notes how long its slices may be."""

    async def run(self, mailbox: str, *, polls: bool = True) -> Outcome | None:
        slices.append(self.limits.slice)
        return None


slices: list[timedelta] = []


@pytest.mark.parametrize(
    ("given", "quick"), [(timedelta(minutes=4), QUICK), (timedelta(seconds=5), timedelta(seconds=5))]
)
async def test_a_slice_that_stands_in_the_way_of_edits_is_short(
    office: Office, given: timedelta, quick: timedelta
) -> None:
    api = Api(office.world)
    w = api.app.worker
    noting = Noting(w.registry, w.board, w.keys, w.sides, w.setup, w.now, w.new_id, Limits(slice=given))
    app = replace(api.app, worker=noting)
    slices.clear()
    await app.ran(RunMessage(ANNAS, HINT))
    await app.filled(RunMessage(ANNAS, CONTINUED))
    assert slices == [quick, given]
