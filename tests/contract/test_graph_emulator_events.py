"""Single events of the Graph emulator: each answer judged by Microsoft's schema, each quirk by its section of BEHAVIOUR."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from emulators.graph import GraphEmulator
from tests.contract.graph_calendar import (
    EVENTS,
    MAIL,
    STAMP,
    VIEW,
    at,
    client,
    create,
    emulator,
    error,
    single,
    weekly,
)


@pytest.fixture
def graph() -> GraphEmulator:
    return emulator()


@pytest.fixture
async def http(graph: GraphEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with client(graph) as each:
        yield each


async def test_times_come_in_utc_and_zones_stay_as_sent(http: httpx.AsyncClient) -> None:
    body = single() | {"end": at("2026-11-23T10:00:00.0000000", "W. Europe Standard Time")}
    made = await create(http, body)
    assert made["start"] == {"dateTime": "2026-11-23T08:00:00.0000000", "timeZone": "UTC"}
    assert (made["originalStartTimeZone"], made["originalEndTimeZone"]) == ("Europe/Rome", "W. Europe Standard Time")
    assert (made["type"], made["seriesMasterId"], made["recurrence"]) == ("singleInstance", None, None)
    asked = await http.get(f"{EVENTS}/{made['id']}", headers={"Prefer": 'outlook.timezone="Tokyo Standard Time"'})
    assert asked.json()["end"] == {"dateTime": "2026-11-23T18:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    assert 'outlook.timezone="Tokyo Standard Time"' in asked.headers["preference-applied"]


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "tzone://Microsoft/Custom", "tzone://Microsoft/Utc"])
async def test_unknown_zones_are_refused(http: httpx.AsyncClient, zone: str) -> None:
    body = single() | {"start": at("2026-11-23T09:00:00", zone)}
    assert error(await http.post(EVENTS, json=body)) == (400, "TimeZoneNotSupportedException")
    refused = await http.get(EVENTS, headers={"Prefer": f'outlook.timezone="{zone}"'})
    assert error(refused) == (400, "TimeZoneNotSupportedException")


async def test_the_hour_that_comes_twice_is_the_second_and_the_missing_one_goes_on(http: httpx.AsyncClient) -> None:
    twice = await create(http, single("2026-10-25T02:30:00", "2026-10-25T04:00:00"))
    assert twice["start"]["dateTime"] == "2026-10-25T01:30:00.0000000"
    missing = await create(http, single("2027-03-28T02:30:00", "2027-03-28T04:00:00"))
    assert missing["start"]["dateTime"] == "2027-03-28T01:30:00.0000000"


async def test_all_day_events_are_checked_and_read_midnight_to_midnight(http: httpx.AsyncClient) -> None:
    made = await create(http, single("2026-11-23T00:00:00", "2026-11-25T00:00:00", isAllDay=True))
    assert made["reminderMinutesBeforeStart"] == 1080
    for prefer in ("", 'outlook.timezone="Pacific Standard Time"'):
        read = (await http.get(f"{EVENTS}/{made['id']}", headers={"Prefer": prefer})).json()
        assert (read["start"]["dateTime"], read["end"]["dateTime"]) == (
            "2026-11-23T00:00:00.0000000",
            "2026-11-25T00:00:00.0000000",
        )
    wrong = await http.post(EVENTS, json=single("2026-11-23T00:00:00", "2026-11-24T10:00:00", isAllDay=True))
    assert "needs to be set to midnight" in wrong.json()["error"]["message"]
    short = await http.post(EVENTS, json=single("2026-11-23T00:00:00", "2026-11-23T00:00:00", isAllDay=True))
    assert short.json()["error"]["message"] == "The duration of an event marked as All day must be at least 24 hours."
    mixed = single("2026-11-23T00:00:00", "2026-11-24T00:00:00", isAllDay=True)
    assert (await http.post(EVENTS, json=mixed | {"end": at("2026-11-24T00:00:00", "UTC")})).status_code == 400
    timed = await create(http, single())
    alone = await http.patch(f"{EVENTS}/{timed['id']}", json={"isAllDay": True})
    assert alone.status_code == 400  # isAllDay, start and end go together
    whole = {"isAllDay": True, "start": at("2026-11-23"), "end": at("2026-11-24")}
    assert (await http.patch(f"{EVENTS}/{timed['id']}", json=whole)).json()["isAllDay"] is True


async def test_bodies_are_rewritten(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, single(body={"contentType": "text", "content": "a <b>\nc  d"}))
    assert made["body"] == {"contentType": "text", "content": "a <b>\nc  d"}  # the answer to the write
    read = (await http.get(f"{EVENTS}/{made['id']}")).json()
    assert '<div class="PlainText">a &lt;b&gt;<br>\r\nc&nbsp; d</div>' in read["body"]["content"]
    assert (read["body"]["contentType"], read["bodyPreview"]) == ("html", "a <b>\r\nc  d")
    text = await http.get(f"{EVENTS}/{made['id']}", headers={"Prefer": 'outlook.body-content-type="text"'})
    assert text.json()["body"] == {"contentType": "text", "content": "a <b>\r\nc  d"}
    graph.quirks.echo_text_body = False
    again = await http.patch(f"{EVENTS}/{made['id']}", json={"body": {"contentType": "text", "content": "x"}})
    assert again.json()["body"]["contentType"] == "html"


async def test_html_is_wrapped_and_loses_its_scripts(http: httpx.AsyncClient) -> None:
    sent = '<p onclick="x()">Hi<script>alert(1)</script> <a href="javascript:y()">there</a></p>\n<img src="cid:1">'
    made = await create(http, single(body={"contentType": "html", "content": sent}))
    content = made["body"]["content"]
    assert content.startswith('<html><head>\r\n<meta http-equiv="Content-Type" content="text/html; charset=utf-8">')
    assert content.endswith('<body><p>Hi <a href="">there</a></p>\r\n<img src="cid:1"></body></html>')
    assert made["bodyPreview"] == "Hi there"
    again = await http.patch(f"{EVENTS}/{made['id']}", json={"body": made["body"]})
    assert again.json()["body"]["content"] == content


@pytest.mark.parametrize(
    "wrong",
    [
        {"sensitivity": "secret"},
        {"importance": "urgent"},
        {"showAs": "away"},
        {"subject": "x" * 256},
        {"subject": 3},
        {"reminderMinutesBeforeStart": -1},
        {"isAllDay": "yes"},
        {"colour": "red"},
        {"start": {"dateTime": "tomorrow", "timeZone": "UTC"}},
        {"end": at("2026-11-22T09:00:00")},
        {"attendees": [{"emailAddress": {"address": "b@x.com"}, "type": "boss"}]},
        {"body": {"contentType": "rtf", "content": "x"}},
    ],
)
async def test_wrong_values_are_refused(graph: GraphEmulator, http: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    assert (await http.post(EVENTS, json=single() | wrong)).status_code == 400
    assert graph.dump(MAIL)["events"] == []


async def test_what_nobody_chose(http: httpx.AsyncClient) -> None:
    made = await create(http, single())
    assert (made["isReminderOn"], made["reminderMinutesBeforeStart"], made["showAs"]) == (True, 15, "busy")
    assert (made["sensitivity"], made["importance"], made["isOrganizer"]) == ("normal", "normal", True)
    assert made["organizer"]["emailAddress"] == {"name": "Anna Neri", "address": MAIL}
    assert made["responseStatus"]["response"] == "none"
    guest = {"emailAddress": {"address": "b@x.com"}, "type": "optional"}
    place = {"displayName": "Room 1", "locationEmailAddress": "room1@example.com"}
    meeting = await create(http, single(attendees=[guest], location=place))
    assert meeting["attendees"][0]["emailAddress"] == {"name": "b@x.com", "address": "b@x.com"}
    assert (meeting["responseStatus"]["response"], meeting["location"]["displayName"]) == ("organizer", "Room 1")
    assert [each["displayName"] for each in meeting["locations"]] == ["Room 1"]
    cleared = await http.patch(f"{EVENTS}/{meeting['id']}", json={"location": None})
    assert (cleared.json()["location"]["displayName"], cleared.json()["locations"]) == ("", [])


async def test_if_match_counts_on_patch_and_not_on_delete(http: httpx.AsyncClient) -> None:
    made = await create(http, single())
    url, stale = f"{EVENTS}/{made['id']}", {"If-Match": made["@odata.etag"]}
    changed = await http.patch(url, json={"subject": "New"}, headers=stale)
    assert changed.json()["@odata.etag"] == f'W/"{changed.json()["changeKey"]}"' != made["@odata.etag"]
    assert error(await http.patch(url, json={"subject": "Newer"}, headers=stale)) == (412, "ErrorIrresolvableConflict")
    assert (await http.get(url)).json()["subject"] == "New"
    assert (await http.delete(url, headers=stale)).status_code == 204


async def test_a_deleted_event_is_in_deleted_items(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, single())
    url = f"{EVENTS}/{made['id']}"
    plain = (await http.get(EVENTS, headers={"Prefer": ""})).json()["value"][0]["id"]
    assert plain != made["id"]
    assert (await http.delete(url)).status_code == 204
    assert (await http.get(url)).status_code == 200
    assert error(await http.get(f"{EVENTS}/{plain}")) == (404, "ErrorItemNotFound")
    assert error(await http.delete(url)) == (403, "ErrorCannotDeleteObject")
    window = {"startDateTime": "2026-11-01", "endDateTime": "2026-12-01"}
    assert (await http.get(VIEW, params=window)).json()["value"] == (await http.get(EVENTS)).json()["value"] == []
    graph.quirks.deleted_items = "gone"
    assert error(await http.get(url)) == (404, "ErrorItemNotFound")
    assert graph.dump(MAIL)["events"][0]["place"] == "deleted"
    assert error(await http.get(f"{EVENTS}/xyz")) == (400, "ErrorInvalidIdMalformed")


async def test_a_transaction_makes_one_event(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    body = single(transactionId="7f1c2f4e-0000-4000-8000-000000000001")
    made = await create(http, body)
    assert (await create(http, body))["id"] == made["id"]
    assert made["transactionId"] == body["transactionId"]
    assert error(await http.post(EVENTS, json=body | {"subject": "other"})) == (409, "ErrorDuplicateTransactionId")
    graph.quirks.transaction_repeat = "error"
    assert error(await http.post(EVENTS, json=body)) == (409, "ErrorDuplicateTransactionId")
    graph.quirks.transaction_repeat = "event"
    await http.delete(f"{EVENTS}/{made['id']}")
    assert error(await http.post(EVENTS, json=body)) == (409, "ErrorDuplicateTransactionId")
    assert len(graph.dump(MAIL)["events"]) == 1


async def test_extended_properties_are_read_on_demand_only(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, single(singleValueExtendedProperties=[{"id": STAMP, "value": "5x7|0"}]))
    await create(http, single())
    assert "singleValueExtendedProperties" not in made
    expand = {"$expand": f"singleValueExtendedProperties($filter=id eq '{STAMP}')", "$select": "subject"}
    read = (await http.get(f"{EVENTS}/{made['id']}", params=expand)).json()
    assert read["singleValueExtendedProperties"] == [{"id": STAMP, "value": "5x7|0"}]
    search = f"singleValueExtendedProperties/Any(ep: ep/id eq '{STAMP}' and ep/value eq '5X7|0')"
    found = (await http.get(EVENTS, params={"$filter": search, **expand})).json()["value"]
    assert [each["id"] for each in found] == [made["id"]]
    copied = graph.outlook.copy_event(MAIL, made["id"])
    found = (await http.get(EVENTS, params={"$filter": search})).json()["value"]
    assert {each["id"] for each in found} == {made["id"], copied}
    await http.patch(f"{EVENTS}/{copied}", json={"singleValueExtendedProperties": [{"id": STAMP, "value": None}]})
    assert len((await http.get(EVENTS, params={"$filter": search})).json()["value"]) == 1


async def test_listings_are_filtered_ordered_and_paged(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    for day in range(1, 29):
        graph.outlook.create_event(MAIL, single(f"2026-11-{day:02}T09:00:00", f"2026-11-{day:02}T10:00:00"))
    graph.outlook.create_event(MAIL, weekly())
    assert len((await http.get(EVENTS)).json()["value"]) == 10
    query = {"$filter": "start/dateTime ge '2026-11-10' and end/dateTime lt '2026-11-20T09:00:00Z'"}
    order = {"$orderby": "start/dateTime desc", "$top": "4", "$select": "start"}
    first = (await http.get(EVENTS, params=query | order)).json()
    assert [each["start"]["dateTime"][8:10] for each in first["value"]] == ["19", "18", "17", "16"]
    rest = (await http.get(first["@odata.nextLink"])).json()
    assert [each["start"]["dateTime"][8:10] for each in rest["value"]] == ["15", "14", "13", "12"]
    graph.clock.advance(3600)
    graph.outlook.create_event(MAIL, single())
    late = {"$filter": "createdDateTime gt 2026-11-01T08:00:00Z and lastModifiedDateTime le 2026-11-01T09:00:00Z"}
    assert len((await http.get(EVENTS, params=late)).json()["value"]) == 1
    assert len((await http.get(EVENTS, params={"$top": "1000"})).json()["value"]) == 30  # singles and masters
    assert (await http.get(EVENTS, params={"$top": "1001"})).status_code == 400
    assert (await http.get(EVENTS, params={"$filter": "colour eq 'red'"})).status_code == 400


async def test_online_meetings_cannot_be_undone_but_broken(http: httpx.AsyncClient) -> None:
    body = single(isOnlineMeeting=True, onlineMeetingProvider="teamsForBusiness")
    made = await create(http, body | {"body": {"contentType": "html", "content": "<p>Hi</p>"}})
    assert made["onlineMeeting"]["joinUrl"] in made["body"]["content"]
    url = f"{EVENTS}/{made['id']}"
    assert (await http.patch(url, json={"isOnlineMeeting": False})).json()["isOnlineMeeting"] is True
    broken = await http.patch(url, json={"body": {"contentType": "text", "content": "Hi"}})
    assert (broken.json()["isOnlineMeeting"], broken.json()["onlineMeeting"]) == (False, None)


async def test_events_in_a_batch_and_counts_of_writes(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    made = await create(http, single())
    head = {"Content-Type": "application/json"}
    url = f"/users/{MAIL}/events/{made['id']}"
    parts = [
        {"id": "1", "method": "PATCH", "url": url, "headers": head, "body": {"subject": "B"}},
        {"id": "2", "method": "DELETE", "url": url},
    ]
    answer = await http.post("/$batch", json={"requests": parts})
    assert sorted(each["status"] for each in answer.json()["responses"]) == [200, 204]
    assert graph.corner.counts[f"POST /v1.0/users/{MAIL}/events"] == 1
    assert graph.parts.counts[f"PATCH /users/{MAIL}/events/{{id}}"] == 1


async def test_the_time_zone_of_a_mailbox(graph: GraphEmulator, http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/users/{MAIL}/mailboxSettings")).json()["timeZone"] == "W. Europe Standard Time"
    graph.set_user(MAIL, time_zone="Asia/Tokyo")
    assert (await http.get(f"/users/{MAIL}/mailboxSettings")).json()["timeZone"] == "Asia/Tokyo"
