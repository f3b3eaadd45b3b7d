"""What an engineer found who will inherit the code: two who act at once, a process that dies between two rows. Each in the smallest world."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sync import commands
from sync.commands import NotFound, NotNow
from sync.connecting import join
from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector
from sync.following import set_right
from sync.group_commands import change_group
from sync.leaving_commands import remove_user
from sync.model import Kind, Reason, Side
from sync.settings_commands import change_settings
from sync.sides.base import CrmUser, MailboxUser
from sync.store.asking import HoldRow
from sync.store.board import BoardStore
from sync.store.mailboxes import MailboxRow
from sync.store.registry import Registry
from sync.tick import tick
from tests.interrupting import Died, dies_at
from tests.sim.world import World as SimWorld
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, STAFF, World
from tests.unit.test_leaving import MANY
from tests.unit.test_leaving import world as _world

world = _world
CARLAS = "0000000c-0000-4000-8000-000000000000"


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
    await world.registry.spent(ANNAS)  # somebody is due
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


# a process that ends between a user's row and the mailbox's


async def in_order(world: World) -> None:
    """The rows say what the users say."""
    homes = {user.mailbox: user.id for user in await world.users.all() if user.connected}
    assert {row.id: row.user for row in await world.registry.mailboxes() if row.enabled} == homes


COMMANDS = [
    lambda world: commands.change_user(world.connector, ANNA, {"enabled": False}),
    lambda world: commands.part(world.connector, ANNA),
    lambda world: commands.change_user(world.connector, "19x7", {"mailbox": CARLAS, "enabled": True}),
    lambda world: commands.change_user(world.connector, ANNA, {"mailbox": CARLAS}),
    lambda world: remove_user(world.connector, ANNA, 0),
]


@pytest.mark.parametrize("at", range(2, 5))
@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("command", COMMANDS)
async def test_the_next_tick_or_the_same_command_again_sets_the_rows_right(
    world: World, command: Callable[[World], Awaitable[object]], again: bool, at: int
) -> None:
    world.servers.mailboxes["carla@acme.example"] = world.servers.mailboxes[CARLAS] = CARLAS
    await tick(world.connector, "timer")
    dies_at(world.rows, at)
    with contextlib.suppress(Died):  # some of them write less
        await command(world)
    world.rows.__dict__.pop("transact", None)
    if again:
        with contextlib.suppress(NotNow):  # what was ordered before it died is not ordered twice
            await command(world)
    else:
        await tick(world.connector, "timer")
    await in_order(world)
    generation = (await world.board.read()).generation
    await tick(world.connector, "timer")
    assert (await world.board.read()).generation == generation, "and once is enough"


async def test_signing_in_again_mends_a_row_that_did_not_follow(world: World) -> None:
    await world.registry.change_mailbox(ANNAS, enabled=False, user="19x7", last_run="2026-03-02T07:00:00+00:00")
    await join(world.connector, ANNA, MailboxUser(ANNAS, ()))
    await in_order(world)


async def test_the_mailbox_of_everybody_stays(world: World) -> None:
    await commands.change_user(world.connector, BRUNO, {"enabled": False})
    await change_settings(world.connector, {"contact_target": "admin", "admin_mailbox": BRUNOS, "admin_user": ANNA})
    before = await world.registry.mailboxes()
    assert await set_right(world.connector) == 0
    assert await world.registry.mailboxes() == before


async def test_a_run_of_a_mailbox_whose_user_was_disabled_asks_for_no_other_run() -> None:
    """The row has not followed yet: a run that marked it dirty was continued at once, for ever."""
    sim = SimWorld({"19x1": "mailbox-a"})
    await sim.connect()
    await sim.settle(2)
    sim.parted = frozenset({"mailbox-a"})
    await sim.registry.change_mailbox("mailbox-a", dirty=True)
    assert await sim.worker().run("mailbox-a") is None
    row = await sim.registry.mailbox("mailbox-a")
    assert row is not None
    assert (row.dirty, row.holder, row.starts) == (False, "", 0)


# readings of the directory


async def test_readings_that_follow_each_other_are_one_proof(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY)
    for _ in range(5):
        await world.connector.refresh_directory()
        world.pass_time(5)
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.absent, anna.active, (await world.mailbox()).clearing) == (1, True, "")
    world.pass_time(5)
    await world.connector.refresh_directory()
    assert (await world.mailbox()).clearing == "leave"


async def test_who_is_seen_in_between_begins_anew(world: World) -> None:
    everybody, fewer = world.servers.staff, (*STAFF[1:], *MANY)
    for staff in (fewer, everybody, fewer):
        world.servers.staff = staff
        world.pass_time(20)
        await world.connector.refresh_directory()
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.absent, anna.active) == (1, True)


async def test_two_readings_at_once_are_one_proof(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY)
    await asyncio.gather(*(world.connector.refresh_directory() for _ in range(3)))
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.absent, anna.active) == (1, True)


async def test_ids_that_nobody_has_make_the_crm_read_once_a_minute_and_prove_nothing(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY)
    world.servers.asked.clear()
    world.pass_time(1)
    for n in range(20):
        with pytest.raises(NotFound):
            await commands.change_user(world.connector, f"19x{5000 + n}", {"enabled": True})
        with pytest.raises(ConfigMistake, match="members"):
            await change_group(world.connector, "22x3", {"members": [f"19x{5000 + n}"]})
    assert world.servers.asked.count("users") == 1
    assert (await world.mailbox()).clearing == ""
    world.servers.staff = (*world.servers.staff, CrmUser("19x5000", "Nuovo", "", True))
    world.pass_time(1)
    assert (await commands.known_user(world.connector, "19x5000")).active


# an approval that the CRM keeps waiting


async def test_an_approval_that_cannot_be_carried_out_now_is_not_given(world: World) -> None:
    """Else the admin saw a refusal, nothing was marked, and a second approval was refused because there was one."""
    hold = HoldRow(
        "h" * 22, "", Kind.CONTACT, Side.CRM, Reason.DELETE_BRAKE, "2026-03-02T08:00:00+00:00", items=("4x1",)
    )
    await world.registry.put_hold(hold)
    real = world.servers.sweep_tools

    async def unreachable() -> object:
        raise RetryLater(Cause.CRM_UNREACHABLE)

    world.servers.sweep_tools = unreachable  # type: ignore[assignment, method-assign]
    with pytest.raises(RetryLater):
        await commands.approve(world.connector, hold.id, by="me")
    assert await world.registry.hold(hold.id) == hold
    world.servers.sweep_tools = real  # type: ignore[method-assign]
    assert (await commands.approve(world.connector, hold.id, by="me")).state == "approved"
