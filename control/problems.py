"""Refusals and failures as problem documents (RFC 9457): what happened, why, what to do, and an id for support - never an exception's text."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from control.failures import report
from control.texts import expectation, sentence
from sync.commands import NotFound, NotNow
from sync.connecting import NoOwnUser
from sync.errors import Cause, ConfigMistake, Fenced, ReconnectNeeded, RetryLater, SkipItem, StopConnector, StopMailbox
from sync.store.base import BadKey, LimitExceeded, Stale, StoreUnreachable

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """`code`: key of the sentence in `title`. More members say which field, which state, which id, as the code needs."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    code: str


def problem(code: str, lang: str, status: int, **data: str) -> Problem:
    return Problem(
        type=f"urn:connector:problem:{code}", title=sentence("error", code, lang), status=status, code=code, **data
    )


def problem_of(error: Exception, what: str, lang: str, new_id: Callable[[], str]) -> Problem:
    """What an exception means to the caller. What nobody expected, and what a server did, gets an id for support."""
    match error:
        case NoOwnUser():
            return problem("no_own_user", lang, 404)
        case NotFound() | BadKey():
            return problem("not_found", lang, 404)
        case NotNow():
            return problem(error.code, lang, 409, **error.data)
        case Stale():
            return problem("changed_meanwhile", lang, 412)
        case Fenced():  # Kill, or another command, came in between
            return problem("changed_meanwhile", lang, 412)
        case LimitExceeded():
            return problem("bad_value", lang, 400, field="body", reason=expectation("too_much", lang))
        case ConfigMistake():
            return problem(
                "bad_value", lang, 400, field=error.field, reason=expectation(error.expected, lang, error.values)
            )
    id_ = new_id()
    report(error, id_, what)
    match error:
        case ReconnectNeeded():
            return problem("unreachable", lang, 503, id=id_, **because("reconnect", lang))
        case SkipItem():
            return problem("unreachable", lang, 503, id=id_, **because(Cause.GRAPH_REFUSED, lang))
        case RetryLater() | StopConnector() | StopMailbox():
            return problem("unreachable", lang, 503, id=id_, **because(error.cause, lang))
        case StoreUnreachable():
            return problem("unreachable", lang, 503, id=id_, **because(Cause.STORAGE_UNREACHABLE, lang))
    return problem("internal", lang, 500, id=id_)


def because(cause: str, lang: str) -> dict[str, str]:
    """A cause and its sentence, for a problem document."""
    return {"cause": str(cause), "why": sentence("cause", str(cause), lang)}
