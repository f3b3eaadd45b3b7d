"""Series on the Graph calendar over the emulator: one item per occurrence, read from the master, whatever the service shows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from emulators.corner import Fault
from sync.errors import RetryLater
from sync.model import Gone, Item, Proof, Unread
from sync.sides.base import Revise
from sync.sides.graph.stamps import STAMP
from tests.contract.calendar_world import (
    MAIL,
    CalendarWorld,
    all_day,
    at,
    calendar_world,
    daily,
    done,
    listed,
    read,
    text,
    walk,
    weekly,
)

MONDAYS = ["2026-11-23", "2026-11-30", "2026-12-07", "2026-12-14", "2026-12-21", "2026-12-28", "2027-01-04"]
CUSTOM = (b'"Europe/Rome"', b'"tzone://Microsoft/Custom"')


def when(day: str, start: str = "09:00", end: str = "10:00") -> str:
    return f"{day}T{start}Z/{day}T{end}Z"


@pytest.fixture
async def world() -> AsyncIterator[CalendarWorld]:
    async with calendar_world() as world:
        yield world


READINGS: list[dict[str, Any]] = [
    {},
    {"delta_masters": "never", "delta_exceptions": "whole"},
    {"delta_masters": "always", "delta_gone_occurrences": "removed", "deleted_items": "gone"},
    {"series_details": False},
    {"series_details": False, "delta_masters": "never", "deleted_items": "gone"},
]


class TestSeries:
    """Under every reading of what the service does."""

    @pytest.fixture(params=READINGS, ids=["usual", "no masters", "all masters", "no details", "nothing shown"])
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[CalendarWorld]:
        async with calendar_world(**request.param) as world:
            yield world

    async def test_one_item_per_occurrence_inside_the_horizon(self, world: CalendarWorld) -> None:
        master = world.series("2026-10-05", weekly("2026-10-05", "monday"), location={"displayName": "Forlì"})
        first = await walk(world)
        slots = first.slots(master)
        assert (min(slots), max(slots), len(slots)) == ("2026-10-26", "2027-02-15", 17)
        assert slots["2026-11-23"] == when("2026-11-23")
        assert first.whole == {master}
        item = first.items[f"{master}|2026-11-23"]
        assert (text(item, "subject"), text(item, "location"), text(item, "slot")) == ("Serie", "Forlì", "49")
        assert text(item, "zone") == "Europe/Rome"
        assert text(item, "uid") == world.show(master)["iCalUId"]
        assert {each.series for each in first.items.values()} == {master}
        assert "rule" not in item.fields
        assert await world.mailbox.get(list(first.items)) == first.items
        second = await walk(world, first.cursor)
        assert (second.items, second.gone, second.whole) == ({}, set(), set())

    async def test_the_wall_clock_is_kept_over_dst(self, world: CalendarWorld) -> None:
        world.days_pass(100)  # to the end of February
        master = world.series("2027-03-01", daily("2027-03-01", 60))
        slots = (await walk(world)).slots(master)
        assert slots["2027-03-27"] == when("2027-03-27", "09:00", "10:00")
        assert slots["2027-03-28"] == when("2027-03-28", "08:00", "09:00")
        assert len(slots) == 60

    async def test_moved_edited_and_cancelled(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7), location={"displayName": "Forlì"})
        first = await walk(world)
        assert sorted(first.slots(master)) == MONDAYS
        world.outlook.edit_occurrence(MAIL, master, "2026-11-30", at("2026-12-01", "15:00", "17:00"))
        world.outlook.edit_occurrence(MAIL, master, "2026-12-14", {"subject": "Solo questa"})
        world.outlook.delete_occurrence(MAIL, master, "2026-12-07")
        later = await walk(world, first.cursor)
        slots = later.slots(master)
        assert sorted(slots) == [day for day in MONDAYS if day != "2026-12-07"]
        assert slots["2026-11-30"] == when("2026-12-01", "14:00", "16:00")
        moved, edited = later.items[f"{master}|2026-11-30"], later.items[f"{master}|2026-12-14"]
        assert [text(moved, name) for name in ("subject", "location", "slot")] == ["Serie", "Forlì", "7"]
        assert [text(edited, name) for name in ("subject", "location", "slot")] == ["Solo questa", "Forlì", "21"]
        plain = later.items[f"{master}|2026-12-21"]
        assert moved.version.startswith(plain.version + ";")
        assert plain.version != first.items[plain.id].version
        assert {each.fields["uid"] for each in later.items.values()} == {plain.fields["uid"]}
        assert later.whole == {master}
        cancelled = f"{master}|2026-12-07"
        found = await world.mailbox.get([*later.items, cancelled])
        assert found.pop(cancelled) == Gone(cancelled, Proof.NOT_FOUND)
        assert found == later.items

    async def test_an_edit_of_the_whole_series_reaches_each_occurrence(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        first = await walk(world)
        world.edit(master, subject="Nuovo titolo")
        later = await walk(world, first.cursor)
        assert {text(item, "subject") for item in later.items.values()} == {"Nuovo titolo"}
        assert set(later.items) == set(first.items)
        world.edit(master, **at("2026-11-23", "12:00", "13:00"))
        assert set((await walk(world, later.cursor)).slots(master).values()) == {
            when(day, "11:00", "12:00") for day in MONDAYS
        }

    async def test_another_rule(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        first = await walk(world)
        world.outlook.change_rule(MAIL, master, weekly("2026-11-23", "monday", "wednesday", count=4))
        later = await walk(world, first.cursor)
        assert sorted(later.slots(master)) == ["2026-11-23", "2026-11-25", "2026-11-30", "2026-12-02"]
        left = [f"{master}|{day}" for day in MONDAYS[2:]]
        assert await world.mailbox.get(left) == {key: Gone(key, Proof.NOT_FOUND) for key in left}

    async def test_a_truncated_series(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday"))
        first = await walk(world)
        world.outlook.truncate(MAIL, master, "2026-12-10")
        later = await walk(world, first.cursor)
        assert sorted(later.slots(master)) == MONDAYS[:3]
        assert later.whole == {master}

    async def test_a_deleted_series(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        first = await walk(world)
        world.delete(master)
        later = await walk(world, first.cursor)
        assert master in later.gone
        assert later.items == {}
        found = await world.mailbox.get([*first.items, master])
        assert all(isinstance(each, Gone) for each in found.values()), found

    async def test_a_series_made_a_single_event_and_back(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        first = await walk(world)
        world.outlook.change_rule(MAIL, master, None)
        later = await walk(world, first.cursor)
        assert set(later.items) == {master}
        found = await world.mailbox.get(list(first.items))
        assert found == {key: Gone(key, Proof.NOT_FOUND) for key in first.items}
        world.outlook.change_rule(MAIL, master, weekly("2026-11-23", "monday", count=7))
        assert set((await walk(world, later.cursor)).items) == set(first.items)

    async def test_all_day_series_in_any_zone(self, world: CalendarWorld) -> None:
        for zone in ("Europe/Rome", "Pacific/Kiritimati", "Pacific/Pago_Pago"):
            fields = all_day("2026-11-23", "2026-11-25", zone)
            master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=3), **fields)
            world.outlook.edit_occurrence(MAIL, master, "2026-11-30", {"subject": "Altra"})
            world.outlook.delete_occurrence(MAIL, master, "2026-12-07")
            slots = (await walk(world)).slots(master)
            assert slots == {"2026-11-23": "2026-11-23/2026-11-24", "2026-11-30": "2026-11-30/2026-12-01"}
            alive = f"{master}|2026-11-30"
            assert text(await read(world, alive), "subject") == "Altra"
            world.delete(master)
            assert isinstance((await world.mailbox.get([alive]))[alive], Gone)

    async def test_late_in_the_evening_the_slot_is_the_local_date(self, world: CalendarWorld) -> None:
        fields = at("2026-11-23", "22:00", "23:00", "America/New_York")
        master = world.series("2026-11-23", daily("2026-11-23", 4), **fields)
        world.outlook.edit_occurrence(MAIL, master, "2026-11-24", {"subject": "Altra"})
        world.outlook.delete_occurrence(MAIL, master, "2026-11-25")
        first = await walk(world)
        assert sorted(first.slots(master)) == ["2026-11-23", "2026-11-24", "2026-11-26"]
        assert first.slots(master)["2026-11-24"] == when("2026-11-25", "03:00", "04:00")
        assert text(first.items[f"{master}|2026-11-24"], "subject") == "Altra"

    async def test_the_horizon_rolls_day_by_day(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday"))
        world.outlook.delete_occurrence(MAIL, master, "2027-03-01")
        cursor = (await walk(world)).cursor
        seen: set[str] = set()
        for _ in range(8):
            world.days_pass(3)
            afresh = world.mailbox.afresh(cursor)
            round_ = await walk(world, afresh)
            cursor = round_.cursor
            seen |= set(round_.slots(master))
        assert {"2027-02-22", "2027-03-08"} <= seen
        assert "2027-03-01" not in seen
        assert max(seen) == "2027-03-08"

    async def test_an_occurrence_moved_from_beyond_the_horizon(self, world: CalendarWorld) -> None:
        recurrence = {
            "pattern": {"type": "absoluteMonthly", "interval": 2, "dayOfMonth": 20},
            "range": {"type": "noEnd", "startDate": "2026-11-20"},
        }
        master = world.series("2026-11-20", recurrence)
        world.outlook.edit_occurrence(MAIL, master, "2027-03-20", at("2027-02-10"))
        world.outlook.edit_occurrence(MAIL, master, "2027-01-20", at("2027-01-28"))
        first = await walk(world)
        assert first.slots(master) == {
            "2026-11-20": when("2026-11-20"),
            "2027-01-20": when("2027-01-28"),
            "2027-03-20": when("2027-02-10"),
        }
        assert await world.mailbox.get(list(first.items)) == first.items


class TestMasters:
    async def test_a_master_is_an_item_of_its_own_when_asked_for(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", "friday", until="2027-03-01"))
        item = await read(world, master)
        assert (item.id, item.series, text(item, "when")) == (master, "", when("2026-11-23"))
        assert text(item, "rule") == "FREQ=WEEKLY;BYDAY=MO,FR;WKST=MO;UNTIL=20270301"
        assert await listed(world) == {master: item}

    async def test_a_master_with_its_first_dates_cancelled_lives(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", daily("2026-11-23", 3))
        for slot in ("2026-11-23", "2026-11-24"):
            world.outlook.delete_occurrence(MAIL, master, slot)
        await read(world, master)
        world.delete(master)
        assert await world.mailbox.get([master]) == {master: Gone(master, Proof.IN_DELETED_ITEMS)}

    async def test_a_master_without_details_is_proven_too(self) -> None:
        async with calendar_world(series_details=False) as world:
            master = world.series("2026-11-23", daily("2026-11-23", 3))
            await read(world, master)
            world.delete(master)
            assert isinstance((await world.mailbox.get([master]))[master], Gone)

    async def test_a_series_that_ended_long_ago_and_one_far_ahead(self, world: CalendarWorld) -> None:
        old = world.series("2015-01-05", weekly("2015-01-05", "monday", count=5))
        far = world.series("2027-10-04", weekly("2027-10-04", "monday", count=5))
        found = await world.mailbox.get([old, far, f"{old}|2015-01-12", f"{far}|2027-10-11"])
        assert all(isinstance(each, Item) for each in found.values())
        first = await walk(world)
        assert (first.items, first.whole) == ({}, {far})

    async def test_each_master_is_read_once_and_nothing_per_occurrence(self, world: CalendarWorld) -> None:
        masters = [world.series("2026-11-23", daily("2026-11-23", 80)) for _ in range(30)]
        for master in masters:
            world.outlook.edit_occurrence(MAIL, master, "2026-11-24", {"subject": "Altra"})
        world.count_anew()
        first = await walk(world)
        assert len(first.items) == 30 * 80
        assert world.parts() == {"GET /events/{id}": 30}
        assert world.requests() <= 20  # 13 pages of stubs, an empty one or two, two batches, two listings

    async def test_proving_many_occurrences_costs_one_look_a_series(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", daily("2026-11-23", 60))
        first = await walk(world)
        world.count_anew()
        assert await world.mailbox.get(list(first.items)) == first.items
        assert world.parts() == {"GET /events/{id}": 1, "GET /calendarView": 1}
        assert set(first.slots(master)) == {key.partition("|")[2] for key in first.items}

    async def test_a_refusal_of_details_is_remembered(self) -> None:
        async with calendar_world(series_details=False) as world:
            for _ in range(3):
                world.series("2026-11-23", daily("2026-11-23", 5))
            first = await walk(world)
            assert len(first.items) == 15
            world.count_anew()
            again = await walk(world, world.mailbox.afresh(first.cursor))
            assert again.items == first.items
            assert world.parts() == {"GET /events/{id}": 3, "GET /events/{id}/instances": 3}

    async def test_a_master_gone_between_the_pages_is_a_claim(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", daily("2026-11-23", 5))
        kept = world.series("2026-11-23", daily("2026-11-23", 2))
        body = '{"error":{"code":"ErrorItemNotFound","message":""}}'
        world.emulator.parts.add(Fault("status", 404, body=body), match="GET .*events/{id}$")
        first = await walk(world)
        claimed = {master, kept} & first.gone
        assert len(claimed) == 1
        assert first.whole == {master, kept} - claimed

    async def test_a_master_that_cannot_be_read_is_a_claim_and_stays_unread(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", daily("2026-11-23", 5))
        first = await walk(world)
        world.edit(master, subject="X")
        world.emulator.parts.add(Fault("status", 500), match="GET .*events/{id}$", times=9)
        later = await walk(world, first.cursor)
        assert (later.items, later.gone, later.whole) == ({}, {master}, set())
        key = f"{master}|2026-11-23"
        assert isinstance((await world.mailbox.get([key]))[key], Unread)

    async def test_masters_whose_batch_is_lost_are_told_again(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", daily("2026-11-23", 5))
        world.emulator.corner.add_fault(Fault("drop"), match="batch", times=2)
        with pytest.raises(RetryLater):
            await walk(world)
        assert (await walk(world)).whole == {master}

    async def test_an_invitation_to_a_series_shows_who_organizes(self, world: CalendarWorld) -> None:
        fields = {"subject": "Invito", **at("2026-11-23"), "recurrence": daily("2026-11-23", 3)}
        fields["attendees"] = [{"emailAddress": {"address": "a@example.com"}, "type": "required"}]
        world.outlook.create_event(MAIL, fields, organizer={"name": "B", "address": "b@example.com"})
        first = await walk(world)
        shown = {(item.fields["organizer"], item.fields["attendees"]) for item in first.items.values()}
        assert shown == {("", ("a@example.com|required|none|",))}

    async def test_our_stamp_shows_on_each_occurrence(self, world: CalendarWorld) -> None:
        stamp = [{"id": STAMP, "value": "uid|0"}]
        world.series("2026-11-23", daily("2026-11-23", 3), singleValueExtendedProperties=stamp)
        first = await walk(world)
        assert [item.stamp for item in first.items.values()] == ["uid|0"] * 3


class TestZonesWithoutAName:
    """A series in a custom zone cannot be computed: it is listed, its times are right all the same."""

    @pytest.fixture
    async def world(self) -> AsyncIterator[CalendarWorld]:
        async with calendar_world() as world:
            world.disguise.says = CUSTOM
            yield world

    async def test_it_is_listed(self, world: CalendarWorld) -> None:
        master = world.series("2027-01-11", daily("2027-01-11", 40), **at("2027-01-11", "00:30", "01:00"))
        world.days_pass(60)
        world.outlook.edit_occurrence(MAIL, master, "2027-01-20", {"subject": "Altra"})
        world.outlook.delete_occurrence(MAIL, master, "2027-01-25")
        first = await walk(world)
        assert len(first.items) == 39
        item = first.items[f"{master}|2027-01-20"]
        assert text(item, "when") == "2027-01-19T23:30Z/2027-01-20T00:00Z"
        assert [text(item, name) for name in ("subject", "zone", "slot")] == ["Altra", "", "9"]
        assert await world.mailbox.get(list(first.items)) == first.items
        gone = f"{master}|2027-01-25"
        assert await world.mailbox.get([gone]) == {gone: Gone(gone, Proof.NOT_FOUND)}
        world.delete(master)
        assert await world.mailbox.get([item.id]) == {item.id: Gone(item.id, Proof.NOT_FOUND)}

    async def test_slots_stay_apart_over_dst_when_utc_dates_do_not(self, world: CalendarWorld) -> None:
        world.days_pass(110)
        master = world.series("2027-03-20", daily("2027-03-20", 20), **at("2027-03-20", "01:30", "01:45"))
        slots = (await walk(world)).slots(master)
        assert [slots["2027-03-28"], slots["2027-03-29"]] == [
            "2027-03-28T00:30Z/2027-03-28T00:45Z",
            "2027-03-28T23:30Z/2027-03-28T23:45Z",
        ]
        assert len(slots) == 20

    async def test_it_is_written_in_the_home_zone(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        item = (await walk(world)).items[f"{master}|2026-11-30"]
        changed = await done(world, Revise(item, {"when": when("2026-12-01")}))
        assert text(changed, "when") == when("2026-12-01")
        assert await read(world, item.id) == changed

    async def test_it_can_be_truncated(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=7))
        ended = await done(world, Revise(await read(world, master), {"until": "2026-12-08"}))
        assert text(ended, "rule") == "FREQ=WEEKLY;BYDAY=MO;WKST=MO;UNTIL=20261208"
        assert sorted((await walk(world)).slots(master)) == MONDAYS[:3]
