"""$batch, throttling and permissions of the Graph emulator (BEHAVIOUR 1, 4, 9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from emulators.corner import Clock, Fault
from emulators.entra import EntraEmulator
from emulators.entra_state import Person
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_schema import judge

MAIL, OTHER = "anna@example.com", "bo@example.com"
URL = f"/users/{MAIL}/contacts"
ROLES = ("Contacts.ReadWrite", "User.Read.All")
Part = dict[str, Any]


@pytest.fixture
def graph() -> GraphEmulator:
    emulator = GraphEmulator(clock=Clock(datetime(2026, 11, 1, 8, tzinfo=UTC)), auth=False)
    emulator.add_user(MAIL, "Anna Neri")
    emulator.add_user(OTHER, "Bo Verdi")
    return emulator


def client(app: Any, token: str = "") -> httpx.AsyncClient:
    hooks: dict[str, list[Any]] = {"response": [judge]}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    transport = InProcessTransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://graph/v1.0", event_hooks=hooks, headers=headers)


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph.app) as opened:
        yield opened


def post(name: str, number: int, *, user: str = MAIL, after: int | None = None) -> Part:
    part: Part = {"id": str(number), "method": "POST", "url": f"/users/{user}/contacts", "body": {"givenName": name}}
    part["headers"] = {"Content-Type": "application/json", "Prefer": 'IdType="ImmutableId"'}
    return part if after is None else {**part, "dependsOn": [str(after)]}


def chain(names: list[str]) -> list[Part]:
    return [post(name, number, after=number - 1 if number else None) for number, name in enumerate(names)]


async def run(http: httpx.AsyncClient, parts: list[Part]) -> dict[str, Part]:
    answer = await http.post("/$batch", json={"requests": parts})
    assert answer.status_code == 200, answer.text
    return {each["id"]: each for each in answer.json()["responses"]}


async def test_a_chain_of_twenty_takes_one_slot(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.corner.set_latency(service_ms=1)
    answers = await run(http, chain([f"N{number}" for number in range(20)]))
    assert {each["status"] for each in answers.values()} == {201}
    assert answers["3"]["headers"]["Preference-Applied"] == "IdType=ImmutableId"
    assert graph.throttle.peak == 1
    assert graph.corner.total == 1
    assert graph.parts.counts == {f"POST /users/{MAIL}/contacts": 20}
    assert [each["givenName"] for each in graph.dump(MAIL)["folders"][0]["contacts"]] == [f"N{n}" for n in range(20)]


async def test_followers_of_a_failure_never_run(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    parts = chain(["a", "b", "c", "d"])
    parts[1]["body"] = {"nope": 1}
    answers = await run(http, parts)
    assert [answers[str(number)]["status"] for number in range(4)] == [201, 400, 424, 424]
    assert answers["2"]["body"]["error"]["code"] == "FailedDependency"
    assert [each["givenName"] for each in graph.dump(MAIL)["folders"][0]["contacts"]] == ["a"]


async def test_a_wide_parallel_batch_loses_some(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.corner.set_latency(service_ms=1)
    parts = [post("x", number) for number in range(10)] + [post("y", 50 + number, user=OTHER) for number in range(4)]
    answers = await run(http, parts)
    refused = [key for key, each in answers.items() if each["status"] == 429]
    assert sorted(refused) == ["4", "9"]
    assert answers["4"]["body"]["error"]["code"] == "ApplicationThrottled"
    assert answers["4"]["headers"]["Retry-After"] == "1"
    assert graph.throttle.peak == 4
    graph.quirks.parallel_batch_losses = False
    answers = await run(http, parts)
    assert {each["status"] for each in answers.values()} == {201}


@pytest.mark.parametrize(
    "requests",
    [
        [],
        chain(["x"] * 21),
        [post("a", 1), post("b", 1)],
        [{**post("a", 1), "url": "http://graph/v1.0/users"}],
        [{"id": "1", "method": "GET"}],
        [{"id": "1", "url": "/users"}],
        [{**post("a", 1), "id": 1}],
        [post("a", 1), post("b", 2, after=1), post("c", 3)],
        [post("a", 1), post("b", 2), post("c", 3, after=1)],
        [post("a", 1, after=9)],
    ],
)
async def test_batches_of_the_wrong_form(graph: GraphEmulator, http: httpx.AsyncClient, requests: list[Part]) -> None:
    answer = await http.post("/$batch", json={"requests": requests})
    assert answer.status_code == 400
    assert graph.dump(MAIL)["folders"][0]["contacts"] == []


async def test_a_part_with_a_body_needs_its_content_type(http: httpx.AsyncClient) -> None:
    answers = await run(http, [{**post("a", 1), "headers": {}}, {"id": "2", "method": "GET", "url": URL.lstrip("/")}])
    assert [answers["1"]["status"], answers["2"]["status"]] == [400, 200]


async def test_faults_of_single_parts(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    throttled = Fault("status", status=429, headers={"Retry-After": "7"})
    graph.parts.add(throttled, match="POST", nth=2)
    graph.parts.add(Fault("lost_response", status=504), match="POST", nth=3)
    answers = await run(http, [post(name, number) for number, name in enumerate("abc")])
    assert [answers[each]["status"] for each in "012"] == [201, 429, 504]
    assert answers["1"]["headers"]["Retry-After"] == "7"
    assert [each["givenName"] for each in graph.dump(MAIL)["folders"][0]["contacts"]] == ["a", "c"]


# throttling --------------------------------------------------------------------------------------------------------


async def statuses(http: httpx.AsyncClient, users: list[str]) -> list[int]:
    answers = await asyncio.gather(*(http.get(f"/users/{user}/contacts") for user in users))
    for answer in answers:
        if answer.status_code == 429:
            assert answer.json()["error"]["message"] == "Application is over its MailboxConcurrency limit."
            assert answer.headers["Retry-After"] == "1"
    return sorted(answer.status_code for answer in answers)


async def test_four_at_a_time_per_mailbox_or_per_app(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.corner.set_latency(service_ms=5)
    by_id = graph.outlook.mailbox(MAIL).owner
    assert await statuses(http, [MAIL, by_id] * 3) == [200] * 4 + [429] * 2
    assert await statuses(http, [MAIL, OTHER] * 4) == [200] * 8
    graph.quirks.concurrency = "app"
    assert await statuses(http, [MAIL, OTHER] * 4) == [200] * 4 + [429] * 4
    assert await statuses(http, [MAIL]) == [200]


async def test_the_quota_of_ten_minutes(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.quirks.quota = 5
    for _ in range(2):
        await http.get(URL)
    graph.clock.advance(60)
    answers = await run(http, chain(["x"] * 4))
    assert [answers[str(number)]["status"] for number in range(4)] == [201, 201, 201, 429]
    refused = await http.get(URL)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "600")  # refused calls count too
    assert (await http.get(f"/users/{OTHER}/contacts")).status_code == 200
    graph.clock.advance(600)
    assert (await http.get(URL)).status_code == 200


# permissions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def entra(graph: GraphEmulator) -> EntraEmulator:
    emulator = EntraEmulator(clock=graph.clock)
    emulator.add_app("app", "s3cret", roles=ROLES)
    emulator.add_app("reader", "s3cret", roles=("Contacts.Read",))
    return emulator


def guarded(entra: EntraEmulator) -> GraphEmulator:
    emulator = GraphEmulator(clock=entra.clock, keys=entra.keys)
    emulator.add_user(MAIL, "Anna Neri")
    return emulator


async def codes(graph: GraphEmulator, token: str, *calls: tuple[str, str]) -> list[tuple[int, str]]:
    found = []
    async with client(graph.app, token) as http:
        for method, url in calls:
            answer = await http.request(method, url, json={} if method == "POST" else None)
            found.append((answer.status_code, answer.json().get("error", {}).get("code", "")))
    return found


async def test_roles_decide(entra: EntraEmulator) -> None:
    graph = guarded(entra)
    calls = (("GET", "/users"), ("GET", URL), ("POST", URL))
    assert await codes(graph, entra.app_token("app"), *calls) == [(200, ""), (200, ""), (201, "")]
    assert await codes(graph, entra.app_token("reader"), *calls) == [
        (403, "Authorization_RequestDenied"),
        (200, ""),
        (403, "ErrorAccessDenied"),
    ]


async def test_tokens_that_do_not_hold(entra: EntraEmulator) -> None:
    graph = guarded(entra)
    stranger = EntraEmulator(clock=entra.clock)
    stranger.keys.rotate()  # a key that the first one does not publish
    stranger.add_app("app", "x", roles=ROLES)
    good = entra.app_token("app")
    head, payload, signature = good.split(".")
    refused = (401, "InvalidAuthenticationToken")
    bad = [
        "",
        "abc",
        f"{head}.{payload}.{signature[:-8]}AAAAAAAA",
        stranger.app_token("app"),
        entra.app_token("app", audience="https://vault.azure.net"),
        entra.app_token("app", life_s=-1),
    ]
    for token in bad:
        assert await codes(graph, token, ("GET", URL)) == [refused]
    assert await codes(graph, good, ("GET", URL)) == [(200, "")]
    entra.clock.advance(3600)
    assert await codes(graph, good, ("GET", URL)) == [refused]


async def test_app_only_tokens_have_no_me(entra: EntraEmulator) -> None:
    async with httpx.AsyncClient(transport=InProcessTransport(guarded(entra).app), base_url="http://g/v1.0") as http:
        answer = await http.get("/me/contacts", headers={"Authorization": f"Bearer {entra.app_token('app')}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")


async def test_a_delegated_token_opens_its_own_mailbox_only(entra: EntraEmulator) -> None:
    graph = guarded(entra)
    graph.add_user(OTHER, "Bo Verdi")
    person = Person(graph.outlook.mailbox(MAIL).owner, MAIL, "Anna Neri")
    now = entra.clock.now().timestamp()
    refresh = entra.directory.issue_refresh("app", person, ("Contacts.ReadWrite", "User.Read"), now)
    form = {"grant_type": "refresh_token", "client_id": "app", "client_secret": "s3cret", "refresh_token": refresh}
    async with httpx.AsyncClient(transport=InProcessTransport(entra.app)) as login:
        answer = await login.post(f"http://entra/{entra.tenant}/oauth2/v2.0/token", data=form)
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    async with httpx.AsyncClient(transport=InProcessTransport(graph.app), headers=headers) as http:
        own = await http.get("http://g/v1.0/me/contacts")
        other = await http.get(f"http://g/v1.0/users/{OTHER}/contacts")
    assert own.status_code == 200
    assert (other.status_code, other.json()["error"]["code"]) == (403, "ErrorAccessDenied")
