"""One mailbox, one connected user: whatever two admins and a user's Connect do at the same moment, and whatever a crash leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from sync import commands
from sync.commands import NotNow
from sync.sides.base import MailboxUser
from sync.signing import Granted
from sync.store.base import Put
from sync.users import Taken
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World
from tests.unit.test_connecting import ADMIN, FakeMailboxes, Person, Scene, granted

CLAIM = f"paired|{ANNAS}"


@pytest.fixture
async def world() -> World:
    world = World()
    await world.connector.refresh_directory()
    return world


@pytest.fixture
async def scene() -> Scene:
    scene = Scene()
    await scene.set_up()
    return scene


async def connected(world: World, mailbox: str = ANNAS) -> list[str]:
    return [user.id for user in await world.users.all() if user.connected and user.mailbox == mailbox]


# two at once


async def test_two_admins_pair_one_mailbox_with_two_users_at_once(world: World) -> None:
    body = {"mailbox": ANNAS, "enabled": True}
    orders = (commands.change_user(world.connector, user, body) for user in (ANNA, BRUNO))
    ended = await asyncio.gather(*orders, return_exceptions=True)
    (refused,) = [each for each in ended if isinstance(each, Exception)]
    assert isinstance(refused, NotNow)
    assert refused.code == "mailbox_taken"
    (holder,) = await connected(world)
    assert refused.data == {"user": holder}
    assert (await world.mailbox()).user == holder


async def test_a_connect_and_an_admin_at_once(scene: Scene) -> None:
    begun = await scene.connecting.begin(Person())
    order = commands.change_user(scene.world.connector, BRUNO, {"mailbox": ANNAS, "enabled": True})
    finish = scene.connecting.finish(Person(), {"state": begun.state, "code": "c"}, begun.browser)
    ended, outcome = await asyncio.gather(order, finish, return_exceptions=True)
    (holder,) = await connected(scene.world)
    lost = (ended.code if isinstance(ended, NotNow) else "") if holder == ANNA else getattr(outcome, "code", "")
    assert lost == "mailbox_taken"
    assert (await scene.world.mailbox()).user == holder


async def test_the_claim_is_decided_when_both_saw_the_mailbox_free(world: World) -> None:
    """Past every look before: the rows themselves refuse the second."""
    await world.users.change(ANNA, mailbox=ANNAS, enabled=True)
    with pytest.raises(Taken) as taken:
        await world.users.change(BRUNO, mailbox=ANNAS.upper(), enabled=True)
    assert taken.value.user == ANNA
    assert (await world.users.get(BRUNO)).mailbox == ""  # type: ignore[union-attr]


# what becomes of a claim


async def test_a_claim_ends_with_the_connection_and_is_no_user(world: World) -> None:
    await world.users.change(ANNA, mailbox=ANNAS, enabled=True)
    assert len(await world.users.all()) == len(await world.users.page("", 100)) == 4
    assert [user.id for user in await world.users.matching("anna", "", 100)] == [ANNA]
    await world.users.change(ANNA, mailbox=BRUNOS)
    assert await world.rows.get("users", CLAIM) is None
    await world.users.change(ANNA, enabled=False)
    assert await world.rows.get("users", f"paired|{BRUNOS}") is None
    await world.users.change(BRUNO, mailbox=BRUNOS, enabled=True)
    await world.connector.refresh_directory()
    assert await connected(world, BRUNOS) == [BRUNO]


async def test_a_claim_whose_user_is_not_connected_with_the_mailbox_is_free(world: World) -> None:
    for user in ("19x999", BRUNO):  # of a user who is gone; of one who names another mailbox
        await world.rows.transact("users", [Put(CLAIM, {"user": user})])
        await world.users.change(ANNA, mailbox=ANNAS, enabled=True)
        assert await connected(world) == [ANNA]
        await world.users.change(ANNA, mailbox="", enabled=False)


async def test_who_was_connected_before_there_were_claims_is_not_robbed(world: World) -> None:
    await world.users.change(ANNA, mailbox=ANNAS, enabled=True)
    row = await world.rows.get("users", CLAIM)
    assert row is not None
    world.rows._partitions["users"].pop(CLAIM)
    with pytest.raises(Taken):
        await world.users.change(BRUNO, mailbox=ANNAS, enabled=True)
    await world.users.change(ANNA, colour="#112233")
    await world.users.change(ANNA, enabled=False)
    await world.users.change(BRUNO, mailbox=ANNAS, enabled=True)
    assert await connected(world) == [BRUNO]


async def test_who_leaves_the_directory_frees_the_mailbox(world: World) -> None:
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    world.servers.staff = world.servers.staff[1:]
    for _ in range(2):
        world.pass_time(60)
        await world.connector.refresh_directory()
    await world.users.change(BRUNO, mailbox=ANNAS, enabled=True)
    assert await connected(world) == [BRUNO]


async def test_who_is_disabled_late_does_not_stop_the_successor(world: World) -> None:
    """Two commands at once: the rows of the users were written in one order, the mailbox's in the other."""
    before = await commands.change_user(world.connector, ANNA, {"enabled": True})
    after = await world.users.change(ANNA, enabled=False)
    await commands.change_user(world.connector, BRUNO, {"mailbox": ANNAS, "enabled": True})
    await commands.follow(world.connector, before, after)
    row = await world.mailbox()
    assert (row.user, row.enabled) == (BRUNO, True)


