"""Connect, through our HTTP functions, with real msal, against the Entra and Graph emulators: what works, and everything that must not."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from control.oauth import ROUTES
from control.texts import table
from emulators.corner import Fault
from sync.consent import read_consent
from sync.errors import Cause, ReconnectNeeded, RetryLater, StopConnector
from sync.settings import Settings
from sync.store.base import Row
from sync.store.states import LIFE
from tests.contract.oauth_world import SECRET, TOKEN, Account, Browser, Place, page, town
from tests.unit.control.world import ANNA, BRUNO, CLIENT

GLOBAL_ADMIN = "62e90394-69f5-4237-9190-012177145e10"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def places() -> Iterator[Callable[[bool], Place]]:
    with town() as made:
        yield made


async def opened(place: Place) -> Place:
    await place.set_up()
    return place


@pytest.fixture
async def place(places: Callable[[bool], Place]) -> AsyncIterator[Place]:
    """On Azure, where the platform signs people in."""
    place = await opened(places(True))
    yield place
    await place.connections.aclose()


@pytest.fixture
async def local(places: Callable[[bool], Place]) -> AsyncIterator[Place]:
    place = await opened(places(False))
    yield place
    await place.connections.aclose()


def account(place: Place, name: str) -> Account:
    mail = f"{name}@acme.example"
    found = place.graph.world.at_address(mail)
    return Account(found.id if found else place.graph.add_user(mail, name.title()), mail)


async def bound(place: Place) -> list[Row]:
    return [row for row in place.world.rows.everything() if row.partition not in ("oauth", "audit")]


# what works


async def test_connect_and_synchronise(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    anna = account(place, "anna")
    result = await place.browser(anna).through(anna)
    assert (result.status, result.code) == (200, "connected")
    user = await place.world.users.get(ANNA)
    assert user is not None
    assert (user.mailbox, user.enabled, user.addresses) == (anna.oid, True, ("anna@acme.example",))
    assert place.world.queue.take() == [anna.oid]
    side = await place.connections.mailbox(anna.oid, "")
    assert side.folder_id, "with the user's own tokens"
    stored = await place.tokens.read(anna.oid)
    assert stored is not None
    everything = str(place.world.rows.everything()) + caplog.text
    assert stored.refresh_token not in everything
    assert "acme.example" not in everything


async def test_the_popups_address_goes_to_the_stand_in_and_names_everything(place: Place) -> None:
    anna = account(place, "anna")
    location = await place.browser(anna).connect()
    assert location.startswith(f"{place.entra_url}/{place.entra.tenant}/oauth2/v2.0/authorize?")
    for part in ("prompt=select_account", "code_challenge_method=S256", "offline_access", "nonce=", CLIENT):
        assert part in location
    assert "redirect_uri=https%3A%2F%2Fsync.acme.example%2Fapi%2Foauth%2Fcallback" in location
    for scope in ("Contacts.ReadWrite", "Calendars.ReadWrite", "Tasks.ReadWrite", "MailboxSettings.ReadWrite"):
        assert f"https%3A%2F%2Fgraph.microsoft.com%2F{scope}" in location


async def test_the_page_holds_one_sentence_and_lets_nothing_in(place: Place) -> None:
    anna = account(place, "anna")
    result = await place.browser(anna).through(anna)
    assert table()["outcome"]["connected"]["en"] in result.text
    policy = result.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        inside = result.text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy, "the browser runs exactly what is there"
    assert "frame-ancestors 'none'" in policy
    assert (result.headers["Cache-Control"], result.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    for secret in ("acme.example", anna.oid, "code", ANNA):
        assert secret not in result.text.replace("data-code", "")


async def test_the_cookie_is_for_this_flow_only(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.ask("oauth_connect")
    cookie = answer.headers["Set-Cookie"]
    for part in ("HttpOnly", "Secure", "SameSite=Lax", "Path=/api/oauth", "Max-Age=600"):
        assert part in cookie
    assert len(browser.http.cookies) == 1
    result = await browser.come_back(await browser.sign_in(answer.headers["Location"], anna))
    assert (result.code, len(browser.http.cookies)) == ("connected", 0)


async def test_a_foreign_cookie_that_breaks_the_rules_does_not_hide_ours(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    ((name, value),) = browser.http.cookies.items()
    result = await browser.ask("oauth_callback", answer, Cookie=f"a,b(=[; ;=x; {name}={value}; z")
    assert page(result).code == "connected"


async def test_two_popups_at_once_do_not_disturb_each_other(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    first, second = await browser.connect(), await browser.connect()
    for location in (first, second):
        assert (await browser.come_back(await browser.sign_in(location, anna))).code == "connected"


async def test_where_there_is_no_platform_the_panel_asks_with_its_token(local: Place) -> None:
    anna, browser = account(local, "anna"), local.browser()
    assert (await browser.ask("oauth_connect_post", body={"user": ANNA})).status_code == 401
    answer = await browser.ask("oauth_connect_post", body={"user": ANNA}, **BEARER)
    url = answer.json()["url"]
    assert (await browser.come_back(await browser.sign_in(url, anna))).code == "connected"


# other accounts


async def test_an_administrators_consent_in_the_popup_is_noted_and_binds_nobody(place: Place) -> None:
    anna, boss = account(place, "anna"), replace(account(place, "boss"), wids=("x", GLOBAL_ADMIN))
    result = await place.browser(anna).through(boss)
    assert (result.status, result.code) == (200, "consent_recorded")
    assert 'data-good="no"' in result.text, "the popup stays open: it says to sign in as the mailbox"
    noted = await read_consent(place.world.rows)
    assert noted is not None
    assert (noted.by, noted.how) == (boss.oid, "popup")
    assert await place.tokens.read(boss.oid) is None
    user = await place.world.users.get(ANNA)
    assert user is not None
    assert (user.mailbox, user.enabled) == ("", False)
    assert place.world.queue.take() == []
    assert (await place.browser(anna).through(anna)).code == "connected"


async def test_another_account_in_the_popup_binds_nobody(place: Place) -> None:
    anna, bruno = account(place, "anna"), account(place, "bruno")
    before = await bound(place)
    result = await place.browser(anna).through(bruno)
    assert (result.status, result.code) == (409, "wrong_account")
    assert await bound(place) == before
    assert (await place.browser(anna).through(anna)).code == "connected"


async def test_reconnecting_with_another_account_is_refused(place: Place) -> None:
    anna, bruno = account(place, "anna"), account(place, "bruno")
    await place.browser(anna).through(anna)
    before = await bound(place)
    assert (await place.browser(anna).through(bruno)).code == "wrong_account"
    assert await bound(place) == before
    assert (await place.browser(anna).through(anna)).code == "connected"


async def test_nobody_connects_somebody_elses_user(place: Place) -> None:
    bruno = account(place, "bruno")
    answer = await place.browser(bruno).ask("oauth_connect", {"user": ANNA})
    assert (answer.status_code, page(answer).code) == (404, "no_own_user")
    stranger = account(place, "stranger")
    assert (await place.browser(stranger).ask("oauth_connect")).status_code == 404
    assert (await place.browser().ask("oauth_connect", {"user": BRUNO}, **BEARER)).status_code == 401


# states


async def test_a_replayed_answer_changes_nothing(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    cookies = httpx.Cookies(browser.http.cookies)
    await browser.come_back(answer)
    before, asked = await bound(place), place.entra.corner.total
    browser.http.cookies = cookies
    result = await browser.come_back(answer)
    assert (result.status, result.code) == (400, "state_used")
    assert (await bound(place), place.entra.corner.total) == (before, asked)


@pytest.mark.parametrize("change", ["one letter", "another id", "none", "no signature"])
async def test_a_tampered_state_changes_nothing(place: Place, change: str) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    state = answer["state"]
    changed = {
        "one letter": state[:-1] + ("A" if state[-1] != "A" else "B"),
        "another id": "id99" + state[state.index(".") :],
        "none": "",
        "no signature": state.partition(".")[0],
    }[change]
    before = await bound(place)
    result = await browser.come_back({**answer, "state": changed})
    assert (result.status, result.code) == (400, "state_missing" if change == "none" else "state_tampered")
    assert await bound(place) == before
    assert (await browser.come_back(answer)).code == "connected", "the true one still counts"


async def test_a_callback_without_session_changes_nothing(place: Place, local: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    before = await bound(place)
    assert (await place.browser(anna).come_back(answer)).code == "no_session"
    signed_out = place.browser()
    signed_out.http.cookies = browser.http.cookies
    result = await signed_out.come_back(answer)
    assert (result.status, result.code) == (401, "sign_in_first")
    assert await bound(place) == before
    local_browser = local.browser()
    asked = await local_browser.ask("oauth_connect_post", body={"user": ANNA}, **BEARER)
    answer = await local_browser.sign_in(asked.json()["url"], account(local, "anna"))
    result = await local.browser().come_back(answer)
    assert (result.status, result.code) == (403, "no_session")


async def test_somebody_else_in_front_of_the_same_browser(place: Place) -> None:
    anna, bruno = account(place, "anna"), account(place, "bruno")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    browser.signs_in_as(place.browser(bruno))
    before = await bound(place)
    result = await browser.come_back(answer)
    assert (result.status, result.code) == (403, "state_of_another")
    assert await bound(place) == before


async def test_too_late(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    place.world.time += LIFE + timedelta(seconds=1)
    assert (await browser.come_back(answer)).code == "state_expired"


async def test_a_code_of_another_flow_does_not_fit_its_verifier(place: Place) -> None:
    """PKCE: somebody slips a code of an own sign-in into Anna's browser."""
    anna, bruno = account(place, "anna"), account(place, "bruno")
    browser, thief = place.browser(anna), place.browser(bruno)
    stolen = await thief.sign_in(await thief.connect(), bruno)
    state = (await browser.sign_in(await browser.connect(), anna))["state"]
    before = await bound(place)
    assert (await browser.come_back({**stolen, "state": state})).code == "code_refused"
    assert await bound(place) == before


