"""The protocol of the store: rows in partitions, changed in entity-group transactions, guarded by ETags.

That is what Azure Table Storage offers and no more, so `memory.MemoryRows` and `tables.TableRows` can be exact twins. The limits of the
service are checked here, in `check`, for both: Azurite is laxer than the service (azure/FACTS.md). What the rows mean is
`ledger`'s business.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

Data = Mapping[str, str | int | bool]


@dataclass(frozen=True, slots=True)
class Row:
    partition: str
    key: str
    data: Data
    etag: str


@dataclass(frozen=True, slots=True)
class Insert:
    """Fails with Conflict when the row exists."""

    key: str
    data: Data


@dataclass(frozen=True, slots=True)
class Put:
    """Insert or replace whole, whatever is there."""

    key: str
    data: Data


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace whole; fails with Conflict when the row is gone or its ETag moved."""

    key: str
    data: Data
    etag: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Delete. With an ETag: Conflict when it moved or the row is gone. Without: no matter what, also when it is gone already."""

    key: str
    etag: str | None = None


Op = Insert | Put | Replace | Drop


class Conflict(Exception):
    """A guard of a transaction did not hold; nothing of it was stored. `index` = the operation, `key` = its row."""

    def __init__(self, index: int, key: str) -> None:
        super().__init__(f"operation {index} on {key}")
        self.index, self.key = index, key


class Stale(Exception):
    """What a person wants to change is not as that person saw it: somebody else changed it meanwhile."""


class StoreUnreachable(Exception):
    """The storage account could not be reached or refused us; whether a write happened is unknown."""


class LimitExceeded(ValueError):
    """The service would refuse this; a bug of ours."""


class BadKey(LimitExceeded):
    """No row can have this key: an id that somebody made up."""


class Rows(Protocol):
    async def get(self, partition: str, key: str) -> Row | None: ...

    def query(self, partition: str, first: str = "", last: str = "", limit: int = 0) -> AsyncIterator[Row]:
        """Rows of a partition in key order, keys >= first and < last ('' = no bound), at most `limit` (0 = all). Follows continuation.

        No more than `limit` rows are asked for, so a page of a long list costs no more than itself.
        """
        ...

    def scan(self, partition: str = "", key: str = "") -> AsyncIterator[Row]:
        """Every row there is, in the order of partitions and keys, those behind the one that is named. Slow; for upgrades and copies.

        Not a snapshot. A row that is written meanwhile may or may not be among them.
        """
        ...

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        """All or nothing; the new ETags in order ('' for Drop). Raises Conflict, StoreUnreachable, LimitExceeded.

        At most 100 operations, one per row. An empty list does nothing.
        """
        ...


MAX_OPS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
ENOUGH_BYTES = MAX_TRANSACTION_BYTES * 3 // 4
MAX_ROW_BYTES = 1024 * 1024
MAX_PROPERTY_CHARS = 32 * 1024  # 64 KiB of UTF-16
MAX_PROPERTIES = 252
MAX_NAME_CHARS = 255
MAX_KEY_CHARS = 512  # 1 KiB of UTF-16
RESERVED_NAMES = frozenset({"PartitionKey", "RowKey", "Timestamp"})
INT32 = 2**31
_NOT_IN_KEYS = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")


def width(text: str) -> int:
    """Characters as the service counts them, in UTF-16. Raises LimitExceeded for half a surrogate pair: nothing can send it."""
    try:
        return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
    except UnicodeEncodeError:
        raise LimitExceeded("half a surrogate pair") from None


def check_key(key: str) -> None:
    """Refuse what the service refuses in PartitionKey and RowKey."""
    if not key or width(key) > MAX_KEY_CHARS or _NOT_IN_KEYS.search(key):
        raise BadKey(f"not a table key ({len(key)} characters)")


def prefix_end(prefix: str) -> str:
    """The smallest key above every key that starts with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def following(key: str) -> str:
    """Where the rows after this key begin, '' = at the first: a key cannot go on with anything below a blank."""
    return f"{key} " if key else ""


