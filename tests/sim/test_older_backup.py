"""The ledger of yesterday, put back over the sides of today: what was made and linked since is found again, not made again (docs/operations.md)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sync.model import Kind
from sync.store.base import Drop, Put
from tests.sim.recording import USERS, restored
from tests.sim.world import World

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "ledger-v1.json").read_text("utf-8"))
BOX = "mailbox-a"
WEEKLY = "FREQ=WEEKLY;INTERVAL=1;BYDAY=FR;WKST=MO;COUNT=3"


def made_since(world: World) -> None:
    crm, mine = world.crm, "19x1"
    crm.add(Kind.CONTACT, mine, {"lastname": "Nuovo uno", "email": "uno@n.example"})
    crm.add(Kind.CONTACT, mine, {"lastname": "Nuovo senza indirizzo"})
    crm.add(Kind.COMPANY, mine, {"accountname": "Nuova"})
    crm.add(Kind.EVENT, mine, {"subject": "Nuovo evento", "when": "2026-12-03T13:00Z/2026-12-03T14:00Z"})
    crm.add(Kind.TASK, mine, {"subject": "Nuova attività", "taskstatus": "Not Started"})
    world.mailboxes[BOX].add({"surname": "Nuovo due", "emailAddresses": ("due@n.example",)})
    world.calendars[BOX].add({"subject": "Altro evento", "when": "2026-12-04T13:00Z/2026-12-04T14:00Z"})
    world.calendars[BOX].add({"subject": "Serie", "when": "2026-12-04T15:00Z/2026-12-04T16:00Z"}, rule=WEEKLY)
    world.todos[BOX].add({"title": "Altra attività"})


def there(world: World) -> Counter[str]:
    """What each side holds, by its name."""
    names = ("subject", "title", "lastname", "surname", "accountname", "companyName")

    def named(side: str, fields: object) -> str:
        return f"{side} {next(str(fields[name]) for name in names if fields.get(name))}"  # type: ignore[index,attr-defined]

    found = Counter(named("crm", record.fields) for record in world.crm.records.values() if not record.deleted)
    for mailbox in USERS.values():
        cards = [card for card in world.mailboxes[mailbox].cards.values() if card.place == "folder"]
        found.update(
            named(mailbox, card.fields) for card in cards if "surname" in card.fields or "companyName" in card.fields
        )
        found.update(
            named(mailbox, each.fields) for each in world.calendars[mailbox].events.values() if not each.deleted
        )
        found.update(named(mailbox, each.fields) for each in world.todos[mailbox].tasks.values() if not each.deleted)
    return found


async def gone_back(world: World, day: Callable[[World], object]) -> None:
    """A day's work, then the ledger of the day before."""
    old = [(row.partition, row.key, dict(row.data)) for row in world.rows.everything()]
    day(world)
    await world.settle(5)
    for row in world.rows.everything():
        await world.rows.transact(row.partition, [Drop(row.key)])
    for partition, key, data in old:
        await world.rows.transact(partition, [Put(key, data)])
    world.full = set(USERS.values())


async def test_nothing_is_made_twice() -> None:
    world = await restored(RECORDED)
    await world.settle(2)
    known = there(world)
    await gone_back(world, made_since)
    before, writes = there(world), world.writes
    assert sum((before - known).values()) == 20, "all nine were made on the other side, the series as three records"
    await world.settle(8)
    assert there(world) == before
    assert world.writes == writes


async def test_but_a_card_that_nothing_tells_but_its_name() -> None:
    """Born in the mailbox, without address and company, linked since the backup: the CRM's record and the card do not know each other any more."""
    world = await restored(RECORDED)
    await world.settle(2)
    await gone_back(world, lambda world: world.mailboxes[BOX].add({"surname": "Solo il nome"}))
    await world.settle(8)
    assert {name: number for name, number in there(world).items() if name.endswith("Solo il nome")} == {
        "crm Solo il nome": 2,
        f"{BOX} Solo il nome": 2,
    }
