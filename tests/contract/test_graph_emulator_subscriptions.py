"""Subscriptions of the emulated Graph: what BEHAVIOUR 3.1, 3.2 and 3.4 say of them, judged by Microsoft's schema."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import client, error
from tests.contract.graph_subscriptions import (
    LIFECYCLE_URL,
    MAIL,
    URL,
    WEEK,
    Body,
    OwnKeys,
    Receiver,
    after,
    emulator,
    signed_in,
    wish,
)

SUBS = "/subscriptions"


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def graph(receiver: Receiver) -> GraphEmulator:
    return emulator(receiver)


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


async def subscribe(http: httpx.AsyncClient, body: Body | None = None, **headers: str) -> Body:
    answer = await http.post(SUBS, json=body or wish(), headers=headers)
    assert answer.status_code == 201, answer.text
    made: Body = answer.json()
    return made


# the handshake (3.2) -----------------------------------------------------------------------------------------------


async def test_a_subscription_begins_with_a_handshake(receiver: Receiver, http: httpx.AsyncClient) -> None:
    made = await subscribe(http, wish(lifecycleNotificationUrl=LIFECYCLE_URL))
    first, second = receiver.handshakes
    assert str(first.url).startswith(f"{URL}&validationToken=Validation%3A+Testing+client+application+reachability")
    assert str(second.url).startswith(f"{LIFECYCLE_URL}?validationToken=")
    for each in (first, second):
        assert (each.method, each.headers["content-type"], each.content) == ("POST", "text/plain; charset=utf-8", b"")
        assert set('<>&"+%é') <= set(each.url.params["validationToken"])
    assert made["id"]
    assert {name: made[name] for name in ("resource", "changeType", "clientState", "notificationUrl")} == {
        name: wish()[name] for name in ("resource", "changeType", "clientState", "notificationUrl")
    }
    assert made["expirationDateTime"] == "2026-11-04T02:40:00.0000000Z"
    assert made["lifecycleNotificationUrl"] == LIFECYCLE_URL


async def test_the_same_address_for_both_is_asked_once(receiver: Receiver, http: httpx.AsyncClient) -> None:
    await subscribe(http, wish(lifecycleNotificationUrl=URL))
    assert len(receiver.handshakes) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (httpx.Response(202, text="token"), "HTTP status code is 'Accepted'"),
        (httpx.Response(404), "HTTP status code is 'NotFound'"),
        (httpx.Response(302, headers={"Location": URL}), "HTTP status code is 'Found'"),
        (httpx.Response(200, json="token"), "Content-Type"),
        (httpx.Response(200, text="OK"), "must exactly match"),
    ],
)
async def test_a_wrong_answer_to_the_handshake_is_no_subscription(
    receiver: Receiver, http: httpx.AsyncClient, answer: httpx.Response, why: str
) -> None:
    receiver.token_answer = answer
    refused = await http.post(SUBS, json=wish())
    assert error(refused) == (400, "ValidationError")
    assert why in refused.json()["error"]["message"]
    assert (await http.get(SUBS)).json()["value"] == []


async def test_a_handshake_that_takes_too_long_is_none(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    assert graph.quirks.handshake_limit_s == 10
    graph.quirks.handshake_limit_s, receiver.slow_s = 0.01, 5
    refused = await http.post(SUBS, json=wish())
    assert error(refused) == (400, "ValidationError")
    assert refused.json()["error"]["message"] == "Subscription validation request timed out."


async def test_an_escaped_token_is_taken_by_switch_only(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    class Escaping(Receiver):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            token = request.url.params["validationToken"]
            escaped = token.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
            return httpx.Response(200, text=escaped.replace('"', "&quot;").replace("'", "&#x27;"))

    graph = emulator(Escaping())
    async with client(graph) as http:
        assert error(await http.post(SUBS, json=wish())) == (400, "ValidationError")
        graph.quirks.handshake = "escaped_too"
        assert (await http.post(SUBS, json=wish())).status_code == 201


# what may be asked for (3.1) ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"resource": f"/users/{MAIL}/messages"}, "ExtensionError"),
        ({"resource": f"/users/{MAIL}/contacts/x"}, "ExtensionError"),
        ({"resource": f"/users/{MAIL}/contacts?$filter=x"}, "ExtensionError"),
        ({"resource": f"/users/{MAIL}/todo/lists"}, "ExtensionError"),
        ({"resource": 7}, "ExtensionError"),
        ({"resource": "/me/contacts"}, "BadRequest"),  # 1.1: no /me without a user
        ({"resource": None}, "InvalidRequest"),
        ({"changeType": "created,moved"}, "InvalidRequest"),
        ({"changeType": "created,created"}, "InvalidRequest"),
        ({"changeType": ["created"]}, "InvalidRequest"),
        ({"clientState": "x" * 129}, "InvalidRequest"),
        ({"notificationUrl": "http://app.example/x"}, "InvalidRequest"),
        ({"notificationUrl": "app.example"}, "InvalidRequest"),
        ({"notificationUrl": "https://[x"}, "InvalidRequest"),
        ({"notificationUrl": "https://app.example:99999/x"}, "InvalidRequest"),
        ({"notificationUrl": "https://app.example/x#y"}, "InvalidRequest"),
        ({"lifecycleNotificationUrl": "http://app.example/x"}, "InvalidRequest"),
        ({"includeResourceData": True}, "InvalidRequest"),
        ({"id": "mine"}, "InvalidRequest"),
        ({"expirationDateTime": "tomorrow"}, "InvalidRequest"),
        ({"expirationDateTime": "2026-11-02T08:00:00"}, "InvalidRequest"),
        ({"expirationDateTime": after(-1)}, "InvalidRequest"),
        ({"expirationDateTime": after(WEEK + 1)}, "ExtensionError"),
    ],
)
async def test_what_is_refused(receiver: Receiver, http: httpx.AsyncClient, changed: Body, code: str) -> None:
    assert error(await http.post(SUBS, json={**wish(), **changed})) == (400, code)
    assert not receiver.handshakes


async def test_lifetimes(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    longest = await subscribe(http, wish(expirationDateTime=after(WEEK)))
    assert longest["expirationDateTime"] == "2026-11-08T08:00:00.0000000Z"
    short = await subscribe(http, wish(f"users/{MAIL}/events", expirationDateTime="2026-11-01T09:01:00+01:00"))
    assert short["expirationDateTime"] == "2026-11-01T08:45:00.0000000Z"  # under 45 minutes is raised
    graph.quirks.subscription_minutes = 10_070
    refused = await http.patch(f"{SUBS}/{longest['id']}", json={"expirationDateTime": after(WEEK)})
    assert refused.json()["error"]["message"] == "Subscription expiration can only be 10070 minutes in the future."


async def test_http_is_taken_for_loopback_hosts_only(http: httpx.AsyncClient) -> None:
    for number, host in enumerate(("127.0.0.1:7071", "localhost", "[::1]:80")):
        kinds = ("created", "updated", "deleted")
        await subscribe(http, wish(notificationUrl=f"http://{host}/x", changeType=kinds[number]))


async def test_the_same_twice_is_a_conflict(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    user = graph.world.user(MAIL).id
    made = await subscribe(http)
    again = wish(f"Users('{user}')/contacts", changeType="deleted, updated,created", clientState="other")
    assert error(await http.post(SUBS, json=again)) == (409, "ExtensionError")
    await subscribe(http, wish(changeType="created"))  # another one
    await http.delete(f"{SUBS}/{made['id']}")
    await subscribe(http, again)


async def test_a_mailbox_holds_so_many(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    assert graph.quirks.subscriptions_per_mailbox == 1000
    graph.quirks.subscriptions_per_mailbox = 1
    await subscribe(http)
    assert error(await http.post(SUBS, json=wish(f"/users/{MAIL}/events"))) == (403, "ExtensionError")


async def test_folders_can_be_watched_unless_the_switch_says_no(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    folder = graph.outlook.create_folder(MAIL, "vtenext")
    watched = wish(f"/users/{MAIL}/contactFolders/{folder}/contacts")
    made = await subscribe(http, watched)
    assert error(await http.post(SUBS, json=wish(f"/users/{MAIL}/contactFolders/AQMkADnone/contacts")))[0] == 400
    await http.delete(f"{SUBS}/{made['id']}")
    graph.quirks.folder_subscriptions = "refused"
    assert error(await http.post(SUBS, json=watched)) == (400, "ExtensionError")


async def test_mailboxes_that_are_not_there(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    graph.add_user("carla@example.com", "Carla", licensed=False)
    for mail in ("nobody@example.com", "carla@example.com"):
        assert error(await http.post(SUBS, json=wish(f"/users/{mail}/contacts"))) == (404, "ExtensionError")


# reading, renewing, ending (3.4) -----------------------------------------------------------------------------------


async def test_read_list_renew_delete(receiver: Receiver, http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    made = await subscribe(http)
    path = f"{SUBS}/{made['id']}"
    assert {**(await http.get(path)).json(), "clientState": "s3cret"} == made
    renewed = await http.patch(path, json={"expirationDateTime": after(5000)})
    assert (renewed.status_code, renewed.json()["expirationDateTime"]) == (200, "2026-11-04T19:20:00.0000000Z")
    assert len(receiver.handshakes) == 1  # not validated again when only the end moves (L)
    moved = await http.patch(path, json={"notificationUrl": "https://app.example/two"})
    assert (moved.json()["notificationUrl"], len(receiver.handshakes)) == ("https://app.example/two", 2)
    for wrong in ({}, {"clientState": "x"}, {"lifecycleNotificationUrl": LIFECYCLE_URL}, {"changeType": "created"}):
        assert error(await http.patch(path, json=wrong)) == (400, "InvalidRequest")
    assert (await http.post(f"{path}/reauthorize")).status_code == 204
    assert (await http.delete(path)).status_code == 204
    answers = [
        await http.get(path),
        await http.patch(path, json={"expirationDateTime": after(5000)}),
        await http.delete(path),
        await http.post(f"{path}/reauthorize"),
    ]
    assert {error(each) for each in answers} == {(404, "ResourceNotFound")}
    assert [each["state"] for each in graph.notifications.subscriptions()] == ["deleted"]


async def test_pages(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    graph.quirks.subscription_page = 2
    made = [(await subscribe(http, wish(changeType=kind)))["id"] for kind in ("created", "updated", "deleted")]
    first = (await http.get(SUBS)).json()
    second = (await http.get(first["@odata.nextLink"])).json()
    assert [each["id"] for each in (*first["value"], *second["value"])] == made
    assert "@odata.nextLink" not in second


async def test_an_expired_one_is_gone(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    made = await subscribe(http, wish(expirationDateTime=after(60)))
    graph.clock.advance(3600)
    assert (await http.get(SUBS)).json()["value"] == []
    renewal = {"expirationDateTime": after(600)}
    assert error(await http.patch(f"{SUBS}/{made['id']}", json=renewal)) == (404, "ResourceNotFound")
    assert [each["state"] for each in graph.notifications.subscriptions()] == ["expired"]


async def test_in_a_batch(http: httpx.AsyncClient) -> None:
    parts = [
        {
            "id": kind,
            "method": "POST",
            "url": "/subscriptions",
            "body": wish(changeType=kind),
            "headers": {"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'},
        }
        for kind in ("created", "moved")
    ]
    answers = (await http.post("/$batch", json={"requests": parts})).json()["responses"]
    assert {each["id"]: each["status"] for each in answers} == {"created": 201, "moved": 400}


async def test_ids_are_no_part_of_a_label(http: httpx.AsyncClient, graph: GraphEmulator) -> None:
    made = await subscribe(http)
    await http.delete(f"{SUBS}/{made['id']}")
    assert graph.corner.counts["DELETE /v1.0/subscriptions/{id}"] == 1


# who may (1.1, 3.1) ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "resource", "status"),
    [
        ({"roles": ["Contacts.Read"]}, "/users/{anna}/contacts", 201),
        ({"roles": ["Contacts.ReadWrite"]}, "/users/{anna}/contacts", 201),
        ({"roles": ["Contacts.ReadWrite"]}, "/users/{anna}/events", 403),
        ({"roles": ["Calendars.Read"]}, "/users/{anna}/events", 201),
        ({"roles": ["Tasks.ReadWrite.All"]}, "/users/{anna}/todo/lists/{list}/tasks", 403),  # app-only: not supported
        ({"roles": ["Contacts.Read"]}, "/me/contacts", 400),
        ({"scp": "Contacts.Read"}, "/me/contacts", 201),
        ({"scp": "Contacts.Read"}, "/users/{anna}/contacts", 201),
        ({"scp": "Contacts.Read"}, "/users/{bruno}/contacts", 403),  # own mailbox only
        ({"scp": "Contacts.Read"}, "/me/events", 403),
        ({"scp": "Calendars.ReadWrite"}, "/me/events", 201),
        ({"scp": "Tasks.ReadWrite"}, "/me/todo/lists/{list}/tasks", 201),
        ({"scp": "Tasks.ReadWrite"}, "/me/todo/lists/AQMkADnone/tasks", 400),
        ({"scp": "Contacts.ReadWrite"}, "/me/todo/lists/{list}/tasks", 403),
    ],
)
async def test_permissions(receiver: Receiver, claims: Body, resource: str, status: int) -> None:
    graph = emulator(receiver, auth=True, keys=OwnKeys())
    graph.add_user("bruno@example.com", "Bruno")
    anna, bruno = (graph.world.user(each).id for each in (MAIL, "bruno@example.com"))
    tasks = graph.world.user(MAIL).mailbox.todo.default.id
    async with signed_in(graph, oid=anna, **claims) as http:
        answer = await http.post(SUBS, json=wish(resource.format(anna=anna, bruno=bruno, list=tasks)))
    assert answer.status_code == status, answer.text
    if status == 403:
        assert error(answer) == (403, "ExtensionError")
        assert receiver.handshakes  # refused only after it (msgraph-sdk-dotnet#365)


async def test_tasks_live_shorter(receiver: Receiver) -> None:
    graph = emulator(receiver, auth=True, keys=OwnKeys())
    anna = graph.world.user(MAIL)
    async with signed_in(graph, oid=anna.id, scp="Tasks.ReadWrite") as http:
        path = f"/me/todo/lists/{anna.mailbox.todo.default.id}/tasks"
        refused = await http.post(SUBS, json=wish(path, expirationDateTime=after(4231)))
        assert error(refused) == (400, "ExtensionError")
        await subscribe(http, wish(path, expirationDateTime=after(4230)))


async def test_an_app_sees_its_own(receiver: Receiver) -> None:
    graph = emulator(receiver, auth=True, keys=OwnKeys())
    async with (
        signed_in(graph, roles=["Contacts.Read"]) as ours,
        signed_in(graph, roles=["Contacts.Read"], appid="other") as theirs,
        signed_in(graph, scp="Contacts.Read", oid=graph.world.user(MAIL).id) as annas,
    ):
        made = await subscribe(ours)
        for other in (theirs, annas):
            assert (await other.get(SUBS)).json()["value"] == []
            assert error(await other.delete(f"{SUBS}/{made['id']}")) == (404, "ResourceNotFound")
        assert error(await annas.post(SUBS, json=wish("/me/contacts"))) == (409, "ExtensionError")  # same app
        await subscribe(theirs)
        assert len((await ours.get(SUBS)).json()["value"]) == 1
