"""Lists and tasks of the emulated To Do: what BEHAVIOUR 1.1, 2.6, 5.1, 6 and 7.3 say of them, judged by Microsoft's schema."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_calendar import at, client, emulator, error
from tests.contract.graph_schema import judge
from tests.contract.graph_todo import LINK, LISTS, MAIL, TASKS, Body, create, default_list, due, of_list

WRONG_LIST = (400, "invalidRequest")


@pytest.fixture
def graph() -> GraphEmulator:
    return emulator()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


async def task_of(http: httpx.AsyncClient, graph: GraphEmulator, task: str) -> Body:
    answer = await http.get(of_list(default_list(graph), task))
    assert answer.status_code == 200, answer.text
    found: Body = answer.json()
    return found


# lists -------------------------------------------------------------------------------------------------------------


async def test_built_in_lists_have_localised_names_and_stay(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    default, flagged = graph.world.user(MAIL).mailbox.todo.live_lists()
    read = (await http.get(f"{LISTS}/{default.id}")).json()
    assert (read["displayName"], read["wellknownListName"], read["isOwner"]) == ("Attività", "defaultList", True)
    graph.quirks.todo_language = "en"
    assert (await http.get(f"{LISTS}/Tasks")).json()["displayName"] == "Tasks"
    for each in (default, flagged):
        renamed = await http.patch(f"{LISTS}/{each.id}", json={"displayName": "Mine"})
        assert error(renamed) == error(await http.delete(f"{LISTS}/{each.id}")) == WRONG_LIST
    assert error(await http.post(of_list(flagged.id), json={"title": "x"})) == WRONG_LIST
    assert graph.outlook.create_task(MAIL, {"title": "a flagged mail"}, "Flagged Emails") in flagged.tasks


async def test_lists_are_made_renamed_and_deleted(http: httpx.AsyncClient) -> None:
    made = (await http.post(LISTS, json={"displayName": "Casa"})).json()
    assert made["wellknownListName"] == "none"
    path = f"{LISTS}/{made['id']}"
    stale = {"If-Match": made["@odata.etag"]}
    for name in ("Home", "Domus"):  # the second time the etag is stale: ignored (5.1)
        renamed = await http.patch(path, json={"displayName": name}, headers=stale)
        assert (renamed.status_code, renamed.json()["displayName"], renamed.json()["id"]) == (200, name, made["id"])
        assert renamed.json()["@odata.etag"] != made["@odata.etag"]
    assert error(await http.post(LISTS, json={"displayName": " "})) == WRONG_LIST
    assert (await http.delete(path, headers=stale)).status_code == 204
    assert error(await http.get(path)) == error(await http.delete(path)) == (404, "ErrorItemNotFound")
    assert error(await http.get(f"{LISTS}/nonsense")) == (400, "ErrorInvalidIdMalformed")


async def test_the_listing_of_lists_is_not_to_be_trusted(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.outlook.create_task_list(MAIL, "Casa")

    async def kinds(query: str = "") -> list[str]:
        return [each["wellknownListName"] for each in (await http.get(LISTS + query)).json()["value"]]

    assert await kinds() == ["flaggedEmails"]
    graph.quirks.todo_lists = "all"
    assert await kinds("?$expand=tasks&$count=true") == ["defaultList", "flaggedEmails", "none"]
    assert await kinds("?$filter=displayName eq 'casa'") == ["none"]


@pytest.mark.parametrize("path", ["", "/tasks", "/delta", "/tasks/tasks", "/tasks/tasks/delta"])
async def test_select_is_refused_everywhere(http: httpx.AsyncClient, path: str) -> None:
    assert error(await http.get(f"{LISTS}{path}?$select=id")) == (400, "RequestBroker--ParseUri")


# what a task holds -------------------------------------------------------------------------------------------------


async def test_a_task_comes_back_whole_and_what_is_unset_is_absent(http: httpx.AsyncClient) -> None:
    made = await create(http, {"title": "Offerta", "createdDateTime": "2001-01-01T00:00:00Z"})
    assert {key: value for key, value in made.items() if "@" not in key and key != "id"} == {
        "title": "Offerta",
        "body": {"content": "", "contentType": "text"},
        "status": "notStarted",
        "importance": "normal",
        "isReminderOn": False,
        "categories": [],
        "hasAttachments": False,
        "createdDateTime": "2026-11-01T08:00:00Z",
        "lastModifiedDateTime": "2026-11-01T08:00:00Z",
    }
    assert made["@odata.etag"].startswith('W/"')
    assert "Preference-Applied" not in (await http.get(TASKS)).headers  # no immutable ids (5.2)


async def test_values_round_trip(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    sent: Body = {"status": "waitingOnOthers", "importance": "high", "categories": ["Rosso", "Rosso", "Blu"]}
    made = await create(
        http, {**sent, "body": {"content": "uno\ndue", "contentType": "text"}, "linkedResources": [LINK]}
    )
    read = await task_of(http, graph, made["id"])
    assert {**read, "@odata.context": ""} == {**made, "@odata.context": ""}
    assert (read["status"], read["importance"], read["categories"]) == ("waitingOnOthers", "high", ["Rosso", "Blu"])
    assert read["body"] == {"content": "uno\r\ndue", "contentType": "text"}
    assert [{**each, "id": ""} for each in read["linkedResources"]] == [{**LINK, "id": ""}]
    html = {"content": "<b>tre</b><script>x()</script>", "contentType": "html"}
    changed = (await http.patch(f"{TASKS}/{made['id']}", json={"body": html, "importance": None})).json()
    assert changed["body"]["contentType"] == "html"
    assert "<b>tre</b>" in changed["body"]["content"]
    assert "script" not in changed["body"]["content"]
    assert (changed["importance"], changed["status"]) == ("normal", "waitingOnOthers")


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Rome", "2026-12-02T23:00:00.0000000"),
        ("W. Europe Standard Time", "2026-12-02T23:00:00.0000000"),
        ("UTC", "2026-12-03T00:00:00.0000000"),
        ("America/New_York", "2026-12-03T05:00:00.0000000"),
    ],
)
async def test_dates_keep_the_midnight_of_their_zone_and_read_in_utc(
    http: httpx.AsyncClient, zone: str, shown: str
) -> None:
    when = at("2026-12-03T15:45:00", zone)
    both = {"dueDateTime": when, "startDateTime": when, "reminderDateTime": when, "isReminderOn": True}
    made = await create(http, {"title": "T", **both})
    assert made["dueDateTime"] == made["startDateTime"] == {"dateTime": shown, "timeZone": "UTC"}
    assert made["reminderDateTime"]["dateTime"][14:16] == "45"  # keeps its time
    cleared = (await http.patch(f"{TASKS}/{made['id']}", json=dict.fromkeys([*both, "isReminderOn"]))).json()
    assert not {"dueDateTime", "startDateTime", "reminderDateTime"} & cleared.keys()
    assert cleared["isReminderOn"] is False


async def test_a_start_alone_sets_the_due_date(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    start = {"startDateTime": at("2026-12-01T00:00:00")}
    made = await create(http, {"title": "T", **start})
    assert made["dueDateTime"] == made["startDateTime"]
    later = await create(http, {"title": "T", **due("2026-12-09")})
    graph.quirks.todo_start_sets_due = "missing"
    kept = (await http.patch(f"{TASKS}/{later['id']}", json=start)).json()
    assert kept["dueDateTime"] == later["dueDateTime"]
    graph.quirks.todo_start_sets_due = "always"
    lost = (await http.patch(f"{TASKS}/{later['id']}", json=start)).json()
    assert lost["dueDateTime"] == lost["startDateTime"]


async def test_a_reminder_needs_both_of_its_properties(http: httpx.AsyncClient) -> None:
    moment = {"reminderDateTime": at("2026-12-01T09:30:00")}
    for half in (moment, {"isReminderOn": True}):
        made = await create(http, {"title": "T", **half})
        assert made["isReminderOn"] is False
        assert "reminderDateTime" not in made
    made = await create(http, {"title": "T", **moment, "isReminderOn": True})
    assert made["reminderDateTime"] == {"dateTime": "2026-12-01T08:30:00.0000000", "timeZone": "UTC"}


async def test_completed_and_reopened(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, {"title": "T"})
    done = (await http.patch(f"{TASKS}/{made['id']}", json={"status": "completed"})).json()
    assert done["completedDateTime"] == {"dateTime": "2026-11-01T00:00:00.0000000", "timeZone": "UTC"}
    graph.clock.advance(86_400)
    again = (await http.patch(f"{TASKS}/{made['id']}", json={"status": "completed"})).json()
    assert again["completedDateTime"] == done["completedDateTime"]
    assert again["lastModifiedDateTime"] > done["lastModifiedDateTime"]
    reopened = (await http.patch(f"{TASKS}/{made['id']}", json={"status": "inProgress"})).json()
    assert "completedDateTime" not in reopened


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "no such property"},
        {"status": "done"},
        {"importance": 1},
        {"isReminderOn": "yes"},
        {"categories": "Rosso"},
        {"body": {"contentType": "rtf", "content": "x"}},
        {"dueDateTime": "2026-12-01"},
        {"dueDateTime": at("2026-12-01T00:00:00", "Rome/Italy")},
        {"recurrence": {"pattern": {"type": "weekly", "interval": 1}, "range": {"type": "noEnd"}}},
        {"linkedResources": [{**LINK, "applicationName": ""}]},
        {"linkedResources": [{**LINK, "webUrl": "crm"}]},
        {"checklistItems": [{"isChecked": True}]},
    ],
)
async def test_refused_payloads_write_nothing(graph: GraphEmulator, http: httpx.AsyncClient, body: Body) -> None:
    assert (await http.post(TASKS, json={"title": "T", **body})).status_code == 400
    assert graph.dump(MAIL)["task_lists"][0]["tasks"] == []


# ids and If-Match --------------------------------------------------------------------------------------------------


async def test_which_ids_answer_what(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    other, default = graph.outlook.create_task_list(MAIL, "Casa"), default_list(graph)
    task = graph.outlook.create_task(MAIL, {"title": "T"})
    assert (await http.get(of_list(default, task))).status_code == 200
    wrong = await http.get(of_list(other, task))
    assert error(wrong) == WRONG_LIST
    assert wrong.json()["error"]["message"] == "Parent folder specified does not contain a Task with given Id"
    assert error(await http.get(f"{TASKS}/{task}")) == WRONG_LIST  # the alias does all but this
    assert (await http.patch(f"{TASKS}/{task}", json={"title": "U"})).status_code == 200
    assert error(await http.get(of_list(default, "short"))) == (400, "ErrorInvalidIdMalformed")
    assert error(await http.patch(of_list(default, "short"), json={})) == (400, "ErrorInvalidIdMalformed")
    assert (await http.delete(of_list(default, task))).status_code == 204
    for answer in (await http.get(of_list(default, task)), await http.delete(of_list(default, task))):
        assert error(answer) == (404, "ErrorItemNotFound")


async def test_if_match(http: httpx.AsyncClient) -> None:
    made = await create(http, {"title": "T", "linkedResources": [LINK], "checklistItems": [{"displayName": "S"}]})
    task = f"{TASKS}/{made['id']}"
    stale = {"If-Match": made["@odata.etag"]}
    fresh = (await http.patch(task, json={"title": "U"}, headers=stale)).json()["@odata.etag"]
    assert fresh != made["@odata.etag"]
    link, step = (f"{task}/{name}/{made[name][0]['id']}" for name in ("linkedResources", "checklistItems"))
    changes = {task: {"title": "V"}, link: {"externalId": "2x7"}, step: {"displayName": "Z"}}
    for path, body in changes.items():
        assert error(await http.patch(path, json=body, headers=stale)) == (412, "ErrorIrresolvableConflict")
        for wrong in ("*", "abc", 'W/"'):
            assert (await http.patch(path, json=body, headers={"If-Match": wrong})).status_code == 500
    for path in (link, step):
        assert error(await http.delete(path, headers=stale)) == (412, "ErrorIrresolvableConflict")
    changed = await http.patch(link, json={"externalId": "2x7"}, headers={"If-Match": fresh})
    assert (changed.status_code, changed.json()["externalId"]) == (200, "2x7")
    assert error(await http.patch(step, json={}, headers={"If-Match": fresh})) == (412, "ErrorIrresolvableConflict")
    assert (await http.delete(task, headers=stale)).status_code == 204  # ignored


# children ----------------------------------------------------------------------------------------------------------


async def test_one_linked_resource_whose_fields_cannot_be_cleared(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    two = await http.post(TASKS, json={"title": "T", "linkedResources": [LINK, LINK]})
    made = await create(http, {"title": "T"})
    links = of_list(default_list(graph), made["id"], "linkedResources")
    first = (await http.post(links, json=LINK)).json()
    second = await http.post(links, json=LINK)
    for answer in (two, second):
        assert error(answer) == WRONG_LIST
        assert answer.json()["error"]["message"] == "Only one item in linkedResources is allowed"
    read = await task_of(http, graph, made["id"])
    assert read["@odata.etag"] != made["@odata.etag"]
    assert [each["id"] for each in read["linkedResources"]] == [first["id"]]
    kept = (
        await http.patch(f"{links}/{first['id']}", json={"externalId": None, "webUrl": "", "displayName": "D"})
    ).json()
    assert (kept["externalId"], kept["webUrl"], kept["displayName"]) == (LINK["externalId"], LINK["webUrl"], "D")
    assert (await http.get(links)).json()["value"] == [{k: v for k, v in kept.items() if "@" not in k}]
    assert error(await http.patch(f"{TASKS}/{made['id']}", json={"linkedResources": [LINK]})) == WRONG_LIST
    assert (await http.delete(f"{links}/{first['id']}")).status_code == 204
    assert "linkedResources" not in await task_of(http, graph, made["id"])  # an empty one is absent
    assert error(await http.get(f"{links}/{first['id']}")) == (404, "ErrorItemNotFound")


async def test_a_step_is_unchecked_by_a_patch_that_does_not_say_so(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    made = await create(http, {"title": "T"})
    steps = of_list(default_list(graph), made["id"], "checklistItems")
    step = (await http.post(steps, json={"displayName": "Chiamare", "isChecked": True})).json()
    assert step["checkedDateTime"] == "2026-11-01T08:00:00Z"
    renamed = (await http.patch(f"{steps}/{step['id']}", json={"displayName": "Scrivere"})).json()
    assert (renamed["displayName"], renamed["isChecked"], "checkedDateTime" in renamed) == ("Scrivere", False, False)
    assert (await task_of(http, graph, made["id"]))["checklistItems"][0]["displayName"] == "Scrivere"


# listing -----------------------------------------------------------------------------------------------------------


async def test_a_listing_filters_orders_and_pages(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    for number in range(25):
        graph.outlook.create_task(MAIL, {"title": f"T{number:02}", "status": "deferred" if number % 5 else "completed"})
        graph.clock.advance(60)

    async def titles(query: str) -> list[str]:
        found, link = [], f"{TASKS}?{query}"
        while link:
            page = (await http.get(link)).json()
            assert "@odata.count" not in page
            found += [each["title"] for each in page["value"]]
            link = page.get("@odata.nextLink", "")
        return found

    assert await titles("$orderby=title desc&$top=7&$count=true") == [f"T{n:02}" for n in reversed(range(25))]
    assert await titles("$filter=status eq 'completed'") == ["T00", "T05", "T10", "T15", "T20"]
    assert await titles("$filter=lastModifiedDateTime ge 2026-11-01T08:23:00Z") == ["T23", "T24"]
    refused = await http.get(f"{TASKS}?$filter=linkedResources/any(l: l/externalId eq '1x7')")
    assert error(refused) == (400, "RequestBroker--ParseUri")


# who may -----------------------------------------------------------------------------------------------------------

_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class OwnKeys:
    """Tokens of this test's own making."""

    async def find(self, kid: str) -> Any | None:
        return _KEY.public_key()


