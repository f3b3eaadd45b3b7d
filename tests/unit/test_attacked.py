"""What a hostile tester did to the control plane, each in the smallest world that shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from sync import commands
from sync.clearing_tools import LEAVE
from sync.commands import NotFound, NotNow
from sync.errors import ConfigMistake
from sync.history_commands import restore
from sync.leaving_commands import remove_user, undo_removal
from sync.model import Family, Kind, Reason, Side
from sync.preview import preview
from sync.settings_commands import change_settings
from sync.settings_store import Safe, Saved, SettingsStore
from sync.store.asking import HoldRow
from sync.store.base import StoreUnreachable
from sync.store.journal import Change, Kept, put_kept
from sync.store.ledger import partition_of
from sync.store.mailboxes import MailboxRow
from sync.users import User
from tests.contract.api_world import Api, worker_of
from tests.interrupting import Died
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, CONFIGURED, World
from tests.unit.test_leaving import CARDS, link
from tests.unit.test_leaving import world as _world

world = _world


async def test_the_admins_mailbox_is_kept_by_its_id_whenever_it_is_named(world: World) -> None:
    with pytest.raises(ConfigMistake, match="admin_user"):
        await change_settings(world.connector, {"admin_mailbox": "anna@acme.example", "admin_user": "19x999"})
    await change_settings(world.connector, {"admin_mailbox": "anna@acme.example", "admin_user": ANNA})
    await change_settings(world.connector, {"contact_target": "admin"})
    assert (await world.settings.read()).admin_mailbox == ANNAS
    assert "anna@acme.example" not in {row.id for row in await world.registry.mailboxes()}


async def test_a_kill_during_the_checks_of_restore_state_is_not_undone(world: World) -> None:
    await world.board.enter("error", world.now(), "crm_login_refused")
    real = world.servers.check_mailboxes

    async def slow() -> None:
        await commands.kill(world.connector, "other")
        await real()

    world.servers.check_mailboxes = slow  # type: ignore[method-assign]
    with pytest.raises(NotNow, match="killed_meanwhile"):
        await commands.restore_state(world.connector, "me")
    assert (await world.board.read()).state == "killed"


async def test_who_was_removed_does_not_come_back_by_pressing_connect(world: World) -> None:
    await change_settings(world.connector, {"delete_contacts": True})
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 3)
    removed = await world.users.get(ANNA)
    assert removed is not None
    assert removed.barred


async def test_a_save_that_fails_disables_nobody(world: World) -> None:
    class Down:
        async def read_secret(self, name: str) -> str | None:
            return None

        async def write_secret(self, name: str, value: str) -> None:
            raise StoreUnreachable("vault")

        async def delete_secret(self, name: str) -> None:
            raise StoreUnreachable("vault")

    connector = replace(
        world.connector, settings=SettingsStore(world.rows, world.keys, CONFIGURED, Safe(Down(), world.new_id))
    )
    with pytest.raises(StoreUnreachable):
        await change_settings(connector, {"allow_list": [BRUNOS], "client_secret": "a~new-one"})
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert anna.enabled


async def test_of_two_answers_to_a_hold_one_counts(world: World) -> None:
    await world.registry.put_hold(HoldRow("h1", ANNAS, Kind.CONTACT, Side.MAILBOX, Reason.PURGED, "t", count=12))
    both = (commands.approve(world.connector, "h1"), commands.reject(world.connector, "h1"))
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(answer, NotNow) for answer in answers) == 1
    kept = await world.registry.hold("h1")
    assert kept in answers


async def test_a_mailbox_that_is_shared_no_more_is_nobodys(world: World) -> None:
    await change_settings(world.connector, {"contact_target": "admin", "admin_mailbox": BRUNOS, "admin_user": ANNA})
    assert (await world.mailbox(BRUNOS)).enabled
    await commands.change_user(world.connector, "19x6", {"enabled": False})
    assert (await world.mailbox(BRUNOS)).enabled, "still everybody's"
    await change_settings(world.connector, {"contact_target": "assigned_user"})
    assert not (await world.mailbox(BRUNOS)).enabled


async def test_no_name_or_address_gets_into_the_audit() -> None:
    api = Api(World())
    for id_ in ("anna@acme.example", "Anna Rossi", "Rossi"):
        assert (await api.ask("user_put", {"enabled": False}, id=id_))[0] == 404
    assert {each["target"] for each in (await api.ask("audit"))[1]["audit"]} == {"?"}


async def test_a_mailbox_that_the_allow_list_forbids_is_not_looked_into(world: World) -> None:
    await change_settings(world.connector, {"allow_list": [ANNAS]})
    with pytest.raises(NotNow, match="not_allowed"):
        await preview(world.connector, worker_of(world), BRUNO)


async def test_an_allow_list_is_not_passed_by_pairing_anew(world: World) -> None:
    await change_settings(world.connector, {"allow_list": [ANNAS]})
    with pytest.raises(NotNow, match="not_allowed"):
        await commands.change_user(world.connector, ANNA, {"mailbox": "bruno@acme.example"})


async def test_who_was_removed_and_undone_can_be_removed_again(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    worker = worker_of(world)
    await worker.run(ANNAS)
    await undo_removal(world.connector, ANNA)
    while (await world.mailbox()).clearing:
        await worker.run(ANNAS)
    await link(world, Family.PEOPLE, *CARDS)
    await remove_user(world.connector, ANNA, 0)
    assert (await world.mailbox()).clearing == LEAVE


async def test_of_two_changes_over_whichever_version_both_count(world: World) -> None:
    read = world.settings.saved
    others = [{"active": False}]

    async def overtaken() -> Saved:
        saved = await read()
        if others:
            await change_settings(world.connector, others.pop())
        return saved

    world.settings.saved = overtaken  # type: ignore[method-assign]
    after = await change_settings(world.connector, {"verbose_log": True})
    assert (after.settings.verbose_log, after.settings.active) == (True, False), "nobody's pause is lifted in silence"


@pytest.mark.parametrize("day", ["0001-01-01", "1969-12-31", "2100-01-01", "9999-12-31"])
async def test_no_start_is_outside_of_what_people_mean(world: World, day: str) -> None:
    with pytest.raises(ConfigMistake, match="sync_start"):
        await change_settings(world.connector, {"sync_start": day})
    with pytest.raises(ConfigMistake, match="sync_start"):
        await commands.change_user(world.connector, BRUNO, {"sync_start": day})


@pytest.mark.parametrize("id_", ["{8a3d1c52-0000-4000-8000-000000000000}", " 8a3d1c52-0000-4000-8000-000000000000\n"])
async def test_a_secrets_id_is_none_however_it_was_copied(world: World, id_: str) -> None:
    with pytest.raises(ConfigMistake, match="client_secret"):
        await change_settings(world.connector, {"client_secret": id_})
    await change_settings(world.connector, {"client_secret": " a~secret \n"})
    assert (await world.settings.sign_in()).client_secret == "a~secret"


async def test_nothing_is_ordered_that_nobody_carries_out(world: World) -> None:
    kept = Kept("j|2026-03-01T08:00:00+00:00|1", "4x1", "c1", Kind.CONTACT, "update", "crm_edited", 1)
    values = Change({"mailbox:phone": "1"}, {"mailbox:phone": "2"})
    await world.rows.transact(partition_of(ANNAS, Family.PEOPLE), [put_kept(kept, values, world.keys)])
    assert (await restore(world.connector, world.keys, "me", ANNAS, Family.PEOPLE, kept.key)).orders == 1
    await commands.change_user(world.connector, ANNA, {"enabled": False})
    with pytest.raises(NotNow, match="not_connected"):
        await restore(world.connector, world.keys, "me", ANNAS, Family.PEOPLE, kept.key)


@pytest.mark.parametrize("state", ["killed", "error", "stopped"])
async def test_who_looks_at_the_users_asks_nobody_while_nothing_runs(world: World, state: str) -> None:
    await world.board.enter(state, world.now(), "crm_unreachable")
    asked = list(world.servers.asked)
    for _ in range(3):
        world.pass_time(60)
        assert (await commands.users(world.connector)).users, "as they were"
        with pytest.raises(NotFound):
            await commands.known_user(world.connector, "19x999")
    assert world.servers.asked == asked
    await world.board.enter("running", world.now())
    await commands.users(world.connector)
    assert world.servers.asked == [*asked, "users"]


async def test_of_two_who_see_that_users_are_gone_one_orders_it(world: World) -> None:
    await change_settings(world.connector, {"delete_contacts": True})
    await link(world, Family.PEOPLE, *CARDS)
    world.servers.staff = tuple(each for each in world.servers.staff if each.id != ANNA)
    await world.connector.refresh_directory()
    world.pass_time(31)
    rows, reads = await world.registry.mailboxes(), world.registry.mailboxes

    async def stale(*_: object) -> list[MailboxRow]:
        return rows

    await world.connector.refresh_directory()
    ordered = await world.mailbox()
    assert (ordered.clearing, ordered.scope) == (LEAVE, "linked")
    world.pass_time(1)
    world.registry.mailboxes = stale  # type: ignore[method-assign]
    await world.connector.leave_gone()
    world.registry.mailboxes = reads  # type: ignore[method-assign]
    assert await world.mailbox() == ordered, "by left_at an undo finds what was deleted"


async def test_a_mailbox_that_holds_synchronised_items_is_not_left_by_pairing_another(world: World) -> None:
    await commands.change_user(world.connector, BRUNO, {"enabled": False})
    await link(world, Family.PEOPLE, *CARDS)
    for change in ({"mailbox": "bruno@acme.example"}, {"mailbox": "", "enabled": False}):
        with pytest.raises(NotNow, match="remove_first"):
            await commands.change_user(world.connector, ANNA, change)
    await remove_user(world.connector, ANNA, 0)
    await worker_of(world).run(ANNAS)
    after = await commands.change_user(world.connector, ANNA, {"mailbox": "bruno@acme.example"})
    assert after.mailbox == BRUNOS


async def test_a_wish_for_private_events_outlives_a_crash_behind_the_users_row(world: World) -> None:
    await world.registry.change_mailbox(ANNAS, full=False, dirty=False, past_too=False)
    revise = world.users.revise

    async def dies(id_: str, decide: Callable[[User], User]) -> tuple[User, User]:
        await revise(id_, decide)
        raise Died

    world.users.revise = dies  # type: ignore[method-assign]
    with pytest.raises(Died):
        await commands.change_user(world.connector, ANNA, {"private_events": "none"})
    row = await world.mailbox()
    assert (row.past_too, row.full) == (True, True)
