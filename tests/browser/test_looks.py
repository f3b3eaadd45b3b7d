"""Every page in both languages: nobody is kept out (axe-core), nothing complains, light and dark, on a phone; pictures of the main ones.

`make screenshots` keeps the pictures in docs/screenshots; else they go where pytest puts its files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from control.endpoint import Guard
from control.panel import site
from tests.browser.chromium import Person
from tests.browser.question import Question
from tests.e2e.company import USERS
from tests.e2e.test_bad_input import Place

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("browser")]

PANEL = "/api/panel"
MAIN = {
    "panel": PANEL,
    "settings": f"{PANEL}/settings/edit",
    "mapping": f"{PANEL}/mapping/contact",
    "users": f"{PANEL}/users",
    "user": f"{PANEL}/users/{{user}}",
    "mailbox": f"{PANEL}/mailboxes/{{mailbox}}",
}
"""The six main pages, by the name of their picture."""
STILL = """(when) => {
  for (const each of document.querySelectorAll("time")) each.textContent = when;
  document.querySelectorAll(".chart text").forEach((each, place) => { each.textContent = String((place + 10) % 24).padStart(2, "0"); });
}"""
"""Every moment is the same, so that the picture of a page that did not change is the same file."""
MOMENT = {"it": "02/03/26, 09:00", "en": "02/03/2026, 09:00"}
PAGES = {
    "panel_home": (PANEL,),
    "panel_mailboxes": (f"{PANEL}/mailboxes",),
    "panel_mailbox": (f"{PANEL}/mailboxes/{{mailbox}}", f"{PANEL}/mailboxes/{{mailbox}}?because=all"),
    "panel_history": (f"{PANEL}/history?mailbox={{mailbox}}&family=people&id={{contact}}",),
    "panel_journal": (f"{PANEL}/journal?mailbox={{mailbox}}&family=people&run={{run}}",),
    "panel_values": (f"{PANEL}/journal/{{values}}",),
    "panel_holds": (f"{PANEL}/holds",),
    "panel_hold": (f"{PANEL}/holds/{{hold}}",),
    "panel_users": (f"{PANEL}/users",),
    "panel_user": (f"{PANEL}/users/{{user}}",),
    "panel_user_parting": (f"{PANEL}/users/{{user}}/disconnect",),
    "panel_user_exports": (f"{PANEL}/users/{{user}}/export-events",),
    "panel_user_removal": (f"{PANEL}/users/{{user}}/removal",),
    "panel_mapping": (f"{PANEL}/mapping/contact", f"{PANEL}/mapping/company"),
    "panel_calendar": (f"{PANEL}/calendar-mapping",),
    "panel_groups": (f"{PANEL}/groups",),
    "panel_group": (f"{PANEL}/groups/{{group}}", f"{PANEL}/groups/{{group}}?search=a"),
    "panel_settings": (f"{PANEL}/settings",),
    "panel_settings_edit": (f"{PANEL}/settings/edit",),
    "panel_audit": (f"{PANEL}/audit",),
}
"""Every page of an admin, by its name in `control.panel.site`, and where it is seen. A person's own pages: tests/browser/test_connect.py."""
PATHS = tuple(path for paths in PAGES.values() for path in paths)


def test_no_page_is_forgotten() -> None:
    assert set(PAGES) == {page.name for page in site.PAGES if page.method == "GET" and page.guard is Guard.ADMIN}
    assert set(MAIN.values()) <= set(PATHS)


@dataclass(frozen=True, slots=True)
class Office:
    """A place where every page has something to show. `ids`: what its addresses name."""

    place: Place
    ids: Mapping[str, str]

    def url(self, path: str) -> str:
        return self.place.stack.urls["host"] + path.format(**self.ids)


