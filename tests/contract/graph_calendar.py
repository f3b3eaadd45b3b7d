"""What the tests of the emulated calendar share: an emulator with one mailbox, a judged client, payloads, whole delta rounds.

Not a test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_schema import judge

STAMP = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name CrmId"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
MAIL = "anna@example.com"
EVENTS = f"/users/{MAIL}/events"
VIEW = f"/users/{MAIL}/calendarView"
ROME = "Europe/Rome"
Body = dict[str, Any]


def emulator() -> GraphEmulator:
    """A tenant with Anna, on the first of November 2026."""
    graph = GraphEmulator(clock=Clock(datetime(2026, 11, 1, 8, tzinfo=UTC)), auth=False)
    graph.add_user(MAIL, "Anna Neri")
    return graph


@asynccontextmanager
async def client(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    """Asks for immutable ids; every answer is judged by the schema."""
    hooks: dict[str, list[Any]] = {"response": [judge]}
    transport = InProcessTransport(graph.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://graph/v1.0", event_hooks=hooks, headers=IMMUTABLE
    ) as http:
        yield http


def at(clock: str, zone: str = ROME) -> dict[str, str]:
    """A dateTimeTimeZone."""
    return {"dateTime": clock, "timeZone": zone}


def single(start: str = "2026-11-23T09:00:00", end: str = "2026-11-23T10:00:00", **more: Any) -> Body:
    """The payload of a meeting of one."""
    return {"subject": "Call", "start": at(start), "end": at(end), **more}


def weekly(count: int = 5, **more: Any) -> Body:
    """Mondays at nine in Rome, from 23 November 2026 on."""
    span = {"type": "numbered", "startDate": "2026-11-23", "numberOfOccurrences": count}
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
    return single(recurrence={"pattern": pattern, "range": span}, **more)


def error(answer: httpx.Response) -> tuple[int, str]:
    """Status and code."""
    return answer.status_code, answer.json()["error"]["code"]


async def create(http: httpx.AsyncClient, body: Body, **headers: str) -> Body:
    """POST, 201."""
    answer = await http.post(EVENTS, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made: Body = answer.json()
    return made


async def instances(
    http: httpx.AsyncClient, master: str, start: str = "2026-11-01T00:00:00Z", end: str = "2027-12-31T00:00:00Z"
) -> list[Body]:
    """The occurrences of a series."""
    window = {"startDateTime": start, "endDateTime": end, "$top": "1000"}
    answer = await http.get(f"{EVENTS}/{master}/instances", params=window)
    assert answer.status_code == 200, answer.text
    found: list[Body] = answer.json()["value"]
    return found


async def pages(http: httpx.AsyncClient, url: str, size: int = 10) -> list[Body]:
    """One whole delta round."""
    found: list[Body] = []
    link = url
    while link:
        answer = await http.get(link, headers={"Prefer": f'odata.maxpagesize={size}, IdType="ImmutableId"'})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = found[-1].get("@odata.nextLink", "")
    return found


async def folded(http: httpx.AsyncClient, url: str, size: int = 10) -> tuple[dict[str, Body], str]:
    """The last word per id of a round, and the deltaLink."""
    round_ = await pages(http, url, size)
    return {each["id"]: each for page in round_ for each in page["value"]}, round_[-1]["@odata.deltaLink"]
