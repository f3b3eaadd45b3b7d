"""The routes of a task's linkedResources and checklistItems (BEHAVIOUR 2.6, 5.1, 6, 7.3).

Each write is a save of the task: it bumps its etag and shows in delta. If-Match is judged against the task's etag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emulators.graph import odata, todo_body, todo_writing
from emulators.graph.errors import item_not_found
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.todo import Task, Todo
from emulators.graph.todo_lists import check_match, open_mailbox
from emulators.graph.todo_tasks import BASE, find_task
from emulators.graph.world import World


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of child: where a task holds it, how it reads, is added and changed."""

    name: str
    held: Callable[[Task], dict[str, Any]]
    render: Callable[[str, Any], Json]
    add: Callable[[World, Todo, Task, Json], tuple[str, Any]]
    changed: Callable[[Json, Any, str], Any]


LINKS = _Kind(
    "linkedResources",
    lambda task: task.links,
    todo_body.render_link,
    todo_writing.add_link,
    lambda body, old, _: todo_body.link(body, old),
)
STEPS = _Kind("checklistItems", lambda task: task.steps, todo_body.render_step, todo_writing.add_step, todo_body.step)


def routes(router: Router, world: World) -> None:
    """Add the routes of both kinds."""
    for kind in (LINKS, STEPS):
        children = _Children(world, kind)
        base = f"{BASE}/{{task}}/{kind.name}"
        router.add("GET", base, children.listing)
        router.add("POST", base, children.create)
        router.add("GET", f"{base}/{{child}}", children.get)
        router.add("PATCH", f"{base}/{{child}}", children.patch)
        router.add("DELETE", f"{base}/{{child}}", children.delete)


class _Children:
    def __init__(self, world: World, kind: _Kind) -> None:
        self._world = world
        self._kind = kind

    def _context(self, call: Call) -> str:
        user, task_list, task = (call.params[name] for name in ("user", "list", "task"))
        return f"users('{user}')/todo/lists('{task_list}')/tasks('{task}')/{self._kind.name}"

    def _answer(self, call: Call, status: int, key: str, child: Any) -> Answer:
        context = f"{call.base}/$metadata#{self._context(call)}/$entity"
        return Answer(status, {"@odata.context": context, **self._kind.render(key, child)})

    def _child(self, call: Call, *, write: bool) -> tuple[Todo, Task, str]:
        mailbox = open_mailbox(self._world, call, write=write)
        task, key = find_task(mailbox, call), call.params["child"]
        if key not in self._kind.held(task):
            raise item_not_found()
        return mailbox.todo, task, key

    def listing(self, call: Call) -> Answer:
        """All children of the kind."""
        task = find_task(open_mailbox(self._world, call, write=False), call)
        odata.check_options(call, frozenset({"$top", "$skip", "$count", "$expand"}))
        call.query.pop("$count", None)
        found = list(self._kind.held(task).items())
        return Answer(200, odata.page(call, found, lambda pair: self._kind.render(*pair), self._context(call)))

    def get(self, call: Call) -> Answer:
        """One child."""
        odata.check_options(call, frozenset({"$expand"}))
        _, task, key = self._child(call, write=False)
        return self._answer(call, 200, key, self._kind.held(task)[key])

    def create(self, call: Call) -> Answer:
        """201."""
        mailbox = open_mailbox(self._world, call, write=True)
        task = find_task(mailbox, call)
        return self._answer(call, 201, *self._kind.add(self._world, mailbox.todo, task, call.json()))

    def patch(self, call: Call) -> Answer:
        """200; 412 against the task's etag (5.1)."""
        todo, task, key = self._child(call, write=True)
        check_match(call, task)
        held, now = self._kind.held(task), self._world.now()
        held[key] = self._kind.changed(call.json(), held[key], now)
        todo.touch(task, now)
        return self._answer(call, 200, key, held[key])

    def delete(self, call: Call) -> Answer:
        """204; 412 against the task's etag (5.1)."""
        todo, task, key = self._child(call, write=True)
        check_match(call, task)
        del self._kind.held(task)[key]
        todo.touch(task, self._world.now())
        return Answer(204)
