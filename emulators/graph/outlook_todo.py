"""What a person does in To Do: create, edit, complete, reopen, delete and move tasks; make, rename and delete lists.

For tests, simulator and demo. Lists are named by id, name or `tasks` (the default one), tasks by their present id; `fields` are
written as for Graph. A ValueError says what is not there or is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from emulators.graph import todo_body, todo_lists, todo_writing
from emulators.graph.errors import GraphError
from emulators.graph.http import Json
from emulators.graph.todo import Task, TaskList, Todo
from emulators.graph.world import World


@contextmanager
def _spoken() -> Iterator[None]:
    """The service's refusals as sentences."""
    try:
        yield
    except GraphError as error:
        raise ValueError(f"{error.code}: {error.message}") from error


class TodoHands:
    """Acts on To Do directly: no token, no throttling, no request counted."""

    _world: World

    def _todo(self, user: str) -> Todo:
        with _spoken():
            return self._world.user(user).mailbox.todo

    def _task_list(self, todo: Todo, ref: str) -> TaskList:
        if ref in ("", "tasks"):
            return todo.default
        for each in todo.live_lists():
            if ref == each.id or ref.casefold() == todo_lists.list_name(self._world, each).casefold():
                return each
        raise ValueError(f"no list {ref!r}")

    def _own_list(self, user: str, ref: str) -> tuple[Todo, TaskList]:
        todo = self._todo(user)
        found = self._task_list(todo, ref)
        if found.wellknown != "none":
            raise ValueError(f"{ref!r} is a built-in list")
        return todo, found

    def _task(self, user: str, ref: str) -> tuple[Todo, Task]:
        todo = self._todo(user)
        task = todo.find(ref)
        if task is None:
            raise ValueError(f"no task {ref!r}")
        return todo, task

    def create_task(self, user: str, fields: Json, task_list: str = "tasks") -> str:
        """A new task, in Flagged Emails too (a mail was flagged); returns its id."""
        todo = self._todo(user)
        with _spoken():
            return todo_writing.create(self._world, todo, self._task_list(todo, task_list), fields).id

    def edit_task(self, user: str, task: str, fields: Json) -> None:
        """Change some properties, as PATCH would."""
        todo, found = self._task(user, task)
        with _spoken():
            todo_writing.patch(self._world, todo, found, fields)

    def complete_task(self, user: str, task: str) -> str:
        """Tick it off. Returns the id of the completed task: another one if it was recurring, `task` goes on with the next date."""
        todo, found = self._task(user, task)
        return todo_writing.patch(self._world, todo, found, {"status": "completed"}).id

    def reopen_task(self, user: str, task: str) -> None:
        """Not done after all."""
        self.edit_task(user, task, {"status": "notStarted"})

    def delete_task(self, user: str, task: str) -> None:
        """For good."""
        todo, found = self._task(user, task)
        todo.delete(found)

    def move_task(self, user: str, task: str, task_list: str = "tasks") -> str:
        """Into another list; returns its new id."""
        todo, found = self._task(user, task)
        todo.move(found, self._task_list(todo, task_list), self._world.now())
        return found.id

    def show_task(self, user: str, task: str) -> Json:
        """One task whole, as Graph shows it."""
        return todo_body.render(self._task(user, task)[1])

    def create_task_list(self, user: str, name: str) -> str:
        """A new list; returns its id."""
        return self._todo(user).add_list(name).id

    def rename_task_list(self, user: str, task_list: str, name: str) -> None:
        """The id stays."""
        todo, found = self._own_list(user, task_list)
        todo.rename_list(found, name)

    def delete_task_list(self, user: str, task_list: str) -> None:
        """The list and its tasks; the built-in ones cannot go."""
        todo, found = self._own_list(user, task_list)
        todo.delete_list(found)

    def _task_lists(self, user: str) -> list[Json]:
        """Every list with its tasks whole."""
        return [
            {**todo_lists.render_list(self._world, each), "tasks": [todo_body.render(it) for it in each.tasks.values()]}
            for each in self._todo(user).live_lists()
        ]
