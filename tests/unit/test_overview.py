"""All mailboxes in a few numbers: what is counted, when it is counted anew, and what a tick forgets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync import commands
from sync.model import Family, Kind, Reason, Side
from sync.overview import FRESH, LIVE, SHOWN, count, note, overview
from sync.progress import Progress, write
from sync.sides.base import CrmUser
from sync.status import mailboxes
from sync.store.asking import HoldRow
from sync.store.base import Put
from sync.store.mailboxes import OVERVIEW, MailboxRow
from sync.store.registry import held_partition
from sync.tick import tick
from sync.upkeep import ANSWERS_KEPT, forget_old
from tests.unit.control.world import ANNA, ANNAS, World


@pytest.fixture
async def large() -> World:
    """More mailboxes than are counted at each look."""
    world = World()
    world.servers.staff = tuple(CrmUser(f"19x{number}", f"N {number}", "", True) for number in range(LIVE + 1))
    await world.connector.refresh_directory()
    for number in range(LIVE + 1):
        await world.users.change(f"19x{number}", mailbox=f"m{number:04}", enabled=True)
        await world.registry.change_mailbox(f"m{number:04}", user=f"19x{number}")
    await overview(world.registry, world.now())
    return world


def a_hold(id_: str, **changes: object) -> HoldRow:
    return replace(HoldRow(id_, "", Kind.CONTACT, Side.MAILBOX, Reason.DELETE_BRAKE, "2026-03-02"), **changes)  # type: ignore[arg-type]


async def looks(world: World) -> list[str]:
    """What one look asks of the store."""
    asked: list[str] = []
    world.rows.before = asked.append
    await overview(world.registry, world.now())
    world.rows.before = None
    return asked


def test_every_state_is_counted_and_the_first_in_trouble_are_named() -> None:
    world, at = World(), "2026-03-02T07:00:00+00:00"
    done = write({Family.TASKS: Progress(at)})
    rows = [
        MailboxRow("a", "u", progress=done, holder="w", expires=(world.now() + timedelta(seconds=1)).isoformat()),
        MailboxRow("b", "u", progress=write({Family.PEOPLE: Progress(), Family.TASKS: Progress(at)})),
        MailboxRow("c", "u", progress=done, cause="graph_throttled", holder="w", expires=world.now().isoformat()),
        MailboxRow("d", "u", enabled=False),
        MailboxRow("e", "u", enabled=False, state="removed"),
        MailboxRow("f", "u", enabled=False, clearing="leave"),
        *(MailboxRow(f"g{n:02}", "u", progress=done, state="error", cause="mailbox_full") for n in range(30)),
        *(MailboxRow(f"h{n:02}", "u", progress=done, state="error", cause="reconnect") for n in range(30)),
    ]
    found = count(rows, 7, world.now())
    assert found.states == {"ok": 2, "error": 60, "retrying": 1, "disabled": 1, "leaving": 1, "removed": 1}
    assert (found.total, found.running, found.filling, found.holds) == (66, 1, 1, 7)
    assert (found.trouble, found.trouble_count) == (tuple(f"g{n:02}" for n in range(SHOWN)), 60)
    assert (found.reconnect, found.reconnect_count) == (tuple(f"h{n:02}" for n in range(SHOWN)), 30)


async def test_a_small_office_is_counted_at_each_look() -> None:
    world = World()
    await world.registry.change_mailbox(ANNAS, user=ANNA)
    assert (await overview(world.registry, world.now())).states["ok"] == 1
    lease = await world.registry.take_lease(ANNAS, "w", world.now())
    assert lease
    await world.registry.release(lease, state="error")
    assert (await overview(world.registry, world.now())).trouble == (ANNAS,)


async def test_a_large_office_is_read_from_one_row_until_it_is_old(large: World) -> None:
    assert await looks(large) == ["get"]
    large.time += FRESH
    assert await looks(large) == ["get", "query", "query", "transact"]
    assert await looks(large) == ["get"]


async def test_a_command_that_changes_a_mailbox_has_it_counted_anew(large: World) -> None:
    await large.registry.change_mailbox("m0007", dirty=True, last_run="2026-03-02")
    assert await looks(large) == ["get"], "the counts are the same"
    await large.registry.change_mailbox("m0007", state="error", cause="mailbox_full")
    found = await overview(large.registry, large.now())
    assert (found.trouble, found.states["error"]) == (("m0007",), 1)
    assert [each.mailbox for each in await mailboxes(large.connector, "", 25, "trouble")] == ["m0007"]
    assert await looks(large) == ["get"]
    await large.registry.change_mailbox("m0007", state="ok", cause="")
    assert await mailboxes(large.connector, "", 25, "trouble") == []


async def test_an_answered_hold_is_not_counted_any_more(large: World) -> None:
    await large.registry.put_hold(a_hold("h", mailbox="m0001"))
    await note(large.registry, await large.registry.mailboxes(), large.now())
    assert (await overview(large.registry, large.now())).holds == 1
    await commands.reject(large.connector, "h")
    assert (await overview(large.registry, large.now())).holds == 0


async def test_those_in_trouble_are_shown_as_they_are_now(large: World) -> None:
    for id_, cause in (("m0001", "reconnect"), ("m0002", "mailbox_full")):
        await large.registry.change_mailbox(id_, state="error", cause=cause)
    await overview(large.registry, large.now())
    lease = await large.registry.take_lease("m0002", "w", large.now())
    assert lease
    await large.registry.release(lease, state="ok", cause="")
    assert [each.mailbox for each in await mailboxes(large.connector, "", 9, "trouble")] == ["m0001"]
    assert [each.mailbox for each in await mailboxes(large.connector, "", 9, "reconnect")] == ["m0001"]
    assert await mailboxes(large.connector, "m0001", 9, "trouble") == []


async def test_a_page_reads_no_more_mailboxes_than_it_shows(large: World) -> None:
    seen: list[str] = []
    while part := await mailboxes(large.connector, seen[-1] if seen else "", 50):
        assert len(part) <= 50
        seen += [each.mailbox for each in part]
    assert seen == sorted(f"m{number:04}" for number in range(LIVE + 1))


async def test_a_tick_counts_with_what_it_reads_anyway(large: World) -> None:
    lease = await large.registry.take_lease("m0003", "w", large.now())
    assert lease
    assert await overview(large.registry, large.now())
    await large.registry.release(lease, state="error", cause="mailbox_full")
    assert await large.rows.get(*OVERVIEW) is None, "a new error is counted at the next look"
    assert (await tick(large.connector, "timer")).state == "swept"
    assert await large.rows.get(*OVERVIEW) is not None
    assert await looks(large) == ["get"]
    assert (await overview(large.registry, large.now())).trouble == ("m0003",)


async def test_approved_deletions_of_a_sweep_are_forgotten_after_thirty_days() -> None:
    world = World()
    old = (world.now() - ANSWERS_KEPT - timedelta(hours=1)).isoformat(timespec="seconds")
    young = (world.now() - ANSWERS_KEPT + timedelta(hours=1)).isoformat(timespec="seconds")
    for hold in (
        a_hold("open", since=old),
        a_hold("rejected", since=old, at=old, state="rejected"),
        a_hold("young", since=old, at=young, state="approved"),
        a_hold("ones", since=old, at=old, state="approved", mailbox=ANNAS),
        a_hold("old", since=old, at=old, state="approved"),
    ):
        await world.registry.put_hold(hold)
    for id_ in ("old", "rejected"):
        for start in (0, 100):
            await world.rows.transact(
                held_partition(id_), [Put(f"4x{n}", {"kind": "contact"}) for n in range(start, start + 100)]
            )
    await forget_old(world.registry, world.now())
    assert [hold.id for hold in await world.registry.holds()] == ["ones", "open", "rejected", "young"]
    left = {row.partition for row in world.rows.everything() if row.partition.startswith("sweep|")}
    assert left == {held_partition("rejected")}
