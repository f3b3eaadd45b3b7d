"""Events on the vtenext side over the emulator: their contract, then the traps that only vtenext has (API.md 3, 4, 6, 7)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.model import Item, Kind, Unread
from sync.sides.base import Done, New, Remove, Revise, Unclear
from sync.sides.vtenext import NewEvent, VtenextCrm
from tests.contract.crm_contract import changed, item_in, owned, read, status_of
from tests.contract.event_contract import ALL_DAY, MEETING, WHEN, EventContract, planned
from tests.contract.vtenext_world import FIELDS, VtenextWorld

TIMES = {"date_start": "2026-12-15", "time_start": "10:00", "due_date": "2026-12-15", "time_end": "11:00"}


@pytest.fixture
def world() -> VtenextWorld:
    return VtenextWorld()


def elements(world: VtenextWorld, operation: str) -> list[dict[str, Any]]:
    """What was posted, in order."""
    return [json.loads(form["element"]) for form in world.sent if form["operation"] == operation]


async def made(world: VtenextWorld, write: New | Revise) -> Item:
    return item_in((await world.crm.apply([write]))[0])


class TestVtenextEvents(EventContract):
    pass


class TestWhatIsSent:
    async def test_a_new_event(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world, "uid-1|14", reminder_time="30", visibility="Standard"))
        row = world.rows_of(Kind.EVENT)[item.id]
        (element,) = elements(world, "create")
        assert element == {
            **{name: value for name, value in MEETING.items() if name != "when"},
            **TIMES,
            "is_all_day_event": "0",
            "reminder_time": "1800",
            "visibility": "Standard",
            "activitytype": "Meeting",
            "eventstatus": "Planned",
            "duration_hours": "0",
            "ical_uuid": "uid-1",
            "recurr_idx": "14",
            "assigned_user_id": world.owners[0],
        }
        assert {name: row[name] for name in element if name != "duration_hours"} == {
            **{name: value for name, value in element.items() if name != "duration_hours"},
            "reminder_time": "30",
        }
        assert (row["duration_hours"], row["recurringtype"]) == ("1", "")

    async def test_type_and_status_of_new_events_are_settings(self, world: VtenextWorld) -> None:
        crm = VtenextCrm(world.client, fields={}, new_event=NewEvent("Appuntamento", "Held"))
        item = item_in((await crm.apply([planned(world)]))[0])
        row = world.rows_of(Kind.EVENT)[item.id]
        assert (row["activitytype"], row["eventstatus"]) == ("Appuntamento", "Held")

    async def test_type_and_status_are_left_alone_afterwards(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world))
        world.back.edit(item.id, {"activitytype": "Call", "eventstatus": "Held"})
        item = await made(world, Revise(await read(world, Kind.EVENT, item.id), {"subject": "Altro", "when": ALL_DAY}))
        row = world.rows_of(Kind.EVENT)[item.id]
        assert (row["activitytype"], row["eventstatus"]) == ("Call", "Held")

    async def test_the_contact_that_an_event_shows_is_set_and_taken_off(self, world: VtenextWorld) -> None:
        (contact,) = world.back.add_records("Contacts", [{"lastname": "Elena", "assigned_user_id": world.owners[0]}])
        item = await made(world, planned(world))
        item = await made(world, Revise(item, {"contact_id": contact}))
        assert (await read(world, Kind.EVENT, item.id)).fields["contact_id"] == contact
        item = await made(world, Revise(item, {"contact_id": ""}))
        assert (await read(world, Kind.EVENT, item.id)).fields["contact_id"] == ""
        assert [each.get("contact_id") for each in elements(world, "revise")] == [contact, ""]

    async def test_all_day_lasts_until_a_minute_to_midnight(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world, when=ALL_DAY))
        row = world.rows_of(Kind.EVENT)[item.id]
        assert [row[name] for name in (*TIMES, "is_all_day_event")] == [
            *("2026-12-24", "00:00", "2026-12-26", "23:59", "1"),
        ]

    async def test_date_time_and_flag_travel_together(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world))
        item = await made(world, Revise(item, {"when": "2026-12-15T09:00Z/2026-12-15T10:30Z", "subject": "Riunione"}))
        assert elements(world, "revise") == [
            {**TIMES, "time_end": "11:30", "is_all_day_event": "0", "id": item.id},
        ]

    async def test_a_reminder_that_would_be_removed_is_never_sent(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world, reminder_time="15"))
        world.sent.clear()
        item = await made(world, Revise(item, {"reminder_time": "", "subject": "Altro"}))
        assert await world.crm.apply([Revise(item, {"reminder_time": "0"})]) == [Done(item)]
        assert elements(world, "revise") == [{"subject": "Altro", "id": item.id}]
        assert item.fields["reminder_time"] == "15"

    async def test_only_create_revise_and_delete_are_posted(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world))
        item = await made(world, Revise(item, {"when": ALL_DAY}))
        await world.crm.apply([Remove(item)])
        assert {form["operation"] for form in world.sent} == {"login", "create", "revise", "delete"}


class TestEchoes:
    """The answer of a write is the item that every later reading gives, so that no sweep takes it for an edit."""

    async def test_of_every_field(self, world: VtenextWorld) -> None:
        fields = {
            "subject": "S" * 150,
            "location": "L" * 200,
            "description": "<script>x</script>\r\n<b>y</b> & \U0001f600",
            "when": "2026-10-25T00:15Z/2026-10-25T02:00Z",
            "visibility": "Private",
            "taskpriority": "Low",
            "reminder_time": "120",
        }
        made_once = await made(world, planned(world, "uid|7", **fields))
        await self.echoed(world, made_once)
        world.wait(5)
        edited = {name: value + "1" for name, value in fields.items() if name != "when"}
        revised = await made(world, Revise(made_once, {**edited, "when": ALL_DAY}))
        assert revised.fields["reminder_time"] == "1201"
        await self.echoed(world, revised)

    async def echoed(self, world: VtenextWorld, answer: Item) -> None:
        listed, _, _ = await changed(world, Kind.EVENT, "")
        assert answer == listed[answer.id] == await read(world, Kind.EVENT, answer.id)
        assert [answer] == await world.crm.by_uid(Kind.EVENT, ["uid"])

    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
    async def test_on_servers_elsewhere(self, zone: str) -> None:
        """Our account has the server's zone, so every operation speaks the same wall clock (API.md 6)."""
        world = VtenextWorld(zone=zone)
        for when in (WHEN, ALL_DAY, "2026-07-01T21:45Z/2026-07-02T22:15Z"):
            item = await made(world, planned(world, f"{when}|0", when=when))
            assert item.fields["when"] == when
            assert item == await read(world, Kind.EVENT, item.id)
            assert item == (await changed(world, Kind.EVENT, ""))[0][item.id]
        assert await world.crm.server_zone() == ZoneInfo(zone)

    async def test_a_workflow_shows_in_the_answer(self, world: VtenextWorld) -> None:
        rule = {"module": "Events", "when": {"subject": "Riunione"}, "set": {"location": "Dal workflow"}}
        world.back.set_workflows([rule])
        assert (await made(world, planned(world))).fields["location"] == "Dal workflow"

    async def test_a_user_in_new_york_moves_what_we_read(self, world: VtenextWorld) -> None:
        item = await made(world, planned(world))
        world.back.add_users(
            [{"user_name": "ny", "last_name": "N", "is_admin": "on", "user_timezone": "America/New_York"}]
        )
        moved = {"id": item.id, "date_start": "2026-12-15", "time_start": "04:30"}
        await world.worker(user="ny", key="ny.key").write("revise", element=json.dumps(moved))
        assert (await read(world, Kind.EVENT, item.id)).fields["when"] == "2026-12-15T09:30Z/2026-12-15T10:00Z"


