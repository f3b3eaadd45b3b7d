"""Every page in both languages: nobody is kept out (axe-core), nothing complains, light and dark, on a phone; pictures of the main ones.

`make screenshots` keeps the pictures in docs/screenshots; else they go where pytest puts its files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.chromium import Person
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
VALUES = "the first of the values"
"""Of an item's history; their address is known only there."""
OTHERS = (
    f"{PANEL}/mailboxes", f"{PANEL}/holds", f"{PANEL}/calendar-mapping", f"{PANEL}/groups", f"{PANEL}/settings", f"{PANEL}/audit",
    f"{PANEL}/mapping/company", f"{PANEL}/users/{{user}}/removal", f"{PANEL}/users/{{user}}/disconnect", f"{PANEL}/users/{{user}}/export-events",
    f"{PANEL}/history?mailbox={{mailbox}}&family=people&id={{contact}}", VALUES,
)  # fmt: skip


def _path(place: Place, path: str) -> str:
    return place.stack.urls["host"] + path.format(
        user=place.owners[0], mailbox=place.mailboxes[0], contact=place.contacts[0]
    )


@pytest.fixture(scope="module")
def edited(place: Place) -> Place:
    """One contact has a history, with values."""
    place.edit(0)
    place.connector.settle()
    return place


def _visit(place: Place, one: Person, path: str) -> None:
    """A page that is there."""
    if path == VALUES:
        _visit(place, one, f"{PANEL}/history?mailbox={{mailbox}}&family=people&id={{contact}}")
        path = one.page.locator("td a.button").first.get_attribute("href") or ""
    answer = one.page.goto(_path(place, path))
    assert answer is not None
    assert answer.status == 200, path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["it", "en"])
def test_pages_keep_nobody_out(edited: Place, admin: Callable[..., Person], lang: str, scheme: str) -> None:
    one = admin(lang, color_scheme=scheme)
    found: dict[str, list[str]] = {}
    for path in (*MAIN.values(), *OTHERS):
        _visit(edited, one, path)
        assert one.page.locator("html").get_attribute("lang") == lang
        if serious := one.serious():
            found[path] = serious
    assert found == {}


@pytest.mark.parametrize("lang", ["it", "en"])
def test_pictures_of_the_main_pages(place: Place, admin: Callable[..., Person], lang: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    one = admin(lang, viewport={"width": 1280, "height": 900})
    for name, path in MAIN.items():
        one.page.goto(_path(place, path))
        one.page.screenshot(path=folder / f"{name}-{lang}.png", full_page=True)
        assert (folder / f"{name}-{lang}.png").stat().st_size > 10_000


def test_what_came_of_a_form_is_read_first(place: Place, admin: Callable[..., Person]) -> None:
    one = admin("en")
    one.page.goto(_path(place, f"{PANEL}/settings/edit"))
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


def test_on_a_phone_nothing_is_cut_off(edited: Place, admin: Callable[..., Person]) -> None:
    one = admin("it", viewport={"width": 375, "height": 700})
    wide = []
    for path in (*MAIN.values(), *OTHERS):
        _visit(edited, one, path)
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
