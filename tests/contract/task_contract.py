"""What every CRM side promises about tasks, as tests to inherit: run on the memory CRM and on vtenext. See `crm_contract`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.model import Gone, Item, Kind
from sync.sides.base import Done, New, Remove, Revise
from tests.contract.crm_contract import CrmWorld, changed, item_in, owned, read, status_of

OFFER = {
    "subject": "Offerta",
    "description": "Entro venerdì",
    "taskstatus": "Not Started",
    "taskpriority": "High",
    "date_start": "2026-12-01",
    "due_date": "2026-12-03",
}
TASK_FIELDS = {*OFFER, "uid", "created"}
STAMP = "4b1f" * 16


def planned(world: CrmWorld, stamp: str = STAMP, **fields: str) -> New:
    return New(Kind.TASK, {**OFFER, **fields}, stamp, world.owners[0])


async def made(world: CrmWorld, write: New | Revise) -> Item:
    return item_in((await world.crm.apply([write]))[0])


class TaskContract:
    @pytest.fixture
    def offerta(self, world: CrmWorld) -> str:
        record = world.add(Kind.TASK, OFFER, world.owners[0])
        world.wait(5)
        return record

    async def test_a_task_says_what_it_is(self, world: CrmWorld, offerta: str) -> None:
        item = await read(world, Kind.TASK, offerta)
        assert set(item.fields) == TASK_FIELDS
        assert {name: item.fields[name] for name in OFFER} == OFFER
        assert item.fields["created"] == item.modified
        assert (item.kind, item.owner, item.stamp) == (Kind.TASK, world.owners[0], item.fields["uid"])
        assert item.stamp

    async def test_every_way_of_reading_shows_the_same(self, world: CrmWorld, offerta: str) -> None:
        item = await read(world, Kind.TASK, offerta)
        assert (await changed(world, Kind.TASK, ""))[0] == {offerta: item}
        assert await world.crm.by_uid(Kind.TASK, [str(item.fields["uid"]), "nobody's"]) == [item]

    async def test_what_is_written_is_read_again(self, world: CrmWorld) -> None:
        new = await made(world, planned(world, description="uno\ndue", taskstatus="Pending Input"))
        assert (new.stamp, new.fields["uid"]) == (STAMP, STAMP)
        assert {**OFFER, "description": "uno\ndue", "taskstatus": "Pending Input"}.items() <= dict(new.fields).items()
        assert await read(world, Kind.TASK, new.id) == new
        world.wait(5)
        after = await made(world, Revise(new, {"taskstatus": "Completed", "due_date": "2026-12-24"}))
        assert after == await read(world, Kind.TASK, new.id)
        assert (after.stamp, after.fields["taskstatus"], after.fields["due_date"]) == (STAMP, "Completed", "2026-12-24")
        assert after.version != new.version

    async def test_what_the_columns_cannot_hold_is_lost(self, world: CrmWorld) -> None:
        new = await made(world, planned(world, subject=f"🚗{'T' * 200}"))
        assert new.fields["subject"] == f"????{'T' * 96}"

    async def test_due_before_start_is_taken(self, world: CrmWorld) -> None:
        new = await made(world, planned(world, date_start="2026-12-10"))
        assert (new.fields["date_start"], new.fields["due_date"]) == ("2026-12-10", "2026-12-03")

    async def test_a_task_is_no_event_and_no_event_a_task(self, world: CrmWorld, offerta: str) -> None:
        assert await world.crm.count(Kind.TASK) == 1
        assert await world.crm.count(Kind.EVENT) == 0
        uid = str((await read(world, Kind.TASK, offerta)).fields["uid"])
        assert await world.crm.by_uid(Kind.EVENT, [uid]) == []

    async def test_changes_and_deletions_are_told(self, world: CrmWorld, offerta: str) -> None:
        other = world.add(Kind.TASK, OFFER, world.owners[1])
        world.wait(300)
        _, _, cursor = await changed(world, Kind.TASK, "")
        world.edit(Kind.TASK, offerta, {"taskstatus": "In Progress"})
        world.delete(Kind.TASK, other)
        items, gone, _ = await changed(world, Kind.TASK, cursor)
        assert items == {offerta: await read(world, Kind.TASK, offerta)}
        assert gone == {other}
        assert isinstance((await world.crm.get(Kind.TASK, [other]))[other], Gone)

    async def test_a_write_on_what_has_changed_is_refused(self, world: CrmWorld, offerta: str) -> None:
        before = await read(world, Kind.TASK, offerta)
        world.edit(Kind.TASK, offerta, {"subject": "Altra"})
        results = await world.crm.apply([Revise(before, {"taskstatus": "Completed"})])
        assert status_of(results[0]) == 412
        results = await world.crm.apply([Remove(before)])
        assert status_of(results[0]) == 412
        assert (await read(world, Kind.TASK, offerta)).fields["taskstatus"] == "Not Started"

    async def test_a_task_is_deleted_once(self, world: CrmWorld, offerta: str) -> None:
        world.add(Kind.TASK, OFFER, world.owners[1])
        item = await read(world, Kind.TASK, offerta)
        assert await world.crm.apply([Remove(item)]) == [Done(None)]
        assert await world.crm.apply([Remove(item)]) == [Done(None)]
        assert await world.crm.count(Kind.TASK) == 1

    async def test_those_still_to_be_done(self, world: CrmWorld, offerta: str) -> None:
        done = world.add(Kind.TASK, {**OFFER, "taskstatus": "Completed"}, world.owners[0])
        odd = world.add(Kind.TASK, {**OFFER, "taskstatus": "Da noi"}, world.owners[0])
        world.add(Kind.TASK, OFFER, world.owners[1])
        mine = world.owners[0]
        open_ones = {
            i async for page in world.crm.owned(Kind.TASK, mine, datetime(2027, 1, 1, tzinfo=UTC)) for i in page
        }
        assert open_ones == {offerta, odd}
        assert set(await owned(world, Kind.TASK, mine)) == {offerta, odd, done}

    async def test_a_stamp_that_would_not_come_back_is_a_mistake(self, world: CrmWorld) -> None:
        for stamp in ("", "x" * 128):
            with pytest.raises(ValueError, match="stamp"):
                await world.crm.apply([planned(world, stamp)])
        with pytest.raises(ValueError, match="uid"):
            await world.crm.created_since(Kind.TASK, world.iso_now())
        assert await world.crm.count(Kind.TASK) == 0
