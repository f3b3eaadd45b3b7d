"""A mailbox's page: what was given up, an item's history, values that are shown on request, restores (SPEC 4.6)."""

from __future__ import annotations

from control.texts import sentence
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser
from tests.contract.test_control_journal import api  # noqa: F401 - a fixture: Anna's mailbox with one edit and one item that was given up
from tests.unit.control.world import ANNAS

BOX = f"/api/panel/mailboxes/{ANNAS}"


async def test_from_a_given_up_item_to_its_retry(browser: Browser) -> None:
    page = await browser.open(BOX)
    assert "12x9" in page.one("#unsettled").get_text()
    done = await browser.send(page, "#unsettled td form")
    assert done.said == "1 items are tried again."
    assert "12x9" not in done.one("#unsettled").get_text()
    assert "12x9" in (await browser.open(f"{BOX}?because=all")).one("#unsettled").get_text()


async def test_values_are_on_a_page_of_their_own_and_can_be_restored(browser: Browser, api: Api) -> None:  # noqa: F811
    page = await browser.open(BOX)
    form = page.one("form#find")
    history = await browser.open(f"{form['action']}?mailbox={ANNAS}&family=people&id=12x1")
    assert "Rossi" not in history.source
    foreign = await browser.open(str(history.one("td a.button")["href"]), **{"Sec-Fetch-Site": "cross-site"})
    assert "Rossi" not in foreign.source, "a look that is noted is nobody else's to order"
    values = await browser.follow(foreign, "main a.button")
    assert values.soup.select_one("tbody tr").get_text(" ", strip=True) == "crm:a~b Rossi Verdi"  # type: ignore[union-attr]
    done = await browser.send(values, "form#restore", name="crm:a~b")
    assert done.said.startswith("Ordered: 1.")
    assert "waits for the next run" in done.text
    _, audit = await api.ask("audit")
    assert {"journal_values", "journal_restore"} <= {line["what"] for line in audit["audit"]}


async def test_a_whole_run_is_restored(browser: Browser) -> None:
    history = await browser.open(f"/api/panel/history?mailbox={ANNAS}&family=people&id=12x1")
    run = await browser.open(str(history.one("a.small")["href"]))
    assert "What run 7 took away" in run.text
    assert (await browser.send(run, "form#restore-run")).said.startswith("Ordered: 1.")
    nothing = await browser.send(run, "form#restore-run", run="8")
    assert (nothing.status, nothing.said) == (409, sentence("error", "nothing_to_restore", "en"))


async def test_what_was_done_is_said_in_words(api: Api) -> None:  # noqa: F811
    async with Browser(api, "it") as browser:
        for path in (
            f"/api/panel/history?mailbox={ANNAS}&family=people&id=12x1",
            f"/api/panel/journal?mailbox={ANNAS}&family=people&run=7",
        ):
            page = await browser.open(path)
            done = [row.select("td")[1].get_text(" ", strip=True) for row in page.soup.select("tbody tr")]
            assert done
            assert all(each.startswith("modificato") for each in done)
