"""Lifecycle events of the emulated Graph (BEHAVIOUR 3.4), and what tests do to subscriptions and notifications through its hands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_calendar import EVENTS, client
from tests.contract.graph_subscriptions import (
    LIFECYCLE_URL,
    MAIL,
    URL,
    Body,
    Receiver,
    after,
    contact,
    decoded,
    emulator,
    subscribe,
    wish,
)

SUBS = "/subscriptions"


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


# lifecycle (3.4) ---------------------------------------------------------------------------------------------------


async def test_the_end_is_announced_once_and_a_renewal_settles_it(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http, wish(lifecycleNotificationUrl=LIFECYCLE_URL))
    await subscribe(http, wish(EVENTS))  # gave no address: hears nothing
    graph.clock.advance((4000 - 60) * 60 - 1)
    await graph.notifications.quiet()
    assert receiver.items == []
    graph.clock.advance(1)
    await graph.notifications.quiet()
    assert receiver.posts == [(LIFECYCLE_URL, {"value": [lifecycle(subscription, "reauthorizationRequired")]})]
    await http.patch(f"{SUBS}/{subscription}", json={"expirationDateTime": after(4000, graph.clock.now())})
    graph.clock.advance(2 * 3600)
    made = await contact(http)
    await graph.notifications.quiet()
    assert len(receiver.events()) == 1
    assert receiver.about(made) == ["created", "updated"]


def lifecycle(subscription: str, event: str) -> Body:
    return {
        "subscriptionId": subscription,
        "subscriptionExpirationDateTime": "2026-11-04T02:40:00.0000000Z",
        "clientState": "s3cret",
        "tenantId": "11111111-2222-4333-8444-555555555555",
        "lifecycleEvent": event,
    }


async def test_an_ignored_challenge_pauses_delivery_until_it_is_answered(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http, wish(lifecycleNotificationUrl=URL))
    assert graph.notifications.lifecycle("reauthorizationRequired", subscription) == 1
    still = await contact(http)
    await graph.notifications.quiet()
    assert receiver.about(still) == ["created", "updated"]
    assert receiver.events() == [("reauthorizationRequired", subscription)]  # the same address: told apart by the key
    graph.clock.advance(3600)
    assert [each["state"] for each in graph.notifications.subscriptions()] == ["paused"]
    lost = await contact(http)
    assert (await http.post(f"{SUBS}/{subscription}/reauthorize")).status_code == 204
    heard = await contact(http)
    await graph.notifications.quiet()
    assert (receiver.about(lost), receiver.about(heard)) == ([], ["created", "updated"])
    assert graph.notifications.statistics()["paused"] == 2


async def test_renewing_and_reauthorizing_within_ten_minutes_is_noted(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http)
    await http.post(f"{SUBS}/{subscription}/reauthorize")
    for minutes, both in ((9, 1), (20, 1)):
        graph.clock.advance(minutes * 60)
        await http.patch(f"{SUBS}/{subscription}", json={"expirationDateTime": after(5000)})
        assert graph.notifications.subscriptions()[0]["both_within_10_min"] == both


async def test_a_mailbox_that_goes_takes_its_subscriptions_along(
    receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    subscription = await subscribe(http, wish(lifecycleNotificationUrl=LIFECYCLE_URL))
    await contact(http)
    graph.set_user(MAIL, licensed=False)
    await graph.notifications.quiet()
    assert receiver.events() == [("subscriptionRemoved", subscription)]
    assert len(receiver.items) == 1  # what was on its way went with it
    assert (await http.get(f"{SUBS}/{subscription}")).status_code == 404


# the hands ---------------------------------------------------------------------------------------------------------


async def corner(graph: GraphEmulator, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    async with httpx.AsyncClient(transport=InProcessTransport(graph.app), base_url="http://graph/_emulator/") as hands:
        answer = await hands.request(method, path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def test_hands_on_subscriptions(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    first = await subscribe(http, wish(lifecycleNotificationUrl=LIFECYCLE_URL))
    second = await subscribe(http, wish(EVENTS))
    rows = await corner(graph, "GET", "subscriptions")
    assert [(each["id"], each["state"], each["clientState"]) for each in rows] == [
        (first, "live", "s3cret"),
        (second, "live", "s3cret"),
    ]
    assert await corner(graph, "POST", "subscriptions/lifecycle", {"event": "missed", "user": MAIL}) == {"count": 1}
    await corner(graph, "POST", "subscriptions/lifecycle", {"event": "missed", "subscription": second}, status=400)
    await corner(graph, "POST", "subscriptions/lifecycle", {"event": "nonsense"}, status=400)
    assert await corner(graph, "POST", "subscriptions/drop", {"subscription": second}) == {"count": 1}
    await corner(graph, "POST", "subscriptions/drop", {"subscription": second}, status=400)
    event = {"event": "subscriptionRemoved", "subscription": first}
    assert await corner(graph, "POST", "subscriptions/lifecycle", event) == {"count": 1}
    await graph.notifications.quiet()
    assert sorted(receiver.events()) == [("subscriptionRemoved", first)]  # what waited went with it
    third = await subscribe(http)
    assert await corner(graph, "POST", "subscriptions/expire", {"user": MAIL}) == {"count": 1}
    states = {each["id"]: each["state"] for each in await corner(graph, "GET", "subscriptions")}
    assert states == {first: "removed", second: "dropped", third: "expired"}
    assert (await http.get(SUBS)).json()["value"] == []


async def test_hands_on_notifications(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    await subscribe(http, wish(changeType="created"))
    asked = {"lose": 2, "duplicate": 1, "delay_s": 5}
    assert await corner(graph, "PUT", "notifications/disturbance", asked) == asked
    await corner(graph, "PUT", "notifications/disturbance", {"lose": -1}, status=400)
    await corner(graph, "PUT", "notifications/disturbance", {"nonsense": 1}, status=400)
    made = [await contact(http, str(number)) for number in range(3)]
    await graph.notifications.quiet()
    assert receiver.items == []
    graph.clock.advance(5)
    await graph.notifications.quiet()
    assert [receiver.about(each) for each in made] == [[], [], ["created", "created"]]
    summary = await corner(graph, "GET", "notifications")
    counts = {name: summary[name] for name in ("sent", "acknowledged", "lost", "duplicated", "waiting", "broken")}
    assert counts == {"sent": 2, "acknowledged": 2, "lost": 2, "duplicated": 1, "waiting": 0, "broken": None}
    assert len(await corner(graph, "GET", "notifications/deliveries")) == 2
    await corner(graph, "DELETE", "notifications")
    assert (await corner(graph, "GET", "notifications"))["sent"] == 0


async def test_forgeries(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    class Plain(Receiver):
        """Takes what the schema would refuse."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.params.get("validationToken"):
                return await super().handle_async_request(request)
            self.content.append(request.content)
            return httpx.Response(400)

    receiver = Plain()
    graph = emulator(receiver)
    async with client(graph) as http:
        await corner(graph, "POST", "notifications/forge", {"kind": "garbage"}, status=400)  # to whom?
        await corner(graph, "POST", "notifications/forge", {"kind": "garbage", "url": "https://app.example/free"})
        subscription = await subscribe(http)
        for kind in ("wrong_client_state", "unknown_subscription"):
            await corner(graph, "POST", "notifications/forge", {"kind": kind, "subscription": subscription})
        await corner(graph, "POST", "notifications/forge", {"kind": "body", "body": [1], "subscription": subscription})
        await corner(graph, "POST", "notifications/forge", {"kind": "nonsense"}, status=400)
        await graph.notifications.quiet()
        told = (await corner(graph, "GET", "notifications"))["forged"]
    assert sorted((each["kind"], each["url"], each["status"]) for each in told) == [
        ("body", URL, 400),
        ("garbage", "https://app.example/free", 400),
        ("unknown_subscription", URL, 400),
        ("wrong_client_state", URL, 400),
    ]
    texts = [each for each in receiver.content if b"<not json>" not in each and each != b"[1]"]
    wrong, unknown = sorted((decoded(each)["value"][0] for each in texts), key=lambda each: each["clientState"])
    assert (wrong["subscriptionId"], wrong["clientState"]) == (subscription, "forged")
    assert (unknown["subscriptionId"] != subscription, unknown["clientState"]) == (True, "s3cret")


async def test_a_reset_forgets_everything(receiver: Receiver, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    await subscribe(http)
    await contact(http)
    await corner(graph, "POST", "reset")
    graph.add_user(MAIL, "Anna Neri")
    await contact(http)
    await graph.notifications.quiet()
    assert (receiver.items, graph.notifications.subscriptions()) == ([], [])
    assert graph.notifications.statistics()["sent"] == 0


async def test_quiet_waits_for_what_was_forged_too(receiver: Receiver, graph: GraphEmulator) -> None:
    receiver.slow_s, receiver.statuses = 0.2, [400]
    graph.notifications.forge("garbage", url=URL)
    await graph.notifications.quiet()
    assert [each["status"] for each in graph.notifications.statistics()["forged"]] == [400]
