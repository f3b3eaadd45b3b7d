"""The routes of To Do lists, and how a list or a mailbox's To Do is reached (BEHAVIOUR 1.1, 2.6, 5.1, 7.3).

`GET /todo/lists` is not to be trusted (switch `todo_lists`); `lists/delta` tells of all of them.
"""

from __future__ import annotations

import re

from emulators.graph import odata
from emulators.graph.delta import DeltaService, Source
from emulators.graph.errors import GraphError, conflict, item_not_found, malformed_id
from emulators.graph.filters import parse_filter
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import FOLDER_ID, Mailbox
from emulators.graph.todo import Task, TaskList
from emulators.graph.todo_body import invalid, known
from emulators.graph.world import World

DELTA_PAGE = 50  # 2.6, measured
DELTA_OPTIONS = frozenset({"$expand", "$skiptoken", "$deltatoken"})  # 2.6: $expand is accepted and does nothing
_KIND = "microsoft.graph.todoTaskList"
_NAMES = {  # the localised names (7.3; the words: memory)
    "it": {"defaultList": "Attività", "flaggedEmails": "Posta elettronica contrassegnata"},
    "en": {"defaultList": "Tasks", "flaggedEmails": "Flagged Emails"},
}
_ETAG = re.compile(r'W/"[A-Za-z0-9+/=]+"')


def open_mailbox(world: World, call: Call, *, write: bool) -> Mailbox:
    """The mailbox of `call`. 401 UnknownError for an app without any Tasks role (1.1, measured), 403 for one that may only
    read, or a delegated token without the scope."""
    if call.caller.user is None:
        roles = ("Tasks.ReadWrite.All",) if write else ("Tasks.Read.All", "Tasks.ReadWrite.All")
        if not call.caller.may("Tasks.Read.All", "Tasks.ReadWrite.All"):
            raise GraphError(401, "UnknownError", "")
    else:
        roles = ("Tasks.ReadWrite",) if write else ("Tasks.Read", "Tasks.ReadWrite")
    return world.mailbox(call, *roles)


def find_list(mailbox: Mailbox, ref: str, *, deleted: bool = False) -> TaskList:
    """A list by id, or the default one as `Tasks` (7.3). 400 malformed; 404 unknown, or deleted unless `deleted`."""
    if ref.lower() == "tasks":
        return mailbox.todo.default
    if not FOLDER_ID.fullmatch(ref):
        raise malformed_id()
    found = mailbox.todo.lists.get(ref)
    if found is None or (found.deleted and not deleted):
        raise item_not_found()
    return found


def check_match(call: Call, task: Task | None = None) -> None:
    """500 for an If-Match that is malformed or `*`, 412 for one that is stale against `task`; no task = ignored (5.1)."""
    expected = call.headers.get("if-match")
    if expected is None:
        return
    if not _ETAG.fullmatch(expected):
        raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred.")  # code: memory
    if task is not None and expected != task.etag:
        raise conflict()


def list_name(world: World, task_list: TaskList) -> str:
    """What the list is called, a built-in one in the language of the mailbox."""
    return _NAMES[world.quirks.todo_language].get(task_list.wellknown, task_list.name)


def render_list(world: World, task_list: TaskList) -> Json:
    """A list."""
    return {
        "@odata.etag": task_list.etag,
        "id": task_list.id,
        "displayName": list_name(world, task_list),
        "isOwner": True,
        "isShared": False,
        "wellknownListName": task_list.wellknown,
    }


def routes(router: Router, world: World, deltas: DeltaService) -> None:
    """Add the routes of To Do lists."""
    lists = _Lists(world, deltas)
    base = "users/{user}/todo/lists"
    router.add("GET", f"{base}/delta", lists.delta)
    router.add("GET", base, lists.listing)
    router.add("POST", base, lists.create)
    router.add("GET", f"{base}/{{list}}", lists.get)
    router.add("PATCH", f"{base}/{{list}}", lists.patch)
    router.add("DELETE", f"{base}/{{list}}", lists.delete)


