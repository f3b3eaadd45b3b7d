"""People sign in as on Azure: at the platform's front, on Entra's pages, and connect their mailboxes through the popup. HTTP only, no scripts."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest

from tests.e2e.company import USERS
from tests.e2e.hands import Entra
from tests.e2e.signing_in import ADMIN, REDIRECT, Account, admit
from tests.e2e.stack import CLIENT_ID
from tests.e2e.town import Town, open_town

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]

SCOPES = ("Have full access to your contacts", "Maintain access to data you have given it access to")


@pytest.fixture(scope="module")
def built() -> Iterator[Town]:
    with open_town(f"signed-in-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}") as town:
        yield town


@pytest.fixture
def town(built: Town) -> Town:
    """Nobody has consented to anything but the panel's sign-in."""
    built.forget_consents()
    return built


def principal(oid: str) -> str:
    """A header as the platform would make it."""
    claims = [{"typ": "oid", "val": oid}, {"typ": "roles", "val": "Connector.Admin"}]
    return base64.b64encode(json.dumps({"auth_typ": "aad", "claims": claims}).encode()).decode()


def test_the_admin_signs_in_and_out(town: Town) -> None:
    browser = town.browser()
    browser.open("/.auth/login/aad?post_login_redirect_uri=/api/status")
    assert browser.page.id == "sign-in"
    assert browser.url.startswith(f"{town.stack.urls['entra']}/"), "the pages are the emulator's"
    browser.give(ADMIN)
    assert (browser.status, browser.url) == (200, f"{town.stack.public_url}/api/status")
    (cookie,) = [each for each in browser.http.cookies.jar if each.name == "AppServiceAuthSession"]
    assert (cookie.has_nonstandard_attr("HttpOnly"), cookie.path) == (True, "/")
    (me,) = browser.http.get(f"{town.stack.public_url}/.auth/me").json()
    assert (me["provider_name"], me["user_id"]) == ("aad", ADMIN.upn)
    assert {"typ": "roles", "val": "Connector.Admin"} in me["user_claims"]
    assert browser.open("/.auth/logout").id == "signed-out"
    assert browser.ask("status").status_code == 401
    assert browser.open("/.auth/login/aad").id == "sign-in", "signed out at Entra too"


def test_an_ordinary_user_reaches_the_own_page_only(town: Town) -> None:
    browser = town.browser(town.users[0])
    assert browser.ask("status").status_code == 403
    assert browser.ask("me").json()["user"]["email"] == USERS[0].mail
    assert browser.ask("me").status_code == 200


@pytest.mark.parametrize("header", ["X-MS-CLIENT-PRINCIPAL", "x-ms-client-principal"])
def test_nobody_can_say_who_they_are(town: Town, header: str) -> None:
    assert town.browser().ask("status", **{header: principal(ADMIN.oid)}).status_code == 401
    user = town.browser(town.users[0])
    assert user.ask("status", **{header: principal(ADMIN.oid)}).status_code == 403
    stranger = town.browser()
    assert stranger.ask("me", cookie="AppServiceAuthSession=forged").status_code == 401


def test_a_sign_in_belongs_to_the_browser_that_began_it(town: Town) -> None:
    begun, other = town.browser(), town.browser()
    begun.open("/.auth/login/aad")
    sent = begun.page.sent("Next", loginfmt=ADMIN.upn)
    back = begun.http.post(urljoin(begun.url, begun.page.action), data=sent, follow_redirects=False).headers["location"]
    assert other.http.get(back).status_code == 401
    assert other.ask("me").status_code == 401
    assert begun.http.get(back).status_code == 200
    assert begun.ask("status").status_code == 200
    assert begun.http.get(back).status_code == 401, "once only"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example/", "/\\evil.example/"])
def test_the_way_back_stays_here(town: Town, target: str) -> None:
    for where in ("login/aad?post_login_redirect_uri", "logout?post_logout_redirect_uri"):
        answer = town.browser().http.get(f"{town.stack.public_url}/.auth/{where}={target}", follow_redirects=False)
        assert answer.status_code == 403


def test_a_user_connects_through_the_pages(town: Town) -> None:
    browser = town.browser(town.users[0])
    page = browser.open("/api/oauth/connect?lang=en")
    assert page.id == "pick", "Connect always asks with which account"
    page = browser.give(town.users[0])
    assert (page.id, page.boxes) == ("consent", {})
    assert all(each in page.text for each in SCOPES)
    page = browser.press("Accept")
    assert browser.url.startswith(f"{town.stack.public_url}/api/oauth/callback?")
    assert (page.id, page.data) == ("outcome", {"code": "connected", "good": "yes"})
    assert browser.ask("me").json()["user"]["enabled"]


def test_a_user_who_cancels_is_told_so(town: Town) -> None:
    browser = town.browser(town.users[1])
    browser.open("/api/oauth/connect?lang=en")
    browser.give(town.users[1])
    page = browser.press("Cancel")
    assert (browser.status, page.id, page.data) == (409, "outcome", {"code": "declined", "good": "no"})
    assert not browser.ask("me").json()["user"]["enabled"]


def test_an_administrator_consents_for_all_and_nobody_is_asked_again(town: Town) -> None:
    clerk = Account("5a1d0000-0000-4000-8000-00000000c1e4", "clerk@officinaconti.example", "Impiegata", admin=True)
    admit(Entra(town.stack.urls["entra"]), CLIENT_ID, clerk)
    browser = town.browser(clerk)
    assert browser.open("/api/oauth/consent").id == "approval", "of the connector, not of the tenant"
    page = browser.press("Return to the application")
    assert page.data == {"code": "declined", "good": "no"}
    browser.open("/api/oauth/consent")
    browser.press("Have an admin account?")
    assert browser.give(ADMIN).id == "consent"
    assert browser.press("Accept").data == {"code": "consent_given", "good": "yes"}
    user = town.browser(town.users[2])
    user.open("/api/oauth/connect")
    assert user.give(town.users[2]).data == {"code": "connected", "good": "yes"}, "without a consent page"


def test_an_unregistered_address_is_never_redirected_to(town: Town) -> None:
    loopback = town.browser()
    loopback.panel = town.stack.urls["host"]  # the same app by a name that the registration does not have
    page = loopback.open("/.auth/login/aad")
    assert (loopback.status, page.id) == (400, "error")
    assert "AADSTS50011" in page.text


def test_sessions_outlive_the_host_and_pages_can_be_closed(town: Town) -> None:
    """The host again, now sending people to Microsoft's page by itself; every other test holds then, too."""
    browser = town.browser(ADMIN)
    town.stack.stop_host()
    town.stack.sign_in = REDIRECT
    town.stack.start_host()
    assert browser.ask("status").status_code == 200
    stranger = town.browser()
    assert stranger.ask("status").status_code == 401
    assert stranger.open("/api/me?lang=en").id == "sign-in"
    stranger.give(town.users[0])
    assert (stranger.status, stranger.url) == (200, f"{town.stack.public_url}/api/me?lang=en")
