"""The nouns of the synchronisation, as frozen data. Pure: no I/O, no clock, no environment, no randomness.

Vocabulary (used everywhere, one word for one thing):
side     crm | mailbox
item     a contact, company, event or task as one side holds it
link     a crm item and a mailbox item that are the same thing
base     what both sides held when they last agreed, as keyed digests, per mapped field pair
pair     a crm item and a mailbox item looked at together, linked or about to be
action   something decided about a pair, always with its reason
hold     an action stopped until an admin decides
pending  an item that a run saw and could not settle yet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from sync.reasons import Flag as Flag
from sync.reasons import Reason as Reason

Value = str | tuple[str, ...]
"""What a field of an item holds. '' and () mean empty; numbers, dates and flags are text in the side's own spelling."""


class Side(StrEnum):
    CRM = "crm"
    MAILBOX = "mailbox"

    @property
    def other(self) -> Side:
        return Side.MAILBOX if self is Side.CRM else Side.CRM


class Kind(StrEnum):
    CONTACT = "contact"
    COMPANY = "company"
    EVENT = "event"
    TASK = "task"


class Family(StrEnum):
    """Kinds that live together in a mailbox: one listing, one ledger partition, one checkpoint."""

    PEOPLE = "people"
    CALENDAR = "calendar"
    TASKS = "tasks"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        if self is Family.PEOPLE:
            return (Kind.CONTACT, Kind.COMPANY)
        return (Kind.EVENT,) if self is Family.CALENDAR else (Kind.TASK,)

    @classmethod
    def of(cls, kind: Kind) -> Family:
        return next(family for family in cls if kind in family.kinds)


class Role(StrEnum):
    """What a linked mailbox item is to its crm item."""

    HOME = "home"  # the copy of the owner's mailbox: both directions
    GUEST = "guest"  # the record belongs to somebody else: crm -> mailbox only
    ORGANIZER = "organizer"  # the organizer's own copy of a meeting: leads it, whoever owns the record
    KEEPER = "keeper"  # an attendee's copy that keeps the crm event: its organizer is none of our connected users
    ATTENDEE = "attendee"  # any other copy of a meeting: nothing but the answer and our categories is written
    MEMBER = "member"  # a group task's copy in a member's list


@dataclass(frozen=True, slots=True)
class Item:
    """One item as its side holds it. `version` changes with every change on that side (etag | modifiedtime)."""

    side: Side
    kind: Kind
    id: str
    version: str
    fields: Mapping[str, Value]
    owner: str = ""  # crm: id of the owning user or group; mailbox: the mailbox's id
    stamp: str = ""  # the token of ours that the item carries, '' when unknown or none
    modified: str = ""  # ISO 8601 UTC with seconds, '' when unknown: only for the conflict winner `latest`
    series: str = ""  # mailbox: id of the series that this event is an occurrence of


class Proof(StrEnum):
    """Why an item is known to be gone. Without one of these nothing is deleted on the other side."""

    NOT_FOUND = "not_found"  # the side answers that it does not exist, while it answers about others
    IN_DELETED_ITEMS = "in_deleted_items"  # Outlook moved it to Deleted Items
    IN_DELETED_LIST = "in_deleted_list"  # the CRM lists it as deleted


@dataclass(frozen=True, slots=True)
class Gone:
    """The item is proven to be deleted on its side."""

    id: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class Left:
    """The item lives on, but outside what is synchronised (another folder): unlinked, never deleted."""

    id: str
    where: str


@dataclass(frozen=True, slots=True)
class Unread:
    """The item could not be read now. It says nothing about the item: the pair waits."""

    id: str
    cause: str


Present = Item | Gone | Left | Unread
"""The answer to 'what is this item now?'."""


