"""What a look at ids found, as contacts, calendar and tasks tell it to the engine and ask it before a deletion. Never touches the network."""

from __future__ import annotations

from collections.abc import Mapping

from sync.errors import Failure
from sync.model import Gone, Item, Left, Present, Unread
from sync.sides.base import Done, Refused, Remove, Result
from sync.sides.graph.answers import conflict

Seen = Item | Gone | Left | Failure
"""What one id is now, or why that could not be read."""


def presents(found: Mapping[str, Seen]) -> dict[str, Present]:
    """See `Mailbox.get`: what could not be read says nothing about the item."""
    return {
        key: Unread(key, f"{each.status} {each.code}".strip()) if isinstance(each, Failure) else each
        for key, each in found.items()
    }


def before_delete(write: Remove, seen: Mapping[str, Seen], where: str) -> Result | None:
    """None when it may be deleted. DELETE ignores If-Match (BEHAVIOUR 5.1), so what it is now is compared here."""
    now = seen[write.expected.id]
    if isinstance(now, Gone):
        return Done(None)
    if isinstance(now, Failure):
        return Refused(now)
    if isinstance(now, Left) or now.version != write.expected.version:
        return Refused(conflict(where))
    return None
