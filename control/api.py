"""The JSON endpoints of the control plane: each parses, calls one command, and shows the answer (docs/control-api.md).

Decides nothing. Every endpoint is for admins only; whatever changes something must come as application/json, which a foreign
page cannot send without being asked first. No answer and no log line carries the text of an exception.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import azure.functions as func

from control import shown
from control.auth import Denied, admin_of
from control.environment import Environment
from control.failures import report
from control.texts import language, sentence
from sync import commands, group_commands
from sync.commands import NotFound, NotNow
from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector, StopMailbox
from sync.status import status as read_status
from sync.store.base import LimitExceeded, StoreUnreachable, check_key

if TYPE_CHECKING:
    from control.app import App

MAX_BODY = 64 * 1024
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request of an admin, checked. `by`: who it is."""

    app: App
    by: str
    lang: str
    id: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    body: Json
    status: int = 200


Handler = Callable[[Call], Awaitable[Answer]]


async def status(call: Call) -> Answer:
    found = await read_status(call.app.connector, call.app.environment.schedule)
    return Answer(shown.status(found, call.lang))


async def run(call: Call) -> Answer:
    return Answer({"mailboxes": await commands.run(call.app.connector)}, 202)


async def kill(call: Call) -> Answer:
    return Answer(shown.state(await commands.kill(call.app.connector, call.by), call.lang))


async def restore_state(call: Call) -> Answer:
    restored = await commands.restore_state(call.app.connector, call.by)
    return Answer(shown.restored(restored, call.lang), 200 if restored.ok else 409)


async def restore_attempts(call: Call) -> Answer:
    return Answer(shown.state(await commands.restore_attempts(call.app.connector, call.by), call.lang))


async def users(call: Call) -> Answer:
    directory = await commands.users(call.app.connector)
    rows = {row.id: row for row in await call.app.connector.registry.mailboxes()}
    return Answer(shown.directory(directory, rows, call.lang))


async def user(call: Call) -> Answer:
    found = await call.app.connector.users.get(call.id)
    if found is None:
        raise NotFound
    return Answer(shown.user(found, await call.app.connector.registry.mailbox(found.mailbox or "-"), call.lang))


async def put_user(call: Call) -> Answer:
    changed = await commands.change_user(call.app.connector, call.id, call.body)
    row = await call.app.connector.registry.mailbox(changed.mailbox or "-")
    return Answer(shown.user(changed, row, call.lang))


async def groups(call: Call) -> Answer:
    return Answer(shown.groups(await group_commands.groups(call.app.connector), call.lang))


async def group(call: Call) -> Answer:
    return Answer(shown.group(await group_commands.group(call.app.connector, call.id)))


async def put_group(call: Call) -> Answer:
    return Answer(shown.group(await group_commands.change_group(call.app.connector, call.id, call.body)))


async def settings(call: Call) -> Answer:
    return Answer(await _settings(call))


async def put_settings(call: Call) -> Answer:
    await commands.change_settings(call.app.connector, call.body)
    return Answer(await _settings(call))


async def holds(call: Call) -> Answer:
    found = await call.app.connector.registry.holds()
    return Answer({"holds": [shown.hold(each, call.lang) for each in found]})


async def hold(call: Call) -> Answer:
    return Answer(shown.hold(await commands.hold(call.app.connector, call.id), call.lang))


async def approve(call: Call) -> Answer:
    choice = call.body.get("choice", "")
    unknown = sorted(call.body.keys() - {"choice"})
    if unknown or not isinstance(choice, str):
        raise ConfigMistake(unknown[0] if unknown else "choice", "left out" if unknown else "a text")
    return Answer(shown.hold(await commands.approve(call.app.connector, call.id, choice), call.lang))


