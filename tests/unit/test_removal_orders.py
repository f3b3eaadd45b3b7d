"""A removal does what was confirmed when it was ordered, whatever happens to settings, mapping and processes before it is carried out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from sync import commands, mapping_commands
from sync.clearing import left_to_delete
from sync.clearing_tools import ALL, LEAVE, PURGE, UNDO
from sync.commands import NotNow
from sync.following import set_right
from sync.leaving_commands import leaving_preview, remove_user
from sync.mappings import Strategy
from sync.model import Family, Kind, Link, Side
from sync.settings_commands import change_settings
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import PARTITION as MAILBOXES
from sync.tick import run_one
from sync.users import User
from tests.contract.api_world import worker_of
from tests.interrupting import Died, before_writing, dies_at
from tests.unit.control.world import ANNA, ANNAS, STAFF, World
from tests.unit.test_leaving import CARDS, MANY, link
from tests.unit.test_leaving import world as _world
from tests.unit.test_mapping_commands import MOVED

world = _world


# what was confirmed


async def test_who_came_back_in_the_same_second_can_be_removed_again(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    while (await world.mailbox()).clearing:
        await worker_of(world).run(ANNAS)
    assert not (await world.mailbox()).has_left
    await remove_user(world.connector, ANNA, 0)
    assert (await world.mailbox()).clearing == LEAVE


async def test_no_card_was_confirmed_and_none_goes_whatever_the_settings_say_later(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    await change_settings(world.connector, {"delete_contacts": True})
    row = await world.mailbox()
    assert (row.clearing, row.scope, row.permitted) == (LEAVE, "", 0)
    assert await left_to_delete(world.registry, row) == 0
    await worker_of(world).run(ANNAS)
    assert await remaining(world) == []
    assert world.cards[ANNAS].writes == 0
    after = await world.mailbox()
    assert (after.state, after.clearing, after.scope, after.permitted) == ("removed", "", "", 0)


async def test_the_scope_that_was_confirmed_counts(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await change_settings(world.connector, {"delete_contacts": True, "delete_contacts_scope": "ours"})
    await remove_user(world.connector, ANNA, 2)
    for later in ({"delete_contacts_scope": "linked"}, {"delete_contacts": False}):
        await change_settings(world.connector, later)
        assert await left_to_delete(world.registry, await world.mailbox()) == 2


async def test_a_card_linked_since_is_more_than_was_confirmed(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await change_settings(world.connector, {"delete_contacts": True})
    await remove_user(world.connector, ANNA, 3)
    await link(world, Family.PEOPLE, Link(ANNAS, Kind.CONTACT, "4x9", "c9", Side.CRM))
    assert await left_to_delete(world.registry, await world.mailbox()) == 3


async def test_who_vanishes_goes_by_the_settings_of_that_moment(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await change_settings(world.connector, {"delete_contacts": True})
    world.servers.staff = (*STAFF[1:], *MANY)
    for _ in range(2):
        world.pass_time(60)
        await world.connector.refresh_directory()
    row = await world.mailbox()
    assert (row.clearing, row.scope, row.permitted) == (LEAVE, "linked", ALL)
    await change_settings(world.connector, {"delete_contacts": False})
    assert await left_to_delete(world.registry, await world.mailbox()) == 3


async def test_who_vanished_while_cards_were_to_stay_keeps_them(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    world.servers.staff = (*STAFF[1:], *MANY)
    for _ in range(2):
        world.pass_time(60)
        await world.connector.refresh_directory()
    await change_settings(world.connector, {"delete_contacts": True})
    assert await left_to_delete(world.registry, await world.mailbox()) == 0


async def remaining(world: World) -> list[str]:
    """CRM ids that are still linked."""
    return [each.crm_id async for each in MailboxLedger(world.rows, ANNAS, 0, "").links()]


# what else is ordered meanwhile


async def test_a_purge_is_not_written_over_a_removal(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    touch = world.board.touch

    async def then() -> Any:
        world.board.touch = touch  # type: ignore[method-assign]
        await remove_user(world.connector, ANNA, 0)
        return await touch()

    world.board.touch = then  # type: ignore[method-assign]  # the last thing before mailboxes are told
    await mapping_commands.save(
        world.connector, Kind.CONTACT, MOVED, over=0, strategy=Strategy.PURGE, confirm=2, by="me"
    )
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.permitted) == (False, LEAVE, 0)


async def test_a_purge_is_not_written_over_a_mailbox_that_was_disabled(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    touch = world.board.touch

    async def then() -> Any:
        world.board.touch = touch  # type: ignore[method-assign]
        await commands.part(world.connector, ANNA)
        return await touch()

    world.board.touch = then  # type: ignore[method-assign]
    await mapping_commands.save(
        world.connector, Kind.CONTACT, MOVED, over=0, strategy=Strategy.PURGE, confirm=2, by="me"
    )
    assert ((await world.mailbox()).enabled, (await world.mailbox()).clearing) == (False, "")


async def test_a_run_that_ends_does_not_wipe_out_a_removal_that_was_ordered_meanwhile(world: World) -> None:
    await world.registry.change_mailbox(ANNAS, clearing=PURGE, permitted=3)
    for outcome in (
        {"clearing": "", "permitted": 0, "state": "ok", "full": True},
        {"state": "error", "cause": "mailbox_full"},
    ):
        lease = await world.registry.take_lease(ANNAS, "worker", world.now())
        assert lease is not None
        world.pass_time(1)
        await world.connector.leave(ANNAS, None, 0, lambda _: True)
        released = await world.registry.release(lease, **outcome)
        assert released is not None
        assert (released.clearing, released.state, released.cause, released.dirty, released.holder) == (
            LEAVE,
            "ok",
            "",
            True,
            "",
        )


# a removal that was cut off


async def test_a_removal_that_was_cut_off_is_finished_by_repeating_it(world: World) -> None:
    """The user is disabled, and no run may do anything there; which cards go was not written down yet."""
    await link(world, Family.PEOPLE, *CARDS)
    await change_settings(world.connector, {"delete_contacts": True})
    dies_at(world.rows, 2)
    with pytest.raises(Died):
        await remove_user(world.connector, ANNA, 3)
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.enabled, anna.barred, (await world.mailbox()).clearing) == (False, True, "")
    assert (await leaving_preview(world.connector, ANNA)).to_delete == 3
    with pytest.raises(NotNow, match="count_changed"):
        await remove_user(world.connector, ANNA, 2)
    await remove_user(world.connector, ANNA, 3)
    row = await world.mailbox()
    assert (row.clearing, row.permitted, row.enabled) == (LEAVE, 3, False)
    with pytest.raises(NotNow, match="nothing_to_remove"):
        await remove_user(world.connector, ANNA, 3)


# a removal in the instant in which rows are set right


async def _half_connected(world: World) -> None:
    """Anna is connected, and her mailbox's row does not say so yet: the process that connected her ended in between."""
    await link(world, Family.PEOPLE, *CARDS)
    await world.registry.change_mailbox(ANNAS, enabled=False)


