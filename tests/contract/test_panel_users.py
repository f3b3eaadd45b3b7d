"""Directory, one user, the own page: pairing, preferences, removal with its counts, Connect - and nobody sees what is another's (SPEC 5)."""

from __future__ import annotations

import pytest

from control.texts import sentence, text
from sync.events import event_translator
from sync.model import Family, Kind
from sync.policy import NO_CALENDAR
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.contract.test_exports_api import Calendars, event, runs
from tests.contract.test_own_page import AZURE, signed_in
from tests.unit.control.world import ANNA, ANNAS, BRUNO, BRUNOS, World
from tests.unit.test_leaving import CARDS, link

USERS = "/api/panel/users"


@pytest.fixture
async def api() -> Api:
    """The directory was read."""
    api = Api(World())
    await api.ask("users")
    return api


async def test_the_directory_is_paged_and_searched(browser: Browser) -> None:
    page = await browser.open(USERS)
    assert [row.th.a.get_text() for row in page.soup.select("tbody tr")] == [
        "Anna Rossi",
        "Bruno Verdi",
        "Carla Neri",
        "Dario Blu",
    ]  # type: ignore[union-attr]
    first = await browser.open(f"{USERS}?limit=2")
    second = await browser.open(str(first.one("a[rel=next]")["href"]))
    assert [row.th.a.get_text() for row in second.soup.select("tbody tr")] == ["Carla Neri", "Dario Blu"]  # type: ignore[union-attr]
    found = await browser.open(f"{USERS}?search=VERDI")
    assert [row.th.a.get_text() for row in found.soup.select("tbody tr")] == ["Bruno Verdi"]  # type: ignore[union-attr]
    assert "No user was found" in (await browser.open(f"{USERS}?search=zzz")).text


async def test_pair_enable_disconnect_and_unpair(api: Api, browser: Browser) -> None:
    page = await browser.open(f"{USERS}/{ANNA}")
    assert page.one("form#enable [name=mailbox]")["value"] == "anna@acme.example", "the CRM's address is suggested"
    done = await browser.send(page, "form#enable", ("enable", "1"))
    assert done.said.startswith("The mailbox is paired")
    assert done.one("#connection .badge").get_text() == "works"
    assert ANNAS in done.source
    asked = await browser.open(str(done.one("a[href$=disconnect]")["href"]))
    assert "deletes nothing" in asked.text
    gone = await browser.send(asked, "form#disconnect")
    assert gone.said.startswith("The mailbox was disconnected")
    assert (await browser.send(gone, "form[action$=unpair]")).said == "The pairing was forgotten."
    user = await api.world.users.get(ANNA)
    assert user is not None
    assert (user.mailbox, user.enabled) == ("", False)


async def test_a_mailbox_that_is_not_there_is_refused_with_a_sentence(browser: Browser) -> None:
    page = await browser.open(f"{USERS}/{ANNA}")
    refused = await browser.send(page, "form#enable", ("enable", "1"), mailbox="nobody@acme.example")
    assert refused.status >= 400
    assert refused.said
    assert refused.one("form#enable")


async def test_preferences_with_the_start_frozen_once_connected(api: Api, browser: Browser) -> None:
    page = await browser.open(f"{USERS}/{ANNA}")
    saved = await browser.send(
        page,
        "form#preferences",
        sync_start="2026-01-01",
        private_events="none",
        resource="on",
        coloured="on",
        colour="#00ff00",
    )
    assert saved.said == "The preferences were saved."
    user = await api.world.users.get(ANNA)
    assert user is not None
    assert (user.sync_start, user.private_events, user.resource, user.colour) == ("2026-01-01", "none", True, "#00FF00")
    assert saved.one("[name=coloured]").has_attr("checked")
    plain = await browser.send(saved, "form#preferences", coloured=None)
    assert (await api.ask("user", id=ANNA))[1]["colour"] == "", "none is a tick, not black"
    black = await browser.send(plain, "form#preferences", coloured="on", colour="#000000")
    assert (await api.ask("user", id=ANNA))[1]["colour"] == "#000000"
    await browser.send(black, "form#enable", ("enable", "1"))
    connected = await browser.open(f"{USERS}/{ANNA}")
    assert connected.one("[name=sync_start]").has_attr("disabled")
    data = {"form_token": connected.one("form#preferences [name=form_token]")["value"], "sync_start": "2020-01-01"}
    refused = await browser.post(f"{USERS}/{ANNA}", data)
    assert refused.status == 409, "whatever a page sends"


async def test_what_is_frozen_and_what_the_settings_say_is_shown_to_admins_too(api: Api) -> None:
    await api.ask("settings_put", {"sync_start": "2024-05-01", "private_events": "full", "folder_name": "Clienti"})
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    async with Browser(api, "it") as browser:
        bruno = await browser.open(f"{USERS}/{BRUNO}")
        assert "Vuoto: come nelle impostazioni, 01/05/2024." in bruno.one("form#preferences").get_text()
        assert bruno.one("[name=folder]")["placeholder"] == "Clienti"
        assert "come nelle impostazioni: tutto" in bruno.one("[name=private_events]").get_text()
        assert not bruno.one("[name=folder]").has_attr("disabled")
        await link(api.world, Family.PEOPLE, *CARDS)
        assert (await browser.open(f"{USERS}/{ANNA}")).one("[name=folder]").has_attr("disabled")


