"""Messages that were given up: they are shown with their cause, until the mailbox ran well or the state was restored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from control.app import App
from control.queue import RunMessage, mailbox_of_message
from sync import commands, poison
from sync.poison import SHOWN, Poisoned
from sync.status import status
from sync.store.base import StoreUnreachable
from sync.store.memory import MemoryRows
from sync.tick import run_one
from sync.upkeep import keep_up
from tests.contract.api_world import Api, worker_of
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World

MESSAGE = '{"v": 1, "mailbox": "%s", "why": "timer"}'


@pytest.fixture
async def world() -> World:
    world = World()
    for user in (ANNA, BRUNO):
        await commands.change_user(world.connector, user, {"enabled": True})
    return world


@pytest.fixture
def app(world: World) -> App:
    return Api(world).app


async def shown(world: World) -> list[Poisoned]:
    return list((await status(world.connector, "")).poison)


async def test_it_is_shown_with_what_went_wrong_last(world: World, app: App) -> None:
    await app.failed(MESSAGE % ANNAS, "KeyError", "id-1")
    assert await shown(world) == []
    await app.failed(MESSAGE % ANNAS, "ValueError", "id-2")
    await app.gave_up(MESSAGE % ANNAS, world.time)
    assert await shown(world) == [Poisoned(ANNAS, "2026-03-02T08:00:00+00:00", "ValueError", "id-2")]


async def test_a_run_that_ends_well_takes_it_away(world: World, app: App) -> None:
    for mailbox in (ANNAS, BRUNOS):
        await app.gave_up(MESSAGE % mailbox, world.time)
    world.pass_time(1)
    await run_one(world.connector, worker_of(world), ANNAS)
    assert [each.mailbox for each in await shown(world)] == [BRUNOS]
    world.pass_time(1)
    await app.gave_up(MESSAGE % ANNAS, world.time)
    assert [each.mailbox for each in await shown(world)] == [ANNAS, BRUNOS]


async def test_the_state_restored_takes_all_away(world: World, app: App) -> None:
    for mailbox in (ANNAS, ""):
        await app.failed(MESSAGE % mailbox, "KeyError", "id")
        await app.gave_up(MESSAGE % mailbox, world.time)
    assert {each.mailbox for each in await shown(world)} == {ANNAS, ""}
    assert (await commands.restore_state(world.connector, "admin")).ok
    assert await shown(world) == []
    await app.gave_up(MESSAGE % ANNAS, world.time)
    assert [(each.mailbox, each.error) for each in await shown(world)] == [(ANNAS, "")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"v": 2, "mailbox": "x"}',
        MESSAGE % "../../etc",
        MESSAGE % "~",
        MESSAGE % ("x" * 5000),
        "\x00\ud800",
    ],
)
async def test_a_message_that_is_none_of_ours_speaks_of_no_mailbox(world: World, app: App, text: str) -> None:
    assert mailbox_of_message(text) == ""
    await app.failed(text, "ValueError", "id")
    await app.gave_up(text, world.time)
    assert [(each.mailbox, each.error) for each in await shown(world)] == [("", "ValueError")]


async def test_those_that_are_well_again_hide_no_other(world: World, app: App) -> None:
    """Hundreds were given up in one bad night; all but the last run well again."""
    ids = [str(UUID(int=n)) for n in range(1, 3 * SHOWN + 1)]
    for mailbox in ids:
        await world.registry.change_mailbox(mailbox, user="19x1")
        await app.gave_up(MESSAGE % mailbox, world.time)
    assert len(await shown(world)) == SHOWN
    later = (world.time + timedelta(minutes=1)).isoformat()
    for mailbox in ids[:-1]:
        await world.registry.change_mailbox(mailbox, last_run=later)
    assert [each.mailbox for each in await shown(world)] == [ids[-1]]
    await keep_up(world.connector)
    assert [row.key async for row in world.rows.query(poison.PARTITION)] == [ids[-1]]
    assert [each.mailbox for each in await shown(world)] == [ids[-1]]


@dataclass
class GivenUp:
    """A queue's messages that failed too often, as `control.queue.RunQueue` hands them out."""

    messages: list[tuple[str, datetime]]
    down: bool = False

    async def given_up(self) -> AsyncIterator[tuple[str, datetime]]:
        if self.down:
            raise StoreUnreachable("queue: down")
        while self.messages:
            yield self.messages[0]
            del self.messages[0]


async def test_each_sweep_takes_them_from_both_queues_and_one_that_is_down_ends_no_sweep(
    world: World, app: App
) -> None:
    at = world.time - timedelta(minutes=3)
    runs, fills = GivenUp([(MESSAGE % ANNAS, at), ("", at)]), GivenUp([(MESSAGE % BRUNOS, at)], down=True)
    app = replace(app, queues=(runs, fills))  # type: ignore[arg-type]
    await world.registry.queued(ANNAS, at)
    await app.swept("timer")
    assert [(each.mailbox, each.at) for each in await shown(world)] == [
        (ANNAS, at.isoformat()),
        ("", at.isoformat()),
    ]
    assert ((await world.board.read()).last_sweep, runs.messages) == (world.time.isoformat(), [])
    assert ANNAS in world.queue.take(), "it was no more on its way: this tick sent another one"
    fills.down = False
    await app.ran(RunMessage("", "admin"))
    assert {each.mailbox for each in await shown(world)} == {ANNAS, BRUNOS, ""}


async def test_one_that_cannot_be_noted_stays_where_it_is(world: World, app: App) -> None:
    def unreachable(operation: str) -> None:
        raise StoreUnreachable("down")

    runs = GivenUp([(MESSAGE % ANNAS, world.time)])
    world.rows.before = unreachable
    with suppress(StoreUnreachable):
        await replace(app, queues=(runs,)).swept("timer")  # type: ignore[arg-type]
    assert len(runs.messages) == 1


async def test_a_store_that_failed_is_asked_for_no_note(world: World, app: App) -> None:
    def unreachable(operation: str) -> None:
        raise StoreUnreachable("down")

    rows = world.rows
    assert isinstance(rows, MemoryRows)
    rows.before = unreachable
    await app.failed(MESSAGE % ANNAS, "StoreUnreachable", "id")
    with suppress(StoreUnreachable):
        await app.gave_up(MESSAGE % ANNAS, world.time)
        pytest.fail("the host would take it for done")
    rows.before = None
    await app.gave_up(MESSAGE % ANNAS, world.time)
    assert [each.mailbox for each in await poison.given_up(world.registry)] == [ANNAS]
