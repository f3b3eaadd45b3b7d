"""Events on the vtenext emulator: what API.md 3, 5, 6 and 7 say beyond the transcripts, and what users do at the screen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from emulators.vtenext import VtenextEmulator
from tests.unit.emulators.vtenext_client import Client, refusal

TIMES = {"date_start": "2026-12-15", "time_start": "10:00", "due_date": "2026-12-15", "time_end": "11:00"}
EVENT = {"subject": "E", "activitytype": "Meeting", "eventstatus": "Planned", "duration_hours": "0", **TIMES}
NIGHT = {**EVENT, "assigned_user_id": "19x2", "due_date": "2026-12-16", "time_end": "02:00"}


@pytest.mark.parametrize("missing", ["subject", "activitytype", "eventstatus", "time_end", "duration_hours"])
async def test_what_an_event_must_have(client: Client, missing: str) -> None:
    given = {name: value for name, value in EVENT.items() if name != missing}
    assert await refusal(client.create("Events", **given)) == "MANDATORY_FIELDS_MISSING"


async def test_a_uid_of_its_own_unless_given_and_never_another(client: Client) -> None:
    first, second = [await client.create("Events", **EVENT) for _ in range(2)]
    assert first["ical_uuid"] != second["ical_uuid"]
    given = await client.create("Events", **EVENT, ical_uuid="u" * 130, recurr_idx="14")
    assert (given["ical_uuid"], given["recurr_idx"]) == ("u" * 127, "14")
    revised = await client.revise(given["id"], ical_uuid="other", recurr_idx="15", subject="F")
    assert (revised["ical_uuid"], revised["recurr_idx"], revised["subject"]) == ("u" * 127, "14", "F")


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [("0", ""), ("", ""), ("5", "1"), ("60", "1"), ("900", "15"), ("3540", "59"), ("3600", "61"), ("7260", "121")],
)
async def test_a_reminder_is_written_in_seconds_and_read_in_minutes(client: Client, seconds: str, minutes: str) -> None:
    made = await client.create("Events", **EVENT, reminder_time=seconds)
    assert made["reminder_time"] == minutes
    (row,) = await client.query("select reminder_time from Events;")
    assert row["reminder_time"] == minutes
    assert (await client.changes("Events"))["created"][0]["reminder_time"] == minutes


async def test_only_at_the_screen_a_reminder_is_taken_off(client: Client) -> None:
    made = await client.create("Events", **EVENT, reminder_time="900")
    assert (await client.revise(made["id"], reminder_time="0"))["reminder_time"] == "15"
    assert client.emulator.backdoor.edit(made["id"], {"subject": "F"})["reminder_time"] == "15"
    assert client.emulator.backdoor.edit(made["id"], {"reminder_time": "0"})["reminder_time"] == ""


async def test_of_the_hour_that_comes_twice_the_second_pass_is_read(emulator: VtenextEmulator, client: Client) -> None:
    emulator.backdoor.add_users([{"user_name": "utc", "last_name": "U", "is_admin": "on", "user_timezone": "UTC"}])
    caller = Client(emulator)
    await caller.login("utc")
    day = {"date_start": "2026-10-25", "due_date": "2026-10-25"}
    shown = []
    for start in ("00:30", "01:30", "03:00"):
        made = await caller.create("Events", **{**EVENT, **day, "time_start": start, "time_end": "04:00"})
        shown.append((made["time_start"], (await client.get("retrieve", id=made["id"]))["time_start"]))
    assert shown == [("01:30", "02:30"), ("01:30", "02:30"), ("03:00", "04:00")]


async def test_the_hour_that_is_skipped_comes_after(emulator: VtenextEmulator, client: Client) -> None:
    emulator.backdoor.add_users([{"user_name": "utc", "last_name": "U", "is_admin": "on", "user_timezone": "UTC"}])
    caller = Client(emulator)
    await caller.login("utc")
    day = {"date_start": "2027-03-28", "due_date": "2027-03-28", "time_start": "02:30", "time_end": "04:00"}
    made = await client.create("Events", **{**EVENT, **day})
    assert (await caller.get("retrieve", id=made["id"]))["time_start"] == "01:30"


async def test_our_zone_is_the_servers_so_that_all_operations_agree(client: Client) -> None:
    made = await client.create("Events", **EVENT, is_all_day_event="1")
    names = ", ".join((*TIMES, "is_all_day_event", "createdtime", "ical_uuid", "recurr_idx"))
    (queried,) = await client.query(f"select {names} from Events;")
    (listed,) = (await client.changes("Events"))["created"]
    for name in queried:
        assert made[name] == queried[name] == listed[name]


async def test_deleted_events_are_listed_without_the_tasks(client: Client) -> None:
    task = {"subject": "T", "activitytype": "Task", "taskstatus": "Planned"}
    kept = await client.create("Events", **EVENT)
    gone = [
        await client.create("Events", **EVENT),
        await client.create("Calendar", **task, date_start="2026-12-01", due_date="2026-12-02"),
    ]
    client.emulator.clock.advance(5)
    for record in gone:
        await client.post("delete", id=record["id"])
    changes = await client.changes("Events")
    assert [row["id"] for row in changes["created"]] == [kept["id"]]
    assert [row["id"] for row in changes["deleted"]] == [gone[0]["id"]]


async def test_private_events_are_the_owners_and_the_administrators(emulator: VtenextEmulator, client: Client) -> None:
    emulator.backdoor.add_users([{"user_name": "ann", "last_name": "A"}])
    other = Client(emulator)
    await other.login("ann")
    made = await client.create("Events", **EVENT, visibility="Private")
    public = await client.create("Events", **EVENT, visibility="Public")
    assert await refusal(other.get("retrieve", id=made["id"])) == "ACCESS_DENIED"
    assert (await other.get("retrieve", id=public["id"]))["subject"] == "E"
    assert await other.query("select id from Events;") == []
    assert len((await client.changes("Events"))["created"]) == 2


class TestSeries:
    async def test_is_a_record_a_date_with_one_uid(self, client: Client) -> None:
        """As ws-events-recurring-read shows it; an occurrence keeps the length of the first."""
        answer = await client.http.post(
            "/_emulator/series",
            json={
                "fields": NIGHT,
                "dates": ["2026-12-15", "2026-12-17", "2026-12-22"],
                "recurringtype": "Weekly",
            },
        )
        rows = await client.query("select * from Events order by id;")
        assert answer.json()["ids"] == [row["id"] for row in rows]
        assert len({row["ical_uuid"] for row in rows}) == 1
        assert [row["recurr_idx"] for row in rows] == ["0", "1", "2"]
        assert [row["recurringtype"] for row in rows] == ["Weekly", "", ""]
        assert [(row["date_start"], row["due_date"]) for row in rows] == [
            ("2026-12-15", "2026-12-16"),
            ("2026-12-17", "2026-12-18"),
            ("2026-12-22", "2026-12-23"),
        ]

    async def test_is_saved_one_by_one(self, client: Client) -> None:
        at: list[Any] = []
        for full in client.emulator.backdoor.save_series(NIGHT, ["2026-12-15", "2026-12-22"], "Weekly"):
            at.append((full, len(await client.query("select id from Events;")), client.emulator.clock.now()))
            client.emulator.clock.advance(7)
        assert [(seen, moment) for _, seen, moment in at] == [
            (1, datetime(2026, 11, 23, 11, 0, tzinfo=UTC)),
            (2, datetime(2026, 11, 23, 11, 0, 7, tzinfo=UTC)),
        ]

    async def test_records_are_on_their_own_afterwards(self, client: Client) -> None:
        first, second, third = client.emulator.backdoor.add_series(NIGHT, ["2026-12-15", "2026-12-22", "2026-12-29"])
        await client.revise(first, subject="Other")
        client.emulator.backdoor.delete(second)
        rows = await client.query("select subject from Events order by id;")
        assert rows == [{"subject": "Other", "id": first}, {"subject": "E", "id": third}]
