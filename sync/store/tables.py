"""The store on Azure Table Storage: one table, `base.Rows` and nothing more.

The Azure packages are imported by `connect`, not by this module, so that a start that only needs the types stays cheap. It never
interprets rows, never waits longer than the library's own short retries, and never lets an Azure exception out: callers see
Conflict, StoreUnreachable or LimitExceeded.

What a lost answer looks like: the library sends an idempotent request (single operations, but for an Insert) again, and any request
again when the service answered 500, 503 or 504. If the first one was stored after all, the second meets its own traces: a guarded
Replace or Drop, and an Insert of a transaction, then raise Conflict although they took effect. So a Conflict means *read again*, never
*somebody else was here*. Without a second attempt the same case is StoreUnreachable: stored or not, unknown.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sync.errors import ConfigMistake
from sync.store.base import (
    Conflict,
    Drop,
    Insert,
    LimitExceeded,
    Op,
    Put,
    Replace,
    Row,
    StoreUnreachable,
    check,
    check_key,
    plain,
)

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import HttpResponseError
    from azure.data.tables.aio import TableClient

PATIENCE: Mapping[str, Any] = {
    "retry_total": 3,
    "retry_backoff_factor": 0.4,
    "retry_backoff_max": 3,
    "connection_timeout": 10,
    "read_timeout": 30,
}
NO_ECHO = {"response_preference": "return-no-content"}  # else an insert's answer repeats the row
DROP_ROUNDS = 5
MAX_PAGE = 1000  # the service gives no more rows at once


class TableRows:
    """One table. Implements `base.Rows`; any number of coroutines of one event loop may use it at once. `aclose` at the end."""

    def __init__(self, client: TableClient) -> None:
        self._client = client
        self._ready = False
        self._making = asyncio.Lock()

    @classmethod
    def connect(
        cls, account: str, credential: AsyncTokenCredential | None = None, *, table: str = "vtesync"
    ) -> TableRows:
        """A table of a storage account; it is created at the first use.

        account: a connection string, or with a credential (which stays the caller's to close) the account's table endpoint,
        https://NAME.table.core.windows.net. Raises ConfigMistake. The local emulator is 127.0.0.1: the library takes `localhost` for
        Cosmos DB unless its port is 10002 (azure-data-tables 12.7.0, _common_conversion._is_cosmos_endpoint).
        """
        from azure.data.tables.aio import TableClient

        if not re.fullmatch("[A-Za-z][A-Za-z0-9]{2,62}", table):
            raise ConfigMistake("table", "3 to 63 letters and digits, a letter first")
        try:
            if credential is None:
                client = TableClient.from_connection_string(account, table, **PATIENCE)
            else:
                client = TableClient(account, table, credential=credential, **PATIENCE)
        except ValueError:
            # `from None`: the library's text may repeat what it was given
            expected = "a storage connection string, or an account's table endpoint together with an identity"
            raise ConfigMistake("STORAGE", expected) from None
        return cls(client)

    async def get(self, partition: str, key: str) -> Row | None:
        from azure.core.exceptions import ResourceNotFoundError

        check_key(partition)
        check_key(key)
        await self._make_table()
        with _translated():
            try:
                return _row(await self._client.get_entity(partition, key))
            except ResourceNotFoundError as error:
                if _about_table(error):
                    raise
                return None

    async def query(self, partition: str, first: str = "", last: str = "", limit: int = 0) -> AsyncIterator[Row]:
        """As `Rows.query`. Not a snapshot: a later page shows what was written since."""
        check_key(partition)
        await self._make_table()
        wanted = f"PartitionKey eq {_quoted(partition)}"
        if first:
            wanted += f" and RowKey ge {_quoted(first)}"
        if last:
            wanted += f" and RowKey lt {_quoted(last)}"
        most = min(limit, MAX_PAGE) or None
        async for row in self._read(wanted, most, limit):
            yield row

    async def scan(self, partition: str = "", key: str = "") -> AsyncIterator[Row]:
        """As `Rows.scan`: first what is left of the partition, then those behind it, so that neither looks through what was read."""
        await self._make_table()
        if partition:
            async for row in self._read(f"PartitionKey eq {_quoted(partition)} and RowKey gt {_quoted(key)}", None, 0):
                yield row
        async for row in self._read(f"PartitionKey gt {_quoted(partition)}", None, 0):
            yield row

    async def _read(self, wanted: str, most: int | None, limit: int) -> AsyncIterator[Row]:
        """What a filter finds, page by page, `limit` rows of it (0 = all)."""
        pages = self._client.query_entities(wanted, results_per_page=most).by_page()
        given = 0
        while True:
            with _translated():
                try:
                    page = await anext(pages)
                    rows = [_row(entity) async for entity in page]
                except StopAsyncIteration:
                    return
            for row in rows:
                yield row
                given += 1
                if given == limit:
                    return

    async def transact(self, partition: str, ops: Sequence[Op]) -> list[str]:
        """As `Rows.transact`.

        The service fails a whole batch for one deletion of a missing row. So when an unguarded Drop is what failed, the rows of all
        of them are looked up, and the batch goes out again without the missing ones, still as one batch. A row that somebody creates
        between that look and the batch stays, as if it had been created just after; whoever must exclude that guards the
        transaction with a row that the other writer changes too (the ledger's fence).
        """
        check(partition, ops)
        if not ops:
            return []
        await self._make_table()
        left = dict(enumerate(ops))
        failed = 0
        for _ in range(DROP_ROUNDS):
            try:
                etags = dict(zip(left, await self._send(partition, list(left.values())), strict=True))
            except Conflict as conflict:
                failed = list(left)[conflict.index]
                if not _unguarded(ops[failed]):
                    raise Conflict(failed, ops[failed].key) from conflict
            else:
                return [etags.get(index, "") for index in range(len(ops))]
            missing = await self._missing(partition, [index for index, op in left.items() if _unguarded(op)], ops)
            left = {index: op for index, op in left.items() if index not in missing}
            if not left:
                return [""] * len(ops)
        raise Conflict(failed, ops[failed].key)  # its row comes and goes faster than we look

    async def aclose(self) -> None:
        """Close the connections. The instance is of no use afterwards."""
        await self._client.close()

    async def _make_table(self) -> None:
        """Create the table, once per instance. A failure is not remembered: the next call tries again."""
        if self._ready:
            return
        async with self._making:
            if not self._ready:
                from azure.core.exceptions import ResourceExistsError

                with _translated():
                    try:
                        await self._client.create_table()
                    except ResourceExistsError as error:
                        if "TableBeingDeleted" in _code(error):
                            raise
                self._ready = True

    async def _missing(self, partition: str, candidates: Sequence[int], ops: Sequence[Op]) -> set[int]:
        rows = await asyncio.gather(*(self.get(partition, ops[index].key) for index in candidates))
        return {index for index, row in zip(candidates, rows, strict=True) if row is None}

    async def _send(self, partition: str, ops: Sequence[Op]) -> list[str]:
        with _translated(ops):
            # The plain call of a guarded delete hides a 404, which is a Conflict here: that one travels as a batch of one.
            if len(ops) == 1 and (not isinstance(ops[0], Drop) or _unguarded(ops[0])):
                return [await self._send_plainly(partition, ops[0])]
            answers = await self._client.submit_transaction([_operation(partition, op) for op in ops])
        return ["" if isinstance(op, Drop) else str(answer["etag"]) for op, answer in zip(ops, answers, strict=True)]

    async def _send_plainly(self, partition: str, op: Op) -> str:
        from azure.core import MatchConditions

        match op:
            case Insert():
                answer = await self._client.create_entity(_entity(partition, op), **NO_ECHO)
            case Put():
                answer = await self._client.upsert_entity(_entity(partition, op), mode="replace")
            case Replace(etag=etag):
                guard = MatchConditions.IfNotModified
                entity = _entity(partition, op)
                answer = await self._client.update_entity(entity, mode="replace", etag=etag, match_condition=guard)
            case Drop():
                await self._client.delete_entity(partition, op.key)
                return ""
        return str(answer["etag"])


def _unguarded(op: Op) -> bool:
    return isinstance(op, Drop) and op.etag is None


def _entity(partition: str, op: Insert | Put | Replace) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": op.key, **plain(op.data)}


def _operation(partition: str, op: Op) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """One part of a batch, as `submit_transaction` wants it."""
    from azure.core import MatchConditions

    match op:
        case Insert():
            return "create", _entity(partition, op), dict(NO_ECHO)
        case Put():
            return "upsert", _entity(partition, op), {"mode": "replace"}
        case Replace(etag=etag):
            guard = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            return "update", _entity(partition, op), {"mode": "replace", **guard}
        case Drop(key=key, etag=None):
            return "delete", {"PartitionKey": partition, "RowKey": key}, {}
        case Drop(key=key, etag=etag):
            guard = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
            return "delete", {"PartitionKey": partition, "RowKey": key}, guard


def _row(entity: Any) -> Row:
    data = dict(entity)
    partition, key = data.pop("PartitionKey"), data.pop("RowKey")
    return Row(partition, key, data, entity.metadata["etag"])


def _quoted(text: str) -> str:
    """A text in a filter; the library's own `parameters` break at texts with blanks in them."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _translated(ops: Sequence[Op] = ()) -> Iterator[None]:
    """Turn Azure's exceptions into ours. `ops`: what was sent, when a guard of it can have failed."""
    from azure.core.exceptions import AzureError, HttpResponseError

    try:
        yield
    except HttpResponseError as error:
        raise _meaning(error, ops) from error
    except AzureError as error:  # no answer at all, or no token for the request
        raise StoreUnreachable(type(error).__name__) from error


def _meaning(error: HttpResponseError, ops: Sequence[Op]) -> Conflict | LimitExceeded | StoreUnreachable:
    from azure.core.exceptions import ClientAuthenticationError

    status = error.status_code or 0
    if isinstance(error, ClientAuthenticationError) or _about_table(error):
        return StoreUnreachable(f"{status} {_code(error)}".strip())
    if ops and status in (404, 409, 412):
        index = min(getattr(error, "index", 0), len(ops) - 1)  # read by the library from "3:The specified ..."
        return Conflict(index, ops[index].key)
    if status in (400, 413):
        return LimitExceeded(f"{status} {_code(error)}".strip())
    return StoreUnreachable(f"{status} {_code(error)}".strip())


def _about_table(error: HttpResponseError) -> bool:
    """Is the table itself gone? A 404 or 409 then says nothing about rows."""
    return any(code in _code(error) for code in ("TableNotFound", "TableBeingDeleted"))


def _code(error: HttpResponseError) -> str:
    """The service's error code; the library leaves it in the raw body for some calls (create_entity)."""
    code = getattr(error, "error_code", None)
    if code is None:
        found = re.search(r'"code"\s*:\s*"(\w+)"', str(error))
        return found[1] if found else ""
    return str(getattr(code, "value", code))
