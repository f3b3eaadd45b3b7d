"""Fields by the words that the pages call them by: a refusal names them as the API does. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from control.panel import settings_form
from control.texts import text

_USERS = {
    "mailbox": "users.mailbox",
    "colour": "users.colour",
    "resource": "users.resource",
    "sync_start": "users.sync_start",
    "folder": "users.folder",
    "private_events": "users.private_events",
    "search": "users.find",
}
LABELS: Mapping[str, Mapping[str, str]] = {
    "users": _USERS,
    "": _USERS,
    "groups": {"members": "groups.members", "organizer": "groups.organizer", "search": "groups.find"},
    "holds": {"choice": "holds.choice", "mailbox": "holds.mailbox"},
    "mailboxes": {
        "names": "history.field",
        "item": "history.item",
        "id": "history.id",
        "family": "history.family",
        "mailbox": "history.mailbox",
    },
    "mapping": {
        "stamp_field": "mapping.stamp",
        "record": "mapping.record",
        "strategy": "mapping.strategy",
        "direction": "mapping.direction",
        "mode": "mapping.mode",
    },
}
"""Entry of the menu, '' = the own page -> field -> text. The settings' form says its own."""


def label(field: str, topic: str, lang: str) -> str:
    """What the page calls a field; one that it does not show by its own name. Of a list the row, from 1."""
    name, row, part = _split(field)
    named = _named(name, topic, lang)
    if row is None:
        return named
    number = text("common.row", lang, number=row + 1)
    if name == "pairs":  # the editor's rows are the page: nothing else needs to be named
        return f"{number}, {_part(part, topic, lang)}" if part else number
    return f"{named}, {number}"


def _split(field: str) -> tuple[str, int | None, str]:
    """`pairs.2.mode` -> pairs, 2, mode."""
    parts = field.split(".")
    at = next((place for place, part in enumerate(parts) if part.isdecimal() and len(part) < 9), None)
    return (field, None, "") if at is None else (".".join(parts[:at]), int(parts[at]), ".".join(parts[at + 1 :]))


def _named(name: str, topic: str, lang: str) -> str:
    entry = settings_form.ENTRIES.get(name) if topic == "settings" else None
    if entry is not None:
        own = text(f"settings.label.{entry.label}", lang)
        kind = name.split(".")[1] if name.startswith("kinds.") else ""
        return f"{text(f'settings.synchronisation.{kind}', lang)}: {own}" if kind else own
    key = LABELS.get(topic, {}).get(name)
    return name if key is None else text(key, lang)


def _part(part: str, topic: str, lang: str) -> str:
    return {"crm": "vtenext", "mailbox": "Exchange"}.get(part) or _named(part, topic, lang)
