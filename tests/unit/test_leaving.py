"""Preferences, users who vanish, and the admin's commands about the end of a user: what they do to the store, and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial

import pytest

from sync import commands
from sync.commands import NotFound, NotNow
from sync.errors import Cause, ConfigMistake, RetryLater
from sync.leaving import Leaving, forget_removed
from sync.leaving_commands import leaving_preview, remove_user, undo_removal
from sync.model import Family, Kind, Link, Reason, Side
from sync.policy import CalendarPolicy, Preferences, PrivateEvents
from sync.settings import Settings
from sync.settings_commands import change_settings
from sync.setup import Setup
from sync.sides.base import CrmUser
from sync.store.base import Stale
from sync.store.ledger import Checkpoint, MailboxLedger, put_link
from sync.tick import is_due, tick
from sync.users import UserChange, preferred
from tests.interrupting import before_writing
from tests.sim.world import ROME
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, STAFF, World

MANY = tuple(CrmUser(f"19x{n}", f"Name {n}", f"n{n}@acme.example", True) for n in range(100, 194))


@pytest.fixture
async def world() -> World:
    """Anna and Bruno are connected among a hundred users; nothing is queued."""
    world = World()
    world.servers.staff = (*STAFF, *MANY)
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    world.queue.take()
    for mailbox in (ANNAS, BRUNOS):
        await world.registry.change_mailbox(mailbox, dirty=False, full=False)
    return world


async def link(world: World, family: Family, *links: Link) -> None:
    row = await world.registry.mailbox(ANNAS)
    assert row is not None
    ledger = await MailboxLedger.open(world.rows, ANNAS, row.fence, family)
    for each in links:
        await ledger.commit(put_link(each))
    await ledger.save_checkpoint(Checkpoint(folder="folder1" if family is Family.PEOPLE else ""))


CARDS = (
    Link(ANNAS, Kind.CONTACT, "4x1", "c1", Side.CRM),
    Link(ANNAS, Kind.CONTACT, "4x2", "c2", Side.MAILBOX),
    Link(ANNAS, Kind.COMPANY, "3x1", "c3", Side.CRM),
)
EVENT = Link(ANNAS, Kind.EVENT, "18x1", "e1", Side.CRM)


# preferences


async def test_the_start_is_frozen_while_the_user_is_enabled(world: World) -> None:
    await change_settings(world.connector, {"sync_start": "2020-05-01"})
    user = await world.users.get(ANNA)
    assert user is not None
    assert user.sync_start == "1970-01-01", "what was the setting when the user was enabled"
    for refused in ({"sync_start": "2024-01-01"}, {"sync_start": "", "enabled": True}):
        with pytest.raises(NotNow, match="start_frozen"):
            await commands.change_user(world.connector, ANNA, refused)
    user = await commands.change_user(world.connector, ANNA, {"sync_start": "2024-01-01", "enabled": False})
    assert (user.sync_start, user.enabled) == ("2024-01-01", False)
    user = await commands.change_user(world.connector, ANNA, {"sync_start": ""})
    user = await commands.change_user(world.connector, ANNA, {"enabled": True})
    assert user.sync_start == "2020-05-01"


async def test_two_admins_at_once_do_not_move_a_start_that_one_of_them_froze(world: World) -> None:
    """One enables the user while the other's new start is on its way to be written."""
    await commands.change_user(world.connector, ANNA, {"sync_start": "2024-01-01", "enabled": False})
    enabling = partial(commands.change_user, world.connector, ANNA, {"enabled": True})
    before_writing(world.rows, "users", enabling)
    with pytest.raises(NotNow, match="start_frozen"):
        await commands.change_user(world.connector, ANNA, {"sync_start": "2025-05-05"})
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.sync_start, anna.enabled) == ("2024-01-01", True)


async def test_enabling_freezes_the_start_that_is_there_when_it_is_written(world: World) -> None:
    await commands.change_user(world.connector, ANNA, {"sync_start": "", "enabled": False})
    choosing = partial(commands.change_user, world.connector, ANNA, {"sync_start": "2023-03-03"})
    before_writing(world.rows, "users", choosing)
    anna = await commands.change_user(world.connector, ANNA, {"enabled": True})
    assert (anna.sync_start, anna.enabled) == ("2023-03-03", True)