class TestReading:
    @pytest.mark.parametrize(
        ("columns", "when"),
        [
            ({"time_start": "25:00"}, ""),
            ({"date_start": ""}, ""),
            ({"date_start": "0000-00-00"}, ""),
            ({"time_start": "9:5"}, "2026-12-15T08:05Z/2026-12-15T10:00Z"),
            ({"due_date": "2026-12-14"}, "2026-12-15T09:00Z/2026-12-15T09:00Z"),
            ({"time_end": "12:00"}, "2026-12-15T09:00Z/2026-12-15T11:00Z"),
        ],
    )
    async def test_times_that_nobody_checked(self, world: VtenextWorld, columns: dict[str, str], when: str) -> None:
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        world.back.silent_edit(record, columns)
        item = await read(world, Kind.EVENT, record)
        assert item.fields["when"] == when
        assert (await changed(world, Kind.EVENT, ""))[0][record] == item
        assert item_in((await world.crm.apply([Revise(item, {"when": ALL_DAY})]))[0]).fields["when"] == ALL_DAY

    async def test_a_silent_move_counts_as_a_change(self, world: VtenextWorld) -> None:
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        item = await read(world, Kind.EVENT, record)
        world.back.silent_edit(record, {"time_end": "12:00"})
        for write in (Remove(item), Revise(item, {"subject": "Altro"})):
            assert status_of((await world.crm.apply([write]))[0]) == 412

    async def test_tasks_are_no_events(self, world: VtenextWorld) -> None:
        task = {"subject": "T", "activitytype": "Task", "taskstatus": "Planned", "ical_uuid": "uid-1"}
        dates = {"date_start": "2026-12-15", "due_date": "2026-12-16", "assigned_user_id": world.owners[0]}
        first, second = world.back.add_records("Calendar", [{**task, **dates}] * 2)
        event = world.add(Kind.EVENT, MEETING, world.owners[0])
        world.back.delete(second)
        items, gone, _ = await changed(world, Kind.EVENT, "")
        assert (set(items), gone) == ({event}, set())
        assert await owned(world, Kind.EVENT, "") == [event]
        assert await world.crm.by_uid(Kind.EVENT, ["uid-1"]) == []
        assert await world.crm.count(Kind.EVENT) == 1
        foreign = "18x" + first.partition("x")[2]
        assert await world.crm.get(Kind.EVENT, [foreign]) == {foreign: Unread(foreign, "INVALID_ID_ATTRIBUTE")}

    async def test_private_events_of_everybody_are_read(self, world: VtenextWorld) -> None:
        record = world.add(Kind.EVENT, {**MEETING, "visibility": "Private"}, world.owners[1])
        assert (await changed(world, Kind.EVENT, ""))[0][record].fields["visibility"] == "Private"

    async def test_an_event_without_uid_has_no_stamp(self, world: VtenextWorld) -> None:
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        world.back.silent_edit(record, {"ical_uuid": ""})
        assert (await read(world, Kind.EVENT, record)).stamp == ""

    async def test_mapped_columns_never_show_the_raw_times(self, world: VtenextWorld) -> None:
        wanted = {**FIELDS, Kind.EVENT: ("subject", "when", "time_start", "eventstatus", "ical_uuid")}
        crm = VtenextCrm(world.client, fields=wanted)
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        item = (await crm.get(Kind.EVENT, [record]))[record]
        assert isinstance(item, Item)
        assert item.fields["eventstatus"] == "Planned"
        assert not {"time_start", "ical_uuid", "createdtime"} & item.fields.keys()

    @pytest.mark.parametrize("uid", ["D'Angelo", "back\\slash", "50%_x", "a;b--", "é", "x" * 127, "a\tb"])
    async def test_any_uid_can_be_looked_for(self, world: VtenextWorld, uid: str) -> None:
        record = world.add(Kind.EVENT, {**MEETING, "uid": uid}, world.owners[0])
        world.add(Kind.EVENT, {**MEETING, "uid": "backXslash"}, world.owners[0])
        world.add(Kind.EVENT, {**MEETING, "uid": "50--x"}, world.owners[0])
        assert [item.id for item in await world.crm.by_uid(Kind.EVENT, [uid, "nobody's"])] == [record]

    async def test_hundreds_of_long_uids_fit_the_address(self, world: VtenextWorld) -> None:
        uids = [f"{n:0127}" for n in range(300)]
        records = [world.add(Kind.EVENT, {**MEETING, "uid": uid}, world.owners[0]) for uid in uids[::50]]
        assert {item.id for item in await world.crm.by_uid(Kind.EVENT, uids)} == set(records)

    async def test_a_broken_owner_hides_no_other_event(self, world: VtenextWorld) -> None:
        records = [world.add(Kind.EVENT, {**MEETING, "uid": "u", "slot": str(n)}, world.owners[0]) for n in range(3)]
        world.poison(Kind.EVENT, [records[1]])
        found = await world.crm.by_uid(Kind.EVENT, ["u"])
        assert [(item.id, item.owner) for item in found] == [
            (records[0], world.owners[0]),
            (records[1], ""),
            (records[2], world.owners[0]),
        ]

    async def test_in_the_hour_that_comes_twice_the_second_is_meant(self) -> None:
        world = VtenextWorld(start=datetime(2026, 10, 1, 11, 0, tzinfo=UTC))
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        night = {"date_start": "2026-10-25", "due_date": "2026-10-25", "time_start": "02:30", "time_end": "03:00"}
        world.back.edit(record, night)
        item = await read(world, Kind.EVENT, record)
        assert item.fields["when"] == "2026-10-25T01:30Z/2026-10-25T02:00Z"


