"""Rows of another version of the product: the timer and the runs leave them alone, the status says why, commands are refused but for Kill."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync.store.schema import current, read, write
from sync.tick import run_one, tick
from tests.contract.api_world import Api, worker_of
from tests.contract.panel_world import Browser
from tests.unit.control.world import ANNA, ANNAS, World


@pytest.fixture
async def world() -> World:
    world = World()
    await world.settings.save((await world.settings.read()).model_copy(update={"active": True}), None)
    assert (await tick(world.connector, "timer")).state == "swept"
    world.servers.asked.clear()
    return world


async def later(world: World) -> None:
    """A later version of the product was here."""
    found = await read(world.rows)
    assert found
    await write(world.rows, replace(found, version=current() + 1))


async def test_the_first_tick_says_which_form_the_rows_have(world: World) -> None:
    found = await read(world.rows)
    assert found
    assert (found.version, found.becoming) == (current(), 0)


async def test_an_older_version_asks_no_server_and_writes_nothing_over_newer_rows(world: World) -> None:
    await world.users.change(ANNA, mailbox=ANNAS, enabled=True)
    await world.registry.change_mailbox(ANNAS, user=ANNA, dirty=True)
    await later(world)
    before = world.rows.everything()
    assert (await tick(world.connector, "timer")).state == "paused"
    assert await run_one(world.connector, worker_of(world), ANNAS) is None
    assert world.servers.asked == []
    assert world.rows.everything() == before


async def test_the_status_says_why_and_what_to_do(world: World) -> None:
    await later(world)
    api = Api(world)
    _, italian = await api.ask("status", lang="it")
    _, english = await api.ask("status")
    assert (english["state"], english["cause"]) == ("paused", "schema_newer")
    assert "later version" in english["sentence"]
    assert "versione successiva" in italian["sentence"]
    assert english["mend"]["command"] == "none"
    async with Browser(api) as browser:
        assert (await browser.open("/api/panel?lang=en")).text.count("A later version of this app") == 1


async def test_commands_are_refused_but_kill(world: World) -> None:
    await later(world)
    api, before = Api(world), world.rows.everything()
    for name, body in (("settings_put", {"folder_name": "X"}), ("user_put", {"enabled": True}), ("control_run", {})):
        status, refused = await api.ask(name, body, id=ANNA if name == "user_put" else "")
        assert (status, refused["code"], refused["cause"]) == (409, "not_these_rows", "schema_newer"), name
    assert world.rows.everything() == before
    assert (await api.ask("control_kill"))[0] == 200
    assert (await api.ask("settings"))[0] == 200


async def test_the_tick_goes_on_with_an_upgrade_and_sweeps_after_it(world: World) -> None:
    """Another process began it and died."""
    found = await read(world.rows)
    assert found
    await write(world.rows, replace(found, becoming=current(), since=world.now().isoformat()))
    assert (await tick(world.connector, "timer")).state == "upgrading"
    assert world.queue.messages[-1] == ("", "upgrade", 60)
    _, status = await Api(world).ask("status")
    assert (status["state"], status["cause"]) == ("paused", "schema_upgrading")
    assert world.servers.asked == []
    world.time += timedelta(minutes=1)
    assert (await tick(world.connector, "upgrade")).state == "swept"
    after = await read(world.rows)
    assert after
    assert (after.version, after.becoming) == (current(), 0)
