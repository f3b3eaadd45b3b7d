"""What every page has: who gets in, in which language, forms that only our pages send, headers that let nothing foreign run (SPEC 7.3)."""

from __future__ import annotations

import base64
import json
import re

import pytest

from control.api import ENDPOINTS
from control.auth import Person
from control.endpoint import Endpoint, Guard
from control.panel.page import Refused, Visit
from control.version import VERSION
from tests.contract.api_world import TOKEN, Api
from tests.contract.panel_world import Browser
from tests.unit.control.world import ANNAS, TENANT, World

PAGE = "/api/panel/calendar-mapping"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin-allow-popups",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def principal(*roles: str, tenant: str = TENANT) -> dict[str, str]:
    claims = [
        {"typ": "tid", "val": tenant},
        {"typ": "oid", "val": "33333333-3333-4333-8333-333333333333"},
        *({"typ": "roles", "val": r} for r in roles),
    ]
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()
    }


async def test_a_stranger_is_sent_to_sign_in_and_comes_back_to_where_they_wanted_to_go(api: Api) -> None:
    async with Browser(api, token="") as browser:
        asked = await browser.open(PAGE)
        assert asked.path.startswith("/api/panel/sign-in?next=")
        assert asked.one("input[name=token]")
        wrong = await browser.send(asked, "main form", token="not the token")
        assert (wrong.status, wrong.said) == (401, "This is not the token.")
        inside = await browser.send(wrong, "main form", token="an-admin-token-of-36-characters-long")
        assert (inside.status, inside.path) == (200, PAGE)
        out = await browser.send(inside, "header form", press=("out", "1"))
        assert out.path == "/api/panel/sign-in"
        assert (await browser.open(PAGE)).path.startswith("/api/panel/sign-in")


@pytest.mark.parametrize(
    "next_",
    [
        "https://evil.example/",
        "//evil.example",
        "/api/\\evil.example",
        "/api/panel?x=\u4e2d\u6587",
        "/api/x\r\nX: y",
        "javascript:1",
    ],
)
async def test_the_sign_in_sends_nobody_elsewhere(api: Api, next_: str) -> None:
    async with Browser(api, token="") as browser:
        asked = await browser.open("/api/panel/sign-in")
        data = {"token": "an-admin-token-of-36-characters-long", "next": next_}
        sent = await browser.post("/api/panel/sign-in", data)
        assert (sent.status, sent.path) == (200, "/api/panel"), asked.path


async def test_the_language_of_the_browser_and_another_one_that_is_kept(api: Api) -> None:
    async with Browser(api, "it-IT,it;q=0.9,en;q=0.5") as browser:
        assert (await browser.open(PAGE)).one("html")["lang"] == "it"
        page = await browser.open(f"{PAGE}?lang=en")
        assert "Calendar field mapping" in page.text
        assert (await browser.open(PAGE)).one("html")["lang"] == "en", "it is kept"
        assert (await browser.open(f"{PAGE}?lang=xx")).one("html")["lang"] == "en"


async def test_who_is_signed_in_sees_which_version_it_is_nobody_else(api: Api) -> None:
    async with Browser(api, token="") as browser:
        asked = await browser.open(PAGE)
        assert not asked.soup.select("footer")
        inside = await browser.send(asked, "main form", token="an-admin-token-of-36-characters-long")
        assert inside.one("footer").text.endswith(f" {VERSION}")
    assert (await api.ask("status"))[1]["version"] == VERSION


async def test_nothing_foreign_runs_and_nobody_frames_us(api: Api) -> None:
    async with Browser(api) as browser:
        page = await browser.open(PAGE)
        wrong = await browser.open("/api/panel/users/19x4711")
    for each in (page, wrong):
        assert {name: each.headers[name] for name in HEADERS} == HEADERS
    assert not page.soup.select("[style], [onclick], script:not([src]), style")
    assert all(str(each["src"]).startswith("/api/panel/static/") for each in page.soup.select("script"))


