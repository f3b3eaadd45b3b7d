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


@dataclass(frozen=True, slots=True)
class Held:
    """One field pair of a base: the digest of what each side held."""

    crm: str
    mailbox: str


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

    def id_on(self, side: Side) -> str:
        return self.crm_id if side is Side.CRM else self.item_id


class Reason(StrEnum):
    """Why something is done, held, skipped or left. The same word stands in log, history, panel and documentation."""

    CRM_NEW = "crm_new"
    """New in the CRM, belongs to this mailbox, matches nothing there."""
    MAILBOX_NEW = "mailbox_new"
    """New in the mailbox, matches nothing in the CRM."""
    CRM_EDITED = "crm_edited"
    """Edited in the CRM since both sides last agreed."""
    MAILBOX_EDITED = "mailbox_edited"
    """Edited in the mailbox since both sides last agreed."""
    BOTH_EDITED = "both_edited"
    """Edited on both sides: merged by field; the same field goes to the configured winner."""
    SAME = "same"
    """Both sides say the same already: only the base is renewed."""
    MATCHED = "matched"
    """An item of the other side is the same person or company: linked instead of created."""
    STAMP = "stamp"
    """The item carries our stamp and the ledger agrees: linked again after a crash or a lost ledger."""
    GUEST = "guest"
    """The matching record belongs to somebody else: the card is a copy, crm -> mailbox only."""
    INVITED = "invited"
    """Somebody else's contact, invited to a coming event of this mailbox, whose folders do not know the person: a guest copy."""
    CRM_DELETED = "crm_deleted"
    """Deleted in the CRM, proven."""
    MAILBOX_DELETED = "mailbox_deleted"
    """Deleted in the mailbox, proven."""
    BOTH_DELETED = "both_deleted"
    """Deleted on both sides: only the link ends."""
    EDIT_BEATS_DELETE = "edit_beats_delete"
    """Deleted on one side, edited on the other since: made again from the edit."""
    DELETE_WRITTEN_BACK = "delete_written_back"
    """Deleted in the mailbox, where deletions do not travel: written back from the CRM."""
    DELETE_LEFT = "delete_left"
    """Deleted on one side, where deletions do not travel: unlinked and left, not made again."""
    REASSIGNED = "reassigned"
    """The CRM record went to another owner: our copy follows it; a card born here stays, unlinked."""
    LEFT_FOLDER = "left_folder"
    """Moved out of the synchronised folder: unlinked, nothing deleted."""
    BECAME_CONTACT = "became_contact"
    """A company card got a person's name: now a contact of that company."""
    DIRECTION_OFF = "direction_off"
    """The direction is switched off for this kind."""
    WITHOUT_MAILBOX = "without_mailbox"
    """The owner is a group, inactive or not connected: there is no mailbox for this record."""
    TOMBSTONE = "tombstone"
    """Unlinked on purpose before: not made or matched again until that is lifted."""
    SEVERAL_CANDIDATES = "several_candidates"
    """More than one item may be the same: an admin decides."""
    NO_NAME = "no_name"
    """A card without names, company and address cannot be held by vtenext."""
    ENDED = "ended"
    """Over already: the past is not written to a mailbox, and an occurrence of the past is not touched at all."""
    BASELINE = "baseline"
    """Was in the CRM when the mailbox was connected, and is as it was then: not exported."""
    FIRST_IMPORT = "first_import"
    """Made in the CRM while the first synchronisation imports: written to the mailbox afterwards."""
    BEFORE_START = "before_start"
    """Ended before the day from which this user synchronises."""
    NO_TIME = "no_time"
    """Has no usable start and end."""
    CANCELLED = "cancelled"
    """A meeting that its organizer cancelled."""
    MEETING = "meeting"
    """A meeting with attendees: only the organizer's mailbox may write it."""
    PRIVATE = "private"
    """Private, and the user keeps private events out of the CRM."""
    ORGANIZER_FIRST = "organizer_first"
    """A copy of a meeting: its organizer's mailbox, or the one that keeps the meeting, brings it into the CRM first."""
    COPY_ENDED = "copy_ended"
    """An attendee's copy went: that is the person's answer, the meeting stands for the others."""
    STRANGER = "stranger"
    """Takes part in a meeting and was unknown to the CRM: made a contact there, because a setting says so."""
    MAIL_LIMIT = "mail_limit"
    """Writing it would make Exchange or vtenext send more mails than the limits allow: an admin decides."""
    WITHHELD = "withheld"
    """It had begun when the user connected, so it was written without its attendees: inviting them is an admin's decision."""
    SERIES_FORMING = "series_forming"
    """The CRM saves a series record by record: written to the mailbox when its set of records has been quiet."""
    CRM_SERIES = "crm_series"
    """Records of one CRM series whose dates fit a rule: one series in the mailbox."""
    SERIES_CUT = "series_cut"
    """All coming occurrences were deleted in the CRM: the mailbox's series ends before them."""
    DELETE_BRAKE = "delete_brake"
    """More deletions than the brake allows: an admin decides."""
    CHANGED_MEANWHILE = "changed_meanwhile"
    """Changed between reading and writing: looked at again."""
    INTENT_OPEN = "intent_open"
    """An earlier attempt to create it may still succeed: waits until that can be excluded."""
    OTHER_HOME = "other_home"
    """The new owner's mailbox has not taken the record over yet: waits."""
    THROTTLED = "throttled"
    """The server asked for a pause: done when that is over."""
    UNREADABLE = "unreadable"
    """The server could not show the item now: looked at again."""
    SLICE_ENDED = "slice_ended"
    """The time of this run was used up: the next one goes on."""
    REFUSED = "refused"
    """The server refused the write: tried again, then quarantined."""
    QUARANTINED = "quarantined"
    """Failed three times: left alone until 'restore state', the rest goes on."""
    OSCILLATES = "oscillates"
    """The same field was written in four consecutive runs: something undoes it; left alone."""


class Flag(StrEnum):
    """Something a user should know about an item, said once; nothing is stopped by it."""

    TEXT_CUT = "text_cut"
    CHARACTERS_LOST = "characters_lost"
    CHOICE_UNKNOWN = "choice_unknown"
    COMPANY_UNKNOWN = "company_unknown"
    COMPANY_AMBIGUOUS = "company_ambiguous"
    MANDATORY_KEPT = "mandatory_kept"
    GUEST_COPY = "guest_copy"
    REMINDER_KEPT = "reminder_kept"
    REMINDER_ROUNDED = "reminder_rounded"
    TIME_ROUNDED = "time_rounded"
    BODY_KEPT = "body_kept"
    ORGANIZER_ELSEWHERE = "organizer_elsewhere"
    """Edited in the CRM, but its organizer is not connected: the edit stays in the CRM."""
    COPY_EDITED = "copy_edited"
    """An attendee edited the own copy of a meeting: only its organizer can change it."""
    ATTENDEES_WITHHELD = "attendees_withheld"
    """Written to Exchange without its attendees."""
    INVITEES_LEFT = "invitees_left"
    """The CRM's list of invitees is not as the meeting's: vtenext would invite somebody else, or cannot invite one of them."""
    CRM_PRIVATE = "crm_private"
    """Made private in the CRM: its text is there by the user's own doing and is not masked."""


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
