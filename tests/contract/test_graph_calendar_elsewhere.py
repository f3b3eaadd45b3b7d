"""Several calendars in a mailbox: what the emulator shows of them, and that leaving the default one is no deletion (DESIGN 2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest

from emulators.corner import Fault
from emulators.graph import GraphEmulator
from sync.model import Gone, Item, Left, Present, Proof, Unread
from sync.sides.base import Done, Refused, Remove, Revise
from tests.contract.calendar_world import (
    MAIL,
    CalendarWorld,
    all_day,
    calendar_world,
    daily,
    listed,
    read,
    walk,
    write,
)
from tests.contract.graph_calendar import EVENTS, VIEW, client, create, emulator, error, folded, single, weekly

WINDOW = {"startDateTime": "2026-11-01T00:00:00Z", "endDateTime": "2026-12-31T00:00:00Z"}
DELTA = f"{VIEW}/delta?{urlencode(WINDOW)}"
CALENDARS = f"/users/{MAIL}/calendars"
ELSEWHERE = "GET .*calendars/{id}/calendarView"
DENIED = '{"error":{"code":"ErrorAccessDenied","message":""}}'
NOT_FOUND = '{"error":{"code":"ErrorItemNotFound","message":""}}'


class TestEmulator:
    @pytest.fixture
    def graph(self) -> GraphEmulator:
        return emulator()

    @pytest.fixture
    async def http(self, graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
        async with client(graph) as each:
            yield each

    async def test_calendars_are_made_and_listed(self, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
        made = await http.post(CALENDARS, json={"name": "Privato", "color": "lightBlue"})
        assert made.status_code == 201
        holidays = graph.outlook.create_calendar(MAIL, "Festività", read_only=True)
        shown = (await http.get(CALENDARS)).json()["value"]
        assert [(each["name"], each["isDefaultCalendar"], each["canEdit"]) for each in shown] == [
            ("Calendar", True, True),
            ("Privato", False, True),
            ("Festività", False, False),
        ]
        assert shown[1]["id"] == made.json()["id"]
        assert shown[0]["owner"]["address"] == shown[1]["owner"]["address"] == MAIL != shown[2]["owner"]["address"]
        assert (await http.get(f"/users/{MAIL}/calendar")).json()["id"] == shown[0]["id"]
        assert (await http.get(f"{CALENDARS}/{holidays}?$select=name")).json().keys() == {
            "@odata.context",
            "id",
            "name",
        }
        some = await http.get(CALENDARS, params={"$filter": "isDefaultCalendar eq false", "$top": "1"})
        assert [each["name"] for each in some.json()["value"]] == ["Privato"]
        assert [each["name"] for each in (await http.get(some.json()["@odata.nextLink"])).json()["value"]] == [
            "Festività"
        ]

    async def test_what_is_refused(self, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
        other = graph.outlook.create_calendar(MAIL, "Privato")
        closed = graph.outlook.create_calendar(MAIL, "Festività", read_only=True)
        assert error(await http.post(CALENDARS, json={"name": "privato"})) == (409, "ErrorFolderExists")
        for body in ({}, {"name": " "}, {"name": "A", "colour": "auto"}, {"name": "A", "color": "pink"}):
            assert error(await http.post(CALENDARS, json=body)) == (400, "ErrorInvalidProperty")
        for path in ("", "/calendarView?" + urlencode(WINDOW), "/events"):
            assert error(await http.get(f"{CALENDARS}/privato{path}")) == (400, "ErrorInvalidIdMalformed")
            assert error(await http.get(f"{CALENDARS}/{other[:-8]}AAAAAAA={path}")) == (404, "ErrorItemNotFound")
        assert error(await http.post(f"{CALENDARS}/{closed}/events", json=single())) == (403, "ErrorAccessDenied")
        event = graph.outlook.create_event(MAIL, single())
        with pytest.raises(ValueError, match=r"\w"):
            graph.outlook.move_event(MAIL, event, closed)

    async def test_an_event_is_in_one_calendar(self, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
        other = graph.outlook.create_calendar(MAIL, "Privato")
        moved, stays = await create(http, single()), await create(http, weekly(3))
        plain = (await http.get(f"{EVENTS}/{moved['id']}", headers={"Prefer": "x"})).json()["id"]
        assert graph.outlook.move_event(MAIL, moved["id"], "Privato") == moved["id"]

        async def ids(url: str) -> set[str]:
            return {each["id"] for each in (await http.get(url)).json()["value"]}

        now = (await http.get(f"{EVENTS}/{moved['id']}")).json()
        assert (now["id"], now["subject"]) == (moved["id"], moved["subject"])
        assert now["changeKey"] != moved["changeKey"]
        assert error(await http.get(f"{EVENTS}/{plain}")) == (404, "ErrorItemNotFound"), "that id is another now"
        assert await ids(f"{CALENDARS}/{other}/calendarView?{urlencode(WINDOW)}") == {moved["id"]}
        assert moved["id"] not in await ids(f"{VIEW}?{urlencode(WINDOW)}")
        assert await ids(f"{CALENDARS}/{other}/events") == {moved["id"]}
        assert await ids(EVENTS) == {moved["id"], stays["id"]}
        graph.quirks.update({"events_listing": "default"})
        assert await ids(EVENTS) == {stays["id"]}
        made = await http.post(f"{CALENDARS}/{other}/events", json=single())
        assert made.status_code == 201
        assert await ids(f"{CALENDARS}/{other}/events") == {moved["id"], made.json()["id"]}
        assert {each["id"]: (each["place"], each["calendar"]) for each in graph.dump(MAIL)["events"]} == {
            moved["id"]: ("another_calendar", "Privato"),
            stays["id"]: ("calendar", "Calendar"),
            made.json()["id"]: ("another_calendar", "Privato"),
        }

    @pytest.mark.parametrize("prefer", ['IdType="ImmutableId"', "odata.maxpagesize=50"])
    async def test_the_delta_is_the_default_calendars(
        self, graph: GraphEmulator, http: httpx.AsyncClient, prefer: str
    ) -> None:
        graph.quirks.update({"delta_repeats": False})
        graph.outlook.create_calendar(MAIL, "Privato")
        http.headers["Prefer"] = prefer
        one, series = (await create(http, single()))["id"], (await create(http, weekly(3)))["id"]

        async def told(link: str) -> tuple[list[tuple[str, bool]], str]:
            body = (await http.get(link)).json()
            while "@odata.deltaLink" not in body:
                following = (await http.get(body["@odata.nextLink"])).json()
                body = following | {"value": body["value"] + following["value"]}
            return [(each["id"], "@removed" in each) for each in body["value"]], body["@odata.deltaLink"]

        first, link = await told(DELTA)
        assert (one, False) in first
        assert len(first) == 4
        for each in (one, series):
            graph.outlook.move_event(MAIL, each, "Privato")
        events = {each["type"]: each["id"] for each in (await http.get(EVENTS)).json()["value"]}
        later, link = await told(link)
        assert later == [(one, True), (series, True)], "under the ids that they had"
        graph.outlook.edit_event(MAIL, events["singleInstance"], {"subject": "Altrove"})
        graph.outlook.delete_event(MAIL, events["seriesMaster"])
        quiet, link = await told(link)
        assert quiet == [], "another calendar's events are not this one's removals"
        graph.outlook.move_event(MAIL, events["singleInstance"])
        (back,), _ = await told(link)
        assert back[1] is False
        assert (back[0] == one) is ("Immutable" in prefer)

    async def test_a_first_round_shows_what_is_here(self, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
        graph.outlook.create_calendar(MAIL, "Privato")
        graph.outlook.create_event(MAIL, single(), calendar="Privato")
        here = graph.outlook.create_event(MAIL, single())
        known, _ = await folded(http, DELTA)
        assert set(known) == {here}


@pytest.fixture
async def world() -> AsyncIterator[CalendarWorld]:
    async with calendar_world() as world:
        world.outlook.create_calendar(MAIL, "Privato")
        world.outlook.create_calendar(MAIL, "Famiglia")
        yield world


def move(world: CalendarWorld, item_id: str, calendar: str = "Privato") -> None:
    world.outlook.move_event(MAIL, item_id, calendar)


async def seen(world: CalendarWorld, *ids: str) -> list[Present]:
    found = await world.mailbox.get(ids)
    assert list(found) == list(ids)
    return list(found.values())


def left(item_id: str) -> Left:
    return Left(item_id, "another_calendar")


def deleted(item_id: str) -> Gone:
    return Gone(item_id, Proof.IN_DELETED_ITEMS)


class TestLeaving:
    async def test_an_event_that_was_dragged_away_has_left(self, world: CalendarWorld) -> None:
        moved, stays = world.add(), world.add()
        first = await walk(world)
        move(world, moved)
        later = await walk(world, first.cursor)
        assert (later.items, later.gone) == ({}, {moved})
        (away, here) = await seen(world, moved, stays)
        assert away == left(moved)
        assert isinstance(here, Item)

    async def test_and_when_it_comes_back_it_is_here(self, world: CalendarWorld) -> None:
        item_id = world.add()
        move(world, item_id)
        first = await walk(world)
        assert first.items == {}
        move(world, item_id, "calendar")
        assert set((await walk(world, first.cursor)).items) == {item_id}
        await read(world, item_id)

    async def test_what_was_deleted_is_deleted_still(self, world: CalendarWorld) -> None:
        kept, gone, moved, purged = (world.add(f"V{n}") for n in range(4))
        world.purge(purged)
        world.delete(gone)
        move(world, moved, "Famiglia")
        move(world, kept, "Famiglia")
        world.delete(moved)
        assert await seen(world, gone, moved, kept, purged) == [
            deleted(gone),
            deleted(moved),
            left(kept),
            Gone(purged, Proof.NOT_FOUND),
        ]

    async def test_whole_days_in_any_zone(self, world: CalendarWorld) -> None:
        zones = ("Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC")
        ids = [world.add("Fiera", **all_day("2026-11-23", "2026-11-25", zone)) for zone in zones]
        for each in ids:
            move(world, each)
        assert await seen(world, *ids) == [left(each) for each in ids]

    async def test_an_event_that_was_made_in_another_calendar_is_none_of_ours(self, world: CalendarWorld) -> None:
        fields = {"subject": "Dentista", **all_day("2026-11-25", "2026-11-26")}
        single_id = world.outlook.create_event(MAIL, fields, calendar="Privato")
        old = all_day("2020-01-10", "2020-01-11")
        old_id = world.outlook.create_event(MAIL, {"subject": "Vecchia", **old}, calendar="Privato")
        rule = {"subject": "Serie", **all_day("2026-11-25", "2026-11-26"), "recurrence": daily("2026-11-25", 3)}
        series = world.outlook.create_event(MAIL, rule, calendar="Famiglia")
        ids = [single_id, old_id, series, f"{series}|2026-11-26"]
        assert await seen(world, *ids) == [left(each) for each in ids]
        assert (await walk(world)).items == {}, "nor does the history list it"
        assert await listed(world) == {}

    async def test_a_full_hour_is_read_to_its_end(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}") for n in range(130)]
        for each in ids:
            move(world, each)
        assert await seen(world, *ids) == [left(each) for each in ids]


@pytest.mark.parametrize("details", [True, False])
class TestSeries:
    async def test_a_series_leaves_whole(self, details: bool) -> None:
        async with calendar_world(series_details=details) as world:
            world.outlook.create_calendar(MAIL, "Privato")
            master = world.series("2026-11-23", daily("2026-11-23", 5))
            world.outlook.delete_occurrence(MAIL, master, "2026-11-23")
            world.outlook.edit_occurrence(MAIL, master, "2026-11-24", {"subject": "Altra"})
            first = await walk(world)
            move(world, master)
            assert (await walk(world, first.cursor)).gone == {master}
            ids = [master, *(f"{master}|2026-11-{day}" for day in (24, 25))]
            assert await seen(world, *ids) == [left(each) for each in ids]
            assert await seen(world, ids[1]) == [left(ids[1])]
            move(world, master, "calendar")
            assert all(isinstance(each, Item) for each in await seen(world, *ids))
            world.delete(master)
            assert all(isinstance(each, Gone) for each in await seen(world, *ids))

    async def test_an_occurrence_that_was_cancelled_is_gone_where_its_series_is(self, details: bool) -> None:
        async with calendar_world(series_details=details) as world:
            master = world.series("2026-11-23", daily("2026-11-23", 5))
            key, other = f"{master}|2026-11-24", f"{master}|2026-11-25"
            world.outlook.delete_occurrence(MAIL, master, "2026-11-24")
            assert await seen(world, key) == [Gone(key, Proof.NOT_FOUND)]
            found = await seen(world, key, other)
            assert (found[0], type(found[1])) == (Gone(key, Proof.NOT_FOUND), Item)

    async def test_what_happens_to_it_elsewhere_is_none_of_ours(self, details: bool) -> None:
        async with calendar_world(series_details=details) as world:
            world.outlook.create_calendar(MAIL, "Privato")
            master = world.series("2026-11-23", daily("2026-11-23", 5))
            move(world, master)
            world.outlook.delete_occurrence(MAIL, master, "2026-11-24")
            world.outlook.truncate(MAIL, master, "2026-11-26")
            ids = [f"{master}|2026-11-{day}" for day in (24, 25, 27)]
            assert await seen(world, *ids) == [left(each) for each in ids]
            assert await seen(world, ids[0]) == [left(ids[0])]


class TestTrouble:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault("status", 403, body=DENIED),
            Fault("status", 404, body=NOT_FOUND),
            Fault("status", 404, body='{"error":{"code":"ErrorInvalidUser","message":""}}'),
            Fault("status", 500, body='{"error":{"code":"ErrorInternalServerTransientError","message":""}}'),
            Fault("status", 503),
        ],
    )
    async def test_a_calendar_that_cannot_be_read_leaves_the_event_unread(
        self, world: CalendarWorld, fault: Fault
    ) -> None:
        gone, here = world.add(), world.add()
        world.delete(gone)
        world.emulator.parts.add(fault, match=ELSEWHERE, times=99)
        away, alive = await seen(world, gone, here)
        assert isinstance(away, Unread)
        assert str(fault.status) in away.cause
        assert isinstance(alive, Item)
        result = await write(world, Remove(alive))
        assert isinstance(result, Done)

    async def test_one_that_answers_and_has_it_is_enough(self, world: CalendarWorld) -> None:
        moved, gone = world.add("A", "2026-11-25"), world.add("B", "2026-11-26")
        move(world, moved, "Famiglia")
        world.delete(gone)
        privato = world.emulator.world.user(MAIL).mailbox.calendar.folders
        closed = next(key for key, each in privato.items() if each.name == "Privato")
        world.disguise.says = (closed.encode(), b"AQMkADnotthere000000000000000000000000=")
        away, unread = await seen(world, moved, gone)
        assert away == left(moved)
        assert isinstance(unread, Unread)

    async def test_what_may_only_be_looked_at_cannot_have_received_it(self) -> None:
        async with calendar_world() as world:
            world.outlook.create_calendar(MAIL, "Festività", read_only=True)
            item_id = world.add()
            world.delete(item_id)
            world.emulator.parts.add(Fault("status", 500), match=ELSEWHERE, times=99)
            assert await seen(world, item_id) == [deleted(item_id)]

    @pytest.mark.parametrize("told", [b'"canEdit": null', b'"canShare": true'])
    async def test_a_calendar_that_does_not_say_whether_it_can_be_written_is_asked(
        self, world: CalendarWorld, told: bytes
    ) -> None:
        moved = world.add()
        move(world, moved)
        world.disguise.says = (b'"canEdit": true', told)
        assert await seen(world, moved) == [left(moved)]

    async def test_calendars_that_cannot_be_listed_leave_it_unread(self, world: CalendarWorld) -> None:
        moved, here = world.add(), world.add()
        move(world, moved)
        world.emulator.corner.add_fault(Fault("status", 500), match="GET .*calendars$", times=99)
        unread, alive = await seen(world, moved, here)
        assert (type(unread), type(alive)) == (Unread, Item)

    async def test_a_page_that_cannot_be_read_leaves_it_unread(self, world: CalendarWorld) -> None:
        for n in range(130):
            move(world, world.add(f"V{n}"))
        gone = world.add()
        world.delete(gone)
        fault = Fault("status", 403, body=DENIED)
        world.emulator.corner.add_fault(fault, match="GET .*calendars/{id}/calendarView", times=99)
        assert [type(each) for each in await seen(world, gone)] == [Unread]

    @pytest.mark.parametrize("answer", ['{"value":[]}', NOT_FOUND])
    async def test_a_lone_wrong_answer_proves_nothing(self, world: CalendarWorld, answer: str) -> None:
        item_id = world.add()
        move(world, item_id, "Famiglia")
        status = 200 if "value" in answer else 404
        world.emulator.parts.add(Fault("status", status, body=answer), match=ELSEWHERE, nth=2)
        assert await seen(world, item_id) == [left(item_id)]

    async def test_an_event_that_comes_back_between_the_questions_is_here(self, world: CalendarWorld) -> None:
        item_id = world.add()
        move(world, item_id)

        def back(request: httpx.Request) -> None:
            if request.url.path.endswith("/calendars"):
                world.disguise.meanwhile = None
                move(world, item_id, "calendar")

        world.disguise.meanwhile = back
        await read(world, item_id)
        assert world.disguise.meanwhile is None

    async def test_what_was_planned_on_an_event_that_left_is_refused(self, world: CalendarWorld) -> None:
        one, other = await read(world, world.add("A")), await read(world, world.add("B"))
        for each in (one, other):
            move(world, each.id)
        results = await world.mailbox.apply([Remove(one), Revise(other, {"subject": "X"})])
        assert [each.failure.status for each in results if isinstance(each, Refused)] == [412, 412]
        shown = [world.show(each.id) for each in (one, other)]
        assert [(each["subject"], each["place"]) for each in shown] == [
            ("A", "another_calendar"),
            ("B", "another_calendar"),
        ]


class TestCost:
    async def test_living_events_ask_no_other_calendar(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}", f"2026-12-{n + 1:02}") for n in range(10)]
        world.count_anew()
        await seen(world, *ids)
        assert world.parts() == {"GET /events/{id}": 10, "GET /calendarView": 10}
        assert world.requests() == 2

    async def test_the_calendars_are_listed_once_and_asked_together(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}", f"2026-12-{n + 1:02}") for n in range(10)]
        for each in ids[:3]:
            world.delete(each)
        move(world, ids[3])
        world.count_anew()
        await seen(world, *ids)
        # four that look deleted, in two other calendars; the three that seem to be gone are looked at twice
        assert world.parts() == {
            "GET /events/{id}": 13,
            "GET /calendarView": 13,
            "GET /calendars/{id}/calendarView": 14,
        }
        assert world.requests() == 8  # three batches a look, the list of calendars, the calendar's sign of life

    async def test_without_other_calendars_nothing_is_asked_of_them(self) -> None:
        async with calendar_world() as world:
            item_id = world.add()
            world.delete(item_id)
            world.count_anew()
            assert await seen(world, item_id) == [deleted(item_id)]
            assert world.parts() == {"GET /events/{id}": 2, "GET /calendarView": 2}
            assert world.requests() == 6
