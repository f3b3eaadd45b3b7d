"""Sides that are read as they are, and answer every write as if it had been done: what a preview runs with. Nothing reaches a server but reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, cast

from sync.errors import Failure
from sync.model import Item, Kind, Present, Side
from sync.policy import CalendarPolicy
from sync.sides.base import Crm, Done, Mailbox, NaturalKey, New, Page, Result, Revise, Write
from sync.worker import Sides

MADE = "900000000"
"""Numbers of records that are not there: above those of any CRM."""


@dataclass(frozen=True, slots=True)
class Would:
    """A write that would be made. `item`: as it would be then, or as it was before it is deleted."""

    what: str  # create | change | delete
    side: Side
    item: Item


@dataclass(slots=True)
class _Pretended:
    """What the writes would have made of the items of one side."""

    side: Side
    new_id: Callable[[Kind, int], str]
    log: list[Would]
    numbers: count[int] = field(default_factory=lambda: count(1))
    items: dict[str, Item] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def apply(self, writes: Sequence[Write]) -> list[Result]:
        return [self._done(write) for write in writes]

    def _done(self, write: Write) -> Result:
        number = next(self.numbers)
        if isinstance(write, New):
            id_ = self.new_id(write.kind, number)
            item = Item(self.side, write.kind, id_, f"preview{number}", write.fields, write.owner, write.stamp)
            return self._kept("create", item)
        if isinstance(write, Revise):
            before = write.expected
            item = replace(before, fields={**before.fields, **write.fields}, version=f"preview{number}")
            return self._kept("change", item)
        self.log.append(Would("delete", self.side, write.expected))
        self.items.pop(write.expected.id, None)
        return Done(None)

    def _kept(self, what: str, item: Item) -> Result:
        self.log.append(Would(what, self.side, item))
        self.items[item.id] = item
        return Done(item)

    def over(self, present: Mapping[str, Present], ids: Sequence[str]) -> dict[str, Present]:
        return {**present, **{id_: self.items[id_] for id_ in ids if id_ in self.items}}


class DryCrm:
    """A CRM on which nothing is written. What it is not asked to write it passes on."""

    def __init__(self, real: Crm, prefix: Mapping[Kind, str], log: list[Would]) -> None:
        self._real = real
        self._made = _Pretended(Side.CRM, lambda kind, number: f"{prefix[kind]}x{int(MADE) + number}", log)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        real = [id_ for id_ in ids if id_ not in self._made.items]
        return self._made.over(await self._real.get(kind, real) if real else {}, ids)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return self._made.apply(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


class DryMailbox:
    """A mailbox in which nothing is written."""

    def __init__(self, real: Mailbox, log: list[Would]) -> None:
        self._real = real
        self._made = _Pretended(Side.MAILBOX, lambda kind, number: f"preview-{kind.value}-{number}", log)

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        real = [id_ for id_ in ids if id_ not in self._made.items]
        return self._made.over(await self._real.get(real) if real else {}, ids)

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return self._made.apply(writes)

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


NO_FOLDER = "preview"
"""Stands where the id of a folder would: no server has one like it."""


@dataclass(slots=True)
class NoFolder:
    """The people of a mailbox that has no folder of ours yet. `usual`: its default folder, which only tells whom it knows."""

    id: str
    usual: Mailbox
    folder_id: str = NO_FOLDER

    async def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        yield Page((), (), "preview", True)

    def afresh(self, cursor: str) -> str | None:
        return None

    async def stamped(self) -> AsyncIterator[Sequence[Item]]:
        yield ()

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        return {}

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        return []

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        return None

    async def knows(self, people: Sequence[NaturalKey]) -> list[bool]:
        return await self.usual.knows(people)


@dataclass(slots=True)
class DrySides:
    """The ports of a worker, dry. Fills `sync.worker.Sides`. `folder`: how the contact folder is called, None = as for its user."""

    real: Sides
    prefix: Mapping[Kind, str]
    folder: str | None = None
    log: list[Would] = field(default_factory=list)
    opened: dict[str, DryMailbox] = field(default_factory=dict)
    records: DryCrm | None = None

    async def crm(self) -> Crm:
        if self.records is None:
            self.records = DryCrm(await self.real.crm(), self.prefix, self.log)
        return cast(Crm, self.records)

    async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
        if "people" not in self.opened:
            known = "" if folder == NO_FOLDER else folder
            there = known or await self.real.contact_folder(mailbox, self.folder)
            opened = await self.real.mailbox(mailbox, there or await self.real.contact_folder(mailbox, ""))
            self.opened["people"] = DryMailbox(opened if there else NoFolder(mailbox, opened), self.log)
        return cast(Mailbox, self.opened["people"])

    async def contact_folder(self, mailbox: str, name: str | None = None) -> str:
        return await self.real.contact_folder(mailbox, name)

    async def calendar(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        if "calendar" not in self.opened:
            self.opened["calendar"] = DryMailbox(await self.real.calendar(mailbox, policy), self.log)
        return cast(Mailbox, self.opened["calendar"])

    async def todo(self, mailbox: str, policy: CalendarPolicy) -> Mailbox:
        if "todo" not in self.opened:
            self.opened["todo"] = DryMailbox(await self.real.todo(mailbox, policy), self.log)
        return cast(Mailbox, self.opened["todo"])

    async def watcher(self, mailbox: str) -> None:
        """A look subscribes to nothing."""

    async def forget_sign_in(self, mailbox: str) -> None:
        """Nothing is forgotten for a look."""