class _Lists:
    def __init__(self, world: World, deltas: DeltaService) -> None:
        self._world = world
        self._deltas = deltas

    def _answer(self, call: Call, status: int, task_list: TaskList) -> Answer:
        context = f"{call.base}/$metadata#users('{call.params['user']}')/todo/lists/$entity"
        return Answer(status, {"@odata.context": context, **render_list(self._world, task_list)})

    def _name(self, call: Call) -> str:
        names = ("displayName", "isOwner", "isShared", "wellknownListName")
        name = known(call.json(), names, "todoTaskList").get("displayName")
        if not isinstance(name, str) or not name.strip():
            raise invalid("The property 'displayName' is required in the request.")
        return name

    def listing(self, call: Call) -> Answer:
        """A page of lists: all of them, or Flagged Emails alone (2.6)."""
        mailbox = open_mailbox(self._world, call, write=False)
        odata.check_options(call, odata.LISTING - {"$select"})
        call.query.pop("$count", None)  # 7.3: ignored
        found = mailbox.todo.live_lists()
        if self._world.quirks.todo_lists == "flagged_only":
            found = [mailbox.todo.flagged]
        if "$filter" in call.query:
            predicate = parse_filter(call.query["$filter"], frozenset({"displayName", "wellknownListName"}))
            found = [each for each in found if predicate(render_list(self._world, each).get)]
        names = frozenset({"displayName"})
        found = odata.order(found, call, names, lambda each, _: list_name(self._world, each))
        context = f"users('{call.params['user']}')/todo/lists"
        return Answer(200, odata.page(call, found, lambda each: render_list(self._world, each), context))

    def get(self, call: Call) -> Answer:
        """One list; 404 once it was deleted (2.6)."""
        mailbox = open_mailbox(self._world, call, write=False)
        odata.check_options(call, frozenset({"$expand"}))
        return self._answer(call, 200, find_list(mailbox, call.params["list"]))

    def create(self, call: Call) -> Answer:
        """201."""
        mailbox = open_mailbox(self._world, call, write=True)
        return self._answer(call, 201, mailbox.todo.add_list(self._name(call)))

    def _own(self, call: Call) -> tuple[Mailbox, TaskList]:
        """A list that a person made; the built-in ones stay as they are (7.3; code and sentence: memory)."""
        mailbox = open_mailbox(self._world, call, write=True)
        check_match(call)
        found = find_list(mailbox, call.params["list"])
        if found.wellknown != "none":
            raise invalid("The built-in lists cannot be renamed or deleted.")
        return mailbox, found

    def patch(self, call: Call) -> Answer:
        """A new name, whatever If-Match says (5.1)."""
        mailbox, found = self._own(call)
        mailbox.todo.rename_list(found, self._name(call))
        return self._answer(call, 200, found)

    def delete(self, call: Call) -> Answer:
        """204; the tasks go with it."""
        mailbox, found = self._own(call)
        mailbox.todo.delete_list(found)
        return Answer(204)

    def delta(self, call: Call) -> Answer:
        """All lists, built-in ones included; bare only (2.6)."""
        mailbox = open_mailbox(self._world, call, write=False)
        odata.check_options(call, DELTA_OPTIONS)

        def everything() -> list[TaskList]:
            gone = [each for each in mailbox.todo.lists.values() if each.deleted]
            told = gone[-3:] if self._world.quirks.delta_initial_removals else []
            return told + mailbox.todo.live_lists()

        def render(task_list: TaskList) -> list[Json]:
            if task_list.deleted:
                return [{"@removed": {"reason": "deleted"}, "id": task_list.id}]
            return [render_list(self._world, task_list)]

        def changes(seq: int) -> list[TaskList]:
            return mailbox.todo.lists_since(seq)

        source = Source(mailbox, "todo:lists", _KIND, everything, changes, render, (), DELTA_PAGE)
        return self._deltas.answer(call, source, None)
