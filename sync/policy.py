"""What the settings mean for the planner, built once per run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from zoneinfo import ZoneInfo

from sync.model import Family, Kind, Role, Side


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
        return self.to_mailbox if side is Side.MAILBOX else self.to_crm and role is Role.HOME

    def deletes(self, side: Side) -> bool:
        """Does a deletion on the other side delete the item on `side`?"""
        return self.delete_in_mailbox if side is Side.MAILBOX else self.delete_in_crm


EVENTS = KindPolicy(delete_in_crm=True, winner=Winner.MAILBOX)


def default_kinds() -> dict[Kind, KindPolicy]:
    """SPEC 1 and 1.6: cards are deleted in the mailbox only and the CRM wins; events both ways, and the mailbox wins."""
    return {kind: EVENTS if kind is Kind.EVENT else KindPolicy() for kind in Kind}


class PrivateEvents(StrEnum):
    """What the CRM sees of a mailbox's private and confidential events (SPEC 2.10)."""

    BUSY = "busy"
    FULL = "full"
    NONE = "none"


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
class Policy:
    """Everything the planner of one mailbox must know of settings and users.

    `homes`: crm owner id -> id of that owner's connected mailbox (target `assigned_user`).
    `admin_mailbox`: the one mailbox of all records (target `admin`), '' in the other mode.
    `owner`: crm id that records imported from this mailbox are assigned to.
    """

    mailbox: str
    owner: str
    homes: Mapping[str, str]
    admin_mailbox: str = ""
    kinds: Mapping[Kind, KindPolicy] = field(default_factory=default_kinds)
    calendar: CalendarPolicy = NO_CALENDAR

    def home_of(self, owner: str, kind: Kind = Kind.CONTACT) -> str:
        """The mailbox in which items of `owner` live, '' when there is none. Events live with their owner, whatever the contacts do."""
        shared = self.admin_mailbox if Family.of(kind) is Family.PEOPLE else ""
        return shared or self.homes.get(owner, "")
