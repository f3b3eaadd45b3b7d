"""How each field of an event translates: one vocabulary for both sides, every spelling of either understood. All total.

Never does: looking at more than one field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from mapping.html_text import spelled, squeezed
from mapping.model import FieldType
from mapping.normalise import decoded, has_astral, kept, normalise, sendable

# values of sync.model.Flag, which mapping does not import
TEXT_CUT, CHARACTERS_LOST = "text_cut", "characters_lost"
REMINDER_ROUNDED = "reminder_rounded"

_MINUTES = re.compile(r"-?[0-9]{1,9}")
_OPEN = {"": "normal", "normal": "normal", "personal": "personal"}  # what everybody may see; anything else is private
HIDDEN = ("private", "confidential")
"""Sensitivities of which the CRM may see no more than a busy block (SPEC 2.10)."""
_URGENCY = {"low": "Low", "normal": "Medium", "high": "High"}
_PRIORITY = {crm.lower(): mailbox for mailbox, crm in _URGENCY.items()}


@dataclass(frozen=True, slots=True)
class Way:
    """How one field pair translates. Readers: a side's own text -> value, None = unreadable. Writers: value -> the side's own text.

    `image`: what the CRM can hold of a value. `lost`: the flags of what it cannot.
    """

    from_crm: Callable[[str], str | None]
    from_mailbox: Callable[[str], str | None]
    image: Callable[[str], str]
    to_crm: Callable[[str], str]
    to_mailbox: Callable[[str], str]
    lost: Callable[[str], frozenset[str]]


# texts


def nothing_lost(value: str) -> frozenset[str]:
    return frozenset()


def line(text: str) -> str:
    """Subject or place in one spelling."""
    return normalise(FieldType.TEXT, text) or ""


def text_losses(limit: int | None) -> Callable[[str], frozenset[str]]:
    """What the CRM will not hold of a text that may have `limit` characters there."""

    def lost(value: str) -> frozenset[str]:
        cut = kept(value, limit) != kept(value, None)
        return frozenset(({CHARACTERS_LOST} if has_astral(value) else set()) | ({TEXT_CUT} if cut else set()))

    return lost


def body_image(value: str) -> str:
    """What both sides can hold of a body: the CRM loses emoji, Exchange moves blanks and empty lines when it makes HTML of it."""
    return squeezed(kept(value, None))


# words


def visibility(text: str) -> str:
    """Everything but Private is for all: Standard, Public, '' and the old default `all` (API.md 7.1), and what an administrator added."""
    return "private" if text.strip().lower() == "private" else "normal"


def sensitivity(text: str) -> str:
    """One of Exchange's four values."""
    word = text.strip().lower()
    return word if word in HIDDEN else _OPEN.get(word, "private")


def shown_sensitivity(value: str) -> str:
    """vtenext knows no difference between personal, private and confidential; Exchange keeps its own."""
    return "normal" if sensitivity(value) == "normal" else "private"


def crm_visibility(value: str) -> str:
    return "Standard" if shown_sensitivity(value) == "normal" else "Private"


def priority(text: str) -> str:
    return _PRIORITY.get(text.strip().lower(), "normal")


def importance(text: str) -> str:
    word = text.strip().lower()
    return word if word in _URGENCY else "normal"


def crm_priority(value: str) -> str:
    return _URGENCY[importance(value)]


# minutes


def minutes(text: str) -> str | None:
    """Minutes before the start, '' = no reminder; what lies after the start counts as at it."""
    word = text.strip()
    if not word:
        return ""
    return str(max(int(word), 0)) if _MINUTES.fullmatch(word) else None


def crm_minutes(text: str) -> str | None:
    """0 is vtenext's word for none."""
    value = minutes(text)
    return "" if value == "0" else value


def some_minutes(value: str) -> str:
    return minutes(value) or ""


def held_minutes(value: str) -> str:
    """vtenext keeps days, hours and minutes apart, and turns no minutes into one: 60 -> 61, 1440 -> 1441 (ws-events-reminder)."""
    wanted = some_minutes(value)
    return wanted if not wanted or int(wanted) % 60 else str(int(wanted) + 1)


def reminder_losses(value: str) -> frozenset[str]:
    return frozenset({REMINDER_ROUNDED} if held_minutes(value) != some_minutes(value) else ())


def plain_text(limit: int | None) -> Way:
    """A field of one line, of which the CRM keeps `limit` characters."""
    return Way(
        from_crm=lambda text: line(decoded(text)),
        from_mailbox=line,
        image=lambda value: kept(value, limit),
        to_crm=lambda value: sendable(value, limit),
        to_mailbox=str,
        lost=text_losses(limit),
    )


def named(limit: int | None, *names: str) -> Way:
    """A title: the CRM demands one, so what has none is called by the first of our `names` there, and they say nothing wherever they stand."""
    text = plain_text(limit)
    ours = frozenset(kept(name, limit).strip() for name in names) | {""}

    def stays(value: str) -> str:
        return "" if kept(value, limit).strip() in ours else text.image(value)

    def from_crm(written: str) -> str:
        value = text.from_crm(written) or ""
        return value if stays(value) else ""

    def to_crm(value: str) -> str:  # a hidden event keeps its name
        return text.to_crm(value) if kept(value, limit).strip() else names[0]

    def to_mailbox(value: str) -> str:
        return value if stays(value) else ""

    return Way(from_crm, text.from_mailbox, stays, to_crm, to_mailbox, text.lost)


BODY_WAY = Way(
    from_crm=lambda text: spelled(decoded(text)),
    from_mailbox=spelled,
    image=body_image,
    to_crm=lambda value: sendable(value, None),
    to_mailbox=str,
    lost=text_losses(None),
)
SENSITIVITY_WAY = Way(visibility, sensitivity, shown_sensitivity, crm_visibility, sensitivity, nothing_lost)
IMPORTANCE_WAY = Way(priority, importance, importance, crm_priority, importance, nothing_lost)
REMINDER_WAY = Way(crm_minutes, minutes, held_minutes, held_minutes, some_minutes, reminder_losses)
