"""Rooms, cars and colours of the Graph emulator, and what people do with meetings in Outlook."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from emulators.entra import EntraEmulator
from emulators.graph import GraphEmulator
from emulators.inprocess import InProcessTransport
from tests.contract.graph_calendar import client, error, single
from tests.contract.graph_meetings import (
    ANNA,
    BO,
    CARLA,
    STRANGER,
    Desk,
    answers,
    later,
    mailed,
    tenant,
    who,
)

ROOM, CAR = "room@example.com", "car@example.com"
CATEGORIES = f"/users/{ANNA}/outlook/masterCategories"


@pytest.fixture
def graph() -> GraphEmulator:
    graph = tenant()
    graph.add_user(ROOM, "Meeting Room")
    graph.add_user(CAR, "Car")
    graph.outlook.make_room(ROOM)
    graph.outlook.make_equipment(CAR)
    return graph


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


@pytest.fixture
def desk(http: httpx.AsyncClient) -> Callable[[str], Desk]:
    return lambda user: Desk(http, user)


Desks = Callable[[str], Desk]


class TestRooms:
    @pytest.mark.parametrize("address", [ROOM, CAR])
    async def test_the_first_is_accepted_the_clash_declined(
        self, graph: GraphEmulator, desk: Desks, address: str
    ) -> None:
        booking = single(attendees=who(address, kind="resource"))
        first = await desk(ANNA).post(booking)
        second = await desk(BO).post(booking)
        assert answers(await desk(ANNA).read(first)) == {address: "accepted"}
        assert answers(await desk(BO).read(second)) == {address: "declined"}
        assert mailed(graph, by="resource") == {("response", ANNA): 1, ("response", BO): 1}
        assert len(await desk(address).all()) == 1
        await desk(BO).patch(second, **later())
        assert answers(await desk(BO).read(second)) == {address: "accepted"}

    async def test_what_ends_when_the_next_begins_is_no_clash(self, desk: Desks) -> None:
        guests = who(ROOM, kind="resource")
        first = await desk(ANNA).post(single(attendees=guests))
        second = await desk(BO).post(single("2026-11-23T10:00:00", "2026-11-23T11:00:00", attendees=guests))
        assert answers(await desk(ANNA).read(first)) == answers(await desk(BO).read(second)) == {ROOM: "accepted"}

    async def test_a_called_off_booking_frees_the_room(self, desk: Desks) -> None:
        booking = single(attendees=who(ROOM, kind="resource"))
        await desk(ANNA).delete(await desk(ANNA).post(booking))
        assert await desk(ROOM).all() == []
        assert answers(await desk(BO).read(await desk(BO).post(booking))) == {ROOM: "accepted"}

    async def test_an_accepted_booking_is_not_answered_again(self, graph: GraphEmulator, desk: Desks) -> None:
        made = await desk(ANNA).post(single(attendees=who(ROOM, kind="resource")))
        await desk(ANNA).patch(made, subject="Other")
        assert mailed(graph, by="resource") == {("response", ANNA): 1}
        await desk(ANNA).patch(made, **later())
        assert answers(await desk(ANNA).read(made)) == {ROOM: "accepted"}
        assert mailed(graph, by="resource") == {("response", ANNA): 2}

    async def test_a_series_with_one_clash_is_declined_whole(self, desk: Desks) -> None:
        guests = who(ROOM, kind="resource")
        await desk(ANNA).post(single("2026-12-07T09:30:00", "2026-12-07T11:00:00", attendees=guests))
        made = await desk(BO).series(ROOM)
        assert answers(await desk(BO).read(made)) == {ROOM: "declined"}
        short = await desk(BO).series(ROOM, count=2)
        assert answers(await desk(BO).read(short)) == {ROOM: "accepted"}

    async def test_one_occurrence_moved_into_a_clash(self, desk: Desks) -> None:
        guests = who(ROOM, kind="resource")
        made = await desk(BO).series(ROOM)
        await desk(ANNA).post(single("2026-11-30T15:00:00", "2026-11-30T16:00:00", attendees=guests))
        day = (await desk(BO).slots(made))["2026-11-30"]
        zone = "Europe/Rome"
        moved = {
            name: {"dateTime": f"2026-11-30T{hour}:30:00", "timeZone": zone}
            for name, hour in (("start", 15), ("end", 16))
        }
        await desk(BO).patch(day, **moved)
        hers = await desk(BO).slots(made)
        assert [answers(each)[ROOM] for each in hers.values()] == ["accepted", "declined", *["accepted"] * 3]
        assert len(await desk(ROOM).slots((await desk(ROOM).all())[0])) == 4

    async def test_rooms_are_places_and_cars_are_not(self, http: httpx.AsyncClient) -> None:
        found = (await http.get("/places/graph.room")).json()["value"]
        assert [(each["displayName"], each["emailAddress"]) for each in found] == [("Meeting Room", ROOM)]
        purposes = [
            (await http.get(f"/users/{each}/mailboxSettings")).json()["userPurpose"] for each in (ROOM, CAR, BO)
        ]
        assert purposes == ["room", "equipment", "user"]

    async def test_a_hundred_rooms_a_page(self, graph: GraphEmulator, http: httpx.AsyncClient) -> None:
        for number in range(101):
            graph.add_user(f"room{number}@example.com", f"Room {number}")
            graph.outlook.make_room(f"room{number}@example.com")
        first = (await http.get("/places/graph.room")).json()
        second = (await http.get(first["@odata.nextLink"])).json()
        assert [len(page["value"]) for page in (first, second)] == [100, 2]


class TestCategories:
    async def test_made_read_recoloured_and_deleted(self, http: httpx.AsyncClient) -> None:
        made = (await http.post(CATEGORIES, json={"displayName": "Car", "color": "preset24"})).json()
        assert (made["displayName"], made["color"]) == ("Car", "preset24")
        again = await http.post(CATEGORIES, json={"displayName": "CAR", "color": "preset1"})
        assert error(again) == (409, "CategoryNameExists")
        one = f"{CATEGORIES}/{made['id']}"
        assert (await http.patch(one, json={"displayName": "Bus", "color": "preset2"})).status_code == 200
        assert (await http.get(one)).json()["displayName"] == "Car"
        assert [each["color"] for each in (await http.get(CATEGORIES)).json()["value"]] == ["preset2"]
        assert (await http.delete(one)).status_code == 204
        assert error(await http.get(one)) == (404, "ErrorItemNotFound")

    @pytest.mark.parametrize(
        "wrong", [{}, {"displayName": ""}, {"displayName": "A", "color": "preset25"}, {"name": "A"}]
    )
    async def test_wrong_ones_are_refused(self, http: httpx.AsyncClient, wrong: dict[str, str]) -> None:
        assert (await http.post(CATEGORIES, json=wrong)).status_code == 400
        assert (await http.get(CATEGORIES)).json()["value"] == []

    async def test_they_are_each_mailboxs_own(self, graph: GraphEmulator) -> None:
        graph.outlook.create_category(ANNA, "Car", "preset3")
        assert graph.outlook.categories(ANNA) == {"Car": "preset3"}
        assert graph.outlook.categories(BO) == {}
        with pytest.raises(ValueError, match="CategoryNameExists"):
            graph.outlook.create_category(ANNA, "car")

    async def test_roles(self) -> None:
        entra = EntraEmulator()
        entra.add_app("reader", "s3cret", roles=("MailboxSettings.Read",))
        graph = GraphEmulator(clock=entra.clock, keys=entra.keys)
        graph.add_user(ANNA, "Anna Neri")
        async with client(graph) as http:
            http.headers["Authorization"] = f"Bearer {entra.app_token('reader')}"
            assert (await http.get(CATEGORIES)).status_code == 200
            assert error(await http.post(CATEGORIES, json={"displayName": "A"})) == (403, "ErrorAccessDenied")
            assert error(await http.get("/places/graph.room")) == (403, "ErrorAccessDenied")

    async def test_supported_time_zones(self, http: httpx.AsyncClient) -> None:
        base = f"/users/{ANNA}/outlook/supportedTimeZones"
        windows = [each["alias"] for each in (await http.get(f"{base}()")).json()["value"]]
        assert "W. Europe Standard Time" in windows
        iana = [each["alias"] for each in (await http.get(f"{base}(TimeZoneStandard='Iana')")).json()["value"]]
        assert "Europe/Berlin" in iana
        assert (await http.get(f"{base}(TimeZoneStandard='Lunar')")).status_code == 400


class TestOutlook:
    async def test_people_mail_as_apps_do(self, graph: GraphEmulator, desk: Desks) -> None:
        fields = single(attendees=who(BO, STRANGER))
        event = graph.outlook.create_event(ANNA, fields)
        graph.outlook.invite(ANNA, event, [CARLA], kind="optional")
        graph.outlook.edit_event(ANNA, event, {"subject": "Other"})
        graph.outlook.uninvite(ANNA, event, [STRANGER])
        assert mailed(graph, by="person", kind="update") == {("update", each): 1 for each in (BO, CARLA, STRANGER)}
        uid = graph.outlook.show_event(ANNA, event)["iCalUId"]
        mine = graph.outlook.find_event(BO, uid)
        graph.outlook.respond(BO, mine, "accept")
        graph.outlook.decline_and_delete(CARLA, graph.outlook.find_event(CARLA, uid))
        assert graph.outlook.find_event(CARLA, uid) == ""
        assert answers(await desk(ANNA).only()) == {BO: "accepted", CARLA: "declined"}
        graph.outlook.cancel_meeting(ANNA, event)
        assert (await desk(BO).only())["isCancelled"]
        assert mailed(graph, why="cancel") == {("cancellation", BO): 1, ("cancellation", CARLA): 1}

    async def test_a_copied_meeting_invites_again(self, graph: GraphEmulator, desk: Desks) -> None:
        event = graph.outlook.create_event(ANNA, single(attendees=who(BO)))
        graph.outlook.copy_event(ANNA, event)
        assert mailed(graph) == {("invitation", BO): 2}
        assert len({each["iCalUId"] for each in await desk(BO).all()}) == 2

    async def test_what_they_cannot_do(self, graph: GraphEmulator) -> None:
        event = graph.outlook.create_event(ANNA, single(attendees=who(BO)))
        with pytest.raises(ValueError, match="organizer"):
            graph.outlook.respond(ANNA, event, "accepted")
        with pytest.raises(ValueError, match="no answer"):
            graph.outlook.respond(ANNA, event, "maybe")
        graph.outlook.delete_event(ANNA, event)
        with pytest.raises(ValueError, match="is deleted"):
            graph.outlook.invite(ANNA, event, [CARLA])

    async def test_over_http(self, graph: GraphEmulator) -> None:
        transport = InProcessTransport(graph.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://graph/_emulator") as corner:
            given = {"do": "create_event", "user": ANNA, "fields": single(attendees=who(BO, STRANGER))}
            assert (await corner.post("/outlook", json=given)).status_code == 200
            told = (await corner.get("/mails")).json()
            assert (told["total"], [row["to"] for row in told["mails"]]) == (2, [BO, STRANGER])
            await corner.delete("/mails")
            assert (await corner.get("/mails")).json() == {"total": 0, "mails": []}

    async def test_answers_in_a_batch(self, graph: GraphEmulator, http: httpx.AsyncClient, desk: Desks) -> None:
        made = await desk(ANNA).meeting(BO)
        url = f"/users/{BO}/events/{(await desk(BO).only())['id']}/accept"
        part = {"id": "1", "method": "POST", "url": url, "headers": {"Content-Type": "application/json"}, "body": {}}
        [answer] = (await http.post("/$batch", json={"requests": [part]})).json()["responses"]
        assert answer["status"] == 202
        assert answers(await desk(ANNA).read(made)) == {BO: "accepted"}
