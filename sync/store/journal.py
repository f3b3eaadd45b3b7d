"""The rows of history and journal of a family in one mailbox: what was done to an item, and the values before and after it.

    h|crm id|back|id history: what, because, field pairs, run; no values, kept. Listed by item, the newest first: `back` is the time with each digit
                     taken from nine, so that a page of it costs no more than itself.
    j|at|id          journal: the values, encrypted, for 30 days. In the order of time, so that what is old is dropped without a search.
    r|run|at         where a run's rows of the journal begin: a row per slice of a run that wrote any. They go with the journal's.

A history row names its journal row. Values that the CRM may not see never come here; what turns private later is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from sync.model import Kind, Side, Value
from sync.store.base import Drop, Op, Put, Row, Rows, following, prefix_end

CHUNK_OF_TEXT = 30_000  # characters of a property: the service takes 32 Ki
OF_VALUES = ("j|", "x|")
"""Letters of the rows that hold values: the journal's, and what removals left (`remnants`)."""
MOST = 240_000  # characters of values in one row: encrypted and in UTF-16 they stay below 1 MiB
AHEAD = 10
"""Beginnings that are read to find where a run's rows end: one more than the slices that a run has as a rule."""
_NINES = str.maketrans("0123456789", "9876543210")
BEGUN = "begun"
"""`what` of an action of which only the beginning is known: the process died, or the answer was lost."""


class Seals(Protocol):
    def encrypt(self, text: str, aad: str) -> str: ...


class Opens(Protocol):
    def decrypt(self, token: str, aad: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Change:
    """Values of one action. Keys are `side:field pair`, of a deleted item `side:field`. `cut`: keys whose values were too long to be kept."""

    before: Mapping[str, Value] = field(default_factory=dict)
    after: Mapping[str, Value] = field(default_factory=dict)
    cut: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.before or self.after)


@dataclass(frozen=True, slots=True)
class Kept:
    """A journal row without its values. `what`: create | update | delete | restore.

    `side`: where it was deleted or made; `owner`: whose record it was that was deleted. `role`: what the deleted item's link said of it;
    `open`: it was private by the CRM's own word. Older rows say neither.
    """

    key: str
    crm_id: str
    item_id: str
    kind: Kind
    what: str
    because: str
    run: int
    side: str = ""
    owner: str = ""
    role: str = ""
    open: bool = False

    @property
    def at(self) -> str:
        return self.key.split("|")[1]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an item's history. `journal`: key of the row with its values, '' = none were kept, or not any more."""

    key: str
    crm_id: str
    what: str
    because: str
    pairs: tuple[str, ...]
    run: int
    flags: tuple[str, ...]
    item_id: str
    kind: str
    journal: str

    @property
    def at(self) -> str:
        return turned(self.key.split("|")[2])


def put_kept(kept: Kept, change: Change, keys: Seals) -> Op:
    """The journal row. Of values that are too long together the longest are left out, first of those that were written."""
    fitting = _fitting(change)
    text = json.dumps({"before": fitting.before, "after": fitting.after}, ensure_ascii=False)
    sealed = keys.encrypt(text, kept.key)
    parts = [sealed[i : i + CHUNK_OF_TEXT] for i in range(0, len(sealed), CHUNK_OF_TEXT)]
    data: dict[str, str | int | bool] = {
        "crm": kept.crm_id,
        "item": kept.item_id,
        "kind": kept.kind.value,
        "what": kept.what,
        "because": kept.because,
        "run": kept.run,
        "side": kept.side,
        "owner": kept.owner,
        "role": kept.role,
        "open": kept.open,
        "cut": " ".join(fitting.cut),
        "parts": len(parts),
    }
    data.update({f"v{number}": part for number, part in enumerate(parts)})
    return Put(kept.key, data)


def _fitting(change: Change) -> Change:
    before, after, cut = dict(change.before), dict(change.after), list(change.cut)
    for values in (after, before):
        for key in sorted(values, key=lambda name: _length(values[name]), reverse=True):
            if sum(map(_length, (*before.values(), *after.values()))) <= MOST:
                break
            del values[key]
            cut.append(key)
    return Change(before, after, tuple(cut))


def _length(value: Value) -> int:
    """Bytes of a value as JSON: what the encryption makes longer by a third."""
    return len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))


def kept_of(row: Row) -> Kept:
    data = row.data
    return Kept(
        row.key,
        str(data["crm"]),
        str(data["item"]),
        Kind(str(data["kind"])),
        str(data["what"]),
        str(data["because"]),
        int(data["run"]),
        str(data["side"]),
        str(data["owner"]),
        str(data.get("role", "")),
        bool(data.get("open", False)),
    )


