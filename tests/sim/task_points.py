"""Every crash point of fixed scenarios of tasks: the process is killed at each operation in turn, before and after it."""

from __future__ import annotations

import random
from collections.abc import Callable

from sync.model import Kind
from sync.policy import Group
from sync.sides.memory import MemoryTodo, Record, Task
from tests.sim.task_properties import task_violations
from tests.sim.task_story import TEAM, TaskStory, task_world
from tests.sim.world import Accident, World, told_again

Act = Callable[[World, TaskStory], None]
DATES = {"date_start": "2026-12-01", "due_date": "2026-12-03", "taskstatus": "Not Started"}


def _a_week(world: World, story: TaskStory) -> None:
    """Before each scenario: a task born in To Do, without dates, and a recurring one."""
    _todo(world).add({"title": "t1 Chiamare", "body": "uno"})
    _todo(world).add({"title": "t2 Ordine", "due": "2026-11-30", "recurring": "1"}, in_list="home")
    story.serial = 2
    story.copies.add("t2")


def _in_crm(world: World, story: TaskStory) -> None:
    """After the first import: a task made in the CRM, and one of the group."""
    world.crm.add(Kind.TASK, "19x1", {"subject": "t3 Offerta", **DATES})
    world.crm.add(Kind.TASK, TEAM, {"subject": "t4 Offerta", **DATES})
    story.serial = 4


def _todo(world: World, name: str = "a") -> MemoryTodo:
    return world.todos[f"mailbox-{name}"]


def _task(world: World, serial: str, name: str = "a") -> Task:
    tasks = (task for task in _todo(world, name).tasks.values() if not task.deleted)
    return next(task for task in tasks if task.fields["title"].startswith(f"{serial} "))


def _record(world: World, serial: str) -> Record:
    return next(r for r in world.crm.records.values() if r.fields["subject"].startswith(f"{serial} ") and not r.deleted)


def mailbox_creates(world: World, story: TaskStory) -> None:
    _todo(world).add({"title": "t5 Ordine"}, in_list="home")
    story.serial = 5


def crm_creates(world: World, story: TaskStory) -> None:
    world.crm.add(Kind.TASK, "19x2", {"subject": "t5 Ordine", **DATES})
    story.serial = 5


def group_creates(world: World, story: TaskStory) -> None:
    world.crm.add(Kind.TASK, TEAM, {"subject": "t5 Ordine", **DATES})
    story.serial = 5


def mailbox_completes(world: World, story: TaskStory) -> None:
    _todo(world).edit(_task(world, "t1").item_id, status="completed")


def crm_edits(world: World, story: TaskStory) -> None:
    world.crm.edit(_record(world, "t1").id, date_start="2026-12-05", taskpriority="High")


def both_edit(world: World, story: TaskStory) -> None:
    crm_edits(world, story)
    mailbox_completes(world, story)


def mailbox_moves(world: World, story: TaskStory) -> None:
    _todo(world).move(_task(world, "t1").item_id, "home")


def mailbox_moves_ours(world: World, story: TaskStory) -> None:
    there = _todo(world).move(_task(world, "t3").item_id, "home")
    _todo(world).edit(there.item_id, title="t3 Ordine", status="completed")


def mailbox_deletes(world: World, story: TaskStory) -> None:
    _todo(world).delete(_task(world, "t1").item_id)
    story.removed.add("t1")


def list_deleted(world: World, story: TaskStory) -> None:
    _todo(world).delete_list("home")
    story.removed.add("t2")


def crm_deletes(world: World, story: TaskStory) -> None:
    world.crm.delete(_record(world, "t1").id)
    story.removed.add("t1")


def edit_beats_delete(world: World, story: TaskStory) -> None:
    mailbox_completes(world, story)
    crm_deletes(world, story)


def recurring_completed(world: World, story: TaskStory) -> None:
    _todo(world).edit(_task(world, "t2").item_id, status="completed")


def recurring_completed_in_crm(world: World, story: TaskStory) -> None:
    world.crm.edit(_record(world, "t2").id, taskstatus="Completed")


def member_completes(world: World, story: TaskStory) -> None:
    _todo(world, "c").edit(_task(world, "t4", "c").item_id, status="completed", title="t4 Mia")


def member_deletes(world: World, story: TaskStory) -> None:
    _todo(world, "c").delete(_task(world, "t4", "c").item_id)


def group_task_deleted(world: World, story: TaskStory) -> None:
    world.crm.delete(_record(world, "t4").id)
    story.removed.add("t4")


def group_task_taken_over(world: World, story: TaskStory) -> None:
    world.crm.edit(_record(world, "t4").id, owner="19x3")


def given_to_the_group(world: World, story: TaskStory) -> None:
    world.crm.edit(_record(world, "t3").id, owner=TEAM)


def member_leaves(world: World, story: TaskStory) -> None:
    world.groups = {TEAM: Group("19x1", ("19x1", "19x2"))}
    world.full |= {"mailbox-c", "mailbox-d"}


def cursor_lost(world: World, story: TaskStory) -> None:
    mailbox_completes(world, story)
    _todo(world).delete(_task(world, "t3").item_id)
    story.removed.add("t3")
    _todo(world).forgotten = len(_todo(world).log) + 1


TASK_SCENARIOS: list[Act] = [
    mailbox_creates,
    crm_creates,
    group_creates,
    mailbox_completes,
    crm_edits,
    both_edit,
    mailbox_moves,
    mailbox_moves_ours,
    mailbox_deletes,
    list_deleted,
    crm_deletes,
    edit_beats_delete,
    recurring_completed,
    recurring_completed_in_crm,
    member_completes,
    member_deletes,
    group_task_deleted,
    group_task_taken_over,
    given_to_the_group,
    member_leaves,
    cursor_lost,
]


async def _begun() -> TaskStory:
    world = task_world()
    story = TaskStory(world, random.Random(0))
    await world.connect()
    _a_week(world, story)
    await world.settle(2)
    _in_crm(world, story)
    await world.settle(2)
    return story


async def _play(begun: TaskStory, act: Act, accident: Accident | None) -> tuple[list[str], int]:
    story = told_again(begun)
    world = story.world
    act(world, story)
    process = await world.attempt(accident)
    last = await world.settle(6)
    return await task_violations(story, last), process.operations


async def every_task_point(
    act: Act, what: tuple[str, ...] = ("crash-before", "crash-after", "lose"), step: int = 1, first: int = 1
) -> list[str]:
    """All accidents at all operations of one scenario (or at every `step`-th from `first` on)."""
    begun = await _begun()
    wrong, operations = await _play(begun, act, None)
    found = [f"{act.__name__} undisturbed: {message}" for message in wrong]
    for at in range(first, operations + 1, step):
        for kind in what:
            wrong, _ = await _play(begun, act, Accident(at, kind))
            found += [f"{act.__name__} {kind} at {at}: {message}" for message in wrong]
    return found
