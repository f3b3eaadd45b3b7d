"""All mailboxes at a glance: counted, kept while it is cheap to keep, and how far a comparison in full has come."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from sync import mapping_commands
from sync.model import Kind
from sync.overview import FEW, NAMED, draw, drawn, forget, overview
from sync.resync import Began
from sync.store.registry import MailboxRow
from tests.unit.control.world import ANNAS, BRUNOS, World
from tests.unit.test_mapping_commands import MOVED, world  # noqa: F401 - a fixture

SINCE = "2026-01-02"


def box(id_: str = "m", **about: object) -> MailboxRow:
    return replace(MailboxRow(id_, "u"), **about)  # type: ignore[arg-type]


def test_mailboxes_are_counted_by_state_and_the_first_in_trouble_named() -> None:
    rows = [
        *(box(f"e{n:03}", state="error", cause="reconnect" if n % 2 else "mailbox_full") for n in range(60)),
        box("a"),
        box("b", cause="graph_unreachable"),
        box("c", enabled=False),
        box("d", holder="w", expires="2030-01-01T00:00:00+00:00"),
    ]
    seen = drawn(rows, Began(), World().now())
    assert seen.states == {"disabled": 1, "error": 60, "ok": 2, "retrying": 1}
    assert (seen.total, seen.running, seen.reconnecting) == (64, 1, 30)
    assert seen.trouble == tuple(f"e{n:03}" for n in range(NAMED))
    assert len(seen.reconnect) == NAMED
    assert seen.mailboxes == 0, "nothing was ever compared anew"


@pytest.mark.parametrize(
    ("row", "compared"),
    [
        (box(compared_at="2026-01-03"), 1),
        (box(compared_at=SINCE), 1),
        (box(compared_at="2026-01-01"), 0),
        (box(), 0),
        (box(compared_at="2026-01-03", full=True), 0),
    ],
)
def test_a_mailbox_counts_once_all_of_it_was_compared_since(row: MailboxRow, compared: int) -> None:
    seen = drawn([row, box("off", enabled=False)], Began(SINCE, "mapping"), World().now())
    assert (seen.mailboxes, seen.compared) == (1, compared)


async def test_progress_of_a_resynchronisation(world: World) -> None:  # noqa: F811
    assert (await overview(world.registry, world.now())).since == ""
    await mapping_commands.save(world.connector, Kind.CONTACT, MOVED, over=0, by="me")
    found = await overview(world.registry, world.now())
    assert (found.since, found.why) == ("2026-03-02T08:00:00+00:00", "mapping")
    assert (found.mailboxes, found.compared, found.waiting) == (2, 0, (ANNAS, BRUNOS))
    await world.registry.change_mailbox(ANNAS, items=1000, items_done=400)
    half = await overview(world.registry, world.now())
    assert (half.items, half.items_done) == (1000, 400)
    await world.registry.change_mailbox(ANNAS, full=False, compared_at=world.now().isoformat(timespec="seconds"))
    assert (await overview(world.registry, world.now())).waiting == (BRUNOS,)


async def test_of_many_the_picture_is_kept_for_ten_minutes_or_until_somebody_changes_it() -> None:
    world = World()  # noqa: F811
    rows = [box(f"m{n:04}") for n in range(FEW + 1)]
    kept = await draw(world.registry, rows, world.now())
    assert await overview(world.registry, world.now()) == replace(kept, trouble=[], reconnect=[], waiting=[])
    world.pass_time(11)
    assert (await overview(world.registry, world.now())).total == 0, "the registry's rows"
    await draw(world.registry, rows, world.now())
    await forget(world.rows)
    assert (await overview(world.registry, world.now())).total == 0


async def test_while_a_comparison_is_under_way_it_is_drawn_anew_after_seconds() -> None:
    world = World()  # noqa: F811
    await world.connector.compare_all("settings")
    await draw(world.registry, [box(f"m{n:04}") for n in range(FEW + 1)], world.now())
    world.time += timedelta(seconds=15)
    assert (await overview(world.registry, world.now())).total == FEW + 1
    world.time += timedelta(seconds=10)
    assert (await overview(world.registry, world.now())).total == 0
