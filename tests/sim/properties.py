"""What must hold after every story has settled, whatever went wrong in between (STYLE.md, the ten properties)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sync.brakes import MAILBOX_LIMITS
from sync.model import Family, Link, Reason, Role, Side
from sync.sides.memory import Card, Record
from sync.store.base import prefix_end
from sync.store.journal import change_of, of_run
from sync.store.ledger import MailboxLedger, Pending, Tombstone, partition_of
from sync.store.memory import MemoryRows
from tests.sim.story import Story, _serial_of_card, _serial_of_record
from tests.sim.world import World

PASSING = {Reason.CHANGED_MEANWHILE, Reason.REFUSED, Reason.SLICE_ENDED, Reason.THROTTLED, Reason.UNREADABLE}
"""What is over after some quiet ticks: it excuses nothing."""


class Books:
    """What the ledger of one mailbox says, for comparison with what is really there."""

    def __init__(self, links: list[Link], pending: list[Pending], stones: list[Tombstone]) -> None:
        self.by_crm = {link.crm_id: link for link in links}
        self.by_item = {link.item_id: link for link in links}
        self.pending = {(row.side, row.id): row for row in pending if row.because not in PASSING}
        self.stones = {stone.id: stone for stone in stones}

    @classmethod
    async def of(cls, world: World, mailbox: str) -> Books:
        ledger = MailboxLedger(world.rows, mailbox, 0, "")
        return cls([x async for x in ledger.links()], await ledger.pending(), await ledger.tombstones())


async def violations(story: Story, last_writes: int) -> list[str]:
    """Everything that is wrong now; empty when all is well."""
    world = story.world
    books = {mailbox: await Books.of(world, mailbox) for mailbox in world.mailboxes}
    found = [f"second run wrote {last_writes}"] if last_writes else []
    found += _equal(world, books)
    found += _complete(world, books)
    found += _doubled(story, books)
    found += await _lost(story, books)
    found += _remembered(world, books)
    found += _clear_text(world)
    found += await unfound(world, Family.PEOPLE)
    return found


async def unfound(world: World, family: Family) -> list[str]:
    """Rows of the journal that are not found by their run, so that what the run took away could not be restored."""
    found: list[str] = []
    for mailbox in world.mailboxes:
        partition, runs = partition_of(mailbox, family), dict[int, set[str]]()
        async for row in world.rows.query(partition, "j|", prefix_end("j|")):
            runs.setdefault(int(row.data["run"]), set()).add(row.key)
        for run, keys in runs.items():
            missed = keys ^ {row.key for row in await of_run(world.rows, partition, run)}
            found += [f"{mailbox}: {key} of run {run} is not found" for key in sorted(missed)]
    return found


def _equal(world: World, books: Mapping[str, Books]) -> list[str]:
    """(2) linked items hold the same, in the image of the poorer side."""
    found: list[str] = []
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            record, card = world.crm.records.get(link.crm_id), world.mailboxes[mailbox].cards.get(link.item_id)
            if record is None or card is None or record.deleted or card.place != "folder":
                if (Side.CRM, link.crm_id) not in book.pending:
                    found.append(f"{mailbox}: link {link.crm_id}-{link.item_id} has lost a side")
                continue
            if link.role is Role.GUEST or (Side.CRM, link.crm_id) in book.pending:
                continue
            translator = world.translators[link.kind]
            crm_values = translator.crm_values(world.crm._item(record).fields)
            sealed_values = translator.mailbox_values(card.fields, _alike(crm_values, translator.image))
            for pair, value in sealed_values.items():
                if translator.image(pair, value) != translator.image(pair, crm_values.get(pair, "")):
                    if pair in _company_pairs(translator) and value:
                        continue  # SPEC 1.8: no account of that name, or several: left and flagged
                    found.append(f"{mailbox}: {link.crm_id} {pair} differs: {crm_values.get(pair)!r} {value!r}")
    return found


def _remembered(world: World, books: Mapping[str, Books]) -> list[str]:
    """No link remembers what a pair held that the mapping has no more."""
    found: list[str] = []
    for mailbox, book in books.items():
        for link in book.by_crm.values():
            remap = world.remaps.get(link.kind)
            if remap and (Side.CRM, link.crm_id) not in book.pending and link.base.keys() - remap.kept:
                found.append(f"{mailbox}: {link.crm_id} remembers {sorted(link.base.keys() - remap.kept)}")
    return found


def _alike(values, image):  # type: ignore[no-untyped-def]
    return lambda pair, value: image(pair, values.get(pair, "")) == image(pair, value)


def _company_pairs(translator) -> set[str]:  # type: ignore[no-untyped-def]
    return {pair.id for pair in translator.pairs if pair.crm == "account_id"}


def _complete(world: World, books: Mapping[str, Books]) -> list[str]:
    """Every live item with a home is linked there, or there is a reason why not."""
    found: list[str] = []
    for record in world.crm.records.values():
        home = world.users.get(record.owner, "")
        if record.deleted or not home:
            continue
        book = books[home]
        if record.id in book.by_crm or record.id in book.stones or (Side.CRM, record.id) in book.pending:
            continue
        found.append(f"{home}: record {record.id} is neither linked nor explained")
    for mailbox, side in world.mailboxes.items():
        book = books[mailbox]
        for card in side.cards.values():
            if card.place != "folder" or card.id in book.by_item or card.id in book.stones:
                continue
            if (Side.MAILBOX, card.id) not in book.pending:
                found.append(f"{mailbox}: card {card.id} is neither linked nor explained")
    return found


def _doubled(story: Story, books: Mapping[str, Books]) -> list[str]:
    """(4) what one person made is there once per side."""
    world = story.world
    records = Counter(_serial_of_record(r) for r in world.crm.records.values() if not r.deleted)
    found = [f"doubled in the CRM: {s} x{n}" for s, n in records.items() if n > 1 and s not in story.copies]
    for mailbox, side in world.mailboxes.items():
        guests = {link.item_id for link in books[mailbox].by_item.values() if link.role is Role.GUEST}
        mine = (card for card in side.cards.values() if card.place == "folder" and card.id not in guests)
        cards = Counter(_serial_of_card(card) for card in mine)
        found += [f"doubled in {mailbox}: {s} x{n}" for s, n in cards.items() if n > 1 and s not in story.copies]
    return found


async def _lost(story: Story, books: Mapping[str, Books]) -> list[str]:
    """(3) nobody's item vanished that nobody removed, and the last edit of a field reached both sides."""
    world = story.world
    records: dict[str, list[Record]] = {}
    cards: dict[str, list[Card]] = {}
    for record in world.crm.records.values():
        if not record.deleted:
            records.setdefault(_serial_of_record(record), []).append(record)
    for side in world.mailboxes.values():
        for card in side.cards.values():
            if card.place == "folder":
                cards.setdefault(_serial_of_card(card), []).append(card)
    found = []
    journal = await _journal(world)
    for number in range(1, story.serial + 1):
        serial = f"s{number}"
        if not {serial} & (records.keys() | cards.keys() | story.removed | journal):
            found.append(f"lost: {serial}")
    for (serial, name, side), (state, value) in story.written.items():
        if state != "expected" or serial in story.gone or serial in story.copies:
            continue
        found += _expected(world, serial, name, side, value, records.get(serial, []), books)
    return found