async def test_a_removal_shows_what_it_does_and_needs_that_number(api: Api, browser: Browser) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    page = await browser.open(f"{USERS}/{ANNA}/removal")
    assert page.one("form#removal [name=confirm]")["value"] == "0"
    wrong = await browser.send(page, "form#removal", confirm="7")
    assert wrong.status == 409
    done = await browser.send(wrong, "form#removal")
    assert done.said.startswith("The removal was ordered")
    assert done.one("#connection .badge").get_text() in ("being removed", "removed")
    assert (await browser.send(done, "form[action$=undo]")).status == 200


async def test_a_dry_run_is_shown_on_the_page(api: Api, browser: Browser) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    page = await browser.open(f"{USERS}/{ANNA}")
    shown = await browser.send(page, "form[action$=preview]")
    assert shown.one("#previewed")
    assert "both sides are equal" in shown.text


async def test_a_group_gets_members_that_were_searched_for(api: Api, browser: Browser) -> None:
    await api.ask("users")
    page = await browser.open("/api/panel/groups/22x3")
    assert "Vendite" in page.text
    page = await browser.send(page, "form#group", ("find", "1"), search="a")
    assert {str(each["value"]) for each in page.soup.select("[name=member]")} >= {ANNA, BRUNO}
    done = await browser.send(page, "form#group", member=[ANNA, BRUNO], organizer=BRUNO)
    assert done.said.startswith("The group was saved")
    assert done.one("[name=organizer][checked]")["value"] == BRUNO
    assert (await api.ask("group", id="22x3"))[1]["members"] == [ANNA, BRUNO]
    listed = await browser.open("/api/panel/groups")
    assert "Vendite" in listed.text


async def test_a_search_forgets_no_tick(api: Api, browser: Browser) -> None:
    await api.ask("group_put", {"members": ["19x7"]}, id="22x3")
    page = await browser.open("/api/panel/groups/22x3")
    anna = await browser.send(page, "form#group", ("find", "1"), search="anna")
    bruno = await browser.send(anna, "form#group", ("find", "1"), member=[ANNA], organizer=ANNA, search="bruno")
    assert [str(each["value"]) for each in bruno.soup.select("[name=member][checked]")] == [ANNA]
    assert bruno.one("[name=organizer][checked]")["value"] == ANNA
    assert {str(each["value"]) for each in bruno.soup.select("[name=member]")} == {"19x7", ANNA, BRUNO}
    assert (await api.ask("group", id="22x3"))[1]["members"] == ["19x7"], "a search saves nothing"
    await browser.send(bruno, "form#group", member=[ANNA, BRUNO])
    assert (await api.ask("group", id="22x3"))[1]["members"] == [ANNA, BRUNO]


async def test_what_somebody_else_said_during_a_search_is_not_saved_over(api: Api, browser: Browser) -> None:
    page = await browser.open("/api/panel/groups/22x3")
    await api.ask("group_put", {"members": [BRUNO]}, id="22x3")
    found = await browser.send(page, "form#group", ("find", "1"), search="anna")
    assert (await browser.send(found, "form#group", member=[ANNA])).status == 412


async def test_a_large_group_is_shown_with_all_its_members() -> None:
    """Some of them are in the directory no more."""
    api = Api(World())
    await api.ask("users")
    members = (ANNA, *(f"19x{number}" for number in range(100, 350)))
    await api.world.groups.change(
        "22x3", name="Vendite", members=members, exists=True, read_at="2026-03-02T08:00:00+00:00"
    )
    async with Browser(api) as browser:
        page = await browser.open("/api/panel/groups/22x3")
    assert len(page.soup.select("[name=member]")) == len(members)
    assert "Anna Rossi" in page.text


async def test_who_gave_which_command(browser: Browser) -> None:
    page = await browser.open(f"{USERS}/{ANNA}")
    await browser.send(page, "form#enable", ("enable", "1"))
    audit = await browser.open("/api/panel/audit")
    assert audit.soup.select("tbody tr td")[1].get_text() == "User changed: pairing, enabling, preferences"
    assert "Anna" not in audit.text


