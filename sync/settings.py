"""What admins set: the settings, checked, and what follows from them for a run. Pure data; where they are kept: `settings_store`. No HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, LiteralString

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from sync.errors import ConfigMistake
from sync.model import Family, Kind
from sync.policy import (
    MAIL_LIMITS,
    MAILBOX_LIMITS,
    SWEEP_LIMITS,
    DeleteLimits,
    KindPolicy,
    MailboxDelete,
    MailLimits,
    PrivateEvents,
    RemovalScope,
    Winner,
)

PARTITION = "control"
MOST_ALLOWED = 10_000
"""Mailboxes of an allow-list: their ids fill three quarters of what a row may hold."""
_GUID = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
"""Of the start of the synchronisation. Windows of time are counted from it, and a zone takes hours off."""
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,}")


class Target(StrEnum):
    """Where contacts and companies go (SPEC 1.3)."""

    ASSIGNED_USER = "assigned_user"
    ADMIN = "admin"


class SignInMode(StrEnum):
    """Who signs in at Microsoft 365 (SPEC 5.1)."""

    APPLICATION = "application"
    """The application, for everybody whom an admin enables."""
    DELEGATED = "delegated"
    """Every user, for the own mailbox."""


class DoubleBooking(StrEnum):
    """What a resource without a mailbox answers when it is wanted twice at once (SPEC 5.3)."""

    DECLINE = "decline"
    ACCEPT = "accept"


def wrong(expected: LiteralString, **where: str) -> PydanticCustomError:
    """For validators: what a value should be, as a key of the table of sentences. `field`: its name, where a whole model is checked."""
    return PydanticCustomError(expected, expected, where)


def _tenant(text: str) -> str:
    if text and not (_GUID.fullmatch(text) or _DOMAIN.fullmatch(text)):
        raise wrong("tenant")
    return text


def _guid(text: str) -> str:
    if text and not _GUID.fullmatch(text):
        raise wrong("client")
    return text


def _secret(text: str) -> str:
    secret = text.strip()  # as it was copied
    if _GUID.fullmatch(secret.removeprefix("{").removesuffix("}")):
        raise wrong("no_secret_id")
    return secret


def start_day(day: date) -> date:
    """From when on something is synchronised, for pydantic: a day that people mean."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise wrong("start_day")
    return day


def _version(text: str) -> str:
    if text == "2016":
        raise wrong("office365")
    return text


def contact_folder(text: str) -> str:
    """A contact folder's name, for pydantic."""
    if not text.strip() or text != text.strip() or any(c < " " for c in text):
        raise wrong("folder_name")
    return text


class Model(BaseModel):
    """What comes from people: unknown names are refused, and no message repeats a value."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=False, hide_input_in_errors=True)


class KindSettings(Model):
    """The switches of one kind. `to_crm` not set = on, but off when the default folder is used (SPEC 1)."""

    to_crm: bool | None = None
    to_mailbox: bool = True
    delete_in_crm: bool = False
    delete_in_mailbox: bool = True
    mailbox_delete: MailboxDelete = MailboxDelete.WRITE_BACK
    winner: Winner = Winner.CRM


class EventSettings(KindSettings):
    """Events and tasks travel, and are deleted, both ways; the mailbox wins (SPEC 1, 1.6). `mailbox_delete` counts where deletions do not travel."""

    delete_in_crm: bool = True
    winner: Winner = Winner.MAILBOX


class Kinds(Model):
    contact: KindSettings = KindSettings()
    company: KindSettings = KindSettings()
    event: EventSettings = EventSettings()
    task: EventSettings = EventSettings()


Count = Annotated[int, Field(ge=0, le=100_000)]


class MailSettings(Model):
    """How many mails may leave because of one mailbox (SPEC 2.9); 0 = everything that makes mails waits for an admin."""

    meetings: Count = MAIL_LIMITS.meetings
    mails: Count = MAIL_LIMITS.mails
    day: Count = MAIL_LIMITS.day

    def policy(self) -> MailLimits:
        return MailLimits(self.meetings, self.mails, self.day)


Address = Annotated[str, Field(min_length=1, max_length=320)]


class BrakeSettings(Model):
    """How many deletions go without asking (SPEC 7.1): of one kind in one mailbox's run and day, of one module in a sweep of the CRM."""

    items: Count = MAILBOX_LIMITS.least
    percent: Annotated[int, Field(ge=0, le=100)] = round(MAILBOX_LIMITS.share * 100)
    sweep_items: Count = SWEEP_LIMITS.least
    sweep_percent: Annotated[int, Field(ge=0, le=100)] = round(SWEEP_LIMITS.share * 100)

    def policy(self) -> DeleteLimits:
        return DeleteLimits(self.items, self.percent / 100)

    def of_sweep(self) -> DeleteLimits:
        return DeleteLimits(self.sweep_items, self.sweep_percent / 100)


