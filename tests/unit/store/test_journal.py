"""Rows of the journal: what comes back, what is too long, and how transactions are cut."""

from __future__ import annotations

from sync.model import Kind
from sync.store.base import Put, Row, check
from sync.store.journal import Change, Kept, change_of, kept_of, put_kept
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
    data = {f"v{number}": "x" * 30_000 for number in range(10)}
    await ledger.commit_groups([[Put(f"j|{number:02d}", data)] for number in range(20)])
    assert len([row async for row in rows.query("m|people", "j|")]) == 20