class TestSeries:
    async def test_a_series_of_the_user_interface_comes_record_by_record(self, world: VtenextWorld) -> None:
        fields = {**TIMES, "subject": "Ogni martedì", "activitytype": "Meeting", "eventstatus": "Planned"}
        fields["assigned_user_id"] = world.owners[0]
        dates = ["2026-12-15", "2026-12-22", "2026-12-29"]
        saving = world.back.save_series(fields, dates, "Weekly")
        first = next(saving)
        uid = str((await read(world, Kind.EVENT, first)).fields["uid"])
        assert [item.id for item in await world.crm.by_uid(Kind.EVENT, [uid])] == [first]
        world.wait(300)
        _, _, cursor = await changed(world, Kind.EVENT, "")
        world.wait(300)
        rest = list(saving)
        items, _, _ = await changed(world, Kind.EVENT, cursor)
        assert set(items) == set(rest)
        series = await world.crm.by_uid(Kind.EVENT, [uid])
        assert [item.stamp for item in series] == [f"{uid}|{n}" for n in range(3)]
        assert [item.fields["when"] for item in series] == [f"{day}T09:00Z/{day}T10:00Z" for day in dates]


class TestAccidents:
    async def test_a_lost_creation_is_found_by_its_uid(self, world: VtenextWorld) -> None:
        world.fault("lost_response", "POST create")
        assert isinstance((await world.crm.apply([planned(world, "uid|14")]))[0], Unclear)
        (lost,) = await world.crm.by_uid(Kind.EVENT, ["uid"])
        assert (lost.stamp, lost.fields["when"], lost.owner) == ("uid|14", WHEN, world.owners[0])

    async def test_kinds_are_written_together(self, world: VtenextWorld) -> None:
        record = world.add(Kind.EVENT, MEETING, world.owners[0])
        item = await read(world, Kind.EVENT, record)
        results = await world.crm.apply(
            [
                New(Kind.CONTACT, {"lastname": "Neri"}, "", world.owners[0]),
                Revise(item, {"subject": "Altro"}),
                planned(world),
                New(Kind.COMPANY, {"accountname": "Acme"}, "", world.owners[0]),
            ]
        )
        kinds = [item_in(result).kind for result in results]
        assert kinds == [Kind.CONTACT, Kind.EVENT, Kind.EVENT, Kind.COMPANY]


class TestTheCostOfInvitees:
    async def test_a_batch_asks_once_whom_its_addresses_mean_and_reads_its_lists_a_group_at_a_time(
        self, world: VtenextWorld
    ) -> None:
        """A query for users, one for contacts and a listing for each event were four requests where one writes."""
        colleague = world.emulator.backdoor.add_users([{"user_name": "carla", "email1": "carla@x.example"}])[0]
        people = (f"{colleague}|accepted|carla@x.example",)
        new = [planned(world, f"uid-{number}|0", invitees=people) for number in range(8)]
        await world.crm.apply([planned(world, "first|0")])  # who may own records is read once
        counted = ("query Users", "query Contacts", "get_changes Events")
        before = {name: world.requests(name) for name in counted}
        results = await world.crm.apply(new)
        assert [item_in(result).fields["invitees"] for result in results] == [people] * 8
        asked = {name: world.requests(name) - before[name] for name in counted}
        assert asked == {"query Users": 1, "query Contacts": 1, "get_changes Events": 2}
