"""Settings and users as a run needs them: who may run, with which policy and mapping. Pure data, built by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mapping.model import Translator
from sync.model import Kind
from sync.policy import NO_CALENDAR, CalendarPolicy, KindPolicy, Policy, default_kinds


@dataclass(frozen=True, slots=True)
class Setup:
    """`active`: configured and switched on. `homes`: crm owner id -> mailbox id, of connected users only.

    `admin_user`: crm id that owns what the admin mailbox brings in (contact target `admin`).
    """

    active: bool
    translators: Mapping[Kind, Translator]
    homes: Mapping[str, str]
    admin_mailbox: str = ""
    admin_user: str = ""
    kinds: Mapping[Kind, KindPolicy] = field(default_factory=default_kinds)
    calendar: CalendarPolicy = NO_CALENDAR

    def policy(self, mailbox: str, user: str) -> Policy:
        """The policy of one mailbox."""
        owner = self.admin_user if self.admin_mailbox == mailbox and self.admin_user else user
        return Policy(mailbox, owner, self.homes, self.admin_mailbox, self.kinds, self.calendar)

    def home_of(self, owner: str, kind: Kind) -> str:
        return self.policy("", "").home_of(owner, kind)
