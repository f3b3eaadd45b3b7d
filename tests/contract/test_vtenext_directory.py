"""The directory of users and the test of the service account, over the emulator (API.md 10)."""

from __future__ import annotations

import json

import pytest

from sync.errors import Cause, StopConnector
from sync.sides.base import CrmGroup
from sync.sides.vtenext import VtenextDirectory
from tests.contract.vtenext_world import VtenextWorld


@pytest.fixture
def world() -> VtenextWorld:
    return VtenextWorld()


async def test_users_with_the_inactive_ones(world: VtenextWorld) -> None:
    world.back.add_users(
        [
            {
                "user_name": "old",
                "first_name": "Ugo",
                "last_name": "Old",
                "email1": "o@x.example",
                "status": "Inactive",
            }
        ]
    )
    users = {user.name: user for user in await world.directory.users()}
    assert (users["Ugo Old"].active, users["Ugo Old"].email) == (False, "o@x.example")
    assert (users["Mario Rossi"].active, users["Mario Rossi"].id) == (True, world.owners[0])


async def test_a_deleted_user_is_not_active_although_its_employee_is(world: VtenextWorld) -> None:
    """vtenext's deletion of a user leaves the employee as it was (seed: 47x135 active, its user unreadable)."""
    (gone,) = world.back.add_users([{"user_name": "gone", "first_name": "Ida", "last_name": "Gone"}])
    assert {user.id: user.active for user in await world.directory.users()}[gone]
    world.back.delete_user(gone)
    employees = world.back.dump()["Employees"]
    assert [row["active"] for row in employees if row["assigned_user_id"] == gone] == ["1"], "the trap itself"
    assert {user.id: user.active for user in await world.directory.users()}[gone] is False


async def test_without_employees_the_active_users(world: VtenextWorld) -> None:
    refusal = {
        "success": False,
        "error": {"code": "ACCESS_DENIED", "message": "Permission to perform the operation is denied for name"},
    }
    world.fault("status", "query Employees", status=200, body=json.dumps(refusal))
    assert {"Mario Rossi", "Anna Bianchi"} <= {user.name for user in await world.directory.users()}
    assert world.requests("query Users") == 1


async def test_a_group_by_its_id(world: VtenextWorld) -> None:
    (sales,) = world.back.add_groups([{"groupname": " Vendite ", "members": [world.owners[0]]}])
    assert await world.directory.group(sales) == CrmGroup(sales, "Vendite")
    asked = world.requests("retrieve")
    for nothing in ("", "22", "22x", "22xa", "x1", world.owners[0], f"{sales}0x1"):
        assert await world.directory.group(nothing) is None
    assert world.requests("retrieve") == asked, "never asked for the id of a user"
    assert await world.directory.group("22x999") is None
    assert world.requests("describe") == 1


async def test_probe_of_a_good_account(world: VtenextWorld) -> None:
    probe = await world.directory.probe()
    assert (probe.zone, probe.prefix("Contacts"), probe.prefix("Accounts")) == ("Europe/Rome", "4", "3")
    fields = probe.modules["Contacts"]["fields"]
    assert isinstance(fields, list)
    assert "lastname" in {field["name"] for field in fields}


@pytest.mark.parametrize(
    ("settings", "cause"),
    [
        ({"is_admin": "off"}, Cause.CRM_NOT_ADMIN),
        ({"date_format": "dd-mm-yyyy"}, Cause.CRM_USER_SETTINGS),
        ({"user_timezone": "America/New_York"}, Cause.CRM_USER_SETTINGS),
        ({"user_timezone": "Europe/Berlin"}, None),
    ],
)
async def test_probe_of_an_account(world: VtenextWorld, settings: dict[str, str], cause: Cause | None) -> None:
    good = {"user_name": "svc.two", "last_name": "Two", "is_admin": "on", "date_format": "yyyy-mm-dd"}
    world.back.add_users([good | settings])
    directory = VtenextDirectory(world.worker(user="svc.two", key="svc.two.key"))
    if cause is None:
        assert (await directory.probe()).zone == "Europe/Rome"
        return
    with pytest.raises(StopConnector) as raised:
        await directory.probe()
    assert raised.value.cause is cause


async def test_probe_without_get_changes(world: VtenextWorld) -> None:
    world.fault("status", "get_changes", status=500)
    with pytest.raises(StopConnector) as raised:
        await world.directory.probe()
    assert raised.value.cause is Cause.CRM_NO_GET_CHANGES
