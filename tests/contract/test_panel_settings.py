"""The settings' pages: read-only first, changed over the version that was read, tried before they are saved; the predecessor's labels (SPEC 4.4)."""

from __future__ import annotations

import pytest

from sync.settings import Settings
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.unit.control.world import ANNA, ANNAS

PATH = "/api/panel/settings"
EDIT = f"{PATH}/edit"
FORM = "form#settings"


async def test_read_only_first_with_the_predecessors_labels(api: Api) -> None:
    async with Browser(api, "it") as browser:
        page = await browser.open(PATH)
        assert not page.soup.select("main input")
        assert page.one('a[href="/api/panel/settings/edit"]').get_text() == "Modifica"
        labels = (
            "ELIMINAZIONE CONTATTI", "VERBOSE LOG", "NOME SERVER", "VERSIONE", "CLIENT ID", "CLIENT SECRET", "SINCRONIZZAZIONE CONTATTI",
            "SINCRONIZZAZIONE EVENTI", "SINCRONIZZAZIONE COMPITI", "SINCRONIZZAZIONE AZIENDE", "UTENTE ASSEGNATO AL CONTATTO",
            "EXCHANGE SYNC DATA", "IMPOSTAZIONE DELLA SINCRONIZZAZIONE",
        )  # fmt: skip
        assert [label for label in labels if label not in page.text.upper()] == []


async def test_what_differs_is_saved_and_the_rest_stays(api: Api, browser: Browser) -> None:
    page = await browser.open(EDIT)
    done = await browser.send(
        page,
        FORM,
        ("save", "1"),
        horizon_days="120",
        kinds__event__winner="latest",
        kinds__task__to_crm=None,
        delete_contacts="on",
    )
    assert (done.status, done.path.partition("?")[0]) == (200, PATH)
    assert done.said.startswith("Saved.")
    saved = (await api.world.connector.settings.read()).model_dump(mode="json")
    assert (saved["horizon_days"], saved["delete_contacts"]) == (120, True)
    assert (saved["kinds"]["event"]["winner"], saved["kinds"]["task"]["to_crm"]) == ("latest", False)
    assert saved["kinds"]["contact"]["to_crm"] is None, "what was not touched is not chosen"


async def test_a_wrong_value_is_refused_at_its_field_and_what_was_entered_stays(browser: Browser) -> None:
    page = await browser.open(EDIT)
    again = await browser.send(page, FORM, ("save", "1"), horizon_days="3", folder_name="Clienti")
    assert again.status == 400
    assert "Field “Series: days ahead”: at least 7" in again.said
    assert again.one('[aria-invalid="true"]')["name"] == "horizon_days"
    assert again.one("[name=folder_name]")["value"] == "Clienti"
    assert (await browser.send(again, FORM, ("save", "1"), horizon_days="30")).status == 200


async def test_exchange_2016_and_a_secrets_id_are_refused_with_the_reason(browser: Browser) -> None:
    page = await browser.open(EDIT)
    assert "EWS" in (await browser.send(page, FORM, ("save", "1"), version="2016")).said
    id_ = "99999999-2222-4333-8444-555555555555"
    refused = await browser.send(page, FORM, ("save", "1"), client_secret=id_)
    assert "not its id" in refused.said
    assert id_ not in refused.source, "a secret is not shown again, not even a wrong one"


async def test_somebody_else_saved_meanwhile(api: Api, browser: Browser) -> None:
    page = await browser.open(EDIT)
    await api.ask("settings_put", {"horizon_days": 45})
    refused = await browser.send(page, FORM, ("save", "1"), horizon_days="60")
    assert refused.status == 412
    assert refused.one("#theirs li").get_text() == "Series: days ahead: 45"
    assert (await browser.send(refused, FORM, ("save", "1"))).status == 412, "until it is opened again"
    again = await browser.follow(refused, "#theirs a")
    assert again.one("[name=horizon_days]")["value"] == "45"
    assert (await api.world.connector.settings.read()).horizon_days == 45


async def test_a_secret_goes_in_and_never_out(api: Api, browser: Browser) -> None:
    page = await browser.open(EDIT)
    done = await browser.send(
        page, FORM, ("save", "1"), client_secret="a-secret-of-a-tenant", client_secret_expires="2031-01-31"
    )
    assert "a-secret-of-a-tenant" not in done.source
    assert "set; it is never shown" in done.text
    assert (await api.world.connector.settings.sign_in()).client_secret == "a-secret-of-a-tenant"
    again = await browser.open(EDIT)
    assert again.one("[name=client_secret]")["value"] == ""
    await browser.send(again, FORM, ("save", "1"), horizon_days="50")
    assert (await api.world.connector.settings.sign_in()).client_secret == "a-secret-of-a-tenant", (
        "an empty field is no change"
    )


async def test_both_connections_are_tried_before_anything_is_saved(api: Api, browser: Browser) -> None:
    page = await browser.open(EDIT)
    tried = await browser.send(page, FORM, ("try", "1"), horizon_days="77")
    assert tried.said.startswith("Both connections work")
    assert tried.one("[name=horizon_days]")["value"] == "77"
    assert (await api.world.connector.settings.read()).horizon_days == 90


