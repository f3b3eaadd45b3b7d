"""Delta rounds, moves, recurring tasks and a person's hand in the emulated To Do (BEHAVIOUR 2.1, 2.2, 2.6, 7.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from kiota_abstractions.authentication.anonymous_authentication_provider import AnonymousAuthenticationProvider
from msgraph.generated.models.linked_resource import LinkedResource
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.task_status import TaskStatus
from msgraph.generated.models.todo_task import TodoTask
from msgraph.generated.models.wellknown_list_name import WellknownListName
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_calendar import client, emulator, error
from tests.contract.graph_schema import judge
from tests.contract.graph_todo import (
    LINK,
    LISTS,
    MAIL,
    TASKS,
    Body,
    create,
    default_list,
    due,
    folded,
    of_list,
    pages,
    weekly,
)

REMOVED = {"@removed": {"reason": "deleted"}}


@pytest.fixture
def graph() -> GraphEmulator:
    return emulator()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


def delta_of(graph: GraphEmulator) -> str:
    return f"{of_list(default_list(graph))}/delta"


def gone(*ids: str) -> dict[str, Body]:
    return {each: {"id": each, **REMOVED} for each in ids}


def shown(task: Body) -> tuple[str, str, bool]:
    """Status, due date and whether it recurs."""
    return task["status"], task.get("dueDateTime", {}).get("dateTime", "")[:16], "recurrence" in task


# rounds ------------------------------------------------------------------------------------------------------------


async def test_pages_of_fifty_unless_each_request_asks(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    for number in range(120):
        graph.outlook.create_task(MAIL, {"title": str(number)})
    graph.quirks.delta_repeats = graph.quirks.delta_empty_pages = False
    url = delta_of(graph)
    assert [len(page["value"]) for page in await pages(http, url)] == [50, 50, 20]
    assert [len(page["value"]) for page in await pages(http, url, 100)] == [100, 20]
    first = (await http.get(url, headers={"Prefer": "odata.maxpagesize=10"})).json()
    second = (await http.get(first["@odata.nextLink"])).json()
    assert (len(first["value"]), len(second["value"])) == (10, 50)  # the wish is not carried (2.1)


async def test_a_round_tells_changes_as_whole_objects(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    url = delta_of(graph)
    made = await create(http, {"title": "A", "linkedResources": [LINK], "checklistItems": [{"displayName": "S"}]})
    still = graph.outlook.create_task(MAIL, {"title": "still"})
    known, link = await folded(http, f"{url}?$expand=linkedResources")  # accepted, without effect
    assert set(known) == {made["id"], still}
    assert (await folded(http, link))[0] == {}
    step = of_list(default_list(graph), made["id"], f"checklistItems/{made['checklistItems'][0]['id']}")
    await http.patch(step, json={"isChecked": True})
    known, link = await folded(http, link)
    assert set(known) == {made["id"]}
    assert known[made["id"]]["linkedResources"] == made["linkedResources"]
    assert known[made["id"]]["checklistItems"][0]["isChecked"] is True
    assert known[made["id"]]["@odata.etag"] != made["@odata.etag"]
    graph.outlook.delete_task(MAIL, still)
    known, _ = await folded(http, link)
    assert known == gone(still)
    first, _ = await folded(http, url)
    assert first.pop(still) == gone(still)[still]  # first rounds tell of removals, too
    assert set(first) == {made["id"]}


@pytest.mark.parametrize("option", ["$top=5", "$filter=status eq 'completed'", "$count=true", "$orderby=title"])
async def test_delta_takes_no_options(graph: GraphEmulator, http: httpx.AsyncClient, option: str) -> None:
    for url in (f"{LISTS}/delta", delta_of(graph)):
        assert error(await http.get(f"{url}?{option}")) == (400, "RequestBroker--ParseUri")


async def test_tokens_die_and_belong_to_one_list(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    url, other = delta_of(graph), f"{of_list(graph.outlook.create_task_list(MAIL, 'Casa'))}/delta"
    _, link = await folded(http, url)
    token = link.partition("$deltatoken=")[2]
    assert error(await http.get(f"{other}?$deltatoken={token}")) == (410, "SyncStateNotFound")
    assert error(await http.get(f"{url}?$deltatoken={token[:-2]}AA"))[0] == 400
    malformed = await http.get(f"{url}?$deltatoken=nonsense")
    assert (malformed.status_code, malformed.json()["error"]["message"]) == (400, "Badly formed token.")
    for _ in range(graph.quirks.generations_kept):
        await folded(http, url)
    assert error(await http.get(link)) == (410, "SyncStateNotFound")
    _, lists = await folded(http, f"{LISTS}/delta")
    graph.expire_delta(MAIL)
    assert error(await http.get(lists)) == (410, "SyncStateNotFound")


async def test_lists_delta_tells_of_all_lists(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    known, link = await folded(http, f"{LISTS}/delta")
    assert [each["wellknownListName"] for each in known.values()] == ["defaultList", "flaggedEmails"]
    home = graph.outlook.create_task_list(MAIL, "Casa")
    graph.outlook.create_task(MAIL, {"title": "T"}, "Casa")
    known, link = await folded(http, link)
    assert [each["displayName"] for each in known.values()] == ["Casa"]
    graph.outlook.create_task(MAIL, {"title": "U"}, home)
    assert (await folded(http, link))[0] == {}  # a task is no change of its list
    graph.outlook.rename_task_list(MAIL, "Casa", "Domus")
    known, link = await folded(http, link)
    assert known[home]["displayName"] == "Domus"
    graph.outlook.delete_task_list(MAIL, "Domus")
    assert (await folded(http, link))[0] == gone(home)


async def test_a_deleted_list_is_silent_in_its_own_delta(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    home = graph.outlook.create_task_list(MAIL, "Casa")
    task = graph.outlook.create_task(MAIL, {"title": "T"}, home)
    _, link = await folded(http, f"{of_list(home)}/delta")
    graph.outlook.delete_task_list(MAIL, home)
    assert (await folded(http, link))[0] == (await folded(http, f"{of_list(home)}/delta"))[0] == {}
    for path in (f"{LISTS}/{home}", of_list(home), of_list(home, task)):
        assert error(await http.get(path)) == (404, "ErrorItemNotFound")
    lost = await create(http, {"title": "late"}, of_list(home))  # 201 for a while, and nowhere to be read
    assert error(await http.get(of_list(home, lost["id"]))) == (404, "ErrorItemNotFound")
    assert (await folded(http, link))[0] == {}
    graph.quirks.todo_late_posts = False
    assert error(await http.post(of_list(home), json={"title": "late"})) == (404, "ErrorItemNotFound")


async def test_a_moved_task_is_gone_here_and_new_there(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    home = graph.outlook.create_task_list(MAIL, "Casa")
    made = await create(http, {"title": "T", "linkedResources": [LINK]})
    _, here = await folded(http, delta_of(graph))
    _, there = await folded(http, f"{of_list(home)}/delta")
    moved = graph.outlook.move_task(MAIL, made["id"], "casa")
    assert moved != made["id"]
    known, here = await folded(http, here)
    assert known == gone(made["id"])
    known, there = await folded(http, there)
    assert known[moved]["linkedResources"] == made["linkedResources"]
    assert known[moved]["createdDateTime"] == made["createdDateTime"]
    assert error(await http.get(of_list(default_list(graph), made["id"]))) == (404, "ErrorItemNotFound")
    back = graph.outlook.move_task(MAIL, moved)
    assert back not in (made["id"], moved)
    assert set((await folded(http, here))[0]) == {back}
    assert (await folded(http, there))[0] == gone(moved)


# recurring tasks ---------------------------------------------------------------------------------------------------


async def test_completing_a_recurring_task_splits_it(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    reminder = {
        "reminderDateTime": {"dateTime": "2026-11-23T09:30:00", "timeZone": "Europe/Rome"},
        "isReminderOn": True,
    }
    body = {"title": "Rapporto", "linkedResources": [LINK], "checklistItems": [{"displayName": "S", "isChecked": True}]}
    made = await create(http, {**body, **due("2026-11-23"), **weekly(), **reminder})
    _, link = await folded(http, delta_of(graph))
    answer = await http.patch(f"{TASKS}/{made['id']}", json={"status": "completed", "importance": "high"})
    assert (answer.status_code, answer.json()["id"]) == (200, made["id"])
    known, link = await folded(http, link)
    going_on = known.pop(made["id"])
    assert shown(going_on) == ("notStarted", "2026-11-29T23:00", True)
    assert going_on["reminderDateTime"]["dateTime"][:16] == "2026-11-30T08:30"
    assert going_on["checklistItems"][0]["isChecked"] is False
    ((_, done),) = known.items()
    assert shown(done) == ("completed", "2026-11-22T23:00", False)
    assert (done["importance"], done["completedDateTime"]["dateTime"][:10]) == ("high", "2026-11-01")
    assert done["checklistItems"][0]["isChecked"] is True
    assert done["linkedResources"][0]["externalId"] == LINK["externalId"]  # the stamp travels with the copy
    graph.quirks.todo_split_keeps_link = False
    second = graph.outlook.complete_task(MAIL, made["id"])
    known, _ = await folded(http, link)
    assert "linkedResources" not in known[second]
    assert shown(known[made["id"]])[1] == "2026-12-06T23:00"


@pytest.mark.parametrize(("zone", "next_due"), [("Europe/Rome", "2026-03-29T22:00"), ("", "2026-03-23T00:00")])
async def test_without_a_zone_the_next_date_is_a_day_off(
    graph: GraphEmulator, http: httpx.AsyncClient, zone: str, next_due: str
) -> None:
    made = await create(http, {"title": "T", **due("2026-03-23"), **weekly("2026-03-23", zone=zone)})
    assert shown(made)[1] == "2026-03-22T23:00"
    graph.outlook.complete_task(MAIL, made["id"])  # the next one is in summer time
    assert shown(graph.outlook.show_task(MAIL, made["id"])) == ("notStarted", next_due, True)


async def test_the_last_occurrence_is_just_completed(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    rule = weekly(type="numbered", numberOfOccurrences=2)
    made = await create(http, {"title": "T", **rule})
    assert shown(made) == ("notStarted", "2026-11-22T23:00", True)  # a rule without a date brings its first one
    assert graph.outlook.complete_task(MAIL, made["id"]) != made["id"]
    assert graph.outlook.complete_task(MAIL, made["id"]) == made["id"]
    assert shown(graph.outlook.show_task(MAIL, made["id"]))[0] == "completed"
    assert len(graph.dump(MAIL)["task_lists"][0]["tasks"]) == 2


async def test_another_due_date_for_a_recurring_task_makes_a_second_one(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    made = await create(http, {"title": "T", **due("2026-11-23"), **weekly()})
    answer = (await http.patch(f"{TASKS}/{made['id']}", json=due("2026-11-25"))).json()
    assert shown(answer)[:2] == ("notStarted", "2026-11-22T23:00")  # the old date
    tasks = {each["id"]: each for each in graph.dump(MAIL)["task_lists"][0]["tasks"]}
    assert sorted(shown(each)[:2] for each in tasks.values()) == [
        ("notStarted", "2026-11-22T23:00"),
        ("notStarted", "2026-11-29T23:00"),
    ]
    graph.quirks.todo_recurring_due = "moves"
    (other,) = set(tasks) - {made["id"]}
    moved = (await http.patch(f"{TASKS}/{other}", json=due("2026-12-01"))).json()
    assert shown(moved) == ("notStarted", "2026-11-30T23:00", True)
    ended = (await http.patch(f"{TASKS}/{other}", json={"dueDateTime": None})).json()
    assert shown(ended) == ("notStarted", "", False)


# the hand ----------------------------------------------------------------------------------------------------------


async def test_the_hand_over_http(graph: GraphEmulator) -> None:
    async with httpx.AsyncClient(transport=InProcessTransport(graph.app), base_url="http://graph/_emulator") as corner:

        async def do(action: str, **given: Any) -> Any:
            answer = await corner.post("/outlook", json={"do": action, "user": MAIL, **given})
            assert answer.status_code == 200, answer.text
            return answer.json()["result"]

        home = await do("create_task_list", name="Casa")
        task = await do("create_task", fields={"title": "T", **due("2026-12-01")})
        assert await do("complete_task", task=task) == task
        assert (await do("show_task", task=task))["status"] == "completed"
        await do("reopen_task", task=task)
        await do("edit_task", task=task, fields={"importance": "low"})
        task = await do("move_task", task=task, task_list="Casa")
        lists = (await corner.post("/mailbox", json={"user": MAIL})).json()["task_lists"]
        assert [each["displayName"] for each in lists] == ["Attività", "Posta elettronica contrassegnata", "Casa"]
        (held,) = lists[2]["tasks"]
        assert (held["id"], held["status"], held["importance"]) == (task, "notStarted", "low")
        await do("delete_task", task=task)
        await do("rename_task_list", task_list=home, name="Domus")
        await do("delete_task_list", task_list="Domus")
        assert (
            await corner.post("/outlook", json={"do": "delete_task", "user": MAIL, "task": task})
        ).status_code == 400
        assert (await corner.put("/quirks", json={"todo_lists": "all"})).json()["todo_lists"] == "all"


def test_the_hand_refuses_what_is_not_there(graph: GraphEmulator) -> None:
    outlook = graph.outlook
    with pytest.raises(ValueError, match="no list 'Casa'"):
        outlook.create_task(MAIL, {"title": "T"}, "Casa")
    with pytest.raises(ValueError, match="no task"):
        outlook.complete_task(MAIL, "none")
    with pytest.raises(ValueError, match="built-in"):
        outlook.rename_task_list(MAIL, "Attività", "Mine")
    with pytest.raises(ValueError, match="invalidRequest"):
        outlook.create_task(MAIL, {"status": "done"})
    with pytest.raises(ValueError, match="Request_ResourceNotFound"):
        outlook.create_task("nobody@example.com", {"title": "T"})


# Microsoft's own client ----------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning:msgraph", "ignore::DeprecationWarning:kiota_abstractions")
async def test_the_sdk_speaks_with_it(graph: GraphEmulator) -> None:
    hooks: dict[str, list[Any]] = {"response": [judge]}
    async with httpx.AsyncClient(transport=InProcessTransport(graph.app), event_hooks=hooks) as http:
        adapter = GraphRequestAdapter(
            AnonymousAuthenticationProvider(), client=GraphClientFactory.create_with_default_middleware(client=http)
        )
        adapter.base_url = "http://127.0.0.1/v1.0"
        todo = GraphServiceClient(request_adapter=adapter).users.by_user_id(MAIL).todo
        lists = await todo.lists.delta.get()
        assert lists is not None
        assert lists.value is not None
        (default,) = (each for each in lists.value if each.wellknown_list_name == WellknownListName.DefaultList)
        tasks = todo.lists.by_todo_task_list_id(default.id or "").tasks
        link = LinkedResource(application_name="vtenext", external_id="1x7")
        made = await tasks.post(TodoTask(title="Offerta", linked_resources=[link]))
        assert made is not None
        one = tasks.by_todo_task_id(made.id or "")
        done = await one.patch(TodoTask(status=TaskStatus.Completed))
        assert done is not None
        assert done.completed_date_time is not None
        told = await tasks.delta.get()
        assert told is not None
        assert told.odata_delta_link
        assert [(each.id, each.status) for each in told.value or ()] == [(made.id, TaskStatus.Completed)]
        await one.delete()
        with pytest.raises(ODataError) as refused:
            await one.get()
        assert refused.value.error is not None
        assert refused.value.error.code == "ErrorItemNotFound"
