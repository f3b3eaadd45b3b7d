"""The mapping editor: typed lists, a refused pair, a real item there and back, saved with a strategy over what was read (SPEC 3)."""

from __future__ import annotations

import pytest

from sync.mappings import Mappings
from sync.model import Family, Kind
from tests.contract.api_world import Api
from tests.contract.panel_world import Browser, Shown
from tests.unit.control.world import ANNA, World
from tests.unit.test_leaving import CARDS, link

PATH = "/api/panel/mapping/contact"
FORM = "form#mapping"


@pytest.fixture
async def api() -> Api:
    api = Api(World())
    await api.ask("user_put", {"enabled": True}, id=ANNA)
    return api


def chosen(page: Shown, name: str) -> list[str]:
    return [value for field, value in page.fields(FORM) if field == name]


def moved(page: Shown, crm: str, mailbox: str) -> list[str]:
    """The second column with the partner of one field changed."""
    return [
        mailbox if each == crm else kept
        for each, kept in zip(chosen(page, "crm"), chosen(page, "mailbox"), strict=True)
    ]


async def saved(api: Api) -> dict[str, str]:
    return {pair.crm: pair.mailbox for pair in (await Mappings(api.world.rows).of(Kind.CONTACT))[-1].mapping.pairs}


async def test_a_pair_of_different_types_is_refused_at_its_row(api: Api, browser: Browser) -> None:
    page = await browser.open(PATH)
    refused = await browser.send(page, FORM, ("check", "1"), mailbox=moved(page, "email", "birthday"))
    assert refused.said.startswith("This mapping cannot be used")
    wrong = {
        str(row.select_one("[name=crm] [selected]")["value"]): row.get_text() for row in refused.soup.select("tr.wrong")
    }  # type: ignore[index]
    assert "fields of different type cannot be paired" in wrong["email"]
    again = await browser.send(page, FORM, ("save", "1"), mailbox=moved(page, "email", "birthday"))
    assert again.status == 400
    assert [row.select_one("[name=crm] [selected]")["value"] for row in again.soup.select("tr.wrong")] == [
        "email",
        "birthday",
    ]  # type: ignore[index]
    commands = [line["what"] for line in (await api.ask("audit"))[1]["audit"]]
    assert commands.count("mapping_check") == 1, "only the check that was asked for"
    assert (await saved(api))["email"] == "emailAddresses#1"


async def test_only_types_that_fit_are_offered(browser: Browser) -> None:
    page = await browser.open(PATH)
    options = {
        str(o["value"]): str(o.get("data-types"))
        for o in page.soup.select(f"{FORM} tbody tr")[0].select("[name=crm] option")
    }
    assert options["email"] == "email"
    assert options["salutationtype"] == "text choice"
    partners = {
        str(o["value"]): str(o.get("data-types")).split(" ")
        for o in page.soup.select(f"{FORM} tbody tr")[0].select("[name=mailbox] option[value]")
    }
    assert [name for name, types in partners.items() if options["account_id"] in types] == ["companyName"]
    assert partners["companyName"][0] == "text"


async def test_moved_added_and_removed_pairs_are_saved(api: Api, browser: Browser) -> None:
    page = await browser.open(PATH)
    crm, mailbox = chosen(page, "crm"), moved(page, "mobile", "homePhones#2")
    crm[-3], mailbox[-3] = "otherpobox", "officeLocation"
    drop = str(crm.index("fax"))
    done = await browser.send(page, FORM, ("save", "1"), crm=crm, mailbox=mailbox, drop=drop)
    assert done.said.startswith("The mapping was saved")
    now = await saved(api)
    assert (now["mobile"], now["otherpobox"], "fax" in now) == ("homePhones#2", "officeLocation", False)
    assert "0 of 1 mailboxes done" in done.text


async def test_rows_can_be_added_without_losing_what_was_entered(browser: Browser) -> None:
    page = await browser.open(PATH)
    more = await browser.send(page, FORM, ("more", "1"), mailbox=moved(page, "mobile", "homePhones#2"))
    assert len(more.soup.select(f"{FORM} tbody tr")) > len(page.soup.select(f"{FORM} tbody tr"))
    assert "homePhones#2" in chosen(more, "mailbox")


