"""Single events of the Graph calendar over the emulator: listing, proofs, writes; then the window and what goes wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from emulators.corner import Fault
from sync.errors import Cause, RetryLater, StopMailbox
from sync.model import Gone, Item, Kind, Proof, Side, Unread
from sync.sides.base import CursorLost, Done, New, Refused, Remove, Result, Revise
from sync.sides.graph.stamps import STAMP
from tests.contract.calendar_world import (
    MAIL,
    CalendarWorld,
    all_day,
    at,
    calendar_world,
    done,
    listed,
    read,
    revise,
    text,
    walk,
    write,
)

WHEN = "2026-11-25T09:00Z/2026-11-25T10:00Z"
FIELDS = {
    "subject": "Visita",
    "location": "Forlì",
    "body": "uno\r\ndue",
    "sensitivity": "private",
    "importance": "high",
    "reminder": "30",
    "when": WHEN,
}
NOT_FOUND = '{"error":{"code":"ErrorItemNotFound","message":""}}'


def new(subject: str = "Visita", stamp: str = "stamp-1", when: str = WHEN) -> New:
    return New(Kind.EVENT, FIELDS | {"subject": subject, "when": when}, stamp)


def kinds(results: list[Result]) -> list[type]:
    return [type(each) for each in results]


@pytest.fixture
async def world() -> AsyncIterator[CalendarWorld]:
    async with calendar_world() as world:
        yield world


class TestGraphCalendar:
    """The protocol, for single events. The emulator's defaults: deletions are moves and the event still answers."""

    async def test_the_first_round_shows_everything_the_next_one_nothing(self, world: CalendarWorld) -> None:
        ids = {world.add(f"V{n}", f"2026-12-{n + 1:02}") for n in range(25)}
        first = await walk(world)
        assert set(first.items) == ids
        assert all(item.side is Side.MAILBOX and item.owner == world.user for item in first.items.values())
        assert all(item.version and item.modified.endswith("Z") for item in first.items.values())
        assert all(item.kind is Kind.EVENT and item.series == "" for item in first.items.values())
        second = await walk(world, first.cursor)
        assert (second.items, second.gone) == ({}, set())

    async def test_an_empty_calendar_has_a_cursor_too(self, world: CalendarWorld) -> None:
        first = await walk(world)
        assert (first.items, first.gone) == ({}, set())
        added = world.add()
        assert set((await walk(world, first.cursor)).items) == {added}

    async def test_an_edit_shows_with_a_new_version(self, world: CalendarWorld) -> None:
        item_id = world.add()
        first = await walk(world)
        world.edit(item_id, location={"displayName": "Cesena"})
        later = await walk(world, first.cursor)
        assert (set(later.items), later.gone) == ({item_id}, set())
        assert text(later.items[item_id], "location") == "Cesena"
        assert later.items[item_id].version != first.items[item_id].version

    async def test_a_deleted_event_is_claimed_gone_and_proven(self, world: CalendarWorld) -> None:
        item_id, other = world.add(), world.add()
        first = await walk(world)
        world.delete(item_id)
        later = await walk(world, first.cursor)
        assert (later.items, later.gone) == ({}, {item_id})
        found = await world.mailbox.get([item_id, other])
        assert isinstance(found[item_id], Gone)
        assert isinstance(found[other], Item)

    async def test_a_purged_event_is_not_found(self, world: CalendarWorld) -> None:
        item_id = world.add()
        world.purge(item_id)
        assert await world.mailbox.get([item_id]) == {item_id: Gone(item_id, Proof.NOT_FOUND)}

    async def test_what_left_the_window_is_claimed_and_lives(self, world: CalendarWorld) -> None:
        item_id = world.add()
        first = await walk(world)
        world.edit(item_id, **at("2029-01-10"))
        later = await walk(world, first.cursor)
        assert item_id in later.gone
        assert text(await read(world, item_id), "when") == "2029-01-10T09:00Z/2029-01-10T10:00Z"

    async def test_false_removals_of_events_outside_the_window(self, world: CalendarWorld) -> None:
        old = world.add("Vecchia", "2020-01-10")
        first = await walk(world)
        assert set(first.items) == {old}
        world.edit(old, subject="Corretta")
        later = await walk(world, first.cursor)
        assert (later.items, later.gone) == ({}, {old})
        assert text(await read(world, old), "subject") == "Corretta"

    async def test_a_lost_cursor_is_said_and_beginning_again_works(self, world: CalendarWorld) -> None:
        item_id = world.add()
        first = await walk(world)
        world.forget_cursors()
        with pytest.raises(CursorLost):
            await walk(world, first.cursor)
        assert set((await walk(world)).items) == {item_id}

    async def test_a_new_event_carries_its_stamp(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        assert (item.stamp, text(item, "subject"), item.kind) == ("stamp-1", "Visita", Kind.EVENT)
        again = await read(world, item.id)
        assert (again.stamp, again.version) == (item.stamp, item.version)
        assert await listed(world) == {item.id: again}

    async def test_our_own_writes_come_back_unchanged(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        (shown,) = (await walk(world)).items.values()
        again = await read(world, item.id)
        assert (shown.version, shown.fields) == (item.version, again.fields)

    async def test_the_users_own_events_have_no_stamp_and_copies_have_the_originals(self, world: CalendarWorld) -> None:
        item, own = await done(world, new()), world.add()
        copied = world.outlook.copy_event(MAIL, item.id)
        assert {key: each.stamp for key, each in (await listed(world)).items()} == {
            item.id: "stamp-1",
            copied: "stamp-1",
            own: "",
        }

    async def test_a_revision_changes_only_what_it_names(self, world: CalendarWorld) -> None:
        item = await read(world, (await done(world, new())).id)
        changed = await done(world, Revise(item, {"location": "Cesena"}))
        assert changed.version != item.version
        assert changed.stamp == item.stamp
        assert dict(changed.fields) == {**item.fields, "location": "Cesena"}
        assert await read(world, item.id) == changed

    async def test_fields_can_be_cleared(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        changed = await done(world, Revise(item, {"location": "", "reminder": "", "body": "", "subject": ""}))
        again = await read(world, changed.id)
        assert [text(again, name) for name in ("location", "reminder", "body", "subject")] == [""] * 4

    async def test_a_revision_of_something_else_than_expected_is_refused(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        world.edit(item.id, subject="Dell'utente")
        result = await revise(world, item, subject="Nostra")
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert text(await read(world, item.id), "subject") == "Dell'utente"

    async def test_a_removal_is_proven_afterwards_and_may_be_repeated(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]
        assert isinstance((await world.mailbox.get([item.id]))[item.id], Gone)
        assert world.events() == []
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]

    async def test_a_removal_of_something_else_than_expected_is_refused(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        world.edit(item.id, subject="Dell'utente")
        result = await write(world, Remove(item))
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert len(world.events()) == 1

    async def test_one_failure_stops_no_other_and_results_keep_their_order(self, world: CalendarWorld) -> None:
        stale, good, doomed = [await done(world, new(name, name)) for name in ("A", "B", "C")]
        world.edit(stale.id, importance="low")
        results = await world.mailbox.apply(
            [
                new("D", "D"),
                Revise(stale, {"subject": "A2"}),
                Remove(doomed),
                New(Kind.EVENT, {"subject": "X", "when": "domani"}, "X"),
                Revise(good, {"subject": "B2"}),
                new("E", "E"),
            ]
        )
        assert kinds(results) == [Done, Refused, Done, Refused, Done, Done]
        assert {each.stamp: text(each, "subject") for each in (await listed(world)).values()} == {
            "A": "A",
            "B": "B2",
            "D": "D",
            "E": "E",
        }

    async def test_nothing_asked_nothing_done(self, world: CalendarWorld) -> None:
        assert await world.mailbox.apply([]) == []
        assert await world.mailbox.get([]) == {}
        assert world.requests() == 0


class TestGraphCalendarOfAnotherKind(TestGraphCalendar):
    """Deleted events answer 404, masters are always told, and the service shows no repeats or empty pages."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[CalendarWorld]:
        quirks = {"deleted_items": "gone", "delta_repeats": False, "delta_empty_pages": False}
        async with calendar_world(**quirks, delta_masters="always", delta_gone_occurrences="removed") as world:
            yield world


class TestFields:
    async def test_everything_goes_there_and_back(self, world: CalendarWorld) -> None:
        item = await read(world, (await done(world, new())).id)
        shown = world.show(item.id)
        assert {name: text(item, name) for name in FIELDS if name != "body"} == {
            name: value for name, value in FIELDS.items() if name != "body"
        }
        assert (text(item, "zone"), text(item, "uid"), text(item, "slot")) == ("Europe/Rome", shown["iCalUId"], "0")
        assert text(item, "bodyType") == "html"
        assert "uno<br>\r\ndue" in text(item, "body")
        assert [text(item, name) for name in ("organizer", "online", "cancelled", "response")] == ["1", "", "", ""]
        assert (item.fields["attendees"], item.fields["categories"]) == ((), ())
        assert text(item, "organizer_address") == MAIL
        assert shown["originalStartTimeZone"] == "Europe/Rome"
        assert shown["extended"] == {STAMP: "stamp-1"}
        assert shown["attendees"] == []

    async def test_an_invitation_is_an_event_like_others(self, world: CalendarWorld) -> None:
        invited = [{"emailAddress": {"address": f"{name}@example.com"}, "type": "required"} for name in "abc"]
        fields = {"subject": "Invito", "attendees": invited, **at("2026-11-25")}
        item_id = world.outlook.create_event(MAIL, fields, organizer={"name": "B", "address": "b@example.com"})
        world.outlook.cancel_meeting(MAIL, item_id)
        item = await read(world, item_id)
        assert [text(item, name) for name in ("organizer", "cancelled")] == ["", "1"]
        # b@example.com organizes, and is no attendee although the list says so
        assert item.fields["attendees"] == ("a@example.com|required|none|", "c@example.com|required|none|")
        assert (await walk(world)).items[item_id].fields == item.fields

    async def test_all_day_in_any_zone(self, world: CalendarWorld) -> None:
        for zone in ("Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"):
            item_id = world.add("Fiera", **all_day("2026-11-23", "2026-11-25", zone))
            assert text(await read(world, item_id), "when") == "2026-11-23/2026-11-24"
            world.delete(item_id)
            assert isinstance((await world.mailbox.get([item_id]))[item_id], Gone)

    async def test_times_are_written_in_the_events_own_zone(self, world: CalendarWorld) -> None:
        item = await read(world, world.add("NY", **at("2026-11-25", "09:00", "10:00", "Eastern Standard Time")))
        assert text(item, "zone") == "America/New_York"
        changed = await done(world, Revise(item, {"when": "2026-11-26T14:00Z/2026-11-26T15:30Z"}))
        assert text(changed, "when") == "2026-11-26T14:00Z/2026-11-26T15:30Z"
        assert world.show(item.id)["originalStartTimeZone"] == "America/New_York"

    async def test_an_event_becomes_all_day_and_back(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        day = await done(world, Revise(item, {"when": "2026-11-25/2026-11-26"}))
        assert text(await read(world, item.id), "when") == "2026-11-25/2026-11-26"
        assert world.show(item.id)["isAllDay"] is True
        again = await done(world, Revise(day, {"when": WHEN}))
        assert text(again, "when") == WHEN

    async def test_what_cannot_be_written_is_refused_unsent(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        world.count_anew()
        bad = [
            Revise(item, {"when": ""}),
            Revise(item, {"attendees": "3"}),
            New(Kind.EVENT, {"subject": "S", "when": WHEN, "rule": "FREQ=HOURLY"}, "s"),
            New(Kind.EVENT, {"subject": "S", "rule": "FREQ=DAILY;COUNT=3"}, "s"),
        ]
        results = await world.mailbox.apply(bad)
        assert [each.failure.code for each in results if isinstance(each, Refused)] == ["NotExpressible"] * 4
        assert world.requests() == 0

    async def test_a_creation_repeated_answers_the_same_event(self, world: CalendarWorld) -> None:
        first, second = await done(world, new()), await done(world, new())
        assert first == second
        assert len(world.events()) == 1
        other = await done(world, new(stamp="stamp-2"))
        assert other.id != first.id

    async def test_a_stamp_used_for_something_else_is_refused(self, world: CalendarWorld) -> None:
        await done(world, new())
        result = await write(world, new("Altro"))
        assert isinstance(result, Refused)
        assert (result.failure.status, result.failure.code) == (409, "ErrorDuplicateTransactionId")


class TestProofs:
    async def test_deleted_purged_and_alive_are_told_apart(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}", f"2026-12-{n % 28 + 1:02}") for n in range(45)]
        for n in range(3, 10):
            world.purge(ids[n])
        world.delete(ids[0])
        world.delete(ids[30])
        found = await world.mailbox.get(ids)
        assert list(found) == ids
        assert found[ids[0]] == Gone(ids[0], Proof.IN_DELETED_ITEMS)
        assert found[ids[30]] == Gone(ids[30], Proof.IN_DELETED_ITEMS)
        assert all(found[ids[n]] == Gone(ids[n], Proof.NOT_FOUND) for n in range(3, 10))
        assert all(isinstance(found[ids[n]], Item) for n in range(10, 45) if n != 30)

    async def test_a_restored_event_is_alive(self, world: CalendarWorld) -> None:
        item_id = world.add()
        world.delete(item_id)
        world.outlook.restore_event(MAIL, item_id)
        await read(world, item_id)

    async def test_a_lone_404_proves_nothing(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}") for n in range(3)]
        world.emulator.parts.add(Fault("status", 404, body=NOT_FOUND), match="GET .*events/{id}", nth=2)
        found = await world.mailbox.get(ids)
        assert [type(each) for each in found.values()] == [Item] * len(ids), found

    async def test_a_view_that_lags_proves_nothing(self, world: CalendarWorld) -> None:
        item_id = world.add()
        world.emulator.parts.add(Fault("status", 200, body='{"value":[]}'), match="GET .*calendarView")
        await read(world, item_id)

    async def test_trouble_with_one_event_says_nothing_about_it(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}") for n in range(5)]
        world.emulator.parts.add(Fault("status", 500), match="GET .*events/{id}", nth=3)
        found = await world.mailbox.get(ids)
        assert [type(each) for each in found.values()] == [Item, Item, Unread, Item, Item]

    async def test_a_view_that_does_not_answer_leaves_the_event_unread(self, world: CalendarWorld) -> None:
        item_id = world.add()
        world.delete(item_id)
        world.emulator.parts.add(Fault("status", 500), match="GET .*calendarView", times=2)
        assert isinstance((await world.mailbox.get([item_id]))[item_id], Unread)

    async def test_a_calendar_that_stops_answering_proves_nothing(self, world: CalendarWorld) -> None:
        item_id = world.add()
        world.purge(item_id)
        world.emulator.corner.add_fault(Fault("status", 503), match="GET .*calendarView$", times=9)
        with pytest.raises(RetryLater):
            await world.mailbox.get([item_id])

    async def test_a_mailbox_without_licence(self, world: CalendarWorld) -> None:
        item = await done(world, new())
        world.emulator.set_user(MAIL, licensed=False)
        for attempt in (walk(world), world.mailbox.get([item.id]), world.mailbox.apply([Remove(item)])):
            with pytest.raises(StopMailbox) as stopped:
                await attempt
            assert stopped.value.cause is Cause.MAILBOX_WITHOUT_LICENCE
        assert kinds(await world.mailbox.apply([Revise(item, {"subject": "X"})])) == [Refused]

    async def test_a_full_hour_of_events_is_read_to_its_end(self, world: CalendarWorld) -> None:
        ids = [world.add(f"V{n}") for n in range(130)]
        found = await world.mailbox.get(ids)
        assert [type(each) for each in found.values()] == [Item] * len(ids), found
