"""Tasks: some hundred seeds in every test run; `make sim` plays thousands."""

from __future__ import annotations

import asyncio

import pytest

from tests.sampling import offset
from tests.sim.plants import FIRST_SEED, TASK_PLANTS
from tests.sim.task_points import TASK_SCENARIOS, Act, every_task_point
from tests.sim.task_run import play_tasks

SEEDS = 200
BLOCK = 50


@pytest.mark.parametrize("first", range(0, SEEDS, BLOCK))
def test_task_seeds(first: int) -> None:
    wrong = {seed: found for seed in range(first, first + BLOCK) if (found := asyncio.run(play_tasks(seed)))}
    assert wrong == {}


@pytest.mark.parametrize("act", TASK_SCENARIOS, ids=lambda act: act.__name__)
def test_task_crash_points(act: Act) -> None:
    """Every 13th point here; `make sim` takes every one."""
    first = 1 + offset(act.__name__, 13)
    assert asyncio.run(every_task_point(act, ("crash-before", "lose"), step=13, first=first)) == []


@pytest.mark.parametrize("name", TASK_PLANTS)
def test_a_bug_planted_in_tasks_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for where, attribute, bug in TASK_PLANTS[name]:
        monkeypatch.setattr(where, attribute, bug)
    first = FIRST_SEED.get(name, 0)
    for seed in range(first, first + 500):
        try:
            if asyncio.run(play_tasks(seed)):
                return
        except Exception:
            return
    pytest.fail("500 seeds did not notice it")