async def test_a_form_of_a_foreign_page_changes_nothing(api: Api, browser: Browser) -> None:
    page = await browser.open(EDIT)
    fields = [(name, value) for name, value in page.fields(FORM) if name != "form_token"]
    data = {**dict(fields), "horizon_days": "10", "save": "1"}
    assert (await browser.post(EDIT, data)).status == 403, "no token"
    assert (await browser.post(EDIT, {**data, "form_token": "x"})).status == 403
    token = page.one(f"{FORM} [name=form_token]")["value"]
    assert (await browser.post(EDIT, {**data, "form_token": token}, **{"Sec-Fetch-Site": "cross-site"})).status == 403
    async with Browser(api) as other:
        assert (await other.post(EDIT, {**data, "form_token": token})).status == 403, "the token of another browser"
    assert (await api.world.connector.settings.read()).horizon_days == 90
    assert (await browser.post(EDIT, {**data, "form_token": token})).status == 200, "and with all of it, it does"


async def test_a_refusal_is_in_the_language_of_the_page_and_calls_fields_as_the_page_does(api: Api) -> None:
    async with Browser(api, "it") as browser:
        page = await browser.open(EDIT)
        refused = await browser.send(page, FORM, ("save", "1"), kinds__event__winner="nobody")
        assert "Campo «Sincronizzazione eventi: Modificati entrambi: chi vince»: una delle parole" in refused.said
        assert " or " not in refused.said
        lines = await browser.send(page, FORM, ("save", "1"), allow_list=f"anna@acme.example\n{'x' * 400}")
        assert "Campo «Solo queste caselle, riga 2»: un testo di al massimo 320 caratteri" in lines.said
        assert lines.one('[aria-invalid="true"]')["name"] == "allow_list"


async def test_an_allow_list_of_ten_thousand_mailboxes_is_edited(api: Api, browser: Browser) -> None:
    ids = tuple(f"{number:08d}-0000-4000-8000-000000000000" for number in range(10_000))
    await api.world.settings.save(Settings(allow_list=ids), None)
    page = await browser.open(EDIT)
    done = await browser.send(page, FORM, ("save", "1"), allow_list="\r\n".join(ids[:-1]))
    assert done.said.startswith("Saved.")
    assert (await api.world.settings.read()).allow_list == ids[:-1]
    status, problem = await api.ask("settings_put", {"allow_list": [*ids, "one-more"]})
    assert (status, problem["field"], problem["reason"]) == (400, "allow_list", "a list of at most 10000")
    assert (await api.ask("settings_put", {"allow_list": list(ids[::-1][1:])}))[0] == 200
    assert (await api.world.settings.read()).allow_list == ids[::-1][1:]


async def test_a_new_secret_keeps_the_day_that_stands_beside_it(api: Api, browser: Browser) -> None:
    await api.ask("settings_put", {"client_secret": "one-secret-value", "client_secret_expires": "2031-01-31"})
    page = await browser.open(EDIT)
    await browser.send(page, FORM, ("save", "1"), client_secret="another-secret-value")
    assert str((await api.world.connector.settings.read()).client_secret_expires) == "2031-01-31", "as was shown"


async def test_of_a_new_secret_and_the_tick_that_removes_the_saved_one_the_new_one_counts(
    api: Api, browser: Browser
) -> None:
    await api.ask("settings_put", {"client_secret": "one-secret-value"})
    page = await browser.open(EDIT)
    await browser.send(page, FORM, ("save", "1"), client_secret="another-secret-value", forget_secret="on")
    assert (await api.world.connector.settings.sign_in()).client_secret == "another-secret-value"
    await browser.send(await browser.open(EDIT), FORM, ("save", "1"), forget_secret="on")
    assert (await api.world.connector.settings.sign_in()).client_secret != "another-secret-value"


@pytest.mark.parametrize(
    ("expires", "said", "silent"),
    [("2026-03-12", "Days left: 10.", ()), ("2026-02-20", "has expired", ("Days left", "-"))],
)
async def test_how_long_the_secret_still_works(
    api: Api, browser: Browser, expires: str, said: str, silent: tuple[str, ...]
) -> None:
    await api.ask("settings_put", {"client_secret": "one-secret-value", "client_secret_expires": expires})
    for page in (await browser.open("/api/panel"), await browser.open(PATH)):
        (line,) = [
            each.get_text(" ", strip=True) for each in page.soup.select(".notice, .hint") if "secret" in each.text
        ]
        assert said in line
        assert not any(word in line for word in silent)


async def test_the_admins_mailbox_and_user_are_called_by_name(api: Api, browser: Browser) -> None:
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    await api.ask("settings_put", {"contact_target": "admin", "admin_mailbox": ANNAS, "admin_user": ANNA})
    assert (await browser.open(PATH)).text.count("Anna Rossi, anna@acme.example") == 2
