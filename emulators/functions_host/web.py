"""The HTTP face: functions at their routes, keys, and the two /admin addresses of the real host that help locally."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from http.cookies import SimpleCookie

from azure_functions_runtime.bindings.datumdef import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from emulators.functions_host.engine import text
from emulators.functions_host.functions import Function, HttpTrigger, QueueTrigger
from emulators.functions_host.invoker import Invoker, Tasks
from emulators.functions_host.queues import manual_metadata
from emulators.functions_host.routes import Route, decode_path, parse
from emulators.functions_host.timers import request as timer_request


class Keys:
    """The two host-wide keys. Without a setting no key fits: those functions answer 401."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._function = environment.get("FUNCTIONS_HOST_KEY", "")
        self._master = environment.get("FUNCTIONS_MASTER_KEY", "")

    def allow(self, level: str, request: Request) -> bool:
        """Whether the request carries a key good for `level`; the master key opens everything."""
        if level == "anonymous":
            return True
        given = request.headers.get("x-functions-key") or request.query_params.get("code") or ""
        return _equal(given, self._master) or (level == "function" and _equal(given, self._function))

    def allow_admin(self, request: Request) -> bool:
        """/admin is open on a host without master key (as in Core Tools), which listens on loopback only."""
        return not self._master or self.allow("admin", request)


def _equal(given: str, key: str) -> bool:
    return bool(key) and hmac.compare_digest(given.encode(), key.encode())


class Web:
    """The ASGI application."""

    def __init__(
        self,
        functions: Sequence[Function],
        prefix: str,
        keys: Keys,
        host_id: str,
        invoker: Invoker,
        tasks: Tasks,
        largest: int,
    ) -> None:
        self._functions = {function.name.lower(): function for function in functions}
        self._keys = keys
        self._host_id = host_id
        self._invoker = invoker
        self._largest = largest
        self._tasks = tasks
        self._began = time.monotonic()
        self._routes: list[tuple[Route, Function, HttpTrigger]] = []
        for function in functions:
            if isinstance(function.trigger, HttpTrigger) and not function.disabled:
                route = parse(f"{prefix}/{function.trigger.route}", f"function {function.name}")
                self._routes.append((route, function, function.trigger))
        self._routes.sort(key=lambda entry: entry[0].rank)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        raw: bytes = request.scope["raw_path"]
        path = decode_path(raw.decode("ascii").partition("?")[0])
        if path.lower().startswith("admin/"):
            return await self._admin(request, path)
        for route, function, trigger in self._routes:
            # A wrong method is a 404, not a 405 (Azure/azure-functions-host issue 10098): routing knows no more.
            if trigger.methods and request.method not in trigger.methods:
                continue
            parameters = route.match(path)
            if parameters is not None:
                if not self._keys.allow(trigger.level, request):
                    return Response(status_code=401)
                return await self._function(request, function, parameters)
        return Response(status_code=404)

    async def _function(self, request: Request, function: Function, parameters: Mapping[str, str]) -> Response:
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > self._largest:
                return Response(status_code=413)
        value = Datum(
            {
                "method": text(request.method),
                "url": text(str(request.url)),
                "headers": _texts(_joined(request.headers.items(), ", ")),
                "params": _texts(parameters),
                "query": _texts(_joined(request.query_params.multi_items(), ",")),
                "body": Datum(bytes(body), "bytes"),
            },
            "http",
        )
        # A task of its own: a caller who hangs up does not cancel the function, and a stop can count it.
        task = self._tasks.start(self._invoker.invoke(function, value, {}), f"http {function.name}")
        await asyncio.wait([task])
        if task.cancelled():
            return Response(status_code=503)
        answer = task.result()
        if answer.error is not None or answer.value is None:
            return Response(status_code=500)
        return _response(answer.value)

    async def _admin(self, request: Request, path: str) -> Response:
        if not self._keys.allow_admin(request):
            return Response(status_code=401)
        match request.method, path.lower().split("/")[1:]:
            case "GET", ["host", "status"]:
                uptime = int((time.monotonic() - self._began) * 1000)
                return JSONResponse({"id": self._host_id, "state": "Running", "processUptime": uptime})
            case "POST", ["functions", name]:
                return await self._start(request, name)
        return Response(status_code=404)

    async def _start(self, request: Request, name: str) -> Response:
        """Start a function that is not HTTP and answer 202 at once, like the real host; disabled ones too."""
        function = self._functions.get(name)
        if function is None:
            return Response(status_code=404)
        if isinstance(function.trigger, HttpTrigger):
            return JSONResponse({"error": f"{function.name} is an HTTP function: call its route"}, 400)
        try:
            given = json.loads(await request.body())["input"]
        except KeyError:
            given = ""
        except (ValueError, TypeError):
            return JSONResponse({"error": 'expected a JSON body such as {"input": ""}'}, 400)
        if isinstance(function.trigger, QueueTrigger):
            body = given if isinstance(given, str) else json.dumps(given)
            work = self._invoker.invoke(function, text(body), manual_metadata())
        else:
            work = self._invoker.invoke(function, timer_request(None, past_due=False), {})
        self._tasks.start(work, f"{function.kind} {function.name}")
        return Response(status_code=202)


def _joined(pairs: Sequence[tuple[str, str]], comma: str) -> dict[str, str]:
    merged: dict[str, str] = {}
    for name, value in pairs:
        merged[name] = f"{merged[name]}{comma}{value}" if name in merged else value
    return merged


def _texts(values: Mapping[str, str]) -> dict[str, Datum]:
    return {name: text(value) for name, value in values.items()}


def _response(value: Datum) -> Response:
    if value.type != "http":
        return Response(value.value, media_type="text/plain")
    parts = value.value
    headers = {name: header.value for name, header in parts["headers"].items()}
    response = Response(parts["body"].value, int(parts["status_code"].value), headers)
    for jar in parts["cookies"] or ():
        _set_cookies(response, jar)
    return response


def _set_cookies(response: Response, jar: SimpleCookie) -> None:
    for morsel in jar.values():
        response.headers.append("set-cookie", morsel.OutputString())
