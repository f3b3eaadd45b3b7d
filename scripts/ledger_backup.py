"""A copy of the ledger in a file, and back: Table Storage has no copy of its own, and neither `az storage` nor azcopy can copy tables.

    python -m scripts.ledger_backup backup FILE [--running]
    python -m scripts.ledger_backup restore FILE

Where: `--account NAME` with the sign-in of `az login` (role Storage Table Data Contributor), else the connection string in the variable STORAGE.
`--table` is `vtesync` unless said otherwise.

A backup is taken while the connector is killed, so that it shows one moment; `--running` takes one anyway, which is good for looking at, and for
nothing else. The file holds digests, ids and encrypted values: it is of use only with the app's keys (INDEX_KEY, DIGEST_KEYS, ENCRYPTION_KEYS), and
with them it is as confidential as the table. A restore goes into an empty table and leaves the connector killed: Restore state begins the work.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, TextIO

from control.version import VERSION
from sync.store.base import MAX_OPS, Put, transactions
from sync.store.board import BoardStore
from sync.store.schema import current, read
from sync.store.tables import TableRows

WHAT = "vtesync ledger"
BOARD = ("control", "board")
Line = tuple[str, str, dict[str, Any]]


class Refused(Exception):
    """Why nothing was done, in a sentence."""


async def backup(rows: TableRows, to: Path, *, running: bool, now: datetime) -> int:
    """Write every row to a file; how many they are. Raises Refused."""
    state = (await BoardStore(rows).read()).state
    if state != "killed" and not running:
        raise Refused(
            f"the connector is {state}: press KILL first, so that the copy shows one moment (or say --running)"
        )
    schema = await read(rows)
    head = {
        "what": WHAT,
        "version": VERSION,
        "schema": schema.newest if schema else 0,
        "at": now.isoformat(timespec="seconds"),
    }
    count, seal = 0, hashlib.sha256()
    partial = to.with_name(f"{to.name}.partial")
    with _private(partial) as file:
        file.write(json.dumps(head) + "\n")
        async for row in rows.scan():
            line = json.dumps([row.partition, row.key, dict(row.data)])
            seal.update(line.encode())
            file.write(line + "\n")
            count += 1
        file.write(json.dumps({"rows": count, "sha256": seal.hexdigest()}) + "\n")
    partial.replace(to)
    return count


@contextmanager
def _private(path: Path) -> Iterator[TextIO]:
    """A compressed file that only its owner may read."""
    with (
        open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as raw,
        gzip.open(raw, "wt", encoding="utf-8") as file,
    ):
        yield file


async def restore(rows: TableRows, source: Path, now: datetime) -> int:
    """Write the rows of a file into an empty table; how many they are. Raises Refused."""
    count = _checked(source)
    async for row in rows.scan():
        raise Refused(
            f"the table is not empty (there is {row.partition} / {row.key}): a restore makes a ledger, it does not mix two"
        )
    board = BoardStore(rows)
    # first: an app that has this table already must not begin with half of it
    await board.enter("killed", now, by="restore")
    for partition, lines in groupby(_lines(source), key=lambda line: line[0]):
        puts = ([Put(key, data)] for _, key, data in lines if (partition, key) != BOARD)
        for part in transactions(puts, MAX_OPS):
            await rows.transact(partition, part)
    for partition, key, data in _lines(source):
        if (partition, key) == BOARD:
            await board.change(generation=max(int(data["generation"]), 1), stop=True)
    return count


def _checked(source: Path) -> int:
    """Read the whole file once: is it one of ours, complete, and of a form that this version knows?"""
    with gzip.open(source, "rt", encoding="utf-8") as file:
        head = json.loads(next(file))
        if not isinstance(head, dict) or head.get("what") != WHAT:
            raise Refused(f"{source} is not a copy of a ledger")
        if head["schema"] > current():
            raise Refused(
                f"{source} was written by version {head['version']}, which is later than this one ({VERSION})"
            )
        count, seal, last = 0, hashlib.sha256(), ""
        for line in file:
            if last:
                seal.update(last.rstrip("\n").encode())
                count += 1
            last = line
    end = json.loads(last) if last else None
    if not isinstance(end, dict) or end != {"rows": count, "sha256": seal.hexdigest()}:
        raise Refused(f"{source} is not complete, or was changed")
    return count


def _lines(source: Path) -> Iterator[Line]:
    with gzip.open(source, "rt", encoding="utf-8") as file:
        next(file)
        for line in file:
            found = json.loads(line)
            if isinstance(found, list):
                partition, key, data = found
                yield partition, key, data


@asynccontextmanager
async def opened(account: str, storage: str, table: str) -> AsyncIterator[TableRows]:
    """The table, by the signed-in person or by connection string."""
    if not account and not storage:
        raise Refused("say --account, or put a connection string into STORAGE")
    if not account:
        rows = TableRows.connect(storage, table=table)
        try:
            yield rows
        finally:
            await rows.aclose()
        return
    from azure.identity.aio import DefaultAzureCredential

    async with DefaultAzureCredential() as credential:
        rows = TableRows.connect(f"https://{account}.table.core.windows.net", credential, table=table)
        try:
            yield rows
        finally:
            await rows.aclose()


async def run(asked: argparse.Namespace) -> str:
    now = datetime.now(UTC)
    async with opened(asked.account, os.environ.get("STORAGE", ""), asked.table) as rows:
        if asked.what == "backup":
            return f"{await backup(rows, asked.file, running=asked.running, now=now)} rows are in {asked.file}"
        return f"{await restore(rows, asked.file, now)} rows are in the table {asked.table}; the connector is killed until Restore state"


def main() -> int:
    parser = argparse.ArgumentParser(description="Copies the ledger to a file, and back into an empty table.")
    parser.add_argument("what", choices=("backup", "restore"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--account", default="")
    parser.add_argument("--table", default="vtesync")
    parser.add_argument("--running", action="store_true", help="take a backup although the connector is not killed")
    try:
        print(asyncio.run(run(parser.parse_args())))
    except (Refused, OSError) as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
