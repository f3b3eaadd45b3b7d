"""What updates by itself: all that moves is in such a part, and the script that asks for these parts is sent nothing else."""

from __future__ import annotations

from collections import Counter

import pytest

from sync.model import Kind, Side
from sync.store import tally
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser, Shown
from tests.unit.control.world import ANNA, ANNAS, BRUNO, World

HOME = "/api/panel"
LIVE = {"X-Live": "1"}
PAGES = (HOME, f"{HOME}/mailboxes", f"{HOME}/mailboxes/{ANNAS}", f"{HOME}/mapping/contact", f"{HOME}/mapping/company")


@pytest.fixture
async def api() -> Api:
    api = Api(World())
    for user in (ANNA, BRUNO):
        await api.ask("user_put", {"enabled": True}, id=user)
    return api


def parts(page: Shown) -> dict[str, str]:
    return {str(each["id"]): str(each) for each in page.soup.select("[data-live][id]")}


@pytest.mark.parametrize("path", PAGES)
async def test_the_script_is_sent_the_parts_that_the_page_has_and_nothing_else(browser: Browser, path: str) -> None:
    page, live = await browser.open(path), await browser.open(path, **LIVE)
    assert (live.status, parts(live)) == (200, parts(page))
    assert parts(page)
    for each in live.soup.select("[data-live][id]"):
        each.decompose()
    assert not live.soup.get_text().strip()
    assert not live.soup.select("html, head, nav, h1")


async def test_the_mapping_is_not_read_only_to_say_how_far_a_resynchronisation_is(api: Api, browser: Browser) -> None:
    api.world.servers.asked.clear()
    live = await browser.open(f"{HOME}/mapping/contact", **LIVE)
    assert "catalogs" not in api.world.servers.asked
    assert len(live.source) < 1000


async def test_on_the_first_page_counts_chart_and_trouble_update_by_themselves(api: Api, browser: Browser) -> None:
    before = parts(await browser.open(HOME))
    await api.world.registry.change_mailbox(
        ANNAS, state="error", cause="folder_deleted", holder="w", expires="2030-01-01T00:00:00+00:00"
    )
    await tally.add(api.world.rows, ANNAS, api.world.now(), Counter({(Side.MAILBOX, Kind.CONTACT, "created"): 40}))
    now = parts(await browser.open(HOME, **LIVE))
    assert "40 to Exchange" in now["day"]
    assert "Anna Rossi" in now["mailboxes"]
    assert "Anna Rossi" not in before["mailboxes"]
    assert {name for name in before if now[name] != before[name]} >= {
        "kill-does",
        "restore-state-does",
        "day",
        "mailboxes",
    }


async def test_a_session_that_is_over_is_said_to_the_script_too(browser: Browser) -> None:
    browser.forget("vtesync-session")
    assert (await browser.open(HOME, **LIVE)).path.startswith("/api/panel/sign-in")
