"""Tasks of vtenext through our adapter: the contract, and the traps of API.md 8."""

from __future__ import annotations

import json

import pytest

from sync.model import Kind
from sync.sides.base import Revise
from tests.contract.crm_contract import item_in, read
from tests.contract.task_contract import OFFER, TaskContract, made, planned
from tests.contract.vtenext_world import VtenextWorld


@pytest.fixture
def world() -> VtenextWorld:
    return VtenextWorld()


class TestVtenextTasks(TaskContract):
    pass


async def test_a_new_task_says_that_it_is_one_and_a_revision_what_changed(world: VtenextWorld) -> None:
    """Without its type it would be an event for everybody (ws-tasks-missing-activitytype)."""
    item = await made(world, planned(world))
    (created,) = [form for form in world.sent if form["operation"] == "create"]
    element = json.loads(created["element"])
    assert (created["elementType"], element["activitytype"]) == ("Calendar", "Task")
    await world.crm.apply([Revise(item, {"taskstatus": "Completed", "subject": OFFER["subject"]})])
    (revised,) = [form for form in world.sent if form["operation"] == "revise"]
    assert json.loads(revised["element"]) == {"id": item.id, "taskstatus": "Completed"}


async def test_the_time_of_a_task_stays(world: VtenextWorld) -> None:
    record = world.add(Kind.TASK, {**OFFER, "time_start": "09:30"}, world.owners[0])
    (result,) = await world.crm.apply([Revise(await read(world, Kind.TASK, record), {"date_start": "2026-12-02"})])
    assert item_in(result).fields["date_start"] == "2026-12-02"
    row = world.rows_of(Kind.TASK)[record]
    assert (row["date_start"], row["time_start"]) == ("2026-12-02", "09:30")


async def test_a_groups_task_has_the_group_as_owner(world: VtenextWorld) -> None:
    (group,) = world.back.add_groups([{"groupname": "Vendite"}])
    record = world.add(Kind.TASK, OFFER, group)
    assert (await read(world, Kind.TASK, record)).owner == group
