"""Creating, changing and completing tasks: the rules that HTTP and Outlook's hands share (BEHAVIOUR 6, 7.3).

Errors are `GraphError`s. Nothing is rendered here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

from emulators.graph import todo_body
from emulators.graph.http import Json
from emulators.graph.todo import Content, LinkedResource, Step, Task, TaskList, Todo
from emulators.graph.todo_body import ONE_LINK, invalid
from emulators.graph.world import World


def create(world: World, todo: Todo, task_list: TaskList, body: Json) -> Task:
    """A new task, with its linked resource and steps if the body has them."""
    now = world.now()
    plain = {name: value for name, value in body.items() if name not in ("linkedResources", "checklistItems")}
    links = todo_body.links(body.get("linkedResources"))
    steps = todo_body.steps(body.get("checklistItems"), now)
    content = _merged(world, Content(), todo_body.accept(plain))
    return todo.create(task_list, content, links, steps, now)


def patch(world: World, todo: Todo, task: Task, body: Json) -> Task:
    """Change what is sent. Completing a recurring task moves this one to its next date and puts a second one, completed,
    beside it (measured). Answers the task that now holds what was sent: the second one, if there is one."""
    old, sent = task.content, todo_body.accept(body)
    new, now = _merged(world, old, sent), world.now()
    recurring = new.rule is not None and old.rule is not None
    following = todo_body.next_content(new) if recurring else None
    if following is not None and new.status == "completed" != old.status:
        copied = world.quirks.todo_split_keeps_link
        done = todo.copy(task, replace(new, rule=None), now, links=copied)
        task.steps = {key: replace(each, checked=False, checked_at="") for key, each in task.steps.items()}
        todo.change(task, following, now)
        return done
    moved = recurring and new.due != old.due and new.rule == old.rule
    if moved and world.quirks.todo_recurring_due == "duplicates":
        return _put_off(world, todo, task, new, now)
    todo.change(task, new, now)
    return task


def _put_off(world: World, todo: Todo, task: Task, new: Content, now: str) -> Task:
    """Another due date for a recurring task: it keeps its old one, and an open task of the rule's next date appears
    (microsoft-graph-docs#5424, MS365-ToDo#133). Which of the two keeps rule and link: memory."""
    kept = replace(new, due=task.content.due, start=task.content.start)
    following = todo_body.next_content(kept)
    if following is None:
        todo.change(task, new, now)
        return task
    second = todo.copy(task, following, now, links=world.quirks.todo_split_keeps_link)
    todo.change(task, replace(kept, rule=None), now)
    return second


def _merged(world: World, old: Content, sent: dict[str, Any]) -> Content:
    new = replace(old, **sent)
    if sent.get("start") and "due" not in sent and (old.due is None or world.quirks.todo_start_sets_due == "always"):
        new = replace(new, due=new.start)  # 7.3
    if new.rule is not None and new.due is None:
        # a rule without a date gets its first one; a task whose date is taken away repeats no more (memory)
        new = replace(new, due=todo_body.first_due(new.rule)) if "rule" in sent else replace(new, rule=None)
    if not (new.reminder_on and new.reminder):  # 7.3: both together; one alone does nothing (memory)
        new = replace(new, reminder_on=False, reminder=None)
    if "body" in sent:
        new = replace(new, body_modified=world.now())
    if new.status != "completed":
        return replace(new, completed=None)
    if old.status != "completed":
        new = replace(new, completed=world.clock.now().astimezone(UTC).date())
    return new


# linked resources and steps ------------------------------------------------------------------------------------------


def add_link(world: World, todo: Todo, task: Task, body: Json) -> tuple[str, LinkedResource]:
    """The one linked resource; a second is refused (BEHAVIOUR 6)."""
    if task.links:
        raise invalid(ONE_LINK)
    key, made = todo.child_id(), todo_body.link(body, None)
    task.links[key] = made
    todo.touch(task, world.now())
    return key, made


def add_step(world: World, todo: Todo, task: Task, body: Json) -> tuple[str, Step]:
    """One more step."""
    key, made = todo.child_id(), todo_body.step(body, None, world.now())
    task.steps[key] = made
    todo.touch(task, world.now())
    return key, made