async def test_who_is_paired_otherwise_meanwhile_is_not_enabled(world: World) -> None:
    """One enables the user while the other takes the mailbox away: enabled without one, nobody could say what that means."""
    await commands.change_user(world.connector, ANNA, {"enabled": False})
    unpairing = partial(commands.change_user, world.connector, ANNA, {"mailbox": ""})
    before_writing(world.rows, "users", unpairing)
    with pytest.raises(Stale):
        await commands.change_user(world.connector, ANNA, {"enabled": True})
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.mailbox, anna.enabled) == ("", False)


async def test_a_mailbox_keeps_the_folder_it_has(world: World) -> None:
    user = await commands.change_user(world.connector, ANNA, {"folder": "CRM di Anna"})
    assert user.folder == "CRM di Anna"
    assert "CRM di Anna" not in repr(world.rows.everything())
    await link(world, Family.PEOPLE, *CARDS)
    for body in ({"folder": ""}, {"folder": "other", "enabled": False}):
        with pytest.raises(NotNow, match="folder_frozen"):
            await commands.change_user(world.connector, ANNA, body)


async def test_private_events_compare_that_mailbox_in_full(world: World) -> None:
    await commands.change_user(world.connector, ANNA, {"private_events": "full"})
    assert ((await world.mailbox()).full, (await world.mailbox(BRUNOS)).full) == (True, False)
    assert (await world.mailbox()).past_too
    assert world.queue.take() == [ANNAS]
    await change_settings(world.connector, {"private_events": "none"})
    assert (await world.mailbox(BRUNOS)).past_too


@pytest.mark.parametrize(
    "body",
    [
        {"sync_start": "yesterday"},
        {"sync_start": "2026-02-30"},
        {"sync_start": "20260203"},
        {"folder": " x"},
        {"private_events": "some"},
    ],
)
async def test_bad_preferences_are_refused_by_name(world: World, body: dict[str, str]) -> None:
    with pytest.raises(ConfigMistake) as refused:
        await commands.change_user(world.connector, ANNA, body)
    assert refused.value.field == next(iter(body))


def test_preferences_win_over_the_settings_in_their_own_mailbox() -> None:
    calendar = CalendarPolicy(ROME, date(2020, 1, 1), PrivateEvents.BUSY)
    mine = Preferences(date(2024, 1, 1), PrivateEvents.NONE)
    setup = Setup(True, {}, {ANNA: ANNAS}, calendar=calendar, preferences={ANNAS: mine})
    assert setup.policy(ANNAS, ANNA).calendar == replace(calendar, since=date(2024, 1, 1), private=PrivateEvents.NONE)
    assert setup.policy(BRUNOS, BRUNO).calendar == calendar


async def test_nothing_said_changes_nothing(world: World) -> None:
    user = await world.users.get(ANNA)
    assert user is not None
    assert preferred(user, UserChange(), True, date(2030, 1, 1), True) == (user, "")


# users who vanish


async def test_six_percent_at_once_are_a_hold_and_nobody_leaves(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY[5:])  # six of 97 active ones, Anna among them
    for _ in range(3):
        world.pass_time(60)
        await world.connector.refresh_directory()
    (hold,) = await world.registry.holds()
    assert (hold.because, hold.kind, hold.mailbox, hold.count, hold.state) == (
        Reason.USERS_VANISHED,
        None,
        "",
        6,
        "open",
    )
    assert ANNA in hold.items
    row = await world.mailbox()
    assert (row.enabled, row.clearing) == (True, "")
    assert (await world.users.state()).braked == 6


