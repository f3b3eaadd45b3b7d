"""A change of the mapping over the real adapters: at no moment is a contact missing, or a field empty that had a value (SPEC 3.4).

A reader looks into both emulators after every single request, so between any two writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from emulators.graph import GraphEmulator
from emulators.vtenext import VtenextEmulator
from mapping.contacts import CONTACTS
from mapping.model import FieldPair, Value
from mapping.rules import FieldMapping
from sync.model import Family, Side
from sync.run import Limits
from sync.sides.graph.cards import card_of
from sync.store.ledger import MailboxLedger
from tests.whole.world import WholeWorld

CONTACTS_IN_TEST = 1000

PLACES = {  # field of a record -> where its value may stand on the card, before and after
    "lastname": ("surname",),
    "email": ("emailAddresses",),
    "phone": ("businessPhones",),
    "mobile": ("mobilePhone", "homePhones"),
    "title": ("jobTitle", "profession"),
    "department": ("department",),
    "mailingcity": ("businessAddress",),
}
MOVED = {"mobile": "homePhones#2", "title": "profession"}
REMAP = FieldMapping(
    "contact", tuple(FieldPair(p.crm, MOVED.get(p.crm, p.mailbox), p.direction, p.mode) for p in CONTACTS.pairs)
)


@dataclass
class Reader:
    """Looks at everything, and notes what is wrong. `texts`: record's or card's last name -> field -> its value before."""

    crm: VtenextEmulator
    graph: GraphEmulator
    mailbox: str
    folder: str
    looks: int = 0
    wrong: list[str] = field(default_factory=list)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)

    def records(self) -> dict[str, dict[str, str]]:
        rows = self.crm.backdoor.dump()["Contacts"]
        return {row["lastname"]: {name: row[name] for name in PLACES} for row in rows if not row["deleted"]}

    def cards(self) -> dict[str, str]:
        folder = next(each for each in self.graph.dump(self.mailbox)["folders"] if each["id"] == self.folder)
        return {card["surname"]: repr([card.get(name) for name in NAMES]) for card in folder["contacts"]}

    def begin(self) -> None:
        self.texts = self.records()

    def look(self) -> None:
        self.looks += 1
        if records := self.records() != self.texts:
            self.wrong.append(f"look {self.looks}: the CRM moved {records}")
        cards = self.cards()
        if cards.keys() != self.texts.keys():
            self.wrong.append(f"look {self.looks}: {len(cards)} cards")
        for name, fields in self.texts.items():
            missing = [each for each, value in fields.items() if value and value not in cards.get(name, "")]
            if missing:
                self.wrong.append(f"look {self.looks}: {name} lacks {missing}")


NAMES = sorted({place for places in PLACES.values() for place in places})


async def people(world: WholeWorld, number: int) -> Reader:
    """Half of them were made in the CRM, half in the mailbox; all are linked, and everybody's fields are filled."""
    (owner, mailbox), *_ = world.users.items()
    rows = [
        {"lastname": f"Person{n}x", "email": f"p{n}@x.example", "phone": f"+39 1 {n}x", "mobile": f"+39 3 {n}x"}
        | {"title": f"capo{n}x", "department": f"reparto{n}x", "mailingcity": f"citta{n}x", "assigned_user_id": owner}
        for n in range(0, number, 2)
    ]
    world.vtenext.backdoor.add_records("Contacts", rows)
    folder = world.graph.outlook.create_folder(mailbox, "vtenext")
    for n in range(1, number, 2):
        fields: dict[str, Value] = (
            {"surname": f"Person{n}x", "emailAddresses": (f"p{n}@x.example",), "businessPhones": (f"+39 1 {n}x",)}
            | {"mobilePhone": f"+39 3 {n}x", "jobTitle": f"capo{n}x", "department": f"reparto{n}x"}
            | {"businessAddress.city": f"citta{n}x"}
        )
        world.graph.outlook.create(mailbox, card_of(fields), folder)
    world.limits = Limits()
    await world.connect()
    await world.settle(3)
    return Reader(world.vtenext, world.graph, mailbox, world.mailboxes[mailbox].folder_id)


