"""One spelling for every value, and what survives the trip to the poorer side.

Two notions, kept apart on purpose. A *normalised* value is what a side holds, in one spelling: it is what travels and what bases digest.
An *image* is less: what is left of a value once the CRM has lost what it loses (API.md 3.7), and once what servers rewrite at will (the case of
an address) is taken away. Images are only ever compared, never written. Change a rule here and raise NORMALISER_VERSION.

Never does: reading a clock, guessing a zone, trimming leading spaces of text (no transcript shows that a server does).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from mapping.model import FieldType

NORMALISER_VERSION = "1"
"""Part of every digest. Without a dot: tags are `<key>.<version>.<digest>`."""

LOST = "????"  # what vtenext stores for one character beyond U+FFFF (ws-events-no-validation)
NO_CHOICE = "--None--"  # the pick-list entry that says "nothing" (describe-Contacts.json, salutationtype)

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_PART_OF_ENTITY = ("&", "&l", "&lt", "&g", "&gt")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def normalise(kind: FieldType, value: str) -> str | None:
    """The value in one spelling, '' = empty. None: not readable as this type, so nothing may be concluded from it."""
    if not value and kind is not FieldType.BOOLEAN:  # most fields of most items
        return ""
    return _NORMALISERS[kind](value)


def _text(value: str) -> str:
    """\\n line ends, nothing blank at the end, nothing that UTF-8 cannot carry (half an emoji, as Outlook's own cut leaves it)."""
    whole = value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    return (whole.replace("\r\n", "\n").replace("\r", "\n") if "\r" in whole else whole).rstrip()


def _word(value: str) -> str:
    """An address, number or choice: blanks around it mean nothing."""
    return _text(value).strip()


def _choice(value: str) -> str:
    word = _word(value)
    return "" if word == NO_CHOICE else word


def _date(value: str) -> str | None:
    """A day, from a plain date or from any time form of Graph; None when it is neither."""
    word = _word(value)
    if not word or word.startswith("0000-00-00"):  # an empty date column (API.md 6)
        return ""
    try:
        if _DAY.fullmatch(word):
            return date.fromisoformat(word).isoformat()
        moment = datetime.fromisoformat(word.replace("Z", "+00:00"))
        return _nearest_day(moment).isoformat()
    except (ValueError, OverflowError):
        return None


def _nearest_day(moment: datetime) -> date:
    """Outlook stores 11:59Z, other clients their local midnight (BEHAVIOUR 7.1). Noon itself still belongs to its day."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC)
    return (moment + timedelta(hours=12, seconds=-1)).date()


def _datetime(value: str) -> str:
    word = _word(value)
    return "" if word.startswith("0000-00-00") else word


def _number(value: str) -> str | None:
    word = _word(value)
    if not word:
        return ""
    try:
        number = Decimal(word)
    except InvalidOperation:
        return None
    if not number.is_finite():
        return None
    return format(number.normalize() if number else Decimal(0), "f")


def _boolean(value: str) -> str:
    return "1" if _word(value).lower() in {"1", "true", "on", "yes"} else "0"


def _reference(value: str) -> str:
    word = _word(value)
    return "" if word == "0" else word


_NORMALISERS: Mapping[FieldType, Callable[[str], str | None]] = {
    FieldType.TEXT: _text,
    FieldType.MULTILINE: _text,
    FieldType.EMAIL: _word,
    FieldType.PHONE: _word,
    FieldType.URL: _word,
    FieldType.DATE: _date,
    FieldType.CHOICE: _choice,
    FieldType.NUMBER: _number,
    FieldType.BOOLEAN: _boolean,
    FieldType.REFERENCE: _reference,
    FieldType.OWNER: _reference,
    FieldType.DATETIME: _datetime,
}


def decoded(value: str) -> str:
    """A text that vtenext shows with its tags entity-encoded, as it was typed (ws-contacts-encoding)."""
    return value.replace("&lt;", "<").replace("&gt;", ">") if "&" in value else value


def has_astral(value: str) -> bool:
    """Does it hold characters that the CRM turns into question marks?"""
    return _ASTRAL.search(value) is not None


def kept(value: str, limit: int | None) -> str:
    """What the CRM keeps of a text, with tags decoded: emoji lost, cut to `limit` characters.

    The cut is made where even a text with encoded tags fits: whether the server encodes before or after it cuts is not known, and this
    much survives either way.
    """
    text = decoded(_ASTRAL.sub(LOST, _text(value)))
    if limit is not None:
        text = decoded(_without_part_of_entity(_encoded(text)[:limit], limit))
    return text.rstrip()


def _encoded(text: str) -> str:
    return text.replace("<", "&lt;").replace(">", "&gt;")


def _without_part_of_entity(text: str, limit: int) -> str:
    """A cut may leave '&l' of '&lt;' at the very end."""
    if len(text) < limit:
        return text
    return next((text[: -len(part)] for part in _PART_OF_ENTITY if text.endswith(part)), text)


def sendable(value: str, limit: int | None) -> str:
    """What to send to the CRM for a text, so that it can store it without losing anything more. Entities that were typed stay as typed."""
    whole = _ASTRAL.sub(LOST, _text(value))
    stays = kept(value, limit)
    return whole if stays == decoded(whole) else stays


def image(kind: FieldType, value: str, limit: int | None) -> str:
    """The value as the poorer side can hold it, to be compared only. image(image(x)) == image(x)."""
    if not value and kind is not FieldType.BOOLEAN:
        return ""
    readable = normalise(kind, value)
    text = kept(value if readable is None else readable, limit)
    match kind:
        case FieldType.EMAIL:
            return _lower(text)
        case FieldType.URL:
            return _lower_host(text)
        case _:
            return text


def name_image(value: str, limit: int | None) -> str:
    """The image of a company's name, as the CRM's database compares names: without case and accents.

    An Account is found by such a name (SPEC 1.8), so card and Account that differ in no more than that say the same.
    """
    return "".join(_plain(c) for c in kept(value, limit) if not unicodedata.combining(c)).rstrip()


def _plain(character: str) -> str:
    base = "".join(c for c in unicodedata.normalize("NFD", character) if not unicodedata.combining(c))
    return _lower(base) if len(base) == 1 and base.isalpha() else character


def _lower(text: str) -> str:
    """Character by character, so that the length never changes (an image is cut before it is lowered)."""
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def _lower_host(url: str) -> str:
    scheme, colon, rest = url.partition("://") if "://" in url else ("", "", url)
    host, slash, path = rest.partition("/")
    return f"{_lower(scheme)}{colon}{_lower(host)}{slash}{path}"
