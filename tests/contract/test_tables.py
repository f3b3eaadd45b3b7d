"""What Table Storage adds to the contract of rows (test_rows.py): its table, its refusals, its silence."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

from sync.errors import ConfigMistake
from sync.store.base import Conflict, Drop, Insert, Op, Put, Rows, StoreUnreachable
from sync.store.tables import TableRows

P = "mailbox|people"
ROOT = Path(__file__).resolve().parents[2]
KEY = "d3Jvbmcga2V5"


async def keys(rows: Rows) -> list[str]:
    return [row.key async for row in rows.query(P)]


@pytest.fixture
async def rows(azurite: str) -> AsyncIterator[TableRows]:
    rows = TableRows.connect(azurite, table=f"t{uuid4().hex}")
    yield rows
    await rows.aclose()


@pytest.mark.azurite
async def test_the_table_is_made_once_by_many_at_once(azurite: str) -> None:
    table = f"t{uuid4().hex}"
    first, second = TableRows.connect(azurite, table=table), TableRows.connect(azurite, table=table)
    try:
        turns = zip(range(12), itertools.cycle([first, second]), strict=False)
        await asyncio.gather(*(rows.transact(P, [Put(f"r{n}", {})]) for n, rows in turns))
        assert len(await keys(second)) == 12
    finally:
        await first.aclose()
        await second.aclose()


@pytest.mark.azurite
async def test_a_dropped_row_that_comes_and_goes_ends_as_a_conflict(azurite: str) -> None:
    class Flicker(TableRows):
        looks = 0

        async def _missing(self, partition: str, candidates: Sequence[int], ops: Sequence[Op]) -> set[int]:
            self.looks += 1
            return set()  # "it is there again": and gone once more when the batch arrives

    rows = Flicker.connect(azurite, table=f"t{uuid4().hex}")
    try:
        with pytest.raises(Conflict) as caught:
            await rows.transact(P, [Put("new", {}), Drop("flicker")])
        assert (caught.value.index, caught.value.key) == (1, "flicker")
        assert rows.looks == 5
        assert await keys(rows) == []
    finally:
        await rows.aclose()


@pytest.mark.azurite
async def test_a_deleted_table_is_not_an_empty_one(rows: TableRows) -> None:
    await rows.transact(P, [Put("r", {})])
    await rows._client.delete_table()
    with pytest.raises(StoreUnreachable):
        await rows.get(P, "r")
    with pytest.raises(StoreUnreachable):
        await keys(rows)
    with pytest.raises(StoreUnreachable):
        await rows.transact(P, [Insert("r", {})])
    with pytest.raises(StoreUnreachable):
        await rows.transact(P, [Put("a", {}), Drop("b")])


@pytest.mark.azurite
async def test_a_page_asks_the_service_for_no_more_than_itself(azurite: str) -> None:
    real = TableRows.connect(azurite, table=f"t{uuid4().hex}")
    asked: list[object] = []

    class Noting:
        create_table = real._client.create_table

        def query_entities(self, wanted: str, **options: object) -> object:
            asked.append(options["results_per_page"])
            return real._client.query_entities(wanted, **options)  # type: ignore[arg-type]

    rows = TableRows(Noting())  # type: ignore[arg-type]
    try:
        await real.transact(P, [Put(f"{n:02}", {}) for n in range(60)])
        assert [row.key async for row in rows.query(P, limit=26)] == [f"{n:02}" for n in range(26)]
        assert len([row async for row in rows.query(P, limit=1500)]) == len([row async for row in rows.query(P)]) == 60
        assert asked == [26, 1000, None]
    finally:
        await real.aclose()


@pytest.mark.azurite
async def test_a_wrong_key_is_unreachable_and_never_repeated(azurite: str) -> None:
    parts = [f"AccountKey={KEY}" if part.startswith("AccountKey=") else part for part in azurite.split(";")]
    rows = TableRows.connect(";".join(parts), table=f"t{uuid4().hex}")
    try:
        with pytest.raises(StoreUnreachable) as caught:
            await rows.transact(P, [Put("r", {})])
        assert KEY not in str(caught.value)
    finally:
        await rows.aclose()


async def test_a_server_that_is_not_there_is_unreachable(unused_tcp_port: int) -> None:
    rows = TableRows.connect(account_at(unused_tcp_port))
    try:
        with pytest.raises(StoreUnreachable):
            await rows.transact(P, [Put("r", {})])
    finally:
        await rows.aclose()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AuthorizationPermissionMismatch"),
        (409, "TableBeingDeleted"),
        (500, "InternalError"),
        (503, "ServerBusy"),
        (502, "not the service: <html>"),
        (0, ""),
    ],
)
async def test_a_refusal_that_is_no_guard_is_unreachable(status: int, code: str) -> None:
    """Whatever the operation, alone or in a batch; 0 = the connection is cut once the request has been read."""
    async with service_answering(status, code) as rows:
        with pytest.raises(StoreUnreachable):
            await rows.get(P, "r")
        with pytest.raises(StoreUnreachable):
            await keys(rows)
        for ops in ([Insert("r", {})], [Put("r", {})], [Drop("r")], [Insert("r", {}), Put("s", {})]):
            with pytest.raises(StoreUnreachable):
                await rows.transact(P, ops)


def account_at(port: int) -> str:
    return f"AccountName=a;AccountKey={KEY};TableEndpoint=http://127.0.0.1:{port}/a"


@asynccontextmanager
async def service_answering(status: int, code: str) -> AsyncIterator[TableRows]:
    """Rows of a service that creates the table and then gives one answer to everything; the library does not retry."""
    from azure.data.tables.aio import TableClient

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:")), 0)
        await reader.readexactly(length)
        if "post /a/tables" in head:
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        elif status:
            body = f'{{"odata.error": {{"code": "{code}", "message": {{"lang": "en-US", "value": "no"}}}}}}'.encode()
            start = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\nConnection: close\r\n"
            writer.write(f"{start}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rows = TableRows(TableClient.from_connection_string(account_at(port), "vtesync", retry_total=0))
    try:
        yield rows
    finally:
        await rows.aclose()
        server.close()


@pytest.mark.parametrize("account", ["", "nonsense", "AccountName=a", f"AccountName;AccountKey={KEY}"])
def test_a_malformed_connection_string_is_a_config_mistake(account: str) -> None:
    with pytest.raises(ConfigMistake) as caught:
        TableRows.connect(account)
    assert caught.value.field == "STORAGE"
    assert KEY not in str(caught.value)


def test_a_bad_table_name_is_not_blamed_on_the_account() -> None:
    with pytest.raises(ConfigMistake) as caught:
        TableRows.connect(account_at(1), table="no-dashes")
    assert caught.value.field == "table"


def test_importing_the_store_loads_no_azure_package() -> None:
    code = "import sys, sync.store.tables; sys.exit(any(m.split('.')[0] == 'azure' for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=ROOT).returncode == 0
