"""Settings and users as a run needs them: who may run, with which policy and mapping. Pure data, built by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mapping.calendar import EventTranslator
from mapping.model import Translator
from mapping.moving import Remap
from mapping.people import NOBODY, AddressBook
from sync.model import Family, Item, Kind
from sync.policy import (
    MAIL_LIMITS,
    MAILBOX_LIMITS,
    NO_CALENDAR,
    CalendarPolicy,
    DeleteLimits,
    Group,
    KindPolicy,
    MailLimits,
    Policy,
    Preferences,
    default_kinds,
)


@dataclass(frozen=True, slots=True)
class Setup:
    """`active`: configured and switched on. `homes`: crm owner id -> mailbox id, of connected users only.

    `admin_user`: crm id that owns what the admin mailbox brings in (contact target `admin`). `groups`: the CRM's, by crm id.
    `delegated`: every user signs in for the own mailbox, so a consent that is missing may be one person's.
    `preferences`: of users, by mailbox id.
    `parted`: mailboxes of users who are disabled: to a run all that they hold would look as if it had been given away.
    """

    active: bool
    translators: Mapping[Kind, Translator]
    homes: Mapping[str, str]
    admin_mailbox: str = ""
    admin_user: str = ""
    kinds: Mapping[Kind, KindPolicy] = field(default_factory=default_kinds)
    calendar: CalendarPolicy = NO_CALENDAR
    groups: Mapping[str, Group] = field(default_factory=dict)
    people: AddressBook = NOBODY
    mails: MailLimits = MAIL_LIMITS
    deletes: DeleteLimits = MAILBOX_LIMITS
    reassign_groups: bool = True
    double_booking: bool = False
    crm_contact_invitees: bool = False
    create_strangers: bool = False
    delegated: bool = False
    remaps: Mapping[Kind, Remap] = field(default_factory=dict)  # what earlier mappings left behind
    preferences: Mapping[str, Preferences] = field(default_factory=dict)
    parted: frozenset[str] = frozenset()
    look_every: timedelta = timedelta(hours=1)  # what tells us of changes by itself is looked at nevertheless

    @property
    def families(self) -> list[Family]:
        """Those that are synchronised."""
        return [family for family in Family if any(kind in self.translators for kind in family.kinds)]

    def policy(self, mailbox: str, user: str) -> Policy:
        """The policy of one mailbox."""
        owner = self.admin_user if self.admin_mailbox == mailbox and self.admin_user else user
        return Policy(
            mailbox,
            owner,
            self.homes,
            self.admin_mailbox,
            self.kinds,
            self.preferences.get(mailbox, Preferences()).of(self.calendar),
            groups=self.groups,
            people=self.people,
            mails=self.mails,
            deletes=self.deletes,
            reassign_groups=self.reassign_groups,
            double_booking=self.double_booking,
            crm_contact_invitees=self.crm_contact_invitees,
            create_strangers=self.create_strangers,
        )

    def translators_of(self, policy: Policy) -> Mapping[Kind, Translator]:
        """The mapping as one mailbox uses it: events know whose it is."""
        return {
            kind: each.among(self.people, policy.owner) if isinstance(each, EventTranslator) else each
            for kind, each in self.translators.items()
        }

    def homes_of_item(self, item: Item) -> frozenset[str]:
        """The mailboxes in which this CRM item lives."""
        return self.policy("", "").homes_of_item(item)