@pytest.mark.parametrize(
    ("claims", "reading", "writing"),
    [
        ({"roles": ["Contacts.ReadWrite", "Calendars.ReadWrite"]}, 401, 401),
        ({"roles": ["Tasks.ReadWrite"]}, 401, 401),  # the delegated name means nothing to an app
        ({"roles": ["Tasks.Read.All"]}, 200, 403),
        ({"roles": ["Tasks.ReadWrite.All"]}, 200, 201),
        ({"scp": "Contacts.ReadWrite"}, 403, 403),
        ({"scp": "Tasks.Read"}, 200, 403),
        ({"scp": "User.Read Tasks.ReadWrite"}, 200, 201),
    ],
)
async def test_roles_and_scopes(claims: Body, reading: int, writing: int) -> None:
    graph = GraphEmulator(keys=OwnKeys())
    user = graph.add_user(MAIL, "Anna Neri")
    now = int(graph.clock.now().timestamp())
    told: Body = {
        "aud": "https://graph.microsoft.com",
        "nbf": now,
        "exp": now + 60,
        "appid": "app",
        "oid": user,
        **claims,
    }
    token = jwt.encode(told, _KEY, "RS256", {"kid": "own"})
    headers, hooks = {"Authorization": f"Bearer {token}"}, {"response": [judge]}
    transport = InProcessTransport(graph.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://graph/v1.0", headers=headers, event_hooks=hooks
    ) as http:
        answers = [await http.get(f"{LISTS}/delta"), await http.post(TASKS, json={"title": "T"})]
    assert [each.status_code for each in answers] == [reading, writing]
    codes = {401: "UnknownError", 403: "ErrorAccessDenied"}
    assert [error(each)[1] for each in answers if each.status_code >= 400] == [
        codes[status] for status in (reading, writing) if status >= 400
    ]
