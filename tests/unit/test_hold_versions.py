"""An answer to a hold speaks of what was looked at, and of nothing that came to it afterwards."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from sync import commands, sweep
from sync.clearing_tools import PURGE
from sync.commands import NotNow
from sync.model import Family, Kind, Reason, Role, Side
from sync.policy import DeleteLimits
from sync.store.asking import HoldRow
from sync.store.base import Stale
from sync.store.registry import held_partition
from tests.contract.api_world import HEADERS, Api, worker_of
from tests.sim.world import World as SimWorld
from tests.unit.control.world import ANNA, ANNAS, STAFF, World
from tests.unit.test_leaving import CARDS, MANY, link
from tests.unit.test_leaving import world as _world

world = _world


class Killed(Exception):
    """The process is gone."""


async def swept(world: World, ids: list[str]) -> HoldRow:
    """A sweep that asks about these deletions; the open hold afterwards."""
    await world.registry.hold_records(ANNAS, dict.fromkeys(ids, Role.HOME))
    await sweep._hold(ids, Kind.CONTACT, await world.servers.sweep_tools())
    return next(hold for hold in await world.registry.holds() if hold.state == "open")


async def test_an_answer_to_an_earlier_version_is_refused_and_changes_nothing(world: World) -> None:
    looked_at = await swept(world, ["4x1", "4x2"])
    grown = await swept(world, ["4x2", "4x3"])
    assert (looked_at.version, grown.id, grown.version, grown.count) == (1, looked_at.id, 2, 3)
    assert await swept(world, ["4x1", "4x3"]) == grown, "nothing new"
    with pytest.raises(Stale):
        await commands.approve(world.connector, grown.id, over=1)
    with pytest.raises(Stale):
        await commands.reject(world.connector, grown.id, over=1)
    assert await world.registry.hold(grown.id) == grown
    assert await world.registry.inbox(ANNAS) == []
    await commands.approve(world.connector, grown.id, over=2)
    assert len(await world.registry.inbox(ANNAS)) == 3
    with pytest.raises(NotNow, match="hold_answered"):
        await commands.reject(world.connector, grown.id, over=2)


async def test_a_sweep_that_was_killed_before_it_said_so_adds_nothing_to_an_approval(world: World) -> None:
    looked_at = await swept(world, ["4x1", "4x2"])
    real = world.registry.rows.transact

    async def dies(partition: str, ops: Any) -> Any:
        if partition == "holds":
            raise Killed
        return await real(partition, ops)

    world.registry.rows.transact = dies  # type: ignore[method-assign]
    with pytest.raises(Killed):
        await swept(world, ["4x3"])
    world.registry.rows.transact = real  # type: ignore[method-assign]
    assert "4x3" in {row.key async for row in world.rows.query(held_partition(looked_at.id))}
    approved = await commands.approve(world.connector, looked_at.id, over=1)
    assert [mark.crm_id for mark in await world.registry.inbox(ANNAS)] == ["4x1", "4x2"]
    later = await swept(world, ["4x3"])
    assert (later.id != approved.id, later.items) == (True, ("4x3",))


async def test_what_a_sweep_adds_to_a_hold_that_is_answered_just_now_is_another_question(world: World) -> None:
    looked_at = await swept(world, ["4x1"])
    real, answered = world.registry.shown_in, False

    async def meanwhile(hold: HoldRow) -> set[str]:
        nonlocal answered
        found = await real(hold)
        if not answered:
            answered = True
            await commands.reject(world.connector, looked_at.id)
        return found

    world.registry.shown_in = meanwhile  # type: ignore[method-assign]
    asked = await swept(world, ["4x1", "4x2"])
    assert (asked.id != looked_at.id, asked.items) == (True, ("4x2",))
    kept = await world.registry.hold(looked_at.id)
    assert kept is not None
    assert kept.state == "rejected"


async def test_more_users_than_were_looked_at_do_not_leave(world: World) -> None:
    world.servers.staff = (*STAFF[:2], *MANY[7:])
    await world.connector.refresh_directory()
    (looked_at,) = await world.registry.holds()
    assert looked_at.version == 1
    await world.connector.refresh_directory()
    assert await world.registry.holds() == [looked_at], "the same users are the same question"
    world.servers.staff = (STAFF[1], *MANY[7:])
    await world.connector.refresh_directory()
    (grown,) = await world.registry.holds()
    assert (grown.version, grown.count, ANNA in grown.items) == (2, looked_at.count + 1, True)
    with pytest.raises(Stale):
        await commands.approve(world.connector, grown.id, over=1)
    assert (await world.mailbox()).enabled


async def test_of_two_answers_about_users_the_refused_one_lets_nobody_leave(world: World) -> None:
    world.servers.staff = (*STAFF[1:], *MANY[7:])
    await world.connector.refresh_directory()
    (asked,) = await world.registry.holds()
    real = world.servers.crm_users

    async def rejected_meanwhile() -> Any:
        await commands.reject(world.connector, asked.id)
        return await real()

    world.servers.crm_users = rejected_meanwhile  # type: ignore[method-assign]
    with pytest.raises(NotNow, match="hold_changed"):
        await commands.approve(world.connector, asked.id, over=1)
    assert (await world.mailbox()).enabled
    anna = await world.users.get(ANNA)
    assert anna is not None
    assert anna.active


async def test_a_purge_that_grew_is_asked_about_in_a_new_version(world: World) -> None:
    await link(world, Family.PEOPLE, *CARDS)
    await world.registry.put_hold(
        HoldRow("h1", ANNAS, Kind.CONTACT, Side.MAILBOX, Reason.PURGED, "t", "approved", "9", 1)
    )
    worker = worker_of(world)
    strict = await worker.setup()
    strict = replace(strict, deletes=DeleteLimits(0, 0.0))

    async def setup() -> Any:
        return strict

    await world.registry.change_mailbox(ANNAS, clearing=PURGE, permitted=1)
    await replace(worker, setup=setup).run(ANNAS)
    hold = await world.registry.hold("h1")
    assert hold is not None
    assert (hold.state, hold.count, hold.version) == ("open", 2, 2)


async def test_over_http_an_answer_needs_the_version(world: World) -> None:
    api = Api(world)
    hold = await swept(world, ["4x1"])
    shown = await api.raw("hold", HEADERS, route={"id": hold.id})
    assert shown.headers["ETag"] == '"1"'
    assert json.loads(shown.get_body())["version"] == 1
    await swept(world, ["4x2"])
    listed = (await api.ask("holds"))[1]["holds"]
    assert [each["version"] for each in listed] == [2]
    for name in ("hold_approve", "hold_reject"):
        bare = await api.raw(name, {**HEADERS, "If-Match": ""}, b"{}", route={"id": hold.id})
        assert (bare.status_code, json.loads(bare.get_body())["code"]) == (428, "if_match_needed")
        status, refused = await api.ask(name, {}, id=hold.id, match="*")
        assert (status, refused["field"]) == (400, "If-Match"), "whatever is there was looked at by nobody"
        status, refused = await api.ask(name, {}, id=hold.id, match='"1"')
        assert (status, refused["code"]) == (412, "changed_meanwhile")
    status, answered = await api.ask("hold_reject", {}, id=hold.id, match='"2"')
    assert (status, answered["state"]) == (200, "rejected")


async def test_two_who_answer_the_same_version(world: World) -> None:
    hold = await swept(world, ["4x1"])
    both = (commands.approve(world.connector, hold.id, over=1), commands.reject(world.connector, hold.id, over=1))
    answers = await asyncio.gather(*both, return_exceptions=True)
    assert sum(isinstance(answer, NotNow) for answer in answers) == 1


async def test_a_mailboxs_deletions_that_grow_are_a_new_version_and_the_same_ones_are_not() -> None:
    sim = SimWorld({ANNA: "mailbox-a"})
    await sim.connect()
    ids = [sim.crm.add(Kind.CONTACT, ANNA, {"firstname": "A", "lastname": f"Rossi {n}"}).id for n in range(12)]
    await sim.settle(3)
    for crm_id in ids[:7]:
        sim.crm.delete(crm_id)
    await sim.settle(1)
    (looked_at,) = await sim.registry.holds()
    assert (looked_at.because, looked_at.count, looked_at.version) == (Reason.DELETE_BRAKE, 7, 1)
    sim.full.add("mailbox-a")
    await sim.settle(1)
    assert await sim.registry.holds() == [looked_at]
    for crm_id in ids[7:9]:
        sim.crm.delete(crm_id)
    sim.full.add("mailbox-a")
    await sim.settle(1)
    (grown,) = await sim.registry.holds()
    assert (grown.id, grown.count, grown.version) == (looked_at.id, 9, 2)
