"""The mails that Exchange sent, for tests to count, and the messages on their way between mailboxes of the tenant.

A mail is noted when it is sent, whoever it goes to; a message is what makes a mailbox of the tenant act on it. Nothing is
delivered here (`delivery.py`).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from emulators.graph.calendar import Event

By = Literal["app", "person", "resource"]
Kind = Literal["invitation", "update", "cancellation", "response"]


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail. `why`: what was done; `by`: an app, a person in Outlook, or a room or piece of equipment by itself."""

    kind: Kind
    to: str
    sender: str
    uid: str
    subject: str
    at: str
    why: str
    by: By

    def row(self) -> dict[str, Any]:
        """As tests and the demo read it."""
        return {
            "kind": self.kind,
            "to": self.to,
            "from": self.sender,
            "iCalUId": self.uid,
            "subject": self.subject,
            "at": self.at,
            "why": self.why,
            "by": self.by,
        }


@dataclass(frozen=True, slots=True)
class Notice:
    """The organizer's word to an attendee: about an event (a series whole), or about one occurrence."""

    kind: Kind
    to: str
    organizer: str  # object id
    event: Event
    slot: date | None


@dataclass(frozen=True, slots=True)
class Reply:
    """An attendee's answer on its way to the organizer: about the copy, or about one occurrence of it."""

    sender: str  # address
    copy: Event
    slot: date | None
    status: dict[str, Any]
    proposal: dict[str, Any] | None
    heard: Any  # when the meeting was to be as the attendee knew it: an answer to an older state counts for nothing


@dataclass(slots=True)
class Post:
    """All mails of the tenant, and what waits to be delivered."""

    mails: list[Mail] = field(default_factory=list)
    waiting: deque[Notice | Reply] = field(default_factory=deque)

    def reset(self) -> None:
        """Nothing was ever sent."""
        self.mails.clear()
        self.waiting.clear()
