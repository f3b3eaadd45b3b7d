"""The routes of tasks: listing, one, create, change, delete, delta (BEHAVIOUR 2.6, 5.1, 6, 7.3).

There are no immutable ids here: `Prefer: IdType` means nothing (5.2).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emulators.graph import odata, todo_writing
from emulators.graph.delta import DeltaService, Source
from emulators.graph.errors import item_not_found, malformed_id
from emulators.graph.filters import parse_filter
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import ITEM_ID, Mailbox
from emulators.graph.todo import Entry, Task, TaskList
from emulators.graph.todo_body import invalid, render
from emulators.graph.todo_lists import DELTA_OPTIONS, DELTA_PAGE, check_match, find_list, open_mailbox
from emulators.graph.world import World

BASE = "users/{user}/todo/lists/{list}/tasks"
_KIND = "microsoft.graph.todoTask"
_TEXTS = frozenset({"title", "status", "importance"})
_TIMES = frozenset({"createdDateTime", "lastModifiedDateTime"})


def find_task(mailbox: Mailbox, call: Call, *, alias: bool = True) -> Task:
    """The task of `call` in the list of `call`. 400 malformed, under another list, or (unless `alias`) under `Tasks`; 404 gone."""
    task_list = find_list(mailbox, call.params["list"])
    ref = call.params["task"]
    if not ITEM_ID.fullmatch(ref):
        raise malformed_id()
    task = mailbox.todo.find(ref)
    by_name = not alias and call.params["list"].lower() == "tasks"
    if task is not None and (task.list is not task_list or by_name):
        raise invalid("Parent folder specified does not contain a Task with given Id")  # 7.3
    if task is None:
        raise item_not_found()
    return task


def routes(router: Router, world: World, deltas: DeltaService) -> None:
    """Add the routes of tasks."""
    tasks = _Tasks(world, deltas)
    router.add("GET", f"{BASE}/delta", tasks.delta)
    router.add("GET", BASE, tasks.listing)
    router.add("POST", BASE, tasks.create)
    router.add("GET", f"{BASE}/{{task}}", tasks.get)
    router.add("PATCH", f"{BASE}/{{task}}", tasks.patch)
    router.add("DELETE", f"{BASE}/{{task}}", tasks.delete)


class _Tasks:
    def __init__(self, world: World, deltas: DeltaService) -> None:
        self._world = world
        self._deltas = deltas

    def _context(self, call: Call) -> str:
        return f"users('{call.params['user']}')/todo/lists('{call.params['list']}')/tasks"

    def _answer(self, call: Call, status: int, task: Task) -> Answer:
        return Answer(
            status, {"@odata.context": f"{call.base}/$metadata#{self._context(call)}/$entity", **render(task)}
        )

    def listing(self, call: Call) -> Answer:
        """A page of a list: $filter, $orderby, $top work, $count is ignored, $select is refused (7.3)."""
        mailbox = open_mailbox(self._world, call, write=False)
        found: list[Task] = list(find_list(mailbox, call.params["list"]).tasks.values())
        odata.check_options(call, odata.LISTING - {"$select"})
        call.query.pop("$count", None)
        if "$filter" in call.query:
            predicate = parse_filter(call.query["$filter"], _TEXTS, None, _TIMES)
            found = [each for each in found if predicate(lambda name, it=each: _value(it, name))]  # type: ignore[misc]
        found = odata.order(found, call, _TEXTS | _TIMES, lambda each, name: render(each)[name])
        return Answer(200, odata.page(call, found, render, self._context(call)))

    def get(self, call: Call) -> Answer:
        """One task; not by the alias of its list (7.3)."""
        mailbox = open_mailbox(self._world, call, write=False)
        odata.check_options(call, frozenset({"$expand"}))
        return self._answer(call, 200, find_task(mailbox, call, alias=False))

    def create(self, call: Call) -> Answer:
        """201, for a while also in a list that was deleted (2.6): such a task is nowhere to be read."""
        mailbox = open_mailbox(self._world, call, write=True)
        late = self._world.quirks.todo_late_posts
        task_list = find_list(mailbox, call.params["list"], deleted=late)
        if task_list is mailbox.todo.flagged:
            raise invalid("Tasks cannot be created in the list of flagged emails.")  # 7.3: memory
        return self._answer(call, 201, todo_writing.create(self._world, mailbox.todo, task_list, call.json()))

    def patch(self, call: Call) -> Answer:
        """Only what is sent changes; stale If-Match = 412. The answer is this task, also when another one took what was sent."""
        mailbox = open_mailbox(self._world, call, write=True)
        task = find_task(mailbox, call)
        check_match(call, task)
        todo_writing.patch(self._world, mailbox.todo, task, call.json())
        return self._answer(call, 200, task)

    def delete(self, call: Call) -> Answer:
        """204 whatever If-Match says; final (5.1, 7.3)."""
        mailbox = open_mailbox(self._world, call, write=True)
        task = find_task(mailbox, call)
        check_match(call)
        mailbox.todo.delete(task)
        return Answer(204)

    def delta(self, call: Call) -> Answer:
        """Whole objects or @removed; of a deleted list 200 with nothing (2.6)."""
        mailbox = open_mailbox(self._world, call, write=False)
        odata.check_options(call, DELTA_OPTIONS)
        task_list = find_list(mailbox, call.params["list"], deleted=True)
        source = Source(
            mailbox,
            f"tasks:{task_list.id}",
            _KIND,
            lambda: self._everything(task_list),
            lambda seq: [] if task_list.deleted else task_list.changed_since(seq),
            lambda entry: _told(task_list, entry),
            refused=(),
            page=DELTA_PAGE,
        )
        return self._deltas.answer(call, source, None)

    def _everything(self, task_list: TaskList) -> list[Entry]:
        if task_list.deleted:
            return []
        live = [Entry(0, each) for each in task_list.tasks]
        if not self._world.quirks.delta_initial_removals:
            return live
        return [each for each in task_list.changed_since(0) if each.task_id not in task_list.tasks][-3:] + live


def _told(task_list: TaskList, entry: Entry) -> list[Json]:
    if task_list.deleted:
        return []
    task = task_list.tasks.get(entry.task_id)
    return [render(task) if task else {"@removed": {"reason": "deleted"}, "id": entry.task_id}]


def _value(task: Task, name: str) -> Any:
    value = render(task)[name]
    return datetime.fromisoformat(value.replace("Z", "+00:00")) if name in _TIMES else value
