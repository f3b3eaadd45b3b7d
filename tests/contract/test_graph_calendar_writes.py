"""Writes to series on the Graph calendar over the emulator: one occurrence, several of one series, whole series."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from emulators.corner import Fault
from sync.errors import RetryLater
from sync.model import Gone, Item, Kind
from sync.sides.base import Done, New, Refused, Remove, Result, Revise, Unclear
from sync.sides.graph.stamps import STAMP
from tests.contract.calendar_world import (
    MAIL,
    CalendarWorld,
    at,
    calendar_world,
    daily,
    done,
    listed,
    read,
    revise,
    text,
    walk,
    weekly,
    write,
)

DAYS = [f"2026-11-{day}" for day in range(23, 31)]
NOT_FOUND = '{"error":{"code":"ErrorItemNotFound","message":""}}'


def when(day: str, start: str = "09:00", end: str = "10:00") -> str:
    return f"{day}T{start}Z/{day}T{end}Z"


def kinds(results: list[Result]) -> list[type]:
    return [type(each) for each in results]


@pytest.fixture
async def world() -> AsyncIterator[CalendarWorld]:
    async with calendar_world() as world:
        yield world


async def eight(world: CalendarWorld) -> tuple[str, list[Item]]:
    """A daily series of eight, as a round shows it."""
    master = world.series("2026-11-23", daily("2026-11-23", 8))
    items = (await walk(world)).items
    assert list(items) == [f"{master}|{day}" for day in DAYS]
    world.count_anew()
    return master, list(items.values())


class TestOccurrences:
    """Of a series that Exchange keeps as one thing: each changed occurrence moves the version of all."""

    @pytest.fixture(params=[True, False], ids=["details", "no details"])
    async def world(self, request: pytest.FixtureRequest) -> AsyncIterator[CalendarWorld]:
        async with calendar_world(series_details=request.param) as world:
            yield world

    async def test_a_revision_changes_one_occurrence_only(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        changed = await done(world, Revise(items[2], {"subject": "Solo questa", "location": "Forlì"}))
        assert changed.id == items[2].id
        assert dict(changed.fields) == {**items[2].fields, "subject": "Solo questa", "location": "Forlì"}
        assert changed.series == master
        assert await read(world, changed.id) == changed
        shown = world.show(master)
        assert [each["slot"] for each in shown["exceptions"]] == [DAYS[2]]
        assert (shown["subject"], shown["cancelled"]) == ("Serie", [])

    async def test_a_moved_occurrence_is_written_in_the_series_own_zone(self, world: CalendarWorld) -> None:
        fields = at("2026-11-23", "09:00", "10:00", "America/New_York")
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=5), **fields)
        item = await read(world, f"{master}|2026-11-30")
        moved = await done(world, Revise(item, {"when": "2026-12-01T20:00Z/2026-12-01T21:00Z"}))
        assert text(moved, "when") == "2026-12-01T20:00Z/2026-12-01T21:00Z"
        (exception,) = world.show(master)["exceptions"]
        assert (exception["slot"], exception["originalStartTimeZone"]) == ("2026-11-30", "America/New_York")
        back = await done(world, Revise(moved, {"when": text(item, "when")}))
        assert text(back, "when") == text(item, "when")

    async def test_an_occurrence_becomes_all_day(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=5))
        item = await read(world, f"{master}|2026-11-30")
        changed = await done(world, Revise(item, {"when": "2026-12-01/2026-12-01"}))
        assert text(changed, "when") == "2026-12-01/2026-12-01"
        assert await read(world, item.id) == changed
        removed = await write(world, Remove(changed))
        assert removed == Done(None)

    async def test_many_occurrences_of_one_series_in_one_go(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        results = await world.mailbox.apply(
            [
                Revise(items[0], {"subject": "0"}),
                Remove(items[1]),
                Revise(items[2], {"when": when(DAYS[2], "15:00", "16:00")}),
                Remove(items[3]),
                Revise(items[4], {"subject": "4"}),
                Remove(items[5]),
            ]
        )
        assert kinds(results) == [Done] * 6
        shown = world.show(master)
        assert [each["slot"] for each in shown["exceptions"]] == [DAYS[0], DAYS[2], DAYS[4]]
        assert shown["cancelled"] == [DAYS[1], DAYS[3], DAYS[5]]
        made = [each.item for each in results if isinstance(each, Done) and each.item]
        assert [text(item, "subject") for item in made] == ["0", "Serie", "4"]
        later = await walk(world)
        assert [later.items[item.id].fields for item in made] == [item.fields for item in made]
        assert set(later.items) == {f"{master}|{DAYS[n]}" for n in (0, 2, 4, 6, 7)}

    async def test_what_the_user_did_to_another_occurrence_does_not_matter(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        world.outlook.edit_occurrence(MAIL, master, DAYS[0], {"subject": "Dell'utente"})
        world.outlook.delete_occurrence(MAIL, master, DAYS[1])
        assert kinds(await world.mailbox.apply([Revise(items[2], {"subject": "X"}), Remove(items[3])])) == [Done] * 2

    async def test_what_the_user_did_to_this_one_does(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        world.outlook.edit_occurrence(MAIL, master, DAYS[0], {"subject": "Dell'utente"})
        world.outlook.edit_occurrence(MAIL, master, DAYS[1], {"location": {"displayName": "Altrove"}})
        world.outlook.delete_occurrence(MAIL, master, DAYS[2])
        results = await world.mailbox.apply(
            [Revise(items[0], {"subject": "X"}), Remove(items[1]), Revise(items[2], {"subject": "X"})]
        )
        assert [each.failure.status for each in results if isinstance(each, Refused)] == [412] * 3
        later = await walk(world)
        assert text(later.items[items[0].id], "subject") == "Dell'utente"
        assert text(later.items[items[1].id], "location") == "Altrove"
        assert items[2].id not in later.items

    async def test_an_edit_of_the_whole_series_meanwhile_is_a_conflict(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        world.edit(master, subject="Tutta nuova")
        results = await world.mailbox.apply([Revise(items[0], {"location": "X"}), Remove(items[1])])
        assert [each.failure.status for each in results if isinstance(each, Refused)] == [412] * 2
        assert world.show(master)["exceptions"] == []
        assert world.show(master)["cancelled"] == []

    async def test_an_exception_moved_away_by_the_user_is_a_conflict(self, world: CalendarWorld) -> None:
        master = world.series("2026-11-23", weekly("2026-11-23", "monday", count=5))
        item = await read(world, f"{master}|2026-11-30")
        world.outlook.edit_occurrence(MAIL, master, "2026-11-30", at("2026-12-03"))
        for result in await world.mailbox.apply([Revise(item, {"subject": "X"}), Remove(item)]):
            assert isinstance(result, Refused)
            assert result.failure.status == 412

    async def test_a_removal_is_done_again_and_of_a_gone_series(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        assert await write(world, Remove(items[0])) == Done(None)
        assert isinstance((await world.mailbox.get([items[0].id]))[items[0].id], Gone)
        assert await write(world, Remove(items[0])) == Done(None)
        world.purge(master)
        assert await world.mailbox.apply([Remove(items[1]), Remove(items[2])]) == [Done(None)] * 2
        gone = await revise(world, items[3], subject="X")
        assert isinstance(gone, Refused)
        assert gone.failure.status == 412

    async def test_moving_over_a_neighbour_is_refused(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        results = await world.mailbox.apply(
            [Revise(items[2], {"when": when(DAYS[4])}), Revise(items[5], {"subject": "X"})]
        )
        assert kinds(results) == [Refused, Done]
        refused = results[0]
        assert isinstance(refused, Refused)
        assert (refused.failure.status, refused.failure.code) == (400, "ErrorOccurrenceCrossingBoundary")


class TestCosts:
    async def test_cancelling_many_costs_a_look_and_the_deletions(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        assert await world.mailbox.apply([Remove(item) for item in items[1:]]) == [Done(None)] * 7
        assert world.parts() == {
            "GET /events/{id}/instances": 7,
            "GET /events/{id}": 1,
            "DELETE /events/{id}": 7,
        }
        assert world.requests() == 3

    async def test_changing_three_costs_three_rounds_and_a_reading(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        results = await world.mailbox.apply([Revise(item, {"subject": "X"}) for item in items[:3]])
        assert kinds(results) == [Done] * 3
        assert world.parts() == {
            "GET /events/{id}/instances": 3,
            "GET /events/{id}": 4,
            "PATCH /events/{id}": 3,
        }

    async def test_series_are_written_side_by_side(self, world: CalendarWorld) -> None:
        masters = [world.series("2026-11-23", daily("2026-11-23", 3)) for _ in range(15)]
        items = (await walk(world)).items
        world.count_anew()
        writes = [Revise(items[f"{master}|{day}"], {"subject": "X"}) for master in masters for day in DAYS[:2]]
        assert kinds(await world.mailbox.apply(writes)) == [Done] * 30
        assert world.requests() == 7  # two rounds of instances, masters, changes; one more reading

    async def test_a_series_with_its_exceptions_in_few_writes(self, world: CalendarWorld) -> None:
        """60 weekly occurrences, 3 moved, 2 cancelled, 1 edited text: master once, one write for each of the six."""
        rule = {"rule": "FREQ=WEEKLY;BYDAY=MO;COUNT=60", "when": when("2026-11-23")}
        master = await done(world, New(Kind.EVENT, {"subject": "Serie", **rule}, "uid|0"))
        items = (await walk(world)).items
        mondays = sorted(items)
        assert await world.mailbox.apply(
            [
                Revise(items[mondays[1]], {"when": when("2026-12-01")}),
                Revise(items[mondays[2]], {"when": when("2026-12-09")}),
                Revise(items[mondays[3]], {"when": when("2026-12-15")}),
                Remove(items[mondays[4]]),
                Remove(items[mondays[5]]),
                Revise(items[mondays[6]], {"subject": "Altro testo"}),
            ]
        )
        writes = {name: n for name, n in world.parts().items() if not name.startswith("GET")}
        assert writes == {"POST /events": 1, "PATCH /events/{id}": 4, "DELETE /events/{id}": 2}
        shown = world.show(master.id)
        assert (len(shown["exceptions"]), len(shown["cancelled"])) == (4, 2)
        assert len(world.events()) == 1


class TestWholeSeries:
    async def test_a_new_series(self, world: CalendarWorld) -> None:
        fields = {
            "subject": "Serie",
            "when": when("2026-11-23", "23:30", "23:45"),  # the 24th in Rome
            "rule": "FREQ=WEEKLY;BYDAY=TU;UNTIL=20270105",
            "reminder": "15",
        }
        item = await done(world, New(Kind.EVENT, fields, "uid|0"))
        assert (item.stamp, item.series) == ("uid|0", "")
        assert text(item, "rule") == "FREQ=WEEKLY;BYDAY=TU;WKST=MO;UNTIL=20270105"
        shown = world.show(item.id)
        assert shown["type"] == "seriesMaster"
        assert shown["recurrence"]["range"]["startDate"] == "2026-11-24"
        assert shown["originalStartTimeZone"] == "Europe/Rome"
        assert shown["extended"] == {STAMP: "uid|0"}
        assert (await done(world, New(Kind.EVENT, fields, "uid|0"))).id == item.id
        later = await walk(world)
        assert [each.stamp for each in later.items.values()] == ["uid|0"] * 7
        assert min(later.slots(item.id)) == "2026-11-24"

    async def test_an_all_day_series_in_another_zone(self, world: CalendarWorld) -> None:
        fields = {"subject": "Ferie", "when": "2026-11-23/2026-11-24", "rule": "FREQ=DAILY;INTERVAL=7;COUNT=3"}
        item = await done(world, New(Kind.EVENT, {**fields, "zone": "America/New_York"}, "s"))
        assert world.show(item.id)["originalStartTimeZone"] == "America/New_York"
        assert (await walk(world)).slots(item.id) == {
            "2026-11-23": "2026-11-23/2026-11-24",
            "2026-11-30": "2026-11-30/2026-12-01",
            "2026-12-07": "2026-12-07/2026-12-08",
        }

    @pytest.mark.parametrize("keeps", ["resets", "keeps_exceptions"])
    async def test_a_truncation(self, world: CalendarWorld, keeps: str) -> None:
        world.emulator.quirks.update({"range_change": keeps})
        master, _ = await eight(world)
        item = await read(world, master)
        ended = await done(world, Revise(item, {"until": "2026-11-25"}))
        assert text(ended, "rule") == "FREQ=DAILY;UNTIL=20261125"
        later = await walk(world)
        assert list(later.items) == [f"{master}|{day}" for day in DAYS[:3]]
        assert isinstance((await world.mailbox.get([f"{master}|{DAYS[4]}"]))[f"{master}|{DAYS[4]}"], Gone)

    async def test_a_truncation_of_something_else_than_expected_is_refused(self, world: CalendarWorld) -> None:
        master, _ = await eight(world)
        item = await read(world, master)
        world.outlook.edit_occurrence(MAIL, master, DAYS[6], {"subject": "Dell'utente"})
        result = await revise(world, item, until="2026-11-25")
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert len((await walk(world)).items) == 8

    async def test_removing_a_whole_series(self, world: CalendarWorld) -> None:
        master, _ = await eight(world)
        item = await read(world, master)
        stale = await read(world, master)
        world.outlook.edit_occurrence(MAIL, master, DAYS[6], {"subject": "Dell'utente"})
        refused = await write(world, Remove(stale))
        assert isinstance(refused, Refused)
        assert refused.failure.status == 412
        item = await read(world, master)
        assert await write(world, Remove(item)) == Done(None)
        assert await listed(world) == {}
        assert await write(world, Remove(item)) == Done(None)


class TestTrouble:
    async def test_the_users_change_just_before_ours_is_a_conflict(self, world: CalendarWorld) -> None:
        """Between the reading of versions and our PATCH: If-Match tells."""
        master, items = await eight(world)

        def edit(request: httpx.Request) -> None:
            if b'"PATCH"' in request.content:
                world.disguise.meanwhile = None
                world.outlook.edit_occurrence(MAIL, master, DAYS[0], {"subject": "Dell'utente"})

        world.disguise.meanwhile = edit
        results = await world.mailbox.apply([Revise(items[0], {"subject": "X"}), Revise(items[1], {"subject": "Y"})])
        assert kinds(results) == [Refused, Done]
        refused = results[0]
        assert isinstance(refused, Refused)
        assert refused.failure.status == 412
        assert [each["subject"] for each in world.show(master)["exceptions"]] == ["Dell'utente", "Y"]

    async def test_the_users_change_between_our_two_readings_is_a_conflict(self, world: CalendarWorld) -> None:
        """Versions are read first, content after."""
        master, items = await eight(world)

        def edit(request: httpx.Request) -> None:
            if b"exceptionOccurrences" in request.content:
                world.disguise.meanwhile = None
                world.outlook.edit_occurrence(MAIL, master, DAYS[0], {"subject": "Dell'utente"})

        world.disguise.meanwhile = edit
        result = await revise(world, items[0], subject="X")
        assert isinstance(result, Refused)
        assert result.failure.status == 412
        assert [each["subject"] for each in world.show(master)["exceptions"]] == ["Dell'utente"]

    async def test_a_lost_answer_is_unclear_and_the_others_go_on(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        world.emulator.corner.add_fault(Fault("lost_response"), match="batch", nth=3)
        results = await world.mailbox.apply([Revise(items[0], {"subject": "X"}), Revise(items[1], {"subject": "Y"})])
        assert kinds(results) == [Unclear, Done]
        assert [each["subject"] for each in world.show(master)["exceptions"]] == ["X", "Y"]

    async def test_what_was_written_is_told_even_when_nothing_answers_afterwards(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "900"}), match="batch", nth=4, times=99)
        results = await world.mailbox.apply([Revise(items[0], {"subject": "X"}), Revise(items[1], {"subject": "Y"})])
        assert kinds(results) == [Done, Refused]
        first = results[0]
        assert isinstance(first, Done)
        assert first.item is not None
        assert dict(first.item.fields) == {**items[0].fields, "subject": "X"}
        assert first.item.id == items[0].id

    async def test_nothing_written_and_no_answer_is_raised(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        world.emulator.corner.add_fault(Fault("status", 429, {"Retry-After": "900"}), match="batch", times=99)
        with pytest.raises(RetryLater):
            await world.mailbox.apply([Revise(items[0], {"subject": "X"})])

    async def test_a_lone_404_of_the_master_removes_nothing_and_says_so(self, world: CalendarWorld) -> None:
        master, items = await eight(world)
        world.emulator.parts.add(Fault("status", 404, body=NOT_FOUND), match="GET .*events/{id}$")
        result = await write(world, Remove(items[0]))
        assert isinstance(result, Refused)
        assert world.show(master)["cancelled"] == []

    async def test_instances_that_do_not_answer_refuse_the_write(self, world: CalendarWorld) -> None:
        _, items = await eight(world)
        world.emulator.parts.add(Fault("status", 500), match="GET .*instances")
        results = await world.mailbox.apply([Revise(items[0], {"subject": "X"}), Revise(items[1], {"subject": "Y"})])
        assert kinds(results) == [Refused, Done]
