"""Connect as a browser sees it: our HTTP functions behind routes, real cookies, the Entra and Graph emulators on loopback, real msal between."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from control.auth import ROLE
from control.connections import Connections
from control.environment import read_environment
from control.oauth import ROUTES, blueprint
from emulators.entra import EntraEmulator
from emulators.graph import GraphEmulator
from sync.connecting import Connecting
from sync.settings import Settings, SignInMode
from sync.settings_store import SettingsStore
from sync.signing import GRAPH_SCOPES
from sync.store.states import States
from tests.contract.graph_world import served
from tests.unit.control.test_environment import CRM, NEEDED
from tests.unit.control.world import CLIENT, CONFIGURED, TENANT, World

PUBLIC = "https://sync.acme.example"
SECRET = CONFIGURED.client_secret
TOKEN = "an-admin-token-of-36-characters-long"
OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
TID = "http://schemas.microsoft.com/identity/claims/tenantid"
Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


@dataclass(frozen=True)
class Account:
    """Somebody of the tenant."""

    oid: str
    upn: str
    wids: tuple[str, ...] = ()

    @property
    def person(self) -> dict[str, Any]:
        return {"oid": self.oid, "upn": self.upn, "name": self.upn.partition("@")[0], "wids": list(self.wids)}


@dataclass
class Page:
    """A page of ours. `code`: which sentence it shows."""

    status: int
    code: str
    text: str
    headers: Mapping[str, str] = field(repr=False)


class Place:
    """An installation in delegated mode. `azure`: the platform signs people in; else the bearer token does."""

    def __init__(self, entra: EntraEmulator, graph: GraphEmulator, entra_url: str, graph_url: str, azure: bool) -> None:
        self.entra, self.graph, self.entra_url = entra, graph, entra_url
        platform = {"WEBSITE_INSTANCE_ID": "i", "WEBSITE_AUTH_ENABLED": "true"} if azure else {"ADMIN_TOKEN": TOKEN}
        self.environment = read_environment(
            {
                **NEEDED,
                **CRM,
                **platform,
                "GRAPH_BASE_URL": f"{graph_url}/v1.0",
                "ENTRA_AUTHORITY_HOST": entra_url,
                "PUBLIC_URL": PUBLIC,
            }
        )
        self.azure = azure
        self.world = World()
        self.world.time = datetime.now(UTC)
        self.world.settings = SettingsStore(self.world.rows, self.world.keys, CONFIGURED)
        world = self.world
        self.connections = Connections(
            self.environment,
            world.rows,
            world.keys,
            world.settings,
            world.users,
            world.groups,
            world.now,
            world.new_id,
        )
        self.tokens = self.connections.sign_ins.tokens
        self.connecting = Connecting(
            world.connector,
            self.tokens,
            States(world.rows, world.keys),
            self.connections.sign_ins,
            self.environment.public_url,
        )
        functions = func.FunctionApp()
        functions.register_functions(blueprint(self.environment, lambda: self.connecting, world.new_id))
        named = {each.get_function_name(): each.get_user_function() for each in functions.get_functions()}
        self.site = Starlette(routes=[_route(path, method, named[name]) for name, method, path, _ in ROUTES])

    async def set_up(self) -> None:
        await self.world.settings.save(Settings(sign_in_mode=SignInMode.DELEGATED), None)
        await self.world.connector.refresh_directory()

    def browser(self, account: Account | None = None, *, admin: bool = False) -> Browser:
        """A browser in which this person is signed in to the panel; None = nobody, or whoever has the token."""
        headers = {}
        if account is not None:
            claims = [{"typ": TID, "val": TENANT}, {"typ": OID, "val": account.oid}]
            claims.append({"typ": "preferred_username", "val": account.upn})
            claims += [{"typ": "roles", "val": ROLE}] if admin else []
            principal = json.dumps({"auth_typ": "aad", "claims": claims})
            headers = {"X-MS-CLIENT-PRINCIPAL": base64.b64encode(principal.encode()).decode()}
        return Browser(self, headers)


class Browser:
    """Keeps cookies as browsers do, follows nothing by itself."""

    def __init__(self, place: Place, headers: dict[str, str]) -> None:
        self.place = place
        transport = httpx.ASGITransport(place.site, raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url=PUBLIC, headers=headers)

    async def ask(
        self, name: str, params: Mapping[str, str] | None = None, body: Any = None, **headers: str
    ) -> httpx.Response:
        method, path = next((method, path) for found, method, path, _ in ROUTES if found == name)
        asked = {"lang": "en", **(params or {})}
        return await self.http.request(method, f"/api/{path}", params=asked, json=body, headers=headers)

    def signs_in_as(self, other: Browser) -> None:
        """Somebody else sits down in front of it."""
        self.http.headers = other.http.headers

    async def connect(self, user: str = "") -> str:
        """Press Connect: the address of Microsoft's page."""
        answer = await self.ask("oauth_connect", {"user": user} if user else {})
        assert answer.status_code == 302, answer.text
        return str(answer.headers["Location"])

    async def sign_in(self, location: str, account: Account, scopes: tuple[str, ...] = ()) -> dict[str, str]:
        """What Microsoft sends the browser back with, when this account signs in and consents."""
        asked = dict(parse_qsl(urlsplit(location).query))
        prefix = "https://graph.microsoft.com/"
        granted = scopes or tuple(each.removeprefix(prefix) for each in asked["scope"].split())
        assert asked["code_challenge_method"] == "S256"
        body = {
            "client_id": asked["client_id"],
            "person": account.person,
            "scopes": granted,
            "redirect_uri": asked["redirect_uri"],
            "challenge": asked["code_challenge"],
            "nonce": asked["nonce"],
        }
        async with httpx.AsyncClient(base_url=self.place.entra_url) as http:
            code = (await http.post("/_emulator/codes", json=body)).json()["code"]
        return {"code": code, "state": asked["state"], "session_state": "s"}

    async def come_back(self, params: Mapping[str, str]) -> Page:
        return page(await self.ask("oauth_callback", params))

    async def through(self, account: Account, user: str = "") -> Page:
        """Connect, sign in as this account, come back."""
        return await self.come_back(await self.sign_in(await self.connect(user), account))


def page(answer: httpx.Response) -> Page:
    code = answer.text.partition('data-code="')[2].partition('"')[0]
    return Page(answer.status_code, code, answer.text, answer.headers)


def _route(path: str, method: str, function: Function) -> Route:
    """A function behind a route, as the Functions host has it."""

    async def endpoint(request: Request) -> Response:
        asked = func.HttpRequest(
            request.method,
            str(request.url),
            headers=dict(request.headers),
            params=dict(request.query_params),
            body=await request.body(),
        )
        answer = await function(asked)
        return Response(answer.get_body(), answer.status_code, dict(answer.headers), answer.mimetype)

    return Route(f"/api/{path}", endpoint, methods=[method])


@contextmanager
def town() -> Iterator[Callable[[bool], Place]]:
    """Both emulators; makes installations over them."""
    entra = EntraEmulator(tenant=TENANT)
    graph = GraphEmulator(keys=entra.keys, clock=entra.clock)
    with served(entra.app) as entra_url, served(graph.app) as graph_url:

        def place(azure: bool) -> Place:
            entra.corner.reset()
            entra.clock.set(None)
            graph.corner.reset()
            entra.directory.add_app(CLIENT, scopes=GRAPH_SCOPES).secrets[SECRET] = entra.clock.now().timestamp() + 1e9
            return Place(entra, graph, entra_url, graph_url, azure)

        yield place
