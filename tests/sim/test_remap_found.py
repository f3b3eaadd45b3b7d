"""What a change of the mapping must survive: comparisons that are half done, and runs that are about to begin."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from mapping.contacts import CONTACTS
from mapping.model import FieldPair
from mapping.rules import FieldMapping
from sync.model import Kind, Link, Side
from sync.setup import Setup
from sync.store.ledger import MailboxLedger
from sync.store.remnants import put_remnant, remnants
from tests.sim.world import World

ANNA, ANNAS = "19x1", "mailbox-a"
OTHERS = (pair for pair in CONTACTS.pairs if pair.crm != "mobile")
MOVED = FieldMapping("contact", (*OTHERS, FieldPair("mobile", "homePhones#2")))
"""The mobile phone lives elsewhere on the card."""


async def filled(contacts: int) -> World:
    """Anna's mailbox holds that many contacts of the CRM."""
    world = World({ANNA: ANNAS})
    await world.connect()
    for number in range(contacts):
        world.crm.add(Kind.CONTACT, ANNA, {"lastname": f"Rossi {number}", "mobile": f"+39 {number}"})
    await world.settle(3)
    return world


def where(world: World) -> set[tuple[bool, bool]]:
    """(has a mobile phone, has a home phone) of all cards."""
    cards = world.mailboxes[ANNAS].cards.values()
    return {(bool(card.fields.get("mobilePhone")), bool(card.fields.get("homePhones"))) for card in cards}


async def test_a_comparison_that_is_half_done_begins_anew_when_the_mapping_moves() -> None:
    world = await filled(20)
    assert where(world) == {(True, False)}
    world.full = {ANNAS}
    short, whole = replace(world.limits, slice=timedelta(0)), world.limits
    world.limits = short
    world.time += timedelta(minutes=5)
    await world.registry.change_mailbox(ANNAS, full=True)
    outcome = await world.worker().run(ANNAS)
    assert outcome is not None
    assert outcome.unfinished
    assert (await MailboxLedger(world.rows, ANNAS, 0, "").checkpoint()).compared
    world.limits = whole
    await world.remap(MOVED)
    await world.settle(2)
    assert where(world) == {(False, True)}


async def test_a_run_that_read_the_mapping_before_it_moved_writes_nothing_and_compares_for_nobody() -> None:
    world = await filled(3)
    worker = world.worker()
    read = world.setup

    async def moved_meanwhile() -> Setup:
        setup = await read()
        if len(world.mappings[Kind.CONTACT]) == 1:
            await world.remap(MOVED)
        return setup

    await world.registry.change_mailbox(ANNAS, full=True)
    world.time += timedelta(minutes=5)
    assert await replace(worker, setup=moved_meanwhile).run(ANNAS) is None
    row = await world.registry.mailbox(ANNAS)
    assert row is not None
    assert row.full, "it was not the new mapping that was compared with"
    await world.settle(2)
    assert where(world) == {(False, True)}


async def test_bases_of_removed_pairs_end_everywhere_and_the_next_run_is_quiet() -> None:
    world = await filled(5)
    await world.remap(MOVED)
    await world.settle(2)
    links = [link async for link in MailboxLedger(world.rows, ANNAS, 0, "").links()]
    assert {link.origin for link in links} == {Side.CRM}
    assert all("mobile~mobilePhone" not in link.base and "mobile~homePhones#2" in link.base for link in links)
    assert await world.settle(1) == 0


async def test_an_undone_removal_still_knows_that_both_were_there_before() -> None:
    """Else a pair that the mapping loses later would empty the CRM's record, which is nobody's copy."""
    world = World({ANNA: ANNAS})
    ledger = await MailboxLedger.open(world.rows, ANNAS, 0)
    links = [Link(ANNAS, Kind.CONTACT, f"4x{n}", f"c{n}", Side.MAILBOX, matched=bool(n)) for n in (0, 1)]
    await ledger.commit([put_remnant(link, "2026-01-01", deleted=False) for link in links])
    kept = await remnants(world.rows, ledger.partition, ANNAS, "2026-01-01")
    assert [remnant.link.matched for remnant in kept] == [False, True]
