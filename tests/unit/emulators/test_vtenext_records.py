"""Writing and reading records on the vtenext emulator: the traps of API.md that no transcript shows alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from emulators.vtenext import VtenextEmulator, schema
from tests.unit.emulators.vtenext_client import Client, refusal

RECORDED = Path(__file__).parents[2] / "data" / "vtenext"


def test_the_emulators_data_are_the_recorded_files() -> None:
    files = sorted(Path(schema.__file__).parent.glob("data/*.json"))
    assert len(files) == 12
    for file in files:
        assert file.read_bytes() == (RECORDED / file.name).read_bytes()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"firstname": "x" * 41}, {"firstname": "x" * 40}),
        ({"mailingcity": "è" * 50}, {"mailingcity": "è" * 40}),
        ({"description": "d" * 70000}, {"description": "d" * 70000}),
        ({"title": "a 😀 b"}, {"title": "a ???? b"}),
        ({"description": "<b>x</b> & 'y'"}, {"description": "<b>x</b> & 'y'"}),
        ({"description": "<p onclick=x>"}, {"description": "&lt;p onclick=x&gt;"}),
        ({"leadsource": "No Such"}, {"leadsource": "No Such"}),
        ({"email": "not an address"}, {"email": "not an address"}),
        ({"birthday": "31-12-1990"}, {"birthday": "0000-00-00"}),
        ({"donotcall": True, "no_such_field": 1}, {"donotcall": "1"}),
        ({"contact_no": "MINE", "createdtime": "2000-01-01 00:00:00"}, {"createdtime": "2026-11-23 12:00:00"}),
        ({"creator": "19x1"}, {"creator": "19x1"}),
        ({"account_id": "3x99999"}, {"account_id": ""}),
    ],
)
async def test_what_becomes_of_a_value(client: Client, sent: dict[str, Any], kept: dict[str, str]) -> None:
    made = await client.create("Contacts", lastname="L", **sent)
    assert {name: made[name] for name in kept} == kept
    assert await client.get("retrieve", id=made["id"]) == made


async def test_numbers_are_rounded_and_read_as_far_as_they_go(client: Client) -> None:
    made = await client.create(
        "Accounts", accountname="A", employees="12 people", annual_revenue="x", daily_cost="1.005"
    )
    assert (made["employees"], made["annual_revenue"], made["daily_cost"]) == ("12", "0", "1.01")


async def test_revise_clears_with_null_and_refuses_to_clear_what_is_mandatory(client: Client) -> None:
    made = await client.create("Contacts", lastname="L", phone="1", title="t")
    changed = await client.revise(made["id"], phone=None, title="")
    assert (changed["phone"], changed["title"]) == ("", "")
    assert await refusal(client.revise(made["id"], lastname="")) == "MANDATORY_FIELDS_MISSING"


async def test_revise_moves_the_modification_time_even_when_nothing_changes(client: Client) -> None:
    made = await client.create("Contacts", lastname="L")
    client.emulator.clock.advance(5)
    changed = await client.revise(made["id"])
    assert changed == {**made, "modifiedtime": "2026-11-23 12:00:05"}


async def test_update_empties_the_rest_and_unsubscribes_the_address(client: Client) -> None:
    made = await client.create("Contacts", lastname="L", phone="1", email="a@x.it")
    assert made["newsletter_unsubscrpt"] == "1"
    element = {"id": made["id"], "lastname": "M", "email": "a@x.it", "assigned_user_id": "19x2"}
    changed = await client.post("update", element=json.dumps(element))
    assert (changed["phone"], changed["newsletter_unsubscrpt"]) == ("", "0")
    twin = await client.create("Contacts", lastname="Same address", email="A@x.it", newsletter_unsubscrpt="1")
    assert twin["newsletter_unsubscrpt"] == "0"
    assert (await client.revise(twin["id"], newsletter_unsubscrpt="1"))["newsletter_unsubscrpt"] == "1"


async def test_update_record_destroys_the_dates_of_a_month_first_caller(
    emulator: VtenextEmulator, client: Client
) -> None:
    made = await client.create("Contacts", lastname="L", birthday="1990-12-31")
    emulator.backdoor.add_users([{"user_name": "us", "last_name": "U", "date_format": "mm-dd-yyyy"}])
    other = Client(emulator)
    await other.login("us")
    assert (await other.get("retrieve", id=made["id"]))["birthday"] == "12-31-1990"
    await other.post("updateRecord", id=made["id"], columns='{"phone": "1"}')
    assert (await client.get("retrieve", id=made["id"]))["birthday"] == "0000-00-00"


async def test_a_deleted_target_reads_empty_and_nothing_else_moves(client: Client) -> None:
    account = await client.create("Accounts", accountname="A")
    contact = await client.create("Contacts", lastname="L", account_id=account["id"])
    assert contact["account_id"] == account["id"]
    client.emulator.clock.advance(60)
    await client.post("delete", id=account["id"])
    assert await client.get("retrieve", id=contact["id"]) == {**contact, "account_id": ""}


@pytest.mark.parametrize("owner", ["19", "4x1", "svc.sync"])
async def test_an_owner_must_be_a_full_id_of_a_user_or_group(client: Client, owner: str) -> None:
    assert await refusal(client.create("Contacts", lastname="L", assigned_user_id=owner)) == "ACCESS_DENIED"
    assert await client.query("select count(*) from Contacts;") == [{"count": "0"}]


async def test_a_poisoned_record_breaks_the_queries_it_is_in_and_hides_from_changes(client: Client) -> None:
    good = await client.create("Contacts", lastname="Good")
    poison = client.create("Contacts", lastname="Poison", assigned_user_id="19x999")
    assert await refusal(poison) == "INVALID_ID_ATTRIBUTE"
    both = await client.query("select lastname from Contacts where id > '4x0';")
    assert [row["lastname"] for row in both] == ["Good", "Poison"]
    asked = "select lastname,assigned_user_id from Contacts"
    assert await refusal(client.query(f"{asked};")) == "INVALID_ID_ATTRIBUTE"
    assert len(await client.query(f"{asked} where id='{good['id']}';")) == 1
    assert [row["id"] for row in (await client.changes("Contacts"))["created"]] == [good["id"]]


async def test_a_group_owns_records_and_its_members_see_them(emulator: VtenextEmulator, client: Client) -> None:
    [user] = emulator.backdoor.add_users([{"user_name": "ann", "last_name": "A"}])
    [team] = emulator.backdoor.add_groups([{"groupname": "Team", "members": [user]}])
    assert (await client.get("retrieve", id=team))["groupname"] == "Team"
    task = {"subject": "T", "activitytype": "Task", "taskstatus": "Planned"}
    dates = {"date_start": "2026-12-01", "due_date": "2026-12-02"}
    for owner in (team, "19x2"):
        await client.create("Calendar", **task, **dates, assigned_user_id=owner)
    member = Client(emulator)
    await member.login("ann")
    assert [row["assigned_user_id"] for row in await member.query("select * from Calendar;")] == [team]
    assert (await member.changes("Calendar"))["created"] == []


async def test_a_restored_record_is_updated_and_an_emptied_bin_forgets(client: Client) -> None:
    backdoor, clock = client.emulator.backdoor, client.emulator.clock
    kept, lost = [(await client.create("Contacts", lastname=name))["id"] for name in ("Kept", "Lost")]
    clock.advance(10)
    for full in (kept, lost):
        backdoor.delete(full)
    since = {"dateFrom": "2026-11-23T11:00:05Z"}
    assert [row["id"] for row in (await client.changes("Contacts", **since))["deleted"]] == [kept, lost]
    backdoor.restore(kept)
    assert backdoor.empty_recycle_bin() == 1
    changes = await client.changes("Contacts", **since)
    assert [row["id"] for row in changes["updated"]] == [kept]
    assert changes["deleted"] == []
    made = await client.create("Contacts", lastname="Next")
    assert int(made["id"].split("x")[1]) > int(lost.split("x")[1])


async def test_a_silent_edit_is_invisible_to_incremental_reads(client: Client) -> None:
    made = await client.create("Contacts", lastname="L")
    client.emulator.clock.advance(60)
    client.emulator.backdoor.silent_edit(made["id"], {"phone": "1"})
    assert (await client.get("retrieve", id=made["id"])) == {**made, "phone": "1"}
    later = {"dateFrom": "2026-11-23T11:00:30Z"}
    assert (await client.changes("Contacts", **later))["updated"] == []
    client.emulator.backdoor.edit(made["id"], {"phone": "2"})
    assert [row["phone"] for row in (await client.changes("Contacts", **later))["updated"]] == ["2"]


async def test_the_backdoor_refuses_what_is_not_there(client: Client) -> None:
    made = await client.create("Contacts", lastname="L")
    for path, body in (
        ("edit", {"id": "4x999", "fields": {}}),
        ("edit", {"id": made["id"], "fields": {"nosuch": "1"}}),
        ("restore", {"id": made["id"]}),
    ):
        assert (await client.http.post(f"/_emulator/{path}", json=body)).status_code == 400


async def test_bulk_data_over_http_and_a_dump_with_the_recycle_bin(client: Client) -> None:
    rows = [{"lastname": f"L{n}", "assigned_user_id": "19x2"} for n in range(3)]
    posted = await client.http.post("/_emulator/records", json={"module": "Contacts", "records": rows})
    ids = posted.json()["ids"]
    await client.http.post("/_emulator/delete", json={"id": ids[1]})
    dump = (await client.http.get("/_emulator/dump")).json()["modules"]["Contacts"]
    assert [(row["id"], row["deleted"]) for row in dump] == [(ids[0], False), (ids[1], True), (ids[2], False)]
    assert dump[0]["contact_no"] == "CON1"


async def test_a_reset_goes_back_to_the_start_and_closes_sessions(client: Client) -> None:
    await client.create("Contacts", lastname="L")
    await client.http.post("/_emulator/reset")
    assert await refusal(client.query("select id from Contacts;")) == "INVALID_SESSIONID"
    await client.login()
    assert await client.query("select id from Contacts;") == []


async def test_requests_are_counted_by_operation_and_module(client: Client) -> None:
    made = await client.create("Contacts", lastname="L")
    await client.revise(made["id"], phone="1")
    await client.query("select id from Accounts;")
    await client.changes("Employees")
    await client.post("delete", id=made["id"])
    by = (await client.http.get("/_emulator/requests")).json()["by"]
    assert by == {
        "GET getchallenge": 1,
        "POST login": 1,
        "POST create Contacts": 1,
        "POST revise Contacts": 1,
        "GET query Accounts": 1,
        "GET vtesync.get_changes Employees": 1,
        "POST delete Contacts": 1,
    }
