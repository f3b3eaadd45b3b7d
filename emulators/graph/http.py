"""What a handler sees of a request and says in answer; routes; the ASGI edge. No resource is known here.

A `Call` is made from an HTTP request or from a part of a batch: handlers cannot tell them apart.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from emulators.corner import Clock, Receive, Scope, Send
from emulators.graph.errors import GraphError, bad_request

VERSION = "/v1.0"
MAX_BODY = 4 * 1024 * 1024  # BEHAVIOUR 7.1: request size limit 4 MB
Json = dict[str, Any]
_IMMUTABLE = re.compile(r'idtype\s*=\s*"?immutableid"?', re.IGNORECASE)
_ZONE = re.compile(r'outlook\.timezone\s*=\s*"?([^",;]+)"?', re.IGNORECASE)
_BODY = re.compile(r'outlook\.body-content-type\s*=\s*"?(text|html)"?', re.IGNORECASE)
_PAGE_SIZE = re.compile(r"odata\.maxpagesize\s*=\s*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the app, its roles (app-only) or scopes and user (delegated). `roles=None` = not checked."""

    app: str
    roles: frozenset[str] | None = None
    user: str | None = None

    def may(self, *any_of: str) -> bool:
        """Whether one of these permissions was granted."""
        return self.roles is None or not self.roles.isdisjoint(any_of)


@dataclass(slots=True)
class Call:
    """One operation: path segments and query decoded, header names in lower case."""

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: Any  # bytes of an HTTP request, or the decoded JSON of a batch part
    base: str  # "http://host/v1.0", for links
    caller: Caller
    params: dict[str, str] = field(default_factory=dict)

    @property
    def immutable(self) -> bool:
        """Prefer: IdType="ImmutableId" (BEHAVIOUR 5.2)."""
        prefer = self.headers.get("prefer")
        return prefer is not None and _IMMUTABLE.search(prefer) is not None

    @property
    def page_size(self) -> int | None:
        """Prefer: odata.maxpagesize (BEHAVIOUR 2.1, 7.2)."""
        match = _PAGE_SIZE.search(self.headers.get("prefer", ""))
        return max(1, min(int(match[1]), 1000)) if match else None

    @property
    def timezone(self) -> str | None:
        """Prefer: outlook.timezone (BEHAVIOUR 8)."""
        match = _ZONE.search(self.headers.get("prefer", ""))
        return match[1].strip() if match else None

    @property
    def body_type(self) -> str | None:
        """Prefer: outlook.body-content-type (BEHAVIOUR 7.2)."""
        match = _BODY.search(self.headers.get("prefer", ""))
        return match[1].lower() if match else None

    @property
    def path(self) -> str:
        """The path below the version root, decoded."""
        return "/" + "/".join(self.segments)

    def json(self) -> Json:
        """The body as an object; 400 otherwise (BEHAVIOUR 9, UnableToDeserializePostBody)."""
        value = self.body
        if isinstance(value, bytes):
            try:
                value = json.loads(value)
            except ValueError:
                value = None
        if not isinstance(value, dict):
            raise bad_request("were unable to deserialize the post body", "UnableToDeserializePostBody")
        return value


@dataclass(slots=True)
class Answer:
    """Status, JSON body (None = no body) and headers of their own."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Answer | Awaitable[Answer]]


class Router:
    """Paths to handlers: literals compare without case, `{name}` takes one segment."""

    def __init__(self) -> None:
        self._routes: dict[int, list[tuple[str, tuple[str, ...], Handler]]] = {}

    def add(self, method: str, path: str, handler: Handler) -> None:
        """One route, e.g. `GET users/{user}/contacts`."""
        parts = tuple(path.split("/"))
        self._routes.setdefault(len(parts), []).append((method, parts, handler))

    def find(self, call: Call) -> Handler:
        """The handler, `call.params` filled. Earlier routes win. 400 unknown path, 405 wrong method."""
        other_method = False
        for method, parts, handler in self._routes.get(len(call.segments), ()):
            params = _match(parts, call.segments)
            if params is None:
                continue
            if method == call.method:
                call.params = params
                return handler
            other_method = True
        if other_method:
            raise GraphError(405, "ErrorInvalidRequest", "The OData request is not supported.")  # 9
        segment = call.segments[-1] if call.segments else ""
        raise bad_request(f"Resource not found for the segment '{segment}'.")


def _match(parts: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    params: dict[str, str] = {}
    for part, segment in zip(parts, segments, strict=True):
        if part[0] == "{":
            params[part[1:-1]] = segment
        elif part != segment and part.lower() != segment.lower():
            return None
    return params


def split_path(raw: str) -> tuple[str, ...]:
    """Percent-decoded segments; `users('x')` is `users/x` (BEHAVIOUR 1.1), `delta()` is `delta`."""
    segments: list[str] = []
    for part in raw.strip("/").split("/"):
        text = unquote(part)
        if text.lower().startswith("users('") and text.endswith("')"):
            segments += ["users", text[7:-2].replace("''", "'")]
        elif text in ("delta()", "microsoft.graph.delta()", "microsoft.graph.delta"):
            segments.append("delta")
        else:
            segments.append(text)
    return tuple(segments)


def split_query(raw: str) -> dict[str, str]:
    """Query options; the last of a repeated name wins."""
    return dict(parse_qsl(raw, keep_blank_values=True)) if raw else {}


def label(scope: Scope, body: bytes) -> str:
    """Name of a request for counts and faults: method and path, ids of items and folders as {id}."""
    return f"{scope['method']} {shape(split_path(scope['path']))}"


def shape(segments: tuple[str, ...]) -> str:
    """A path with ids of items, folders and subscriptions (never the user's) replaced by {id}."""
    parts = ["{id}" if part.startswith(("AAMkA", "AAkALg", "AQMkA")) else part for part in segments]
    for before, part in enumerate(segments[1:]):
        if segments[before].lower() == "subscriptions" and part:
            parts[before + 1] = "{id}"
    return "/" + "/".join(parts)


def error_answer(error: GraphError, clock: Clock, headers: dict[str, str]) -> Answer:
    """The error body of BEHAVIOUR 9."""
    inner = {
        "date": clock.now().strftime("%Y-%m-%dT%H:%M:%S"),
        "request-id": str(uuid.uuid4()),
        "client-request-id": headers.get("client-request-id", str(uuid.uuid4())),
    }
    body = {"error": {"code": error.code, "message": error.message, "innerError": inner}}
    return Answer(error.status, body, dict(error.headers))


async def read_body(receive: Receive) -> bytes:
    """The whole body; 413 above 4 MB."""
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY:
            raise GraphError(413, "ErrorMessageSizeExceeded", "The request entity is too large.")
        if not message.get("more_body"):
            return bytes(body)


async def respond(send: Send, answer: Answer, call_headers: dict[str, str]) -> None:
    """Write an answer; `request-id` and `client-request-id` are always there (BEHAVIOUR 4)."""
    inner = (answer.body or {}).get("error", {}).get("innerError") if answer.status >= 400 else None
    request_id = inner["request-id"] if inner else str(uuid.uuid4())
    headers = {"request-id": request_id, "client-request-id": call_headers.get("client-request-id", request_id)}
    headers |= answer.headers
    payload = b""
    if answer.body is not None:
        payload = json.dumps(answer.body, ensure_ascii=False).encode()
        kind = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
        headers["content-type"] = kind
    if answer.status != 204:
        headers["content-length"] = str(len(payload))
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": payload})
