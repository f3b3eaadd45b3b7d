"""The settings as a form: which fields there are, what stands in them, and what a sent form changes (SPEC 4.4). Pure.

A field is named as in the API, parts joined by dots (`kinds.contact.to_crm`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args

from sync.model import Kind
from sync.policy import MailboxDelete, PrivateEvents, RemovalScope, Winner
from sync.settings import DoubleBooking, Settings, SignInMode, Target

SECRET = "client_secret"  # noqa: S105 - a field's name
EXPIRES = "client_secret_expires"


class Control(Enum):
    """How a field is entered."""

    TICK = "tick"
    CHOICE = "choice"
    TEXT = "text"
    LINES = "lines"
    NUMBER = "number"
    DAY = "day"
    SECRET = "secret"  # noqa: S105 - a kind of field


@dataclass(frozen=True, slots=True)
class Entry:
    """One field of the form. `choices`: its words, '' = as the environment says."""

    name: str
    control: Control
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Key of its label: fields of the four kinds share theirs."""
        parts = self.name.split(".")
        return parts[2] if parts[0] == "kinds" else "_".join(parts)


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together. `kinds`: they are a table, a row for each kind."""

    name: str
    entries: tuple[Entry, ...]
    kinds: bool = False

    @property
    def rows(self) -> Mapping[str, tuple[Entry, ...]]:
        """Of a table: kind -> its fields."""
        return {
            kind.value: tuple(each for each in self.entries if each.name.split(".")[1] == kind.value) for kind in Kind
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a table: labels of its columns."""
        return tuple(dict.fromkeys(entry.label for entry in self.entries))


def _choices(words: type[Enum]) -> tuple[str, ...]:
    return tuple(str(each.value) for each in words)


_SERVERS: tuple[str, ...] = get_args(Settings.model_fields["server_name"].annotation)
_VERSIONS = ("Office365", "2016")
_OF_A_KIND = (
    ("to_crm", Control.TICK, ()),
    ("to_mailbox", Control.TICK, ()),
    ("delete_in_crm", Control.TICK, ()),
    ("delete_in_mailbox", Control.TICK, ()),
    ("mailbox_delete", Control.CHOICE, _choices(MailboxDelete)),
    ("winner", Control.CHOICE, _choices(Winner)),
)
SECTIONS: tuple[Section, ...] = (
    Section(
        "server",
        (
            Entry("active", Control.TICK),
            Entry("delete_contacts", Control.TICK),
            Entry("delete_contacts_scope", Control.CHOICE, _choices(RemovalScope)),
            Entry("verbose_log", Control.TICK),
            Entry("server_name", Control.CHOICE, _SERVERS),
            Entry("version", Control.CHOICE, _VERSIONS),
            Entry("client_id", Control.TEXT),
            Entry(SECRET, Control.SECRET),
            Entry(EXPIRES, Control.DAY),
            Entry("tenant_id", Control.TEXT),
            Entry("sign_in_mode", Control.CHOICE, _choices(SignInMode)),
            Entry("allow_list", Control.LINES),
        ),
    ),
    Section(
        "synchronisation",
        tuple(
            Entry(f"kinds.{kind.value}.{name}", control, words) for kind in Kind for name, control, words in _OF_A_KIND
        ),
        kinds=True,
    ),
    Section(
        "people",
        (
            Entry("contact_target", Control.CHOICE, _choices(Target)),
            Entry("admin_mailbox", Control.TEXT),
            Entry("admin_user", Control.TEXT),
            Entry("folder_name", Control.TEXT),
            Entry("use_default_folder", Control.TICK),
        ),
    ),
    Section(
        "calendar",
        (
            Entry("sync_start", Control.DAY),
            Entry("private_events", Control.CHOICE, _choices(PrivateEvents)),
            Entry("horizon_days", Control.NUMBER),
            Entry("look_minutes", Control.NUMBER),
            Entry("reassign_groups", Control.TICK),
            Entry("double_booking", Control.CHOICE, _choices(DoubleBooking)),
            Entry("create_strangers", Control.TICK),
            Entry("crm_contact_invitees", Control.TICK),
            Entry("crm_invitation_mail_off", Control.TICK),
        ),
    ),
    Section(
        "brakes",
        tuple(Entry(f"mail_limits.{name}", Control.NUMBER) for name in ("meetings", "mails", "day"))
        + tuple(
            Entry(f"delete_brake.{name}", Control.NUMBER)
            for name in ("items", "percent", "sweep_items", "sweep_percent")
        ),
    ),
)
ENTRIES: Mapping[str, Entry] = {entry.name: entry for section in SECTIONS for entry in section.entries}


def values_of(settings: Mapping[str, Any]) -> dict[str, str | bool]:
    """What stands in the fields. The secret never does."""
    return {name: _written(_found(settings, name), entry.control) for name, entry in ENTRIES.items()}


def entered(form: Mapping[str, Sequence[str]]) -> dict[str, str | bool]:
    """What a sent form holds; a field that did not come is empty, or not ticked."""
    found: dict[str, str | bool] = {}
    for name, entry in ENTRIES.items():
        text = next(iter(form.get(name, ())), "").strip()
        found[name] = name in form if entry.control is Control.TICK else text.replace("\r\n", "\n")
    return found


def differing(before: Mapping[str, str | bool], now: Mapping[str, str | bool]) -> list[str]:
    """Names of the fields whose values differ."""
    return [name for name in ENTRIES if before[name] != now[name]]


def changes(before: Mapping[str, str | bool], now: Mapping[str, str | bool]) -> dict[str, Any]:
    """What the API is asked to change: fields that differ, as it wants them. An empty secret is no change; with a new one goes the day on which it
    ends, for the API forgets that of the secret before."""
    names = differing(before, now)
    if SECRET in names and EXPIRES not in names:
        names.append(EXPIRES)
    result: dict[str, Any] = {}
    for name in names:
        value = now[name]
        *outer, last = name.split(".")
        inner = result
        for part in outer:
            inner = inner.setdefault(part, {})
        inner[last] = _typed(value, ENTRIES[name].control)
    return result


def _found(settings: Mapping[str, Any], name: str) -> Any:
    found: Any = settings
    for part in name.split("."):
        found = found.get(part)
    return found


def _written(value: Any, control: Control) -> str | bool:
    if control is Control.TICK:
        return bool(value)
    if control is Control.LINES:
        return "\n".join(value)
    return "" if value is None or control is Control.SECRET else str(value)


def _typed(value: str | bool, control: Control) -> Any:
    """As JSON. What is no number goes as it is: the API says what it should be."""
    if isinstance(value, bool):
        return value
    if control is Control.LINES:
        return [line.strip() for line in value.split("\n") if line.strip()]
    if control is Control.NUMBER and value.isdecimal() and len(value) < 10:
        return int(value)
    return None if control is Control.DAY and not value else value
