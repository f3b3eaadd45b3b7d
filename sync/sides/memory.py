"""Both sides in memory, for the simulator of the engine: ideal servers with the losses of the real ones, and no protocol.

They know nothing of `mapping`: what they lose (length, emoji, one-second times) is written here a second time, on purpose. Every call goes
through `wire`, where the simulator lets calls fail, get lost after they were carried out, or kill the caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sync.errors import Cause, Failure, RetryLater
from sync.model import Gone, Item, Kind, Left, Present, Proof, Side, Unread, Value
from sync.sides.base import (
    CursorLost,
    Done,
    NaturalKey,
    New,
    Page,
    Refused,
    Remove,
    Result,
    Revise,
    Unclear,
    Write,
)

Wire = Callable[[str, str], Awaitable[str]]
"""(moment 'before' | 'after', operation) -> '' go on | 'refuse' | 'lose' (the answer) | 'busy'; may raise to kill the caller."""


async def quiet(moment: str, operation: str) -> str:
    """A wire on which nothing ever happens."""
    return ""


LENGTHS = {
    Kind.CONTACT: {
        "firstname": 40,
        "lastname": 80,
        "email": 100,
        "phone": 50,
        "mobile": 50,
        "title": 50,
        "mailingcity": 40,
        "mailingstreet": 250,
        "department": 30,
    },
    Kind.COMPANY: {"accountname": 100, "email1": 100, "phone": 30, "bill_city": 30},
}
COLUMNS = {
    Kind.CONTACT: (*LENGTHS[Kind.CONTACT], "account_id", "homephone", "description"),
    Kind.COMPANY: (*LENGTHS[Kind.COMPANY], "email2", "otherphone", "website", "description"),
}
"""What every record shows, '' where nothing was ever written."""
MODULE = {Kind.CONTACT: "4", Kind.COMPANY: "3"}


def stored(kind: Kind, name: str, value: Value) -> str:
    """What a vtenext database makes of a text (API.md 3.7)."""
    text = "".join("????" if ord(c) > 0xFFFF else c for c in str(value))
    return text[: LENGTHS[kind].get(name, 70_000)]


@dataclass(slots=True)
class Record:
    id: str
    kind: Kind
    owner: str
    fields: dict[str, str]
    created: str
    modified: str
    by_us: bool
    deleted: bool = False


@dataclass(slots=True)
class MemoryCrm:
    """All records of all users."""

    now: Callable[[], datetime]
    wire: Wire = quiet
    records: dict[str, Record] = field(default_factory=dict)
    number: int = 100
    writes: int = 0
    workflow: Callable[[Record], None] | None = None

    def second(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    # what users do

    def add(self, kind: Kind, owner: str, fields: Mapping[str, Value], *, by_us: bool = False) -> Record:
        self.number += 1
        at = self.second()
        blank = dict.fromkeys(COLUMNS[kind], "")
        kept = blank | {name: stored(kind, name, value) for name, value in fields.items() if name != "account_name"}
        record = Record(f"{MODULE[kind]}x{self.number}", kind, owner, kept, at, at, by_us)
        self.records[record.id] = record
        if self.workflow:
            self.workflow(record)
        return record

    def edit(self, crm_id: str, **fields: str) -> None:
        record = self.records[crm_id]
        owner = fields.pop("owner", None)
        record.owner = owner or record.owner
        record.fields.update({name: stored(record.kind, name, value) for name, value in fields.items()})
        record.modified = self.second()

    def delete(self, crm_id: str) -> None:
        self.records[crm_id].deleted = True
        self.records[crm_id].modified = self.second()

    # the protocol

    def _item(self, record: Record) -> Item:
        fields: dict[str, Value] = dict(record.fields)
        account = self.records.get(record.fields.get("account_id", ""))
        if record.kind is Kind.CONTACT:
            fields["account_name"] = account.fields["accountname"] if account and not account.deleted else ""
        return Item(Side.CRM, record.kind, record.id, record.modified, fields, record.owner, "", record.modified)

    async def _before(self, operation: str) -> None:
        if await self.wire("before", f"crm {operation}"):
            raise RetryLater(Cause.CRM_UNREACHABLE, 30.0)

    async def beginning(self) -> str:
        await self._before("beginning")
        return self.second()

    async def changes(self, kind: Kind, cursor: str) -> AsyncIterator[Page]:
        await self._before("changes")
        since = cursor and (datetime.fromisoformat(cursor) - timedelta(seconds=120)).strftime("%Y-%m-%dT%H:%M:%SZ")
        mine = sorted(
            (r for r in self.records.values() if r.kind is kind and r.modified >= since),
            key=lambda r: (r.modified, r.id),
        )
        for start in range(0, max(len(mine), 1), 3):
            part = mine[start : start + 3]
            live = [self._item(r) for r in part if not r.deleted]
            last = start + 3 >= len(mine)
            yield Page(live, [r.id for r in part if r.deleted], self.second() if last else "", last)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        await self._before("get")
        result: dict[str, Present] = {}
        for crm_id in ids:
            record = self.records.get(crm_id)
            if record is None or record.kind is not kind:
                result[crm_id] = Unread(crm_id, "unknown")
            else:
                result[crm_id] = Gone(crm_id, Proof.NOT_FOUND) if record.deleted else self._item(record)
        return result

    async def owned(self, kind: Kind, owner: str) -> AsyncIterator[Sequence[str]]:
        await self._before("owned")
        for record in list(self.records.values()):
            if record.kind is kind and not record.deleted and owner in {"", record.owner}:
                yield [record.id]

    async def find(self, keys: Sequence[NaturalKey]) -> list[list[Item]]:
        await self._before("find")
        live = [r for r in self.records.values() if not r.deleted]
        return [[self._item(r) for r in live if self._alike(r, key)] for key in keys]

    @staticmethod
    def _alike(record: Record, key: NaturalKey) -> bool:
        if record.kind is not key.kind:
            return False
        value = {name: text.casefold() for name, text in record.fields.items()}
        emails = {value.get("email", ""), value.get("email1", ""), value.get("email2", "")} - {""}
        if emails & {e.casefold() for e in key.emails}:
            return True
        if key.kind is Kind.COMPANY:
            return bool(key.company) and value.get("accountname") == key.company.casefold()
        same_given = value.get("firstname", "") == key.given.casefold()
        return bool(key.family) and value.get("lastname") == key.family.casefold() and same_given

    async def accounts_named(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        await self._before("accounts_named")
        live = [r for r in self.records.values() if r.kind is Kind.COMPANY and not r.deleted]
        return {
            name: tuple(r.id for r in live if r.fields["accountname"].casefold() == name.casefold()) for name in names
        }

    async def contacts_of(self, account_ids: Sequence[str]) -> list[str]:
        await self._before("contacts_of")
        return [r.id for r in self.records.values() if r.fields.get("account_id") in set(account_ids) and not r.deleted]

    async def created_since(self, kind: Kind, since: str) -> list[Item]:
        await self._before("created_since")
        start = datetime.fromisoformat(since).strftime("%Y-%m-%dT%H:%M:%SZ")
        mine = [r for r in self.records.values() if r.by_us and r.kind is kind and r.created >= start]
        return [self._item(r) for r in mine if not r.deleted]

    async def count(self, kind: Kind) -> int:
        await self._before("count")
        return sum(1 for r in self.records.values() if r.kind is kind and not r.deleted)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return [await _written(self.wire, f"crm {type(w).__name__}", lambda w=w: self._write(w)) for w in writes]  # type: ignore[misc]

    def _write(self, write: Write) -> Result:
        self.writes += 1
        if isinstance(write, New):
            return Done(self._item(self.add(write.kind, write.owner, write.fields, by_us=True)))
        record = self.records.get(write.expected.id)
        if record is None or record.deleted:
            return Done(None) if isinstance(write, Remove) else Refused(Failure(404, "ACCESS_DENIED"))
        if self._item(record).fields != write.expected.fields or record.owner != write.expected.owner:
            return Refused(Failure(412, "CHANGED"))
        if isinstance(write, Remove):
            self.delete(record.id)
            return Done(None)
        self.edit(record.id, **{name: str(value) for name, value in write.fields.items()})
        return Done(self._item(record))


async def _written(wire: Wire, operation: str, execute: Callable[[], Result]) -> Result:
    match await wire("before", operation):
        case "refuse":
            return Refused(Failure(400, "REFUSED"))
        case "busy":
            return Refused(Failure(429, "BUSY", 1.0))
        case "":
            pass
        case _:
            return Unclear(Failure(0, "never sent"))
    result = execute()
    return Unclear(Failure(0, "lost")) if await wire("after", operation) else result


@dataclass(slots=True)
class Card:
    id: str
    fields: dict[str, Value]
    etag: str
    modified: str
    stamp: str = ""
    place: str = "folder"  # folder | deleted | elsewhere


@dataclass(slots=True)
class MemoryMailbox:
    """One mailbox's contact folder. `log`: ids in the order of their changes; a cursor is a position in it."""

    id: str
    now: Callable[[], datetime]
    kind_of: Callable[[Mapping[str, Value]], Kind]
    wire: Wire = quiet
    folder_id: str = "folder"
    cards: dict[str, Card] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    number: int = 0
    writes: int = 0
    forgotten: int = 0  # cursors before this position are lost

    # what users do

    def add(self, fields: Mapping[str, Value], stamp: str = "") -> Card:
        self.number += 1
        card = Card(f"{self.id}-card{self.number}", dict(fields), "", "", stamp)
        self.cards[card.id] = card
        self.touch(card)
        return card

    def touch(self, card: Card) -> None:
        self.number += 1
        card.etag = f"e{self.number}"
        card.modified = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        self.log.append(card.id)

    def edit(self, card_id: str, **fields: Value) -> None:
        card = self.cards[card_id]
        card.fields.update({name.replace("__", "."): value for name, value in fields.items()})
        self.touch(card)

    def move(self, card_id: str, place: str) -> None:
        self.cards[card_id].place = place
        self.touch(self.cards[card_id])

    # the protocol

    def _item(self, card: Card, *, stamped: bool) -> Item:
        kind = self.kind_of(card.fields)
        stamp = card.stamp if stamped else ""
        return Item(Side.MAILBOX, kind, card.id, card.etag, dict(card.fields), self.id, stamp, card.modified)

    async def _before(self, operation: str) -> None:
        if await self.wire("before", f"mailbox {operation}"):
            raise RetryLater(Cause.GRAPH_UNREACHABLE, 30.0)

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        await self._before("changes")
        start = int(cursor) if cursor else 0
        if cursor and start < self.forgotten:
            raise CursorLost
        ids = list(dict.fromkeys(self.log[start:]))
        end = len(self.log)
        for first in range(0, max(len(ids), 1), 3):
            part = [self.cards[i] for i in ids[first : first + 3]]
            live = [self._item(card, stamped=False) for card in part if card.place == "folder"]
            last = first + 3 >= len(ids)
            yield Page(live, [card.id for card in part if card.place != "folder"], str(end) if last else "", last)

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        await self._before("stamped")
        yield [self._item(card, stamped=True) for card in self.cards.values() if card.place == "folder"]

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        await self._before("get")
        result: dict[str, Present] = {}
        for card_id in ids:
            card = self.cards.get(card_id)
            if card is None:
                result[card_id] = Gone(card_id, Proof.NOT_FOUND)
            elif card.place == "folder":
                result[card_id] = self._item(card, stamped=True)
            else:
                gone = card.place == "deleted"
                result[card_id] = Gone(card_id, Proof.IN_DELETED_ITEMS) if gone else Left(card_id, card.place)
        return result

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return [await _written(self.wire, f"mailbox {type(w).__name__}", lambda w=w: self._write(w)) for w in writes]  # type: ignore[misc]

    def _write(self, write: Write) -> Result:
        self.writes += 1
        if isinstance(write, New):
            return Done(replace(self._item(self.add(write.fields, write.stamp), stamped=True)))
        card = self.cards.get(write.expected.id)
        if card is None or card.place != "folder":
            return Done(None) if isinstance(write, Remove) else Refused(Failure(404, "ErrorItemNotFound"))
        if card.etag != write.expected.version:
            return Refused(Failure(412, "ErrorIrresolvableConflict"))
        if isinstance(write, Revise):
            card.fields.update(write.fields)
            self.touch(card)
            return Done(self._item(card, stamped=True))
        self.move(card.id, "deleted")
        return Done(None)
