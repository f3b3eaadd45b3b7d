"""What the settings mean for the planner, built once per run. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sync.model import Kind, Role, Side


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
    kinds: Mapping[Kind, KindPolicy] = field(default_factory=lambda: {kind: KindPolicy() for kind in Kind})

    def home_of(self, owner: str) -> str:
        """The mailbox in which records of `owner` live, '' when there is none."""
        return self.admin_mailbox or self.homes.get(owner, "")
