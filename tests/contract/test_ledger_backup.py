"""A copy of the ledger goes into another table, and whoever runs over that writes nothing to either side. On Azurite, by the command itself."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import stat
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from scripts.ledger_backup import Refused, backup, restore
from sync.store.base import Put
from sync.store.board import BoardStore
from sync.store.registry import Registry
from sync.store.tables import TableRows
from tests.sim.recording import USERS, restored
from tests.sim.world import World
from tests.sim.world import copied as copy_of

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT / "tests" / "data" / "ledger-v1.json").read_text("utf-8"))
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def world() -> World:
    return await restored(RECORDED)


@pytest.fixture
async def tables(azurite: str) -> AsyncIterator[tuple[TableRows, TableRows]]:
    """One that is in use, and an empty one."""
    both = TableRows.connect(azurite, table=f"a{uuid4().hex}"), TableRows.connect(azurite, table=f"b{uuid4().hex}")
    yield both
    for each in both:
        await each.aclose()


async def filled(rows: TableRows, world: World) -> None:
    for row in world.rows.everything():
        await rows.transact(row.partition, [Put(row.key, row.data)])


async def everything(rows: TableRows) -> dict[tuple[str, str], dict[str, object]]:
    found = {(row.partition, row.key): dict(row.data) async for row in rows.scan()}
    found.pop(("control", "board"), None)
    return found


async def command(storage: str, *arguments: str) -> tuple[int, str]:
    """As somebody calls it: the exit code, and what it said."""
    settings = {"PATH": os.environ["PATH"], "STORAGE": storage}
    called = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "scripts.ledger_backup", *arguments, cwd=ROOT, env=settings, stdout=-1, stderr=-2
    )
    said, _ = await called.communicate()
    return called.returncode or 0, said.decode().strip()


def over(world: World, rows: TableRows) -> World:
    """The same world, both sides as they are, on other rows."""
    other = copy_of(world)
    other.registry, other.board = Registry(rows), BoardStore(rows)
    return other


async def test_backup_and_restore_and_a_run_writes_nothing(
    azurite: str, tables: tuple[TableRows, TableRows], world: World, tmp_path: Path
) -> None:
    used, empty = tables
    await filled(used, world)
    await BoardStore(used).enter("killed", NOW, by="token")
    file = tmp_path / "ledger.jsonl.gz"
    names = [each._client.table_name for each in tables]
    code, said = await command(azurite, "backup", str(file), "--table", names[0])
    assert (code, said) == (0, f"{len(world.rows.everything())} rows are in {file}")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    code, said = await command(azurite, "restore", str(file), "--table", names[1])
    assert (code, said.partition(" rows")[0]) == (0, str(len(world.rows.everything())))
    assert await everything(empty) == await everything(used)
    there = over(world, empty)
    board = await there.board.read()
    assert (board.state, board.by) == ("killed", "restore")
    writes = there.writes
    await there.settle(1)
    assert (await there.registry.mailbox("mailbox-a") or 0).last_run == RECORDED_RUN, "killed: nothing runs yet"  # type: ignore[union-attr]
    await there.board.restored(board, there.now(), "token")
    there.full = set(USERS.values())
    await there.settle(2)
    assert there.writes == writes
    ran = await there.registry.mailbox("mailbox-a")
    assert ran
    assert ran.last_run > RECORDED_RUN
    contact = next(r for r in there.crm.records.values() if r.fields.get("lastname") == "Due")
    there.crm.edit(contact.id, phone="9")
    await there.settle(1)
    assert there.writes == writes + 1, "it goes on from there"


RECORDED_RUN = next(
    data["last_run"] for partition, key, data in RECORDED["rows"] if (partition, key) == ("mailboxes", "mailbox-a")
)


async def test_a_backup_wants_the_connector_killed_or_an_explicit_word(
    tables: tuple[TableRows, TableRows], world: World, tmp_path: Path
) -> None:
    used, _ = tables
    await filled(used, world)
    with pytest.raises(Refused, match="press KILL first"):
        await backup(used, tmp_path / "x", running=False, now=NOW)
    assert os.listdir(tmp_path) == []
    assert await backup(used, tmp_path / "x", running=True, now=NOW) == len(world.rows.everything())


async def test_a_restore_mixes_nothing(tables: tuple[TableRows, TableRows], world: World, tmp_path: Path) -> None:
    used, _ = tables
    await filled(used, world)
    await backup(used, tmp_path / "x", running=True, now=NOW)
    with pytest.raises(Refused, match="not empty"):
        await restore(used, tmp_path / "x", NOW)


@pytest.mark.parametrize("harm", ["cut", "changed", "foreign", "later"])
async def test_a_file_that_is_not_whole_is_refused_before_anything_is_written(
    tables: tuple[TableRows, TableRows], tmp_path: Path, harm: str
) -> None:
    used, empty = tables
    await used.transact("p", [Put(f"k{n}", {"n": n}) for n in range(5)])
    file = tmp_path / "x"
    await backup(used, file, running=True, now=NOW)
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    match harm:
        case "cut":
            lines.pop()
        case "changed":
            lines[2] = lines[2].replace("1", "7")
        case "foreign":
            lines[0] = '{"what": "something"}'
        case "later":
            lines[0] = lines[0].replace('"schema": 0', '"schema": 99')
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    with pytest.raises(Refused):
        await restore(empty, file, NOW)
    assert await everything(empty) == {}


async def test_without_a_place_it_says_what_it_needs() -> None:
    assert await command("", "backup", "x") == (1, "say --account, or put a connection string into STORAGE")
