"""Every label of the predecessor's manual page is found in the Italian panel: today's admins and users feel at home."""

from __future__ import annotations

import json

import pytest

from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.contract.test_own_page import AZURE, signed_in
from tests.unit.control.world import ANNA, ANNAS, World

PANEL = (
    "Pannello di controllo", "Cron Jobs", "ExchangeControlCron", "Attivo", "Last Run", "KILL", "Ripristina stato", "Ripristina tentativi", "300 s",
    "Modifica", "Eliminazione contatti", "Verbose Log", "Nome server", "Versione", "Client ID", "Client Secret",
    "Impostazione della Sincronizzazione",
    "Setup server e autenticazione oAuth2 per O365", "Nome", "Stato", "Run", "Verbose Log (Debug)", "Utente su cui sincronizzare", "per: admin",
    "Sincronizzazione contatti", "Sincronizzazione eventi", "Sincronizzazione compiti",
    "Sincronizzazione aziende", "VTE → Office 365", "Office 365 → VTE", "Utente assegnato al contatto", "Mappatura campi Exchange",
    "Mappatura campi Calendario", "Data inizio", "Data fine", "Soggetto", "Luogo", "Descrizione", "Visibilità", "Importanza", "Invia promemoria",
    "Risorsa", "Colore", "Exchange Sync Data", "Versione Office365", "Versione 2016", "Indirizzo e-mail 2",
    "acconsenti per conto dell'organizzazione",
)  # fmt: skip
PATHS = ("", "/settings", "/settings/edit", "/mapping/contact", "/calendar-mapping", f"/users/{ANNA}")


async def test_labels_of_the_panel() -> None:
    async with Browser(Api(World()), "it") as browser:
        await browser.open("/api/panel/users")
        texts = [(await browser.open(f"/api/panel{path}")).text.lower() for path in PATHS]
    assert len(set(texts)) == len(PATHS)
    assert [label for label in PANEL if not any(label.lower() in text for text in texts)] == []


@pytest.mark.parametrize("mode", ["application", "delegated"])
async def test_labels_of_the_users_preferences(mode: str) -> None:
    api = Api(World(), **AZURE)
    await api.raw("users", signed_in("an-admin", admin=True))
    async with Browser(api, "it", token="") as browser:
        browser._client.headers.update({"X-MS-CLIENT-PRINCIPAL": signed_in(ANNAS)["X-MS-CLIENT-PRINCIPAL"]})
        await api.raw("settings_put", signed_in("an-admin", admin=True), json.dumps({"sign_in_mode": mode}).encode())
        who = {"enabled": True} if mode == "application" else {"mailbox": "anna@acme.example"}
        await api.raw("user_put", signed_in("an-admin", admin=True), json.dumps(who).encode(), route={"id": ANNA})
        page = await browser.open("/api/my")
    for label in (
        "Exchange Connector",
        "Exchange Sync Data",
        "Rubrica",
        "La data non è modificabile una volta effettuata la connessione",
    ):
        assert label in page.text
    buttons = [each.get_text().strip() for each in page.soup.select("a[data-popup]")]
    assert buttons == (["Connect"] if mode == "delegated" else [])
