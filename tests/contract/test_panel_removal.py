"""What the panel says while a removal was cut off and nothing has gone on yet: something, on every page, and "removed" only when it is true."""

from __future__ import annotations

import json
from itertools import count

from control.texts import sentence
from sync import commands
from sync.leaving_commands import remove_user
from sync.model import Family, Kind, Link, Side
from sync.settings_commands import change_settings
from sync.store.ledger import MailboxLedger
from tests.contract.api_world import Api, worker_of
from tests.contract.panel_world import Browser, Shown
from tests.contract.test_own_page import AZURE, signed_in
from tests.interrupting import Died, dies_at
from tests.unit.control.world import ANNA, ANNAS, World
from tests.unit.test_leaving import link

USER, BOX = f"/api/panel/users/{ANNA}", f"/api/panel/mailboxes/{ANNAS}"
PAGES = (USER, BOX, "/api/panel", "/api/panel/users", "/api/panel/mailboxes", "/api/panel/holds", "/api/panel/audit")
CARDS = 3


async def about_to_leave() -> Api:
    """Anna's mailbox holds linked cards, all of which are to be deleted with her."""
    world = World()
    await world.connector.refresh_directory()
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    await change_settings(world.connector, {"delete_contacts": True, "delete_contacts_scope": "linked"})
    there = [world.cards[ANNAS].add({"givenName": "Bruno", "surname": f"Verdi {n}"}) for n in range(CARDS)]
    links = [Link(ANNAS, Kind.CONTACT, f"4x{n}", card.id, Side.CRM) for n, card in enumerate(there)]
    await link(world, Family.PEOPLE, *links)
    return Api(world)


def badges(page: Shown) -> set[str]:
    return {each.get_text() for each in page.soup.select(".badge")}


async def is_over(world: World) -> bool:
    """Nothing of the mailbox is left to do."""
    cards = [card for card in world.cards[ANNAS].cards.values() if card.place == "folder"]
    return not cards and not [each async for each in MailboxLedger(world.rows, ANNAS, 0, "").links()]


async def looked_at(api: Api) -> list[str]:
    """What is wrong on the pages."""
    row, over = await api.world.mailbox(), await is_over(api.world)
    expected = "removed" if row.state == "removed" else "being removed"
    wrong: list[str] = []
    async with Browser(api) as browser:
        for path in PAGES:
            page = await browser.open(path)
            if page.status != 200 or not page.one("h1").get_text() or len(page.one("main").get_text().split()) < 5:
                wrong.append(f"{path} says nothing: {page.status}")
            if path in (USER, BOX) and expected not in badges(page):
                wrong.append(f"{path} shows {badges(page)}")
            if "removed" in badges(page) and not over:
                wrong.append(f"{path} says removed")
        (when,) = [p for p in (await browser.open(USER)).soup.select("p") if p.get_text().startswith("Removal ordered")]
        if not any(c.isdigit() for c in when.get_text()):
            wrong.append("nobody says since when")
        again = await browser.open(f"{USER}/removal")
        if again.status != 409 or sentence("error", "nothing_to_remove", "en") not in again.text:
            wrong.append(f"a second removal: {again.status} {again.text}")
    own = await Api(api.world, **AZURE).raw("me", signed_in(ANNAS))
    said = json.loads(own.get_body())["state"]
    if said != {"removed": "removed", "being removed": "leaving"}[expected]:
        wrong.append(f"the own page says {said}")
    return wrong


async def test_between_a_crash_in_a_removal_and_the_next_run_no_page_is_blank_or_says_that_it_is_over() -> None:
    wrong: list[str] = []
    early = 0
    for number in count(1):
        api = await about_to_leave()
        await remove_user(api.world.connector, ANNA, CARDS)
        dies_at(api.world.rows, number)
        try:
            await worker_of(api.world).run(ANNAS)
        except Died:
            early += not await is_over(api.world)
        else:
            break
        wrong += [f"write {number}: {each}" for each in await looked_at(api)]
        api.world.pass_time(20)  # the lease of the dead ends
        while (await api.world.mailbox()).clearing:
            await worker_of(api.world).run(ANNAS)
        wrong += [f"after write {number}: {each}" for each in await looked_at(api)]
        if not await is_over(api.world):
            wrong.append(f"after write {number}: not over")
    assert wrong == []
    assert early > 5, "there were crashes before the end"


async def test_an_order_that_was_cut_off_is_never_shown_as_a_removal() -> None:
    """Until the mailbox's row says so nothing is removed; whoever ordered it can order it again from the same page."""
    for number in (1, 2):
        api = await about_to_leave()
        dies_at(api.world.rows, number)
        try:
            await remove_user(api.world.connector, ANNA, CARDS)
        except Died:
            pass
        else:
            raise AssertionError("it was not cut off")
        async with Browser(api) as browser:
            for path in PAGES:
                page = await browser.open(path)
                assert page.status == 200, path
                assert not {"removed", "being removed"} & badges(page), (number, path)
            done = await browser.send(await browser.open(f"{USER}/removal"), "form#removal")
            assert done.said.startswith("The removal was ordered")
            assert "being removed" in badges(done)