async def test_the_assets_are_kept_for_ever_and_there_are_no_others(api: Api) -> None:
    async with Browser(api, token="") as browser:
        page = await browser.open("/api/panel/sign-in")
        for each in [
            page.one("link[rel=stylesheet]")["href"],
            page.one("script")["src"],
            page.one("link[rel=icon]")["href"],
        ]:
            found = await browser.open(str(each))
            assert found.status == 200
            assert "immutable" in found.headers["cache-control"]
            for stale in (str(each).partition("?")[0], f"{str(each).partition('?')[0]}?v=another"):
                assert (await browser.open(stale)).headers["cache-control"] == "no-cache"
        assert (await browser.open("/api/panel/static/..%2f..%2ftexts.json")).status == 404


async def test_on_azure_the_platform_signs_in_and_the_token_form_is_gone() -> None:
    api = Api(World(), ADMIN_TOKEN="", WEBSITE_SITE_NAME="app", WEBSITE_AUTH_ENABLED="true")
    async with Browser(api, token="") as browser:
        browser._client.follow_redirects = False
        asked = await browser.open(PAGE)
        assert asked.headers["location"] == "/.auth/login/aad?post_login_redirect_uri=%2Fapi%2Fpanel%2Fcalendar-mapping"
        assert (await browser.open("/api/panel/sign-in")).status == 404
        assert (await browser.open(PAGE, **principal())).status == 403
        inside = await browser.open(PAGE, **principal("Connector.Admin"))
        assert inside.status == 200
        way_out = "/.auth/logout?post_logout_redirect_uri=%2Fapi%2Fpanel"
        assert inside.one("header a[href^='/.auth/']")["href"] == way_out
        foreign = await browser.open(PAGE, **principal("Connector.Admin", tenant=TENANT.replace("1", "9")))
        assert foreign.status == 403
        assert foreign.one("header a[href^='/.auth/']")["href"] == way_out, "as somebody of this organisation"


async def test_with_the_platforms_sign_in_off_nobody_gets_in() -> None:
    api = Api(World(), ADMIN_TOKEN="", WEBSITE_SITE_NAME="app")
    async with Browser(api, token="") as browser:
        assert (await browser.open(PAGE, **principal("Connector.Admin"))).status == 403


@pytest.mark.parametrize(("public_url", "secure"), [("https://sync.acme.example", "; Secure"), ("", "")])
async def test_no_script_reads_our_cookies_and_no_foreign_page_sends_them(public_url: str, secure: str) -> None:
    api = Api(World(), PUBLIC_URL=public_url) if public_url else Api(World())
    ours = "; HttpOnly; SameSite=Lax"
    async with Browser(api, token="") as browser:
        browser._client.follow_redirects = False
        entered = await browser.post("/api/panel/sign-in", {"token": TOKEN, "next": ""})
        shown = await browser.open(f"{PAGE}?lang=en", Authorization=f"Bearer {TOKEN}")
    session, *none = entered.headers.get_list("set-cookie")
    lang, form = shown.headers.get_list("set-cookie")
    assert not none
    for cookie, name, age in (
        (session, "vtesync-session", ""),
        (form, "vtesync-form", ""),
        (lang, "vtesync-lang", "; Max-Age=31536000"),
    ):
        assert re.fullmatch(rf"{name}=[\w-]+; Path=/api{age}{ours}{secure}", cookie), cookie


@pytest.mark.parametrize(
    "endpoint", [each for each in ENDPOINTS if each.guard is Guard.ADMIN], ids=lambda each: each.name
)
async def test_whatever_page_a_user_reaches_it_asks_no_admins_endpoint(api: Api, endpoint: Endpoint) -> None:
    visit = Visit(api.app, Person(TENANT, ANNAS, admin=False), "en", api.world.new_id, ours=True)
    before = api.world.rows.everything()
    with pytest.raises(Refused) as refused:
        await visit.reply(endpoint.name, "x", {}, match="*")
    assert (refused.value.code, refused.value.status) == ("not_admin", 403)
    assert api.world.rows.everything() == before
