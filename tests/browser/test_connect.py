"""A user connects the own mailbox through Microsoft's popup, as on Azure: platform's sign-in, consent, wrong account, and what others may not see."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from control.endpoint import Guard
from control.panel import site
from tests.browser.chromium import Person
from tests.e2e.company import USERS
from tests.e2e.hands import CrmScreen, Entra, Outlook
from tests.e2e.signing_in import ADMIN, ANONYMOUS, Account, Browser, admit, admit_mailboxes
from tests.e2e.stack import CLIENT_ID, Stack
from tests.e2e.test_bad_input import NEVER

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("browser-connect")]


@dataclass(frozen=True, slots=True)
class Town:
    """The company on a platform that signs people in; every user connects by themselves."""

    stack: Stack
    accounts: list[Account]

    @property
    def url(self) -> str:
        return self.stack.public_url


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    name = f"connect-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    with Stack(name, {"SYNC_SCHEDULE": NEVER}, sign_in=ANONYMOUS) as stack:
        CrmScreen(stack.urls["vtenext"]).users([user.as_vtenext() for user in USERS])
        outlook = Outlook(stack.urls["graph"])
        for user in USERS:
            outlook.user(user.mail, user.name)
        entra = Entra(stack.urls["entra"])
        accounts = admit_mailboxes(entra, outlook, CLIENT_ID)
        entra.ask("DELETE", "consents", {"client_id": CLIENT_ID})
        admit(entra, CLIENT_ID)
        admin = Browser(stack.public_url)
        admin.sign_in(ADMIN)
        headers = {"if-match": "*"}
        url = f"{stack.public_url}/api/settings"
        admin.http.put(url, json={"sign_in_mode": "delegated"}, headers=headers).raise_for_status()
        assert admin.ask("users").json()["users"]
        yield Town(stack, [accounts[user.mail] for user in USERS])


OWN = {"own": "/api/my", "own_parting": "/api/my/disconnect", "own_exports": "/api/my/export-events"}
"""A person's own pages, by their name in `control.panel.site`."""


def test_no_page_of_a_persons_own_is_forgotten() -> None:
    assert set(OWN) == {page.name for page in site.PAGES if page.method == "GET" and page.guard is Guard.PERSON}


def keep_somebody_out(town: Town, one: Person) -> dict[str, list[str]]:
    """Own pages that axe finds something serious on, light or dark, or that are cut off on a phone."""
    found: dict[str, list[str]] = {}
    large = one.page.viewport_size
    for path in OWN.values():
        answer = one.page.goto(f"{town.url}{path}")
        assert answer is not None
        assert answer.status == 200, path
        wrong: list[str] = []
        for scheme in ("light", "dark"):
            one.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            wrong += one.serious()
        one.page.set_viewport_size({"width": 375, "height": 700})
        if one.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wrong.append("cut off")
        if large:
            one.page.set_viewport_size(large)
        if wrong:
            found[path] = wrong
    return found


def enter(page: Page, account: Account) -> None:
    """On Microsoft's sign-in page."""
    page.fill("input[name=loginfmt]", account.upn)
    page.click("#idSIButton9")


def signed_in(town: Town, one: Person, account: Account, path: str) -> None:
    one.page.goto(f"{town.url}{path}")
    enter(one.page, account)
    one.page.wait_for_url(f"{town.url}/**")


