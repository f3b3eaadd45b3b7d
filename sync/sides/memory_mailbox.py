"""A mailbox in memory, for the simulator of the engine: an ideal server without a protocol. See `sync.sides.memory`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sync.errors import Cause, Failure, RetryLater
from sync.model import Gone, Item, Kind, Left, Present, Proof, Side, Value
from sync.sides.base import CursorLost, Done, NaturalKey, New, Page, Refused, Remove, Result, Revise, Write
from sync.sides.memory_wire import Wire, apply_all, quiet


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
    # cards of the default folder, which is not synchronised
    usual: list[dict[str, Value]] = field(default_factory=list)
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

    def afresh(self, cursor: str) -> str | None:
        return None

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

    async def knows(self, people: Sequence[NaturalKey]) -> list[bool]:
        await self._before("knows")
        cards = [*self.usual, *(card.fields for card in self.cards.values() if card.place == "folder")]
        return [any(_shows(card, person) for card in cards) for person in people]

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return await apply_all(self.wire, "mailbox", writes, self._write)

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


def _shows(card: Mapping[str, Value], person: NaturalKey) -> bool:
    """One of the addresses, or name and company, in any letter case."""
    addresses = {str(each).casefold() for each in card.get("emailAddresses", ())}
    if addresses & {each.casefold() for each in person.emails}:
        return True
    shown = [str(card.get(name, "")).casefold() for name in ("givenName", "surname", "companyName")]
    wanted = [text.casefold() for text in (person.given, person.family, person.company)]
    return shown == wanted and bool(person.company) and bool(person.given or person.family)