# the organisation's consent


async def asked_for_consent(browser: Browser) -> dict[str, str]:
    answer = await browser.ask("oauth_consent")
    assert answer.status_code == 302
    location = urlsplit(answer.headers["Location"])
    assert location.path.endswith("/v2.0/adminconsent")
    return dict(parse_qsl(location.query))


async def test_an_admin_asks_for_the_consent_of_the_organisation(place: Place) -> None:
    browser = place.browser(account(place, "bruno"), admin=True)
    asked = await asked_for_consent(browser)
    assert (asked["client_id"], asked["scope"]) == (CLIENT, "https://graph.microsoft.com/.default")
    assert asked["redirect_uri"] == "https://sync.acme.example/api/oauth/consent-callback"
    given = {"tenant": place.entra.tenant, "state": asked["state"], "admin_consent": "True"}
    result = page(await browser.ask("oauth_consent_callback", given))
    assert (result.status, result.code) == (200, "consent_given")
    noted = await read_consent(place.world.rows)
    assert noted is not None
    assert (noted.tenant, noted.how) == (place.entra.tenant, "admin_consent")
    assert page(await browser.ask("oauth_consent_callback", given)).code in ("state_used", "no_session")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": "access_denied", "error_description": "AADSTS65004: x"}, "declined"),
        ({"tenant": "99999999-2222-4333-8444-555555555555", "admin_consent": "True"}, "other_tenant"),
    ],
)
async def test_a_consent_that_was_not_given_here(place: Place, answer: dict[str, str], code: str) -> None:
    browser = place.browser(account(place, "bruno"), admin=True)
    asked = await asked_for_consent(browser)
    result = page(await browser.ask("oauth_consent_callback", {"state": asked["state"], **answer}))
    assert (result.status, result.code) == (409, code)
    assert await read_consent(place.world.rows) is None


