"""Lists of the control API read no more than the page they show, and every row is on one page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sync.model import Family, Kind, Reason, Side
from sync.sides.base import CrmUser
from sync.store.asking import HoldRow
from sync.store.base import Put, Row
from sync.store.journal import history_place
from sync.store.ledger import partition_of
from sync.store.memory import MemoryRows
from tests.contract.api_world import HEADERS, Api
from tests.unit.control.world import World


class Counting(MemoryRows):
    """`given`: rows that queries gave, by partition."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, int] = {}

    async def query(self, partition: str, first: str = "", last: str = "", limit: int = 0) -> AsyncIterator[Row]:
        async for row in super().query(partition, first, last, limit):
            self.given[partition] = self.given.get(partition, 0) + 1
            yield row


@pytest.fixture
async def api() -> Api:
    """Sixty users, each with a mailbox."""
    world = World(rows=Counting())
    staff = [CrmUser(f"19x{n}", f"Nome {n}", f"u{n}@acme.example", True) for n in range(10, 70)]
    await world.users.refresh(staff, world.now())
    for user in staff:
        await world.users.change(user.id, mailbox=f"m{user.id[3:]}", enabled=True)
        await world.registry.change_mailbox(f"m{user.id[3:]}", user=user.id)
    return Api(world)


async def ask(api: Api, name: str, **params: str) -> Any:
    """A page, and in `api.world.rows.given` what it read."""
    given(api).clear()
    answer = await api.raw(name, HEADERS, params=params)
    assert answer.status_code == 200, answer.get_body()
    return json.loads(answer.get_body())


def given(api: Api) -> dict[str, int]:
    rows = api.world.rows
    assert isinstance(rows, Counting)
    return rows.given


async def pages(api: Api, name: str, of: str, partition: str, size: int, **params: str) -> list[Any]:
    """All pages put together; none of them read more than one row beyond itself."""
    found: list[Any] = []
    after = ""
    while True:
        page = await ask(api, name, limit=str(size), after=after, **params)
        assert len(page[of]) <= size
        assert given(api)[partition] <= len(page[of]) + 1
        found += page[of]
        after = page["next"]
        if not after:
            return found


@pytest.mark.parametrize("size", [1, 7, 30, 59, 60])
async def test_users_and_mailboxes(api: Api, size: int) -> None:
    users = await pages(api, "users", "users", "users", size)
    assert [user["id"] for user in users] == [f"19x{n}" for n in range(10, 70)]
    assert {user["state"] for user in users} == {"ok"}
    assert "mailboxes" not in given(api), "mailboxes are read by key"
    mailboxes = await pages(api, "mailboxes", "mailboxes", "mailboxes", size)
    assert [each["user"] for each in mailboxes] == [user["id"] for user in users]


async def test_a_search_finds_parts_of_names_and_addresses(api: Api) -> None:
    async def ids(search: str, **params: str) -> list[str]:
        return [user["id"] for user in (await ask(api, "users", search=search, **params))["users"]]

    assert await ids("NOME 1") == [f"19x{n}" for n in range(10, 20)]
    assert await ids("u33@ACME") == ["19x33"]
    assert await ids("nobody") == []
    page = await ask(api, "users", search="nome 1", limit="4")
    assert (len(page["users"]), page["next"]) == (4, "19x13")
    rest = await ask(api, "users", search="nome 1", after=page["next"])
    assert ([user["id"] for user in rest["users"]], rest["next"]) == ([f"19x{n}" for n in range(14, 20)], "")


@pytest.mark.parametrize("size", [1, 7, 30])
async def test_audit_the_newest_first(api: Api, size: int) -> None:
    for number in range(30):
        api.world.pass_time(1)
        await api.world.connector.audit.begin("me", f"order{number}", "", api.world.now(), "id")
    found = await pages(api, "audit", "audit", "audit", size)
    assert [each["what"] for each in found] == [f"order{number}" for number in range(29, -1, -1)]


@pytest.mark.parametrize("size", [1, 7, 30])
async def test_holds(api: Api, size: int) -> None:
    for number in range(30):
        hold = HoldRow(f"h{number:02}", f"m{number % 2}", Kind.TASK, Side.CRM, Reason.DELETE_BRAKE, "2026-03-02")
        await api.world.registry.put_hold(hold)
    found = await pages(api, "holds", "holds", "holds", size)
    assert [each["id"] for each in found] == [f"h{number:02}" for number in range(30)]
    mine = await ask(api, "holds", mailbox="m1", state="open", limit="10")
    assert ([each["id"] for each in mine["holds"]], mine["next"]) == ([f"h{n:02}" for n in range(1, 20, 2)], "h19")
    rest = await ask(api, "holds", mailbox="m1", after="h19")
    assert ([each["id"] for each in rest["holds"]], rest["next"]) == ([f"h{n:02}" for n in range(21, 30, 2)], "")
    assert (await ask(api, "holds", state="approved"))["holds"] == []


@pytest.mark.parametrize("size", [1, 7, 30])
async def test_history_the_newest_first(api: Api, size: int) -> None:
    partition = partition_of("m10", Family.PEOPLE)
    times = [f"2026-0{1 + n // 28}-{1 + n % 28:02}T07:00:00+00:00" for n in range(30)]
    line = {"what": "update", "because": "crm_edited", "pairs": "a~b", "run": 7, "journal": "", "item": "card"}
    for crm_id in ("12x1", "12x10"):
        ops = [Put(history_place(crm_id, at, "n"), line) for at in times]
        await api.world.rows.transact(partition, ops)
    asked = {"mailbox": "m10", "family": "people", "id": "12x1"}
    found = await pages(api, "history", "lines", partition, size, **asked)
    assert [each["at"] for each in found] == times[::-1]


@pytest.mark.parametrize("name", ["users", "mailboxes", "holds", "audit"])
async def test_a_place_that_no_key_can_have_is_refused(api: Api, name: str) -> None:
    for after in ("a\x00", "\n", "\x85"):
        answer = await api.raw(name, HEADERS, params={"after": after})
        assert (answer.status_code, json.loads(answer.get_body())["field"]) == (400, "after")
    assert (await api.raw(name, HEADERS, params={"after": "o'n è 🚀"})).status_code == 200
