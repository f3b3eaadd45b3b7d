"""What a database column makes of a value that was sent: cut, mangled or rounded, always without a word.

Pure: text in, text out. Dates and zones are in ``zones``.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from emulators.vtenext.schema import Field

_ASTRAL = re.compile(r"[\U00010000-\U0010FFFF]")
_DANGEROUS = re.compile(
    r"<\s*/?\s*(script|iframe|object|embed|applet|form|meta|link|style|base)\b|<[^>]*\bon\w+\s*=|javascript:",
    re.IGNORECASE,
)
_LEADING_NUMBER = re.compile(r"\s*([+-]?\d+(\.\d*)?|[+-]?\.\d+)")


def text_of(value: Any) -> str:
    """A JSON scalar as PHP turns it into text; a list or object is no text and reads as empty."""
    if value is None or value is False or isinstance(value, list | dict):
        return ""
    return "1" if value is True else str(value)


def stored(field: Field, value: str) -> str:
    """The value that the column keeps of ``value`` (not for dates, owners and references)."""
    if field.type == "boolean":
        return "1" if value.strip().lower() in ("1", "on") else "0"
    if field.sql_type == "int" and field.name not in ("reminder_time",):
        return str(_number(value).quantize(Decimal(1), ROUND_HALF_UP))  # ws-accounts-crud: 1500000.50 -> 1500001
    if field.sql_type == "decimal":
        return str(_number(value).quantize(Decimal("0.01"), ROUND_HALF_UP))
    return _cut(field, encode_dangerous(mangle_astral(value)))


def mangle_astral(value: str) -> str:
    """Characters beyond U+FFFF become four question marks each (ws-events-no-validation)."""
    return _ASTRAL.sub("????", value)


def encode_dangerous(value: str) -> str:
    """A text with one dangerous tag has all its tags encoded; harmless ones survive (ws-contacts-encoding)."""
    if "<" not in value or not _DANGEROUS.search(value):
        return value
    return value.replace("<", "&lt;").replace(">", "&gt;")


def _cut(field: Field, value: str) -> str:
    """``max_chars`` counts characters for varchar and bytes for text columns (field-lengths.json)."""
    limit = field.max_chars
    if limit is None or len(value) <= limit // 4:
        return value
    if "text" in field.sql_type:
        return value.encode()[:limit].decode(errors="ignore")
    return value[:limit]


def _number(value: str) -> Decimal:
    """The number at the start of a text, as a database out of strict mode reads it."""
    found = _LEADING_NUMBER.match(value)
    try:
        return Decimal(found.group(1)) if found else Decimal(0)
    except InvalidOperation:
        return Decimal(0)
