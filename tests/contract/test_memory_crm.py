"""The CRM in memory keeps the contract that vtenext keeps: what the simulator proves on it holds for the real side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sync.model import Kind
from sync.sides.memory import MemoryCrm
from sync.sides.memory_events import held_span
from sync.spans import server_holds
from tests.contract.crm_contract import CrmContract
from tests.contract.event_contract import EventContract
from tests.contract.task_contract import TaskContract


class MemoryWorld:
    """Implements `crm_contract.CrmWorld`."""

    owners = ("19x5", "19x6")

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
        self.crm = MemoryCrm(lambda: self.time, owners=frozenset(self.owners))
        self.addresses = {owner: f"{owner}@crm.example" for owner in self.owners}
        self.crm.people |= self.addresses

    def add(self, kind: Kind, fields: Mapping[str, str], owner: str) -> str:
        record = self.crm.add(kind, owner, fields).id
        self.crm.people[record] = fields.get("email", "").lower()
        return record

    def answer(self, record: str, invitee: str, answer: str) -> None:
        self.crm.answer(record, invitee, answer)

    def edit(self, kind: Kind, record: str, fields: Mapping[str, str]) -> None:
        self.wait(1)
        self.crm.edit(record, **{"owner" if n == "assigned_user_id" else n: value for n, value in fields.items()})

    def delete(self, kind: Kind, record: str) -> None:
        self.wait(1)
        self.crm.delete(record)

    def wait(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

    def iso_now(self) -> str:
        return self.time.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def world() -> MemoryWorld:
    return MemoryWorld()


class TestMemoryPeople(CrmContract):
    pass


class TestMemoryEvents(EventContract):
    pass


class TestMemoryTasks(TaskContract):
    pass


@pytest.mark.parametrize("name", ["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"])
def test_it_loses_the_same_times_as_vtenext(name: str) -> None:
    """Written twice, so that a mistake in one of them is seen: here the two must agree, around changes of 2026."""
    zone = ZoneInfo(name)
    for text in ("2026-10-25T01:00Z", "2026-03-29T01:00Z", "2026-11-01T06:00Z", "2026-04-04T15:00Z"):
        change = datetime.fromisoformat(text)
        for minutes in range(-180, 180, 5):
            start = change + timedelta(minutes=minutes)
            for length in (0, 1, 25, 60, 90, 1440):
                end = start + timedelta(minutes=length)
                when = f"{start:%Y-%m-%dT%H:%M}Z/{end:%Y-%m-%dT%H:%M}Z"
                assert held_span(when, zone) == server_holds(when, zone)


async def test_a_series_of_the_user_interface(world: MemoryWorld) -> None:
    spans = [f"2026-12-{day:02}T09:00Z/2026-12-{day:02}T10:00Z" for day in (1, 8, 15)]
    records = world.crm.add_series(world.owners[0], {"subject": "Ogni martedì"}, spans)
    assert [record.fields["when"] for record in records] == spans
    assert [record.fields["slot"] for record in records] == ["0", "1", "2"]
    found = await world.crm.by_uid(Kind.EVENT, [records[0].fields["uid"]])
    assert [item.id for item in found] == [record.id for record in records]


def test_every_event_has_a_uid_of_its_own(world: MemoryWorld) -> None:
    uids = {world.crm.add(Kind.EVENT, "19x5", {"subject": "S"}).fields["uid"] for _ in range(3)}
    uids |= {world.crm.add_series("19x5", {}, ["2026-12-01/2026-12-01"])[0].fields["uid"] for _ in range(2)}
    assert len(uids) == 5
