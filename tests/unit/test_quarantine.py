"""What of a mailbox is listed as unsettled, and trying again what was given up."""

from __future__ import annotations

import pytest

from sync import commands, quarantine
from sync.commands import NotFound
from sync.model import Family, Kind, Reason, Side
from sync.store.ledger import MailboxLedger, Pending, put_pending
from tests.unit.control.world import ANNA, ANNAS, World


@pytest.fixture
async def world() -> World:
    """Three items of Anna's wait, two of them given up."""
    world = World()
    await commands.change_user(world.connector, ANNA, {"enabled": True})
    rows = [
        Pending(Side.CRM, "12x1", Reason.QUARANTINED, "t", fails=3, cause="400 x", kind=Kind.CONTACT.value),
        Pending(Side.MAILBOX, "card", Reason.OSCILLATES, "t", kind=Kind.CONTACT.value),
        Pending(Side.CRM, "12x2", Reason.OTHER_HOME, "t", kind=Kind.CONTACT.value),
    ]
    ledger = await MailboxLedger.open(world.rows, ANNAS, 0, Family.PEOPLE)
    await ledger.commit([put_pending(row) for row in rows])
    world.queue.take()
    return world


async def reasons(world: World) -> dict[str, Reason]:
    return {each.row.id: each.row.because for each in (await quarantine.unsettled(world.connector, ANNAS, ())).items}


async def test_given_up_items_are_listed_with_their_cause(world: World) -> None:
    found = (await quarantine.unsettled(world.connector, ANNAS)).items
    assert [(each.row.id, each.row.fails, each.row.cause) for each in found] == [("12x1", 3, "400 x"), ("card", 0, "")]
    assert len(await reasons(world)) == 3


async def test_one_item_is_tried_again_and_the_other_stays(world: World) -> None:
    assert await quarantine.retry(world.connector, ANNAS, Side.CRM, "12x1") == 1
    assert await reasons(world) == {"12x1": Reason.REFUSED, "card": Reason.OSCILLATES, "12x2": Reason.OTHER_HOME}
    assert world.queue.take() == [ANNAS]
    with pytest.raises(NotFound):
        await quarantine.retry(world.connector, ANNAS, Side.MAILBOX, "12x1")


async def test_all_of_a_mailbox_are_tried_again(world: World) -> None:
    assert await quarantine.retry(world.connector, ANNAS) == 2
    assert Reason.QUARANTINED not in (await reasons(world)).values()
    with pytest.raises(NotFound):
        await quarantine.retry(world.connector, ANNAS)
    with pytest.raises(NotFound):
        await quarantine.unsettled(world.connector, "nobody")
