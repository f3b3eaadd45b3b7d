"""A run looks at the board before everything it writes (SPEC 4.2): here Kill reaches the board alone, and its lease is still good."""

from __future__ import annotations

from dataclasses import replace

from sync import commands
from sync.model import Kind
from sync.sides.base import Mailbox
from sync.tick import run_one
from tests.contract.api_world import Sides, worker_of
from tests.unit.control.world import ANNA, ANNAS, World


class Killed(Sides):
    """Somebody presses Kill when the mailbox is opened: after the run began, before its first batch. `kills`: how often still."""

    kills = 1

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        if self.kills:
            self.kills -= 1
            await self._world.board.enter("killed", self._world.now(), by="admin")
        return await super().mailbox(mailbox, folder)


async def test_a_run_that_still_holds_its_lease_writes_nothing_after_kill() -> None:
    world = World()
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Rossi"})
    sides = Killed(world)
    worker = replace(worker_of(world), sides=sides)
    await run_one(world.connector, worker, ANNAS)
    row = await world.mailbox()
    assert (sides.kills, row.holder, row.dirty) == (0, "", True)
    assert list(world.cards[ANNAS].cards) == []
    assert (await commands.restore_state(world.connector, "admin")).ok
    await run_one(world.connector, worker, ANNAS)
    assert len(world.cards[ANNAS].cards) == 1
