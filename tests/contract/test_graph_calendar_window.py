"""The window of the Graph calendar, its cursor and its history over the emulator; then what goes wrong on the way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from emulators.corner import Fault
from sync.model import Kind
from sync.sides.base import CursorLost, Done, New, Remove, Result, Unclear
from sync.sides.graph import open_calendar
from sync.sides.graph.window import Horizon
from tests.contract.calendar_world import (
    NOW,
    ROME,
    CalendarWorld,
    at,
    calendar_world,
    done,
    listed,
    text,
    walk,
    weekly,
)
from tests.contract.graph_world import Time

WHEN = "2026-11-25T09:00Z/2026-11-25T10:00Z"


def new(subject: str, stamp: str) -> New:
    return New(Kind.EVENT, {"subject": subject, "when": WHEN}, stamp)


def kinds(results: list[Result]) -> list[type]:
    return [type(each) for each in results]


@pytest.fixture
async def world() -> AsyncIterator[CalendarWorld]:
    async with calendar_world() as world:
        yield world


class TestWindow:
    async def test_history_is_listed_once_and_series_are_not_in_it(self, world: CalendarWorld) -> None:
        ids = {world.add(f"V{n}", f"{2000 + n}-01-10") for n in range(22)}
        ids |= {world.add("Lontana", "2031-05-05"), world.add("Adesso")}
        world.series("2020-01-06", weekly("2020-01-06", "monday", count=5))
        first = await walk(world)
        assert set(first.items) == ids
        assert set((await walk(world, world.mailbox.afresh(first.cursor))).items) == {
            key for key in ids if text(first.items[key], "subject") == "Adesso"
        }

    async def test_an_event_across_the_edge_of_the_window_comes_once(self, world: CalendarWorld) -> None:
        world.emulator.quirks.update({"delta_repeats": False})
        item_id = world.add("Lunga", **(at("2026-10-20") | {"end": at("2026-10-22")["end"]}))
        assert [item.id async for page in world.mailbox.changes(None) for item in page.items] == [item_id]

    async def test_history_begins_where_it_is_told_to(self, world: CalendarWorld) -> None:
        world.add("Prima", **at("2024-12-31", "22:00", "23:00"))
        kept = world.add("A cavallo", **(at("2024-12-31") | {"end": at("2025-01-01")["end"]}))
        world.mailbox = await open_calendar(
            world.connection,
            world.user,
            zone=ROME,
            now=world.emulator.clock.now,
            horizon=Horizon(since=date(2025, 1, 1)),
        )
        assert set((await walk(world)).items) == {kept}

    async def test_the_window_moves_when_a_third_of_it_is_used_up(self, world: CalendarWorld) -> None:
        far = world.add("Lontana", "2028-06-10")
        near = world.add("Vicina")
        first = await walk(world)
        assert set(first.items) == {far, near}
        window = json.loads(first.cursor)
        assert (window["start"], window["end"]) == ("2026-10-21T08:00:00Z", "2027-11-20T08:00:00Z")
        world.days_pass(121)
        early = await walk(world, first.cursor)
        assert json.loads(early.cursor)["start"] == window["start"]
        world.edit(near, subject="Passata")
        world.days_pass(1)
        moved = await walk(world, early.cursor)
        assert text(moved.items[near], "subject") == "Passata", "what the old window still had to tell is told"
        assert json.loads(moved.cursor)["start"] == "2027-02-20T08:00:00Z"
        assert set(moved.items) == {near}
        world.days_pass(250)
        assert set((await walk(world, moved.cursor)).items) == {far}

    async def test_nothing_is_saved_before_the_round_ends_and_the_calendar_answers_in_pages(
        self, world: CalendarWorld
    ) -> None:
        ids = {world.add(f"V{n}") for n in range(450)}
        world.count_anew()
        assert set((await walk(world)).items) == ids
        assert 5 <= world.requests() <= 8  # 200 a page, empty ones, two listings of history

    async def test_a_quiet_calendar_costs_one_request(self, world: CalendarWorld) -> None:
        world.add()
        first = await walk(world)
        world.emulator.quirks.update({"delta_empty_pages": False})
        world.count_anew()
        await walk(world, first.cursor)
        assert world.requests() == 1

    @pytest.mark.parametrize("cursor", ["", "{}", "null", "[]", "nonsense", '{"v":2,"history":true}'])
    async def test_a_cursor_that_is_none_begins_again(self, world: CalendarWorld, cursor: str) -> None:
        with pytest.raises(CursorLost):
            await walk(world, cursor)
        assert world.mailbox.afresh(cursor) is None

    async def test_a_lost_cursor_remembers_that_history_was_listed(self, world: CalendarWorld) -> None:
        world.add("Vecchia", "2020-01-10")
        near = world.add()
        first = await walk(world)
        world.forget_cursors()
        afresh = world.mailbox.afresh(first.cursor)
        assert afresh is not None
        assert set((await walk(world, afresh)).items) == {near}
        assert world.mailbox.afresh(afresh) == afresh

    async def test_links_of_somebody_else_are_not_followed(self, world: CalendarWorld) -> None:
        first = await walk(world)
        foreign = json.loads(first.cursor) | {"link": "https://evil.example/v1.0/calendarView/delta?$deltatoken=1"}
        world.count_anew()
        with pytest.raises(CursorLost):
            await walk(world, json.dumps(foreign))
        assert world.requests() == 0

    async def test_a_tampered_link_begins_again(self, world: CalendarWorld) -> None:
        state = json.loads((await walk(world)).cursor)
        with pytest.raises(CursorLost):
            await walk(world, json.dumps(state | {"link": state["link"][:-6] + "AAAAAA"}))

    @pytest.mark.parametrize("status", [404, 412, 500, 502, 504])
    async def test_what_comes_and_goes_is_asked_again(self, world: CalendarWorld, status: int) -> None:
        item_id = world.add()
        world.emulator.corner.add_fault(Fault("status", status), match="/delta")
        assert set((await walk(world)).items) == {item_id}

    async def test_a_partial_event_in_the_delta_is_read(self, world: CalendarWorld) -> None:
        item_id = world.add()
        first = await walk(world)
        link = json.loads(first.cursor)["link"]
        partial = {"@odata.type": "#microsoft.graph.event", "id": item_id, "subject": "Visita"}
        gone = partial | {"id": world.add() + "x"}
        body = json.dumps({"value": [partial, gone], "@odata.deltaLink": link})
        world.emulator.corner.add_fault(Fault("status", 200, body=body), match="/delta")
        later = await walk(world, first.cursor)
        assert text(later.items[item_id], "when") == WHEN
        assert later.gone == {gone["id"]}

    def test_the_window_stays_under_the_services_limit(self) -> None:
        window = Horizon().window(NOW)
        assert (window.end - window.start).days < 1825
        assert window.start == datetime(2026, 10, 21, 8, tzinfo=UTC)


class TestTrouble:
    async def test_a_lost_answer_is_unclear_for_all_and_repeating_makes_nothing_twice(
        self, world: CalendarWorld
    ) -> None:
        world.emulator.corner.add_fault(Fault("lost_response"), match="batch")
        news = [new(f"V{n}", f"stamp-{n}") for n in range(20)]
        assert kinds(await world.mailbox.apply(news)) == [Unclear] * 20
        assert len(world.events()) == 20
        assert {item.stamp for item in (await listed(world)).values()} == {f"stamp-{n}" for n in range(20)}
        assert kinds(await world.mailbox.apply(news)) == [Done] * 20
        assert len(world.events()) == 20

    async def test_a_part_that_fails_inside_after_the_fact(self, world: CalendarWorld) -> None:
        world.emulator.parts.add(Fault("lost_response", 504), match="POST .*events", nth=4)
        results = await world.mailbox.apply([new(f"V{n}", f"s{n}") for n in range(8)])
        assert kinds(results) == [Done, Done, Done, Unclear, Done, Done, Done, Done]
        assert len(world.events()) == 8

    async def test_a_first_fill_is_cheap(self, world: CalendarWorld) -> None:
        results = await world.mailbox.apply([new(f"V{n}", f"s{n}") for n in range(200)])
        assert kinds(results) == [Done] * 200
        assert world.requests() == 10

    async def test_a_throttled_part_waits_and_goes_on(self) -> None:
        time = Time()
        async with calendar_world(time) as world:
            world.emulator.parts.add(Fault("status", 429, {"Retry-After": "3"}), match="POST .*events", nth=5)
            assert kinds(await world.mailbox.apply([new(f"V{n}", f"s{n}") for n in range(20)])) == [Done] * 20
            assert time.slept == [3.0]
            assert len(world.events()) == 20

    async def test_removing_what_outlook_deleted_meanwhile_is_done(self, world: CalendarWorld) -> None:
        item = await done(world, new("Visita", "s"))
        world.delete(item.id)
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]
