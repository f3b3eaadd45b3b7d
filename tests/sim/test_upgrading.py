"""Rows of an earlier form are brought to the present one. The upgrades here are planted: a form that never was, from which two steps lead to the
present one; so the way is proven before the first is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sync.errors import Cause
from sync.store.base import Put, Row
from sync.store.schema import FIRST, KEY, PARTITION, Becomes, Made, Step, current, misfit, read
from sync.upgrading import PAUSE, upgraded
from tests.sim.recording import USERS, Sent, connector_of, restored, untouched
from tests.sim.world import Accident, Crash, Process, World, copied

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "ledger-v1.json").read_text("utf-8"))


def older(row: Row) -> Row:
    """The row in a form that never was: links say `partner`, and every mailbox's state lies in a row of its own."""
    if row.key.startswith("c|"):
        return replace(row, data={**row.data, "partner": row.data["item"], "item": "old"})
    if (row.partition, row.key) == (PARTITION, KEY):
        return replace(row, data={**row.data, "version": FIRST})
    return row


def renamed(row: Row) -> Becomes:
    if not row.key.startswith("c|") or "partner" not in row.data:
        return Becomes(row.data)
    rest = {name: value for name, value in row.data.items() if name != "partner"}
    return Becomes({**rest, "item": row.data["partner"]})


def forgotten(row: Row) -> Becomes:
    """The second step: a tally is kept elsewhere, the old one goes."""
    if row.partition != "tally":
        return Becomes(row.data)
    return Becomes(None, (Made("tally-by-hour", row.key, row.data),))


PLANTED: tuple[Step, ...] = (renamed, forgotten)


async def old_world() -> World:
    assert any(key.startswith("c|") for _, key, _ in RECORDED["rows"])
    return await restored(RECORDED, older)


async def upgrade(world: World, steps: Sequence[Step] = PLANTED) -> int:
    """As often as the queue says; how many parts it took."""
    connector, parts = connector_of(world), 1
    while not await upgraded(connector, steps):
        world.time += PAUSE
        parts += 1
        assert parts < 10
    return parts


async def test_an_old_form_cannot_be_read_as_it_is() -> None:
    """Else the tests below would show nothing."""
    world = await old_world()
    with pytest.raises(AssertionError):
        await untouched(world)


async def test_an_upgrade_keeps_others_out_waits_and_changes_every_row() -> None:
    world = await old_world()
    world.time += timedelta(minutes=10)
    connector, generation = connector_of(world), (await world.board.read()).generation
    assert await misfit(world.rows, PLANTED) is Cause.SCHEMA_UPGRADING
    assert not await upgraded(connector, PLANTED)
    assert await misfit(world.rows) is Cause.SCHEMA_NEWER, "the version before must not touch anything from now on"
    assert (await world.board.read()).generation == generation + 1, "runs under way stop"
    assert isinstance(connector.queue, Sent)
    assert connector.queue.delays == [60]
    world.time += PAUSE
    lease = await world.registry.take_lease("mailbox-a", "a worker of the version before", world.now())
    assert lease
    assert not await upgraded(connector, PLANTED), "a run still holds its mailbox"
    await world.registry.release(lease)
    assert await upgraded(connector, PLANTED)
    assert await misfit(world.rows, PLANTED) is None
    found = await read(world.rows)
    assert found
    assert (found.version, found.becoming, found.key) == (3, 0, "")
    assert not any("partner" in row.data or row.partition == "tally" for row in world.rows.everything())
    assert any(row.partition == "tally-by-hour" for row in world.rows.everything())
    await untouched(world)


async def test_a_long_upgrade_goes_on_in_parts() -> None:
    world = await old_world()
    world.rows.after = lambda _: setattr(world, "time", world.time + timedelta(seconds=25))
    parts = await upgrade(world)
    world.rows.after = None
    assert parts > 3
    world.time += timedelta(minutes=5)
    await untouched(world)


async def test_an_upgrade_can_be_killed_at_every_operation() -> None:
    begun = await old_world()
    done = copied(begun)
    await upgrade(done)
    wanted = contents(done)
    at = 0
    while True:
        at += 1
        world = copied(begun)
        world.process = Process(Accident(at, "crash-after" if at % 2 else "crash-before"))
        try:
            await upgrade(world)
            break
        except Crash:
            world.process = Process()
        world.time += timedelta(minutes=3)
        await upgrade(world)
        assert contents(world) == wanted, f"killed at operation {at}"
        if at % 7 == 0:
            await untouched(world)
    assert at > 15


def contents(world: World) -> dict[tuple[str, str], dict[str, object]]:
    """All rows but for the board, whose generation and times move."""
    rows = world.rows.everything()
    return {
        (row.partition, row.key): dict(row.data) for row in rows if (row.partition, row.key) != ("control", "board")
    }


async def test_two_processes_at_once_and_somebody_who_writes_meanwhile() -> None:
    world = await old_world()
    first, second = connector_of(world), connector_of(world)
    assert not await upgraded(first, PLANTED)
    world.time += PAUSE
    world.rows.before = Busybody(world)
    assert await upgraded(first, PLANTED)
    world.rows.before = None
    assert await upgraded(second, PLANTED)
    assert not any("partner" in row.data for row in world.rows.everything())
    await untouched(world)


class Busybody:
    """Somebody saves a link's row in its old form, once, just before the upgrade writes that one."""

    def __init__(self, world: World) -> None:
        self._world, self._left = world, 1

    def __call__(self, operation: str) -> None:
        old = [row for row in self._world.rows.everything() if "partner" in row.data]
        if operation == "transact" and self._left and old:
            self._left = 0
            self._world.rows._write(
                self._world.rows._partitions[old[0].partition], old[0].partition, Put(old[0].key, old[0].data)
            )


async def test_a_later_ledger_is_left_alone() -> None:
    world = await old_world()
    await upgrade(world)
    before = contents(world)
    assert await upgraded(connector_of(world)), "there is nothing that this version could do"
    assert await misfit(world.rows) is Cause.SCHEMA_NEWER
    assert await connector_of(world).state() == "paused"
    assert contents(world) == before


async def test_a_fresh_ledger_has_the_present_form_at_once() -> None:
    world = World(USERS)
    assert await upgraded(connector_of(world), PLANTED)
    found = await read(world.rows)
    assert found
    assert found.version == current(PLANTED)
