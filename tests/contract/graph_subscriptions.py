"""What the tests of subscriptions share: a receiver of notifications, and an emulator that sends them to it. Not a test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_schema import check_notifications, judge

MAIL = "anna@example.com"
NOW = datetime(2026, 11, 1, 8, tzinfo=UTC)
URL = "https://app.example/api/notify?tenant=one&code=a%2Bb"
LIFECYCLE_URL = "https://app.example/api/lifecycle"
WEEK = 10_080
Body = dict[str, Any]
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


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


class OwnKeys:
    """Knows the key of `signed_in`."""

    async def find(self, kid: str) -> Any:
        return _KEY.public_key()


def token(**claims: Any) -> str:
    """Of an hour; `claims` say roles, or scp and oid."""
    told: Body = {
        "aud": "https://graph.microsoft.com",
        "nbf": int(NOW.timestamp()),
        "exp": int((NOW + timedelta(hours=1)).timestamp()),
        "appid": "app",
        **claims,
    }
    return jwt.encode(told, _KEY, "RS256", {"kid": "own"})


@asynccontextmanager
async def signed_in(graph: GraphEmulator, **claims: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A judged client with a token of our own; `claims` say roles, or scp and oid."""
    headers = {"Authorization": f"Bearer {token(**claims)}"}
    hooks: dict[str, list[Any]] = {"response": [judge]}
    async with httpx.AsyncClient(
        transport=InProcessTransport(graph.app), base_url="http://graph/v1.0", headers=headers, event_hooks=hooks
    ) as http:
        yield http


async def subscribe(http: httpx.AsyncClient, body: Body | None = None, **headers: str) -> str:
    """POST, 201; the id."""
    answer = await http.post("/subscriptions", json=body or wish(), headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def contact(http: httpx.AsyncClient, name: str = "Zoe") -> str:
    """A new contact of Anna's; the id."""
    return str((await http.post(f"/users/{MAIL}/contacts", json={"givenName": name})).json()["id"])
