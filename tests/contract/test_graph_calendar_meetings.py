"""Meetings on the Graph calendar over the emulator: what is read of people, and who is mailed for what is written."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from emulators.corner import Fault
from sync.model import Item, Kind
from sync.sides.base import Done, New, Refused, Remove, Revise
from tests.contract.calendar_world import CalendarWorld, done, read, text, walk, weekly, write
from tests.contract.meetings_world import ANNA, BRUNO, CARLA, STRANGER, MeetingsWorld, guest, meetings_world

WHEN = "2026-11-25T09:00Z/2026-11-25T10:00Z"
MONDAYS = ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14"]


@pytest.fixture
async def world() -> AsyncIterator[MeetingsWorld]:
    async with meetings_world() as world:
        yield world


def said(address: str, response: str = "none", type_: str = "required", name: str = "") -> str:
    return f"{address}|{type_}|{response}|{name}"


def series(world: MeetingsWorld, *guests: str) -> str:
    return world.meet(*map(guest, guests), day=MONDAYS[0], recurrence=weekly(MONDAYS[0], "monday", count=4))


def people(item: Item) -> dict[str, str]:
    """Address -> answer."""
    return {each.split("|")[0]: each.split("|")[2] for each in item.fields["attendees"]}


class TestReading:
    async def test_the_organizers_event(self, world: MeetingsWorld) -> None:
        who = (guest(BRUNO), guest(STRANGER, "optional"), guest("sala@fuori.example", "resource"))
        event = world.meet(*who, categories=["Verde", "Auto"])
        item = await read(world.anna, event)
        names = ("organizer", "organizer_address", "response", "cancelled")
        assert [text(item, name) for name in names] == ["1", ANNA, "", ""]
        assert item.fields["attendees"] == (
            said(BRUNO),
            said(STRANGER, type_="optional"),
            said("sala@fuori.example", type_="resource"),
        )
        assert item.fields["categories"] == ("Auto", "Verde")
        assert (await walk(world.anna)).items[event].fields == item.fields

    @pytest.mark.parametrize("copies_list_organizer", [True, False])
    async def test_an_attendees_copy(self, copies_list_organizer: bool) -> None:
        async with meetings_world(copies_list_organizer=copies_list_organizer) as world:
            event = world.meet(guest(BRUNO), guest(CARLA, "optional"))
            own, copy = await read(world.anna, event), await world.copy(world.bruno)
            assert [text(copy, name) for name in ("organizer", "organizer_address", "response")] == ["", ANNA, "none"]
            assert people(copy).keys() == {BRUNO, CARLA}
            assert (text(copy, "uid"), text(copy, "when")) == (text(own, "uid"), WHEN)
            assert (copy.id, copy.stamp) != (own.id, "stamp")

    async def test_an_answer_shows_on_both_sides_and_in_delta(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO), guest(CARLA))
        first = await walk(world.anna)
        copy = await world.copy(world.bruno)
        world.outlook.respond(BRUNO, copy.id, "tentativelyAccepted")
        assert text(await read(world.bruno, copy.id), "response") == "tentative"
        later = (await walk(world.anna, first.cursor)).items[event]
        assert people(later) == {BRUNO: "tentative", CARLA: "none"}
        assert later.version != first.items[event].version

    async def test_a_delta_that_says_nothing_of_people_is_read_by_id(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO))
        world.disguise.says = b'"attendees":', b'"attendance":'
        item = await read(world.anna, event)
        assert item.fields["attendees"] == ()  # the disguise hides them from GET, too
        world.anna.count_anew()
        assert (await walk(world.anna)).items[event] == item
        assert world.anna.parts()["GET /events/{id}"] == 1

    async def test_a_meeting_called_off_stays_an_item(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO))
        copy = await world.copy(world.bruno)
        world.outlook.delete_event(ANNA, event)
        shown = await read(world.bruno, copy.id)
        assert (text(shown, "cancelled"), text(shown, "organizer")) == ("1", "")


class TestReadingSeries:
    async def test_occurrences_have_the_series_attendees(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO, CARLA)
        items = (await walk(world.anna)).items
        assert [people(items[f"{master}|{day}"]) for day in MONDAYS] == [{BRUNO: "none", CARLA: "none"}] * 4
        copies = (await walk(world.bruno)).items.values()
        assert {(text(each, "organizer_address"), text(each, "response")) for each in copies} == {(ANNA, "none")}
        assert {text(each, "uid") for each in copies} == {text(items[f"{master}|{MONDAYS[0]}"], "uid")}

    async def test_an_exception_has_its_own(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO)
        world.outlook.invite(ANNA, master, [STRANGER], slot=MONDAYS[1])
        items = (await walk(world.anna)).items
        shown = [set(people(items[f"{master}|{day}"])) for day in MONDAYS]
        assert shown == [{BRUNO}, {BRUNO, STRANGER}, {BRUNO}, {BRUNO}]

    async def test_an_answer_to_one_occurrence_is_that_ones(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO)
        copy = (await world_copies(world.bruno))[MONDAYS[2]]
        world.outlook.respond(BRUNO, copy.series, "accepted", slot=MONDAYS[2])
        answers = {day: text(each, "response") for day, each in (await world_copies(world.bruno)).items()}
        assert answers == dict.fromkeys(MONDAYS, "none") | {MONDAYS[2]: "accepted"}
        items = (await walk(world.anna)).items
        assert [people(items[f"{master}|{day}"])[BRUNO] for day in MONDAYS] == ["none", "none", "accepted", "none"]

    async def test_categories_of_a_series_and_of_one_occurrence(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO)
        world.outlook.edit_event(ANNA, master, {"categories": ["Sala"]})
        world.outlook.edit_occurrence(ANNA, master, MONDAYS[1], {"categories": ["Auto"]})
        items = (await walk(world.anna)).items
        shown = [items[f"{master}|{day}"].fields["categories"] for day in MONDAYS]
        assert shown == [("Sala",), ("Auto",), ("Sala",), ("Sala",)]


async def world_copies(who: CalendarWorld) -> dict[str, Item]:
    """Somebody's occurrences of the only series, by day."""
    return {item.id.partition("|")[2]: item for item in (await walk(who)).items.values()}


