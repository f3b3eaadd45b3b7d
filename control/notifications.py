"""What Microsoft 365 and the CRM tell us by themselves: change notifications and nudges (SPEC 6.2, BEHAVIOUR 3). Both are hints.

Open to the internet without a sign-in, so nothing is believed that is not proven: a notification by the clientState that we gave to its
subscription, a nudge by its signature. Answers before any work is done: marks and a queue message, no call to either server.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import azure.functions as func
from pydantic import BaseModel, Field, ValidationError

from control.environment import Environment
from control.problems import MEDIA_TYPE, problem, problem_of
from sync import watches
from sync.model import Family

if TYPE_CHECKING:
    from control.app import App

MAX_BODY = 1024 * 1024
MAX_TOKEN = 4096
MAX_NUDGE = 4096
MAX_STATE = 128
APART = 300
"""Seconds that the clocks of the CRM and ours may be apart."""
RENEWING = frozenset({"reauthorizationRequired", "subscriptionRemoved"})
"""Lifecycle events after which subscriptions are renewed, or made anew where they are gone; `missed` is a hint like any other (BEHAVIOUR 3.4)."""
HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


class Notification(BaseModel):
    """The parts of one that we read. Whatever they are: what is none of ours takes nothing from the others (BEHAVIOUR 3.3)."""

    clientState: object = ""
    lifecycleEvent: object = ""


class Batch(BaseModel):
    """The body of a delivery."""

    value: Annotated[list[Notification], Field(max_length=5000)]


@dataclass(slots=True)
class Told:
    """What a delivery says. `strangers`: how many of its notifications are none of ours."""

    hints: dict[str, set[Family]] = field(default_factory=lambda: defaultdict(set))
    rewatch: set[str] = field(default_factory=set)
    strangers: int = 0


def told(batch: Sequence[Notification], keys: watches.Index) -> Told:
    """Pure."""
    found = Told()
    for each in batch:
        state = each.clientState
        about = watches.told_by(state, keys) if isinstance(state, str) and len(state) <= MAX_STATE else None
        if about is None:
            found.strangers += 1
            continue
        mailbox, family = about
        found.hints[mailbox].add(family)
        if isinstance(each.lifecycleEvent, str) and each.lifecycleEvent in RENEWING:
            found.rewatch.add(mailbox)
    return found


def signature(key: str, moment: str, body: bytes) -> str:
    """Of a nudge: HMAC-SHA256 over `<unix seconds>.<body>`, as hex."""
    return hmac.new(key.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()


def blueprint(
    environment: Environment, app: Callable[[], App], new_id: Callable[[], str], clock: Callable[[], float] = time.time
) -> func.Blueprint:
    """The HTTP functions."""

    async def notifications(req: func.HttpRequest) -> func.HttpResponse:
        if "validationToken" in req.params:  # exactly what was sent, as text that no browser takes for a page
            token = req.params["validationToken"]
            return _plain(200, token) if len(token) <= MAX_TOKEN else _plain(400)
        raw = req.get_body()
        if len(raw) > MAX_BODY:
            return _plain(413)
        try:
            batch = Batch.model_validate_json(raw)
        except ValidationError:
            return _plain(400)
        connected = app()
        found = told(batch.value, connected.worker.keys)
        await connected.told(found.hints, found.rewatch, found.strangers)
        return _plain(202)

    async def nudge(req: func.HttpRequest) -> func.HttpResponse:
        if not environment.nudge_key:
            return _plain(404)
        raw, moment = req.get_body(), req.headers.get("x-vtesync-timestamp", "")
        shown = req.headers.get("x-vtesync-signature", "").removeprefix("sha256=")
        known = hmac.compare_digest(shown.encode(), signature(environment.nudge_key, moment, raw).encode())
        if len(raw) > MAX_NUDGE or not known or not moment.isdecimal() or abs(clock() - int(moment[:12])) > APART:
            return _plain(403)
        await app().nudged()
        return _plain(202)

    functions = func.Blueprint()  # type: ignore[no-untyped-call]
    for function in (notifications, nudge):
        name = function.__name__
        routed = functions.route(route=name, methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)(
            _guarded(function, name, new_id)
        )
        functions.function_name(name)(routed)
    return functions


def _guarded(
    function: Callable[[func.HttpRequest], Awaitable[func.HttpResponse]], name: str, new_id: Callable[[], str]
) -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    async def guarded(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await function(req)
        except Exception as error:  # 5xx: they will tell us again
            refusal = problem_of(error, name, "en", new_id)
            if refusal.status < 500:
                refusal = problem("internal", "en", 500, id=new_id())
            return func.HttpResponse(
                refusal.model_dump_json(), status_code=refusal.status, headers=HEADERS, mimetype=MEDIA_TYPE
            )

    guarded.__name__ = name
    return guarded


def _plain(status: int, text: str = "") -> func.HttpResponse:
    return func.HttpResponse(text, status_code=status, headers=HEADERS, mimetype="text/plain", charset="utf-8")
