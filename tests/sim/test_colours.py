"""Categories of resources get their colours before events carry them; where that is not permitted everything else goes on (SPEC 5.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mapping.people import AddressBook
from sync.errors import Cause, RetryLater
from sync.model import Family, Kind
from tests.sim.test_meetings import CAR, USERS, WHEN, shown
from tests.sim.world import World

TAG = "Auto aziendale"
COLOURS = {TAG: "preset7", f"{TAG} ✗": "preset12", "Furgone": "preset1", "Furgone ✗": "preset12"}


class Office(World):
    """Two connected users, a car and a van."""

    def book(self) -> AddressBook:
        return replace(super().book(), colours=COLOURS)


@pytest.fixture
async def world() -> Office:
    world = Office(USERS, family=Family.CALENDAR)
    world.crm.people |= {CAR: "auto@x.example"}
    world.users = {user: USERS[user] for user in ("19x1", "19x2")}
    await world.connect()
    await world.settle(2)
    world.things = {CAR: TAG, "19x8": "Furgone"}
    return world


def book_car(world: Office, **fields: str) -> None:
    event = world.crm.add(Kind.EVENT, "19x1", {"subject": "giro", "when": WHEN, **fields})
    world.crm.invite(event.id, **{CAR: "none", "19x2": "none"})


async def test_only_the_categories_that_are_used_there(world: Office) -> None:
    book_car(world)
    await world.settle(5)
    for mailbox in ("mailbox-1", "mailbox-2"):
        assert world.calendars[mailbox].master == {TAG: "preset7"}
    assert world.calendars["mailbox-3"].master == {}


async def test_the_colour_comes_first_and_once_per_run(world: Office) -> None:
    for n in range(7):  # three batches
        book_car(world, subject=f"giro {n}", when=WHEN.replace("12-01", f"12-0{n + 1}"))
    done = await world.attempt()
    calls = [operation for operation in done.trace if operation in {"calendar colour", "calendar New"}]
    assert calls[0] == "calendar colour"
    assert calls.count("calendar New") == 7
    assert calls.count("calendar colour") == 2, "one per mailbox"


async def test_a_permission_that_is_missing_is_told_and_stops_nothing(world: Office) -> None:
    world.calendars["mailbox-1"].may_colour = False
    book_car(world)
    await world.settle(1)
    row = await world.registry.mailbox("mailbox-1")
    assert row is not None
    assert (row.state, row.cause) == ("ok", Cause.CATEGORIES_WITHOUT_COLOUR)
    await world.settle(4)
    assert [event.categories for n in (1, 2) for event in shown(world, n)] == [{TAG}] * 2
    assert (world.calendars["mailbox-1"].master, world.calendars["mailbox-2"].master) == ({}, {TAG: "preset7"})


async def test_a_server_that_asks_for_patience_at_the_colours_leaves_no_creation_open(world: Office) -> None:
    calendar = world.calendars["mailbox-1"]
    usual = calendar.wire

    async def busy(moment: str, operation: str) -> str:
        if operation.endswith("colour"):
            calendar.wire = usual
            raise RetryLater(Cause.GRAPH_THROTTLED, 1.0, counts=False)
        return await usual(moment, operation)

    calendar.wire = busy
    book_car(world)
    await world.tick()
    assert shown(world, 1) == []
    await world.runs(world.worker())
    assert len(shown(world, 1)) == 1, "no time passed: nothing had been announced"