class TestInviting:
    async def test_a_new_meeting(self, world: MeetingsWorld) -> None:
        listed = (said(BRUNO), said(STRANGER, "accepted", "optional", "Ospite"))
        planned = New(
            Kind.EVENT, {"subject": "S", "when": WHEN, "attendees": listed, "categories": ("Sala",)}, "stamp-1"
        )
        item = await done(world.anna, planned)
        assert item.fields["attendees"] == (said(BRUNO), said(STRANGER, type_="optional", name="Ospite"))
        assert item.fields["categories"] == ("Sala",)
        assert world.mails() == [("invitation", BRUNO), ("invitation", STRANGER)]
        assert await done(world.anna, planned) == item
        assert len(world.mails()) == 2
        copy = await world.copy(world.bruno)
        assert (text(copy, "response"), copy.fields["categories"], copy.stamp) == ("none", (), "")

    async def test_one_more_and_one_less(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO, "optional"), guest(CARLA))
        world.outlook.respond(BRUNO, (await world.copy(world.bruno)).id, "accepted", send=True)
        before = await read(world.anna, event)
        mails = len(world.mails())
        wanted = (*(each for each in before.fields["attendees"] if CARLA not in each), said(STRANGER))
        item = await done(world.anna, Revise(before, {"attendees": wanted}))
        assert item.fields["attendees"] == (said(BRUNO, "accepted", "optional"), said(STRANGER))
        assert sorted(world.mails()[mails:]) == [("cancellation", CARLA), ("invitation", STRANGER)]
        assert item == await read(world.anna, event)

    async def test_everybody_is_uninvited(self, world: MeetingsWorld) -> None:
        item = await read(world.anna, world.meet(guest(BRUNO)))
        assert (await done(world.anna, Revise(item, {"attendees": ()}))).fields["attendees"] == ()
        assert world.mails() == [("cancellation", BRUNO)]

    async def test_nothing_is_sent_but_what_is_given(self, world: MeetingsWorld) -> None:
        item = await read(world.anna, world.meet(guest(BRUNO), body={"contentType": "html", "content": "<p>x</p>"}))
        for fields in ({"categories": ("Sala",)}, {"subject": "Altro"}, {"reminder": "5"}):
            item = await done(world.anna, Revise(item, fields))
        assert [each["body"] for each in world.sent] == [
            {"categories": ["Sala"]},
            {"subject": "Altro"},
            {"isReminderOn": True, "reminderMinutesBeforeStart": 5},
        ]
        assert world.mails() == [("update", BRUNO)]  # of the subject
        assert people(item) == {BRUNO: "none"}

    async def test_the_attendees_of_a_series(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO)
        item = await read(world.anna, master)
        changed = await done(world.anna, Revise(item, {"attendees": (*item.fields["attendees"], said(CARLA))}))
        assert people(changed).keys() == {BRUNO, CARLA}
        assert world.mails() == [("invitation", CARLA)]
        assert len(await world_copies(world.carla)) == 4

    async def test_the_attendees_of_one_occurrence(self, world: MeetingsWorld) -> None:
        master = series(world, BRUNO)
        items = (await walk(world.anna)).items
        item = items[f"{master}|{MONDAYS[1]}"]
        changed = await done(world.anna, Revise(item, {"attendees": (*item.fields["attendees"], said(CARLA))}))
        assert people(changed).keys() == {BRUNO, CARLA}
        assert world.mails() == [("invitation", CARLA)]
        now = (await walk(world.anna)).items
        assert [set(people(now[f"{master}|{day}"])) for day in MONDAYS] == [{BRUNO}, {BRUNO, CARLA}, {BRUNO}, {BRUNO}]
        (copy,) = (await walk(world.carla)).items.values()
        assert text(copy, "when") == "2026-11-30T09:00Z/2026-11-30T10:00Z"

    async def test_our_category_on_a_copy_is_nobodys_business(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO))
        copy = await world.copy(world.bruno)
        changed = await done(world.bruno, Revise(copy, {"categories": ("Sala",)}))
        assert changed.fields["categories"] == ("Sala",)
        assert (await read(world.anna, event)).fields["categories"] == ()
        assert world.mails() == []

    async def test_what_was_answered_meanwhile_is_a_conflict(self, world: MeetingsWorld) -> None:
        """Exchange moves the version of the organizer's event with each answer."""
        before = await read(world.anna, world.meet(guest(BRUNO)))
        world.outlook.respond(BRUNO, (await world.copy(world.bruno)).id, "accepted")
        result = await write(world.anna, Revise(before, {"attendees": ()}))
        assert isinstance(result, Refused)
        assert result.failure.status == 412

    async def test_removing_a_meeting_calls_it_off(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO), guest(STRANGER))
        copy = await world.copy(world.bruno)
        assert await write(world.anna, Remove(await read(world.anna, event))) == Done(None)
        assert world.mails() == [("cancellation", BRUNO), ("cancellation", STRANGER)]
        assert text(await read(world.bruno, copy.id), "cancelled") == "1"

    async def test_moving_a_meeting(self, world: MeetingsWorld) -> None:
        event = world.meet(guest(BRUNO))
        world.outlook.respond(BRUNO, (await world.copy(world.bruno)).id, "accepted")
        moved = await done(world.anna, Revise(await read(world.anna, event), {"when": WHEN.replace("-25T", "-26T")}))
        assert people(moved) == {BRUNO: "none"}
        assert "attendees" not in world.sent[-1]["body"]
        assert world.mails()[-1] == ("update", BRUNO)


