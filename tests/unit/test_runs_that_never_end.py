"""Runs that start and never end (SPEC 4.3, DESIGN 6): after three of them that mailbox is stopped, and nobody else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync import commands
from sync.model import Kind
from sync.sides.base import Mailbox
from sync.status import mailboxes, status
from sync.store.mailboxes import LEASE
from sync.tick import run_one
from tests.contract.api_world import Sides, worker_of
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World


class Death(BaseException):
    """The process ends here: nothing that comes after is done."""


class Deadly(Sides):
    """Whoever opens this mailbox dies, while `deadly`. `deaths`: how many did."""

    deadly, deaths = True, 0

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        if mailbox == ANNAS and self.deadly:
            self.deaths += 1
            raise Death
        return await super().mailbox(mailbox, folder)


async def test_three_runs_without_an_end_stop_that_mailbox_alone() -> None:
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
        world.crm.add(Kind.CONTACT, user, {"lastname": f"Rossi {user}"})
    sides = Deadly(world)
    worker = replace(worker_of(world), sides=sides)
    for begun in (1, 2, 3):
        with pytest.raises(Death):
            await run_one(world.connector, worker, ANNAS)
        row = await world.mailbox()
        assert (row.state, row.starts) == ("ok", begun)
        world.time += LEASE
    assert await run_one(world.connector, worker, ANNAS) is None
    assert await run_one(world.connector, worker, ANNAS) is None
    assert await run_one(world.connector, worker, BRUNOS) is not None
    shown = await status(world.connector, "")
    assert shown.state == "running"
    assert shown.mailboxes.trouble == (ANNAS,)
    assert {each.mailbox: (each.state, each.cause) for each in await mailboxes(world.connector, "", 9)} == {
        ANNAS: ("error", "runs_never_end"),
        BRUNOS: ("ok", ""),
    }
    assert sides.deaths == 3
    assert [len(world.cards[mailbox].cards) for mailbox in (ANNAS, BRUNOS)] == [0, 1]
    sides.deadly = False
    assert (await commands.restore_state(world.connector, "admin")).ok
    assert await run_one(world.connector, worker, ANNAS) is not None
    row = await world.mailbox()
    assert (row.state, row.cause, row.starts) == ("ok", "", 0)
    assert len(world.cards[ANNAS].cards) == 1


async def test_a_run_that_ends_forgets_those_that_did_not() -> None:
    world = World()
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    sides = Deadly(world)
    worker = replace(worker_of(world), sides=sides)
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(Death):
                await run_one(world.connector, worker, ANNAS)
            world.time += LEASE
        sides.deadly = False
        assert await run_one(world.connector, worker, ANNAS) is not None
        sides.deadly = True
    assert ((await world.mailbox()).state, sides.deaths) == ("ok", 6)
