"""Notifications over real sockets, and Microsoft's own msgraph-sdk as the client that subscribes, renews and deletes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from kiota_abstractions.authentication.anonymous_authentication_provider import AnonymousAuthenticationProvider
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.subscription import Subscription
from msgraph.graph_request_adapter import GraphRequestAdapter
from msgraph.graph_service_client import GraphServiceClient
from msgraph_core import GraphClientFactory

from emulators.corner import Receive, Scope, Send
from emulators.graph import GraphEmulator
from emulators.serving import BreakConnections
from tests.contract.graph_schema import check_notifications, judge
from tests.contract.graph_world import served

MAIL = "anna@example.com"
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:msgraph", "ignore::DeprecationWarning:kiota_abstractions"
)


@dataclass
class Endpoint:
    """An ASGI app that shakes hands and takes notifications."""

    items: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        token = parse_qs(scope["query_string"].decode()).get("validationToken", [""])[0]
        if not token:
            self.items += check_notifications(body)["value"]
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": 200 if token else 202, "headers": headers})
        await send({"type": "http.response.body", "body": token.encode()})


@dataclass
class Stand:
    graph: GraphEmulator
    sdk: GraphServiceClient
    endpoint: Endpoint
    url: str


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    graph, endpoint = GraphEmulator(auth=False), Endpoint()
    graph.add_user(MAIL, "Anna Neri")
    with served(endpoint) as url, served(BreakConnections(graph.app)) as base:
        async with httpx.AsyncClient(event_hooks={"response": [judge]}, trust_env=False) as http:
            client = GraphClientFactory.create_with_default_middleware(client=http)
            adapter = GraphRequestAdapter(AnonymousAuthenticationProvider(), client=client)
            adapter.base_url = f"{base}/v1.0"
            yield Stand(graph, GraphServiceClient(request_adapter=adapter), endpoint, url)


def soon(hours: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def until(what: Callable[[], bool]) -> None:
    """The emulator serves in a thread of its own: wait for it, ten seconds at most."""
    ends = time.monotonic() + 10
    while not what():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


async def test_the_sdk_subscribes_hears_renews_and_ends(stand: Stand) -> None:
    wish = Subscription(
        change_type="created,updated,deleted",
        notification_url=f"{stand.url}/notify",
        resource=f"/users/{MAIL}/contacts",
        expiration_date_time=soon(24),
        client_state="s3cret",
    )
    configuration: RequestConfiguration[Any] = RequestConfiguration()
    configuration.headers.add("Prefer", 'IdType="ImmutableId"')
    made = await stand.sdk.subscriptions.post(wish, configuration)
    assert made is not None
    assert made.id
    assert made.expiration_date_time == wish.expiration_date_time

    contact = stand.graph.outlook.create(MAIL, {"givenName": "Zoe"})  # in another thread than the emulator's
    until(lambda: len(stand.endpoint.items) == 2)
    assert {each["resourceData"]["id"] for each in stand.endpoint.items} == {contact}
    assert {each["clientState"] for each in stand.endpoint.items} == {"s3cret"}
    until(lambda: stand.graph.notifications.statistics()["acknowledged"] == 2)
    assert 0 < stand.graph.notifications.statistics()["latency_s"]["max"] < 10

    with pytest.raises(ODataError) as refused:
        await stand.sdk.subscriptions.post(wish)
    assert refused.value.response_status_code == 409
    one = stand.sdk.subscriptions.by_subscription_id(made.id)
    later = soon(48)
    renewed = await one.patch(Subscription(expiration_date_time=later))
    assert renewed is not None
    assert renewed.expiration_date_time == later
    await one.reauthorize.post()
    listed = await stand.sdk.subscriptions.get()
    assert listed is not None
    assert [each.id for each in listed.value or []] == [made.id]
    await one.delete()
    with pytest.raises(ODataError) as gone:
        await one.get()
    assert gone.value.response_status_code == 404


async def test_a_dead_endpoint_is_no_subscription_and_a_server_stops_with_posts_under_way(stand: Stand) -> None:
    wish = Subscription(
        change_type="created",
        notification_url="http://127.0.0.1:9/notify",
        resource=f"/users/{MAIL}/contacts",
        expiration_date_time=soon(24),
    )
    with pytest.raises(ODataError) as refused:
        await stand.sdk.subscriptions.post(wish)
    assert (refused.value.response_status_code, refused.value.error and refused.value.error.code) == (
        400,
        "ValidationError",
    )
    wish.notification_url = f"{stand.url}/notify"
    await stand.sdk.subscriptions.post(wish)
    for number in range(100):
        stand.graph.outlook.create(MAIL, {"givenName": str(number)})
    # The fixture stops the emulator now: the thread ends, or the test hangs.
