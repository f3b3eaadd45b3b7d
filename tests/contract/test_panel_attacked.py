"""What a hostile tester found in the panel: odd queries, secrets that a test loses, old news beside new refusals, forms shown where no page is."""

from __future__ import annotations

import pytest

from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.unit.control.world import ANNA, BRUNO, World

SETTINGS, MAPPING = "/api/panel/settings/edit", "/api/panel/mapping/contact"


@pytest.fixture
async def api() -> Api:
    """The directory was read."""
    api = Api(World())
    await api.ask("users")
    return api


@pytest.mark.parametrize(
    "query",
    ["path=x", "self=1", "params=2", "said=home", "said=.x", "said=home.nothing&number=9", "number=999999999999"],
)
async def test_no_query_breaks_a_page(api: Api, browser: Browser, query: str) -> None:
    assert (await browser.open(f"/api/panel?{query}")).status in (200, 400)
    async with Browser(api, token="") as stranger:
        assert (await stranger.open(f"/api/panel?{query}")).one("input[name=token]")


async def test_a_secret_that_was_tried_is_asked_for_again_before_it_is_saved(browser: Browser) -> None:
    page = await browser.open(SETTINGS)
    tried = await browser.send(page, "form#settings", ("try", "1"), client_secret="a-new-secret~1", forget_secret="on")
    assert "enter it again" in tried.text
    assert tried.one("[name=client_secret]").has_attr("required")
    assert "a-new-secret~1" not in tried.source
    assert not page.one("[name=client_secret]").has_attr("required")


async def test_what_was_saved_is_not_said_again_of_another_form(api: Api, browser: Browser) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    page = await browser.open(f"{MAPPING}?said=mapping.saved")
    assert page.said.startswith("The mapping was saved")
    checked = await browser.send(page, "form#mapping", ("check", "1"))
    assert checked.said.startswith("Nothing is wrong")


async def test_a_page_that_is_shown_again_says_where_it_is(browser: Browser) -> None:
    page = await browser.open(f"/api/panel/users/{ANNA}")
    refused = await browser.send(page, "form#enable", ("enable", "1"), mailbox="nobody@acme.example")
    assert refused.status >= 400
    assert refused.one("[name=mailbox]")["value"] == "nobody@acme.example"
    assert (await browser.open(str(refused.one("header a[hreflang]")["href"]))).status == 200
    assert refused.one("body")["data-here"] == f"/api/panel/users/{ANNA}"


async def test_a_number_too_long_to_be_one_is_no_failure_of_ours(browser: Browser) -> None:
    page = await browser.open(MAPPING)
    assert (await browser.send(page, "form#mapping", ("save", "1"), confirm="9" * 5000)).status in (200, 400, 409)


async def test_a_refused_mapping_marks_its_rows(browser: Browser) -> None:
    page = await browser.open(MAPPING)
    mailbox = [value for name, value in page.fields("form#mapping") if name == "mailbox"]
    crm = [value for name, value in page.fields("form#mapping") if name == "crm"]
    mailbox[crm.index("email")] = "birthday"
    refused = await browser.send(page, "form#mapping", ("save", "1"), mailbox=mailbox)
    assert refused.status == 400
    assert refused.soup.select("tr.wrong")


async def test_what_somebody_else_chose_meanwhile_stays(api: Api, browser: Browser) -> None:
    page = await browser.open(f"/api/panel/users/{ANNA}")
    await api.ask("user_put", {"folder": "Scelta da Anna"}, id=ANNA)
    saved = await browser.send(page, "form#preferences", colour="#00ff00")
    assert saved.said == "The preferences were saved."
    anna = await api.world.users.get(ANNA)
    assert anna is not None
    assert (anna.folder, anna.colour) == ("Scelta da Anna", "#00FF00")


async def test_a_group_is_saved_over_what_was_shown(api: Api, browser: Browser) -> None:
    page = await browser.open("/api/panel/groups/22x3?search=a")
    await api.ask("group_put", {"members": [BRUNO]}, id="22x3")
    refused = await browser.send(page, "form#group", member=[ANNA])
    assert refused.status == 412
    assert (await api.ask("group", id="22x3"))[1]["members"] == [BRUNO]
    assert (await browser.send(refused, "form#group", member=[ANNA])).status == 200, "seen now, and meant"
