"""What the tests of the emulated To Do share: a tenant with Anna, a judged client, payloads, whole delta rounds. Not a test."""

from __future__ import annotations

from typing import Any

import httpx

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import ROME, at

MAIL = "anna@example.com"
LISTS = f"/users/{MAIL}/todo/lists"
TASKS = f"{LISTS}/tasks/tasks"  # the default list by its alias (BEHAVIOUR 7.3)
LINK = {"applicationName": "vtenext", "displayName": "vtenext", "externalId": "1x7", "webUrl": "https://crm.example/7"}
Body = dict[str, Any]


def default_list(graph: GraphEmulator) -> str:
    """The id of Anna's default list."""
    return graph.world.user(MAIL).mailbox.todo.default.id


def of_list(task_list: str, task: str = "", child: str = "") -> str:
    """The path of a list's tasks, of one task, of its children."""
    return "/".join(part for part in (f"{LISTS}/{task_list}/tasks", task, child) if part)


def due(day: str, zone: str = ROME) -> Body:
    """A due date as it is to be sent: local midnight."""
    return {"dueDateTime": at(f"{day}T00:00:00", zone)}


def weekly(start: str = "2026-11-23", *, zone: str = ROME, **span: Any) -> Body:
    """A rule for Mondays."""
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
    held: Body = {"type": "noEnd", "startDate": start, **span}
    return {"recurrence": {"pattern": pattern, "range": held | ({"recurrenceTimeZone": zone} if zone else {})}}


async def create(http: httpx.AsyncClient, body: Body, url: str = TASKS) -> Body:
    """POST, 201."""
    answer = await http.post(url, json=body)
    assert answer.status_code == 201, answer.text
    made: Body = answer.json()
    return made


async def pages(http: httpx.AsyncClient, url: str, size: int | None = None) -> list[Body]:
    """One whole delta round; no page size asked for unless `size`."""
    found: list[Body] = []
    link = url
    while link:
        answer = await http.get(link, headers={"Prefer": f"odata.maxpagesize={size}"} if size else {})
        assert answer.status_code == 200, answer.text
        found.append(answer.json())
        link = found[-1].get("@odata.nextLink", "")
    return found


async def folded(http: httpx.AsyncClient, url: str) -> tuple[dict[str, Body], str]:
    """The last word per id of a round, and the deltaLink."""
    round_ = await pages(http, url)
    return {each["id"]: each for page in round_ for each in page["value"]}, round_[-1]["@odata.deltaLink"]
