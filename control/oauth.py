"""The popup of Connect and of the organisation's consent: two ways in, two ways back from Microsoft's pages (SPEC 5.1, 7.3).

Decides nothing: `sync.connecting` does. What comes back is foreign: it counts only with a state of ours, in the browser that began it, and on
Azure for the person who is signed in there. Answers with a page that holds one sentence. Never logs a query: it carries codes.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from control.auth import Denied, Person
from control.callers import caller
from control.cookies import LANG, cookie, cookies_of
from control.environment import Environment
from control.pages import HEADERS, outcome_page
from control.problems import MEDIA_TYPE, Problem, problem, problem_of
from control.texts import language
from sync.commands import NotFound
from sync.connecting import CONNECTED, CONSENT_GIVEN, CONSENT_RECORDED, Begun, Connecting, Outcome
from sync.store.states import LIFE

COOKIE = "vtesync-connect-"
PATH = "/api/oauth"
STATUSES: tuple[tuple[frozenset[str], int], ...] = (
    (frozenset({CONNECTED, CONSENT_GIVEN, CONSENT_RECORDED}), 200),
    (frozenset({"state_of_another", "no_session"}), 403),
    (frozenset({"state_missing", "state_tampered", "state_unknown", "state_used", "state_expired"}), 400),
)
"""Outcome -> HTTP status; all others 409."""
MAX_BODY = 4096
MAX_QUERY = 16 * 1024


@dataclass(frozen=True, slots=True)
class Call:
    """A request, as the handlers see it. `person`: who is signed in; None = at a callback where only the browser can tell."""

    connecting: Connecting
    person: Person | None
    params: Mapping[str, str]
    cookies: Mapping[str, str]
    lang: str

    @property
    def browser(self) -> str:
        """What this browser brought back for the sign-in that the state names."""
        return self.cookies.get(_cookie_of(self.params.get("state", "")), "")


Handler = Callable[[Call], Awaitable[Begun | Outcome]]


async def connect(call: Call) -> Begun:
    return await call.connecting.begin(_somebody(call), call.params.get("user", ""))


async def consent(call: Call) -> Begun:
    return await call.connecting.begin_consent(_somebody(call))


async def callback(call: Call) -> Outcome:
    return await call.connecting.finish(call.person, call.params, call.browser)


async def consent_callback(call: Call) -> Outcome:
    return await call.connecting.finish_consent(call.person, call.params, call.browser)


ROUTES: tuple[tuple[str, str, str, Handler], ...] = (
    ("oauth_connect", "GET", "oauth/connect", connect),
    ("oauth_connect_post", "POST", "oauth/connect", connect),
    ("oauth_callback", "GET", "oauth/callback", callback),
    ("oauth_consent", "GET", "oauth/consent", consent),
    ("oauth_consent_post", "POST", "oauth/consent", consent),
    ("oauth_consent_callback", "GET", "oauth/consent-callback", consent_callback),
)
"""Name of the function, method, route, handler. The POSTs are for who cannot send a header along with a popup: they answer the address as JSON."""
RETURNING = (callback, consent_callback)


def blueprint(
    environment: Environment, connecting: Callable[[], Connecting], new_id: Callable[[], str]
) -> func.Blueprint:
    """The HTTP functions. `connecting` gives what is built at the first call; `new_id` makes ids for support."""
    functions = func.Blueprint()  # type: ignore[no-untyped-call]
    for name, method, route, handler in ROUTES:
        endpoint = _endpoint(name, method, handler, environment, connecting, new_id)
        routed = functions.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(endpoint)
        functions.function_name(name)(routed)
    return functions


def _endpoint(
    name: str,
    method: str,
    handler: Handler,
    environment: Environment,
    connecting: Callable[[], Connecting],
    new_id: Callable[[], str],
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    async def endpoint(req: func.HttpRequest) -> func.HttpResponse:
        kept = cookies_of(req.headers.get("cookie", "")).get(LANG, "")
        lang = language(req.params.get("lang", ""), req.headers.get("accept-language", ""), kept)
        answer = _Answer(method == "POST", lang, environment.public_url.startswith("https://"))
        try:
            headers = {key.lower(): value for key, value in req.headers.items()}
            who = await caller(headers, environment, lambda: connecting().connector.settings)
            if isinstance(who, Denied) and (environment.on_azure or handler not in RETURNING):
                return answer.refused(who.code, who.status)
            # Elsewhere than on Azure a browser that comes back cannot send the token: its cookie tells who it is.
            person = None if isinstance(who, Denied) else who
            params = _body(req) if method == "POST" else dict(req.params)
            if params is None or sum(map(len, params.values())) > MAX_QUERY:
                return answer.refused(
                    "json_needed" if method == "POST" else "bad_json", 415 if method == "POST" else 400
                )
            call = Call(connecting(), person, params, cookies_of(headers.get("cookie", "")), lang)
            return answer.made(await handler(call), call)
        except Exception as error:
            return _failed(error, name, answer, new_id)

    endpoint.__name__ = name
    return endpoint


@dataclass(frozen=True, slots=True)
class _Answer:
    """How to answer: `plain` with JSON, else with a page or by sending the browser on. `secure`: cookies travel over https only."""

    plain: bool
    lang: str
    secure: bool

    def made(self, result: Begun | Outcome, call: Call) -> func.HttpResponse:
        if isinstance(result, Begun):
            kept = {"Set-Cookie": self._cookie(_cookie_of(result.state), result.browser, int(LIFE.total_seconds()))}
            if self.plain:
                return self._json({"url": result.url}, 200, kept)
            return func.HttpResponse("", status_code=302, headers={**HEADERS, **kept, "Location": result.url})
        status = next((status for codes, status in STATUSES if result.code in codes), 409)
        name = _cookie_of(call.params.get("state", ""))
        spent = name in call.cookies and status not in (400, 403)  # a forged answer must not end the true one
        over = {"Set-Cookie": self._cookie(name, "", 0)} if spent else {}
        return self._page("outcome", result.code, status, good=result.good, more=over)

    def refused(self, code: str, status: int) -> func.HttpResponse:
        return self.problem(problem(code, self.lang, status))

    def problem(self, found: Problem) -> func.HttpResponse:
        """A refusal: its document, or on a page the sentence that says most."""
        if self.plain:
            return self._json(found.model_dump(mode="json"), found.status, {}, MEDIA_TYPE)
        cause = str(getattr(found, "cause", ""))
        return self._page("cause" if cause else "error", cause or found.code, found.status, good=False, more={})

    def _page(self, section: str, code: str, status: int, *, good: bool, more: Mapping[str, str]) -> func.HttpResponse:
        text = outcome_page(section, code, self.lang, good=good)
        return func.HttpResponse(text, status_code=status, headers={**HEADERS, **more}, mimetype="text/html")

    def _json(
        self, body: Mapping[str, Any], status: int, more: Mapping[str, str], media: str = "application/json"
    ) -> func.HttpResponse:
        text = json.dumps(body, ensure_ascii=False)
        return func.HttpResponse(text, status_code=status, headers={**HEADERS, **more}, mimetype=media)

    def _cookie(self, name: str, value: str, seconds: int) -> str:
        return cookie(name, value, PATH, secure=self.secure, seconds=seconds)


def _somebody(call: Call) -> Person:
    if call.person is None:
        raise NotFound
    return call.person


def _cookie_of(state: str) -> str:
    """The cookie of one sign-in: several may be under way in one browser."""
    return COOKIE + state.partition(".")[0]


def _body(req: func.HttpRequest) -> dict[str, str] | None:
    """The JSON object that came along; None = something else."""
    if req.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return None
    raw = req.get_body().strip() or b"{}"
    try:
        body: Any = json.loads(raw) if len(raw) <= MAX_BODY else None
    except (ValueError, RecursionError):
        return None
    texts = isinstance(body, dict) and all(isinstance(value, str) for value in body.values())
    return body if texts else None


def _failed(error: Exception, name: str, answer: _Answer, new_id: Callable[[], str]) -> func.HttpResponse:
    """What an exception means to the person: what it means everywhere (control/problems.py), but that nobody is looked up here except oneself."""
    if isinstance(error, NotFound):
        return answer.refused("no_own_user", 404)
    return answer.problem(problem_of(error, name, answer.lang, new_id))
