"""The query language of vtenext as text: quoting, conditions, chunks. Pure; nothing here calls the server.

No user text ever reaches a query outside `quoted` or `equals`. The language knows no parentheses, no `is null` and no empty string
(API.md 4), so callers leave empty values out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote_plus

MAX_TEXT = 5_000
"""Encoded characters of one list of values: with columns and session it stays under the 8 kB that web servers take as a URL."""

MAX_VALUES = 100
PAGE = 1_000

_UNSAFE = re.compile(r"[\\\x00-\x1f\x7f]")
_ASTRAL = re.compile(r"[\U00010000-\U0010ffff]")


def quoted(value: str) -> str:
    """A string literal. The only escape is the doubled apostrophe (API.md 4)."""
    if not value:
        raise ValueError("the query language has no empty string")
    return "'" + value.replace("'", "''") + "'"


def equals(field: str, value: str) -> str:
    """A condition that holds for records with this value, and perhaps for a few more.

    Characters that the language or its database cannot take become wildcards: a backslash does not work in a literal (API.md 4), and
    beyond U+FFFF the database holds four question marks (API.md 3.7).
    """
    if not _UNSAFE.search(value) and not _ASTRAL.search(value):
        return f"{field}={quoted(value)}"
    return f"{field} like {quoted(_ASTRAL.sub('____', _UNSAFE.sub('_', value)))}"


def member(field: str, values: Iterable[str]) -> str:
    """`field in (...)`; only for values of our own or the server's making (ids)."""
    return f"{field} in ({','.join(quoted(value) for value in values)})"


def conditions(field: str, values: Iterable[str]) -> list[str]:
    """Alternatives that together match every one of `values`: one `in` for the plain ones, a pattern for each of the others."""
    given = [value for value in dict.fromkeys(values) if value.strip()]
    plain = [value for value in given if not _UNSAFE.search(value) and not _ASTRAL.search(value)]
    alternatives = [equals(field, value) for value in given if value not in set(plain)]
    return [*([member(field, plain)] if plain else []), *alternatives]


def select(module: str, columns: Sequence[str], where: Sequence[str] = (), after: str = "", page: int = PAGE) -> str:
    """One page of a keyset walk: records that satisfy any of `where` (none: all), with ids above `after`.

    `and` binds tighter than `or` and there are no parentheses (API.md 4), so the key is repeated in every alternative.
    """
    key = f"id > {quoted(after)}" if after else ""
    parts = [f"{condition} and {key}" if key else condition for condition in where] or ([key] if key else [])
    condition = f" where {' or '.join(parts)}" if parts else ""
    return f"select {','.join(columns)} from {module}{condition} order by id limit {page};"


def chunks(values: Iterable[str], most: int = MAX_VALUES, room: int = MAX_TEXT) -> Iterator[list[str]]:
    """Split so that each list fits a URL: at most `most` values and `room` encoded characters."""
    chunk: list[str] = []
    used = 0
    for value in values:
        size = len(quote_plus(value)) + 12  # quotes and comma, encoded, and one doubled apostrophe
        if chunk and (len(chunk) == most or used + size > room):
            yield chunk
            chunk, used = [], 0
        chunk.append(value)
        used += size
    if chunk:
        yield chunk


def number_of(record_id: str) -> int:
    """The number in `4x377`: ids are ordered by it. Raises ValueError for anything else."""
    return int(record_id.partition("x")[2])


def folded(value: str) -> str:
    """How the database's default collation compares: without case, accents or trailing spaces."""
    decomposed = unicodedata.normalize("NFKD", _ASTRAL.sub("????", value))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).casefold().rstrip(" ")