async def test_the_answer_to_a_consent_connects_nobody_and_nobody_else_asks_for_one(place: Place) -> None:
    anna = account(place, "anna")
    assert (await place.browser(anna).ask("oauth_consent")).status_code == 404
    browser = place.browser(anna, admin=True)
    asked = await asked_for_consent(browser)
    result = await browser.come_back({"state": asked["state"], "code": "c"})
    assert (result.status, result.code) == (400, "state_unknown")


async def test_refusals_come_as_problems_where_json_is_spoken(local: Place) -> None:
    answer = await local.browser().ask("oauth_connect_post", body={"user": "19x999"}, **BEARER)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "no_own_user"
    for body in ([], {"user": 5}):
        answer = await local.browser().ask("oauth_connect_post", body=body, **BEARER)
        assert (answer.status_code, answer.json()["code"]) == (415, "json_needed")
    await local.world.settings.save(Settings(), None)
    answer = await local.browser().ask("oauth_connect_post", body={"user": ANNA}, **BEARER)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_delegated")


# what Entra refuses


@pytest.mark.parametrize(
    ("error", "description", "code"),
    [
        ("access_denied", "AADSTS65004: User declined to consent to access the app.", "declined"),
        ("access_denied", "AADSTS90095: Admin consent is required for the permissions.", "consent_needed"),
        ("interaction_required", "AADSTS50105: The user is not assigned to a role.", "not_assigned"),
        ("invalid_request", "<script>alert(1)</script>", "code_refused"),
    ],
)
async def test_refusals_of_the_authorize_page(place: Place, error: str, description: str, code: str) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    state = (await browser.sign_in(await browser.connect(), anna))["state"]
    before = await bound(place)
    result = await browser.come_back({"state": state, "error": error, "error_description": description})
    assert (result.status, result.code) == (409, code)
    assert "alert" not in result.text
    assert await bound(place) == before


async def test_entra_out_of_order(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna)
    place.entra.corner.add_fault(Fault("status", 503, body="<html>Busy</html>"), match="token", times=9)
    result = await browser.come_back(answer)
    assert (result.status, result.code) == (503, "entra_unreachable")
    assert answer["code"] not in caplog.text
    assert await place.tokens.read(anna.oid) is None


