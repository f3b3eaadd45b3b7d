"""Contact target `admin`, every user signing in for the own mailbox: what the status says when nobody is connected with the mailbox of everybody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control.endpoints import mailboxes
from control.endpoints.status import StatusShown, shown
from sync import commands
from sync.errors import Cause, ReconnectNeeded, StopMailbox
from sync.settings_commands import change_settings
from sync.setup import Setup
from sync.sides.base import Mailbox
from sync.status import mailbox as read_mailbox
from sync.status import status
from sync.users import homes_of
from tests.contract.api_world import Sides, worker_of
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World
from tests.unit.test_connecting import ADMIN, Scene

TARGET = {"contact_target": "admin", "admin_mailbox": BRUNOS, "admin_user": ANNA}


class SignedIn(Sides):
    """Mailboxes open for those whose sign-in is kept."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.world)
        self._scene = scene

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        token = await self._scene.tokens.read(mailbox)
        if token is None:
            raise StopMailbox(Cause.NOT_CONNECTED)
        if not token.usable:
            raise ReconnectNeeded(mailbox)
        return await super().mailbox(mailbox, folder)


async def run(scene: Scene) -> None:
    """What is queued, as the queue trigger would."""
    world = scene.world

    async def setup() -> Setup:
        settings = await world.settings.read()
        homes = homes_of(await world.users.all())
        return Setup(
            True,
            world.translators,
            homes,
            admin_mailbox=settings.shared_mailbox,
            admin_user=settings.admin_user,
            delegated=settings.delegated,
        )

    worker = replace(worker_of(world), sides=SignedIn(scene), setup=setup)
    for mailbox in dict.fromkeys(world.queue.take()):
        await worker.run(mailbox)


async def seen(world: World, mailbox: str = BRUNOS) -> tuple[str, str, str, bool]:
    """The mailbox's state, cause and button, and whether the status warns of it."""
    found: StatusShown = shown(await status(world.connector, ""), "en")
    box = await read_mailbox(world.connector, mailbox)
    assert box is not None
    one = mailboxes.shown(box, "en")
    assert one.sentence
    return one.state, one.cause, one.mend.command, mailbox in found.reconnect and bool(found.reconnect_warning)


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.set_up()
    return scene


async def test_without_a_user_of_its_own_the_button_leads_to_the_users(scene: Scene) -> None:
    """`admin_user` has another mailbox: Connect would never bind this one."""
    await change_settings(scene.world.connector, TARGET)
    await run(scene)
    assert await seen(scene.world) == ("error", "shared_not_connected", "users", True)
    await commands.change_user(scene.world.connector, BRUNO, {"enabled": True})
    assert await seen(scene.world) == ("error", "not_connected", "connect", True)
    assert await scene.go(ADMIN, BRUNO, oid=BRUNOS) == "connected"
    await run(scene)
    assert (await seen(scene.world))[:2] == ("ok", "")


async def test_whom_an_admin_disconnects_leaves_no_silence(scene: Scene) -> None:
    assert await scene.go(ADMIN, BRUNO, oid=BRUNOS) == "connected"
    await change_settings(scene.world.connector, TARGET)
    await run(scene)
    assert (await seen(scene.world))[:2] == ("ok", "")
    await scene.connecting.expel(BRUNO)
    assert await seen(scene.world) == ("error", "shared_not_connected", "users", True), "at once, not with the next run"
    await commands.restore_state(scene.world.connector, "me")
    await run(scene)
    assert await seen(scene.world) == ("error", "shared_not_connected", "users", True)


async def test_a_sign_in_that_ends_while_its_user_is_disabled(scene: Scene) -> None:
    assert await scene.go(ADMIN, BRUNO, oid=BRUNOS) == "connected"
    await change_settings(scene.world.connector, TARGET)
    await commands.change_user(scene.world.connector, BRUNO, {"enabled": False})
    await run(scene)
    assert (await seen(scene.world))[:2] == ("ok", ""), "still everybody's"
    token = await scene.tokens.read(BRUNOS)
    assert token is not None
    await scene.tokens.ended(token)
    await scene.world.connector.enqueue([BRUNOS], "test")
    await run(scene)
    assert await seen(scene.world) == ("error", "shared_not_connected", "users", True)


async def test_what_was_said_of_a_mailbox_before_it_became_everybodys_is_said_anew(scene: Scene) -> None:
    assert await scene.go(ADMIN, BRUNO, oid=BRUNOS) == "connected"
    await scene.world.registry.change_mailbox(BRUNOS, state="error", cause="reconnect")
    await scene.connecting.disconnect(BRUNO)
    await change_settings(scene.world.connector, TARGET)
    await run(scene)
    assert await seen(scene.world) == ("error", "shared_not_connected", "users", True)


async def test_everybody_elses_mailbox_is_told_as_ever(scene: Scene) -> None:
    await commands.change_user(scene.world.connector, ANNA, {"enabled": True})
    await change_settings(scene.world.connector, TARGET)
    await scene.world.registry.change_mailbox(ANNAS, state="ok", cause="")
    await scene.world.connector.enqueue([ANNAS], "test")
    await run(scene)
    assert await seen(scene.world, ANNAS) == ("error", "not_connected", "connect", True)
    await change_settings(scene.world.connector, {"sign_in_mode": "application"})
    assert (await scene.world.mailbox(BRUNOS)).state == "ok", "the application signs in for it"
