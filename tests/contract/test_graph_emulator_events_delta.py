"""calendarView/delta of the Graph emulator: what BEHAVIOUR 2.1, 2.2 and 2.4 say, switch by switch."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import date, timedelta
from random import Random
from urllib.parse import urlencode

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import (
    EVENTS,
    MAIL,
    VIEW,
    Body,
    at,
    client,
    create,
    emulator,
    error,
    folded,
    pages,
    single,
    weekly,
)

WINDOW = {"startDateTime": "2026-11-01T00:00:00Z", "endDateTime": "2026-12-31T00:00:00Z"}
START = f"{VIEW}/delta?{urlencode(WINDOW)}"
OUTSIDE = ("2027-05-01T09:00:00", "2027-05-01T10:00:00")
STUB = {"@odata.type", "@odata.etag", "id", "seriesMasterId", "type", "start", "end"}


@pytest.fixture
def graph() -> GraphEmulator:
    return emulator()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


def removed(item: Body) -> bool:
    return item.get("@removed") == {"reason": "deleted"}


async def test_singles_come_whole_and_occurrences_as_stubs(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    one = await create(http, single())
    series = await create(http, weekly(52))
    await create(http, single(*OUTSIDE))
    known, link = await folded(http, START)
    assert known[one["id"]] == {"@odata.type": "#microsoft.graph.event"} | {
        name: value for name, value in one.items() if name != "@odata.context"
    }
    stubs = [each for each in known.values() if each["type"] == "occurrence"]
    assert [set(each) for each in stubs] == [STUB] * 6  # 23 November to 28 December
    assert {each["seriesMasterId"] for each in stubs} == {series["id"]}
    assert series["id"] not in known
    assert len(known) == 7
    again, _ = await folded(http, link)
    assert again == {}


@pytest.mark.parametrize(("switch", "first", "later"), [("touched", 0, 1), ("always", 1, 1), ("never", 0, 0)])
async def test_masters_in_the_stream(
    graph: GraphEmulator, http: httpx.AsyncClient, switch: str, first: int, later: int
) -> None:
    graph.quirks.update({"delta_masters": switch})
    series = await create(http, weekly())
    known, link = await folded(http, START)
    assert (series["id"] in known) == bool(first)
    await http.patch(f"{EVENTS}/{series['id']}", json={"subject": "New"})
    known, _ = await folded(http, link)
    assert (series["id"] in known) == bool(later)
    assert len(known) == 5 + later


async def test_exceptions_come_with_inherited_texts_empty(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    body = {"contentType": "html", "content": "<p>agenda</p>"}
    series = await create(http, weekly(body=body, location={"displayName": "Rome"}))
    _, link = await folded(http, START)
    moved = {"start": at("2026-12-01T11:00:00"), "end": at("2026-12-01T12:00:00")}
    changed = graph.outlook.edit_occurrence(MAIL, series["id"], "2026-11-30", moved)
    known, _ = await folded(http, link)
    item = known[changed]
    assert (item["type"], item["start"]["dateTime"][:16]) == ("exception", "2026-12-01T10:00")
    assert (item["subject"], item["body"]["content"], item["location"]["displayName"]) == ("", "", "")
    graph.outlook.edit_occurrence(MAIL, series["id"], "2026-11-30", {"subject": "Own"})
    known, _ = await folded(http, link)
    assert (known[changed]["subject"], known[changed]["body"]["content"]) == ("Own", "")
    graph.quirks.delta_exceptions = "whole"
    known, _ = await folded(http, link)
    assert "agenda" in known[changed]["body"]["content"]


async def test_what_happens_outside_the_window_looks_like_a_removal(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    far = await create(http, single(*OUTSIDE))
    near = await create(http, single())
    known, link = await folded(http, START)
    assert set(known) == {near["id"]}
    born = await create(http, single(*OUTSIDE))
    await http.patch(f"{EVENTS}/{far['id']}", json={"subject": "x"})
    await http.patch(f"{EVENTS}/{near['id']}", json={"start": at(OUTSIDE[0]), "end": at(OUTSIDE[1])})
    known, link = await folded(http, link)
    assert set(known) == {born["id"], far["id"], near["id"]}
    assert all(removed(each) for each in known.values())
    assert (await http.get(f"{EVENTS}/{near['id']}")).status_code == 200
    await http.delete(f"{EVENTS}/{far['id']}")
    known, link = await folded(http, link)
    assert removed(known[far["id"]])
    await http.patch(f"{EVENTS}/{near['id']}", json={"start": single()["start"], "end": single()["end"]})
    known, _ = await folded(http, link)
    assert known[near["id"]]["type"] == "singleInstance"


async def test_a_cancelled_occurrence_is_just_missing_or_announced(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    series = await create(http, weekly())
    before, link = await folded(http, START)
    graph.outlook.delete_occurrence(MAIL, series["id"], "2026-11-30")
    known, _ = await folded(http, link)
    gone = set(before) - set(known)
    assert len(gone) == 1
    assert not any(removed(each) for each in known.values())
    graph.quirks.delta_gone_occurrences = "removed"
    known, _ = await folded(http, link)
    assert {each["id"] for each in known.values() if removed(each)} == gone
    graph.outlook.truncate(MAIL, series["id"], "2026-12-10")
    known, link = await folded(http, link)
    assert sum(map(removed, known.values())) == 2  # the cancelled one lives again
    graph.outlook.delete_event(MAIL, series["id"])
    known, _ = await folded(http, link)
    assert len(known) == 4
    assert all(map(removed, known.values()))


async def test_deleted_series_and_events_are_told_once_by_either_form(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    graph.quirks.delta_repeats = False
    series, one = await create(http, weekly()), await create(http, single())
    plain = {each["id"] for each in (await http.get(EVENTS, headers={"Prefer": ""})).json()["value"]}
    _, link = await folded(http, START)
    await http.delete(f"{EVENTS}/{series['id']}")
    await http.delete(f"{EVENTS}/{one['id']}")
    told = [each for page in await pages(http, link) for each in page["value"]]
    assert [each["id"] for each in told] == [series["id"], one["id"]]
    other = (await http.get(link, headers={"Prefer": ""})).json()["value"]
    assert {each["id"] for each in other if removed(each)} == plain
    first, _ = await folded(http, START)
    assert all(map(removed, first.values()))
    graph.outlook.restore_event(MAIL, one["id"])
    known, _ = await folded(http, link)
    assert known[one["id"]]["subject"] == "Call"


async def test_a_series_is_never_split_and_rounds_have_empty_pages(
    graph: GraphEmulator, http: httpx.AsyncClient
) -> None:
    graph.quirks.delta_repeats = False
    for day in range(2, 22):
        graph.outlook.create_event(MAIL, single(f"2026-11-{day:02}T09:00:00", f"2026-11-{day:02}T10:00:00"))
    daily = {"pattern": {"type": "daily", "interval": 1}, "range": {"type": "noEnd", "startDate": "2026-11-23"}}
    graph.outlook.create_event(MAIL, single(recurrence=daily))
    round_ = await pages(http, START, 8)
    assert [len(page["value"]) for page in round_] == [8, 8, 0, 4 + 38, 0]
    assert "@odata.deltaLink" in round_[-1]
    graph.quirks.delta_repeats = True
    told = [each["id"] for page in await pages(http, START, 8) for each in page["value"]]
    assert len(told) > len(set(told))


async def test_options_windows_and_tokens(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, single())
    assert error(await http.get(f"{VIEW}/delta")) == (400, "ErrorInvalidParameter")
    assert error(await http.get(f"{EVENTS}/delta")) == (400, "ErrorInvalidRequest")
    assert error(await http.get(f"{START}&$select=subject")) == (400, "ErrorInvalidRequest")
    graph.quirks.delta_options = "ignored"
    assert "start" in (await http.get(f"{START}&$select=subject")).json()["value"][0]
    assert (await http.get(f"{START}&$expand=singleValueExtendedProperties")).status_code == 400
    _, link = await folded(http, START)
    assert error(await http.get(link[:-6] + "AAAAAA")) == (400, "ErrorInvalidRequest")
    zone = {"Prefer": 'outlook.timezone="Europe/Rome", IdType="ImmutableId"'}
    await http.patch(f"{EVENTS}/{made['id']}", json={"subject": "own write"})
    item = (await http.get(link, headers=zone)).json()["value"][0]
    assert (item["subject"], item["start"]["dateTime"][11:16]) == ("own write", "09:00")
    graph.expire_delta(MAIL)
    assert error(await http.get(link)) == (410, "SyncStateNotFound")


def act(graph: GraphEmulator, chance: Random) -> None:
    """Anything that a person may do in a calendar."""
    outlook, held = graph.outlook, graph.dump(MAIL)["events"]
    live = [each["id"] for each in held if each["place"] == "calendar"]
    series = [each for each in held if each["place"] == "calendar" and each["recurrence"]]
    day = f"2026-{chance.choice((10, 11, 12))}-{chance.randint(1, 28):02}"
    match chance.randrange(8):
        case 0:
            outlook.create_event(MAIL, weekly(chance.randint(1, 60)))
        case 1:
            end = chance.choice((day, "2026-12-31"))
            outlook.create_event(MAIL, single(f"{day}T09:00:00", f"{end}T10:00:00"))
        case 2 if live:
            outlook.delete_event(MAIL, chance.choice(live))
        case 3 if live:
            outlook.edit_event(MAIL, chance.choice(live), {"subject": day})
        case 4 if series:
            outlook.truncate(MAIL, chance.choice(series)["id"], f"2026-12-{chance.randint(1, 28):02}")
        case 5 if len(live) < len(held):
            deleted = [each["id"] for each in held if each["place"] == "deleted"]
            outlook.restore_event(MAIL, chance.choice(deleted))
        case (6 | 7) as what if series:
            one = chance.choice(series)
            slot = (date(2026, 11, 23) + timedelta(weeks=chance.randrange(6))).isoformat()
            if what == 6 and slot not in one["cancelled"]:
                outlook.delete_occurrence(MAIL, one["id"], slot)
            elif slot not in one["cancelled"]:
                moved = {"start": at(f"{slot}T12:00:00"), "end": at(f"{slot}T13:00:00")}
                outlook.edit_occurrence(MAIL, one["id"], slot, moved)


@pytest.mark.parametrize("seed", range(4))
async def test_delta_tells_what_the_view_shows(graph: GraphEmulator, http: httpx.AsyncClient, seed: int) -> None:
    chance = Random(seed)
    masters = chance.choice(("touched", "always", "never"))
    graph.quirks.update({"delta_gone_occurrences": "removed", "delta_masters": masters})
    link = START
    known: dict[str, Body] = {}
    for _ in range(12):
        for _ in range(4):
            with suppress(ValueError):  # a slot that the series no longer has
                act(graph, chance)
        told, link = await folded(http, link, chance.choice((3, 10, 50)))
        for name, item in told.items():
            known.pop(name, None)
            if not removed(item) and item["type"] != "seriesMaster":
                known[name] = item
        view = (await http.get(VIEW, params=WINDOW | {"$top": "1000"})).json()["value"]
        shown = {each["id"]: (each["type"], each["start"], each["@odata.etag"]) for each in view}
        assert {name: (each["type"], each["start"], each["@odata.etag"]) for name, each in known.items()} == shown
    assert known
