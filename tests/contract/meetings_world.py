"""Three colleagues' calendars in one emulated tenant, each behind the product's adapter; time stands still. Not a test."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from sync.model import Item
from tests.contract.calendar_world import MAIL, NOW, CalendarWorld, Disguise, Json, at, walk
from tests.contract.graph_world import plug

ANNA, BRUNO, CARLA = MAIL, "bruno@example.com", "carla@example.com"
NAMES = {ANNA: "Anna Neri", BRUNO: "Bruno Verdi", CARLA: "Carla Rossi"}
STRANGER = "ospite@fuori.example"


def guest(address: str, type_: str = "required", **more: Any) -> Json:
    return {"emailAddress": {"address": address}, "type": type_, **more}


class MeetingsWorld:
    """`anna`, who organizes, and two whom she invites."""

    def __init__(self, emulator: GraphEmulator, calendars: dict[str, CalendarWorld], disguise: Disguise) -> None:
        self.emulator, self.outlook, self.calendars, self.disguise = emulator, emulator.outlook, calendars, disguise
        self.anna, self.bruno, self.carla = (calendars[each] for each in NAMES)
        self.sent: list[Json] = []
        self._before = 0
        disguise.meanwhile = self.note

    def note(self, request: httpx.Request) -> None:
        """Keep the writing parts of what arrives."""
        body = json.loads(request.content) if request.content else {}
        self.sent += [each for each in body.get("requests", ()) if each["method"] != "GET"]

    def meet(self, *guests: Json, day: str = "2026-11-25", **fields: Any) -> str:
        """Anna invites; her event's id. The mails of the invitation are not counted."""
        event = {"subject": "Riunione", **at(day), "attendees": list(guests), **fields}
        item_id = self.outlook.create_event(ANNA, event)
        self._before = len(self.outlook.mails())
        return item_id

    def mails(self) -> list[tuple[str, str]]:
        """Kind and recipient of those since `meet`."""
        return [(each["kind"], each["to"]) for each in self.outlook.mails()[self._before :]]

    async def copy(self, who: CalendarWorld) -> Item:
        """The only event of somebody."""
        (item,) = (await walk(who)).items.values()
        return item

    def responses(self, event: str) -> dict[str, str]:
        """What Anna's list says."""
        listed = self.outlook.show_event(ANNA, event)["attendees"]
        return {each["emailAddress"]["address"]: each["status"]["response"] for each in listed}

    def actions(self) -> list[tuple[str, str]]:
        """Method and last word of the address of each write."""
        return [
            (each["method"], each["url"].rsplit("/", 1)[-1] if each["method"] == "POST" else "") for each in self.sent
        ]


@asynccontextmanager
async def meetings_world(**quirks: Any) -> AsyncIterator[MeetingsWorld]:
    """One tenant with some switches of the emulator set."""
    emulator = GraphEmulator(auth=False, clock=Clock(NOW))
    emulator.quirks.update(quirks)
    disguise = Disguise(emulator.app)
    connection = plug(disguise)
    calendars = {
        mail: CalendarWorld(emulator, emulator.add_user(mail, name), connection) for mail, name in NAMES.items()
    }
    yield MeetingsWorld(emulator, calendars, disguise)
    await connection.close()