async def _journal(world: World) -> set[str]:
    """Values that lost against another and can be restored."""
    values: set[str] = set()
    for mailbox in world.mailboxes:
        async for row in world.rows.query(partition_of(mailbox), "j|", prefix_end("j|")):
            values |= {str(value) for value in change_of(row, world.keys).before.values()}
    return values


def _expected(
    world: World,
    serial: str,
    name: str,
    side: str,
    value: str,
    records: list[Record],
    books: Mapping[str, Books],
) -> list[str]:
    for record in records:
        linked = [b for b in books.values() if record.id in b.by_crm and b.by_crm[record.id].role is Role.HOME]
        waiting = any((Side.CRM, record.id) in b.pending for b in books.values())
        if side not in {"crm", world.users.get(record.owner, "")}:
            continue  # a guest's edits stay in his mailbox
        if not value and any(b.by_crm[record.id].origin is Side.MAILBOX for b in linked):
            continue  # joined with a card that held something there: filled in again (SPEC 1.5)
        if not linked or waiting or name not in {"phone", "mobile", "department", "mailingcity"}:
            continue
        pair = next(p.id for p in world.translators[record.kind].pairs if p.crm == name)
        image = world.translators[record.kind].image
        if image(pair, record.fields.get(name, "")) != image(pair, value):
            return [f"edit lost: {serial} {name} by {side}: {value!r} is {record.fields.get(name, '')!r}"]
    return []


def _clear_text(world: World) -> list[str]:
    """(10) no name, address or text of people stands in the store."""
    texts = {"Rossi", "Bianchi", "anna@x.example", "info@acme.example", "Milano", "+39 02 1", "Acme srl"}
    if not isinstance(world.rows, MemoryRows):
        return []
    stored = "\n".join(str(dict(row.data)) + row.key for row in world.rows.everything())
    return [f"clear text in the store: {text}" for text in texts if text in stored]


def brake_held(world: World, before: Mapping[str, int], after: Mapping[str, int], population: int) -> list[str]:
    """(5) no run deleted more than the brake allows."""
    allowed = MAILBOX_LIMITS.allowed(population)
    return [f"{k}: {after[k] - before[k]} deletions of {population}" for k in after if after[k] - before[k] > allowed]
