"""Hints about one mailbox that reach a process at the same time are stored together: one write is under way and one waits, however many there are.

A flood of notifications about a mailbox then costs what a few cost, and none is answered before what it says is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from sync.connector import Connector
from sync.model import Family


@dataclass(slots=True)
class _Next:
    """What is stored when the write that is under way has ended."""

    families: set[Family] = field(default_factory=set)
    rewatch: bool = False
    stored: asyncio.Task[None] | None = None


class Hinting:
    """One per process, for one event loop."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._waiting: dict[str, _Next] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    async def hint(self, mailbox: str, families: Collection[Family], *, rewatch: bool = False) -> None:
        """As `Connector.hint`. Raises what the store raises, to everybody whose hint was in that write."""
        following = self._waiting.setdefault(mailbox, _Next())
        following.families |= set(families)
        following.rewatch |= rewatch
        if following.stored is None:
            following.stored = asyncio.create_task(self._store(mailbox, following))
        await asyncio.shield(following.stored)  # who goes away takes nobody's hint along

    async def _store(self, mailbox: str, following: _Next) -> None:
        turn = self._turns.setdefault(mailbox, asyncio.Lock())
        async with turn:
            del self._waiting[mailbox]  # what comes from now on waits for the next write
            await self._connector.hint({mailbox: following.families}, {mailbox} if following.rewatch else ())
        if mailbox not in self._waiting:
            self._turns.pop(mailbox, None)
