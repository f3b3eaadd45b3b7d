"""What an admin can watch of a mailbox's first fill, slice by slice, and of what comes after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sync import commands
from sync.model import Kind
from sync.overview import overview
from sync.run import Limits, so_far
from sync.status import MailboxStatus, mailbox
from tests.contract.api_world import Api, worker_of
from tests.unit.control.world import ANNA, ANNAS, World


async def shown(world: World) -> MailboxStatus:
    found = await mailbox(world.connector, ANNAS)
    assert found is not None
    return found


def test_never_more_is_done_than_there_is() -> None:
    assert [so_far(10, done) for done in (0, 4, 10, 17)] == [(10, 0), (10, 4), (10, 10), (10, 10)]


async def test_the_first_fill_grows_with_each_slice_and_ends() -> None:
    world = World()
    for number in range(30):
        world.crm.add(Kind.CONTACT, ANNA, {"lastname": f"Rossi {number}"})
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    before = await shown(world)
    assert (before.first, before.comparing, before.items, before.items_done) == (True, True, 0, 0)
    assert (await overview(world.registry, world.now())).filling == 1

    def ticking() -> datetime:
        world.time += timedelta(seconds=1)
        return world.time

    limits = Limits(slice=timedelta(seconds=1), chunk=8, batch=4, workers=1)
    worker = replace(worker_of(world), now=ticking, limits=limits)
    seen: list[tuple[int, int]] = []
    while (outcome := await worker.run(ANNAS)) is not None and outcome.unfinished:
        now = await shown(world)
        assert now.first
        seen.append((now.items, now.items_done))
        assert len(seen) < 50
    assert seen[:4] == [(30, 8), (30, 16), (30, 24), (30, 30)]
    assert seen == sorted(seen)
    after = await shown(world)
    assert (after.first, after.comparing, after.items, after.items_done) == (False, False, 0, 0)
    assert after.compared_at
    assert (await overview(world.registry, world.now())).filling == 0
    await world.registry.change_mailbox(ANNAS, full=True)
    again = await shown(world)
    assert (again.first, again.comparing) == (False, True)


async def test_the_last_day_shows_what_a_run_wrote() -> None:
    api = Api(World())
    api.world.crm.add(Kind.CONTACT, ANNA, {"lastname": "Rossi"})
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    await worker_of(api.world).run(ANNAS)
    status, found = await api.ask("activity")
    assert (status, len(found["hours"])) == (200, 24)
    nothing = {"contact": 0, "company": 0, "event": 0, "task": 0}
    assert found["hours"][-1] == {
        "hour": "2026-03-02T08:00:00+00:00",
        "to_crm": nothing,
        "to_mailbox": {**nothing, "contact": 1},
        "failures": {},
        "runs": 1,
    }
    assert found["hours"][0]["to_mailbox"] == nothing
    assert (await api.ask("mailbox", id="nobody"))[0] == 404
