"""What was announced and never sent is taken back: a run that is stopped between the two leaves nothing that a later one waits for.

Each time an admin changes something, which ends runs under way, between the announcement and its call. No time passes until the next run: whoever
had to wait until it is certain that nothing was sent would do nothing yet.
"""

from __future__ import annotations

import pytest

from sync.clearing_tools import UNDO
from sync.store.base import Insert, Op, Put
from tests.interrupting import once_written
from tests.sim.mapping_for_tests import translators
from tests.sim.test_calendar_found import forming_series
from tests.sim.test_clearing import BORN, OURS, OWN, left, row_of, titles, undo
from tests.sim.test_clearing import office as mailbox_to_clear
from tests.sim.test_meetings import WHEN, box, mails
from tests.sim.test_meetings import office as meetings
from tests.sim.test_restoring_events import (
    AS_IT_WAS,
    STRANGER,
    cut_series,
    deleted_event,
    living,
    order,
    shown,
    subjects,
)
from tests.sim.test_strangers import ELENA, contacts
from tests.sim.world import World


def put(op: Op, prefix: str, **data: bool) -> bool:
    """Is it a row that begins so and has, or has not, these columns?"""
    stored = op.data if isinstance(op, Put | Insert) and op.key.startswith(prefix) else None
    return stored is not None and all(bool(stored.get(name)) is there for name, there in data.items())


class Stopped:
    """A world in which runs under way are ended once such a row is written."""

    def __init__(self, world: World, prefix: str, **data: bool) -> None:
        self.world, self.moved = world, False
        once_written(world.rows, lambda op: put(op, prefix, **data), self._stop)

    async def _stop(self) -> None:
        self.moved = True
        await self.world.board.touch()

    async def tick(self) -> None:
        """A run is stopped, the next one follows at once."""
        await self.world.tick()
        assert self.moved
        await self.world.runs(self.world.worker())


async def test_cards_of_a_removal_that_is_taken_back() -> None:
    world = await mailbox_to_clear()
    await left(world)
    await undo(world)
    await Stopped(world, "i|").tick()
    while (await row_of(world)).clearing == UNDO and not (await row_of(world)).due_at:
        await world.runs(world.worker())
    assert titles(world) == sorted([*OURS, *BORN, *OWN])


async def test_a_series_of_the_crm() -> None:
    world = await forming_series()
    await Stopped(world, "i|crm|~").tick()
    events = [event for event in world.calendars["mailbox-a"].events.values() if not event.deleted]
    assert len(events) == 1


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_an_event_that_is_made_again(side: str) -> None:
    world, crm_id = await deleted_event(side)
    await order(world, crm_id)
    await Stopped(world, "o|", begun=True).tick()
    assert (len(shown(world)), len(living(world))) == (1, 1)


async def test_a_series_that_is_made_again() -> None:
    world, coming = await cut_series("2026-12-01", (STRANGER,))
    before = mails(world)
    await order(world, coming[0])
    await Stopped(world, "j|", nonce=True, made=False).tick()
    assert subjects(world) == AS_IT_WAS
    assert mails(world) - before <= 2


async def test_a_contact_for_a_stranger() -> None:
    world = await meetings()
    world.translators, world.create_strangers = translators(), True
    await world.settle(2)
    world.calendars["mailbox-1"].add({"subject": "m", "when": WHEN}, guests=[box(2), ELENA])
    await Stopped(world, world.keys.index(f"stranger|{ELENA}")).tick()
    assert [c.fields["email"] for c in contacts(world)] == [ELENA]
