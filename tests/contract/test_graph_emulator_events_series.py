"""Series of the Graph emulator: rules, occurrences, exceptions, cancellations, windows (BEHAVIOUR 5.2, 7.2, 8)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import pytest

from emulators.graph import GraphEmulator, recurrence
from tests.contract.graph_calendar import (
    EVENTS,
    MAIL,
    ROME,
    STAMP,
    VIEW,
    at,
    client,
    create,
    emulator,
    error,
    instances,
    single,
    weekly,
)

DETAILS = {"$select": "subject,cancelledOccurrences", "$expand": "exceptionOccurrences"}


@pytest.fixture
def graph() -> GraphEmulator:
    return emulator()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


def rule(pattern: dict[str, Any], span: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"pattern": {"interval": 1, **pattern}, "range": span or {"type": "noEnd", "startDate": "2026-01-31"}}


PATTERNS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "daily", "interval": 3}, ["01-31", "02-03", "02-06"]),
    ({"type": "weekly", "daysOfWeek": ["monday", "saturday"]}, ["01-31", "02-02", "02-07"]),
    # fortnightly, the week begins on Saturday: Friday is of the same week as the Saturday before
    ({"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "saturday"], "firstDayOfWeek": "saturday"},
     ["01-31", "02-06", "02-14"]),
    ({"type": "absoluteMonthly", "dayOfMonth": 31}, ["01-31", "02-28", "03-31", "04-30"]),
    ({"type": "absoluteMonthly", "dayOfMonth": 30}, ["02-28", "03-30"]),
    ({"type": "relativeMonthly", "daysOfWeek": ["saturday"], "index": "last"}, ["01-31", "02-28", "03-28"]),
    ({"type": "relativeMonthly", "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"]},
     ["02-02", "03-02", "04-01"]),
    ({"type": "absoluteYearly", "dayOfMonth": 29, "month": 2}, ["02-28"]),
    ({"type": "relativeYearly", "daysOfWeek": ["sunday"], "month": 3, "index": "last"}, ["03-29"]),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "dates"), PATTERNS)
def test_the_dates_of_every_pattern(pattern: dict[str, Any], dates: list[str]) -> None:
    made = recurrence.accept(rule(pattern))
    assert made is not None
    found = [each.isoformat()[5:] for each in made.slots(date(2026, 1, 1), date(2026, 12, 31))]
    assert found[: len(dates)] == dates
    read = recurrence.render(made, ROME)
    assert recurrence.accept(read) == replace(made, zone=ROME)
    assert read["range"]["endDate"] == "0001-01-01"
    assert (read["range"]["numberOfOccurrences"], read["range"]["recurrenceTimeZone"]) == (0, ROME)


@pytest.mark.parametrize(
    ("pattern", "span"),
    [
        ({"type": "hourly"}, None),
        ({"type": "daily", "interval": 0}, None),
        ({"type": "weekly"}, None),
        ({"type": "weekly", "daysOfWeek": ["someday"]}, None),
        ({"type": "daily", "month": 13}, None),  # unused, validated all the same
        ({"type": "daily", "index": "fifth"}, None),
        ({"type": "absoluteMonthly"}, None),
        ({"type": "relativeYearly", "daysOfWeek": ["sunday"]}, None),
        ({"type": "daily"}, {"type": "numbered", "startDate": "2026-11-23", "numberOfOccurrences": 0}),
        ({"type": "daily"}, {"type": "endDate", "startDate": "2026-11-23", "endDate": "2026-11-22"}),
        ({"type": "daily"}, {"type": "endDate", "startDate": "2026-11-23", "endDate": "23.11.2026"}),
        ({"type": "daily"}, {"type": "noEnd", "startDate": "2026-11-24"}),  # not the date of start
        ({"type": "daily"}, {"type": "noEnd", "startDate": "2026-11-23", "recurrenceTimeZone": "Nowhere"}),
    ],
)
async def test_wrong_rules_are_refused(http: httpx.AsyncClient, pattern: Any, span: Any) -> None:
    given = rule(pattern, span or {"type": "noEnd", "startDate": "2026-11-23"})
    assert (await http.post(EVENTS, json=single(recurrence=given))).status_code == 400


async def test_a_series_keeps_its_wall_clock_over_a_change_of_offset(http: httpx.AsyncClient) -> None:
    made = await create(http, weekly(25))
    assert (made["type"], made["recurrence"]["pattern"]["daysOfWeek"]) == ("seriesMaster", ["monday"])
    found = await instances(http, made["id"])
    assert len(found) == 25
    assert [each["start"]["dateTime"][11:16] for each in (found[0], found[-1])] == ["08:00", "07:00"]
    assert {each["type"] for each in found} == {"occurrence"}
    assert {each["seriesMasterId"] for each in found} == {made["id"]}
    assert len({each["iCalUId"] for each in found} | {made["iCalUId"]}) == 26
    assert found[0]["originalStart"] == "2026-11-23T08:00:00Z"
    again = await instances(http, made["id"])
    assert [each["id"] for each in again] == [each["id"] for each in found]
    one = (await http.get(f"{EVENTS}/{found[3]['id']}")).json()
    assert (one["subject"], one["start"]) == ("Call", found[3]["start"])
    assert (await http.get(f"{EVENTS}/{made['id']}/instances")).status_code == 400


async def test_a_start_off_the_pattern_moves_to_the_first_occurrence(http: httpx.AsyncClient) -> None:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"]}
    made = await create(http, single(recurrence=rule(pattern, {"type": "noEnd", "startDate": "2026-11-23"})))
    assert made["start"]["dateTime"][:10] == made["recurrence"]["range"]["startDate"] == "2026-11-25"


async def test_a_changed_occurrence_is_an_exception_that_inherits_the_rest(http: httpx.AsyncClient) -> None:
    stamp = [{"id": STAMP, "value": "1"}]
    made = await create(http, weekly(singleValueExtendedProperties=stamp, location={"displayName": "Rome"}))
    third = (await instances(http, made["id"]))[2]
    moved = {"subject": "Moved", "start": at("2026-12-08T15:00:00"), "end": at("2026-12-08T16:30:00")}
    changed = (await http.patch(f"{EVENTS}/{third['id']}", json=moved)).json()
    assert (changed["type"], changed["id"], changed["originalStart"]) == (
        "exception",
        third["id"],
        third["originalStart"],
    )
    assert (changed["location"]["displayName"], changed["start"]["dateTime"][:16]) == ("Rome", "2026-12-08T14:00")
    master = (await http.get(f"{EVENTS}/{made['id']}")).json()
    assert master["@odata.etag"] != made["@odata.etag"]
    renamed = {"subject": "All", "location": {"displayName": "Milan"}}
    assert (await http.patch(f"{EVENTS}/{made['id']}", json=renamed)).status_code == 200
    now = await instances(http, made["id"])
    assert [each["subject"] for each in now] == ["All", "All", "Moved", "All", "All"]
    assert {each["location"]["displayName"] for each in now} == {"Milan"}
    assert now[2]["@odata.etag"] != changed["@odata.etag"]
    stale = await http.patch(
        f"{EVENTS}/{third['id']}", json={"subject": "x"}, headers={"If-Match": changed["@odata.etag"]}
    )
    assert error(stale) == (412, "ErrorIrresolvableConflict")
    expand = {
        "$expand": f"singleValueExtendedProperties($filter=id eq '{STAMP}'),exceptionOccurrences($select=subject)"
    }
    whole = (await http.get(f"{EVENTS}/{made['id']}", params=expand)).json()
    assert whole["singleValueExtendedProperties"] == stamp
    assert [each["subject"] for each in whole["exceptionOccurrences"]] == ["Moved"]
    assert "body" not in whole["exceptionOccurrences"][0]


async def test_a_deleted_occurrence_is_cancelled(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, weekly())
    second, third = (await instances(http, made["id"]))[1:3]
    await http.patch(f"{EVENTS}/{third['id']}", json={"subject": "x"})
    for gone in (second, third):
        assert (await http.delete(f"{EVENTS}/{gone['id']}")).status_code == 204
        assert error(await http.get(f"{EVENTS}/{gone['id']}")) == (404, "ErrorItemNotFound")
        assert error(await http.delete(f"{EVENTS}/{gone['id']}")) == (404, "ErrorItemNotFound")
    master = (await http.get(f"{EVENTS}/{made['id']}", params=DETAILS)).json()
    assert master["cancelledOccurrences"] == [f"OID.{made['id']}.2026-11-30", f"OID.{made['id']}.2026-12-07"]
    assert master["exceptionOccurrences"] == []
    assert "cancelledOccurrences" not in (await http.get(f"{EVENTS}/{made['id']}")).json()
    assert len(await instances(http, made["id"])) == 3
    graph.quirks.series_details = False
    for option in DETAILS:
        assert (await http.get(f"{EVENTS}/{made['id']}", params={option: DETAILS[option]})).status_code == 400


@pytest.mark.parametrize(
    ("start", "end", "status"),
    [
        ("2026-11-29T09:00:00", "2026-11-29T10:00:00", 200),
        ("2026-12-06T09:00:00", "2026-12-06T10:00:00", 200),
        ("2026-12-07T07:00:00", "2026-12-07T08:00:00", 400),  # onto the day of the next
        ("2026-12-09T09:00:00", "2026-12-09T10:00:00", 400),  # over the next
        ("2026-11-23T11:00:00", "2026-11-23T12:00:00", 400),
        ("2026-12-06T09:00:00", "2026-12-07T09:30:00", 400),  # into the next
    ],
)
async def test_no_occurrence_moves_over_its_neighbour(
    http: httpx.AsyncClient, start: str, end: str, status: int
) -> None:
    made = await create(http, weekly())
    second, third = (await instances(http, made["id"]))[1:3]
    moved = {"start": at(start), "end": at(end)}
    answer = await http.patch(f"{EVENTS}/{second['id']}", json=moved)
    assert answer.status_code == status
    if status == 400:
        assert error(answer) == (400, "ErrorOccurrenceCrossingBoundary")
        assert (await instances(http, made["id"]))[1] == second
        if "12-0" in start:  # a cancelled neighbour is none
            await http.delete(f"{EVENTS}/{third['id']}")
            assert (await http.patch(f"{EVENTS}/{second['id']}", json=moved)).status_code == 200


async def test_another_rule_or_time_throws_exceptions_away(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, weekly(10))
    url = f"{EVENTS}/{made['id']}"

    async def spoil() -> None:
        found = await instances(http, made["id"])
        await http.patch(f"{EVENTS}/{found[1]['id']}", json={"subject": "x"})
        await http.delete(f"{EVENTS}/{found[2]['id']}")

    async def held() -> tuple[int, int]:
        master = (await http.get(url, params=DETAILS)).json()
        return len(master["exceptionOccurrences"]), len(master["cancelledOccurrences"])

    await spoil()
    same = (await http.get(url, headers={"Prefer": f'outlook.timezone="{ROME}"'})).json()
    unchanged = {name: same[name] for name in ("recurrence", "start", "end", "isAllDay", "subject")}
    assert (await http.patch(url, json=unchanged)).status_code == 200
    assert await held() == (1, 1)
    await http.patch(url, json={"start": at("2026-11-23T11:00:00"), "end": at("2026-11-23T12:00:00")})
    assert await held() == (0, 0)
    assert len(await instances(http, made["id"])) == 10
    await spoil()
    graph.outlook.truncate(MAIL, made["id"], "2026-12-20")
    assert await held() == (0, 0)
    assert [each["start"]["dateTime"][5:10] for each in await instances(http, made["id"])] == [
        "11-23",
        "11-30",
        "12-07",
        "12-14",
    ]
    graph.quirks.range_change = "keeps_exceptions"
    await spoil()
    graph.outlook.truncate(MAIL, made["id"], "2026-12-06")
    assert await held() == (1, 0)
    lone = await http.patch(url, json={"recurrence": None})
    assert (lone.json()["type"], lone.json()["recurrence"]) == ("singleInstance", None)


async def test_a_deleted_series_takes_everything_with_it(http: httpx.AsyncClient) -> None:
    made = await create(http, weekly())
    first = (await instances(http, made["id"]))[0]
    await http.delete(f"{EVENTS}/{made['id']}")
    assert error(await http.get(f"{EVENTS}/{first['id']}")) == (404, "ErrorItemNotFound")
    assert error(await http.get(f"{EVENTS}/{made['id']}/instances")) == (404, "ErrorItemNotFound")
    assert (await http.get(f"{EVENTS}/{made['id']}")).json()["type"] == "seriesMaster"


async def test_the_calendar_view_shows_occurrences(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    graph.outlook.create_event(MAIL, single("2026-12-01T09:00:00", "2026-12-01T10:00:00", subject="Single"))
    series = graph.outlook.create_event(MAIL, weekly())
    graph.outlook.edit_occurrence(MAIL, series, "2026-12-07", {"subject": "Changed"})
    graph.outlook.delete_occurrence(MAIL, series, "2026-12-14")
    window = {"startDateTime": "2026-11-30T00:00:00+01:00", "endDateTime": "2026-12-31T00:00:00Z"}
    found = (await http.get(VIEW, params=window)).json()["value"]
    assert [(each["subject"], each["type"]) for each in found] == [
        ("Call", "occurrence"),
        ("Single", "singleInstance"),
        ("Changed", "exception"),
        ("Call", "occurrence"),
    ]
    wide = {"startDateTime": "2020-01-01T00:00:00Z", "endDateTime": "2024-12-30T00:00:00Z"}
    assert (await http.get(VIEW, params=wide)).status_code == 200  # 1825 days
    refused = await http.get(VIEW, params=wide | {"endDateTime": "2024-12-31T00:00:00Z"})
    assert "Maximum number of days: 1825" in refused.json()["error"]["message"]
    assert error(await http.get(VIEW)) == (400, "ErrorInvalidParameter")


async def test_an_all_day_series_and_the_hands(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    body = weekly(3, isAllDay=True) | {"start": at("2026-11-23"), "end": at("2026-11-24")}
    master = graph.outlook.create_event(MAIL, body)
    found = await instances(http, master)
    assert [each["start"]["dateTime"] for each in found][1] == "2026-11-30T00:00:00.0000000"
    assert found[1]["originalStart"] == "2026-11-29T23:00:00Z"
    graph.outlook.delete_occurrence(MAIL, master, "2026-11-30")
    graph.outlook.edit_occurrence(MAIL, master, "2026-12-07", {"sensitivity": "private"})
    with pytest.raises(ValueError, match="no occurrence"):
        graph.outlook.delete_occurrence(MAIL, master, "2026-11-30")
    shown = graph.outlook.show_event(MAIL, master)
    assert (shown["cancelled"], [each["slot"] for each in shown["exceptions"]]) == (["2026-11-30"], ["2026-12-07"])
    graph.outlook.delete_event(MAIL, master)
    graph.outlook.restore_event(MAIL, master)
    assert graph.dump(MAIL)["events"] == [graph.outlook.show_event(MAIL, master)]
    other = graph.outlook.create_event(MAIL, single(), organizer={"name": "Bo", "address": "bo@x.com"}, uid="ABC")
    graph.outlook.cancel_meeting(MAIL, other)
    read = (await http.get(f"{EVENTS}/{other}")).json()
    assert (read["isOrganizer"], read["isCancelled"], read["iCalUId"]) == (False, True, "ABC")
