"""The control API in process: its functions by name, and as an ASGI application, over a world in memory."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import azure.functions as func
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control import notifications
from control.api import ENDPOINTS, blueprint
from control.app import App
from control.environment import read_environment
from control.panel import site
from sync.connecting import Connecting
from sync.hinting import Hinting
from sync.policy import CalendarPolicy
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.sides.memory import MemoryCalendar, MemoryTodo
from sync.store.states import States
from sync.store.strangers import StrangerCount
from sync.store.tokens import TokenStore
from sync.users import homes_of
from sync.watching import Watcher
from sync.worker import Worker
from tests.unit.control.test_environment import CRM, NEEDED
from tests.unit.control.world import World

TOKEN = "an-admin-token-of-36-characters-long"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


class Sides:
    """The servers' people, as a worker reaches them; calendars and lists are empty."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def crm(self) -> Crm:
        return self._world.crm

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        return await self._world.servers.mailbox(mailbox, folder)

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        return (await self.mailbox(mailbox, "")).folder_id

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return MemoryCalendar(mailbox, self._world.now)

    async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        return MemoryTodo(mailbox, self._world.now)

    async def watcher(self, mailbox: str) -> Watcher | None:
        """Nobody outside can reach us."""

    async def forget_sign_in(self, mailbox: str) -> None:
        """Nobody signed in."""


def worker_of(world: World) -> Worker:
    async def setup() -> Setup:
        return Setup(True, world.translators, homes_of(await world.users.all()))

    return Worker(world.registry, world.board, world.keys, Sides(world), setup, world.now, world.new_id)


class Api:
    """The functions by name, over a world in memory."""

    def __init__(self, world: World, **settings: str) -> None:
        self.world = world
        environment = read_environment({**NEEDED, **CRM, "ADMIN_TOKEN": TOKEN, **settings})
        tokens, states = TokenStore(world.rows, world.keys), States(world.rows, world.keys)
        connecting = Connecting(world.connector, tokens, states, None, "")  # type: ignore[arg-type]
        worker = worker_of(world)
        count, hinting = StrangerCount(world.rows), Hinting(world.connector)
        self.app = app = App(environment, world.connector, worker, worker, connecting, count, hinting)
        functions = func.FunctionApp()
        functions.register_functions(blueprint(environment, lambda: app, world.new_id))
        functions.register_functions(site.blueprint(environment, lambda: app, world.new_id))
        functions.register_functions(notifications.blueprint(environment, lambda: app, world.new_id))
        found = functions.get_functions()
        self.routes = [(f.get_trigger().route, f.get_trigger().methods, f.get_function_name()) for f in found]  # type: ignore[union-attr]
        self.functions: dict[str, Function] = {f.get_function_name(): f.get_user_function() for f in found}

    async def ask(
        self, name: str, body: Any = None, *, lang: str = "en", match: str = "*", **route: str
    ) -> tuple[int, Any]:
        """Status and JSON of one call by an admin. `match`: the version that is changed or answered, where that is asked for."""
        answer = await self.raw(
            name, {**HEADERS, "If-Match": match}, b"" if body is None else json.dumps(body).encode(), lang, route
        )
        return answer.status_code, json.loads(answer.get_body())

    async def raw(
        self,
        name: str,
        headers: dict[str, str],
        body: bytes = b"",
        lang: str = "en",
        route: Any = None,
        params: dict[str, str] | None = None,
    ) -> func.HttpResponse:
        endpoint = next(each for each in ENDPOINTS if each.name == name)
        headers = {"If-Match": "*", **headers} if endpoint.versioned else headers
        request = func.HttpRequest(
            endpoint.method,
            "/api/x",
            headers=headers,
            params={"lang": lang, **(params or {})},
            route_params=route or {},
            body=body,
        )
        return await self.functions[name](request)

    def asgi(self) -> Starlette:
        """The same behind routes, as the Functions host would have them."""
        return behind_routes(self.routes, self.functions)


def behind_routes(routes: Iterable[tuple[str, Any, str]], functions: Mapping[str, Function]) -> Starlette:
    """Functions as an ASGI application. `routes`: route, methods and name of each."""
    found: dict[str, dict[str, str]] = {}
    # the host prefers a route without parameters, Starlette the first
    for route, methods, name in sorted(routes, key=lambda each: [part[:1] == "{" for part in each[0].split("/")]):
        for method in methods:
            found.setdefault(f"/api/{route}", {})[getattr(method, "value", method)] = name
    return Starlette(routes=[Route(path, _behind(names, functions), methods=[*names]) for path, names in found.items()])


def _behind(names: Mapping[str, str], functions: Mapping[str, Function]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        asked = func.HttpRequest(
            request.method,
            str(request.url),
            headers=dict(request.headers),
            params=dict(request.query_params),
            route_params=dict(request.path_params),
            body=await request.body(),
        )
        answer = await functions[names.get(request.method, names.get("GET", ""))](asked)
        response = Response(answer.get_body(), answer.status_code, media_type=answer.mimetype)
        for name, value in answer.headers.items():
            response.headers.append(name, value)
        return response

    return endpoint
