"""Change notifications of the emulated Graph: what BEHAVIOUR 3.3 and 3.4 say of their delivery, judged by Microsoft's schema."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import EVENTS, IMMUTABLE, client, single, weekly
from tests.contract.graph_subscriptions import (
    LIFECYCLE_URL,
    MAIL,
    NOW,
    URL,
    OwnKeys,
    Receiver,
    contact,
    emulator,
    signed_in,
    subscribe,
    wish,
)

CONTACTS = f"/users/{MAIL}/contacts"
SUBS = "/subscriptions"
ALL = ["created", "deleted", "updated", "updated"]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def graph(receiver: Receiver) -> AsyncIterator[GraphEmulator]:
    graph = emulator(receiver)
    yield graph
    await graph.notifications.close()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


# what is told (3.3) ------------------------------------------------------------------------------------------------


async def test_own_writes_of_contacts_are_told(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http)
    made = (await http.post(CONTACTS, json={"givenName": "Zoe"})).json()
    await graph.notifications.quiet()
    user = graph.world.user(MAIL).id
    path = f"Users/{user}/Contacts/{made['id']}"
    created = next(each for each in receiver.items if each["changeType"] == "created")
    assert created == {
        "subscriptionId": subscription,
        "subscriptionExpirationDateTime": "2026-11-04T02:40:00.0000000Z",
        "clientState": "s3cret",
        "tenantId": "11111111-2222-4333-8444-555555555555",
        "changeType": "created",
        "resource": path,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Contact",
            "@odata.id": path,
            "@odata.etag": made["@odata.etag"],  # the only thing that tells own from foreign
            "id": made["id"],
        },
    }
    changed = await http.patch(f"{CONTACTS}/{made['id']}", json={"givenName": "Zoë"})
    await http.delete(f"{CONTACTS}/{made['id']}")
    await graph.notifications.quiet()
    assert receiver.about(made["id"]) == ALL  # a create is told twice (docs#7598)
    assert changed.json()["@odata.etag"] in {each["resourceData"]["@odata.etag"] for each in receiver.items}
    assert {url for url, _ in receiver.posts} == {URL}  # its query is kept


async def test_what_people_do_is_told_too(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    await subscribe(http)
    made = graph.outlook.create(MAIL, {"givenName": "Zoe"})
    graph.outlook.edit(MAIL, made, {"surname": "Rossi"})
    graph.outlook.delete(MAIL, made)
    await graph.notifications.quiet()
    assert receiver.about(made) == ALL
    receiver.forget()
    graph.outlook.move(MAIL, made)  # restored
    graph.outlook.delete(MAIL, made)
    graph.outlook.empty_deleted_items(MAIL)  # nobody watches that
    await graph.notifications.quiet()
    assert receiver.about(made) == ["created", "deleted", "updated"]


async def test_events_are_told_and_a_series_by_its_master(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http, wish(EVENTS))
    made = (await http.post(EVENTS, json=single())).json()
    await http.patch(f"{EVENTS}/{made['id']}", json={"subject": "Talk"})
    await http.delete(f"{EVENTS}/{made['id']}")
    await graph.notifications.quiet()
    assert receiver.about(made["id"]) == ALL
    assert receiver.items[0]["resourceData"]["@odata.type"] == "#Microsoft.Graph.Event"
    receiver.forget()
    master = (await http.post(EVENTS, json=weekly())).json()["id"]
    view = f"/users/{MAIL}/calendarView?startDateTime=2026-11-23T00:00:00Z&endDateTime=2026-12-01T00:00:00Z"
    slots = [each["id"] for each in (await http.get(view)).json()["value"]]
    await http.patch(f"{EVENTS}/{slots[0]}", json={"subject": "Other"})
    await http.delete(f"{EVENTS}/{slots[1]}")
    await graph.notifications.quiet()
    assert receiver.about(master) == ["created", "updated", "updated", "updated"]
    assert {each["resourceData"]["id"] for each in receiver.items} == {master}
    graph.quirks.series_notifications = "occurrence_too"
    await http.patch(f"{EVENTS}/{slots[0]}", json={"subject": "Again"})
    await graph.notifications.quiet()
    assert receiver.about(slots[0]) == ["updated"]


async def test_a_copy_of_a_meeting_is_told_to_its_own_mailbox(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    graph.add_user("bruno@example.com", "Bruno")
    subscription = await subscribe(http, wish("/users/bruno@example.com/events"))
    await http.post(EVENTS, json=single(attendees=[{"emailAddress": {"address": "bruno@example.com"}}]))
    await graph.notifications.quiet()
    assert {each["subscriptionId"] for each in receiver.items} == {subscription}
    copies = graph.world.user("bruno@example.com").mailbox.calendar.live()
    assert {each["resourceData"]["id"] for each in receiver.items} == {copies[0].immutable_id}


async def test_tasks_are_told_of_their_list(receiver: Receiver) -> None:
    graph = emulator(receiver, auth=True, keys=OwnKeys())
    anna = graph.world.user(MAIL)
    tasks = anna.mailbox.todo.default.id
    graph.outlook.create_task_list(MAIL, "Casa")
    async with signed_in(graph, oid=anna.id, scp="Tasks.ReadWrite") as http:
        resource = f"/me/todo/lists/{tasks}/tasks"
        subscription = await subscribe(http, wish(resource, lifecycleNotificationUrl=LIFECYCLE_URL))
        made = (await http.post(f"/users/{anna.id}/todo/lists/{tasks}/tasks", json={"title": "T"})).json()["id"]
        await http.post(f"/users/{anna.id}/todo/lists/{tasks}/tasks/{made}/checklistItems", json={"displayName": "S"})
        moved = graph.outlook.move_task(MAIL, made, "Casa")
        graph.outlook.create_task(MAIL, {"title": "elsewhere"}, "Casa")
        await graph.notifications.quiet()
        assert receiver.about(made) == ALL  # a step is a change of its task (2.6)
        assert receiver.about(moved) == []
        assert receiver.items[0]["resource"] == f"Users/{anna.id}/todo/lists/{tasks}/tasks/{made}"
        for event in ("missed", "reauthorizationRequired"):
            graph.notifications.lifecycle(event)
        await graph.notifications.quiet()
        assert receiver.events() == [("reauthorizationRequired", subscription)]  # the only one of tasks (3.1)


async def test_the_form_of_ids_is_chosen_at_creation(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http, wish(changeType="created"), Prefer="")
    await subscribe(http, wish(changeType="created,deleted"), **IMMUTABLE)
    made = graph.world.user(MAIL).mailbox.find(await contact(http))
    assert made is not None
    await graph.notifications.quiet()
    assert sorted(each["resourceData"]["id"] for each in receiver.items) == sorted([made.immutable_id, made.default_id])


async def test_only_what_was_asked_for(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    folder = graph.outlook.create_folder(MAIL, "vtenext")
    in_folder = await subscribe(http, wish(f"/users/{MAIL}/contactFolders/{folder}/contacts"))
    whole = await subscribe(http, wish(changeType="deleted,updated"))
    here, there = await contact(http), graph.outlook.create(MAIL, {"givenName": "B"}, "vtenext")
    await graph.notifications.quiet()

    def told(subscription: str) -> list[tuple[str, str]]:
        mine = [each for each in receiver.items if each["subscriptionId"] == subscription]
        return sorted((each["changeType"], each["resourceData"]["id"]) for each in mine)

    assert told(in_folder) == [("created", there), ("updated", there)]
    assert told(whole) == sorted([("updated", here), ("updated", there)])  # any folder (3.1)
    receiver.forget()
    graph.outlook.move(MAIL, there)
    await graph.notifications.quiet()
    assert (told(in_folder), told(whole)) == ([("deleted", there)], [("updated", there)])
    graph.outlook.move(MAIL, here, "vtenext")
    await graph.notifications.quiet()
    receiver.forget()
    graph.outlook.delete_folder(MAIL, "vtenext")
    await graph.notifications.quiet()
    assert (told(in_folder), told(whole)) == ([("deleted", here)], [("deleted", here)])


async def test_an_edit_is_told_up_to_three_times_and_a_create_once_by_switch(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http)
    graph.quirks.edit_notifications, graph.quirks.create_notifies_twice = 3, False
    made = [await contact(http, str(number)) for number in range(20)]
    for each in made:
        graph.outlook.edit(MAIL, each, {"surname": "Rossi"})
    await graph.notifications.quiet()
    assert {len(receiver.about(each)) for each in made} == {2, 3, 4}
    assert all(receiver.about(each)[0] == "created" for each in made)
    order = [each["resourceData"]["id"] for each in receiver.items if each["changeType"] == "created"]
    assert order != made  # not promised


async def test_one_post_carries_many_of_several_subscriptions(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    ids = {await subscribe(http), await subscribe(http, wish(EVENTS))}
    graph.quirks.create_notifies_twice = False
    for number in range(30):
        graph.outlook.create(MAIL, {"givenName": str(number)})
    graph.outlook.create_event(MAIL, single())
    await graph.notifications.quiet()
    assert sorted(len(body["value"]) for _, body in receiver.posts) == [11, 20]
    assert {each["subscriptionId"] for each in receiver.items} == ids


# when it arrives (3.1, 3.3) ----------------------------------------------------------------------------------------


async def test_latency_goes_by_the_emulators_clock(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http)
    graph.quirks.notification_latency_s, graph.quirks.notification_jitter_s = 30, 30
    await contact(http)
    for advance, heard in ((29, False), (31, True)):
        graph.clock.advance(advance)
        await graph.notifications.quiet()
        assert bool(receiver.items) is heard
    summary = graph.notifications.statistics()
    assert summary["latency_s"] == {"count": 2, "p50": 60.0, "p90": 60.0, "p95": 60.0, "p99": 60.0, "max": 60.0}
    assert {each["changed"] for each in graph.notifications.deliveries()} == {NOW.isoformat()}
    assert {each["acknowledged"] for each in graph.notifications.deliveries()} == {"2026-11-01T08:01:00+00:00"}


async def test_what_fails_is_tried_again_with_back_off(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http, wish(changeType="created"))
    receiver.statuses = [503, 404]
    made = await contact(http)
    waits = []
    for advance in (0, 10, 19, 1):  # at once, after 10 s, after 20 s more
        graph.clock.advance(advance)
        await graph.notifications.quiet()
        waits.append((len(receiver.content), len(receiver.items)))
    assert waits == [(1, 0), (2, 0), (2, 0), (3, 1)]
    assert receiver.about(made) == ["created"]
    assert graph.notifications.deliveries()[0]["attempts"] == 3


async def test_after_four_hours_it_is_thrown_away_and_missed_is_told(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http, wish(changeType="created", lifecycleNotificationUrl=LIFECYCLE_URL))
    receiver.statuses = [500] * 1000
    await contact(http)
    for _ in range(24):
        await graph.notifications.quiet()
        graph.clock.advance(600)
    await graph.notifications.quiet()
    summary = graph.notifications.statistics()
    assert (summary["given_up"], summary["acknowledged"]) == (1, 0)
    assert summary["lifecycle"] == {"missed": 1}
    receiver.statuses = []
    graph.clock.advance(600)
    await graph.notifications.quiet()
    assert (receiver.items[0]["lifecycleEvent"], receiver.events()) == ("missed", [("missed", subscription)])


async def test_an_answer_after_the_limit_is_none(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    assert graph.quirks.answer_limit_s == 3
    await subscribe(http, wish(changeType="created"))
    graph.quirks.answer_limit_s, receiver.slow_s = 0.02, 5
    await contact(http)
    await graph.notifications.quiet()
    summary = graph.notifications.statistics()
    assert (summary["sent"], summary["retried"], summary["acknowledged"]) == (1, 1, 0)
    assert summary["slowest_answer_s"] >= 0.02
    receiver.slow_s = 0
    graph.clock.advance(10)
    await graph.notifications.quiet()
    assert graph.notifications.statistics()["acknowledged"] == 1


@pytest.mark.parametrize(("late", "verdict"), [(2, "fast"), (3, "delayed"), (4, "dropped")])
async def test_a_slow_endpoint_is_delayed_or_dropped(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient, late: int, verdict: str
) -> None:
    """Over 10 % of the answers of ten minutes: later by ten minutes; over 15 %: dropped (3.3). Here of twenty."""
    await subscribe(http, wish(changeType="created", lifecycleNotificationUrl=LIFECYCLE_URL))
    graph.quirks.answer_limit_s, graph.quirks.slow_sample, graph.quirks.retry_s = 0.02, 20, 3600
    for number in range(20):
        receiver.slow_s = 5 if number < late else 0
        await contact(http, str(number))
        await graph.notifications.quiet()
    verdicts = graph.notifications.statistics()["endpoints"]
    assert verdicts == {URL.partition("?")[0]: verdict}
    receiver.forget()
    made = await contact(http)
    await graph.notifications.quiet()
    assert receiver.about(made) == (["created"] if late < 3 else [])
    graph.clock.advance(600)
    await graph.notifications.quiet()
    assert receiver.about(made) == (["created"] if late < 4 else [])
    assert [name for name, _ in receiver.events()] == (["missed"] if late == 4 else [])
    made = await contact(http)  # ten minutes on, it is as fast as any
    await graph.notifications.quiet()
    assert receiver.about(made) == ["created"]


async def test_the_answer_to_a_write_does_not_wait_for_its_notification(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    await subscribe(http)
    receiver.slow_s = 5
    async with asyncio.timeout(2.5):  # less than one late answer
        for number in range(5):
            await contact(http, str(number))
            await asyncio.sleep(0.06)
    assert graph.notifications.statistics()["sent"] > 0
    assert (receiver.items, graph.notifications.statistics()["acknowledged"]) == ([], 0)


async def test_what_a_receiver_raises_is_not_swallowed(graph: GraphEmulator) -> None:
    class Broken(Receiver):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "validationToken" not in str(request.url):
                raise RuntimeError("a bug")
            return await super().handle_async_request(request)

    graph = emulator(Broken())
    async with client(graph) as http:
        await subscribe(http)
        await contact(http)
        with pytest.raises(ExceptionGroup) as raised:
            await graph.notifications.quiet()
        assert raised.group_contains(RuntimeError, match="a bug")
        graph.corner.reset()
        await graph.notifications.quiet()
