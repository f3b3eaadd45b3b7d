"""What the tests of emulated meetings share: a tenant with four people, calls in anybody's mailbox, what was mailed.

Not a test.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import httpx

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import MAIL, Body, at, emulator, single, weekly

ANNA, BO, CARLA, EVA = MAIL, "bo@example.com", "carla@example.com", "eva@example.com"
STRANGER = "guest@elsewhere.example"


def tenant() -> GraphEmulator:
    """Anna, Bo, Carla and Eva."""
    graph = emulator()
    for mail, name in ((BO, "Bo Verdi"), (CARLA, "Carla Rossi"), (EVA, "Eva Blu")):
        graph.add_user(mail, name)
    return graph


def who(*addresses: str, kind: str = "required") -> list[Body]:
    """A list of attendees."""
    return [{"type": kind, "emailAddress": {"address": each}} for each in addresses]


def mailed(graph: GraphEmulator, **only: str) -> Counter[tuple[str, str]]:
    """How many mails of each kind everybody got; `only`: of rows with these values."""
    rows = [row for row in graph.outlook.mails() if all(row[name] == value for name, value in only.items())]
    return Counter((row["kind"], row["to"]) for row in rows)


class Desk:
    """The calendar of one user over HTTP."""

    def __init__(self, http: httpx.AsyncClient, user: str) -> None:
        self._http = http
        self.events = f"/users/{user}/events"

    async def meeting(self, *addresses: str, **more: Any) -> Body:
        """A new meeting of one hour."""
        return await self.post(single(attendees=who(*addresses), **more))

    async def series(self, *addresses: str, count: int = 5, **more: Any) -> Body:
        """A new weekly meeting."""
        return await self.post(weekly(count, attendees=who(*addresses), **more))

    async def post(self, body: Body) -> Body:
        answer = await self._http.post(self.events, json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    async def patch(self, event: Body, **fields: Any) -> Body:
        answer = await self._http.patch(f"{self.events}/{event['id']}", json=fields)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def delete(self, event: Body) -> httpx.Response:
        return await self._http.delete(f"{self.events}/{event['id']}")

    async def read(self, event: Body) -> Body:
        return dict((await self._http.get(f"{self.events}/{event['id']}")).json())

    async def do(self, event: Body, action: str, **given: Any) -> httpx.Response:
        return await self._http.post(f"{self.events}/{event['id']}/{action}", json=given)

    async def all(self) -> list[Body]:
        return list((await self._http.get(self.events)).json()["value"])

    async def only(self) -> Body:
        [found] = await self.all()
        return found

    async def slots(self, master: Body) -> dict[str, Body]:
        """The occurrences of a series by their present date."""
        window = {"startDateTime": "2026-11-01T00:00:00Z", "endDateTime": "2027-12-31T00:00:00Z", "$top": "100"}
        found = (await self._http.get(f"{self.events}/{master['id']}/instances", params=window)).json()["value"]
        return {each["start"]["dateTime"][:10]: each for each in found}


def answers(event: Body) -> dict[str, str]:
    """Who answered what, as the item shows it."""
    return {each["emailAddress"]["address"]: each["status"]["response"] for each in event["attendees"]}


def later(hour: int = 15) -> Body:
    """Another time on the same day."""
    return {"start": at(f"2026-11-23T{hour}:00:00"), "end": at(f"2026-11-23T{hour + 1}:00:00")}
