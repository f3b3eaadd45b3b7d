"""A flood of hints about a mailbox: one write under way and one waiting, however many there are; none is told to be stored before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from sync.connector import Connector
from sync.hinting import Hinting
from sync.model import Family
from sync.store.base import StoreUnreachable

ANNA, BRUNO = "anna", "bruno"


@dataclass
class Store:
    """Notes what is written and lets writes end one by one."""

    written: list[tuple[str, frozenset[Family], bool]] = field(default_factory=list)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    broken: bool = False

    async def hint(self, told: Mapping[str, Collection[Family]], rewatch: Collection[str] = ()) -> int:
        ((mailbox, families),) = told.items()
        found = frozenset(families)
        await self.gate.acquire()
        if self.broken:
            raise StoreUnreachable("503")
        self.written.append((mailbox, found, mailbox in rewatch))
        return 1


@pytest.fixture
def store() -> Store:
    return Store()


def hinting(store: Store) -> Hinting:
    return Hinting(cast(Connector, store))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_comes_during_a_write_is_one_more(store: Store) -> None:
    each = hinting(store)
    first = asyncio.create_task(each.hint(ANNA, {Family.PEOPLE}))
    await settled()
    others = [asyncio.create_task(each.hint(ANNA, {family})) for family in (Family.PEOPLE, Family.CALENDAR) * 50]
    asking = asyncio.create_task(each.hint(ANNA, {Family.PEOPLE}, rewatch=True))
    await settled()
    store.gate.release()
    await settled()
    assert first.done()
    assert not any(task.done() for task in [*others, asking]), "nothing of them is stored yet"
    store.gate.release()
    await asyncio.gather(*others, asking)
    both = frozenset({Family.PEOPLE, Family.CALENDAR})
    assert store.written == [(ANNA, frozenset({Family.PEOPLE}), False), (ANNA, both, True)]


async def test_mailboxes_do_not_wait_for_each_other(store: Store) -> None:
    each = hinting(store)
    tasks = [asyncio.create_task(each.hint(mailbox, {Family.PEOPLE})) for mailbox in (ANNA, BRUNO)]
    await settled()
    store.gate.release()
    store.gate.release()
    await asyncio.gather(*tasks)
    assert {mailbox for mailbox, *_ in store.written} == {ANNA, BRUNO}


async def test_a_failure_is_told_to_all_whose_hint_was_in_it_and_the_next_one_is_stored(store: Store) -> None:
    each = hinting(store)
    first = asyncio.create_task(each.hint(ANNA, {Family.PEOPLE}))
    await settled()
    others = [asyncio.create_task(each.hint(ANNA, {Family.CALENDAR})) for _ in range(2)]
    store.gate.release()
    await first
    store.broken = True
    store.gate.release()
    came = await asyncio.gather(*others, return_exceptions=True)
    assert [type(each) for each in came] == [StoreUnreachable] * 2
    store.broken = False
    store.gate.release()
    await each.hint(ANNA, {Family.TASKS})
    assert store.written[-1] == (ANNA, frozenset({Family.TASKS}), False)


async def test_who_goes_away_takes_no_hint_along(store: Store) -> None:
    each = hinting(store)
    gone = asyncio.create_task(each.hint(ANNA, {Family.PEOPLE}))
    await settled()
    gone.cancel()
    store.gate.release()
    await settled()
    assert store.written == [(ANNA, frozenset({Family.PEOPLE}), False)]
