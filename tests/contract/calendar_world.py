"""The emulator's calendar behind the product's adapter, and Outlook in the user's hand; time stands still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from emulators.corner import Clock
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from sync.model import Item, Value
from sync.sides.base import Done, Page, Result, Revise, Write
from sync.sides.graph import GraphConnection
from sync.sides.graph.calendar import GraphCalendar
from sync.sides.graph.window import Horizon
from tests.contract.graph_world import Time, plug

MAIL = "anna@example.com"
ROME = ZoneInfo("Europe/Rome")
NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
Json = dict[str, Any]


def at(day: str, start: str = "10:00", end: str = "11:00", zone: str = "Europe/Rome") -> Json:
    """start and end on one day."""
    return {
        "start": {"dateTime": f"{day}T{start}:00", "timeZone": zone},
        "end": {"dateTime": f"{day}T{end}:00", "timeZone": zone},
    }


def all_day(first: str, after: str, zone: str = "Europe/Rome") -> Json:
    return {**at(first, "00:00", "00:00", zone), "end": {"dateTime": f"{after}T00:00:00", "timeZone": zone}} | {
        "isAllDay": True
    }


def weekly(start: str, *days: str, count: int = 0, until: str = "", interval: int = 1) -> Json:
    """A recurrence; without count and until it has no end."""
    kind = "numbered" if count else "endDate" if until else "noEnd"
    return {
        "pattern": {"type": "weekly", "interval": interval, "daysOfWeek": list(days), "firstDayOfWeek": "monday"},
        "range": {"type": kind, "startDate": start}
        | ({"numberOfOccurrences": count} if count else {})
        | ({"endDate": until} if until else {}),
    }


def daily(start: str, count: int) -> Json:
    return {
        "pattern": {"type": "daily", "interval": 1},
        "range": {"type": "numbered", "startDate": start, "numberOfOccurrences": count},
    }


class CalendarWorld:
    """One mailbox."""

    disguise: Disguise

    def __init__(
        self, emulator: GraphEmulator, user: str, connection: GraphConnection, horizon: Horizon | None = None
    ) -> None:
        self.emulator, self.user, self.connection = emulator, user, connection
        self.outlook = emulator.outlook
        self.mailbox = GraphCalendar(connection, user, zone=ROME, now=emulator.clock.now, horizon=horizon or Horizon())

    def add(self, subject: str = "Visita", day: str = "2026-11-25", **fields: Any) -> str:
        when = fields if "start" in fields else at(day)
        return self.outlook.create_event(MAIL, {"subject": subject, **when, **fields})

    def series(self, day: str, recurrence: Json, **fields: Any) -> str:
        return self.add("Serie", day, recurrence=recurrence, **fields)

    def edit(self, item_id: str, **fields: Any) -> None:
        self.outlook.edit_event(MAIL, item_id, fields)

    def delete(self, item_id: str) -> None:
        self.outlook.delete_event(MAIL, item_id)

    def purge(self, item_id: str) -> None:
        self.outlook.delete_event(MAIL, item_id)
        self.outlook.empty_deleted_items(MAIL)

    def show(self, item_id: str) -> Json:
        return self.outlook.show_event(MAIL, item_id)

    def events(self) -> list[Json]:
        """What is in the calendar."""
        return [each for each in self.emulator.dump(MAIL)["events"] if each["place"] == "calendar"]

    def days_pass(self, days: float) -> None:
        self.emulator.clock.advance(days * 86_400)

    def forget_cursors(self) -> None:
        self.emulator.expire_delta(MAIL)

    def requests(self) -> int:
        return self.emulator.corner.total

    def count_anew(self) -> None:
        self.emulator.corner.counts.clear()
        self.emulator.parts.counts.clear()

    def parts(self) -> dict[str, int]:
        """Parts of batches by method and shape, the user left out."""
        found: dict[str, int] = {}
        for name, number in self.emulator.parts.counts.items():
            short = name.replace(f"/users/{self.user}", "")
            found[short] = found.get(short, 0) + number
        return found


class Disguise(InProcessTransport):
    """Answers say one text instead of another, as a service would that has events which this emulator cannot make."""

    says: tuple[bytes, bytes] = (b"", b"")
    meanwhile: Callable[[httpx.Request], None] | None = None
    """What happens just before a request arrives."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.meanwhile:
            self.meanwhile(request)
        answer = await super().handle_async_request(request)
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        content = (await answer.aread()).replace(*self.says) if self.says[0] else await answer.aread()
        return httpx.Response(answer.status_code, headers=headers, content=content)


@asynccontextmanager
async def calendar_world(time: Time | None = None, **quirks: Any) -> AsyncIterator[CalendarWorld]:
    """One mailbox, with some switches of the emulator set."""
    emulator = GraphEmulator(auth=False, clock=Clock(NOW))
    emulator.quirks.update(quirks)
    disguise = Disguise(emulator.app)
    connection = plug(disguise, time=time)
    world = CalendarWorld(emulator, emulator.add_user(MAIL, "Anna Neri"), connection)
    world.disguise = disguise
    world.count_anew()
    yield world
    await connection.close()


LISTS = {"attendees", "categories"}


class Round:
    """A whole round, as an engine would apply it."""

    def __init__(self, pages: list[Page]) -> None:
        self.items: dict[str, Item] = {}
        self.gone: set[str] = set()
        self.whole: set[str] = set()
        self.cursor = pages[-1].cursor
        for page in pages:
            for item in page.items:
                self.items[item.id] = item
                self.gone.discard(item.id)
            for each in page.gone:
                self.gone.add(each)
                self.items.pop(each, None)
            self.whole |= set(page.whole)

    def slots(self, master: str) -> dict[str, str]:
        """Slot -> span of the occurrences of a series."""
        return {item.id.partition("|")[2]: text(item, "when") for item in self.items.values() if item.series == master}


async def walk(world: CalendarWorld, cursor: str | None = None) -> Round:
    """Follow the changes, checking what holds of every round."""
    pages = [page async for page in world.mailbox.changes(cursor)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [bool(page.cursor) for page in pages] == [page.last for page in pages]
    for page in pages:
        assert len({item.id for item in page.items}) == len(page.items)
        assert not {item.id for item in page.items} & set(page.gone)
        assert all(item.series or not item.stamp for item in page.items), "a delta shows no stamps"
        for name, value in (field for item in page.items for field in item.fields.items()):
            assert isinstance(value, tuple if name in LISTS else str)
    return Round(pages)


def text(item: Item, name: str) -> str:
    value: Value = item.fields[name]
    assert isinstance(value, str)
    return value


async def read(world: CalendarWorld, item_id: str) -> Item:
    found = (await world.mailbox.get([item_id]))[item_id]
    assert isinstance(found, Item), found
    return found


async def listed(world: CalendarWorld) -> dict[str, Item]:
    return {item.id: item async for page in world.mailbox.stamped() for item in page}


async def write(world: CalendarWorld, each: Write) -> Result:
    (result,) = await world.mailbox.apply([each])
    return result


async def done(world: CalendarWorld, each: Write) -> Item:
    result = await write(world, each)
    assert isinstance(result, Done), result
    assert result.item is not None
    return result.item


async def revise(world: CalendarWorld, item: Item, **fields: str) -> Result:
    return await write(world, Revise(item, fields))
