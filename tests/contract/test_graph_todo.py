"""To Do on Graph through our adapter: the contract over the emulator, and what is particular about To Do (BEHAVIOUR 2.6, 7.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from emulators.corner import Clock, Fault
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from sync.errors import RetryLater
from sync.model import Gone, Item, Kind
from sync.sides.base import CursorLost, Done, New, Refused, Revise, Unclear
from sync.sides.graph.todo import GraphTodo
from sync.sides.graph.todo_lists import LONGEST, Lists, read_lists
from sync.sides.graph.todo_tasks import item_of, task_of
from tests.contract.graph_world import Time, plug
from tests.contract.todo_contract import DATES, OFFER, STAMP, TodoContract, made, read, walk

MAIL = "anna@example.com"
ROME = ZoneInfo("Europe/Rome")


class Watched(httpx.AsyncBaseTransport):
    """Notes what is asked, and passes it on."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.asked: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return await self._inner.handle_async_request(request)


class GraphTodoWorld:
    """Implements `todo_contract.TodoWorld`."""

    def __init__(self, zone: ZoneInfo = ROME) -> None:
        self.emulator = GraphEmulator(clock=Clock(datetime(2026, 11, 23, 8, tzinfo=UTC)), auth=False)
        user = self.emulator.add_user(MAIL, "Anna Neri")
        self.outlook = self.emulator.outlook
        self.wire = Watched(InProcessTransport(self.emulator.app))
        self.connection = plug(self.wire, time=Time())
        self.mailbox = GraphTodo(self.connection, user, zone=zone)
        self.other = self.outlook.create_task_list(MAIL, "Casa")
        lists = self.emulator.dump(MAIL)["task_lists"]
        self.default = next(each["id"] for each in lists if each["wellknownListName"] == "defaultList")
        self.zone = zone

    async def add(self, fields: Mapping[str, str], in_list: str) -> str:
        body = task_of(fields, self.zone)
        return f"{in_list}|{self.outlook.create_task(MAIL, body, in_list)}"

    async def edit(self, item_id: str, fields: Mapping[str, str]) -> None:
        self.outlook.edit_task(MAIL, item_id.partition("|")[2], task_of(fields, self.zone))

    async def delete(self, item_id: str) -> None:
        self.outlook.delete_task(MAIL, item_id.partition("|")[2])

    async def move(self, item_id: str, to_list: str) -> str:
        return f"{to_list}|{self.outlook.move_task(MAIL, item_id.partition('|')[2], to_list)}"

    async def delete_list(self, list_id: str) -> None:
        self.outlook.delete_task_list(MAIL, list_id)

    async def forget_cursors(self) -> None:
        self.emulator.expire_delta(MAIL)


@pytest.fixture
async def world() -> AsyncIterator[GraphTodoWorld]:
    world = GraphTodoWorld()
    yield world
    await world.connection.close()


class TestGraphTodo(TodoContract):
    pass


class TestWhatIsAsked:
    async def test_no_options_and_no_immutable_ids(self, world: GraphTodoWorld) -> None:
        await made(world)
        await walk(world.mailbox, None)
        asked = [request for request in world.wire.asked if "/todo/" in request.url.path]
        assert asked
        assert not any("Immutable" in request.headers.get("Prefer", "") for request in world.wire.asked)
        assert not any(b"Immutable" in request.content for request in world.wire.asked)
        assert not any("$select" in str(r.url) or "$top" in str(r.url) or "$filter" in str(r.url) for r in asked)

    async def test_a_quiet_round_asks_once_per_list_and_once_for_the_lists(self, world: GraphTodoWorld) -> None:
        _, _, _, cursor = await walk(world.mailbox, None)
        before = len(world.wire.asked)
        await walk(world.mailbox, cursor)
        assert len(world.wire.asked) - before == 3

    async def test_flagged_mail_is_no_list_of_tasks(self, world: GraphTodoWorld) -> None:
        items, _, whole, _ = await walk(world.mailbox, None)
        assert whole == {world.default, world.other}
        assert items == {}

    async def test_a_start_travels_with_the_due_date(self, world: GraphTodoWorld) -> None:
        item = await made(world, **DATES)
        (result,) = await world.mailbox.apply([Revise(item, {"start": "2026-12-02"})])
        assert isinstance(result, Done)
        assert result.item is not None
        assert (result.item.fields["start"], result.item.fields["due"]) == ("2026-12-02", "2026-12-03")


