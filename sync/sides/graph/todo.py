"""One mailbox's To Do on Graph: the `Mailbox` protocol for the tasks of a user's own lists.

Lists are told by `lists/delta` (a plain listing leaves some out), tasks by each list's delta, both without any query option, which To Do
refuses (BEHAVIOUR 2.6). A list that went is a claim on all its tasks, which its own delta would never make. New tasks go to the default list.
Ids are the ordinary ones: To Do knows no immutable ids.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from urllib.parse import quote
from zoneinfo import ZoneInfo

from sync.errors import Cause, Failure, RetryLater, StopMailbox
from sync.model import Gone, Item, Present, Proof, Value
from sync.sides.base import CursorLost, Done, NaturalKey, New, Page, Refused, Remove, Result, Revise, Unclear, Write
from sync.sides.graph.answers import Answer, may_have_happened
from sync.sides.graph.batch import Part
from sync.sides.graph.client import ORDINARY, GraphConnection
from sync.sides.graph.delta import PAGE, DeltaPage, delta_pages
from sync.sides.graph.folders import expect
from sync.sides.graph.looks import Seen, before_delete, presents
from sync.sides.graph.requests import MailboxRequests
from sync.sides.graph.todo_lists import Lists, read_lists
from sync.sides.graph.todo_tasks import is_whole, item_of, task_id, task_of

PREFER = (f"odata.maxpagesize={PAGE}",)
ELSEWHERE = frozenset({"invalidrequest", "errorinvalididmalformed"})
"""How a task that is not in its list (any more) is refused, with 400 (BEHAVIOUR 7.3, 9)."""


async def open_todo(connection: GraphConnection, user_id: str, *, zone: ZoneInfo) -> GraphTodo:
    """The To Do of a user (object id). `zone`: in which days begin."""
    return GraphTodo(connection, user_id, zone=zone)


class GraphTodo:
    """A `sides.base.Mailbox`. Open it with `open_todo`."""

    folder_id = ""
    """Nothing to choose: all lists of the user's own are followed."""

    def __init__(self, connection: GraphConnection, user_id: str, *, zone: ZoneInfo) -> None:
        self.id = user_id
        self._connection, self._zone = connection, zone
        self._requests = MailboxRequests(connection, user_id, ORDINARY)
        self._default_list = ""

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        """See `Mailbox.changes`. Items carry their stamp. `gone` holds ids of tasks, and of lists that went; `whole` lists told from scratch."""
        lists = read_lists(cursor) if cursor else Lists()
        ended = await self._follow_lists(lists)
        for list_id in list(lists.tasks):
            try:
                async for page in self._tasks(list_id, lists):
                    yield page
            except StopMailbox as stop:  # the list was deleted meanwhile: 404 instead of an empty delta
                if stop.cause is not Cause.FOLDER_DELETED or list_id == lists.default:
                    raise
                del lists.tasks[list_id]
                ended.append(list_id)
        yield Page([], ended, lists.text(), last=True)

    def afresh(self, cursor: str) -> str | None:
        """See `Mailbox.afresh`: there is no history apart."""
        return None

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        """See `Mailbox.stamped`: delta shows linked resources inline."""
        lists = Lists()
        await self._follow_lists(lists)
        for list_id in lists.tasks:
            async for page in self._delta(list_id, ""):
                yield [self._item(each, list_id) for each in page.changed.values() if is_whole(each)]

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        """See `Mailbox.get`."""
        return presents(await self._look(ids))

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        """See `Mailbox.colour`: nothing to do here."""
        return None

    async def knows(self, people: Sequence[NaturalKey]) -> list[bool]:
        """See `Mailbox.knows`: there are no cards here."""
        return [False for _ in people]

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        """See `Mailbox.apply`. Raises only when nothing was written; a later obstacle refuses the rest."""
        results: dict[int, Result] = {}
        parts: dict[int, Part] = {}
        doomed = await self._look([write.expected.id for write in writes if isinstance(write, Remove)])
        default = await self._default() if any(isinstance(write, New) for write in writes) else ""
        for index, write in enumerate(writes):
            settled = before_delete(write, doomed, "todo.delete") if isinstance(write, Remove) else None
            if settled is None:
                parts[index] = self._part(write, default)
            else:
                results[index] = settled
        answers = await self._requests.run(list(parts.values()), where="todo.write")
        for index, answer in zip(parts, answers, strict=True):
            results[index] = self._result(writes[index], answer, default)
        return [results[index] for index in range(len(writes))]

    # lists ---------------------------------------------------------------------------------------------------------

    async def _follow_lists(self, lists: Lists) -> list[str]:
        """Bring `lists` up to date; the ids of those that went. One that a listing from scratch does not show is such a claim too."""
        ended: list[str] = []
        if lists.link:
            try:
                await self._lists_round(lists, ended)
            except CursorLost:
                lists.link = ""
        if not lists.link:
            known = Lists(tasks=dict(lists.tasks))
            lists.tasks.clear()
            await self._lists_round(lists, ended)
            lists.tasks.update({list_id: known.tasks.get(list_id, "") for list_id in lists.tasks})
            ended += [list_id for list_id in known.tasks if list_id not in lists.tasks]
        self._default_list = lists.default
        return ended

    async def _lists_round(self, lists: Lists, ended: list[str]) -> None:
        first = self._requests.path("todo/lists/delta")
        async for page in self._pages(first, lists.link, "todoTaskList", "todo.lists"):
            for entry in page.changed.values():
                ended += [left] if (left := lists.take(entry)) else []
            ended += [list_id for list_id in page.gone if lists.tasks.pop(list_id, None) is not None]
            lists.link = page.link or lists.link

    async def _default(self) -> str:
        if not self._default_list:
            await self._follow_lists(Lists())
        if not self._default_list:
            raise RetryLater(Cause.GRAPH_UNREACHABLE)  # every To Do has one: a broken answer
        return self._default_list

    # tasks ---------------------------------------------------------------------------------------------------------

    async def _tasks(self, list_id: str, lists: Lists) -> AsyncIterator[Page]:
        """The changes of one list, all of it when its link is lost."""
        if link := lists.tasks[list_id]:
            try:
                async for part in self._delta(list_id, link):
                    lists.tasks[list_id] = part.link or link
                    yield await self._page(list_id, part)
                return
            except CursorLost:
                pass
        async for part in self._delta(list_id, ""):
            lists.tasks[list_id] = part.link
            yield await self._page(list_id, part, whole=bool(part.link))

    async def _page(self, list_id: str, part: DeltaPage, *, whole: bool = False) -> Page:
        items = [self._item(each, list_id) for each in part.changed.values() if is_whole(each)]
        pieces = [task_id(list_id, key) for key, each in part.changed.items() if not is_whole(each)]
        read = await self.get(pieces) if pieces else {}
        items += [each for each in read.values() if isinstance(each, Item)]
        # a piece that cannot be read as a task now is a claim like a removal: `get` settles it
        unsettled = [key for key, each in read.items() if not isinstance(each, Item)]
        gone = [task_id(list_id, key) for key in part.gone]
        return Page(items, [*gone, *unsettled], "", last=False, whole=[list_id] if whole else ())

    def _delta(self, list_id: str, link: str) -> AsyncIterator[DeltaPage]:
        first = self._requests.path(f"todo/lists/{quote(list_id, safe='')}/tasks/delta")
        return self._pages(first, link, "todoTask", "todo.delta")

    def _pages(self, first: str, link: str, entity: str, where: str) -> AsyncIterator[DeltaPage]:
        return delta_pages(
            self._connection, self.id, first, link or None, entity=entity, where=where, prefer=PREFER, ids=ORDINARY
        )

    def _item(self, task: Mapping[str, object], list_id: str, stamp: str | None = None) -> Item:
        return item_of(task, list_id, self.id, self._zone, stamp)

    async def _look(self, ids: Sequence[str]) -> dict[str, Seen]:
        """What each id is now. That it is not there counts when it repeats while the default list answers."""
        found = await self._read(list(dict.fromkeys(ids)))
        absent = [key for key, each in found.items() if _absent(each)]
        if absent:
            default = self._requests.path(f"todo/lists/{quote(await self._default(), safe='')}")
            expect(await self._connection.read(default, where="todo.list", mailbox=self.id, ids=ORDINARY))
            found.update(await self._read(absent))
        return {key: self._present(key, each) for key, each in found.items()}

    async def _read(self, ids: Sequence[str]) -> dict[str, Answer | Failure]:
        answers = await self._requests.fetch([self._path(key) for key in ids], where="todo.get")
        return dict(zip(ids, answers, strict=True))

    def _present(self, key: str, answer: Answer | Failure) -> Item | Gone | Failure:
        if isinstance(answer, Failure):
            return Gone(key, Proof.NOT_FOUND) if _absent(answer) else answer
        return self._item(answer.body, key.partition("|")[0])

    # writing -------------------------------------------------------------------------------------------------------

    def _part(self, write: Write, default: str) -> Part:
        match write:
            case New(fields=fields, stamp=stamp):
                url = self._requests.path(f"todo/lists/{quote(default, safe='')}/tasks")
                return Part("POST", url, task_of(fields, self._zone, stamp))
            case Revise(expected=item, fields=fields):
                body = task_of(_with_due(fields, item), self._zone)
                return Part("PATCH", self._path(item.id), body, if_match=item.version)
            case Remove(expected=item):
                return Part("DELETE", self._path(item.id))

    def _result(self, write: Write, answer: Answer | Failure, default: str) -> Result:
        if isinstance(answer, Failure):
            if isinstance(write, Remove) and _absent(answer):
                return Done(None)
            return Unclear(answer) if may_have_happened(answer) else Refused(answer)
        if isinstance(write, Remove):
            return Done(None)
        if "id" not in answer.body:
            return Unclear(Failure(status=0, code="EmptyAnswer", where="todo.write"))
        if isinstance(write, New):
            return Done(self._item(answer.body, default, write.stamp))
        return Done(self._item(answer.body, write.expected.id.partition("|")[0], write.expected.stamp))

    def _path(self, item_id: str) -> str:
        list_id, _, task = item_id.partition("|")
        return self._requests.path(f"todo/lists/{quote(list_id, safe='')}/tasks/{quote(task, safe='')}")


def _with_due(fields: Mapping[str, Value], item: Item) -> Mapping[str, Value]:
    """A start alone would set the due date too (BEHAVIOUR 7.3), so the present one goes along."""
    due = item.fields.get("due", "")
    return {**fields, "due": due} if "start" in fields and "due" not in fields and due else fields


def _absent(answer: Answer | Failure) -> bool:
    """Is the task not in its list, or the list not there?"""
    if isinstance(answer, Answer):
        return False
    return answer.status in {404, 410} or (answer.status == 400 and answer.code.lower() in ELSEWHERE)
