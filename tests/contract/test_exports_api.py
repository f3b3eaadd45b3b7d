"""The export of coming CRM events through the control API: shown, confirmed, carried out by the mailbox's run; for admins and for the own user."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mapping.calendar import EventTranslator
from sync.events import event_translator
from sync.model import Kind
from sync.policy import NO_CALENDAR, CalendarPolicy
from sync.sides.base import Mailbox
from sync.sides.memory import MemoryCalendar
from sync.store.exports import ordered
from tests.contract.api_world import Api, Sides, worker_of
from tests.contract.test_own_page import AZURE, signed_in
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World

ADMIN = signed_in("an-admin", admin=True)


class Calendars(Sides):
    """Each mailbox keeps its calendar."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.calendars = {mailbox: MemoryCalendar(mailbox, world.now) for mailbox in (ANNAS, BRUNOS)}

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return self.calendars[mailbox]


def event(world: World, owner: str, subject: str, day: str = "10") -> str:
    when = f"2026-03-{day}T09:00Z/2026-03-{day}T10:00Z"
    fields = {"subject": subject, "when": when, "visibility": "Standard", "taskpriority": "Medium"}
    return world.crm.add(Kind.EVENT, owner, {**fields, "uid": subject, "slot": "0"}).id


async def ask(
    api: Api, name: str, headers: dict[str, str], body: Any = None, user: str = ANNA
) -> tuple[int, dict[str, Any]]:
    answer = await api.raw(name, headers, json.dumps(body or {}).encode(), route={"id": user})
    return answer.status_code, json.loads(answer.get_body())


@pytest.fixture
async def api() -> Api:
    """Two connected users with coming events of before; Anna's is over the first synchronisation."""
    world = World()
    world.translators = {**world.translators, Kind.EVENT: event_translator(NO_CALENDAR.zone)}
    assert isinstance(world.translators[Kind.EVENT], EventTranslator)
    api = Api(world, **AZURE)
    await ask(api, "users", ADMIN)
    for owner, subject in ((ANNA, "a1"), (ANNA, "a2"), (BRUNO, "b1")):
        event(world, owner, subject)
    for user in (ANNA, BRUNO):
        assert (await ask(api, "user_put", ADMIN, {"enabled": True}, user))[0] == 200
    return api


async def runs(api: Api, sides: Calendars) -> None:
    worker = worker_of(api.world)
    object.__setattr__(worker, "sides", sides)
    for mailbox in (ANNAS, BRUNOS):
        for _ in range(2):
            api.world.pass_time(5)
            await worker.run(mailbox)
    api.world.queue.take()


async def test_shown_confirmed_and_carried_out(api: Api) -> None:
    sides = Calendars(api.world)
    status, problem = await ask(api, "user_exports", ADMIN)
    assert (status, problem["code"]) == (409, "export_too_early")
    await runs(api, sides)
    assert sides.calendars[ANNAS].writes == 0
    status, seen = await ask(api, "user_exports", ADMIN)
    assert (status, seen["count"], seen["single"], seen["series"], seen["mails"], seen["waiting"]) == (
        200,
        2,
        2,
        0,
        0,
        0,
    )
    status, problem = await ask(api, "user_exports_order", ADMIN, {"confirm": 1})
    assert (status, problem["code"], problem["count"]) == (409, "exports_changed", "2")
    assert await ordered(api.world.rows, ANNAS) == frozenset()
    status, after = await ask(api, "user_exports_order", ADMIN, {"confirm": 2})
    assert (status, after["waiting"]) == (202, 2)
    assert api.world.queue.take() == [ANNAS]
    assert (await api.world.mailbox()).dirty
    status, again = await ask(api, "user_exports", ADMIN)
    assert (again["count"], again["waiting"]) == (0, 2)
    assert (await ask(api, "user_exports_order", ADMIN, {"confirm": 0}))[0] == 202
    await runs(api, sides)
    assert sorted(each.fields["subject"] for each in sides.calendars[ANNAS].events.values()) == ["a1", "a2"]
    assert sides.calendars[BRUNOS].writes == 0
    status, done = await ask(api, "user_exports", ADMIN)
    assert (done["count"], done["waiting"], done["left"]) == (0, 0, {})
    audit = [each["what"] for each in (await ask(api, "audit", ADMIN))[1]["audit"]]
    assert "user_exports_order" in audit


async def test_a_user_orders_for_the_own_calendar_and_nobody_elses(api: Api) -> None:
    sides = Calendars(api.world)
    await runs(api, sides)
    status, seen = await ask(api, "my_exports", signed_in(BRUNOS))
    assert (status, seen["count"]) == (200, 1)
    assert (await ask(api, "my_exports_order", signed_in(BRUNOS), {"confirm": 1}, user=ANNA))[0] == 202
    assert (len(await ordered(api.world.rows, BRUNOS)), await ordered(api.world.rows, ANNAS)) == (1, frozenset())
    for name in ("user_exports", "user_exports_order"):
        assert (await ask(api, name, signed_in(BRUNOS), {"confirm": 2}))[0] == 403
    stranger = signed_in("0000000c-0000-4000-8000-000000000000")
    for name in ("my_exports", "my_exports_order"):
        assert (await ask(api, name, stranger, {"confirm": 0}))[0] == 404


async def test_who_is_not_connected_has_nothing_to_export_and_nobody_is_asked_while_nothing_runs(api: Api) -> None:
    await runs(api, Calendars(api.world))
    await api.world.board.enter("killed", api.world.now())
    for name in ("user_exports", "user_exports_order"):
        status, problem = await ask(api, name, ADMIN, {"confirm": 2})
        assert (status, problem["code"]) == (409, "no_preview")
    await api.world.board.enter("running", api.world.now())
    assert (await ask(api, "user_put", ADMIN, {"enabled": False}))[0] == 200
    status, problem = await ask(api, "user_exports", ADMIN)
    assert (status, problem["code"]) == (409, "not_connected")
    assert (await ask(api, "user_exports", ADMIN, user="19x99"))[0] == 404
    status, problem = await ask(api, "user_exports_order", ADMIN, {"confirm": -1}, BRUNO)
    assert (status, problem["field"]) == (400, "confirm")
