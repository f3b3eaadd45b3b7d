"""What an admin does in the panel: kill and restore, a mapping with a refused pair, a hold that is approved, a first filling watched to its end."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.chromium import Person
from tests.browser.question import Question
from tests.e2e.company import FOLDER, USERS
from tests.e2e.connector import wait_for
from tests.e2e.hands import Refused
from tests.e2e.test_bad_input import Place

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("browser")]

PANEL = "/api/panel"


def _open(place: Place, one: Person, path: str) -> None:
    one.page.goto(place.stack.urls["host"] + path)


def test_kill_and_restore(place: Place, admin: Callable[..., Person]) -> None:
    one = admin("it")
    expect(one.page.locator("#state .badge").first).to_have_text("attivo")
    one.page.click("form#kill button")
    expect(one.page.locator(".notice.good")).to_contain_text("Tutto fermato")
    expect(one.page.locator("#state .badge").first).to_have_class(re.compile("killed"))
    assert place.whole()["state"] == "killed"
    one.page.click("form#restore-state button")
    expect(one.page.locator(".notice.good")).to_contain_text("Entrambe le connessioni funzionano")
    assert place.whole()["state"] == "running"
    place.connector.settle()
    place.is_well()


def test_a_pair_of_different_types_is_not_offered_and_refused_when_sent(
    place: Place, admin: Callable[..., Person]
) -> None:
    one = admin("en")
    _open(place, one, f"{PANEL}/mapping/contact")
    row = one.page.locator(
        "form#mapping tbody tr", has=one.page.locator('select[name=crm] option[value="mobile"]:checked')
    )
    mailbox = row.locator("select[name=mailbox]")
    assert mailbox.locator('option[value="birthday"]').is_disabled()
    assert row.locator("select[name=crm] option[value=birthday]").is_disabled(), "and the other way round"
    company = one.page.locator("form#mapping tbody tr", has=one.page.locator('option[value="account_id"]:checked'))
    offered = company.locator("select[name=mailbox] option:not([hidden])")
    assert offered.evaluate_all("(all) => all.map((each) => each.value)") == ["", "companyName"]
    assert not mailbox.locator('option[value="homePhones#2"]').is_disabled()
    mailbox.evaluate(
        "(select) => { for (const option of select.options) option.disabled = false; select.value = 'birthday'; }"
    )
    one.page.click("button[name=save]")
    expect(one.page.locator("[role=alert]")).to_contain_text("fields of different type cannot be paired")
    assert any("400" in each for each in one.complaints), "the browser notes the refusal of its request"
    one.complaints.clear()


def test_a_mapping_is_tried_on_a_real_item_and_saved(place: Place, admin: Callable[..., Person]) -> None:
    phone = place.edit(0)
    place.connector.settle()
    one = admin("it")
    _open(place, one, f"{PANEL}/mapping/contact")
    row = one.page.locator(
        "form#mapping tbody tr", has=one.page.locator('select[name=crm] option[value="phone"]:checked')
    )
    row.locator("select[name=mailbox]").select_option("businessPhones#2")
    one.page.fill("input[name=record]", place.contacts[0])
    one.page.keyboard.press("Enter")
    expect(one.page.locator("#previewed")).to_contain_text(phone)
    expect(row.locator("select[name=mailbox]")).to_have_value("businessPhones#2")
    one.page.click("button[name=save]")
    expect(one.page.locator(".notice.good")).to_contain_text("La mappatura è stata salvata")
    expect(one.page.locator("#resync")).to_contain_text("0 caselle su 2")
    place.connector.settle()
    expect(one.page.locator("#resync progress")).to_have_count(0)
    row = one.page.locator(
        "form#mapping tbody tr", has=one.page.locator('select[name=crm] option[value="phone"]:checked')
    )
    row.locator("select[name=mailbox]").select_option("businessPhones#1")
    one.page.click("button[name=save]")
    expect(one.page.locator(".notice.good")).to_be_visible()
    place.is_well()


def test_a_hold_is_approved(place: Place, admin: Callable[..., Person]) -> None:
    """A card that could be either of two contacts: nothing is written before somebody says which one it is."""
    asked = Question.of(place)
    one_id, _ = asked.contacts
    one = admin("en")
    one.page.click("nav a[href='/api/panel/holds']")
    one.page.click(f"main a[href$='{asked.hold}']")
    expect(one.page.locator("#items")).to_contain_text("Ugo Doppio")
    one.page.check(f"input[name=choice][value='{one_id}']")
    one.page.click("button[name=approve]")
    expect(one.page.locator(".notice.good")).to_contain_text("Approved for 24 hours")
    place.connector.settle()
    place.crm.edit(one_id, phone="0541 1")
    place.connector.settle()
    cards = [each for each in place.outlook.cards(place.mailboxes[0], FOLDER) if each["surname"] == "Doppio"]
    told = [(each["id"], each["department"], each["businessPhones"], each["createdDateTime"]) for each in cards]
    joined = [each for each in cards if each["businessPhones"] == ["0541 1"]]
    assert (len(cards), len(joined)) == (2, 1), told
    asked.withdraw(place)


def paired(place: Place, owner: str, mailbox: str) -> bool:
    """Pair a user whom the directory may not show yet."""
    try:
        place.connector.pair(owner, mailbox)
    except Refused as refused:
        if refused.status != 404:
            raise
        return False
    return True


def test_a_page_that_cannot_be_kept_fresh_says_so_and_goes_on(place: Place, admin: Callable[..., Person]) -> None:
    one = admin("it")
    one.page.clock.install()
    _open(place, one, f"{PANEL}/mailboxes")
    asked: list[str] = []
    one.page.route("**/api/panel/mailboxes", lambda route: (asked.append(route.request.url), route.abort()))
    stale = one.page.locator("main > .stale")
    for number in range(1, 4):
        assert stale.count() == 0
        one.page.clock.run_for(5_000 * 2 ** (number - 1))
        wait_for(f"request {number}", lambda number=number: one.page.wait_for_timeout(50) or len(asked) == number, 10)
    expect(stale).to_contain_text("non è aggiornata")
    one.page.unroute("**/api/panel/mailboxes")
    one.page.clock.run_for(40_000)
    expect(stale).to_have_count(0)
    one.complaints.clear()


def test_a_first_filling_is_watched_to_its_end(place: Place, admin: Callable[..., Person]) -> None:
    """Nobody reloads the page: it shows the progress by itself, and in the end that all is well."""
    user = USERS[2]
    (owner,) = place.crm.users([user.as_vtenext()])
    mailbox = place.outlook.user(user.mail, user.name)
    place.crm.records("Contacts", [{"lastname": f"Primo {n}", "assigned_user_id": owner} for n in range(900)])
    place.outlook.slow_down(round_trip_ms=60, service_ms=60)
    one = admin("it")
    _open(place, one, f"{PANEL}/mailboxes")
    wait_for(
        "the new user to be known: the directory is read anew once a minute", lambda: paired(place, owner, mailbox), 75
    )
    one.page.reload()
    row = one.page.locator("#mailboxes tbody tr", has_text=user.name)
    expect(row.locator("progress")).to_be_visible(timeout=60_000)
    expect(row).to_contain_text(re.compile(r"Prima sincronizzazione: [\d.]+ di 900"))
    place.outlook.slow_down()
    expect(row.locator("progress")).to_have_count(0, timeout=90_000)
    expect(row.locator(".badge")).to_have_text("funziona", timeout=30_000)
    expect(row.locator("time")).to_be_visible(timeout=30_000)
    assert len(place.outlook.cards(mailbox, FOLDER)) == 900
    place.connector.settle()


def test_a_form_outlives_its_session(place: Place, admin: Callable[..., Person]) -> None:
    """Signed out while the settings were being edited: the browser follows where it may, and nothing that was entered is lost."""
    one = admin("it")
    _open(place, one, f"{PANEL}/settings/edit")
    secret = one.page.locator("[name=client_secret]")
    one.page.fill("[name=folder_name]", "Clienti & <amici>")
    secret.fill("un-segreto~nuovo")
    one.context.clear_cookies()
    one.page.click("button[name=save]")
    expect(one.page.locator("h1")).to_have_text("L'accesso è scaduto")
    assert "un-segreto" not in one.page.content()
    with one.context.expect_page() as opened:
        one.page.click("main a.button")
    other = opened.value
    other.fill("input[name=token]", place.stack.token)
    other.click("main form button")
    other.wait_for_url("**/api/panel")
    other.close()
    one.page.click("form#kept button")
    expect(one.page.locator("[role=alert]")).to_contain_text("Non è stato salvato nulla")
    expect(one.page.locator("[name=folder_name]")).to_have_value("Clienti & <amici>")
    expect(one.page.locator(".notice.warn", has_text="segreto").first).to_be_visible()
    assert secret.evaluate("(field) => field.required")
    one.page.fill("[name=folder_name]", FOLDER)
    secret.evaluate("(field) => { field.required = false; }")
    one.page.click("button[name=save]")
    expect(one.page.locator(".notice.good")).to_be_visible()
    assert all("403" in each for each in one.complaints), one.complaints
    one.complaints.clear()