# a bar that is set while Connect waits


class Meanwhile(FakeMailboxes):
    """Something happens while Graph is asked who signed in."""

    def __init__(self, happens: Callable[[], Awaitable[object]]) -> None:
        super().__init__()
        self._happens = happens

    async def look(self, granted: Granted) -> MailboxUser:
        await self._happens()
        return await super().look(granted)


async def _meanwhile(scene: Scene, happens: Callable[[], Awaitable[object]]) -> str:
    connecting = replace(scene.connecting, mailboxes=Meanwhile(happens))
    begun = await connecting.begin(Person())
    return (await connecting.finish(Person(), {"state": begun.state, "code": "c"}, begun.browser)).code


async def test_a_bar_set_while_graph_answers_holds(scene: Scene) -> None:
    async def bar() -> None:
        await commands.change_user(scene.world.connector, ANNA, {"enabled": True})
        await commands.change_user(scene.world.connector, ANNA, {"enabled": False})

    assert await _meanwhile(scene, bar) == "user_barred"
    assert await connected(scene.world) == []
    assert not (await scene.world.mailbox()).enabled
    assert await scene.tokens.read(ANNAS) is None


async def test_who_leaves_or_is_paired_otherwise_meanwhile_is_not_connected(scene: Scene) -> None:
    code = await _meanwhile(scene, lambda: scene.world.users.change(ANNA, mailbox=BRUNOS))
    assert code == "wrong_account"
    await scene.world.users.change(ANNA, mailbox="")
    assert await _meanwhile(scene, lambda: scene.world.users.change(ANNA, active=False)) == "user_inactive"
    assert await connected(scene.world) == []
    assert await scene.tokens.read(ANNAS) is None


async def test_a_bar_set_while_the_connection_is_written_holds(scene: Scene) -> None:
    """Whichever step of Connect the admin's disconnecting falls between: afterwards nobody is connected."""
    steps = 0
    for after in range(60):
        scene = Scene()
        await scene.set_up()
        begun = await scene.connecting.begin(Person())
        finish = asyncio.ensure_future(
            scene.connecting.finish(Person(), {"state": begun.state, "code": "c"}, begun.browser)
        )
        for _ in range(after):
            await asyncio.sleep(0)
        if finish.done():
            break
        steps += 1
        await scene.connecting.expel(ANNA)
        await finish
        anna = await scene.world.users.get(ANNA)
        assert anna is not None
        assert (anna.connected, anna.barred) == (False, True), after
        row = await scene.world.registry.mailbox(ANNAS)
        assert row is None or not row.enabled, after
        assert await scene.tokens.read(ANNAS) is None, after
    assert steps > 10


# who may come back


async def test_whom_an_admin_disconnects_waits_for_an_admin(scene: Scene) -> None:
    assert await scene.go() == "connected"
    after = await scene.connecting.expel(ANNA)
    assert (after.enabled, after.barred, after.mailbox) == (False, True, ANNAS)
    assert await scene.tokens.read(ANNAS) is None
    with pytest.raises(NotNow, match="user_barred"):
        await scene.connecting.begin(Person())
    await commands.change_user(scene.world.connector, ANNA, {"enabled": True})
    assert await scene.go() == "connected"


async def test_who_is_disconnected_already_is_barred_all_the_same(scene: Scene) -> None:
    assert await scene.go() == "connected"
    await scene.connecting.disconnect(ANNA)
    await scene.connecting.expel(ANNA)
    with pytest.raises(NotNow, match="user_barred"):
        await scene.connecting.begin(Person())


async def test_who_disconnects_alone_comes_back_alone(scene: Scene) -> None:
    assert await scene.go() == "connected"
    assert not (await scene.connecting.disconnect(ANNA)).barred
    assert await scene.go() == "connected"


async def test_a_mailbox_that_somebody_else_holds_keeps_its_sign_in(scene: Scene) -> None:
    assert await scene.go() == "connected"
    scene.mailboxes.addresses[ANNAS] = ("anna@acme.example", "bruno@acme.example")
    assert await scene.go(ADMIN, BRUNO, refresh_token="refresh-2") == "mailbox_taken"
    token = await scene.tokens.read(ANNAS)
    assert token is not None
    assert token.refresh_token == granted().refresh_token
