"""What requests for events may ask: $select, $expand, $filter, $orderby, Prefer; and the item shaped accordingly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from emulators.graph import odata, series
from emulators.graph.calendar import Calendar, Event
from emulators.graph.errors import parse_error
from emulators.graph.event_body import SELECTABLE
from emulators.graph.event_view import View, extended_of
from emulators.graph.filters import Predicate, parse_expand, parse_filter
from emulators.graph.http import Call, Json
from emulators.graph.world import World
from emulators.graph.zones import zone_named

KIND = "microsoft.graph.event"
_INSTANTS = frozenset({"start/dateTime", "end/dateTime", "createdDateTime", "lastModifiedDateTime"})
_TEXTS = frozenset({"subject", "sensitivity", "importance", "showAs", "type", "iCalUId", "isAllDay", "isCancelled"})
_DETAILS = frozenset({"cancelledOccurrences", "exceptionOccurrences"})


@dataclass(frozen=True, slots=True)
class Shape:
    """What of an item is shown, and what besides."""

    select: tuple[str, ...] | None
    extended: tuple[str, ...]
    exceptions: bool
    exceptions_select: tuple[str, ...] | None

    def of(self, view: View, event: Event, slot: date | None = None) -> Json:
        """The item."""
        item = view.item(event, slot)
        if self.select is not None and "cancelledOccurrences" in self.select:
            item["cancelledOccurrences"] = view.cancelled(event) if slot is None else []
        names = None if self.select is None else (*self.select, "singleValueExtendedProperties")
        item = odata.pick(item, names)
        held = extended_of(event, slot)
        found = [{"id": each, "value": held[each]} for each in self.extended if each in held]
        if found:
            item["singleValueExtendedProperties"] = found
        if self.exceptions and slot is None and event.rule is not None:
            shown = view.exceptions(event)
            item["exceptionOccurrences"] = [odata.pick(each, self.exceptions_select) for each in shown]
        return item


def view_of(call: Call, world: World, calendar: Calendar) -> View:
    """How the request wants to read: ids, zone (400 unknown), body."""
    zone = call.timezone or "UTC"
    zone_named(zone)
    user = world.users[calendar.owner]
    organizer = {"emailAddress": {"name": user.display_name, "address": user.mail}}
    return View(calendar, organizer, call.immutable, zone, call.body_type == "text")


def shape_of(call: Call, world: World) -> Shape:
    """$select and $expand, checked; exceptions and cancellations only where the service knows them (switch)."""
    details = world.quirks.series_details
    select = odata.selected(call, SELECTABLE if details else SELECTABLE - _DETAILS, KIND)
    extended: tuple[str, ...] = ()
    exceptions, inner = False, None
    for term in _terms(call.query.get("$expand") or ""):
        match = re.fullmatch(r"exceptionOccurrences(?:\(\s*\$select\s*=\s*([\w,\s]+)\))?", term.strip())
        if match is None:
            extended += parse_expand(term)
        elif not details:
            raise parse_error(f"Could not find a property named 'exceptionOccurrences' on type '{KIND}'.")
        else:
            exceptions = True
            names = tuple(each.strip() for each in match[1].split(",")) if match[1] else None
            if names and not SELECTABLE.issuperset(names):
                raise parse_error(f"Syntax error in '{term}'.")
            inner = names
    return Shape(select, extended, exceptions, inner)


def _terms(text: str) -> list[str]:
    """The terms of $expand: commas outside of brackets and quotes part them."""
    found: list[str] = []
    depth, quoted, start = 0, False, 0
    for at, char in enumerate(text):
        quoted ^= char == "'"
        depth += 0 if quoted else (char == "(") - (char == ")")
        if char == "," and not depth and not quoted:
            found.append(text[start:at])
            start = at + 1
    return [each for each in (*found, text[start:]) if each.strip()]


Pair = tuple[Event, date | None]


def filtered(call: Call, world: World, view: View, pairs: list[Pair]) -> list[Pair]:
    """The pairs that $filter lets through; searching extended properties may lag behind a create (6)."""
    text = call.query.get("$filter")
    if text is None:
        return pairs
    predicate: Predicate = parse_filter(text, _TEXTS, {"extended": "value"}, _INSTANTS)
    lag = world.quirks.filter_lag_s
    if lag and "extendedproperties" in text.lower():
        border = world.clock.now().timestamp() - lag
        pairs = [pair for pair in pairs if _stamp(pair[0].created).timestamp() <= border]
    return [pair for pair in pairs if predicate(lambda name, it=pair: value(view, it, name))]  # type: ignore[misc]


def ordered(call: Call, view: View, pairs: list[Pair]) -> list[Pair]:
    """$orderby."""
    return odata.order(pairs, call, _INSTANTS | _TEXTS, lambda pair, name: value(view, pair, name))


def value(view: View, pair: Pair, name: str) -> Any:
    """What a filter compares. All-day events are compared by what is stored: midnight of their zone (docs-contrib#471)."""
    event, slot = pair
    if name.startswith("extended:"):
        return extended_of(event, slot).get(name[9:])
    if name == "start/dateTime":
        return series.times_of(event, slot).start
    if name == "end/dateTime":
        return series.times_of(event, slot).end
    if name in ("createdDateTime", "lastModifiedDateTime"):
        return _stamp(event.created if name[0] == "c" else event.modified)
    return view.item(event, slot)[name]


def _stamp(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