async def test_less_was_granted_than_is_needed(place: Place) -> None:
    anna = account(place, "anna")
    browser = place.browser(anna)
    answer = await browser.sign_in(await browser.connect(), anna, ("User.Read", "openid", "offline_access"))
    assert (await browser.come_back(answer)).code == "scopes_missing"


# later


async def test_a_refresh_token_that_expired_means_reconnect_at_once(place: Place) -> None:
    anna = account(place, "anna")
    await place.browser(anna).through(anna)
    place.entra.directory.revoke(anna.oid)
    for _ in range(3):
        with pytest.raises(ReconnectNeeded):
            await place.connections.mailbox(anna.oid, "")
    stored = await place.tokens.read(anna.oid)
    assert stored is not None
    assert stored.state == "reconnect"
    asked = place.entra.corner.total
    with pytest.raises(ReconnectNeeded):
        await place.connections.mailbox(anna.oid, "")
    assert place.entra.corner.total == asked, "Entra is not asked again"
    assert (await place.browser(anna).through(anna)).code == "connected"
    assert (await place.connections.mailbox(anna.oid, "")).folder_id


async def test_ninety_days_of_silence(place: Place) -> None:
    anna = account(place, "anna")
    await place.browser(anna).through(anna)
    place.entra.clock.advance(91 * 24 * 3600)
    place.world.pass_time(91 * 24 * 60)
    with pytest.raises(ReconnectNeeded):
        await place.connections.mailbox(anna.oid, "")


async def test_tokens_rotate_with_every_renewal(place: Place) -> None:
    anna = account(place, "anna")
    await place.browser(anna).through(anna)
    seen = set()
    for _ in range(4):
        await place.connections.mailbox(anna.oid, "")
        stored = await place.tokens.read(anna.oid)
        assert stored is not None
        seen.add(stored.refresh_token)
        place.world.pass_time(60)
        place.entra.clock.advance(3600)
    assert len(seen) == 4


async def test_a_mailbox_is_read_with_its_own_tokens_only(place: Place) -> None:
    anna, bruno = account(place, "anna"), account(place, "bruno")
    for each in (anna, bruno):
        await place.browser(each).through(each)
    annas, brunos = await place.connections.graph(anna.oid), await place.connections.graph(bruno.oid)
    assert annas is not brunos
    assert await place.connections.graph(anna.oid) is annas
    refused = await annas.read(f"/users/{bruno.oid}/contactFolders", where="test")
    assert getattr(refused, "status", 0) == 403
    place.world.pass_time(16)
    await place.connections.graph(bruno.oid)
    assert await place.connections.graph(anna.oid) is not annas, "idle ones are closed"


async def test_the_check_proves_tenant_application_and_secret(place: Place) -> None:
    await place.connections.check_mailboxes()
    place.entra.directory.app(CLIENT).secrets.clear()
    place.entra.directory.app(CLIENT).secrets["another"] = place.entra.clock.now().timestamp() + 1e9
    with pytest.raises(StopConnector) as stop:
        await place.connections.check_mailboxes()
    assert stop.value.cause is Cause.SECRET_WRONG
    place.entra.directory.app(CLIENT).secrets[SECRET] = place.entra.clock.now().timestamp() - 1
    with pytest.raises(StopConnector) as stop:
        await place.connections.check_mailboxes()
    assert stop.value.cause is Cause.SECRET_EXPIRED
    place.entra.corner.add_fault(Fault("drop"), times=9)
    with pytest.raises(RetryLater):
        await place.connections.check_mailboxes()


async def test_a_mailbox_is_paired_by_id_where_the_application_may_read_nobody(place: Place) -> None:
    anna = account(place, "anna")
    assert (await place.connections.resolve_mailbox(anna.oid)).id == anna.oid


@pytest.mark.parametrize("name", [name for name, *_ in ROUTES])
async def test_nobody_gets_in_unknown(place: Place, local: Place, name: str) -> None:
    post = {"body": {}} if name.endswith("_post") else {}
    answer = await place.browser().ask(name, **post)
    assert answer.status_code == 401
    if not name.endswith("callback"):
        assert (await local.browser().ask(name, **post)).status_code == 401
    assert not place.world.queue.messages


async def test_the_popup_speaks_the_language_that_was_chosen_in_the_panel(place: Place) -> None:
    headers = {"Accept-Language": "en-GB", "Cookie": "vtesync-lang=it"}
    answer = await place.browser().ask("oauth_callback", {"lang": ""}, **headers)
    assert table()["error"]["sign_in_first"]["it"] in answer.text
