"""What every To Do side promises, as tests to inherit: run on the memory side and on Graph's. The user's hand is part of the world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pytest

from sync.model import Gone, Item, Kind, Proof, Side
from sync.sides.base import Done, Mailbox, New, Page, Refused, Remove, Revise

OFFER = {"title": "Offerta", "body": "uno", "status": "inProgress", "importance": "high"}
DATES = {"start": "2026-12-01", "due": "2026-12-03"}
SHOWN = {
    *("title", "body", "bodyType", "status", "importance", "due", "start", "reminder", "recurring", "completed"),
    *("created", "list", "categories"),
}
STAMP = "1x7;task;n1"


class TodoWorld(Protocol):
    """A To Do with its user, who has two lists. Fields are those of an item."""

    mailbox: Mailbox
    default: str
    other: str

    async def add(self, fields: Mapping[str, str], in_list: str) -> str: ...

    async def edit(self, item_id: str, fields: Mapping[str, str]) -> None: ...

    async def delete(self, item_id: str) -> None: ...

    async def move(self, item_id: str, to_list: str) -> str: ...

    async def delete_list(self, list_id: str) -> None: ...

    async def forget_cursors(self) -> None: ...


async def walk(mailbox: Mailbox, cursor: str | None) -> tuple[dict[str, Item], set[str], set[str], str]:
    """A whole round: items, claims of removal, lists told from scratch, the cursor."""
    items: dict[str, Item] = {}
    gone: set[str] = set()
    whole: set[str] = set()
    pages: list[Page] = [page async for page in mailbox.changes(cursor)]
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [bool(page.cursor) for page in pages] == [page.last for page in pages]
    for page in pages:
        items |= {item.id: item for item in page.items}
        gone |= set(page.gone)
        whole |= set(page.whole)
    return items, gone, whole, pages[-1].cursor


async def read(world: TodoWorld, item_id: str) -> Item:
    found = (await world.mailbox.get([item_id]))[item_id]
    assert isinstance(found, Item), found
    return found


async def made(world: TodoWorld, stamp: str = STAMP, **fields: str) -> Item:
    (result,) = await world.mailbox.apply([New(Kind.TASK, {**OFFER, **fields}, stamp)])
    assert isinstance(result, Done)
    assert result.item is not None
    return result.item


class TodoContract:
    async def test_a_first_round_shows_every_list(self, world: TodoWorld) -> None:
        ids = {await world.add({**OFFER, **DATES}, world.default), await world.add({"title": "Latte"}, world.other)}
        items, gone, _, _ = await walk(world.mailbox, None)
        assert (set(items), gone) == (ids, set())
        for item in items.values():
            assert set(item.fields) == SHOWN
            assert (item.side, item.kind, item.owner) == (Side.MAILBOX, Kind.TASK, world.mailbox.id)
            assert item.id.partition("|")[0] == item.fields["list"]
            assert item.version
            assert item.modified.endswith("Z")
            assert (item.stamp, item == await read(world, item.id)) == ("", True)

    async def test_an_item_says_what_the_task_is(self, world: TodoWorld) -> None:
        item = await read(world, await world.add({**OFFER, **DATES}, world.default))
        assert {**OFFER, **DATES, "bodyType": "text", "recurring": "", "completed": "", "reminder": ""}.items() <= dict(
            item.fields
        ).items()
        empty = await read(world, await world.add({"title": "Latte"}, world.default))
        assert [empty.fields[name] for name in ("status", "importance", "due", "start", "body")] == [
            *("notStarted", "normal"),
            *("", "", ""),
        ]

    async def test_a_quiet_round_is_empty(self, world: TodoWorld) -> None:
        await world.add(OFFER, world.default)
        _, _, _, cursor = await walk(world.mailbox, None)
        items, gone, whole, _ = await walk(world.mailbox, cursor)
        assert (items, gone, whole) == ({}, set(), set())

    async def test_edits_and_removals_are_told_once(self, world: TodoWorld) -> None:
        first, second = await world.add(OFFER, world.default), await world.add(OFFER, world.other)
        _, _, _, cursor = await walk(world.mailbox, None)
        await world.edit(first, {"status": "completed"})
        await world.delete(second)
        items, gone, _, cursor = await walk(world.mailbox, cursor)
        assert (set(items), gone) == ({first}, {second})
        assert items[first].fields["status"] == "completed"
        assert len(str(items[first].fields["completed"])) == 10
        assert await world.mailbox.get([second]) == {second: Gone(second, Proof.NOT_FOUND)}
        items, gone, _, _ = await walk(world.mailbox, cursor)
        assert (items, gone) == ({}, set())

    async def test_a_moved_task_has_another_id_and_keeps_the_stamp(self, world: TodoWorld) -> None:
        item = await made(world)
        _, _, _, cursor = await walk(world.mailbox, None)
        there = await world.move(item.id, world.other)
        items, gone, _, _ = await walk(world.mailbox, cursor)
        assert (set(items), gone) == ({there}, {item.id})
        assert there.partition("|")[0] == world.other
        assert (items[there].stamp, items[there].fields["title"]) == (STAMP, "Offerta")
        assert isinstance((await world.mailbox.get([item.id]))[item.id], Gone)

    async def test_a_list_that_went_is_a_claim_on_its_tasks(self, world: TodoWorld) -> None:
        task = await world.add(OFFER, world.other)
        kept = await world.add(OFFER, world.default)
        _, _, _, cursor = await walk(world.mailbox, None)
        await world.delete_list(world.other)
        _, gone, _, cursor = await walk(world.mailbox, cursor)
        assert gone == {world.other}
        found = await world.mailbox.get([task, kept])
        assert isinstance(found[task], Gone)
        assert isinstance(found[kept], Item)
        _, gone, _, _ = await walk(world.mailbox, cursor)
        assert gone == set()

    async def test_forgotten_cursors_tell_everything_again(self, world: TodoWorld) -> None:
        first, second = await world.add(OFFER, world.default), await world.add(OFFER, world.other)
        _, _, _, cursor = await walk(world.mailbox, None)
        await world.delete(second)
        await world.forget_cursors()
        items, _, whole, cursor = await walk(world.mailbox, cursor)
        assert set(items) == {first}
        assert whole >= {world.default, world.other}, "so that a task that is missing there is looked for"
        assert (await walk(world.mailbox, cursor))[0] == {}

    async def test_what_is_written_is_read_again(self, world: TodoWorld) -> None:
        item = await made(world, **DATES)
        assert item.stamp == STAMP
        assert item.id.partition("|")[0] == world.default
        items, _, _, cursor = await walk(world.mailbox, None)
        assert items == {item.id: item}
        (result,) = await world.mailbox.apply([Revise(item, {"status": "completed", "due": "", "body": "tre"})])
        assert isinstance(result, Done)
        after = result.item
        assert after is not None
        assert after.version != item.version
        assert {name: after.fields[name] for name in ("status", "due", "body", "start")} == {
            "status": "completed",
            "due": "",
            "body": "tre",
            "start": "2026-12-01",
        }
        echo, _, _, _ = await walk(world.mailbox, cursor)
        assert echo == {item.id: after}, "our own write comes back as we left it"
        assert [i async for page in world.mailbox.stamped() for i in page] == [after]

    async def test_a_start_alone_sets_the_due_date_too(self, world: TodoWorld) -> None:
        item = await made(world, start="2026-12-01")
        assert (item.fields["start"], item.fields["due"]) == ("2026-12-01", "2026-12-01")

    async def test_a_write_on_what_has_changed_is_refused(self, world: TodoWorld) -> None:
        item = await made(world)
        await world.edit(item.id, {"title": "Altra"})
        for write in (Revise(item, {"status": "completed"}), Remove(item)):
            (result,) = await world.mailbox.apply([write])
            assert isinstance(result, Refused)
            assert result.failure.status == 412
        assert (await read(world, item.id)).fields["title"] == "Altra"

    async def test_a_deletion_is_done_once(self, world: TodoWorld) -> None:
        item = await made(world)
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]
        assert await world.mailbox.apply([Remove(item)]) == [Done(None)]
        (result,) = await world.mailbox.apply([Revise(item, {"status": "completed"})])
        assert isinstance(result, Refused)

    async def test_results_come_in_the_order_of_the_writes(self, world: TodoWorld) -> None:
        item = await made(world)
        gone = await made(world, "1x8;task;n2")
        await world.delete(gone.id)
        writes = [New(Kind.TASK, {"title": "a"}, "s1"), Remove(gone), Revise(item, {"title": "b"})]
        first, second, third = await world.mailbox.apply(writes)
        assert second == Done(None)
        titles = [r.item.fields["title"] for r in (first, third) if isinstance(r, Done) and r.item]
        assert titles == ["a", "b"]

    async def test_what_is_not_ours_to_write_is_a_mistake(self, world: TodoWorld) -> None:
        with pytest.raises(ValueError, match="written"):
            await world.mailbox.apply([New(Kind.TASK, {"title": "x", "reminder": "2026-12-01T08:00:00Z"}, "s")])