async def test_approved_they_leave_but_for_those_who_are_back(world: World) -> None:
    world.servers.staff = (*STAFF[2:], *MANY[5:])  # Anna, Bruno and five more
    await world.connector.refresh_directory()
    (hold,) = await world.registry.holds()
    world.servers.staff = (*STAFF[1:], *MANY[5:])
    world.queue.take()
    await commands.approve(world.connector, hold.id)
    row = await world.mailbox()
    assert (row.enabled, row.clearing, bool(row.left_at)) == (False, "leave", True)
    assert ANNAS in world.queue.take()
    assert (await world.mailbox(BRUNOS)).enabled
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert (anna.active, anna.enabled) == (False, False)
    with pytest.raises(NotNow, match="user_inactive"):
        await commands.change_user(world.connector, ANNA, {"enabled": True})
    world.pass_time(25 * 60)
    await world.connector.refresh_directory()
    assert await world.registry.holds() == []


async def test_rejected_they_stay_until_they_are_seen_again(world: World) -> None:
    everybody, fewer = world.servers.staff, (*STAFF[1:], *MANY[5:])
    world.servers.staff = fewer
    await world.connector.refresh_directory()
    (hold,) = await world.registry.holds()
    await commands.reject(world.connector, hold.id)
    for _ in range(3):
        world.pass_time(60)
        await world.connector.refresh_directory()
    assert (await world.mailbox()).enabled
    assert [each.state for each in await world.registry.holds()] == ["rejected"]
    world.servers.staff = everybody
    await world.connector.refresh_directory()
    assert await world.registry.holds() == []
    world.servers.staff = fewer
    await world.connector.refresh_directory()
    assert [each.state for each in await world.registry.holds()] == ["open"], "who vanishes anew is asked about anew"


async def test_a_question_about_users_who_are_back_is_over_and_new_users_are_seen_meanwhile(world: World) -> None:
    everybody = world.servers.staff
    world.servers.staff = (*STAFF[1:], *MANY[5:], CrmUser("19x999", "Nuovo", "nuovo@acme.example", True))
    await world.connector.refresh_directory()
    assert await world.users.get("19x999") is not None
    world.servers.staff = (*everybody, world.servers.staff[-1])
    await world.connector.refresh_directory()
    assert await world.registry.holds() == []


async def test_an_empty_directory_is_a_hold_too(world: World) -> None:
    world.servers.staff = ()
    await world.connector.refresh_directory()
    assert [each.count for each in await world.registry.holds()] == [97]


async def test_an_approval_waits_for_a_crm_that_answers(world: World) -> None:
    world.servers.staff = ()
    await world.connector.refresh_directory()
    (hold,) = await world.registry.holds()
    world.servers.crm_fails = RetryLater(Cause.CRM_UNREACHABLE)
    with pytest.raises(RetryLater):
        await commands.approve(world.connector, hold.id)
    assert [each.state for each in await world.registry.holds()] == ["open"]


# the end


async def test_two_readings_are_the_proof_and_the_mailbox_leaves_even_after_a_crash(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY)
    await world.connector.refresh_directory()
    assert (await world.mailbox()).clearing == ""
    world.pass_time(60)
    # the second reading, killed after the users' rows were stored
    await world.users.refresh(list(world.servers.staff), world.now())
    assert (await world.mailbox()).enabled
    await world.connector.refresh_directory()
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.user) == (False, "leave", ANNA)
    assert is_due(row, world.now().isoformat())
    left_at = row.left_at
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
    world.pass_time(60)
    await world.connector.refresh_directory()
    row = await world.mailbox()
    assert (row.clearing, row.left_at) == ("", left_at), "once"


async def test_who_was_disabled_before_leaves_too(world: World) -> None:
    await commands.change_user(world.connector, ANNA, {"enabled": False})
    world.servers.staff = (*STAFF[1:], *MANY)
    for _ in range(2):
        world.pass_time(60)
        await world.connector.refresh_directory()
    assert (await world.mailbox()).clearing == "leave"


