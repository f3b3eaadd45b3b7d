"""Endpoints as HTTP functions: who calls, what came along, what goes back. Decides nothing else.

Whatever changes something must come as application/json, which a foreign page cannot send without being asked first; it is noted in
the audit, with how it ended. No answer and no log line carries the text of an exception.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import azure.functions as func

from control.auth import Denied, Person
from control.callers import caller
from control.endpoint import Call, Endpoint, Guard, Reply
from control.environment import Environment
from control.problems import MEDIA_TYPE, Problem, because, problem, problem_of
from control.texts import expectation, language
from sync.commands import NotFound
from sync.store.base import LimitExceeded, check_key
from sync.store.schema import misfit

if TYPE_CHECKING:
    from control.app import App

MAX_BODY = 512 * 1024
"""Bytes: an allow-list of ten thousand ids has four fifths of it."""
ALWAYS = "control_kill"
_GUID = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_JOURNAL = r"(?:\|[a-z]+\|j\|[0-9A-Za-z:+.|-]+)?"
ID = re.compile(rf"\d+x\d+|{_GUID}{_JOURNAL}|[A-Za-z0-9_-]{{22}}|contact|company|event|task")
"""What ids of ours and of the servers look like: users, mailboxes, holds, mappings, rows of the journal."""
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def blueprint(
    endpoints: Sequence[Endpoint], environment: Environment, app: Callable[[], App], new_id: Callable[[], str]
) -> func.Blueprint:
    """The HTTP functions. `app` gives the one that is built at the first call; `new_id` makes ids for support."""
    functions = func.Blueprint()  # type: ignore[no-untyped-call]
    for endpoint in endpoints:
        function = _function(endpoint, environment, app, new_id)
        routed = functions.route(route=endpoint.route, methods=[endpoint.method], auth_level=func.AuthLevel.ANONYMOUS)(
            function
        )
        functions.function_name(endpoint.name)(routed)
    return functions


def _function(
    endpoint: Endpoint, environment: Environment, app: Callable[[], App], new_id: Callable[[], str]
) -> Function:
    async def function(req: func.HttpRequest) -> func.HttpResponse:
        lang = language(req.params.get("lang", ""), req.headers.get("accept-language", ""))
        try:
            headers = {key.lower(): value for key, value in req.headers.items()}
            person = await caller(headers, environment, lambda: app().connector.settings)
            if isinstance(person, Denied):
                return _refused(problem(person.code, lang, person.status))
            match = headers.get("if-match", "").strip()
            barred = barrier(endpoint, person, match, lang)
            if barred is not None:
                return _refused(barred)
            call = _call(endpoint, req, person, app, lang, match)
            if isinstance(call, Problem):
                return _refused(call)
            return _respond(await carried_out(endpoint, call, new_id))
        except Exception as error:
            return _refused(problem_of(error, endpoint.name, lang, new_id))

    function.__name__ = endpoint.name
    return function


def barrier(endpoint: Endpoint, person: Person, match: str, lang: str) -> Problem | None:
    """What keeps this person from the endpoint: its guard, or that nobody said which version is meant (`match`)."""
    if endpoint.guard is Guard.ADMIN and not person.admin:
        return problem("not_admin", lang, 403)
    if endpoint.versioned and not match:
        return problem("if_match_needed", lang, 428)
    return None


def _call(
    endpoint: Endpoint, req: func.HttpRequest, person: Person, app: Callable[[], App], lang: str, match: str
) -> Call | Problem:
    """The request as data, or what is wrong with it. Raises NotFound for an id that no row of the store can have."""
    body = _body(req) if endpoint.changes else {}
    if isinstance(body, str):
        return problem(body, lang, 415 if body == "json_needed" else 400)
    params = {name: value for name, value in req.params.items() if name != "lang"}
    if params and endpoint.query is None:
        return problem("bad_value", lang, 400, field=sorted(params)[0], reason=expectation("extra_forbidden", lang))
    return Call(app(), person, lang, _id(req), body, params, match.removeprefix("W/").strip('"'))


def _id(req: func.HttpRequest) -> str:
    id_ = str(req.route_params.get("id", ""))
    try:
        if id_:
            check_key(id_)
    except LimitExceeded:
        raise NotFound from None
    return id_


def _body(req: func.HttpRequest) -> Mapping[str, Any] | str:
    """The JSON object that came along, {} when nothing did; or the key of the refusal."""
    if req.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "json_needed"
    raw = req.get_body()
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw) if len(raw) <= MAX_BODY else None
    except (ValueError, RecursionError):
        return "bad_json"
    return body if isinstance(body, dict) else "bad_json"


async def carried_out(endpoint: Endpoint, call: Call, new_id: Callable[[], str]) -> Reply:
    """Call the handler, a refusal being its problem document; commands are noted before, and after with how they ended.

    While the stored rows are not of this version nothing may be changed but the one thing that stops everything.

    Whoever calls has seen to the barrier.
    """
    if not (endpoint.changes or endpoint.noted):
        return await _handled(endpoint, call, new_id)
    unfit = await misfit(call.app.connector.registry.rows) if endpoint.changes and endpoint.name != ALWAYS else None
    if unfit:
        refusal = problem("not_these_rows", call.lang, 409, **because(unfit, call.lang))
        return Reply(refusal, refusal.status)
    audit, now = call.app.connector.audit, call.app.connector.now
    # a name or an address is kept nowhere in clear
    target = call.id if ID.fullmatch(call.id) else "?" if call.id else ""
    noted = await audit.begin(call.by, endpoint.name, target, now(), new_id())
    reply = await _handled(endpoint, call, new_id)
    await audit.end(noted, reply.status)
    return reply


async def _handled(endpoint: Endpoint, call: Call, new_id: Callable[[], str]) -> Reply:
    try:
        answer = await endpoint.handler(call)
    except Exception as error:
        refusal = problem_of(error, endpoint.name, call.lang, new_id)
        return Reply(refusal, refusal.status)
    return answer if isinstance(answer, Reply) else Reply(answer, endpoint.status)


def _refused(refusal: Problem) -> func.HttpResponse:
    return _respond(Reply(refusal, refusal.status))


def _respond(reply: Reply) -> func.HttpResponse:
    headers, media = dict(HEADERS), "application/json"
    if reply.etag:
        headers["ETag"] = f'"{reply.etag}"'
    if isinstance(reply.body, Problem):
        media = MEDIA_TYPE
        if reply.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
    text = json.dumps(reply.body.model_dump(mode="json"), ensure_ascii=False)
    return func.HttpResponse(text, status_code=reply.status, headers=headers, mimetype=media)
