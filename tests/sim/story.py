"""Random stories: what people do on both sides between two synchronisations. Everything follows from the seed.

Each person or company that somebody makes gets a serial number in a mapped field, so that a double is seen whoever made it. What people wrote
is noted as *expectations*: the value that must be on both sides in the end, unless somebody else wrote the same field meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from mapping.contacts import CONTACTS
from mapping.model import FieldPair, Value
from mapping.rules import FieldMapping
from sync.model import Kind
from sync.sides.memory import Card, MemoryMailbox, Record
from tests.sim.world import World

GIVEN = ["Anna", "Bruno", "Zoë", "Niccolò", "Anna", "Mario", "D'Arco", "李"]
FAMILY = ["Rossi", "Bianchi", "Verdi", "Rossi", "Müller", "O'Neil", "Ferrari 🚗", "X" * 90]
COMPANY = ["Acme srl", "Beta & Figli", "Società Agricola Ò", "Gamma 🍅 spa"]
CITY = ["Milano", "Torino", "Forlì", "Reggio nell'Emilia", "C" * 60, ""]
PHONE = ["+39 02 1", "+39 02 2", "02/33 44", ""]
MAIL = ["anna@x.example", "bruno@x.example", "info@acme.example", "Zoe@X.example", ""]
TEXT = ["", "capo", "resp. acquisti", "Größe 😀 emoji", "line\nbreak"]

CONTACT_FIELDS = {
    "firstname": ("givenName", GIVEN),
    "lastname": ("surname", FAMILY),
    "email": ("emailAddresses", MAIL),
    "phone": ("businessPhones", PHONE),
    "mobile": ("mobilePhone", PHONE),
    "department": ("department", TEXT[:3]),
    "mailingcity": ("businessAddress.city", CITY),
}
COMPANY_FIELDS = {
    "accountname": ("companyName", COMPANY),
    "email1": ("emailAddresses", MAIL),
    "phone": ("businessPhones", PHONE),
    "bill_city": ("businessAddress.city", CITY),
}
SERIAL = {Kind.CONTACT: ("title", "jobTitle"), Kind.COMPANY: ("description", "personalNotes")}


@dataclass
class Story:
    """The people of one seed."""

    world: World
    random: random.Random
    serial: int = 0
    copies: set[str] = field(default_factory=set)  # serials that a user doubled by hand
    written: dict[tuple[str, str, str], tuple[str, str]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)  # serials that somebody deleted or moved out since the last settle
    removed: set[str] = field(default_factory=set)  # serials that somebody ever deleted or moved
    department: str = "department"  # where the card holds it, by the present mapping; '' = it is not mapped
    remapped: bool = False  # since the last settle: nobody knows then which side's department is the newer one

    def pick(self, values: list[str]) -> str:
        return self.random.choice(values)

    def next_serial(self) -> str:
        self.serial += 1
        return f"s{self.serial}"

    # people of the CRM

    def crm_adds(self) -> None:
        kind = Kind.COMPANY if self.random.random() < 0.25 else Kind.CONTACT
        fields = {name: self.pick(pool) for name, (_, pool) in _fields(kind).items()}
        fields = {name: value for name, value in fields.items() if value}
        serial = self.next_serial()
        fields[SERIAL[kind][0]] = serial
        owner = self.pick(
            [*self.world.users, self.world.group] if self.random.random() < 0.1 else list(self.world.users)
        )
        if kind is Kind.CONTACT and self.random.random() < 0.3:
            accounts = self.live(Kind.COMPANY)
            if accounts:
                fields["account_id"] = self.random.choice(accounts).id
        self.world.crm.add(kind, owner, fields)

    def live(self, kind: Kind | None = None) -> list[Record]:
        records = self.world.crm.records.values()
        return [r for r in records if not r.deleted and (kind is None or r.kind is kind)]

    def crm_edits(self) -> None:
        record = self._any_record()
        if record is None:
            return
        name, (_, pool) = self.random.choice(list(_fields(record.kind).items()))
        value = self.pick([v for v in pool if v] if name in {"lastname", "accountname"} else pool)
        if record.fields.get(name, "") != value:
            self.world.crm.edit(record.id, **{name: value})
            self.note("crm", _serial_of_record(record), name, value)

    def crm_deletes(self) -> None:
        record = self._any_record()
        if record:
            self.world.crm.delete(record.id)
            self._left(_serial_of_record(record))

    def crm_reassigns(self) -> None:
        record = self._any_record()
        if record:
            owner = self.pick(
                [*self.world.users, self.world.group] if self.random.random() < 0.2 else list(self.world.users)
            )
            self.world.crm.edit(record.id, owner=owner)

    def _any_record(self) -> Record | None:
        records = self.live()
        return self.random.choice(records) if records else None

    # people of the mailboxes

    def mailbox_adds(self) -> None:
        mailbox = self._any_mailbox()
        kind = Kind.COMPANY if self.random.random() < 0.25 else Kind.CONTACT
        fields: dict[str, Value] = {}
        for _, (name, pool) in _fields(kind).items():
            value = self.pick(pool)
            if value:
                fields[name] = (value,) if name in {"emailAddresses", "businessPhones"} else value
        if self.random.random() < 0.2 and kind is Kind.CONTACT:
            fields.pop(self.pick(["givenName", "surname"]), None)
        fields[SERIAL[kind][1]] = self.next_serial()
        mailbox.add(fields)

    def mailbox_edits(self) -> None:
        found = self._any_card()
        if found is None:
            return
        mailbox, card = found
        kind = self.world._kind_of(card.fields)
        crm_name, (name, pool) = self.random.choice(list(_fields(kind).items()))
        name = self.department or name if crm_name == "department" else name
        text = self.pick([v for v in pool if v] if crm_name in {"lastname", "accountname", "firstname"} else pool)
        value: Value = ((text,) if text else ()) if name in {"emailAddresses", "businessPhones"} else text
        if card.fields.get(name, () if isinstance(value, tuple) else "") != value:
            mailbox.edit(card.id, **{name.replace(".", "__"): value})
            self.note(mailbox.id, _serial_of_card(card), crm_name, text)

    def mailbox_deletes(self) -> None:
        found = self._any_card()
        if found:
            found[0].move(found[1].id, "deleted")
            self._left(_serial_of_card(found[1]))

    def mailbox_moves(self) -> None:
        found = self._any_card()
        if found:
            found[0].move(found[1].id, "elsewhere")
            self._left(_serial_of_card(found[1]))

    def mailbox_copies(self) -> None:
        """Outlook's copy takes our stamp along (BEHAVIOUR 6)."""
        found = self._any_card()
        if found:
            mailbox, card = found
            mailbox.add(card.fields, card.stamp)
            self.copies.add(_serial_of_card(card))

    def _any_mailbox(self) -> MemoryMailbox:
        return self.random.choice(list(self.world.mailboxes.values()))

    def _any_card(self) -> tuple[MemoryMailbox, Card] | None:
        found = [(m, c) for m in self.world.mailboxes.values() for c in m.cards.values() if c.place == "folder"]
        return self.random.choice(found) if found else None

    # an admin

    async def remaps(self, dice: random.Random) -> None:
        """The department of contacts moves to another field of the card, or is mapped no more, or again."""
        self.department = dice.choice(
            [name for name in ("department", "officeLocation", "") if name != self.department]
        )
        self.remapped = True
        self.written = {key: state for key, state in self.written.items() if key[1] != "department"}
        others = (pair for pair in CONTACTS.pairs if pair.crm != "department")
        moved = (FieldPair("department", self.department),) if self.department else ()
        await self.world.remap(FieldMapping("contact", (*others, *moved)))

    # what must come of it

    def note(self, side: str, serial: str, name: str, value: str) -> None:
        """Somebody wrote a field; whoever wrote the same field on the other side since the last settle spoils the expectation."""
        if name == "department" and (self.remapped or not self.department):
            return
        for other in {"crm", *self.world.mailboxes} - {side}:
            if (serial, name, other) in self.written:
                self.written[(serial, name, other)] = ("spoilt", "")
                self.written[(serial, name, side)] = ("spoilt", "")
                return
        self.written[(serial, name, side)] = ("expected", value)

    def _left(self, serial: str) -> None:
        self.gone.add(serial)
        self.removed.add(serial)

    def settled(self) -> None:
        self.remapped = False
        self.written.clear()
        self.gone.clear()

    def act(self, times: int) -> None:
        """People do random things."""
        acts = [
            (self.crm_adds, 4),
            (self.crm_edits, 6),
            (self.crm_deletes, 1),
            (self.crm_reassigns, 1),
            (self.mailbox_adds, 4),
            (self.mailbox_edits, 6),
            (self.mailbox_deletes, 1),
            (self.mailbox_moves, 0.5),
            (self.mailbox_copies, 0.5),
        ]
        for act in self.random.choices([a for a, _ in acts], [w for _, w in acts], k=times):
            act()


def _fields(kind: Kind) -> Mapping[str, tuple[str, list[str]]]:
    return CONTACT_FIELDS if kind is Kind.CONTACT else COMPANY_FIELDS


def _serial_of_record(record: Record) -> str:
    return record.fields.get(SERIAL[record.kind][0], "")


def _serial_of_card(card: Card) -> str:
    return str(card.fields.get("jobTitle", "") or card.fields.get("personalNotes", ""))