class Held(NamedTuple):
    """One field pair of a base: the digest of what each side held. A tuple, because a run makes half a million of them."""

    crm: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A write of one field pair that was begun. `held`: what both sides hold if `side` took it; whether it did, its value tells."""

    side: Side
    held: Held


Base = Mapping[str, Held]
"""Field pair id -> what was held. A pair that is absent is *unknown*: it was never agreed on."""


@dataclass(frozen=True, slots=True)
class Link:
    """A crm item and a mailbox item that are the same thing, in one mailbox."""

    mailbox: str
    kind: Kind
    crm_id: str
    item_id: str
    origin: Side  # where it was born: what began in a mailbox is never removed by a move
    role: Role = Role.HOME
    base: Base = field(default_factory=dict)
    crm_version: str = ""
    item_version: str = ""
    streaks: Mapping[str, str] = field(default_factory=dict)  # field pair id -> "count@run": see `settle`
    flags: frozenset[str] = frozenset()  # what was already said about it, so that it is said once
    ends: str = ""  # events: ISO UTC, when it is over as far as both sides were known
    sent: Mapping[str, Sent] = field(default_factory=dict)  # field pair id -> a write whose end is not known
    matched: bool = False  # both items were there before they were linked: neither is our copy
    rest: str = ""  # one digest of both items as they were found at rest: see `sync.resting`

    def id_on(self, side: Side) -> str:
        return self.crm_id if side is Side.CRM else self.item_id


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that lost against the other side (or is about to be overwritten or deleted): goes to the journal."""

    side: Side
    field_pair: str
    value: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Everything known about one thing on both sides. None = that side has no such item that we know of."""

    crm: Present | None
    mailbox: Present | None
    link: Link | None = None
    because: Reason | None = None  # why an unlinked pair was put together: MATCHED, STAMP or GUEST
    kind: Kind = Kind.CONTACT  # of the pair, also when neither side could be read


# What can be decided about a pair ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Create:
    """Make the item on `side` from the other side's item."""

    side: Side
    kind: Kind
    source: Item
    values: Mapping[str, str]  # field pair id -> value to write
    because: Reason
    replaces: Link | None = None  # the link that this creation takes over (written back, edit beats delete, retyped)
    role: Role = Role.HOME
    flags: frozenset[Flag] = frozenset()


@dataclass(frozen=True, slots=True)
class Update:
    """Bring a linked pair together: write what differs on either side (or nothing), then renew the base.

    `to_crm` / `to_mailbox`: field pair id -> value to write there. `agreed`: pairs whose base is renewed from what both
    sides hold now. An unlinked pair that was matched is linked by this action.
    """

    pair: Pair
    to_crm: Mapping[str, str]
    to_mailbox: Mapping[str, str]
    agreed: frozenset[str]
    because: Reason
    lost: tuple[Lost, ...] = ()
    flags: frozenset[Flag] = frozenset()
    role: Role = Role.HOME
    dropped: frozenset[Flag] = frozenset()  # said before, true no more
    ended: frozenset[str] = frozenset()  # field pairs that the mapping has no more: their bases end


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the linked item on `side` (softly), as it was when `item` was read, then end the link.

    `moved`: not a deletion by a user but our own copy following its record; does not count for the brake.
    """

    side: Side
    item: Item
    link: Link
    because: Reason
    moved: bool = False


@dataclass(frozen=True, slots=True)
class Decline:
    """An attendee's copy is gone: note the answer in the CRM's record, then end the link."""

    crm: Item
    link: Link


@dataclass(frozen=True, slots=True)
class Unlink:
    """End the link; both sides keep what they hold. A tombstone keeps it from being made or matched again."""

    link: Link
    because: Reason
    tombstone: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing now; the item is looked at again. `side`/`id` say which item."""

    side: Side
    id: str
    because: Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing until an admin decides. `candidates`: ids on the other side that it may concern."""

    side: Side
    id: str
    because: Reason
    candidates: tuple[str, ...] = ()
    shown: str = ""  # what an approval would permit; never stored but as a digest
    count: int = 1  # how many things (or mails) it is about
    about: str = ""  # what several items ask as one question
    instead: Action | None = None  # what is done when exactly this was approved
    rest: Update | None = None  # of it, what needs nobody's approval


@dataclass(frozen=True, slots=True)
class Leave:
    """Nothing, and not again until the item changes. Counted and shown by reason."""

    side: Side
    id: str
    because: Reason


Action = Create | Update | Delete | Decline | Unlink | Wait | Hold | Leave

Planned = tuple[Pair, Action | None]
"""A pair and what is decided about it, None = nothing to do."""