def change_of(row: Row, keys: Opens) -> Change:
    """The values of a journal row. Raises Undecipherable when their key is not held any more."""
    sealed = "".join(str(row.data[f"v{number}"]) for number in range(int(row.data["parts"])))
    found = json.loads(keys.decrypt(sealed, row.key))
    before, after = ({k: _value(v) for k, v in found[name].items()} for name in ("before", "after"))
    return Change(before, after, tuple(str(row.data["cut"]).split()))


def _value(found: str | list[str]) -> Value:
    return found if isinstance(found, str) else tuple(found)


def entry_of(row: Row) -> Entry:
    data = row.data
    pairs = str(data.get("pairs", ""))
    return Entry(
        row.key,
        row.key.split("|")[1],
        str(data["what"]),
        str(data["because"]),
        tuple(pairs.split(",")) if pairs else (),
        int(data["run"]),
        tuple(str(data.get("flags", "")).split()),
        str(data.get("item", "")),
        str(data.get("kind", "")),
        str(data.get("journal", "")),
    )


def turned(at: str) -> str:
    """A time as text that sorts the other way round, and back again."""
    return at.translate(_NINES)


def history_place(crm_id: str, at: str, id_: str) -> str:
    """The key of a line of an item's history."""
    return f"h|{crm_id}|{turned(at)}|{id_}"


async def entries(rows: Rows, partition: str, crm_id: str, after: str = "", limit: int = 0) -> list[Entry]:
    """The history of an item, the newest first: those behind the key `after`, at most `limit` (0 = all)."""
    prefix = f"h|{crm_id}|"
    found = rows.query(partition, max(prefix, following(after)), prefix_end(prefix), limit)
    return [entry_of(row) async for row in found]


async def kept_rows(rows: Rows, partition: str, since: str = "") -> AsyncIterator[Row]:
    """The journal's rows, the oldest first."""
    async for row in rows.query(partition, f"j|{since}", prefix_end("j|")):
        yield row


def put_beginning(run: int, at: str) -> Op:
    """That rows of this run stand in the journal from this time on."""
    return Put(f"r|{run:010}|{at}", {})


def beginnings(ops: Sequence[Op], known: Mapping[int, str]) -> dict[int, str]:
    """Run -> time of its first journal row among these, where none so early is `known`. Rows are not always stored in the order of their times."""
    found: dict[int, str] = {}
    for op in ops:
        if isinstance(op, Put) and op.key.startswith("j|"):
            run, at = int(op.data["run"]), op.key.split("|")[1]
            earliest = found.get(run) or known.get(run)
            if earliest is None or at < earliest:
                found[run] = at
    return found


async def of_run(rows: Rows, partition: str, run: int) -> list[Row]:
    """The journal's rows of one run, the newest first: they stand between its beginning and that of the next run which wrote any."""
    keys = [row.key async for row in rows.query(partition, f"r|{run:010}|", prefix_end("r|"), AHEAD)]
    begun = [(int(number), at) for _, number, at in (key.split("|") for key in keys)]
    if not begun or begun[0][0] != run:
        return []
    until = next((at for number, at in begun if number != run), "")
    found = rows.query(partition, f"j|{begun[0][1]}", prefix_end(f"j|{until}|" if until else "j|"))
    return [row async for row in found if row.data["run"] == run][::-1]


async def old_rows(rows: Rows, partition: str, before: str) -> list[Op]:
    """Drops of the journal and of what removals left, where it is older than `before` (ISO UTC): values can be restored for 30 days (SPEC 4.6)."""
    old = [row for letter in OF_VALUES for row in [r async for r in rows.query(partition, letter, f"{letter}{before}")]]
    keys = [row.key for row in old]
    if runs := [int(row.data["run"]) for row in old if row.key.startswith("j|")]:
        keys += [row.key async for row in rows.query(partition, "r|", f"r|{max(runs):010}|{before}")]
    return [Drop(key) for key in keys]


async def values_of_items(rows: Rows, partition: str, ids: Collection[str]) -> list[Op]:
    """Drops of all that is kept of items, by the id of either side, and of the series they belong to: they turned private (SPEC 2.10)."""
    wanted = {*ids, *(id_.partition("|")[0] for id_ in ids)}
    return [
        Drop(row.key)
        async for row in kept_rows(rows, partition)
        if {str(row.data["crm"]), str(row.data["item"])} & wanted
    ]


def side_of(key: str) -> tuple[Side, str]:
    """Side and field pair (or field) of a value's key."""
    side, _, name = key.partition(":")
    return Side(side), name
