"""What an engineer found who will inherit the code: two who act at once, a process that dies between two rows. Each in the smallest world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sync import commands
from sync.commands import NotNow
from sync.errors import Cause, StopConnector
from sync.store.board import BoardStore
from sync.store.registry import MailboxRow, Registry
from sync.tick import tick
from tests.unit.control.world import ANNAS, World
from tests.unit.test_leaving import world as _world

world = _world


class Interrupted(Registry):
    """Something happens just before the first change of a mailbox's row."""

    def __init__(self, world: World, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__(world.rows)
        self.happens: list[Callable[[], Awaitable[object]]] = [happens]

    async def change_mailbox(self, mailbox: str, **changes: object) -> MailboxRow:
        while self.happens:
            await self.happens.pop()()
        return await super().change_mailbox(mailbox, **changes)


# Kill and Restore state


async def test_a_kill_that_is_pressed_again_during_the_checks_of_restore_state_counts(world: World) -> None:
    await commands.kill(world.connector, "first")
    real = world.servers.check_mailboxes

    async def slow() -> None:
        await commands.kill(world.connector, "second")
        await real()

    world.servers.check_mailboxes = slow  # type: ignore[method-assign]
    with pytest.raises(NotNow, match="killed_meanwhile"):
        await commands.restore_state(world.connector, "me")
    board = await world.board.read()
    assert (board.state, board.by, board.restored_by) == ("killed", "first", "")


@pytest.mark.parametrize("before", ["error", "killed", "running"])
async def test_a_kill_while_restore_state_clears_errors_is_not_undone(world: World, before: str) -> None:
    await world.board.enter(before, world.now(), "secret_expired" if before == "error" else "")
    await world.registry.change_mailbox(ANNAS, state="error", cause="mailbox_full")
    world.queue.take()
    late = Interrupted(world, lambda: commands.kill(world.connector, "other"))
    with pytest.raises(NotNow, match="killed_meanwhile"):
        await commands.restore_state(replace(world.connector, registry=late), "me")
    assert not late.happens
    assert ((await world.board.read()).state, world.queue.take()) == ("killed", [])


async def test_a_failed_check_of_restore_state_does_not_hide_a_kill(world: World) -> None:
    """The Kill comes between the last look at the state and the note of what failed."""
    await world.board.enter("error", world.now(), "secret_expired")
    world.servers.graph_fails = StopConnector(Cause.CONSENT_MISSING)

    class Late(BoardStore):
        async def enter_error(self, cause: str, now: object, seen: int, by: str = "") -> object:  # type: ignore[override]
            await commands.kill(world.connector, "other")
            return await super().enter_error(cause, world.now(), seen, by)

    connector = replace(world.connector, board=Late(world.rows))
    assert not (await commands.restore_state(connector, "me")).ok
    board = await world.board.read()
    assert (board.state, board.cause, board.by) == ("killed", "", "other")


async def test_a_sweep_that_fails_after_a_kill_leaves_it_a_kill(world: World) -> None:
    async def killed() -> None:
        await commands.kill(world.connector, "boss")
        raise StopConnector(Cause.SECRET_EXPIRED)

    world.servers.check_mailboxes = killed  # type: ignore[method-assign]
    assert (await tick(world.connector, "timer")).state == "failed"
    board = await world.board.read()
    assert (board.state, board.cause, board.by) == ("killed", "", "boss")


@pytest.mark.parametrize("state", ["killed", "stopped"])
async def test_an_error_replaces_neither_a_kill_nor_a_stop(world: World, state: str) -> None:
    before = await world.board.enter(state, world.now(), "crm_unreachable" if state == "stopped" else "", "boss")
    assert await world.board.enter_error("secret_expired", world.now(), before.generation) == before
    assert await world.board.read() == before


async def test_an_error_of_an_earlier_generation_says_nothing_about_this_one(world: World) -> None:
    seen = (await world.board.read()).generation
    await world.board.touch()  # another secret was saved meanwhile
    await world.board.enter_error("secret_expired", world.now(), seen)
    assert (await world.board.read()).state == "running"
