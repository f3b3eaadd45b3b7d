"""What a page is: data, from which the HTTP functions are made; and what a page's handler works with.

The recipe: in a module of this package write `async def` handlers that ask endpoints and return a `View` (a template of `templates/` and its
data) or a `Goto`, and a tuple `PAGES`; name the module in `site.py`. Texts of templates come from `texts/<topic>.json` by `t(key)`, key being
`topic.name`. A POST comes from a form with `{{ form() }}` in it. It ends in a `Goto` when it changes something, in a `View` when it
only looks; refused, its `back` is shown again with `visit.problem`.
What updates by itself is an element with an id and `data-live` (seconds), in a block `live_*` of a template that extends `layout`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from control.api import ENDPOINTS
from control.auth import Person
from control.endpoint import Call, Endpoint, Guard, Reply
from control.http import barrier, carried_out

if TYPE_CHECKING:
    from control.app import App

HOME, OWN = "/api/panel", "/api/my"
_M = TypeVar("_M", bound=BaseModel)
_BY_NAME: Mapping[str, Endpoint] = {each.name: each for each in ENDPOINTS}


class Refused(Exception):
    """An endpoint refused. `body`: its problem document, or an answer shaped like one."""

    def __init__(self, body: BaseModel, status: int) -> None:
        super().__init__(str(getattr(body, "code", status)))
        self.body, self.status = body, status

    @property
    def code(self) -> str:
        return str(getattr(self.body, "code", ""))


class BegunElsewhere(Exception):
    """A link of another site leads to what is noted in the audit: a person presses a button of ours first."""


@dataclass(frozen=True, slots=True)
class View:
    """A page to show: a template and what it speaks of."""

    template: str
    data: Mapping[str, object] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Goto:
    """Go on to another page. `said`: what it says on top, once: a key `topic.key` whose text is `topic.said_key`; `number`: for that text."""

    path: str
    said: str = ""
    number: int | None = None

    @property
    def told(self) -> str:
        """What the other page reads of it (`Look.said`)."""
        return f"{self.said}~{self.number or 0}" if self.said else ""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who may make it. `live`: for what updates by itself only.

    `problem`: why the form that was sent was refused, when its page is shown again. `ours`: it began on a page of ours, or by an address that the
    person entered.
    """

    app: App
    person: Person
    lang: str
    new_id: Callable[[], str]
    ours: bool
    id: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problem: Refused | None = None
    live: bool = False

    async def reply(
        self,
        name: str,
        id_: str = "",
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        match: str = "",
    ) -> Reply:
        """The answer of an endpoint. Raises Refused, or BegunElsewhere."""
        endpoint = _BY_NAME[name]
        if endpoint.noted and not self.ours:
            raise BegunElsewhere
        barred = barrier(endpoint, self.person, match, self.lang)
        if barred is not None:
            raise Refused(barred, barred.status)
        call = Call(self.app, self.person, self.lang, id_, body or {}, params or {}, match)
        reply = await carried_out(endpoint, call, self.new_id)
        if reply.status >= 400:
            raise Refused(reply.body, reply.status)
        return reply

    async def ask(
        self,
        name: str,
        model: type[_M],
        id_: str = "",
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
        match: str = "",
    ) -> _M:
        """The body of an endpoint's answer. Raises Refused."""
        found = (await self.reply(name, id_, body, params, match)).body
        if not isinstance(found, model):
            raise TypeError(f"{name} answers {type(found).__name__}, not {model.__name__}")
        return found

    def paged(self, limit: int = 25) -> dict[str, str]:
        """The query with a page's size that a person can look over, unless another one is asked for."""
        return {"limit": str(limit), **self.params}

    def text(self, name: str) -> str:
        """A field of the form, without the blanks around it; '' when it did not come."""
        return next(iter(self.form.get(name, ())), "").strip()

    def all(self, name: str) -> list[str]:
        """All fields of that name, in their order."""
        return [value.strip() for value in self.form.get(name, ())]

    def ticked(self, name: str) -> bool:
        return name in self.form

    @property
    def overtaken(self) -> bool:
        """Was the form refused because somebody else saved meanwhile?"""
        return self.problem is not None and self.problem.code == "changed_meanwhile"

    def refused(self, by: Refused) -> Visit:
        """The same visit, to show the page again."""
        return replace(self, problem=by)


Handler = Callable[[Visit], Awaitable[View | Goto]]


@dataclass(frozen=True, slots=True)
class Page:
    """One page, or what a form of it does (`method` POST). `back`: of a POST, the handler that shows the page again when it was refused.

    `topic`: which entry of the menu it belongs to; `home`: where that page is, when the form's own address shows nothing.
    """

    name: str
    method: str
    route: str
    handler: Handler
    topic: str = ""
    guard: Guard = Guard.ADMIN
    back: Handler | None = None
    home: str = ""


def url(path: str, /, **params: str) -> str:
    """A path with a query; empty parameters are left out."""
    kept = {name: value for name, value in params.items() if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def at(path: str, id_: str) -> str:
    """The path of one thing."""
    return f"{path}/{quote(id_, safe='')}"