async def test_the_mailbox_of_everybody_and_a_colleagues_are_never_cleared(world: World) -> None:
    body = {"contact_target": "admin", "admin_mailbox": ANNAS, "admin_user": ANNA}
    await change_settings(world.connector, body)
    with pytest.raises(NotNow, match="shared_mailbox"):
        await remove_user(world.connector, ANNA, 0)
    await commands.change_user(world.connector, BRUNO, {"enabled": False})
    await commands.change_user(world.connector, "19x7", {"mailbox": BRUNOS, "enabled": True})
    world.servers.staff = (*STAFF[2:], *MANY)
    for _ in range(2):
        world.pass_time(60)
        await world.connector.refresh_directory()
    for mailbox in (ANNAS, BRUNOS):
        row = await world.mailbox(mailbox)
        assert (row.enabled, row.clearing) == (True, "")


async def test_a_removal_is_previewed_and_its_number_confirmed(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await link(world, Family.CALENDAR, EVENT)
    expected = Leaving(contacts=2, companies=1, ours=2, to_delete=0, events=1)
    assert await leaving_preview(world.connector, ANNA) == expected
    for scope, number in (("linked", 3), ("ours", 2)):
        await change_settings(world.connector, {"delete_contacts": True, "delete_contacts_scope": scope})
        assert (await leaving_preview(world.connector, ANNA)).to_delete == number
    with pytest.raises(NotNow, match="count_changed") as refused:
        await remove_user(world.connector, ANNA, 3)
    assert refused.value.data == {"count": "2"}
    generation = (await world.board.read()).generation
    world.queue.take()
    user = await remove_user(world.connector, ANNA, 2)
    assert (user.enabled, user.active) == (False, True)
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.state, row.dirty) == (False, "leave", "ok", True)
    assert (await world.board.read()).generation > generation
    assert world.queue.take() == [ANNAS]
    with pytest.raises(NotNow, match="nothing_to_remove"):
        await remove_user(world.connector, ANNA, 2)
    with pytest.raises(NotFound):
        await leaving_preview(world.connector, "19x4711")


def test_cards_stay_by_default() -> None:
    assert Settings().removal is None


async def test_enabling_takes_back_a_removal_that_has_not_ended(world: World) -> None:
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, state="error", cause="clean_up_pending")
    world.pass_time(1)
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    row = await world.mailbox()
    assert (row.enabled, row.clearing, row.state, row.has_left) == (True, "undo", "ok", False)


async def test_a_colleague_who_takes_the_mailbox_over_gets_it_cleared(world: World) -> None:
    await remove_user(world.connector, ANNA, 0)
    world.pass_time(1)
    await commands.change_user(world.connector, "19x7", {"mailbox": ANNAS, "enabled": True})
    row = await world.mailbox()
    assert (row.user, row.enabled, row.clearing) == ("19x7", True, "leave")
    with pytest.raises(NotNow, match="nothing_to_undo"):
        await undo_removal(world.connector, ANNA)


async def test_restore_state_tries_a_pending_clean_up_again(world: World) -> None:
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, state="error", cause="clean_up_pending", dirty=False)
    world.queue.take()
    await commands.restore_state(world.connector, "me")
    assert ANNAS in world.queue.take()
    assert (await world.mailbox()).clearing == "leave"


async def test_undoing_for_thirty_days(world: World) -> None:
    with pytest.raises(NotNow, match="nothing_to_undo"):
        await undo_removal(world.connector, ANNA)
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
    world.pass_time(29 * 24 * 60)
    user = await undo_removal(world.connector, ANNA)
    assert not user.enabled
    assert (await world.mailbox()).clearing == "undo"
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
    world.pass_time(2 * 24 * 60)
    with pytest.raises(NotNow, match="nothing_to_undo"):
        await undo_removal(world.connector, ANNA)


async def test_after_thirty_days_nothing_is_left(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    await world.registry.change_mailbox(ANNAS, clearing="", state="removed")
    world.pass_time(29 * 24 * 60)
    await forget_removed(world.connector)
    assert await world.registry.mailbox(ANNAS) is not None
    world.pass_time(2 * 24 * 60)
    assert (await tick(world.connector, "timer")).state == "swept"
    assert await world.registry.mailbox(ANNAS) is None
    assert ANNAS not in {
        partition.partition("|")[0] for partition in world.rows._partitions if world.rows._partitions[partition]
    }
    assert (await world.mailbox(BRUNOS)).enabled