async def test_the_own_page_shows_the_own_user_only() -> None:
    api = Api(World(), **AZURE)
    admin = signed_in("an-admin", admin=True)
    await api.raw("users", admin)
    for user in (ANNA, BRUNO):
        await api.raw("user_put", admin, b'{"enabled": true}', route={"id": user})
    headers = {"X-MS-CLIENT-PRINCIPAL": signed_in(ANNAS)["X-MS-CLIENT-PRINCIPAL"]}
    async with Browser(api, "it", token="") as browser:
        browser._client.headers.update(headers)
        assert (await browser.open("/api/panel")).path == "/api/my", "who is no admin lands on the own page"
        page = await browser.open("/api/my")
        assert "anna@acme.example" in page.text
        assert "bruno" not in page.source.lower()
        assert not page.soup.select("nav")
        assert "Risorsa No Colore nessuno" in page.one("form#preferences").get_text(" ", strip=True)
        assert not page.soup.select("[name=resource], [name=colour], [name=coloured]")
        assert page.one("[name=sync_start]").has_attr("disabled")
        saved = await browser.send(page, "form#preferences", private_events="full")
        assert saved.said == "Le preferenze sono state salvate."
        for path in (USERS, f"{USERS}/{BRUNO}", "/api/panel/settings", "/api/panel/audit"):
            assert (await browser.open(path)).status == 403
        data = {"form_token": page.one("form#preferences [name=form_token]")["value"], "enable": "1"}
        assert (await browser.post(f"{USERS}/{BRUNO}/enable", data)).status == 403
    mine = await api.world.users.get(ANNA)
    assert mine is not None
    assert mine.private_events == "full"


async def test_whoever_is_no_user_of_the_crm_is_told_so() -> None:
    api = Api(World(), **AZURE)
    headers = {"X-MS-CLIENT-PRINCIPAL": signed_in("0000000c-0000-4000-8000-000000000000")["X-MS-CLIENT-PRINCIPAL"]}
    async with Browser(api, token="") as browser:
        browser._client.headers.update(headers)
        page = await browser.open("/api/my")
    assert (page.status, page.said) == (404, sentence("error", "no_own_user", "en"))
    assert page.one("header a[href^='/.auth/logout']"), "and may try another account"


async def test_whom_an_admin_disconnects_cannot_connect_alone_and_all_are_told_so() -> None:
    api = Api(World(), **AZURE)
    admin = signed_in("an-admin", admin=True)
    await api.raw("users", admin)
    await api.raw("settings_put", admin, b'{"sign_in_mode": "delegated"}')
    await api.raw("user_put", admin, b'{"enabled": true}', route={"id": BRUNO})
    async with Browser(api, token="") as browser:
        browser._client.headers.update({"X-MS-CLIENT-PRINCIPAL": admin["X-MS-CLIENT-PRINCIPAL"]})
        page = await browser.open(f"{USERS}/{BRUNO}")
        assert page.soup.select("a[data-popup]")
        asked = await browser.follow(page, "a[href$=disconnect]")
        assert text("users.disconnect_bars", "en") in asked.text
        gone = await browser.send(asked, "form#disconnect")
        assert text("users.barred", "en") in gone.text
        assert not gone.soup.select("a[data-popup]")
        browser._client.headers.update({"X-MS-CLIENT-PRINCIPAL": signed_in(BRUNOS)["X-MS-CLIENT-PRINCIPAL"]})
        own = await browser.open("/api/my")
        assert sentence("error", "user_barred", "en") in own.text
        assert not own.soup.select("a[data-popup]")


async def test_in_delegated_mode_the_own_page_connects_and_disconnects() -> None:
    api = Api(World(), **AZURE)
    admin = signed_in("an-admin", admin=True)
    await api.raw("users", admin)
    await api.raw("user_put", admin, b'{"enabled": true}', route={"id": BRUNO})
    await api.raw("settings_put", admin, b'{"sign_in_mode": "delegated"}')
    async with Browser(api, token="") as browser:
        browser._client.headers.update({"X-MS-CLIENT-PRINCIPAL": signed_in(BRUNOS)["X-MS-CLIENT-PRINCIPAL"]})
        page = await browser.open("/api/my")
        assert page.one("a[data-popup]")["href"] == "/api/oauth/connect"
        asked = await browser.open(str(page.one("a[href$=disconnect]")["href"]))
        assert (await browser.send(asked, "form#disconnect")).said.startswith("Your mailbox was disconnected")


async def test_coming_events_are_exported_after_a_look_at_what_that_does() -> None:
    world = World()
    world.translators = {**world.translators, Kind.EVENT: event_translator(NO_CALENDAR.zone)}
    api = Api(world)
    await api.ask("users")
    for subject in ("a1", "a2"):
        event(world, ANNA, subject)
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    async with Browser(api) as browser:
        page = await browser.open(f"{USERS}/{ANNA}")
        path = str(page.one("a[href$=export-events]")["href"])
        early = await browser.open(path)
        assert early.status == 409, "the first import has not ended"
        assert early.said
        await runs(api, Calendars(world))
        shown = await browser.open(path)
        assert shown.one("form#export [name=confirm]")["value"] == "2"
        assert shown.one("form#export button").get_text() == "Export 2"
        assert (await browser.send(shown, "form#export", confirm="7")).status == 409, "another number than was shown"
        assert (await browser.send(shown, "form#export")).said.startswith("Ordered: 2")
