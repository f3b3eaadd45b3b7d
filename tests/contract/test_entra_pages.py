"""The pages of the Entra emulator, as a browser without scripts meets them: sign-in, consent, the way back, and what is never redirected."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import httpx
import jwt
import pytest

from emulators.corner import Clock
from emulators.entra import EntraEmulator
from emulators.entra_state import DEFAULT_TENANT
from emulators.inprocess import InProcessTransport
from tests.forms import Page, read

APP, SECRET, BACK = "99999999-aaaa-4bbb-8ccc-dddddddddddd", "s3cret~value", "https://sync.example/back"
GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
VERIFIER = "v" * 50
SCOPES = "openid offline_access https://graph.microsoft.com/Contacts.ReadWrite"
ANNA, BOSS = "anna@example.com", "boss@example.com"


class Window:
    """One browser: keeps cookies, shows a page or says where it was sent."""

    def __init__(self, entra: EntraEmulator) -> None:
        transport = InProcessTransport(entra.app)
        self.http = httpx.AsyncClient(transport=transport, base_url="http://entra")
        self.page = Page()
        self.status = 0
        self.went: dict[str, str] = {}

    def _shows(self, answer: httpx.Response) -> Page:
        self.status, location = answer.status_code, answer.headers.get("location", "")
        self.went = dict(parse_qsl(urlsplit(location).query)) if location else {}
        assert not location or location.startswith(f"{BACK}?")
        self.page = read(answer.text)
        return self.page

    async def asks(self, what: str = "oauth2/v2.0/authorize", **changed: str) -> Page:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        asked = {"client_id": APP, "redirect_uri": BACK, "state": "st", "scope": SCOPES}
        if what.endswith("authorize"):
            asked |= {"response_type": "code", "nonce": "n", "code_challenge": challenge}
            asked["code_challenge_method"] = "S256"
        tenant = changed.pop("tenant", DEFAULT_TENANT)
        params = {name: value for name, value in (asked | changed).items() if value}
        return self._shows(await self.http.get(f"/{tenant}/{what}", params=params))

    async def press(self, button: str, *, ticked: tuple[str, ...] = (), **typed: str) -> Page:
        sent = self.page.sent(button, ticked=ticked, **typed)
        return self._shows(await self.http.post(self.page.action, data=sent))

    async def sign_in(self, login: str) -> Page:
        return await self.press("Next", loginfmt=login)


@pytest.fixture
def entra() -> EntraEmulator:
    emulator = EntraEmulator(clock=Clock(datetime(2026, 11, 1, 8, tzinfo=UTC)))
    scopes = ("User.Read", "Contacts.ReadWrite")
    app = emulator.directory.add_app(APP, name="Connector", scopes=scopes, redirect_uris=(BACK,))
    app.secrets[SECRET] = emulator.clock.now().timestamp() + 86400
    return emulator


@pytest.fixture
async def window(entra: EntraEmulator) -> AsyncIterator[Window]:
    browser = Window(entra)
    anna = {"oid": "a", "upn": ANNA, "name": "Anna Neri", "app_roles": {APP: ["Connector.Admin"]}}
    boss = {"oid": "b", "upn": BOSS, "name": "Il Capo", "wids": [GLOBAL_ADMIN]}
    for person in (anna, boss):
        assert (await browser.http.post("/_emulator/people", json=person)).status_code == 200
    yield browser
    await browser.http.aclose()


async def test_a_person_signs_in_consents_and_the_code_is_good(window: Window) -> None:
    assert (await window.asks()).id == "sign-in"
    page = await window.sign_in(ANNA.upper())
    assert (page.id, page.boxes) == ("consent", {})
    assert "Have full access to your contacts" in page.text
    await window.press("Accept")
    assert (window.status, window.went["state"]) == (302, "st")
    form = {"grant_type": "authorization_code", "client_id": APP, "client_secret": SECRET, "redirect_uri": BACK}
    form |= {"code": window.went["code"], "code_verifier": VERIFIER}
    granted = (await window.http.post(f"/{DEFAULT_TENANT}/oauth2/v2.0/token", data=form)).json()
    claims = jwt.decode(granted["id_token"], options={"verify_signature": False})
    assert (claims["oid"], claims["nonce"], claims["roles"]) == ("a", "n", ["Connector.Admin"])
    assert "refresh_token" in granted
    await window.asks()
    assert window.went["code"], "signed in and consented: no page"


async def test_cancel_is_told_to_the_application(window: Window) -> None:
    await window.asks()
    await window.sign_in(ANNA)
    await window.press("Cancel")
    assert (window.went["error"], window.went["error_subcode"], window.went["state"]) == (
        "access_denied",
        "cancel",
        "st",
    )
    assert window.went["error_description"].startswith("AADSTS65004: ")
    assert (await window.asks()).id == "consent", "nothing was granted"


async def test_an_administrator_may_consent_for_all(window: Window, entra: EntraEmulator) -> None:
    await window.asks()
    page = await window.sign_in(BOSS)
    assert page.boxes == {"organisation": "true"}
    await window.press("Accept", ticked=("organisation",))
    assert window.went["code"]
    assert entra.directory.consented(APP, "a") >= {"Contacts.ReadWrite"}
    await window.asks(prompt="select_account")
    await window.press("Use another account")
    await window.sign_in(ANNA)
    assert window.went["code"], "no consent page for Anna"


async def test_where_users_may_not_consent_an_administrator_must(window: Window) -> None:
    await window.http.put("/_emulator/users-consent", json={"allowed": False})
    await window.asks()
    assert (await window.sign_in(ANNA)).id == "approval"
    assert (await window.press("Have an admin account?")).id == "sign-in"
    assert (await window.sign_in(BOSS)).id == "consent"
    await window.asks(login_hint=ANNA)
    assert window.page.id == "approval"
    await window.press("Return to the application")
    assert window.went["error_description"].startswith("AADSTS90094: ")


async def test_admin_consent(window: Window, entra: EntraEmulator) -> None:
    scope = "https://graph.microsoft.com/.default"
    assert (await window.asks("v2.0/adminconsent", scope=scope)).id == "sign-in"
    assert (await window.sign_in(ANNA)).id == "approval"
    await window.press("Have an admin account?")
    page = await window.sign_in(BOSS)
    assert (page.id, page.boxes) == ("consent", {})
    await window.press("Cancel")
    assert (window.went["error"], window.went["admin_consent"]) == ("access_denied", "True")
    assert "tenant" not in window.went
    await window.asks("v2.0/adminconsent", scope=scope, tenant="organizations", prompt="")
    await window.press(f"Il Capo {BOSS}")
    await window.press("Accept")
    assert window.went["admin_consent"] == "True"
    assert (window.went["tenant"], window.went["state"]) == (DEFAULT_TENANT, "st")
    assert entra.directory.consented(APP, "anybody") >= {"User.Read", "Contacts.ReadWrite", "offline_access"}


@pytest.mark.parametrize(
    ("changed", "number"),
    [
        ({"redirect_uri": "https://evil.example/back"}, 50011),
        ({"redirect_uri": ""}, 50011),
        ({"client_id": "nobody"}, 700016),
        ({"client_id": ""}, 900144),
        ({"tenant": "nowhere.example"}, 90002),
        ({"scope": "https://graph.microsoft.com/Everything.Ever"}, 650053),
        ({"response_type": "token"}, 700054),
        ({"code_challenge_method": "plain"}, 501491),
        ({"prompt": "please"}, 90023),
    ],
)
async def test_a_wrong_request_is_never_redirected(window: Window, changed: dict[str, str], number: int) -> None:
    page = await window.asks(**changed)
    assert (window.status, page.id, window.went) == (400, "error", {})
    assert f"AADSTS{number}: " in page.text


async def test_prompts_and_hints(window: Window, entra: EntraEmulator) -> None:
    await window.asks(prompt="none")
    assert window.went["error"] == "login_required"
    assert (await window.asks(login_hint=ANNA)).fields["loginfmt"] == ANNA
    await window.sign_in(ANNA)
    await window.asks(prompt="none")
    assert window.went["error"] == "consent_required"
    await window.asks()
    await window.press("Accept")
    assert (await window.asks(prompt="login")).id == "sign-in"
    assert (await window.asks(prompt="consent")).id == "consent"
    assert (await window.asks(prompt="select_account", login_hint=ANNA)).id == "pick"
    await window.press("Anna Neri")
    assert window.went["code"]
    assert (await window.asks(login_hint=BOSS)).id == "sign-in", "another account than the one signed in"
    await window.asks(prompt="none", login_hint=ANNA)
    assert window.went["code"]


async def test_unknown_and_disabled_accounts_stay_on_the_page(window: Window, entra: EntraEmulator) -> None:
    await window.asks()
    page = await window.sign_in("nobody@example.com")
    assert (page.id, page.fields["loginfmt"]) == ("sign-in", "nobody@example.com")
    assert "This username may be incorrect" in page.text
    entra.directory.disabled.add("a")
    assert "AADSTS50057" in (await window.sign_in(ANNA)).text
    entra.directory.disabled.clear()
    assert (await window.sign_in(ANNA)).id == "consent"


async def test_a_page_counts_once_and_for_half_an_hour(window: Window, entra: EntraEmulator) -> None:
    stale = await window.asks()
    await window.sign_in(ANNA)
    window.page = stale
    assert (await window.sign_in(ANNA)).id == "error"
    await window.asks()
    entra.clock.advance(1800)
    assert (await window.press("Accept")).id == "error"


async def test_signing_out(window: Window) -> None:
    await window.asks()
    await window.sign_in(ANNA)
    answer = await window.http.get(
        "/common/oauth2/v2.0/logout", params={"post_logout_redirect_uri": "https://evil.example/"}
    )
    assert (answer.status_code, read(answer.text).id) == (200, "signed-out")
    assert (await window.asks()).id == "sign-in"
    kept = {"post_logout_redirect_uri": "https://sync.example/bye"}
    assert (await window.http.get("/common/oauth2/v2.0/logout", params=kept)).headers["location"].endswith("/bye")


async def test_other_ways_back(window: Window) -> None:
    await window.asks(response_mode="form_post", scope="openid")
    await window.sign_in(BOSS)
    page = await window.press("Accept")
    assert (page.action, page.fields["state"]) == (BACK, "st")
    answer = await window.http.get(
        f"/{DEFAULT_TENANT}/oauth2/v2.0/authorize",
        params={
            "client_id": APP,
            "redirect_uri": BACK,
            "response_type": "code",
            "scope": "openid",
            "response_mode": "fragment",
        },
    )
    assert answer.headers["location"].startswith(f"{BACK}#code=")
