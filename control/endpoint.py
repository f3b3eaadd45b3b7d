"""What an endpoint of the control API is: data, from which the HTTP functions, their guards and the OpenAPI document are all made.

The recipe: in a module of `control/endpoints/` write the models of bodies and answers (pydantic), one short `async def` per endpoint that calls
one command and shows its answer, and a tuple `ENDPOINTS`; name the module in `control/api.py`, the routes in docs/control-api.md, new sentences in
texts.json. Guards, parsing, problems, audit and the OpenAPI document follow by themselves (control/http.py, control/openapi.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from control.auth import Person
from sync.settings import Model, mistake_of

if TYPE_CHECKING:
    from control.app import App

_M = TypeVar("_M", bound=BaseModel)
_T = TypeVar("_T")
MAX_PAGE = 500


class Guard(StrEnum):
    """Who may call. There is no third: every endpoint has one of these."""

    ADMIN = "admin"
    PERSON = "person"  # anybody of the tenant who is signed in: the handler shows them nothing but their own


class Shown(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Mend(Shown):
    """The one command that helps; `none` when there is nothing to do."""

    command: str
    label: str


class Nothing(Model):
    """A body without content."""


class Paging(Model):
    """A page of a list: at most `limit` of them, after the place that the page before named as `next`."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 100
    after: Annotated[str, Field(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")] = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A request of somebody who may make it. `match`: If-Match of an endpoint that needs one."""

    app: App
    person: Person
    lang: str
    id: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    match: str = ""

    @property
    def by(self) -> str:
        """Who it is, as it is kept beside what was done: an object id, or `token`."""
        return self.person.oid

    def read(self, model: type[_M]) -> _M:
        """The body as a model. Raises ConfigMistake with the first field that is wrong."""
        try:
            return model.model_validate(dict(self.body), strict=True)
        except ValidationError as error:
            raise mistake_of(error) from None

    def asked(self, model: type[_M]) -> _M:
        """The query as a model. Raises ConfigMistake."""
        try:
            return model.model_validate(dict(self.params))
        except ValidationError as error:
            raise mistake_of(error) from None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with more than a body. `etag`: the version of what is shown."""

    body: BaseModel
    status: int = 200
    etag: str = ""


Handler = Callable[[Call], Awaitable[BaseModel | Reply]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation. `body`, `query`, `answer`: the models of what goes in and out, `also`: other statuses that come with a model of their own.

    `versioned`: the caller must say by If-Match which version is changed. `noted`: its calls go to the audit even though it changes nothing.
    `missing`: 404 although its route names nothing.
    """

    name: str
    method: str
    route: str
    handler: Handler
    summary: str
    answer: type[BaseModel]
    status: int = 200
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    guard: Guard = Guard.ADMIN
    also: Mapping[int, type[BaseModel]] = field(default_factory=dict)
    versioned: bool = False
    noted: bool = False
    missing: bool = False

    @property
    def changes(self) -> bool:
        return self.method != "GET"


def page(found: Sequence[_T], key: Callable[[_T], str], paging: Paging) -> tuple[list[_T], str]:
    """A page of a list that is there as a whole, in the order of `key`; and where the next one begins, '' = that was all."""
    later = [each for each in sorted(found, key=key) if key(each) > paging.after]
    shown = later[: paging.limit]
    return shown, key(shown[-1]) if len(later) > len(shown) else ""


def first_of(found: Sequence[_T], key: Callable[[_T], str], limit: int) -> tuple[Sequence[_T], str]:
    """A page of what was read from its place on, one more than fits; and where the next one begins, '' = that was all."""
    shown = found[:limit]
    return shown, key(shown[-1]) if len(found) > limit else ""
