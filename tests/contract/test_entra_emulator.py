"""The Entra emulator: token endpoint, errors in Entra's shape, and msal itself as the judge (azure/FACTS.md, msal)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
import msal
import pytest

from emulators.corner import Clock
from emulators.entra import EntraEmulator
from emulators.entra_state import DEFAULT_TENANT, Person
from emulators.inprocess import InProcessTransport

APP, SECRET = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret~value"
SCOPE = "https://graph.microsoft.com/.default"
ANNA = {"oid": "0b0b", "upn": "anna@example.com", "name": "Anna Neri"}
SCOPES = ["openid", "offline_access", "Contacts.ReadWrite"]
Form = dict[str, str]


@pytest.fixture
def entra() -> EntraEmulator:
    emulator = EntraEmulator(clock=Clock(datetime(2026, 11, 1, 8, tzinfo=UTC)))
    emulator.add_app(APP, SECRET, roles=("Contacts.ReadWrite",), expires_in_s=86400)
    return emulator


@pytest.fixture
async def http(entra: EntraEmulator) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=InProcessTransport(entra.app), base_url="http://entra") as client:
        yield client


async def token(http: httpx.AsyncClient, tenant: str = DEFAULT_TENANT, **changed: str) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": APP, "client_secret": SECRET, "scope": SCOPE}
    form = {key: value for key, value in {**form, **changed}.items() if value}
    return await http.post(f"/{tenant}/oauth2/v2.0/token", data=form)


def failure(answer: httpx.Response) -> tuple[int, str, int]:
    body = answer.json()
    assert body["error_description"].startswith(f"AADSTS{body['error_codes'][0]}: ")
    assert {"trace_id", "correlation_id", "timestamp", "error_uri"} <= set(body)
    return answer.status_code, body["error"], body["error_codes"][0]


async def test_client_credentials(entra: EntraEmulator, http: httpx.AsyncClient) -> None:
    answer = await token(http)
    body = answer.json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 3599)
    assert "refresh_token" not in body
    keys = jwt.PyJWKSet.from_dict((await http.get(f"/{DEFAULT_TENANT}/discovery/v2.0/keys")).json())
    key = keys[jwt.get_unverified_header(body["access_token"])["kid"]].key
    options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
    audience = "https://graph.microsoft.com"
    claims = jwt.decode(body["access_token"], key, algorithms=["RS256"], audience=audience, options=options)
    assert (claims["roles"], claims["appid"], claims["tid"]) == (["Contacts.ReadWrite"], APP, DEFAULT_TENANT)
    assert claims["exp"] - claims["iat"] == 3599


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_secret": ""}, (401, "invalid_client", 7000218)),
        ({"client_id": "nobody"}, (400, "unauthorized_client", 700016)),
        ({"client_id": ""}, (400, "invalid_request", 900144)),
        ({"tenant": "nowhere.example"}, (400, "invalid_request", 90002)),
        ({"scope": "Contacts.Read"}, (400, "invalid_scope", 1002012)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, (400, "invalid_grant", 70000)),
    ],
)
async def test_refusals(http: httpx.AsyncClient, changed: Form, expected: tuple[int, str, int]) -> None:
    assert failure(await token(http, **changed)) == expected


async def test_secrets_expire_and_are_replaced(entra: EntraEmulator, http: httpx.AsyncClient) -> None:
    entra.clock.advance(86400)
    assert failure(await token(http)) == (401, "invalid_client", 7000222)
    fresh = {"client_id": APP, "value": "fresh", "expires": "2027-11-01T00:00:00Z"}
    assert (await http.post("/_emulator/secrets", json=fresh)).status_code == 200
    assert (await token(http, client_secret="fresh")).status_code == 200
    await http.post("/_emulator/secrets", json={"client_id": APP, "value": "fresh", "remove": True})
    assert failure(await token(http, client_secret="fresh")) == (401, "invalid_client", 7000215)


async def test_assertions_only_where_switched_on(entra: EntraEmulator, http: httpx.AsyncClient) -> None:
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assertion = entra.app_token(APP, audience="api://AzureADTokenExchange", life_s=600)
    form = {"client_secret": "", "client_assertion_type": kind, "client_assertion": assertion}
    assert failure(await token(http, **form)) == (401, "invalid_client", 700213)
    app = {"client_id": APP, "roles": ["Contacts.Read"], "accept_assertions": True}
    await http.post("/_emulator/apps", json=app)
    assert (await token(http, **form)).status_code == 200
    assert failure(await token(http, **{**form, "client_assertion": "junk"})) == (401, "invalid_client", 50027)
    entra.clock.advance(600)
    assert failure(await token(http, **form)) == (401, "invalid_client", 700024)


async def test_refresh_tokens_rotate(entra: EntraEmulator, http: httpx.AsyncClient) -> None:
    grant = {"client_id": APP, "person": ANNA, "scopes": SCOPES}
    first = (await http.post("/_emulator/refresh-tokens", json=grant)).json()["refresh_token"]
    body = (await token(http, grant_type="refresh_token", refresh_token=first, scope="")).json()
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (claims["scp"], claims["oid"]) == ("Contacts.ReadWrite", "0b0b")
    second = body["refresh_token"]
    assert second != first
    old = await token(http, grant_type="refresh_token", refresh_token=first, scope="")
    assert failure(old)[:2] == (400, "invalid_grant")
    assert (await http.post("/_emulator/revoke", json={"oid": "0b0b"})).json() == {"revoked": 1}
    assert failure(await token(http, grant_type="refresh_token", refresh_token=second, scope=""))[1] == "invalid_grant"


async def test_codes_are_redeemed_once_with_pkce(http: httpx.AsyncClient) -> None:
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    wanted = {"client_id": APP, "person": ANNA, "scopes": SCOPES, "redirect_uri": "http://localhost/x"}

    async def issued() -> str:
        made = await http.post("/_emulator/codes", json={**wanted, "challenge": challenge, "nonce": "n"})
        return str(made.json()["code"])

    async def redeem(code: str, verifier: str) -> httpx.Response:
        form = {"code": code, "redirect_uri": "http://localhost/x", "code_verifier": verifier}
        return await token(http, grant_type="authorization_code", scope="", **form)

    assert failure(await redeem(await issued(), "wrong")) == (400, "invalid_grant", 50148)
    code = await issued()
    body = (await redeem(code, verifier)).json()
    assert jwt.decode(body["id_token"], options={"verify_signature": False})["nonce"] == "n"
    assert body["refresh_token"]
    assert failure(await redeem(code, verifier)) == (400, "invalid_grant", 54005)


class _Answer:
    """What msal wants of an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.status_code, self.text, self.headers = answer.status_code, answer.text, dict(answer.headers)

    def raise_for_status(self) -> None:
        assert self.status_code < 400, self.text


