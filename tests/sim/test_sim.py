"""A few hundred seeds in every test run, and a sample of the crash points of each scenario, each with an offset of its own.

`make sim` plays thousands of seeds and every crash point.
"""

from __future__ import annotations

import asyncio

import pytest

from sync.model import Family
from tests.sampling import offset
from tests.sim.calendar_points import CALENDAR_SCENARIOS, every_calendar_point
from tests.sim.calendar_points import Act as CalendarAct
from tests.sim.calendar_run import play_calendar
from tests.sim.meeting_points import MEETING_SCENARIOS, every_meeting_point
from tests.sim.meeting_points import Act as MeetingAct
from tests.sim.meeting_run import play_meetings
from tests.sim.plants import CALENDAR_PLANTS, FIRST_SEED, MEETING_PLANTS, PLANTS, SERIES_PLANT
from tests.sim.points import SCENARIOS, Act, every_point
from tests.sim.run import play
from tests.sim.world import Accident, World

SEEDS = 200
BLOCK = 50


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BLOCK) if (found := asyncio.run(play(seed)))}
    assert wrong == {}


@pytest.mark.parametrize("act", SCENARIOS, ids=lambda act: act.__name__)
def test_crash_points(act: Act) -> None:
    """Every ninth point here; `make sim` takes every one."""
    first = 1 + offset(act.__name__, 9)
    assert asyncio.run(every_point(act, ("crash-before", "lose"), step=9, first=first)) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    first = FIRST_SEED.get(name, 0)
    for seed in range(first, first + 500):
        try:
            if asyncio.run(play(seed)):
                return
        except Exception:
            return
    pytest.fail("500 seeds did not notice it")


# Calendars ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_calendar_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BLOCK) if (found := asyncio.run(play_calendar(seed)))}
    assert wrong == {}


@pytest.mark.parametrize("act", CALENDAR_SCENARIOS, ids=lambda act: act.__name__)
def test_calendar_crash_points(act: CalendarAct) -> None:
    """Every ninth point here; `make sim` takes every one."""
    first = 1 + offset(act.__name__, 9)
    assert asyncio.run(every_calendar_point(act, ("crash-before", "lose"), step=9, first=first)) == []


@pytest.mark.parametrize("name", CALENDAR_PLANTS)
def test_a_bug_planted_in_calendars_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in CALENDAR_PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    first = FIRST_SEED.get(name, 0)
    for seed in range(first, first + 500):
        try:
            if asyncio.run(play_calendar(seed)):
                return
        except Exception:
            return
    pytest.fail("500 seeds did not notice it")


async def _series_points() -> list[tuple[str, int, int]]:
    """A series of the CRM is written to the mailbox in its second run: crashes at every operation of that one, and what came of it."""
    wrong: list[tuple[str, int, int]] = []
    for number in range(1, 60):
        world = World({"19x1": "mailbox-a"}, family=Family.CALENDAR)
        await world.connect()
        await world.settle(2)
        world.crm.add_series(
            "19x1", {"subject": "s"}, [f"2026-12-{d:02d}T09:00Z/2026-12-{d:02d}T10:00Z" for d in (1, 8, 15)]
        )
        await world.attempt()
        trace = (await world.attempt(Accident(number, "crash-after"))).trace
        await world.settle(6)
        records = sum(1 for record in world.crm.records.values() if not record.deleted)
        series = sum(1 for event in world.calendars["mailbox-a"].events.values() if not event.deleted)
        if (records, series) != (3, 1):
            wrong.append((trace[-1], records, series))
    return wrong


async def test_a_series_of_the_crm_survives_a_crash_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _series_points() == []
    for where, attribute, bug in SERIES_PLANT:
        monkeypatch.setattr(where, attribute, bug)
    assert await _series_points() != []


# Meetings -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", MEETING_SCENARIOS, ids=lambda act: act.__name__)
def test_meeting_crash_points(act: MeetingAct) -> None:
    """Every 29th point here; `make sim` takes every one."""
    first = 1 + offset(act.__name__, 29)
    assert asyncio.run(every_meeting_point(act, ("crash-before", "lose"), step=29, first=first)) == []


@pytest.mark.parametrize("name", MEETING_PLANTS)
def test_a_bug_planted_in_meetings_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in MEETING_PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    first = FIRST_SEED.get(name, 0)
    for seed in range(first, first + 500):
        try:
            if asyncio.run(play_meetings(seed)):
                return
        except Exception:
            return
    pytest.fail("500 seeds did not notice it")


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_meeting_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + 25) if (found := asyncio.run(play_meetings(seed)))}
    assert wrong == {}
