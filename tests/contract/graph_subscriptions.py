"""What the tests of subscriptions share: a receiver of notifications, and an emulator that sends them to it. Not a test."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from tests.contract.graph_schema import check_notifications

MAIL = "anna@example.com"
NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
URL = "https://app.example/api/notify?tenant=one&code=a%2Bb"
LIFECYCLE_URL = "https://app.example/api/lifecycle"
WEEK = 10_080
Body = dict[str, Any]


class Receiver(httpx.AsyncBaseTransport):
    """The app behind the notification URL: shakes hands as documented, keeps what it is sent, misbehaves on demand."""

    def __init__(self) -> None:
        self.handshakes: list[httpx.Request] = []
        self.posts: list[tuple[str, Body]] = []
        self.statuses: list[int] = []  # of the next answers; then 202
        self.slow_s = 0.0
        self.token_answer: httpx.Response | None = None  # instead of the right one
        self.content: list[bytes] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if self.slow_s:
            await asyncio.sleep(self.slow_s)
        token = request.url.params.get("validationToken")
        if token is not None:
            self.handshakes.append(request)
            return self.token_answer or httpx.Response(200, text=token, headers={"Content-Type": "text/plain"})
        self.content.append(request.content)
        status = self.statuses.pop(0) if self.statuses else 202
        if 200 <= status < 300:
            self.posts.append((str(request.url), check_notifications(request.content)))
        return httpx.Response(status)

    @property
    def items(self) -> list[Body]:
        """Every item of every POST that was taken."""
        return [item for _, body in self.posts for item in body["value"]]

    def about(self, item_id: str) -> list[str]:
        """The changeTypes that came for an item, sorted: the order is not promised."""
        found = [each for each in self.items if each.get("resourceData", {}).get("id") == item_id]
        return sorted(each["changeType"] for each in found)

    def events(self) -> list[tuple[str, str]]:
        """Lifecycle events with the subscription they are about."""
        return [(each["lifecycleEvent"], each["subscriptionId"]) for each in self.items if "lifecycleEvent" in each]

    def forget(self) -> None:
        """As if nothing had come."""
        self.posts.clear()
        self.content.clear()


def emulator(receiver: Receiver, **options: Any) -> GraphEmulator:
    """A tenant with Anna, on the first of November 2026, that tells each thing once unless a test says otherwise."""
    graph = GraphEmulator(clock=Clock(NOW), notify_through=receiver, **{"auth": False, **options})
    graph.add_user(MAIL, "Anna Neri")
    graph.quirks.edit_notifications = 1
    return graph


def wish(resource: str = f"/users/{MAIL}/contacts", **more: Any) -> Body:
    """The payload of a subscription for three days."""
    return {
        "changeType": "created,updated,deleted",
        "notificationUrl": URL,
        "resource": resource,
        "expirationDateTime": after(4000),
        "clientState": "s3cret",
        **more,
    }


def after(minutes: float, since: datetime = NOW) -> str:
    """A moment as the payload has it."""
    return (since + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def decoded(content: bytes) -> Body:
    """The JSON of a POST."""
    body: Body = json.loads(content)
    return body
