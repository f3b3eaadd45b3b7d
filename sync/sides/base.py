"""The protocol of a side: what the engine asks of the CRM and of a mailbox, and the shapes of their answers.

Only a side knows its server's protocol, library and exceptions. What a caller must react to comes back as data (`Present`,
`Result`) for one item, or is raised as one of `sync.errors` when it concerns the whole side.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from sync.errors import Failure
from sync.model import Item, Kind, Present, Value


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing of changes. `gone` are claims, to be proven with `get`.

    `cursor` may be saved when everything up to and including this page is settled; '' = do not save here.
    `whole`: ids of series of which every occurrence inside the horizon is among `items`: a linked one that is missing there is a claim too.
    """

    items: Sequence[Item]
    gone: Sequence[str]
    cursor: str
    last: bool
    whole: Sequence[str] = ()


class CursorLost(Exception):
    """The server forgot the cursor (410): begin again from None. Absence in the new listing proves nothing."""


@dataclass(frozen=True, slots=True)
class New:
    """Create an item. `stamp` is kept on the item where the side has a place for it."""

    kind: Kind
    fields: Mapping[str, Value]
    stamp: str
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Revise:
    """Change these fields only. Refused with `Failure(status=412)` when the item is no longer as `expected`."""

    expected: Item
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete softly. Refused with `Failure(status=412)` when the item is no longer as `expected`; gone already = done."""

    expected: Item


Write = New | Revise | Remove


@dataclass(frozen=True, slots=True)
class Done:
    """The write happened. `item` is what the side holds now, None when it holds it no more (`Remove`, an invitation declined)."""

    item: Item | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The write certainly did not happen."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Unclear:
    """The answer was lost: the write may or may not have happened, or may still happen. To be looked up."""

    failure: Failure


Result = Done | Refused | Unclear


@dataclass(frozen=True, slots=True)
class NaturalKey:
    """What a person or company is recognised by when no stamp helps. Values as the side may hold them, '' = none."""

    kind: Kind
    emails: tuple[str, ...] = ()
    given: str = ""
    family: str = ""
    company: str = ""


class Mailbox(Protocol):
    """One family of one mailbox: its people (contacts and companies in one folder), its calendar, or its tasks."""

    id: str

    @property
    def folder_id(self) -> str:
        """Where contacts live; held by id, because users rename folders."""
        ...

    def changes(self, cursor: str | None) -> AsyncIterator[Page]:
        """Everything changed since `cursor` (None: everything there is). Items carry no stamp.

        Raises CursorLost; sync.errors for what concerns the whole mailbox.
        """
        ...

    def afresh(self, cursor: str) -> str | None:
        """Where a comparison in full begins: the cursor for `changes` that lists what is in the window again, but not
        the history that was listed once; None = everything."""
        ...

    def stamped(self) -> AsyncIterator[Sequence[Item]]:
        """The whole folder with each item's stamp, in pages: for looking up open intents and lost links."""
        ...

    async def get(self, ids: Sequence[str]) -> dict[str, Present]:
        """Each item as it is now, with its stamp: Item, Gone with proof, Left, or Unread."""
        ...

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        """Execute the writes, results in the order of the writes. Items are independent: one failure stops no other.

        Of an event nothing but the given fields is sent. `attendees` and `categories` are whole lists; `response` (accepted, declined, tentative)
        is an answer on an attendee's copy, given after its other fields. A copy that declining took away is `Done(None)`.
        """
        ...

    async def colour(self, categories: Mapping[str, str]) -> Failure | None:
        """Give these categories (name -> `preset0` to `preset24`, or `none`) their colours, where the mailbox knows no category of that name.

        Only calendars do. A failure is told, not raised: categories show without a colour too.
        """
        ...


class Crm(Protocol):
    """The CRM, all users. Kinds map to modules (contact -> Contacts, company -> Accounts)."""

    def changes(self, kind: Kind, cursor: str) -> AsyncIterator[Page]:
        """Everything created, changed or deleted since `cursor` ('' : from the beginning), by the CRM's own list."""
        ...

    async def beginning(self) -> str:
        """A cursor for `changes` that begins now, by the server's clock."""
        ...

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Present]:
        """Each record as it is now: Item, Gone with proof, or Unread (broken owner, no permission, in doubt)."""
        ...

    def owned(self, kind: Kind, owner: str, ending_after: datetime | None = None) -> AsyncIterator[Sequence[str]]:
        """Ids of all records of `owner` ('' = of everybody), in pages, by a keyset walk.

        `ending_after`: of events only those that may end after that time; some that ended earlier that day may be among them. Of tasks
        those that are not completed.
        """
        ...

    async def find(self, keys: Sequence[NaturalKey]) -> list[list[Item]]:
        """For each key the records that share an e-mail address, or given+family name, or (company) the name.

        A superset is fine: the engine decides which of them agree. In the order of `keys`.
        """
        ...

    async def accounts_named(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """For each name the ids of the Accounts with exactly that name (case-insensitive as the server compares)."""
        ...

    async def contacts_of(self, account_ids: Sequence[str]) -> list[str]:
        """Ids of the contacts that point to one of these accounts."""
        ...

    async def created_since(self, kind: Kind, since: str) -> list[Item]:
        """Records that our own account created at or after `since` (ISO UTC): where lost creations are looked for.

        Not for events and tasks, which do not tell their creator (ValueError): theirs are found `by_uid`.
        """
        ...

    async def upcoming(self, until: datetime) -> list[Item]:
        """Events that begin between now and `until`, with their invitees: answers given in the CRM show nowhere else."""
        ...

    async def by_uid(self, kind: Kind, uids: Sequence[str]) -> list[Item]:
        """Every event or task that carries one of these uids, occurrences of a series included."""
        ...

    async def server_zone(self) -> ZoneInfo:
        """The zone in which the CRM keeps its wall clock, and in which its whole days begin and end."""
        ...

    async def count(self, kind: Kind) -> int:
        """How many records the module holds."""
        ...

    async def apply(self, writes: Sequence[Write]) -> list[Result]:
        """Execute the writes, results in order; `Revise` and `Remove` re-read their records just before, in one query."""
        ...


@dataclass(frozen=True, slots=True)
class CrmUser:
    """A user of the CRM as the directory shows it."""

    id: str  # 19x…
    name: str
    email: str
    active: bool
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MailboxUser:
    """A user of Microsoft 365. `addresses`: all that lead to the mailbox, the primary one first; () = it has none."""

    id: str
    addresses: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class CrmGroup:
    """A group of the CRM: all that it tells (no members, API.md 10)."""

    id: str  # 22x…
    name: str = field(repr=False)


class Directory(Protocol):
    """The users and groups of the CRM."""

    async def group(self, group: str) -> CrmGroup | None:
        """The group with this id; None when there is none, or the id is no group's."""
        ...

    async def users(self) -> list[CrmUser]:
        """All of them, inactive ones included where the CRM shows them."""
        ...
