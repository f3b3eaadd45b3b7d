"""The CRM side as the engine sees it: `sync.sides.base.Crm` over one vtenext.

Only puts the parts together; knows no operation and no field.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sync.model import Item, Kind, Present
from sync.sides.base import NaturalKey, Page, Result, Write
from sync.sides.vtenext import changes, presence, search, tasks, writes
from sync.sides.vtenext.client import VtenextClient
from sync.sides.vtenext.directory import Owners
from sync.sides.vtenext.events import PLANNED_MEETING, NewEvent
from sync.sides.vtenext.items import OWNER, Reader
from sync.sides.vtenext.query import equals
from sync.sides.vtenext.wire import Denied


class VtenextCrm:
    """Contacts, Accounts, Events and tasks of one vtenext. `fields`: the CRM fields that are mapped, by kind; of the last two all is read anyway.

    `account_stamp_field` carries our token on Accounts unless it is mapped; `contact_stamp_field` is a custom field that an admin names
    for it, '' = contacts carry none. `new_event`: type and status of the events that we create.
    """

    def __init__(
        self,
        client: VtenextClient,
        *,
        fields: Mapping[Kind, Sequence[str]],
        account_stamp_field: str = "external_code",
        contact_stamp_field: str = "",
        new_event: NewEvent = PLANNED_MEETING,
    ) -> None:
        stamps = {Kind.COMPANY: account_stamp_field, Kind.CONTACT: contact_stamp_field, Kind.TASK: tasks.UID}
        self._client = client
        self._reader = Reader(client, fields, stamps)
        self._owners = Owners(client)
        self._new_event = new_event

    async def changes(self, kind: Kind, cursor: str) -> AsyncIterator[Page]:
        with self._reading():
            async for page in changes.changes(self._reader, kind, cursor):
                yield page

    async def beginning(self) -> str:
        with self._reading():
            return await changes.beginning(self._reader)

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        with self._reading():
            return await presence.present(self._reader, kind, ids)

    async def owned(self, kind: Kind, owner: str, ending_after: datetime | None = None) -> AsyncIterator[Sequence[str]]:
        with self._reading():
            wanted = [equals(OWNER, owner)] if owner else []
            if ending_after:
                coming = search.ending_after(ending_after, await self._reader.zone())
                wanted.append(tasks.OPEN if kind is Kind.TASK else coming)
            async for ids in self._reader.ids(kind, [" and ".join(wanted)] if wanted else []):
                yield ids

    async def find(self, keys: Sequence[NaturalKey]) -> list[list[Item]]:
        with self._reading():
            return await search.find(self._reader, keys)

    async def accounts_named(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        with self._reading():
            return await search.accounts_named(self._client, names)

    async def contacts_of(self, account_ids: Sequence[str]) -> list[str]:
        with self._reading():
            return await search.contacts_of(self._reader, account_ids)

    async def created_since(self, kind: Kind, since: str) -> list[Item]:
        with self._reading():
            return await search.created_since(self._reader, kind, since)

    async def upcoming(self, until: datetime) -> list[Item]:
        with self._reading():
            return await changes.upcoming(self._reader, until)

    async def beginning_on(self, owner: str, days: Sequence[date]) -> list[Item]:
        with self._reading():
            return await search.beginning_on(self._reader, owner, days)

    async def by_uid(self, kind: Kind, uids: Sequence[str]) -> list[Item]:
        with self._reading():
            return await search.by_uid(self._reader, kind, uids)

    async def server_zone(self) -> ZoneInfo:
        with self._reading():
            return await self._reader.zone()

    async def count(self, kind: Kind) -> int:
        with self._reading():
            return await search.count(self._client, kind)

    async def apply(self, writes_: Sequence[Write]) -> list[Result]:
        with self._reading():
            return await writes.apply(self._reader, self._owners, self._new_event, writes_)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Nothing of vtenext's own errors leaves this package."""
        try:
            yield
        except Denied as denied:
            raise self._reader.whole_side(denied) from denied
