"""Rows of mailboxes, their hints and their places in the agenda, in memory and on Table Storage (Azurite's)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from sync.agenda import looks
from sync.model import Family, Kind
from sync.store.base import Drop, Put, Rows
from sync.store.mailboxes import AGENDA, LEASE, MESSAGE_LOST, PARTITION, Lease, MailboxRow
from sync.store.memory import MemoryRows
from sync.store.registry import Registry
from sync.store.tables import TableRows
from tests.interrupting import before_writing

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
A, B, C = (f"0000000{letter}-0000-4000-8000-000000000000" for letter in "abc")
PEOPLE, TASKS = Family.PEOPLE, Family.TASKS
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def in_hours(hours: float) -> str:
    return (AT + timedelta(hours=hours)).isoformat()


async def rest(registry: Registry, mailbox: str, until: float = 1, **columns: object) -> None:
    """One that was looked at, and whose next look is in so many hours."""
    at_rest = {"user": "19x1", "looks": looks({family: in_hours(until) for family in Family})}
    await registry.change_mailbox(mailbox, **{**at_rest, **columns})


async def row(registry: Registry, mailbox: str = A) -> MailboxRow:
    found = await registry.mailbox(mailbox)
    assert found is not None
    return found


async def lease(registry: Registry, at: datetime = AT, mailbox: str = A) -> Lease:
    taken = await registry.take_lease(mailbox, "worker", at)
    assert taken is not None
    return taken


async def places(registry: Registry) -> list[str]:
    return [each.key async for each in registry.rows.query(PARTITION, AGENDA)]


async def set_right(registry: Registry) -> int:
    return await registry.set_agenda(await registry.mailboxes())


class MailboxesContract:
    """A subclass gives the fixture `registry`, over an empty store."""

    # the agenda

    async def test_who_waits_for_a_run_waits_since_the_first_message(self, registry: Registry) -> None:
        await rest(registry, A, 1)
        await rest(registry, B, 2)
        await registry.change_mailbox(C, user="19x3", state="error")
        assert await registry.waits_since(AT) == ""
        assert await registry.waits_since(AT + timedelta(hours=3)) == in_hours(1), "nobody queues it"
        await registry.change_mailbox(C, state="ok", looks="")  # looked at by every tick
        assert await registry.waits_since(AT) == "", "no tick queued it yet"
        await registry.change_mailbox(C, enabled=False)
        await registry.hint(A, {PEOPLE}, AT)
        await registry.queued(A, AT + 2 * MESSAGE_LOST)
        await registry.hint(B, {TASKS}, AT + MINUTE)
        at = AT + 3 * MESSAGE_LOST
        assert await registry.waits_since(at) == AT.isoformat()
        taken = await lease(registry, at)
        assert await registry.waits_since(at) == (AT + MINUTE).isoformat()
        await registry.spent(B)
        await registry.release(taken, looks=looks({family: in_hours(9) for family in Family}))
        assert await registry.waits_since(at) == ""

    async def test_a_tick_reads_what_is_due_the_longest_due_first(self, registry: Registry) -> None:
        await rest(registry, A, 2)
        await rest(registry, B, 1)
        await rest(registry, C, 3)
        assert await registry.due(AT) == []
        assert await registry.due(AT + timedelta(hours=1) - SECOND) == []
        assert await registry.due(AT + timedelta(hours=1)) == [B]
        assert await registry.due(AT + timedelta(hours=9)) == [B, A, C]
        assert await registry.due(AT + timedelta(hours=9), 2) == [B, A]
        await registry.change_mailbox(C, dirty=True)
        assert await registry.due(AT) == [C]
        assert await registry.due(AT + timedelta(hours=9)) == [C, B, A]

    async def test_moments_with_fractions_are_due_in_time(self, registry: Registry) -> None:
        due_at = AT.replace(microsecond=500)
        await rest(registry, A, due_at=due_at.isoformat(), dirty=True)
        assert await registry.due(AT) == []
        assert await registry.due(due_at - timedelta(microseconds=1)) == []
        assert await registry.due(due_at) == [A]
        assert await registry.due(AT + SECOND) == [A]

    async def test_a_mailbox_has_one_place_whatever_is_done_to_it(self, registry: Registry) -> None:
        await rest(registry, A)
        await registry.note(A, {PEOPLE})
        assert await registry.due(AT) == [A]
        await registry.queued(A, AT)
        assert await registry.due(AT) == []
        taken = await lease(registry)
        await registry.note(A, {TASKS})
        await registry.renew(taken, AT + MINUTE)
        assert len(await places(registry)) == 1
        await registry.release(taken, dirty=True)
        assert await registry.due(AT) == [A]
        await registry.change_mailbox(A, state="error")
        assert len(await places(registry)) == 1
        assert (await registry.due(AT + 1000 * MINUTE), await registry.due_now(AT)) == ([], [])
        assert (await registry.in_error("", 5), await registry.in_error(A, 5)) == ([A], [])
        await registry.change_mailbox(A, state="ok")
        assert await registry.in_error("", 5) == []
        await registry.change_mailbox(A, enabled=False)
        assert await places(registry) == []
        await registry.change_mailbox(A, enabled=True)
        assert len(await places(registry)) == 1
        assert await set_right(registry) == 0
        assert await registry.drop_mailbox(A, lambda _: True)
        assert await places(registry) == []

    async def test_the_agenda_is_no_mailbox(self, registry: Registry) -> None:
        for mailbox in (A, B, C):
            await rest(registry, mailbox)
        assert [each.id for each in await registry.mailboxes()] == [A, B, C]
        assert [each.id for each in await registry.mailboxes(B, 5)] == [C]

    async def test_places_that_an_earlier_version_did_not_write_are_set_right(self, registry: Registry) -> None:
        for mailbox in (A, B, C):
            await rest(registry, mailbox)
        (one, other, third) = await places(registry)
        stray = f"{AGENDA}{AT.isoformat()}|{A}", f"{AGENDA}0|{C}", f"{AGENDA}0|gone"
        await registry.rows.transact(PARTITION, [Put(key, {}) for key in stray])
        await registry.rows.transact(PARTITION, [Drop(other)])
        assert await set_right(registry) == 4
        assert await places(registry) == [one, other, third]
        assert await set_right(registry) == 0

    async def test_setting_right_does_not_undo_what_happens_meanwhile(self, registry: Registry) -> None:
        await rest(registry, A)
        await registry.rows.transact(PARTITION, [Put(f"{AGENDA}0|{A}", {})])
        before_writing(registry.rows, PARTITION, lambda: registry.note(A, {PEOPLE}))  # type: ignore[arg-type]
        await set_right(registry)
        assert (await row(registry)).hints == "people"
        assert AGENDA + f"0|{A}" in await places(registry)
        await set_right(registry)
        assert await places(registry) == [f"{AGENDA}0|{A}"]

    # hints

    async def test_the_first_hint_asks_for_a_message_and_the_others_are_only_noted(self, registry: Registry) -> None:
        await rest(registry, A)
        assert await registry.hint(A, {PEOPLE}, AT)
        assert not await registry.hint(A, {TASKS}, AT + MINUTE)
        found = await row(registry)
        assert (found.hints, found.queued_until) == ("people tasks", (AT + MESSAGE_LOST).isoformat())
        assert await registry.due(AT + MINUTE) == []
        assert await registry.due(AT + MESSAGE_LOST) == [A]
        assert await registry.hint(A, {TASKS}, AT + MESSAGE_LOST)

    async def test_a_hint_during_a_run_is_there_when_the_run_has_ended(self, registry: Registry) -> None:
        await rest(registry, A, hints="people", dirty=True)
        taken = await lease(registry)
        assert (taken.row.hints, taken.row.dirty, taken.found.hints, taken.found.dirty) == ("", False, "people", True)
        assert not await registry.hint(A, {TASKS}, AT + SECOND)
        await registry.release(taken, last_run=AT.isoformat(), looks=looks(dict.fromkeys(Family, in_hours(1))))
        assert (await row(registry)).hints == "tasks"
        assert await registry.due(AT + SECOND) == [A]
        assert await registry.hint(A, {PEOPLE}, AT + SECOND)

    async def test_a_wish_for_renewal_during_a_run_is_there_when_the_run_has_ended(self, registry: Registry) -> None:
        await rest(registry, A)
        taken = await lease(registry)
        await registry.hint(A, {PEOPLE}, AT, rewatch=True)
        taken.noted.update(watches="w", rewatch=False)  # it had looked at its subscriptions before
        await registry.release(taken)
        found = await row(registry)
        assert (found.watches, found.rewatch, found.hints) == ("w", True, "people")

    async def test_a_wish_for_renewal_ends_with_the_run_that_did_it_and_with_no_other(self, registry: Registry) -> None:
        await rest(registry, A)
        await registry.hint(A, {PEOPLE}, AT, rewatch=True)
        taken = await lease(registry)
        assert taken.found.rewatch
        await registry.release(taken, dirty=True)  # it failed before it came to that
        assert (await row(registry)).rewatch
        taken = await lease(registry)
        taken.noted["rewatch"] = False
        await registry.release(taken)
        assert not (await row(registry)).rewatch

    @pytest.mark.parametrize(
        ("columns", "kept"),
        [
            ({"state": "error"}, "people"),
            ({"enabled": False}, ""),
            ({"due_at": in_hours(1)}, "people"),
            ({"holder": "w", "expires": in_hours(0.01)}, "people"),
        ],
        ids=str,
    )
    async def test_a_hint_starts_nothing_that_may_not_start(
        self, registry: Registry, columns: dict[str, object], kept: str
    ) -> None:
        """A pause that a server asked for is obeyed, whatever is told meanwhile (SPEC 4.3)."""
        await rest(registry, A, **columns)
        assert not await registry.hint(A, {PEOPLE}, AT)
        found = await row(registry)
        assert (found.hints, found.queued_until) == (kept, "")
        assert await registry.due(AT) == []

    async def test_a_hint_about_a_mailbox_that_is_not_there_makes_none(self, registry: Registry) -> None:
        assert not await registry.hint(A, {PEOPLE}, AT)
        await registry.note(A, {PEOPLE})
        assert await registry.mailbox(A) is None
        assert await places(registry) == []

    async def test_hints_at_the_same_moment_are_one_message_and_both_noted(self, registry: Registry) -> None:
        await rest(registry, A)
        other: list[object] = []

        async def another() -> None:
            other.append(await registry.hint(A, {TASKS}, AT))

        before_writing(registry.rows, PARTITION, another)  # type: ignore[arg-type]
        mine = await registry.hint(A, {PEOPLE}, AT)
        assert sorted(each is not None for each in (mine, *other)) == [False, True]
        assert (await row(registry)).hints == "people tasks"

    async def test_a_hint_between_reading_and_taking_the_lease_is_not_lost(self, registry: Registry) -> None:
        await rest(registry, A, dirty=True)
        before_writing(registry.rows, PARTITION, lambda: registry.hint(A, {TASKS}, AT))  # type: ignore[arg-type]
        assert await registry.take_lease(A, "worker", AT) is None
        found = await row(registry)
        assert (found.hints, found.dirty, found.holder) == ("tasks", True, "")

    async def test_what_a_sweep_marks_is_due_at_once(self, registry: Registry) -> None:
        await rest(registry, A)
        await registry.mark(A, [(Kind.TASK, "4x1"), (Kind.CONTACT, "4x2")], "n")
        assert (await row(registry)).hints == "people tasks"
        assert await registry.due(AT) == [A]

    # messages

    async def test_a_message_that_finds_a_run_leaves_word_for_it(self, registry: Registry) -> None:
        await rest(registry, A)
        taken = await lease(registry)
        await registry.queued(A, AT)
        assert await registry.take_lease(A, "other", AT) is None
        found = await row(registry)
        assert (found.dirty, found.queued_until, found.holder) == (True, "", "worker")
        await registry.release(taken)
        assert (await row(registry)).dirty
        assert await registry.due(AT) == [A]

    async def test_a_message_that_finds_a_run_with_a_hint_needs_no_more(self, registry: Registry) -> None:
        await rest(registry, A)
        await lease(registry)
        await registry.hint(A, {TASKS}, AT)
        assert await registry.take_lease(A, "other", AT) is None
        assert not (await row(registry)).dirty

    async def test_a_message_that_finds_a_run_takes_no_order_back_that_comes_meanwhile(
        self, registry: Registry
    ) -> None:
        await rest(registry, A)
        await lease(registry)
        await registry.hint(A, {TASKS}, AT)
        await registry.queued(A, AT)
        before_writing(registry.rows, PARTITION, lambda: registry.change_mailbox(A, dirty=True))  # type: ignore[arg-type]
        assert await registry.take_lease(A, "other", AT) is None
        assert (await row(registry)).dirty

    async def test_a_run_that_died_is_queued_once_until_its_message_is_lost(self, registry: Registry) -> None:
        await rest(registry, A)
        await lease(registry)
        dead = AT + LEASE
        assert await registry.due(dead - SECOND) == []
        assert await registry.due(dead) == [A]
        await registry.queued(A, dead)
        assert await registry.due(dead + 5 * MINUTE) == []
        assert await registry.due(dead + MESSAGE_LOST) == [A]
        again = await lease(registry, dead)
        assert (again.row.starts, again.found.holder) == (2, "worker")

    async def test_a_removal_during_a_run_keeps_what_the_run_subscribed_to(self, registry: Registry) -> None:
        """It is dropped by the clearing, which has to know of it."""
        await rest(registry, A, watches="before")
        taken = await lease(registry)
        taken.noted.update(watches="made", rewatch=False, looks="x", progress="p")
        await registry.change_mailbox(A, clearing="leave", enabled=False, left_at=in_hours(0), dirty=True)
        after = await registry.release(taken, dirty=False, state="ok", looks="never")
        assert after is not None
        assert (after.watches, after.clearing, after.dirty, after.progress) == ("made", "leave", True, "")
        assert after.looks == looks({family: in_hours(1) for family in Family})


class TestInMemory(MailboxesContract):
    @pytest.fixture
    def registry(self) -> Registry:
        return Registry(MemoryRows())


class TestInTables(MailboxesContract):
    @pytest.fixture
    async def registry(self, azurite: str) -> AsyncIterator[Registry]:
        rows: Rows = TableRows.connect(azurite, table=f"m{uuid4().hex}")
        yield Registry(rows)
        await rows.aclose()  # type: ignore[attr-defined]
