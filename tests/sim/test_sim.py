"""A few hundred seeds in every test run; `make sim` plays thousands."""

from __future__ import annotations

import asyncio

import pytest

from tests.sim.plants import PLANTS
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
