"""What the settings mean for the planner, built once per run. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

from mapping.people import NOBODY, AddressBook
from sync.model import Family, Item, Kind, Role, Side


class Winner(StrEnum):
    """Who wins when the same field was edited on both sides (SPEC 1.6)."""

    CRM = "crm"
    MAILBOX = "mailbox"
    LATEST = "latest"


class MailboxDelete(StrEnum):
    """What happens to a card deleted in the mailbox when deletions do not travel to the CRM (SPEC 1.1)."""

    WRITE_BACK = "write_back"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class KindPolicy:
    """The switches of one kind."""

    to_crm: bool = True
    to_mailbox: bool = True
    delete_in_crm: bool = False
    delete_in_mailbox: bool = True
    mailbox_delete: MailboxDelete = MailboxDelete.WRITE_BACK
    winner: Winner = Winner.CRM

    def writes(self, side: Side, role: Role = Role.HOME) -> bool:
        """May items of this kind be written on `side`?"""
        return self.to_mailbox if side is Side.MAILBOX else self.to_crm and role in {Role.HOME, Role.MEMBER}

    def deletes(self, side: Side) -> bool:
        """Does a deletion on the other side delete the item on `side`?"""
        return self.delete_in_mailbox if side is Side.MAILBOX else self.delete_in_crm


EVENTS = KindPolicy(delete_in_crm=True, winner=Winner.MAILBOX)


def default_kinds() -> dict[Kind, KindPolicy]:
    """SPEC 1 and 1.6: cards are deleted in the mailbox only and the CRM wins; events and tasks both ways, and the mailbox wins."""
    return {kind: KindPolicy() if kind in Family.PEOPLE.kinds else EVENTS for kind in Kind}


class PrivateEvents(StrEnum):
    """What the CRM sees of a mailbox's private and confidential events (SPEC 2.10)."""

    BUSY = "busy"
    FULL = "full"
    NONE = "none"


class RemovalScope(StrEnum):
    """Which cards of a removed user are deleted in the mailbox (SPEC 5.4). Those without a link never are."""

    LINKED = "linked"
    OURS = "ours"  # only what we made: what was born in the mailbox stays there


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the user of a mailbox wants otherwise than the settings (SPEC 5.2); None = as they say."""

    since: date | None = None
    private: PrivateEvents | None = None

    def of(self, calendar: CalendarPolicy) -> CalendarPolicy:
        """The calendar policy of this user's mailbox."""
        since = calendar.since if self.since is None else self.since
        return replace(calendar, since=since, private=self.private or calendar.private)


@dataclass(frozen=True, slots=True)
class CalendarPolicy:
    """What the planner must know of a calendar. `zone`: the CRM's, in which its whole days begin and end.

    `since`: what ended before that day is not imported. `import_only`: the first synchronisation, which writes nothing to the mailbox.
    """

    zone: ZoneInfo
    since: date = date(1970, 1, 1)
    private: PrivateEvents = PrivateEvents.BUSY
    import_only: bool = False


NO_CALENDAR = CalendarPolicy(ZoneInfo("UTC"))


@dataclass(frozen=True, slots=True)
class MailLimits:
    """How many mails Exchange and vtenext may be made to send for one mailbox (SPEC 2.9)."""

    meetings: int = 20  # written in one run, of those that make mails
    mails: int = 200  # in one run
    day: int = 500  # in any 24 hours


MAIL_LIMITS = MailLimits()


@dataclass(frozen=True, slots=True)
class DeleteLimits:
    """More than max(`least`, `share` of the population) deletions are too many (SPEC 7.1)."""

    least: int
    share: float

    def allowed(self, population: int) -> int:
        return max(self.least, int(population * self.share))


MAILBOX_LIMITS = DeleteLimits(5, 0.10)
SWEEP_LIMITS = DeleteLimits(20, 0.02)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of the CRM, as our settings know it (SPEC 2.6): vtenext shows neither. `organizer` and `members`: crm ids of users.

    `since`: when an admin said who the organizer is, ISO UTC: its events that nobody touched since then stay where they are.
    """

    organizer: str = ""
    members: tuple[str, ...] = ()
    since: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything the planner of one mailbox must know of settings and users.

    `homes`: crm owner id -> id of that owner's connected mailbox (target `assigned_user`).
    `admin_mailbox`: the one mailbox of all records (target `admin`), '' in the other mode.
    `owner`: crm id that records imported from this mailbox are assigned to. `groups`: by crm id; `reassign_groups`: a group's event is assigned to
    its organizer. `double_booking`: a thing without a mailbox takes part in two events at once. Of people who take part and are no users (SPEC 2.5):
    `crm_contact_invitees`: those who are the CRM's contacts are listed as invitees there; `create_strangers`: the others become contacts.
    """

    mailbox: str
    owner: str
    homes: Mapping[str, str]
    admin_mailbox: str = ""
    kinds: Mapping[Kind, KindPolicy] = field(default_factory=default_kinds)
    calendar: CalendarPolicy = NO_CALENDAR
    people: AddressBook = NOBODY
    mails: MailLimits = MAIL_LIMITS
    deletes: DeleteLimits = MAILBOX_LIMITS
    groups: Mapping[str, Group] = field(default_factory=dict)
    reassign_groups: bool = True
    double_booking: bool = False
    crm_contact_invitees: bool = False
    create_strangers: bool = False

    def is_user(self, crm_id: str) -> bool:
        """Is it the id of a user, connected or not? (A contact is invited by its own id too.)"""
        return crm_id.partition("x")[0] == self.owner.partition("x")[0]

    def homes_of_item(self, item: Item) -> frozenset[str]:
        """The mailboxes in which this CRM item lives; an organizer whom a group's event names wins over the group's own."""
        return self.homes_of(item.owner, item.kind, str(item.fields.get("organizer_address") or ""))

    def homes_of(self, owner: str, kind: Kind = Kind.CONTACT, organizer: str = "") -> frozenset[str]:
        """The mailboxes in which items of `owner` live: of a group's task those of its members, of its event that of its organizer (SPEC 2.6, 2.8).

        `organizer`: the address that an event names.
        """
        group = self.groups.get(owner)
        if group is not None and kind is Kind.TASK:
            return frozenset(self.homes[member] for member in group.members if member in self.homes)
        if group is not None and kind is Kind.EVENT:
            owner = self.people.user_of(organizer) or group.organizer
        home = self.home_of(owner, kind)
        return frozenset({home} if home else ())

    def owners_at_home(self, kind: Kind) -> Sequence[str]:
        """Whose records of this kind live in this mailbox: users and groups, [''] = everybody's."""
        if self.admin_mailbox and Family.of(kind) is Family.PEOPLE:
            return [""]
        return [owner for owner in (*self.homes, *self.groups) if self.mailbox in self.homes_of(owner, kind)]

    def home_of(self, owner: str, kind: Kind = Kind.CONTACT) -> str:
        """The mailbox in which items of `owner` live, '' when there is none. Events live with their owner, whatever the contacts do."""
        shared = self.admin_mailbox if Family.of(kind) is Family.PEOPLE else ""
        return shared or self.homes.get(owner, "")