class Settings(Model):
    """All saved settings but the secret. `admin_mailbox` and the `allow_list` are object ids once saved.

    `server_name` '' = as the environment says. `client_secret_expires`: Entra tells nobody who may not read applications; an admin enters it.
    """

    active: bool = True
    server_name: Literal["", "outlook.office365.com", "outlook.office365.us", "partner.outlook.cn"] = ""
    version: Annotated[Literal["Office365", "2016"], AfterValidator(_version)] = "Office365"
    client_secret_expires: date | None = None
    kinds: Kinds = Kinds()
    contact_target: Target = Target.ASSIGNED_USER
    admin_mailbox: Annotated[str, Field(max_length=320)] = ""
    admin_user: Annotated[str, Field(pattern=r"^(\d+x\d+)?$")] = ""
    folder_name: Annotated[str, Field(max_length=200), AfterValidator(contact_folder)] = "vtenext"
    use_default_folder: bool = False
    private_events: PrivateEvents = PrivateEvents.BUSY
    sync_start: Annotated[date, AfterValidator(start_day)] = FIRST_DAY
    delete_contacts: bool = False
    delete_contacts_scope: RemovalScope = RemovalScope.LINKED
    horizon_days: Annotated[int, Field(ge=7, le=365)] = 90
    look_minutes: Annotated[int, Field(ge=5, le=1440)] = 60
    mail_limits: MailSettings = MailSettings()
    delete_brake: BrakeSettings = BrakeSettings()
    reassign_groups: bool = True
    double_booking: DoubleBooking = DoubleBooking.DECLINE
    crm_contact_invitees: bool = False
    crm_invitation_mail_off: bool = False
    create_strangers: bool = False
    tenant_id: Annotated[str, AfterValidator(_tenant)] = ""
    client_id: Annotated[str, AfterValidator(_guid)] = ""
    verbose_log: bool = False
    sign_in_mode: SignInMode = SignInMode.APPLICATION
    allow_list: Annotated[tuple[Address, ...], Field(max_length=MOST_ALLOWED)] = ()

    @model_validator(mode="after")
    def _admin_target_is_whole(self) -> Settings:
        if self.contact_target is Target.ADMIN and not (self.admin_mailbox and self.admin_user):
            raise wrong("whole_admin_target", field="contact_target")
        return self

    @model_validator(mode="after")
    def _contacts_are_mailed_once(self) -> Settings:
        if self.crm_contact_invitees and not self.crm_invitation_mail_off:
            raise wrong("mailed_once", field="crm_invitation_mail_off")
        return self

    @property
    def shared_mailbox(self) -> str:
        """The one mailbox of everybody's contacts, '' where each user has the own ones in the own mailbox."""
        return self.admin_mailbox if self.contact_target is Target.ADMIN else ""

    @property
    def folder(self) -> str:
        """The folder's name as the mailbox side takes it: '' = the default folder."""
        return "" if self.use_default_folder else self.folder_name

    @property
    def delegated(self) -> bool:
        return self.sign_in_mode is SignInMode.DELEGATED

    def allows(self, mailbox: str) -> bool:
        """May this mailbox be synchronised? In application mode an allow-list that is not empty is exhaustive."""
        return not self.left_out([mailbox])

    def left_out(self, mailboxes: Iterable[str]) -> frozenset[str]:
        """Which of these may not be synchronised: all at once, because both may be ten thousand."""
        exhaustive = self.allow_list and not self.delegated
        return frozenset(mailboxes).difference(self.allow_list) if exhaustive else frozenset()

    @property
    def removal(self) -> RemovalScope | None:
        """Which cards of a removed user are deleted in the mailbox; None = none of them."""
        return self.delete_contacts_scope if self.delete_contacts else None

    def policies(self) -> dict[Kind, KindPolicy]:
        """The planner's switches."""
        return {kind: self._policy(kind, getattr(self.kinds, kind.value)) for kind in Kind}

    def _policy(self, which: Kind, kind: KindSettings) -> KindPolicy:
        default = which not in Family.PEOPLE.kinds or not self.use_default_folder
        to_crm = kind.to_crm if kind.to_crm is not None else default
        return KindPolicy(
            to_crm, kind.to_mailbox, kind.delete_in_crm, kind.delete_in_mailbox, kind.mailbox_delete, kind.winner
        )

    def shown(self) -> dict[str, Any]:
        """For people: as JSON, with what is in force where nothing was chosen."""
        result: dict[str, Any] = self.model_dump(mode="json")
        for kind, policy in self.policies().items():
            result["kinds"][kind.value]["to_crm"] = policy.to_crm
        return result


class _Secret(Model):
    client_secret: Annotated[str, Field(max_length=500), AfterValidator(_secret)]


def changed(before: Settings, changes: Mapping[str, Any]) -> tuple[Settings, str | None]:
    """Settings with `changes` applied (what is not named stays), and the new secret ('' = remove it, None = as it is).

    Raises ConfigMistake with the first field that is wrong and what it should be.
    """
    rest = dict(changes)
    secret: str | None = None
    try:
        if rest.get("client_secret", "") is None:
            del rest["client_secret"]
        if "client_secret" in rest:
            secret = _Secret.model_validate({"client_secret": rest.pop("client_secret")}, strict=True).client_secret
            rest = {"client_secret_expires": None, **rest}  # the date belonged to the one before
        merged = _merged(before.model_dump(mode="json"), rest)
        return Settings.model_validate_json(json.dumps(merged), strict=True), secret
    except ValidationError as error:
        raise mistake_of(error) from None


def _merged(before: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(before)
    for name, value in changes.items():
        old = result.get(name)
        result[name] = _merged(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return result


def mistake_of(error: ValidationError) -> ConfigMistake:
    """The first thing that is wrong: its name, and what it should be, by pydantic's own type of the error or by ours."""
    first = error.errors(include_url=False, include_input=False)[0]
    values = {name: str(value) for name, value in first.get("ctx", {}).items()}
    where = values.pop("field", "") or ".".join(str(part) for part in first["loc"])
    return ConfigMistake(where, first["type"], values)
