"""Tasks: what is promised in so many words, each once, in the smallest world that shows it."""

from __future__ import annotations

from sync.model import Kind
from sync.sides.memory import Record, Task
from sync.store.base import Drop
from tests.sim.task_story import TEAM, task_world
from tests.sim.world import World

DATES = {"date_start": "2026-12-01", "due_date": "2026-12-03"}
OPEN = {"taskstatus": "Not Started", **DATES}


async def connected(*, before: bool = False) -> World:
    world = task_world()
    if before:
        world.crm.add(Kind.TASK, "19x1", {"subject": "Vecchia", **OPEN})
        world.todos["mailbox-a"].add({"title": "Aperta"})
        world.todos["mailbox-a"].add({"title": "Fatta", "status": "completed", "completed": "2026-11-01"})
    await world.connect()
    await world.settle(2)
    return world


def living(world: World) -> list[Record]:
    return [record for record in world.crm.records.values() if not record.deleted]


def shown(world: World, name: str) -> list[Task]:
    return [task for task in world.todos[f"mailbox-{name}"].tasks.values() if not task.deleted]


async def test_the_first_synchronisation_imports_what_is_open_and_writes_nothing_to_a_mailbox() -> None:
    world = await connected(before=True)
    assert sorted(record.fields["subject"] for record in living(world)) == ["Aperta", "Vecchia"]
    (imported,) = [record for record in living(world) if record.fields["subject"] == "Aperta"]
    assert (imported.fields["date_start"], imported.fields["due_date"], imported.owner) == (
        "2026-11-23",
        "2026-11-23",
        "19x1",
    )
    assert [todo.writes for todo in world.todos.values()] == [0, 0, 0, 0]
    (old,) = [record for record in living(world) if record.fields["subject"] == "Vecchia"]
    world.crm.edit(old.id, due_date="2026-12-24")
    await world.settle(2)
    assert sorted(task.fields["title"] for task in shown(world, "a")) == ["Aperta", "Fatta", "Vecchia"]


async def test_a_lost_ledger_doubles_nothing() -> None:
    world = await connected()
    world.todos["mailbox-a"].add({"title": "Nata in To Do"}, in_list="home")
    world.crm.add(Kind.TASK, "19x1", {"subject": "Nata nel CRM", **OPEN})
    world.crm.add(Kind.TASK, TEAM, {"subject": "Del gruppo", **OPEN})
    await world.settle(3)
    before = [(record.id, dict(record.fields)) for record in living(world)]
    for key in [row.key async for row in world.rows.query("mailbox-a|tasks") if row.key != "f"]:
        await world.rows.transact("mailbox-a|tasks", [Drop(key)])
    assert await world.settle(4) == 0
    assert [(record.id, record.fields) for record in living(world)] == before
    assert len(shown(world, "a")) == 3
    assert next(task for task in shown(world, "a") if task.list == "home").fields["due"] == "", "no stand-in came back"
    world.crm.edit(before[0][0], taskstatus="Completed")
    await world.settle(2)
    assert {task.fields["status"] for task in shown(world, "a")} == {"completed", "notStarted"}


async def test_a_groups_task_done_by_one_is_done_everywhere_after_two_runs_and_so_is_reopened() -> None:
    world = await connected()
    record = world.crm.add(Kind.TASK, TEAM, {"subject": "Del gruppo", **OPEN})
    await world.settle(2)
    assert [len(shown(world, name)) for name in "abcd"] == [1, 1, 1, 1]
    for status, in_crm in (("completed", "Completed"), ("notStarted", "Not Started")):
        (mine,) = shown(world, "c")
        world.todos["mailbox-c"].edit(mine.item_id, status=status)
        await world.settle(2)
        assert record.fields["taskstatus"] == in_crm
        assert {task.fields["status"] for name in "abcd" for task in shown(world, name)} == {status}


async def test_a_recurring_task_done_in_to_do_leaves_a_done_record_and_goes_on() -> None:
    world = await connected()
    todo = world.todos["mailbox-a"]
    task = todo.add({"title": "Report", "due": "2026-12-01", "recurring": "1"})
    await world.settle(2)
    (record,) = living(world)
    todo.edit(task.item_id, status="completed")
    await world.settle(3)
    dates = {r.id: (r.fields["taskstatus"], r.fields["due_date"]) for r in living(world)}
    assert dates.pop(record.id) == ("Not Started", "2026-12-08")
    assert list(dates.values()) == [("Completed", "2026-12-01")]


async def test_a_task_moved_between_lists_keeps_its_record() -> None:
    world = await connected()
    todo = world.todos["mailbox-a"]
    born = todo.add({"title": "Nata in To Do"})
    record = world.crm.add(Kind.TASK, "19x1", {"subject": "Nata nel CRM", **OPEN})
    await world.settle(2)
    ids = {r.id for r in living(world)}
    ours = next(task for task in shown(world, "a") if task.stamp)
    todo.move(born.item_id, "home")
    there = todo.move(ours.item_id, "home")
    todo.edit(there.item_id, title="Altro titolo")
    await world.settle(2)
    assert {r.id for r in living(world)} == ids
    assert record.fields["subject"] == "Altro titolo"
    assert len(shown(world, "a")) == 2
