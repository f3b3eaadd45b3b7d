"""What a hostile tester found in the panel: odd queries, secrets that a test loses, old news beside new refusals, forms shown where no page is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.groups import GROUPS
from sync.model import Reason
from tests.contract.api_world import Api
from tests.contract.panel_world import ORIGIN, Browser, Shown
from tests.contract.test_panel_home import HOLD
from tests.interrupting import before_writing
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
    ["path=x", "self=1", "params=2", "said=home", "number=999999999999"],
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
    page = await browser.send(await browser.open(MAPPING), "form#mapping", ("save", "1"), stamp_field="")
    assert page.said.startswith("There was nothing to change")
    assert "nothing to change" not in (await browser.open(MAPPING)).text, "once"
    checked = await browser.send(page, "form#mapping", ("check", "1"))
    assert checked.said.startswith("Nothing is wrong")


async def test_no_link_makes_a_page_say_that_something_was_done(browser: Browser) -> None:
    page = await browser.open("/api/panel?said=home.kill&number=7")
    assert "Everything was stopped" not in page.text


async def test_a_page_that_is_shown_again_says_where_it_is(browser: Browser) -> None:
    page = await browser.open(f"/api/panel/users/{ANNA}")
    refused = await browser.send(page, "form#enable", ("enable", "1"), mailbox="nobody@acme.example")
    assert refused.status >= 400
    assert refused.one("[name=mailbox]")["value"] == "nobody@acme.example"
    assert (await browser.open(str(refused.one("header a[hreflang]")["href"]))).status == 200
    assert refused.one("body")["data-here"] == f"/api/panel/users/{ANNA}"


async def test_a_number_too_long_to_be_one_is_no_failure_of_ours(browser: Browser) -> None:
    page = await browser.open(MAPPING)
    sent = await browser.send(page, "form#mapping", ("save", "1"), confirm="9" * 5000)
    assert sent.status == 200
    assert sent.said.startswith("There was nothing to change")


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
    saved = await browser.send(page, "form#preferences", coloured="on", colour="#00ff00")
    assert saved.said == "The preferences were saved."
    anna = await api.world.users.get(ANNA)
    assert anna is not None
    assert (anna.folder, anna.colour) == ("Scelta da Anna", "#00FF00")


async def test_a_group_is_saved_over_what_was_shown(api: Api, browser: Browser) -> None:
    page = await browser.open("/api/panel/groups/22x3")
    page = await browser.send(page, "form#group", ("find", "1"), search="a")
    await api.ask("group_put", {"members": [BRUNO]}, id="22x3")
    refused = await browser.send(page, "form#group", member=[ANNA])
    assert refused.status == 412
    assert (await api.ask("group", id="22x3"))[1]["members"] == [BRUNO]
    theirs = refused.one("#theirs").get_text()
    assert "Members now: Bruno Verdi." in theirs
    assert "Anna" not in theirs
    assert (await browser.send(refused, "form#group", member=[ANNA])).status == 200, "seen now, and meant"


async def test_a_group_is_not_saved_over_what_was_said_in_the_same_instant(api: Api, browser: Browser) -> None:
    await api.ask("users")
    page = await browser.open("/api/panel/groups/22x3")
    page = await browser.send(page, "form#group", ("find", "1"), search="a")
    before_writing(api.world.rows, GROUPS, lambda: api.ask("group_put", {"members": [BRUNO]}, id="22x3"))
    refused = await browser.send(page, "form#group", member=[ANNA])
    assert refused.status == 412
    assert (await api.ask("group", id="22x3"))[1]["members"] == [BRUNO]
    assert refused.one("#theirs")


async def noted(api: Api) -> list[str]:
    return [line["what"] for line in (await api.ask("audit"))[1]["audit"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "", "Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": ""},
    ],
    ids=str,
)
async def test_no_link_of_another_site_has_names_read_and_noted(
    api: Api, browser: Browser, headers: dict[str, str]
) -> None:
    await api.world.registry.put_hold(HOLD)
    asked = await browser.open(f"/api/panel/holds/{HOLD.id}", **headers)
    assert asked.status == 200
    assert not asked.soup.select("form#answer")
    assert "hold_explain" not in await noted(api)
    shown = await browser.follow(asked, "main a.button")
    assert shown.one("form#answer")
    assert "hold_explain" in await noted(api)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "", "Referer": f"{ORIGIN}/api/panel/holds"},
    ],
)
async def test_our_own_links_and_addresses_that_are_typed_show_at_once(
    api: Api, browser: Browser, headers: dict[str, str]
) -> None:
    await api.world.registry.put_hold(HOLD)
    assert (await browser.open(f"/api/panel/holds/{HOLD.id}", **headers)).one("form#answer")


async def late(browser: Browser, page: Shown, form: str, press: tuple[str, str] | None = None, **changes: str) -> Shown:
    """Send the form after the cookie is gone from which its token was made."""
    browser.forget("vtesync-form")
    return await browser.send(page, form, press, **changes)


async def test_a_form_that_was_open_too_long_comes_back_with_what_was_entered(api: Api, browser: Browser) -> None:
    page = await browser.open(SETTINGS)
    again = await late(browser, page, "form#settings", ("save", "1"), horizon_days="60", client_secret="a-secret~1")
    assert again.status == 403
    assert "nothing was saved" in again.said.lower()
    assert again.one("[name=horizon_days]")["value"] == "60"
    assert "a-secret~1" not in again.source
    assert again.one("[name=client_secret]").has_attr("required")
    assert (await api.world.connector.settings.read()).horizon_days == 90
    saved = await browser.send(again, "form#settings", ("save", "1"), client_secret="a-secret~1")
    assert saved.status == 200
    assert (await api.world.connector.settings.read()).horizon_days == 60


async def test_every_form_with_something_in_it_comes_back(api: Api, browser: Browser) -> None:
    await api.world.registry.put_hold(replace(HOLD, because=Reason.SEVERAL_CANDIDATES, candidates=("4x7", "4x8")))
    page = await browser.open(MAPPING)
    mapped = await late(browser, page, "form#mapping", ("save", "1"), record="4x77", strategy="purge")
    assert mapped.one("[name=record]")["value"] == "4x77"
    assert mapped.one("[name=strategy][checked]")["value"] == "purge"
    group = await late(browser, await browser.open("/api/panel/groups/22x3"), "form#group", organizer=BRUNO)
    assert group.one("[name=organizer][checked]")["value"] == BRUNO
    await api.ask("group_put", {"members": [ANNA]}, id="22x3")
    assert (await browser.send(group, "form#group")).status == 412
    user = await browser.open(f"/api/panel/users/{ANNA}")
    await api.ask("user_put", {"private_events": "none"}, id=ANNA)
    preferred = await late(browser, user, "form#preferences", folder="Mia")
    assert preferred.one("[name=folder]")["value"] == "Mia"
    assert (await browser.send(preferred, "form#preferences")).said == "The preferences were saved."
    anna = (await api.ask("user", id=ANNA))[1]
    assert (anna["folder"], anna["private_events"]) == ("Mia", "none"), "what somebody else chose meanwhile stays"
    paired = await late(browser, user, "form#enable", mailbox="x@acme.example")
    assert paired.one("form#enable [name=mailbox]")["value"] == "x@acme.example"
    hold = await browser.open(f"/api/panel/holds/{HOLD.id}")
    answer = await late(browser, hold, "form#answer", ("approve", "1"), choice="4x8")
    assert answer.one("[name=choice][checked]")["value"] == "4x8"


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
async def test_what_a_foreign_page_sends_is_not_shown_as_if_it_had_been_entered(
    browser: Browser, headers: dict[str, str]
) -> None:
    """Else its values would stand in a form of ours, with a fresh token, one press away from being saved."""
    refused = await browser.post(SETTINGS, {"folder_name": "Planted", "save": "1"}, **headers)
    assert refused.status == 403
    assert "Planted" not in refused.source


async def test_who_is_signed_out_signs_in_and_goes_on_with_what_was_entered(api: Api, browser: Browser) -> None:
    page = await browser.open(SETTINGS)
    browser.forget("vtesync-session", "vtesync-form")
    kept = await browser.send(
        page, "form#settings", ("save", "1"), horizon_days="60", folder_name="<Clienti>", client_secret="a-secret~1"
    )
    assert (kept.status, kept.path) == (403, SETTINGS)
    assert kept.one("a[target=_blank]")["href"].startswith("/api/panel/sign-in")  # type: ignore[union-attr]
    assert "a-secret~1" not in kept.source
    still = await browser.send(kept, "form#kept")
    assert still.one("form#kept [name=horizon_days]")["value"] == "60", "not signed in yet"
    await browser.sign_in()
    again = await browser.send(still, "form#kept")
    assert (again.status, again.one("[name=folder_name]")["value"]) == (403, "<Clienti>")
    assert again.one("[name=client_secret]").has_attr("required")
    saved = await browser.send(again, "form#settings", ("save", "1"), client_secret="a-secret~1")
    assert saved.status == 200
    assert (await api.world.connector.settings.read()).horizon_days == 60


async def test_of_what_a_foreign_page_sends_to_a_stranger_nothing_is_kept(browser: Browser) -> None:
    browser.forget("vtesync-session")
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}):
        asked = await browser.post(SETTINGS, {"folder_name": "Planted", "save": "1"}, **headers)
        assert asked.one("a[target=_blank]")
        assert "Planted" not in asked.source


async def test_on_azure_no_form_is_answered_with_a_way_to_another_site() -> None:
    """Browsers follow none from a form: form-action allows only ourselves."""
    api = Api(World(), ADMIN_TOKEN="", WEBSITE_SITE_NAME="app", WEBSITE_AUTH_ENABLED="true")
    async with Browser(api, token="") as stranger:
        asked = await stranger.post(SETTINGS, {"folder_name": "Clienti"}, **{"Sec-Fetch-Site": "same-origin"})
    assert asked.status == 403, "a 401 the platform would make a redirect of"
    assert asked.one("a[target=_blank]")["href"].startswith("/.auth/login/aad")  # type: ignore[union-attr]
    assert asked.one("[name=folder_name]")["value"] == "Clienti"


@pytest.mark.parametrize("told", ["home", ".x~1", "home.nothing~9", "home.run~999999999999", "home.run~", "~"])
async def test_no_cookie_breaks_a_page(browser: Browser, told: str) -> None:
    browser._client.cookies.set("vtesync-said", told)
    assert (await browser.open("/api/panel")).status == 200