async def test_somebody_else_saved_meanwhile(api: Api, browser: Browser) -> None:
    page = await browser.open(PATH)
    other = await browser.open(PATH)
    await browser.send(other, FORM, ("save", "1"), mailbox=moved(other, "mobile", "homePhones#2"))
    late = await browser.send(page, FORM, ("save", "1"), mailbox=moved(page, "phone", "businessPhones#2"))
    assert late.status == 412
    theirs = [each.get_text() for each in late.soup.select("#theirs li")]
    assert "mobile homePhones#2 both ways, always" in theirs
    assert "phone businessPhones#2 both ways, always" in theirs
    assert (await browser.follow(late, "#theirs a")).status == 200
    assert (await saved(api))["mobile"] == "homePhones#2"


async def test_with_nothing_linked_there_is_no_preview_and_the_page_says_so(browser: Browser) -> None:
    page = await browser.open(PATH)
    shown = await browser.send(page, FORM, ("preview", "1"))
    assert shown.status == 409
    assert shown.said


async def test_a_pair_is_named_by_its_row(api: Api) -> None:
    async with Browser(api, "it") as browser:
        page = await browser.open(PATH)
        direction = ["both", "sideways", *chosen(page, "direction")[2:]]
        refused = await browser.send(page, FORM, ("check", "1"), direction=direction)
        assert "Campo «riga 2, Direzione»: uno tra" in refused.said
        row = chosen(page, "crm").index("email") + 1
        mailbox = moved(page, "email", "birthday")
        wrong = await browser.send(page, FORM, ("save", "1"), mailbox=mailbox)
        assert f"Campo «riga {row}»:" in wrong.said
        assert "~" not in wrong.said


@pytest.mark.parametrize("press", ["save", "check", "preview"])
async def test_a_pair_that_lacks_a_field_is_marked_and_nobody_is_asked(api: Api, browser: Browser, press: str) -> None:
    page = await browser.open(PATH)
    crm, mailbox = chosen(page, "crm"), chosen(page, "mailbox")
    crm[-2] = "otherpobox"
    refused = await browser.send(page, FORM, (press, "1"), crm=crm, mailbox=mailbox)
    assert refused.status == 400
    assert "a pair needs a field of each side" in refused.one("tr.wrong").get_text()
    assert refused.one("tr.wrong [name=crm] [selected]")["value"] == "otherpobox"
    assert not [line for line in (await api.ask("audit"))[1]["audit"] if line["what"].startswith("mapping_")]


async def test_saving_what_is_in_force_says_that_there_was_nothing_to_change(browser: Browser) -> None:
    page = await browser.open(PATH)
    saved_ = await browser.send(page, FORM, ("save", "1"))
    assert saved_.said.startswith("There was nothing to change")
    assert not saved_.soup.select("#resync progress")


async def test_enter_in_the_field_of_the_record_previews(browser: Browser) -> None:
    page = await browser.open(PATH)
    assert page.soup.select(f"{FORM} button")[0]["name"] == "preview"


async def test_both_strategies_are_shown_with_their_counts_and_purge_is_confirmed(api: Api, browser: Browser) -> None:
    await link(api.world, Family.PEOPLE, *CARDS)
    page = await browser.open(PATH)
    assert "Cards to be" not in page.text
    mailbox = moved(page, "mobile", "homePhones#2")
    counted = await browser.send(page, FORM, ("count", "1"), mailbox=mailbox)
    assert "Cards to be rewritten: 3." in counted.text
    assert "Cards to be deleted and made again: 2." in counted.text
    asked = await browser.send(page, FORM, ("save", "1"), mailbox=mailbox, strategy="purge")
    assert asked.status == 409
    assert "Cards to be rewritten: 3." in asked.text
    assert (await saved(api))["mobile"] != "homePhones#2"
    done = await browser.send(asked, FORM, ("save", "1"), confirm=str(asked.one("[name=confirm]")["value"]))
    assert done.said.startswith("The mapping was saved")
    assert (await saved(api))["mobile"] == "homePhones#2"
