"""Our stamp on an item of Exchange: an extended property, the same one on cards and events. Pure.

It travels with a copy that the user makes and is never echoed by a write (BEHAVIOUR 6): a stamp found proves nothing by itself.
"""

from __future__ import annotations

from urllib.parse import quote

from sync.sides.graph.answers import Json

STAMP = "String {9d4c5a52-3c6e-4f1b-8f57-6b1d0c7e2a94} Name CrmId"
"""The extended property that carries our stamp. Never change it: everything that we made is found by it."""

PROPERTY = f"singleValueExtendedProperties($filter=id%20eq%20'{quote(STAMP, safe='')}')"
EXPAND = f"$expand={PROPERTY}"
"""What a GET or a listing is asked with, to show it."""


def stamp_of(entity: Json) -> str:
    """Our stamp, where the answer was expanded with it."""
    for each in entity.get("singleValueExtendedProperties") or ():
        if str(each.get("id", "")).lower() == STAMP.lower():
            return str(each.get("value") or "")
    return ""


def stamped(stamp: str) -> list[dict[str, str]]:
    """The extended properties of a body that carries the stamp; none for ''."""
    return [{"id": STAMP, "value": stamp}] if stamp else []
