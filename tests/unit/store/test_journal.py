"""Rows of the journal: what comes back, what is too long, and how transactions are cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sync.model import Kind
from sync.store.base import MAX_OPS, Drop, Op, Put, Row, check
from sync.store.journal import AHEAD, Change, Kept, change_of, kept_of, of_run, old_rows, put_kept
from sync.store.ledger import MailboxLedger
from sync.store.memory import MemoryRows
from sync.store.secrets import Keyring

KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
KEPT = Kept("j|2026-01-01T00:00:00+00:00|x", "12x1", "card", Kind.CONTACT, "update", "crm_edited", 7)


def stored(change: Change) -> Row:
    op = put_kept(KEPT, change, KEYS)
    assert isinstance(op, Put)
    check("m|people", [op])
    return Row("m|people", op.key, op.data, "e")


def test_values_come_back_and_stand_nowhere_in_clear() -> None:
    change = Change({"crm:phone~x": "segreto", "mailbox:emailAddresses": ("a", "b")}, {"crm:phone~x": "due"})
    row = stored(change)
    assert change_of(row, KEYS) == change
    assert kept_of(row) == KEPT
    assert "segreto" not in repr(row.data)


def test_the_longest_values_are_left_out_and_named() -> None:
    change = Change({"crm:a~b": "è" * 100_000, "crm:c~d": "short"}, {"crm:a~b": "x" * 200_000})
    found = change_of(stored(change), KEYS)
    assert (set(found.before), found.after, found.cut) == ({"crm:a~b", "crm:c~d"}, {}, ("crm:a~b",))
    found = change_of(stored(Change({"crm:a~b": "€" * 300_000, "crm:c~d": "short"})), KEYS)
    assert (found.before, found.cut) == ({"crm:c~d": "short"}, ("crm:a~b",))


async def test_a_batch_of_large_rows_is_stored_in_several_transactions() -> None:
    rows = MemoryRows()
    ledger = await MailboxLedger.open(rows, "m", 1)
    data = {"run": 7, **{f"v{number}": "x" * 30_000 for number in range(10)}}
    await ledger.commit_groups([[Put(f"j|{number:02d}|x", data)] for number in range(20)])
    assert len([row async for row in rows.query("m|people", "j|", "k")]) == 20


PARTITION = "m|people"


def wrote(run: int, second: int) -> Op:
    at = f"2026-01-01T00:{second // 60:02}:{second % 60:02}+00:00"
    return put_kept(replace(KEPT, key=f"j|{at}|{run}-{second}", run=run), Change({"crm:a~b": "1"}), KEYS)


async def slices(rows: MemoryRows, *slices_: Mapping[int, int]) -> None:
    """Each by a worker of its own, a transaction per row: second -> run."""
    for fence, slice_ in enumerate(slices_, 1):
        ledger = await MailboxLedger.open(rows, "m", fence)
        for second, run in slice_.items():
            await ledger.commit([wrote(run, second)])


async def found(rows: MemoryRows, run: int) -> list[str]:
    return [row.key.rpartition("|")[2] for row in await of_run(rows, PARTITION, run)]


async def test_a_run_is_found_by_where_it_began() -> None:
    rows = MemoryRows()
    await slices(rows, {1: 3, 2: 3}, {3: 5}, {90: 5, 91: 5}, {91: 9})
    assert await found(rows, 3) == ["3-2", "3-1"]
    assert await found(rows, 5) == ["5-91", "5-90", "5-3"], (
        "slices of one run, the last second shared with the next run"
    )
    assert await found(rows, 9) == ["9-91"]
    assert [await found(rows, run) for run in (0, 4, 10, 2**31)] == [[], [], [], []]


async def test_a_run_of_very_many_slices_is_found_too() -> None:
    rows = MemoryRows()
    await slices(rows, *({second: 3} for second in range(2 * AHEAD)), {40: 5})
    assert await found(rows, 3) == [f"3-{second}" for second in reversed(range(2 * AHEAD))]


async def test_rows_need_not_be_stored_in_the_order_of_their_times() -> None:
    rows = MemoryRows()
    await slices(rows, {10: 3, 8: 3, 9: 3})
    assert await found(rows, 3) == ["3-10", "3-9", "3-8"]


async def test_only_the_first_rows_of_a_slice_say_where_the_run_begins() -> None:
    rows = MemoryRows()
    await slices(rows, dict.fromkeys(range(20), 3), {30: 3})
    assert [row.key async for row in rows.query(PARTITION, "r|")] == [
        f"r|0000000003|2026-01-01T00:00:{second}+00:00" for second in ("00", "30")
    ]


async def test_a_full_transaction_has_room_for_where_its_run_begins() -> None:
    ledger = await MailboxLedger.open(MemoryRows(), "m", 1)
    await ledger.commit([wrote(3, second) for second in range(2 * MAX_OPS)])
    await ledger.commit_groups([[wrote(4, second)] for second in range(2 * MAX_OPS, 4 * MAX_OPS)])
    assert len(await found(ledger.rows, 3)) == len(await found(ledger.rows, 4)) == 2 * MAX_OPS  # type: ignore[arg-type]


async def test_beginnings_go_with_what_they_lead_to() -> None:
    rows = MemoryRows()
    await slices(rows, {1: 3}, {30: 5}, {90: 5}, {120: 6})
    # forgotten, because its item turned private
    await rows.transact(PARTITION, [Drop("j|2026-01-01T00:00:01+00:00|3-1")])
    old = await old_rows(rows, PARTITION, "2026-01-01T00:01:00+00:00")
    assert sorted(op.key for op in old) == [
        "j|2026-01-01T00:00:30+00:00|5-30",
        "r|0000000003|2026-01-01T00:00:01+00:00",
        "r|0000000005|2026-01-01T00:00:30+00:00",
    ]
    await rows.transact(PARTITION, old)
    assert [await found(rows, run) for run in (3, 5, 6)] == [[], ["5-90"], ["6-120"]]
    assert await old_rows(rows, PARTITION, "2026-01-01T00:01:00+00:00") == []