class MsalHttp:
    """msal's http_client: the real authority's requests go into the emulator, in process."""

    def __init__(self, entra: EntraEmulator) -> None:
        self._entra = entra
        self.asked: list[str] = []

    def _send(self, method: str, url: str, **kwargs: Any) -> _Answer:
        async def go() -> httpx.Response:
            async with httpx.AsyncClient(transport=InProcessTransport(self._entra.app)) as client:
                data = kwargs.get("data")
                content = urlencode(data) if isinstance(data, dict) else data
                return await client.request(
                    method, url, params=kwargs.get("params"), content=content, headers=kwargs.get("headers")
                )

        self.asked.append(url.partition("?")[0])
        return _Answer(asyncio.run(go()))

    def get(self, url: str, **kwargs: Any) -> _Answer:
        return self._send("GET", url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> _Answer:
        return self._send("POST", url, **kwargs)

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("discovery", [True, False])
def test_msal_discovers_and_gets_tokens(entra: EntraEmulator, discovery: bool) -> None:
    authority = f"https://login.microsoftonline.com/{DEFAULT_TENANT}"
    asked = MsalHttp(entra)

    def app(secret: str) -> Any:
        return msal.ConfidentialClientApplication(
            APP, authority=authority, client_credential=secret, http_client=asked, instance_discovery=discovery
        )

    good = app(SECRET)
    assert "access_token" in good.acquire_token_for_client([SCOPE])
    assert f"{authority}/v2.0/.well-known/openid-configuration" in asked.asked
    refused = app("wrong").acquire_token_for_client([SCOPE])
    assert (refused["error"], refused["error_codes"]) == ("invalid_client", [7000215])
    old = entra.directory.issue_refresh(APP, Person(**ANNA), tuple(SCOPES), entra.clock.now().timestamp())
    fresh = good.acquire_token_by_refresh_token(old, ["https://graph.microsoft.com/Contacts.ReadWrite"])
    assert "access_token" in fresh, fresh