async def _is_removed(world: World) -> bool:
    row, anna = await world.mailbox(), await world.users.get(ANNA)
    return (row.clearing, row.enabled, row.has_left) == (LEAVE, False, True) and anna is not None and not anna.enabled


async def test_who_looks_at_a_list_of_before_takes_no_removal_back(world: World) -> None:
    await _half_connected(world)
    everybody = world.users.all

    async def then() -> Sequence[User]:
        found, world.users.all = await everybody(), everybody  # type: ignore[method-assign]
        await remove_user(world.connector, ANNA, 0)
        return found

    world.users.all = then  # type: ignore[method-assign]
    await set_right(world.connector)
    assert await _is_removed(world)


async def test_a_removal_between_the_look_at_a_row_and_its_change_stands(world: World) -> None:
    await _half_connected(world)
    before_writing(world.rows, MAILBOXES, lambda: remove_user(world.connector, ANNA, 0))
    await set_right(world.connector)
    assert await _is_removed(world)


async def test_a_removal_while_another_admin_enables_the_user_stands(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await commands.change_user(world.connector, ANNA, {"enabled": False})
    before_writing(world.rows, MAILBOXES, lambda: remove_user(world.connector, ANNA, 0))
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    assert await _is_removed(world)


async def test_who_is_enabled_after_a_removal_takes_it_back_whatever_else_is_written_meanwhile(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    before_writing(world.rows, MAILBOXES, lambda: world.registry.change_mailbox(ANNAS, clearing="", state="removed"))
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.has_left) == (True, "", False), "it has ended: there is nothing to take back"
    await remove_user(world.connector, ANNA, 0)
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.has_left) == (True, UNDO, False)


# a mailbox whose user was disabled


@pytest.mark.parametrize("clearing", ["", PURGE])
async def test_a_mailbox_whose_user_is_disabled_asks_for_no_more_runs(world: World, clearing: str) -> None:
    """Its row still says enabled: the process that disabled the user was killed before it came to that."""
    await link(world, Family.PEOPLE, *CARDS)
    await world.users.change(ANNA, enabled=False)
    await world.registry.change_mailbox(ANNAS, dirty=True, clearing=clearing, permitted=3)
    world.queue.take()
    worker = replace(worker_of(world), setup=_parted(world))
    assert await run_one(world.connector, worker, ANNAS) is None
    assert world.queue.take() == []
    assert len(await remaining(world)) == 3
    assert (await world.mailbox()).holder == ""


def _parted(world: World) -> Any:
    setup = worker_of(world).setup

    async def parted() -> Any:
        return replace(await setup(), parted=frozenset({ANNAS}))

    return parted
