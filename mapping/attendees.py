"""An attendee of a meeting as one text of an item's field, and back. Pure.

Items hold texts only, so that they can be compared, digested and merged; whoever needs to know more about an attendee or an invitee reads it here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mapping.model import Value


class Answer(StrEnum):
    """What somebody said to an invitation. vtenext knows no tentative one (API.md 7.5)."""

    NONE = "none"
    TENTATIVE = "tentative"
    ACCEPTED = "accepted"
    DECLINED = "declined"


REQUIRED, OPTIONAL, RESOURCE = "required", "optional", "resource"


@dataclass(frozen=True, slots=True)
class Attendee:
    """Somebody or something that a mailbox's meeting invites; the organizer is none. `address` is lower case."""

    address: str
    type: str = REQUIRED
    response: Answer = Answer.NONE
    name: str = ""


@dataclass(frozen=True, slots=True)
class Invitee:
    """A user (19x…) or contact (4x…) whom a CRM event invites."""

    id: str
    answer: Answer = Answer.NONE
    address: str = ""


def attendee_text(attendee: Attendee) -> str:
    """One element of an item's `attendees`."""
    name = attendee.name.replace("|", " ")
    return f"{attendee.address.lower()}|{attendee.type}|{attendee.response}|{name}"


def read_attendee(text: str) -> Attendee:
    """Raises ValueError when it is none."""
    address, type_, response, name = text.split("|", 3)
    return Attendee(address, type_, Answer(response), name)


def invitee_text(invitee: Invitee) -> str:
    """One element of a CRM item's `invitees`."""
    return f"{invitee.id}|{invitee.answer}|{invitee.address.lower()}"


def read_invitee(text: str) -> Invitee:
    """Raises ValueError when it is none."""
    id_, answer, address = text.split("|", 2)
    return Invitee(id_, Answer(answer), address)


def attendees_of(value: Value | None) -> list[Attendee]:
    """The attendees that a mailbox item's field `attendees` names."""
    return [read_attendee(text) for text in _texts(value)]


def invitees_of(value: Value | None) -> list[Invitee]:
    """The invitees that a CRM item's field `invitees` names."""
    return [read_invitee(text) for text in _texts(value)]


def attendees_value(attendees: Iterable[Attendee]) -> tuple[str, ...]:
    """The field of an item: sorted, so that the order in which a server answers means nothing."""
    return tuple(sorted(attendee_text(each) for each in attendees))


def invitees_value(invitees: Iterable[Invitee]) -> tuple[str, ...]:
    """The field of an item, sorted."""
    return tuple(sorted(invitee_text(each) for each in invitees))


def _texts(value: Value | None) -> tuple[str, ...]:
    if not value:
        return ()
    return (value,) if isinstance(value, str) else value
