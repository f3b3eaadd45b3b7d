"""Two people change the same thing over the version that both saw, at the very same moment, over HTTP: one wins, the other is told (412).

The store holds both writes back until both are there: each of them has read, judged and found its version to be the present one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from sync.model import Kind, Role
from sync.store.asking import HoldRow
from sync.store.base import Op
from sync.store.memory import MemoryRows
from sync.sweep import _hold as ask_about_deletions
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import ANNA, ANNAS, World


class Crossing(MemoryRows):
    """Of the writes to a row whose key begins so, the first two wait for one another."""

    def __init__(self) -> None:
        super().__init__()
        self._where, self._left, self._both = ("", ""), 0, asyncio.Barrier(2)

    def cross(self, partition: str, key: str) -> None:
        self._where, self._left = (partition, key), 2

    @property
    def crossed(self) -> bool:
        return self._where != ("", "") and self._left == 0

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        here = partition == self._where[0] and any(op.key.startswith(self._where[1]) for op in ops)
        if here and self._left:
            self._left -= 1
            await asyncio.wait_for(self._both.wait(), 5)
        return await super().transact(partition, ops)


class Race:
    def __init__(self) -> None:
        self.rows = Crossing()
        self.api = Api(World(rows=self.rows))

    async def run(self, *requests: tuple[str, str, str, Any]) -> list[httpx.Response]:
        """Method, path, If-Match and body of each; all at once. Their answers, the good one first."""
        transport, url = httpx.ASGITransport(self.api.asgi()), "http://localhost"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            sending = (
                client.request(method, f"/api{path}", headers={**HEADERS, "If-Match": match}, json=body)
                for method, path, match, body in requests
            )
            answers = await asyncio.gather(*sending)
        assert self.rows.crossed, "they were not at the same moment"
        return sorted(answers, key=lambda each: each.status_code)

    async def ask(self, name: str, **route: str) -> Any:
        return (await self.api.ask(name, **route))[1]


@pytest.fixture
async def race() -> Race:
    race = Race()
    await race.api.ask("users")
    await race.api.ask("user_put", {"enabled": True}, id=ANNA)
    await race.api.ask("settings_put", {"horizon_days": 80})
    return race


def told_apart(answers: list[httpx.Response]) -> httpx.Response:
    """The one that won; the other one was refused as stale."""
    won, lost = answers
    assert (won.status_code, lost.status_code) == (200, 412), [each.text for each in answers]
    assert lost.json()["code"] == "changed_meanwhile"
    return won


async def test_settings(race: Race) -> None:
    version = (await race.ask("settings"))["saved_version"]
    race.rows.cross("control", "settings")
    path, match = "/settings", f'"{version}"'
    answers = await race.run(("PUT", path, match, {"horizon_days": 70}), ("PUT", path, match, {"look_minutes": 30}))
    won = told_apart(answers)
    shown = await race.ask("settings")
    assert (shown["saved_version"], won.headers["ETag"]) == (version + 1, f'"{version + 1}"')
    both = {(70, 60), (80, 30)}
    assert (shown["horizon_days"], shown["look_minutes"]) in both, "one change, whole, and nothing of the other"
    assert (won.json()["horizon_days"], won.json()["look_minutes"]) == (shown["horizon_days"], shown["look_minutes"])


async def test_a_mapping(race: Race) -> None:
    before = await race.ask("mapping", id="contact")
    pairs = [{name: pair[name] for name in ("crm", "mailbox", "direction", "mode")} for pair in before["pairs"]]
    race.rows.cross("mappings", "")
    path, match = "/mappings/contact", f'"{before["saved_version"]}"'
    bodies = [{"pairs": pairs[:-1]}, {"pairs": pairs[:-2]}]
    won = told_apart(await race.run(*(("PUT", path, match, body) for body in bodies)))
    after = await race.ask("mapping", id="contact")
    assert after["saved_version"] == before["saved_version"] + 1
    assert len(after["pairs"]) == len(won.json()["pairs"])
    assert len(after["pairs"]) in (len(pairs) - 1, len(pairs) - 2)


async def test_an_answer_to_a_question(race: Race) -> None:
    world = race.api.world
    await world.registry.hold_records(ANNAS, {"4x1": Role.HOME})
    await ask_about_deletions(["4x1"], Kind.CONTACT, await world.servers.sweep_tools())
    (hold,) = await world.registry.holds()
    race.rows.cross("holds", hold.id)
    path = f"/holds/{hold.id}"
    won, lost = await race.run(("POST", f"{path}/approve", '"1"', {}), ("POST", f"{path}/reject", '"1"', {}))
    assert (won.status_code, lost.status_code, lost.json()["code"]) == (200, 409, "hold_changed")
    after = await world.registry.hold(hold.id)
    assert isinstance(after, HoldRow)
    assert after.state == won.json()["state"]
    assert bool(await world.registry.inbox(ANNAS)) == (after.state == "approved")


async def test_a_user_has_no_version_so_each_changes_what_is_named_and_both_stay(race: Race) -> None:
    race.rows.cross("users", ANNA)
    path = f"/users/{ANNA}"
    bodies = ({"colour": "#00FF00"}, {"private_events": "none"})
    answers = await race.run(*(("PUT", path, "*", body) for body in bodies))
    assert [each.status_code for each in answers] == [200, 200]
    anna = await race.ask("user", id=ANNA)
    assert (anna["colour"], anna["private_events"], anna["enabled"]) == ("#00FF00", "none", True)
