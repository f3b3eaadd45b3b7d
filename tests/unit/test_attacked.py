"""What a hostile tester did to the control plane, each in the smallest world that shows it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sync import commands
from sync.commands import NotNow
from sync.errors import ConfigMistake
from sync.leaving_commands import remove_user
from sync.model import Family, Kind, Reason, Side
from sync.settings_commands import change_settings
from sync.settings_store import Safe, SettingsStore
from sync.store.asking import HoldRow
from sync.store.base import StoreUnreachable
from tests.contract.api_world import Api
from tests.unit.control.world import ANNA, ANNAS, BRUNOS, CONFIGURED, World
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