class TestAccidents:
    async def test_one_list_that_lost_its_link_is_listed_again_alone(self, world: GraphTodoWorld) -> None:
        await world.add(OFFER, world.default)
        kept = await world.add(OFFER, world.other)
        _, _, _, cursor = await walk(world.mailbox, None)
        lists = read_lists(cursor)
        lists.tasks[world.other] = f"{lists.tasks[world.other]}x"
        items, _, whole, _ = await walk(world.mailbox, lists.text())
        assert (set(items), whole) == ({kept}, {world.other})

    async def test_a_list_that_went_while_the_lists_were_lost_is_a_claim(self, world: GraphTodoWorld) -> None:
        _, _, _, cursor = await walk(world.mailbox, None)
        await world.delete_list(world.other)
        await world.forget_cursors()
        _, gone, whole, _ = await walk(world.mailbox, cursor)
        assert gone == {world.other}
        assert whole == {world.default}

    async def test_a_broken_cursor_is_lost(self, world: GraphTodoWorld) -> None:
        for text in ("x", "{}", '{"v": 0}', '{"v": 1, "lists": "", "tasks": [], "default": ""}'):
            with pytest.raises(CursorLost):
                await walk(world.mailbox, text)

    async def test_a_lone_404_proves_nothing(self, world: GraphTodoWorld) -> None:
        item = await made(world)
        body = {"error": {"code": "ErrorItemNotFound", "message": "x"}}
        world.emulator.parts.add(Fault("status", 404, body=body), match="GET .*tasks/{id}")
        assert isinstance((await world.mailbox.get([item.id]))[item.id], Item)

    async def test_nothing_is_gone_while_the_default_list_does_not_answer(self, world: GraphTodoWorld) -> None:
        item = await made(world)
        await world.delete(item.id)
        world.emulator.corner.add_fault(Fault("status", 503), match="GET .*todo/lists/{id}$", times=9)
        with pytest.raises(RetryLater):
            await world.mailbox.get([item.id])

    async def test_a_task_under_the_wrong_list_is_not_there(self, world: GraphTodoWorld) -> None:
        item = await made(world)
        elsewhere = f"{world.other}|{item.id.partition('|')[2]}"
        assert isinstance((await world.mailbox.get([elsewhere]))[elsewhere], Gone)

    async def test_a_lost_answer_is_unclear_and_found_by_its_stamp(self, world: GraphTodoWorld) -> None:
        world.emulator.corner.add_fault(Fault("lost_response"), match="batch")
        (result,) = await world.mailbox.apply([New(Kind.TASK, OFFER, STAMP)])
        assert isinstance(result, Unclear)
        assert [i.stamp async for page in world.mailbox.stamped() for i in page] == [STAMP]

    async def test_one_bad_write_stops_no_other(self, world: GraphTodoWorld) -> None:
        item, other = await made(world), await made(world, "1x8;task;n2")
        await world.edit(item.id, {"title": "Altra"})
        first, second = await world.mailbox.apply(
            [Revise(item, {"status": "completed"}), Revise(other, {"status": "completed"})]
        )
        assert isinstance(first, Refused)
        assert isinstance(second, Done)


class TestRecurring:
    async def test_done_in_to_do_it_goes_on_and_a_done_one_appears(self, world: GraphTodoWorld) -> None:
        pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
        range_ = {"type": "noEnd", "startDate": "2026-11-23", "recurrenceTimeZone": "Europe/Rome"}
        body = {
            **task_of({"title": "Report", "due": "2026-11-23"}, ROME),
            "recurrence": {"pattern": pattern, "range": range_},
        }
        task = f"{world.default}|{world.outlook.create_task(MAIL, body)}"
        assert (await read(world, task)).fields["recurring"] == "1"
        _, _, _, cursor = await walk(world.mailbox, None)
        world.outlook.complete_task(MAIL, task.partition("|")[2])
        items, gone, _, _ = await walk(world.mailbox, cursor)
        assert gone == set()
        goes_on = items.pop(task)
        (done,) = items.values()
        assert (goes_on.fields["status"], goes_on.fields["due"]) == ("notStarted", "2026-11-30")
        assert (done.fields["status"], done.fields["due"], done.fields["recurring"]) == ("completed", "2026-11-23", "")


# pure parts


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-11-30T23:00:00.0000000", "Europe/Rome", "2026-12-01"),
        ("2026-06-30T22:00:00.0000000", "Europe/Rome", "2026-07-01"),
        ("2026-12-01T05:00:00.0000000", "Europe/Rome", "2026-12-01"),  # written in New York
        ("2026-11-30T15:00:00.0000000", "Europe/Rome", "2026-12-01"),  # written in Tokyo
        ("2026-12-01T00:00:00.0000000", "UTC", "2026-12-01"),
        ("2026-11-30T13:00:00.0000000", "Pacific/Apia", "2026-12-01"),
    ],
)
def test_a_day_is_the_nearest_midnights(moment: str, zone: str, day: str) -> None:
    task = {"id": "t", "title": "x", "dueDateTime": {"dateTime": moment, "timeZone": "UTC"}}
    assert item_of(task, "l", "me", ZoneInfo(zone)).fields["due"] == day


def test_another_applications_link_is_no_stamp_of_ours() -> None:
    link = {"applicationName": "Outlook", "externalId": "1x7;task;n"}
    assert item_of({"id": "t", "linkedResources": [link]}, "l", "me", ROME).stamp == ""


def test_a_reminder_is_an_instant_while_it_is_on() -> None:
    moment = {"dateTime": "2026-12-01T08:30:00.0000000", "timeZone": "UTC"}
    task = {"id": "t", "isReminderOn": True, "reminderDateTime": moment}
    assert item_of(task, "l", "me", ROME).fields["reminder"] == "2026-12-01T08:30:00Z"
    assert item_of({**task, "isReminderOn": False}, "l", "me", ROME).fields["reminder"] == ""


def test_a_cursor_never_outgrows_the_store() -> None:
    lists = Lists("l" * 400, {f"list{n}": "x" * 500 for n in range(200)}, "list0")
    text = lists.text()
    again = read_lists(text)
    assert len(text) <= LONGEST
    assert set(again.tasks) == set(lists.tasks)
    assert again.tasks["list0"] == "x" * 500
    assert again.tasks["list199"] == ""
    small = Lists("l", {"a": "b"}, "a")
    assert read_lists(small.text()) == small


def test_lists_that_are_not_followed() -> None:
    lists = Lists(tasks={"mine": "x"})
    assert lists.take({"id": "f", "wellknownListName": "flaggedEmails", "isOwner": True}) == ""
    assert lists.take({"id": "hers", "wellknownListName": "none", "isOwner": False}) == ""
    assert lists.take({"id": "mine", "wellknownListName": "none", "isOwner": False}) == "mine"
    assert lists.take({"id": "d", "wellknownListName": "defaultList", "isOwner": True}) == ""
    assert (lists.tasks, lists.default) == ({"d": ""}, "d")