def plain(data: Data) -> dict[str, str | int | bool]:
    """A copy that holds nothing but str, int and bool: a StrEnum goes in and its text is stored, in every implementation."""
    copy: dict[str, str | int | bool] = {}
    for name, value in data.items():
        if isinstance(value, bool):
            copy[name] = value
        elif isinstance(value, str):
            copy[name] = str.__str__(value)
        elif isinstance(value, int):
            copy[name] = int(value)
        else:
            raise _strange(name)
    return copy


def _strange(name: str) -> LimitExceeded:
    return LimitExceeded(f"property {name} is neither text nor number nor flag")


def size_of(data: Data) -> int:
    """Bytes that the service counts for a row's data: 4, and per property 8, its name and its value (text in UTF-16).

    Raises LimitExceeded for a property that no row can have.
    """
    total = 4
    for name, value in data.items():
        total += 8 + 2 * _name_width(name)
        if isinstance(value, str):
            chars = width(value)
            if chars > MAX_PROPERTY_CHARS:
                raise LimitExceeded(f"property {name} is too long")
            total += 4 + 2 * chars
        elif isinstance(value, bool):
            total += 1
        elif not isinstance(value, int):
            raise _strange(name)
        elif -INT32 <= value < INT32:
            total += 4
        else:
            raise LimitExceeded(f"property {name} is not an Int32")
    return total


@lru_cache(maxsize=1024)
def _name_width(name: str) -> int:
    """Of a property's name; raises LimitExceeded for what is none. Remembered: a store has few names, each travels with every row."""
    chars = width(name)
    if not name.isidentifier() or chars > MAX_NAME_CHARS or name in RESERVED_NAMES:
        raise LimitExceeded(f"not a property name: {name[:MAX_NAME_CHARS]}")
    return chars


def check(partition: str, ops: Sequence[Op]) -> None:
    """Refuse what the service would refuse, before it is sent. Raises LimitExceeded."""
    check_key(partition)
    if len(ops) > MAX_OPS:
        raise LimitExceeded(f"{len(ops)} operations in one transaction")
    if len({op.key for op in ops}) != len(ops):
        raise LimitExceeded("two operations on one row")
    at_most = 0
    for op in ops:
        check_key(op.key)
        if isinstance(op, Replace | Drop) and op.etag in ("", "*"):
            raise LimitExceeded("an ETag that guards nothing")
        at_most += 1024 + (0 if isinstance(op, Drop) else 5 * _row_size(partition, op))
    # What travels is at most five times what is stored: a transaction is seldom large enough to be spelled out.
    if at_most > MAX_TRANSACTION_BYTES:
        sent = sum(map(sent_bytes, ops))
        if sent > MAX_TRANSACTION_BYTES:
            raise LimitExceeded(f"transaction of {sent} bytes")


def _row_size(partition: str, op: Insert | Put | Replace) -> int:
    """Bytes of the row as the service counts them. Raises LimitExceeded for a row that it would refuse."""
    if len(op.data) > MAX_PROPERTIES:
        raise LimitExceeded(f"{len(op.data)} properties")
    size = size_of(op.data) + 2 * (width(partition) + width(op.key))
    if size > MAX_ROW_BYTES:
        raise LimitExceeded(f"row of {size} bytes")
    return size


def transactions(groups: Iterable[Sequence[Op]], most: int) -> Iterator[list[Op]]:
    """Groups of operations put together, no group split, at most `most` operations and well below the bytes of a transaction in each."""
    part: dict[str, Op] = {}
    size = 0
    for group in groups:
        more = sum(map(sent_bytes, group))
        full = len(part) + len(group) > most or size + more > ENOUGH_BYTES
        if part and (full or any(op.key in part for op in group)):
            yield list(part.values())
            part, size = {}, 0
        part.update({op.key: op for op in group})
        size += more
    if part:
        yield list(part.values())


def sent_bytes(op: Op) -> int:
    """What an operation adds to a transaction: headers and separators of its part of the batch, with both keys escaped, and its row."""
    return 1024 + (0 if isinstance(op, Drop) else _sent_bytes(op.data))


def _sent_bytes(data: Data) -> int:
    """The row as it travels. JSON spells `è` as \\u00e8: three times its UTF-16, and the limit is on the request."""
    types = sum(len(name) + len('"@odata.type": "Edm.String", ') for name in data)
    return len(json.dumps(dict(data))) + types
