"""Kill in the middle of a run that mixes all four kinds; every point in `make sim`."""

from __future__ import annotations

import pytest

from sync.model import Kind
from tests.sim.kill_points import begun, every_kill_point, picture, played


async def test_the_scenario_writes_all_four_kinds_on_both_sides() -> None:
    start = await begun()
    before = picture(start)
    world, process, wrong = await played(start, 0)
    assert wrong == []
    new = " ".join(picture(world) - before)
    for words in (
        *(f"crm {kind}" for kind in Kind),
        "-a card",
        "-b card",
        "-a event",
        "-b event",
        "-a task",
        "-b task",
    ):
        assert words in new, words
    assert process.operations > 100


@pytest.mark.parametrize("crash", [False, True])
async def test_a_kill_anywhere_only_delays(crash: bool) -> None:
    assert await every_kill_point(step=37, crash=crash) == []
