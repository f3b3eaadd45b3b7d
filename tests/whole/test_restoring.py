"""Restoring over the real adapters and the emulators: a value, a deleted record, a deleted card."""

from __future__ import annotations

import dataclasses

import pytest

from sync import history_commands
from sync.connector import Connector
from sync.model import Family, Kind
from sync.policy import KindPolicy
from tests.unit.control.world import World as Control
from tests.whole.world import WholeWorld

PEOPLE = Family.PEOPLE


async def edited() -> tuple[WholeWorld, str, str]:
    """A contact whose phone went from 111 to 222 in the CRM, on both sides."""
    world = WholeWorld(users=1)
    world.kinds[Kind.CONTACT] = KindPolicy(delete_in_crm=True)
    await world.connect()
    owner = next(iter(world.users))
    record = world.crm.add(Kind.CONTACT, owner, {"firstname": "Luca", "lastname": "Ferrari", "phone": "111"})
    await world.settle(2)
    world.crm.edit(record.id, phone="222")
    await world.settle(2)
    assert phones(world) == ["222", "222"]
    return world, record.id, box(world)


def box(world: WholeWorld) -> str:
    return next(iter(world.mailboxes))


def phones(world: WholeWorld) -> list[str]:
    records = [r.fields["phone"] for r in world.crm.records.values() if not r.deleted]
    cards = [c for c in world.mailboxes[box(world)].cards.values() if c.place == "folder"]
    return [*records, *("".join(c.fields.get("businessPhones", ())) for c in cards)]


def connector(world: WholeWorld) -> Connector:
    return dataclasses.replace(Control().connector, registry=world.registry, now=world.now, new_id=world.new_id)


async def restore_last(world: WholeWorld, crm_id: str) -> None:
    line = (await history_commands.history(connector(world), box(world), PEOPLE, crm_id))[0]
    await history_commands.restore(connector(world), Control().keys, "admin", box(world), PEOPLE, line.journal)
    await world.settle(4)
    assert await history_commands.ordered(connector(world), box(world), (PEOPLE,)) == []


async def test_a_value_comes_back_on_both_sides() -> None:
    world, crm_id, _ = await edited()
    await restore_last(world, crm_id)
    assert phones(world) == ["111", "111"]
    assert await world.settle(1) == 0


@pytest.mark.parametrize("side", ["crm", "mailbox"])
async def test_a_deleted_item_comes_back_on_both_sides(side: str) -> None:
    world, crm_id, mailbox = await edited()
    if side == "mailbox":
        world.crm.delete(crm_id)
    else:
        (card,) = world.mailboxes[mailbox].cards
        world.mailboxes[mailbox].move(card, "deleted")
    await world.settle(3)
    assert phones(world) == []
    await restore_last(world, crm_id)
    assert phones(world) == ["222", "222"]
    assert await world.settle(1) == 0


async def test_a_deleted_card_comes_back_with_what_no_field_pair_knows() -> None:
    world, crm_id, mailbox = await edited()
    (card,) = world.mailboxes[mailbox].cards
    world.mailboxes[mailbox].edit(card, nickName="Il Ferro")
    await world.settle(2)
    world.crm.delete(crm_id)
    await world.settle(3)
    await restore_last(world, crm_id)
    (again,) = [c for c in world.mailboxes[mailbox].cards.values() if c.place == "folder"]
    assert again.id != card
    assert again.fields.get("nickName") == "Il Ferro"
    assert phones(world) == ["222", "222"]
    assert await world.settle(1) == 0
