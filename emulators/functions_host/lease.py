"""One host process among several on a storage: it holds a row of a table and runs the timers.

The real host leases a blob per timer; one row for all timers says the same with what is installed. A process that
is killed keeps its lease until it expires, as there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

log = logging.getLogger("functions_host")

TABLE = "FunctionsHostLocks"
LEASE_ROW = "lease"


class LeaseLost(Exception):
    """Another process holds the lease now, or it expired while storage did not answer."""


@dataclass(frozen=True, slots=True)
class Status:
    """When a timer ran and is due, kept over restarts so that a missed run is noticed."""

    schedule: str
    last: datetime | None
    next: datetime


class Lease:
    """The right of `holder` to run the timers of the app `host_id`."""

    def __init__(
        self, table: TableClient, host_id: str, holder: str, seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._table = table
        self._host_id = host_id
        self._holder = holder
        self._seconds = seconds
        self._now = now
        self._expires: datetime | None = None

    @property
    def held(self) -> bool:
        """Whether this process may still believe that it holds the lease."""
        return self._expires is not None and self._now() < self._expires

    async def acquire(self) -> bool:
        """Take or renew the lease; False when another process has it."""
        expires = self._now() + timedelta(seconds=self._seconds)
        row = {"PartitionKey": self._host_id, "RowKey": LEASE_ROW, "Holder": self._holder, "Expires": expires}
        self._expires = expires if await self._write(row) else None
        return self._expires is not None

    async def _write(self, row: dict[str, Any]) -> bool:
        try:
            found = await self._table.get_entity(self._host_id, LEASE_ROW)
        except ResourceNotFoundError:
            return await self._create(row)
        if found["Holder"] != self._holder and found["Expires"] > self._now():
            return False
        try:
            await self._table.update_entity(
                row,
                mode=UpdateMode.REPLACE,
                etag=found.metadata["etag"],
                match_condition=MatchConditions.IfNotModified,
            )
        except (ResourceModifiedError, ResourceNotFoundError):
            return False
        return True

    async def _create(self, row: dict[str, Any]) -> bool:
        with contextlib.suppress(ResourceExistsError):  # by an earlier start or another process
            await self._table.create_table()
        try:
            await self._table.create_entity(row)
        except ResourceExistsError:
            return False
        return True

    async def obtain(self) -> None:
        """Return when the lease is ours, trying three times within its period."""
        while True:
            try:
                if await self.acquire():
                    return
            except AzureError as error:
                log.warning("the timers' lease cannot be read: %s", type(error).__name__)
            await asyncio.sleep(self._seconds / 3)

    async def keep(self) -> None:
        """Renew for ever; raises LeaseLost when that is no longer possible."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                if not await self.acquire():
                    raise LeaseLost("taken by another process")
            except AzureError as error:
                if not self.held:
                    raise LeaseLost(type(error).__name__) from error

    async def release(self) -> None:
        """Give the lease back, so that another process need not wait for its end."""
        if not self.held:
            return
        self._expires = None
        row = {"PartitionKey": self._host_id, "RowKey": LEASE_ROW, "Holder": "", "Expires": self._now()}
        try:
            await self._write(row)
        except AzureError as error:
            log.warning("the timers' lease stays until it expires: %s", type(error).__name__)

    async def read_status(self, timer: str) -> Status | None:
        """What is remembered of a timer, if anything; storage trouble counts as nothing."""
        try:
            found = await self._table.get_entity(self._host_id, f"timer-{timer}")
        except ResourceNotFoundError:
            return None
        except AzureError as error:
            log.warning("timer %s: its status cannot be read: %s", timer, type(error).__name__)
            return None
        return Status(found["Schedule"], found.get("Last"), found["Next"])

    async def write_status(self, timer: str, status: Status) -> None:
        """Remember it; storage trouble costs no more than an unnoticed missed run."""
        row: dict[str, Any] = {"PartitionKey": self._host_id, "RowKey": f"timer-{timer}"}
        row |= {"Schedule": status.schedule, "Next": status.next}
        if status.last is not None:
            row["Last"] = status.last
        try:
            await self._table.upsert_entity(row, mode=UpdateMode.REPLACE)
        except AzureError as error:
            log.warning("timer %s: its status is not saved: %s", timer, type(error).__name__)
