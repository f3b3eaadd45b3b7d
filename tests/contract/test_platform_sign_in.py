"""The host's stand-in for App Service's sign-in, in front of an app that says which headers it got; Entra's emulator behind it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from emulators.entra import EntraEmulator
from emulators.entra_state import Grant, Person
from emulators.functions_host.config import ConfigError
from emulators.functions_host.principal import claims_of, headers_for, value_of
from emulators.functions_host.sign_in import PlatformSignIn
from emulators.functions_host.sign_in_config import read_sign_in
from tests.contract.graph_world import served

CLIENT, SECRET, HERE = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret~value", "http://app.localhost"
BACK = f"{HERE}/.auth/login/aad/callback"
ANNA = Person("a-a", "zoë@example.com", "Zoë")
PAGE = {"accept": "text/html"}
FORGED = {"X-Ms-Client-Principal": "e30=", "X-MS-CLIENT-PRINCIPAL-NAME": "boss", "X-MS-TOKEN-AAD-ID-TOKEN": "t"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse(dict(Request(scope).headers))(scope, receive, send)


@pytest.fixture(scope="module")
def entra() -> Iterator[tuple[EntraEmulator, str]]:
    emulator = EntraEmulator()
    app = emulator.directory.add_app(CLIENT, redirect_uris=(BACK,))
    app.secrets[SECRET] = emulator.clock.now().timestamp() + 1e9
    with served(emulator.app) as url:
        yield emulator, url


def settings(tenant: str, **validation: Any) -> dict[str, Any]:
    issuer = f"https://login.microsoftonline.com/{tenant}/v2.0"
    registration = {"openIdIssuer": issuer, "clientId": CLIENT, "clientSecretSettingName": "THE_SECRET"}
    providers = {"azureActiveDirectory": {"registration": registration}}
    return {"platform": {"enabled": True}, "globalValidation": validation, "identityProviders": providers}


class Front:
    """The front of an app, and a browser before it that follows nothing."""

    def __init__(self, emulator: EntraEmulator, url: str, folder: Path, **validation: Any) -> None:
        path = folder / "auth.json"
        path.write_text(json.dumps(settings(emulator.tenant, **validation)))
        self.emulator = emulator
        self.app = PlatformSignIn(echo, read_sign_in(path, url, {"THE_SECRET": SECRET}))
        self.http = self.browser()

    def browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=HERE)

    async def begin(self, to: str = "/panel?x=1") -> dict[str, str]:
        """What Entra is asked for."""
        answer = await self.http.get("/.auth/login/aad", params={"post_login_redirect_uri": to})
        assert answer.status_code == 302
        return dict(parse_qsl(urlsplit(answer.headers["location"]).query))

    def answered(self, asked: dict[str, str], **changed: str) -> dict[str, str]:
        """What Entra sends back, without its pages."""
        given = {"nonce": asked["nonce"], "redirect_uri": asked["redirect_uri"]} | changed
        expires = self.emulator.clock.now().timestamp() + 60
        code = self.emulator.directory.issue_code(Grant(CLIENT, ANNA, ("openid",), expires, **given))
        return {"code": code, "state": asked["state"]}

    async def come_back(self, answer: dict[str, str]) -> httpx.Response:
        return await self.http.get("/.auth/login/aad/callback", params=answer)


@pytest.fixture
async def front(entra: tuple[EntraEmulator, str], tmp_path: Path) -> AsyncIterator[Front]:
    made = Front(*entra, tmp_path, unauthenticatedClientAction="AllowAnonymous")
    yield made
    await made.http.aclose()


async def test_signed_in_the_app_is_told_who_and_nobody_else_can_say(front: Front) -> None:
    front.emulator.directory.app_roles[CLIENT, ANNA.oid] = ("Connector.Admin", "Reader")
    assert not [name for name in (await front.http.get("/x", headers=FORGED)).json() if name.startswith("x-ms-")]
    back = await front.come_back(front.answered(await front.begin()))
    assert (back.status_code, back.headers["location"]) == (302, "/panel?x=1")
    told = (await front.http.get("/x", headers=FORGED)).json()
    assert {name for name in told if name.startswith("x-ms-")} == {
        "x-ms-client-principal", "x-ms-client-principal-id", "x-ms-client-principal-name", "x-ms-client-principal-idp",
    }  # fmt: skip
    assert (told["x-ms-client-principal-id"], told["x-ms-client-principal-idp"]) == (ANNA.oid, "aad")
    principal = json.loads(base64.b64decode(told["x-ms-client-principal"]))
    assert (principal["auth_typ"], principal["role_typ"].rpartition("/")[2]) == ("aad", "role")
    claims = [(each["typ"], each["val"]) for each in principal["claims"]]
    assert ("http://schemas.microsoft.com/identity/claims/objectidentifier", ANNA.oid) in claims
    assert ("http://schemas.microsoft.com/identity/claims/tenantid", front.emulator.tenant) in claims
    assert [val for typ, val in claims if typ == "roles"] == ["Connector.Admin", "Reader"]
    assert ("preferred_username", ANNA.upn) in claims


async def test_what_is_not_of_this_sign_in_is_refused(front: Front) -> None:
    asked = await front.begin()
    assert (await front.come_back(front.answered(asked, nonce="of another"))).status_code == 401
    assert (await front.come_back({"code": "made up", "state": asked["state"]})).status_code == 401
    assert (await front.come_back({"error": "access_denied", "state": asked["state"]})).status_code == 401
    good = front.answered(asked)
    assert (await front.come_back({**good, "state": good["state"][:-4] + "AAAA"})).status_code == 401
    async with front.browser() as other:
        assert (await other.get("/.auth/login/aad/callback", params=good)).status_code == 401
    assert (await front.http.get("/.auth/me")).status_code == 401
    assert (await front.come_back(good)).status_code == 302
    assert (await front.http.get("/.auth/me")).status_code == 200
    front.http.cookies.clear()
    assert (await front.come_back(front.answered(asked))).status_code == 401, "the cookie of the beginning is needed"


@pytest.mark.parametrize(
    ("action", "script", "page"), [("RedirectToLoginPage", 401, 302), ("Return401", 401, 401), ("Return403", 403, 403)]
)
async def test_who_is_not_signed_in(
    entra: tuple[EntraEmulator, str], tmp_path: Path, action: str, script: int, page: int
) -> None:
    front = Front(*entra, tmp_path, unauthenticatedClientAction=action, excludedPaths=["/open"])
    async with front.http as http:
        assert (await http.get("/api/x")).status_code == script
        answer = await http.get("/api/x?a=b", headers=PAGE)
        assert answer.status_code == page
        if page == 302:
            assert answer.headers["location"] == "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fx%3Fa%3Db"
        assert (await http.post("/api/x", headers=PAGE)).status_code == script, "only opening a page leads away"
        assert [(await http.get(path)).status_code for path in ("/open", "/open/x", "/opened", "/admin/host/status")] == [
            200, 200, script, 200,
        ]  # fmt: skip
        assert not [n for n in (await http.get("/open", headers=FORGED)).json() if n.startswith("x-ms-")]


async def test_an_unreachable_provider_is_said(front: Front, entra: tuple[EntraEmulator, str], tmp_path: Path) -> None:
    alone = Front(entra[0], "http://127.0.0.1:9", tmp_path)
    async with alone.http as http:
        assert (await http.get("/.auth/login/aad")).status_code == 500


def test_claims_become_entries() -> None:
    claims = claims_of({"oid": "o", "roles": ["a", "b"], "exp": 7, "email": "x@y"})
    assert [each["val"] for each in claims] == ["o", "a", "b", "7", "x@y"]
    assert (value_of(claims, "oid"), value_of(claims, "email"), value_of(claims, "tid")) == ("o", "x@y", "")
    assert dict(headers_for(claims))[b"x-ms-client-principal-id"] == b"o"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"platform": {"enabled": False}}, "platform.enabled"),
        ({"globalValidation": {"unauthenticatedClientAction": "Maybe"}}, "unauthenticatedClientAction"),
        ({"identityProviders": {}}, "openIdIssuer"),
    ],
)
def test_settings_are_checked(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(settings("t") | change))
    with pytest.raises(ConfigError, match=sentence):
        read_sign_in(path, "", {"THE_SECRET": SECRET})


def test_settings_need_a_secret_a_key_that_is_one_and_loopback(tmp_path: Path) -> None:
    path = tmp_path / "auth.json"
    path.write_text(json.dumps(settings("t")))
    with pytest.raises(ConfigError, match="THE_SECRET"):
        read_sign_in(path, "", {})
    with pytest.raises(ConfigError, match="WEBSITE_AUTH_ENCRYPTION_KEY"):
        read_sign_in(path, "", {"THE_SECRET": SECRET, "WEBSITE_AUTH_ENCRYPTION_KEY": "short"})
    with pytest.raises(ConfigError, match="--entra"):
        read_sign_in(path, "http://evil.example", {"THE_SECRET": SECRET})
    assert SECRET not in repr(read_sign_in(path, "", {"THE_SECRET": SECRET}))