async def remapped_in_place(number: int) -> Reader:
    """The whole story; what the reader saw."""
    world = WholeWorld(family=Family.PEOPLE, users=1)
    reader = await people(world, number)
    reader.begin()
    reader.look()
    assert (len(reader.texts), reader.wrong) == (number, [])
    world.watch = reader.look
    before = world.mailboxes[reader.mailbox].writes
    await world.remap(REMAP)
    await world.settle(2)
    world.watch = lambda: None
    written = world.mailboxes[reader.mailbox].writes - before
    assert written == number, "one PATCH each"
    assert await world.settle(1) == 0, "a second run writes nothing"
    await _in_place(world, reader)
    return reader


async def _in_place(world: WholeWorld, reader: Reader) -> None:
    """Our own cards hold the values at their new places only; a person's card keeps what the person wrote."""
    cards = world.mailboxes[reader.mailbox].cards
    links = [link async for link in MailboxLedger(world.rows, reader.mailbox, 0, "").links()]
    assert {link.origin for link in links} == set(Side)
    for link in links:
        card = cards[link.item_id].fields
        ours = link.origin is Side.CRM
        assert (bool(card["profession"]), bool(card["homePhones"])) == (True, True)
        assert (bool(card["jobTitle"]), bool(card["mobilePhone"])) == (not ours, not ours)
        assert {"title~profession", "mobile~homePhones#2"} < link.base.keys()
        assert not {"title~jobTitle", "mobile~mobilePhone"} & link.base.keys()


async def test_nothing_is_missing_while_a_mapping_is_changed_in_place() -> None:
    reader = await remapped_in_place(CONTACTS_IN_TEST)
    assert reader.wrong == []
    assert reader.looks > CONTACTS_IN_TEST / 20, "it looked between the batches"


async def test_a_purge_leaves_what_was_born_in_the_mailbox_where_it_is() -> None:
    """Our copies go and come back by the new mapping; a person's card is there all the time, with everything it held."""
    world = WholeWorld(family=Family.PEOPLE, users=1)
    reader = await people(world, 40)
    reader.begin()
    side = world.mailboxes[reader.mailbox]
    ledger = MailboxLedger(world.rows, reader.mailbox, 0, "")
    links = [link async for link in ledger.links()]
    born = {link.item_id: dict(side.cards[link.item_id].fields) for link in links if link.origin is Side.MAILBOX}
    copies = {link.item_id for link in links} - born.keys()
    assert (len(born), len(copies)) == (20, 20)
    lacking: list[str] = []

    def look() -> None:
        reader.looks += 1
        cards = {id_: card for id_, card in side.cards.items() if card.place == "folder"}
        lacking.extend(born.keys() - cards.keys())
        lacking.extend(
            f"{id_} {name}"
            for id_, fields in born.items()
            if id_ in cards
            for name, value in fields.items()
            if value and cards[id_].fields[name] != value
        )
        if reader.records() != reader.texts:
            lacking.append("the CRM")

    world.watch = look
    await world.remap(REMAP)
    await world.registry.change_mailbox(reader.mailbox, clearing="purge", permitted=20)
    await world.settle(4)
    world.watch = lambda: None
    assert (lacking, reader.looks > 10) == ([], True)
    assert await world.settle(1) == 0
    row = await world.registry.mailbox(reader.mailbox)
    assert row is not None
    assert (row.clearing, row.full) == ("", False)
    cards = {id_: card.fields for id_, card in side.cards.items() if card.place == "folder"}
    assert (len(cards), copies & cards.keys()) == (40, set()), "our copies are new ones"
    made = [fields for id_, fields in cards.items() if id_ not in born]
    assert all(card["profession"] and card["homePhones"] for card in cards.values())
    assert not any(card["jobTitle"] or card["mobilePhone"] for card in made)


async def test_the_reader_sees_what_is_missing() -> None:
    world = WholeWorld(family=Family.PEOPLE, users=1)
    reader = await people(world, 4)
    side = world.mailboxes[reader.mailbox]
    reader.begin()
    reader.look()
    assert reader.wrong == []
    first, second, *_ = side.cards
    side.edit(first, department="")
    reader.look()
    side.move(second, "deleted")
    reader.look()
    assert next(wrong.partition(" lacks ")[2] for wrong in reader.wrong if " lacks " in wrong) == "['department']"
    assert "look 3: 3 cards" in reader.wrong
