"""Meetings in series of the Graph emulator: exceptions, people invited to one occurrence only, answers to one of many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import at, client
from tests.contract.graph_meetings import ANNA, BO, CARLA, STRANGER, Desk, answers, mailed, tenant, who


@pytest.fixture
def graph() -> GraphEmulator:
    return tenant()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


@pytest.fixture
def desk(http: httpx.AsyncClient) -> Callable[[str], Desk]:
    return lambda user: Desk(http, user)


Desks = Callable[[str], Desk]


async def test_a_series_arrives_whole_with_uids_of_its_own(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO, count=4)
    slots = await desk(ANNA).slots(made)
    await desk(ANNA).patch(slots["2026-11-30"], subject="Special")
    await desk(ANNA).delete(slots["2026-12-07"])
    copy = await desk(BO).only()
    mine = await desk(BO).slots(copy)
    assert (copy["type"], copy["iCalUId"]) == ("seriesMaster", made["iCalUId"])
    assert [each["subject"] for each in mine.values()] == ["Call", "Special", "Call"]
    assert [mine[day]["iCalUId"] for day in mine] == [slots[day]["iCalUId"] for day in mine]
    assert mailed(graph) == {("invitation", BO): 1, ("update", BO): 1, ("cancellation", BO): 1}


async def test_a_changed_series_mails_for_each_exception_too(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO, STRANGER)
    slots = await desk(ANNA).slots(made)
    for day in ("2026-11-30", "2026-12-07"):
        await desk(ANNA).patch(slots[day], subject="Special")
    graph.world.post.reset()
    await desk(ANNA).patch(made, location={"displayName": "Room"})
    assert mailed(graph) == {("update", BO): 3, ("update", STRANGER): 3}
    assert len({row["iCalUId"] for row in graph.outlook.mails()}) == 3
    assert {each["location"]["displayName"] for each in (await desk(BO).slots(await desk(BO).only())).values()} == {
        "Room"
    }
    graph.world.post.reset()
    await desk(ANNA).patch(made, attendees=who(BO, STRANGER, CARLA))
    assert mailed(graph) == {("invitation", CARLA): 3}
    await desk(ANNA).delete(made)
    assert mailed(graph, kind="cancellation") == {("cancellation", each): 3 for each in (BO, STRANGER, CARLA)}
    assert (await desk(BO).only())["isCancelled"]


async def test_invited_to_one_occurrence_only(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    day = (await desk(ANNA).slots(made))["2026-11-30"]
    graph.world.post.reset()
    await desk(ANNA).patch(day, attendees=who(BO, CARLA))
    assert mailed(graph) == {("invitation", CARLA): 1}
    copy = await desk(CARLA).only()
    assert (copy["type"], copy["iCalUId"], copy["start"]) == ("singleInstance", day["iCalUId"], day["start"])
    await desk(CARLA).do(copy, "accept")
    shown = await desk(ANNA).read(day)
    assert (shown["type"], answers(shown)) == ("exception", {BO: "none", CARLA: "accepted"})
    assert answers(await desk(ANNA).read(made)) == {BO: "none"}
    graph.world.post.reset()
    await desk(ANNA).delete(day)
    assert mailed(graph) == {("cancellation", BO): 1, ("cancellation", CARLA): 1}
    assert (await desk(CARLA).only())["isCancelled"]
    assert "2026-11-30" not in await desk(BO).slots(await desk(BO).only())


async def test_taken_off_one_occurrence(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO, CARLA)
    day = (await desk(ANNA).slots(made))["2026-11-30"]
    await desk(ANNA).patch(day, attendees=who(CARLA))
    assert mailed(graph, kind="cancellation") == {("cancellation", BO): 1}
    assert len(await desk(BO).slots(await desk(BO).only())) == 4
    assert len(await desk(CARLA).slots(await desk(CARLA).only())) == 5
    await desk(ANNA).patch(day, attendees=who(BO, CARLA))
    assert len(await desk(BO).slots(await desk(BO).only())) == 5


async def test_an_occurrence_called_off_may_stay_marked(graph: GraphEmulator, desk: Desks) -> None:
    graph.quirks.cancelled_occurrence = "marked"
    made = await desk(ANNA).series(BO)
    await desk(ANNA).delete((await desk(ANNA).slots(made))["2026-11-30"])
    shown = (await desk(BO).slots(await desk(BO).only()))["2026-11-30"]
    assert (shown["isCancelled"], shown["subject"]) == (True, "Canceled: Call")


async def test_answers_to_the_series_and_to_one_of_it(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    copy = await desk(BO).only()
    mine = await desk(BO).slots(copy)
    await desk(BO).do(mine["2026-11-30"], "decline")
    assert "2026-11-30" not in await desk(BO).slots(copy)
    await desk(BO).do(mine["2026-12-07"], "tentativelyAccept")
    hers = await desk(ANNA).slots(made)
    assert [answers(each)[BO] for each in hers.values()] == [
        "none",
        "declined",
        "tentativelyAccepted",
        "none",
        "none",
    ]
    assert hers["2026-11-30"]["type"] == "exception"
    await desk(BO).do(copy, "accept")
    hers = await desk(ANNA).slots(made)
    assert {answers(each)[BO] for each in hers.values()} == {"accepted"}
    assert answers(await desk(ANNA).read(made)) == {BO: "accepted"}


async def test_a_declined_occurrence_comes_back_when_it_moves(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    copy = await desk(BO).only()
    await desk(BO).do((await desk(BO).slots(copy))["2026-11-30"], "decline")
    day = (await desk(ANNA).slots(made))["2026-11-30"]
    await desk(ANNA).patch(day, subject="Special")
    assert "2026-11-30" not in await desk(BO).slots(copy)
    moved = {"start": at("2026-11-30T15:00:00"), "end": at("2026-11-30T16:00:00")}
    assert answers(await desk(ANNA).patch(day, **moved)) == {BO: "notResponded"}
    back = (await desk(BO).slots(copy))["2026-11-30"]
    assert (back["start"]["dateTime"], back["responseStatus"]["response"]) == (
        "2026-11-30T14:00:00.0000000",
        "notResponded",
    )


async def test_what_came_alone_goes_into_the_series(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    await desk(BO).delete(await desk(BO).only())
    day = (await desk(ANNA).slots(made))["2026-11-30"]
    await desk(ANNA).patch(day, start=at("2026-11-30T15:00:00"), end=at("2026-11-30T16:00:00"))
    assert [each["type"] for each in await desk(BO).all()] == ["singleInstance"]
    graph.outlook.truncate(ANNA, made["id"], "2026-12-07")
    assert [each["type"] for each in await desk(BO).all()] == ["seriesMaster"]


async def test_taken_off_a_series_then_invited_to_one_of_it(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO, CARLA)
    await desk(ANNA).patch(made, attendees=who(CARLA))
    day = (await desk(ANNA).slots(made))["2026-11-30"]
    await desk(ANNA).patch(day, attendees=who(CARLA, BO))
    assert [(each["type"], each["isCancelled"]) for each in await desk(BO).all()] == [
        ("seriesMaster", True),
        ("singleInstance", False),
    ]
    await desk(ANNA).delete(day)
    assert {each["isCancelled"] for each in await desk(BO).all()} == {True}


async def test_own_marks_on_one_occurrence_outlive_updates(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    copy = await desk(BO).only()
    await desk(BO).patch((await desk(BO).slots(copy))["2026-11-30"], categories=["Car"], subject="Mine")
    await desk(ANNA).patch(made, subject="New")
    shown = (await desk(BO).slots(copy))["2026-11-30"]
    assert (shown["categories"], shown["subject"]) == (["Car"], "New")


async def test_another_rule_and_a_single_event(graph: GraphEmulator, desk: Desks) -> None:
    made = await desk(ANNA).series(BO)
    await desk(BO).do(await desk(BO).only(), "accept")
    graph.outlook.truncate(ANNA, made["id"], "2026-12-07")
    copy = await desk(BO).only()
    assert (len(await desk(BO).slots(copy)), copy["responseStatus"]["response"]) == (3, "notResponded")
    await desk(ANNA).patch(made, recurrence=None)
    assert (await desk(BO).only())["type"] == "singleInstance"
