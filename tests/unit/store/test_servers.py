"""Attempts are counted per server; one pause counts one; a success inside a pause tells nothing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from sync.store.board import BoardStore
from sync.store.memory import MemoryRows
from sync.store.servers import Server, asked_for_patience, dump, failed, parse, reached, used_up

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_the_spacing_is_1_5_15_60_minutes_and_the_fifth_failure_uses_them_up() -> None:
    servers: tuple[Server, ...] = ()
    now, waits = NOW, []
    for _ in range(4):
        servers = failed(servers, "crm_unreachable", now)
        assert used_up(servers) is None
        due = datetime.fromisoformat(servers[0].due_at)
        waits.append((due - now) // timedelta(minutes=1))
        assert failed(servers, "crm_unreachable", due - timedelta(seconds=1)) == servers
        now = due
    assert waits == [1, 5, 15, 60]
    assert used_up(failed(servers, "crm_unreachable", now)) is not None


def test_servers_do_not_touch_each_other() -> None:
    servers = failed(failed((), "crm_unreachable", NOW), "entra_unreachable", NOW)
    later = NOW + timedelta(minutes=2)
    assert [each.server for each in reached(servers, ("graph", "entra"), later)] == ["crm"]
    assert parse(dump(servers)) == servers


def test_a_success_inside_the_pause_tells_nothing() -> None:
    servers = failed((), "graph_unreachable", NOW)
    assert reached(servers, ("graph",), NOW + timedelta(seconds=30)) == servers


def test_patience_counts_nothing_and_shortens_no_pause() -> None:
    servers = failed((), "crm_unreachable", NOW)
    asked = asked_for_patience(servers, "crm_unreachable", (NOW + timedelta(seconds=5)).isoformat())
    assert asked == servers
    assert asked_for_patience((), "crm_unreachable", servers[0].due_at)[0].attempts == 0


async def test_parallel_failures_count_once_and_stop_the_runs_under_way() -> None:
    board = BoardStore(MemoryRows())
    before = await board.read()
    await asyncio.gather(*(board.failed("entra_unreachable", NOW) for _ in range(4)))
    after = await board.read()
    assert (after.attempts, after.generation) == (1, before.generation + 1)
    assert after.due_at == (NOW + timedelta(minutes=1)).isoformat()