@pytest.fixture(scope="module")
def office(place: Place) -> Iterator[Office]:
    """One contact has a history, with values; there is a group; a question waits."""
    place.edit(0)
    place.connector.settle()
    ask, mailbox, contact = place.connector.admin.ask, place.mailboxes[0], place.contacts[0]
    line = ask("GET", f"history?mailbox={mailbox}&family=people&id={contact}")["lines"][0]
    (group,) = place.crm.groups([{"groupname": "Vendite", "members": place.owners}])
    ask("PUT", f"groups/{group}", {"members": place.owners, "organizer": place.owners[0]})
    for owner, user in zip(place.owners, USERS, strict=False):
        place.connector.pair(owner, user.mail)  # as an admin does, who knows no ids
    question = Question.of(place)
    ids = {"user": place.owners[0], "mailbox": mailbox, "contact": contact, "group": group, "hold": question.hold}
    yield Office(place, {**ids, "run": str(line["run"]), "values": quote(line["values"], safe="")})
    question.withdraw(place)


def _visit(office: Office, one: Person, path: str) -> None:
    """A page that is there."""
    answer = one.page.goto(office.url(path))
    assert answer is not None
    assert answer.status == 200, path
    assert one.page.locator("main h1").inner_text().strip(), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["it", "en"])
def test_pages_keep_nobody_out(office: Office, admin: Callable[..., Person], lang: str, scheme: str) -> None:
    one = admin(lang, color_scheme=scheme)
    found: dict[str, list[str]] = {}
    for path in PATHS:
        _visit(office, one, path)
        assert one.page.locator("html").get_attribute("lang") == lang
        if serious := one.serious():
            found[path] = serious
    assert found == {}


@pytest.mark.parametrize("lang", ["it", "en"])
def test_pictures_of_the_main_pages(office: Office, admin: Callable[..., Person], lang: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    one = admin(lang, viewport={"width": 1280, "height": 900})
    for name, path in MAIN.items():
        _visit(office, one, path)
        one.page.evaluate(STILL, MOMENT[lang])
        one.page.screenshot(path=folder / f"{name}-{lang}.png", full_page=True)
        assert (folder / f"{name}-{lang}.png").stat().st_size > 10_000


def test_what_came_of_a_form_is_read_first(office: Office, admin: Callable[..., Person]) -> None:
    one = admin("en")
    _visit(office, one, f"{PANEL}/settings/edit")
    one.page.fill("[name=horizon_days]", "3")
    one.page.click("button[name=save]")
    alert = one.page.locator("main > [role=alert]")
    assert alert.evaluate("(each) => each === document.activeElement")
    assert one.page.title().startswith("This cannot be done")
    assert one.page.locator("[name=horizon_days]").get_attribute("aria-describedby") == alert.get_attribute("id")
    assert one.serious() == []
    one.complaints.clear()


def test_on_a_phone_the_menu_is_folded_and_the_chart_can_be_read(place: Place, admin: Callable[..., Person]) -> None:
    one = admin("it", viewport={"width": 375, "height": 700})
    assert one.page.locator("header").bounding_box()["height"] < 140  # type: ignore[index]
    assert not one.page.locator("nav a").first.is_visible()
    assert one.page.locator(".chart text:visible").first.bounding_box()["height"] > 8  # type: ignore[index]
    one.page.click(".menu > summary")
    one.page.click("nav a[href='/api/panel/holds']")
    one.page.wait_for_url("**/api/panel/holds")


def test_on_a_phone_nothing_is_cut_off(office: Office, admin: Callable[..., Person]) -> None:
    one = admin("it", viewport={"width": 375, "height": 700})
    wide = []
    for path in PATHS:
        _visit(office, one, path)
        if one.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(path)
    assert wide == []


def test_by_keyboard_alone(place: Place, admin: Callable[..., Person]) -> None:
    """The first stop leads past the menu, and the button that is pressed by Enter does what it says."""
    one = admin("en")
    one.page.keyboard.press("Tab")
    assert one.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    one.page.keyboard.press("Enter")
    for _ in range(30):
        one.page.keyboard.press("Tab")
        if one.page.evaluate("document.activeElement.closest('form')?.id") == "run":
            break
    one.page.keyboard.press("Enter")
    one.page.wait_for_selector(".notice.good")
    place.connector.settle()