async def reject(call: Call) -> Answer:
    return Answer(shown.hold(await commands.reject(call.app.connector, call.id), call.lang))


ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("status", "GET", "status", status),
    ("control_run", "POST", "control/run", run),
    ("control_kill", "POST", "control/kill", kill),
    ("control_restore_state", "POST", "control/restore-state", restore_state),
    ("control_restore_attempts", "POST", "control/restore-attempts", restore_attempts),
    ("users", "GET", "users", users),
    ("user", "GET", "users/{id}", user),
    ("user_put", "PUT", "users/{id}", put_user),
    ("groups", "GET", "groups", groups),
    ("group", "GET", "groups/{id}", group),
    ("group_put", "PUT", "groups/{id}", put_group),
    ("settings", "GET", "settings", settings),
    ("settings_put", "PUT", "settings", put_settings),
    ("holds", "GET", "holds", holds),
    ("hold", "GET", "holds/{id}", hold),
    ("hold_approve", "POST", "holds/{id}/approve", approve),
    ("hold_reject", "POST", "holds/{id}/reject", reject),
)
"""Name of the function, method, route, handler."""


def blueprint(environment: Environment, app: Callable[[], App], new_id: Callable[[], str]) -> func.Blueprint:
    """The HTTP functions. `app` gives the one that is built at the first call; `new_id` makes ids for support."""
    functions = func.Blueprint()  # type: ignore[no-untyped-call]
    for name, method, route, handler in ROUTES:
        endpoint = _endpoint(name, method, handler, environment, app, new_id)
        routed = functions.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(endpoint)
        functions.function_name(name)(routed)
    return functions


def _endpoint(
    name: str,
    method: str,
    handler: Handler,
    environment: Environment,
    app: Callable[[], App],
    new_id: Callable[[], str],
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    async def endpoint(req: func.HttpRequest) -> func.HttpResponse:
        lang = language(req.params.get("lang", ""), req.headers.get("accept-language", ""))
        try:
            admin = admin_of({key.lower(): value for key, value in req.headers.items()}, environment)
            if isinstance(admin, Denied):
                return _respond(_refusal(admin.code, lang, admin.status))
            body = _body(req) if method != "GET" else {}
            if isinstance(body, str):
                return _respond(_refusal(body, lang, 415 if body == "json_needed" else 400))
            call = Call(app(), admin.id, lang, _id(req), body)
            return _respond(await handler(call))
        except Exception as error:
            return _respond(_failed(error, name, lang, new_id))

    endpoint.__name__ = name
    return endpoint


def _id(req: func.HttpRequest) -> str:
    """The id in the path, '' when it has none. Raises NotFound for one that no row of the store can have."""
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


def _failed(error: Exception, name: str, lang: str, new_id: Callable[[], str]) -> Answer:
    """What an exception means to the caller. What nobody expected, and what a server did, gets an id for support."""
    match error:
        case NotFound():
            return _refusal("not_found", lang, 404)
        case NotNow():
            return _refusal(error.code, lang, 409, **error.data)
        case ConfigMistake():
            return _refusal("bad_value", lang, 400, field=error.field, reason=error.expected)
    id_ = new_id()
    report(error, id_, name)
    match error:
        case RetryLater() | StopConnector() | StopMailbox():
            return _refusal("unreachable", lang, 503, id=id_, **_because(error.cause, lang))
        case StoreUnreachable():
            return _refusal("unreachable", lang, 503, id=id_, **_because(Cause.STORAGE_UNREACHABLE, lang))
    return _refusal("internal", lang, 500, id=id_)


def _because(cause: Cause, lang: str) -> dict[str, str]:
    return {"cause": cause.value, "why": sentence("cause", cause.value, lang)}


def _refusal(code: str, lang: str, status: int, **data: str) -> Answer:
    return Answer({"error": code, "sentence": sentence("error", code, lang), **data}, status)


def _respond(answer: Answer) -> func.HttpResponse:
    headers = HEADERS | ({"WWW-Authenticate": "Bearer"} if answer.status == 401 else {})
    text = json.dumps(answer.body, ensure_ascii=False)
    return func.HttpResponse(text, status_code=answer.status, headers=headers, mimetype="application/json")


async def _settings(call: Call) -> Json:
    connector, environment = call.app.connector, call.app.environment
    saved = await connector.settings.read()
    sign_in = await connector.settings.sign_in()
    return shown.settings(saved, sign_in, environment, await connector.missing())
