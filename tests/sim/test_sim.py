"""A few hundred seeds in every test run; `make sim` plays thousands."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim.calendar_points import CALENDAR_SCENARIOS, every_calendar_point
from tests.sim.calendar_points import Act as CalendarAct
from tests.sim.calendar_run import play_calendar
from tests.sim.plants import CALENDAR_PLANTS, PLANTS
from tests.sim.points import SCENARIOS, Act, every_point
from tests.sim.run import play

SEEDS = 400
BLOCK = 50


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BLOCK) if (found := asyncio.run(play(seed)))}
    assert wrong == {}


@pytest.mark.parametrize("act", SCENARIOS, ids=lambda act: act.__name__)
def test_crash_points(act: Act) -> None:
    """Every third point here; `make sim` takes every one."""
    assert asyncio.run(every_point(act, ("crash-before", "lose"), step=3)) == []


@pytest.mark.parametrize("name", PLANTS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    for seed in range(500):
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
    assert asyncio.run(every_calendar_point(act, ("crash-before", "lose"), step=4)) == []


@pytest.mark.parametrize("name", CALENDAR_PLANTS)
def test_a_bug_planted_in_calendars_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in CALENDAR_PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    for seed in range(500):
        try:
            if asyncio.run(play_calendar(seed)):
                return
        except Exception:
            return
    pytest.fail("500 seeds did not notice it")
