"""After thirty days nothing is left of a removed user; but who is connected in that very second stays, and a kill at any line is made good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from sync import commands
from sync.leaving import forget_removed
from sync.leaving_commands import remove_user
from sync.model import Family
from sync.settings_store import SettingsStore
from sync.store.base import Drop, Op, StoreUnreachable
from sync.store.board import BoardStore
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.users import Users
from tests.unit.control.world import ANNA, ANNAS, CONFIGURED, World
from tests.unit.test_leaving import CARDS, EVENT, link


class Interrupted(MemoryRows):
    """Something happens just before the first rows of a mailbox are dropped, and again before its own row is."""

    def __init__(self, happens: Callable[[str], Awaitable[object]]) -> None:
        super().__init__()
        self._happens, self.on = happens, False

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        if self.on and any(isinstance(op, Drop) for op in ops):
            self.on = False
            await self._happens(partition)
            self.on = True
        return await super().transact(partition, ops)


@pytest.mark.parametrize("moment", [f"{ANNAS}|", "mailboxes"])
async def test_who_is_connected_while_the_rest_is_forgotten_stays_connected(moment: str) -> None:
    world, done = World(), []

    async def enable(partition: str) -> None:
        if partition.startswith(moment) and not done:
            done.append(partition)
            await commands.change_user(world.connector, ANNA, {"enabled": True})

    rows = Interrupted(enable)
    world.rows = rows
    world.registry, world.users, world.board = Registry(rows), Users(rows, world.keys), BoardStore(rows)
    world.settings = SettingsStore(rows, world.keys, CONFIGURED)
    world.connector = replace(
        world.connector, registry=world.registry, users=world.users, board=world.board, settings=world.settings
    )
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
    world.pass_time(31 * 24 * 60)
    rows.on = True
    await forget_removed(world.connector)
    rows.on = False
    assert done
    row = await world.mailbox()
    assert (row.user, row.enabled, row.state, row.has_left, row.holder) == (ANNA, True, "ok", False, "")
    assert row.dirty


async def test_what_is_forgotten_half_is_forgotten_wholly_by_the_next() -> None:
    """Killed at any line: the mailbox's row goes last, so that the rest is found again."""
    crashes = 0
    for line in range(40):
        world = World()
        await commands.change_user(world.connector, ANNA, {"enabled": True})
        await link(world, Family.PEOPLE, *CARDS)
        await link(world, Family.CALENDAR, EVENT)
        await remove_user(world.connector, ANNA, 0)
        await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
        world.pass_time(31 * 24 * 60)
        left = line

        def crash(operation: str) -> None:
            nonlocal left
            left -= operation == "transact"
            if left < 0:
                raise StoreUnreachable("killed")

        world.rows.before = crash
        try:
            await forget_removed(world.connector)
        except StoreUnreachable:
            crashes += 1
        world.rows.before = None
        world.pass_time(2)
        await forget_removed(world.connector)
        assert await world.registry.mailbox(ANNAS) is None
        assert not [each.partition for each in world.rows.everything() if each.partition.startswith(ANNAS)]
    assert 2 < crashes < 40


async def test_a_row_is_made_only_for_somebody() -> None:
    world = World()
    nobody = "0000000c-0000-4000-8000-000000000000"
    assert await world.registry.change_mailbox(nobody, dirty=True) is None
    assert await world.registry.mailbox(nobody) is None
    made = await world.registry.change_mailbox(nobody, user=ANNA)
    assert made is not None
    assert made.user == ANNA
