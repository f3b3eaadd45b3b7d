"""Query options: $select, $top, $skip, $count, $orderby, and the paging of plain listings.

The service's refusals are 400 `RequestBroker--ParseUri` (BEHAVIOUR 9); nothing is ignored in silence. $filter and $expand
are read in `filters.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from emulators.graph.errors import parse_error
from emulators.graph.http import Call, Json

DEFAULT_PAGE = 10  # BEHAVIOUR 7.2, Collections
MAX_PAGE = 1000
LISTING = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$count", "$expand"})


def check_options(call: Call, allowed: frozenset[str] = LISTING) -> None:
    """400 for a $option that the resource does not know."""
    for name in call.query:
        if name.startswith("$") and name not in allowed:
            raise parse_error(f"The query option '{name}' is not supported.")


def selected(call: Call, known: frozenset[str], kind: str) -> tuple[str, ...] | None:
    """The names of $select, checked; None = all."""
    raw = call.query.get("$select")
    if not raw:
        return None
    names = tuple(part.strip() for part in raw.split(","))
    for name in names:
        if name not in known:
            raise parse_error(f"Could not find a property named '{name}' on type '{kind}'.")
    return names


def pick(item: Json, names: tuple[str, ...] | None) -> Json:
    """The selected part of an item; id and annotations always stay."""
    if names is None:
        return item
    wanted = {"id", *names}
    return {key: value for key, value in item.items() if key in wanted or "@" in key}


def number(call: Call, name: str, default: int) -> int:
    """A whole number option, 400 unless it is one."""
    raw = call.query.get(name)
    if raw is None:
        return default
    if not raw.isdigit():
        raise parse_error(f"Invalid value '{raw}' for {name} query option found.")
    return int(raw)


def order(items: list[Any], call: Call, known: frozenset[str], value: Callable[[Any, str], Any]) -> list[Any]:
    """$orderby on plain properties, without case."""
    for clause in reversed((call.query.get("$orderby") or "").split(",")):
        words = clause.split()
        if not words:
            continue
        if words[0] not in known or words[1:] not in ([], ["asc"], ["desc"]):
            raise parse_error(f"The $orderby clause '{clause}' is not supported.")
        items = sorted(
            items,
            key=lambda item, name=words[0]: str(value(item, name) or "").casefold(),  # type: ignore[misc]
            reverse=words[1:] == ["desc"],
        )
    return items


def page(call: Call, items: Sequence[Any], render: Callable[[Any], Json], context: str, extra: int = 0) -> Json:
    """One page of a listing with its nextLink; `extra` is counted by $count but never returned."""
    top = number(call, "$top", call.page_size or DEFAULT_PAGE)
    if not 0 < top <= MAX_PAGE:
        raise parse_error(f"The limit of '{MAX_PAGE}' for Top query has been exceeded. The value is '{top}'.")
    skip = number(call, "$skip", 0)
    body: Json = {"@odata.context": f"{call.base}/$metadata#{context}"}
    if call.query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(items) + extra
    body["value"] = [render(item) for item in items[skip : skip + top]]
    if skip + top < len(items):
        query = {**call.query, "$skip": str(skip + top)}
        body["@odata.nextLink"] = link(call, query)
    return body


def link(call: Call, query: dict[str, str]) -> str:
    """An absolute link to the same path."""
    path = "/".join(quote(part, safe="@=") for part in call.segments)
    pairs = "&".join(f"{quote(name, safe='$')}={quote(text, safe='')}" for name, text in query.items())
    return f"{call.base}/{path}?{pairs}"