class TestColours:
    async def test_missing_ones_are_made_and_others_left(self, world: MeetingsWorld) -> None:
        world.outlook.create_category(ANNA, "sala 1", "preset3")
        wanted = {"Sala 1": "preset5", "Auto": "preset7", "Auto ✗": "preset0"}
        assert await world.anna.mailbox.colour(wanted) is None
        held = {"sala 1": "preset3", "Auto": "preset7", "Auto ✗": "preset0"}
        assert world.outlook.categories(ANNA) == held
        assert world.outlook.categories(BRUNO) == {}
        requests = world.anna.requests()
        assert await world.anna.mailbox.colour(wanted) is None
        assert world.anna.requests() == requests
        assert await world.anna.mailbox.colour({"Furgone": "preset1"}) is None
        assert world.anna.requests() == requests + 1
        assert world.outlook.categories(ANNA) == held | {"Furgone": "preset1"}

    async def test_no_categories_no_request(self, world: MeetingsWorld) -> None:
        assert await world.anna.mailbox.colour({}) is None
        assert world.anna.requests() == 0

    async def test_one_that_somebody_made_meanwhile_is_there(self, world: MeetingsWorld) -> None:
        assert await world.anna.mailbox.colour({"Auto": "preset7"}) is None
        world.outlook.create_category(ANNA, "Furgone", "preset3")
        assert await world.anna.mailbox.colour({"FURGONE": "preset1", "Sala": "preset2"}) is None
        assert world.outlook.categories(ANNA) == {"Auto": "preset7", "Furgone": "preset3", "Sala": "preset2"}

    @pytest.mark.parametrize("times", [1, 2])
    async def test_a_lost_answer(self, world: MeetingsWorld, times: int) -> None:
        await world.anna.mailbox.colour({"Auto": "preset7"})
        world.emulator.parts.add(Fault("lost_response", 500), match="POST .*masterCategories", times=times)
        failure = await world.anna.mailbox.colour({"Sala": "preset2"})
        assert failure is not None
        assert failure.status == 500
        assert (await world.anna.mailbox.colour({"Sala": "preset2"}) is None) is (times == 1)
        assert world.outlook.categories(ANNA) == {"Auto": "preset7", "Sala": "preset2"}

    async def test_a_permission_that_is_missing_stops_nothing(self, world: MeetingsWorld) -> None:
        denied = Fault("status", 403, body='{"error":{"code":"ErrorAccessDenied","message":""}}')
        world.emulator.corner.add_fault(denied, match="GET .*masterCategories", times=99)
        for _ in range(2):
            failure = await world.anna.mailbox.colour({"Auto": "preset7"})
            assert failure is not None
            assert (failure.status, failure.code) == (403, "ErrorAccessDenied")
        assert world.anna.requests() == 1
        item = await read(world.anna, world.meet())
        assert (await done(world.anna, Revise(item, {"categories": ("Auto",)}))).fields["categories"] == ("Auto",)

    async def test_a_permission_to_read_only(self, world: MeetingsWorld) -> None:
        denied = Fault("status", 403, body='{"error":{"code":"ErrorAccessDenied","message":""}}')
        world.emulator.parts.add(denied, match="POST .*masterCategories", times=99)
        failure = await world.anna.mailbox.colour({"Auto": "preset7", "Sala": "preset2"})
        assert failure is not None
        assert failure.status == 403