def test_a_user_connects_through_the_popup_and_disconnects(town: Town, person: Callable[..., Person]) -> None:
    one, account = person("it"), town.accounts[0]
    signed_in(town, one, account, "/api/my")
    expect(one.page.locator("h1")).to_contain_text("Exchange Connector")
    expect(one.page.locator("#connection .badge")).to_have_text("non collegata")
    one.page.fill("input[name=sync_start]", "2026-01-01")
    one.page.once("dialog", lambda asked: asked.dismiss())
    one.page.click("a[data-popup]")
    expect(one.page.locator("input[name=sync_start]")).to_have_value("2026-01-01")
    assert len(one.context.pages) == 1, "what was typed is not thrown away unasked"
    one.page.click("form#preferences button")
    expect(one.page.locator(".notice.good")).to_be_visible()
    with one.page.expect_popup() as opened:
        one.page.click("a[data-popup]")
    popup = opened.value
    one.page.fill("input[name=folder]", "Clienti")
    popup.click(f"[data-test-id='{account.upn}']")  # who is signed in already picks the account
    popup.click("main#consent #idSIButton9")
    expect(popup.locator("#outcome")).to_have_attribute("data-good", "yes")
    expect(one.page.locator("#connection .badge")).not_to_have_text("non collegata")
    expect(one.page.locator("input[name=folder]")).to_have_value("Clienti")
    one.page.reload()
    expect(one.page.locator("input[name=sync_start]")).to_have_value("2026-01-01")
    expect(one.page.locator("input[name=sync_start]")).to_be_disabled()
    assert keep_somebody_out(town, one) == {}
    one.page.goto(f"{town.url}/api/my")
    one.page.select_option("select[name=private_events]", "none")
    one.page.click("form#preferences button")
    expect(one.page.locator(".notice.good")).to_contain_text("preferenze sono state salvate")
    one.page.click("a[href$=disconnect]")
    one.page.click("form#disconnect button")
    expect(one.page.locator(".notice.good")).to_contain_text("disconnessa")
    expect(one.page.locator("#connection .badge")).to_have_text("non collegata")


def test_another_account_is_not_bound(town: Town, person: Callable[..., Person]) -> None:
    one = person("en")
    signed_in(town, one, town.accounts[1], "/api/my")
    one.context.clear_cookies(domain="127.0.0.1", name="ESTSAUTH")
    with one.page.expect_popup() as opened:
        one.page.click("a[data-popup]")
    popup = opened.value
    if popup.locator("#otherTile").count():
        popup.click("#otherTile")
    enter(popup, town.accounts[2])
    popup.click("#idSIButton9")
    expect(popup.locator("#outcome")).to_have_attribute("data-good", "no")
    expect(one.page.locator("#connection .badge")).to_have_text("not connected")
    one.complaints[:] = [each for each in one.complaints if "409" not in each]


def test_a_user_lands_on_the_own_page_and_sees_nothing_else(town: Town, person: Callable[..., Person]) -> None:
    one = person("en")
    signed_in(town, one, town.accounts[1], "/api/panel")
    assert one.page.url == f"{town.url}/api/my"
    assert one.page.locator("nav").count() == 0
    one.page.goto(f"{town.url}/api/panel/users")
    expect(one.page.locator("[role=alert]")).to_contain_text("Connector.Admin")
    one.complaints[:] = [each for each in one.complaints if "403" not in each]


def test_an_admin_signs_in_as_on_azure(town: Town, person: Callable[..., Person]) -> None:
    one = person("it")
    signed_in(town, one, ADMIN, "/api/panel")
    expect(one.page.locator("h1")).to_have_text("Pannello di controllo")


def test_a_search_and_a_form_outlive_the_platforms_session(town: Town, person: Callable[..., Person]) -> None:
    """Two origins: what leads a form to Microsoft's sign-in is blocked by the browser. The page says so, and goes on after a sign-in elsewhere."""
    one = person("it")
    signed_in(town, one, ADMIN, "/api/panel/users")
    one.context.clear_cookies(name="AppServiceAuthSession")
    one.page.fill("input[name=search]", "anna")
    one.page.click("form[role=search] button")
    expect(one.page.locator("[role=alert]")).to_contain_text("L'accesso è scaduto")
    expect(one.page.locator("input[name=search]")).to_have_value("anna")
    assert one.serious() == []
    with one.context.expect_page() as opened:
        one.page.click("[role=alert] a")
    if (account := opened.value.locator(f"[data-test-id='{ADMIN.upn}']")).count():
        account.click()
    expect(opened.value.locator("h1")).to_have_text("Pannello di controllo")
    opened.value.close()
    one.page.click("form[role=search] button")
    one.page.wait_for_url("**/api/panel/users?search=anna")
    assert all("form-action" in each for each in one.complaints), one.complaints
    one.complaints.clear()
