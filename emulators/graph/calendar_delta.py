"""calendarView/delta (BEHAVIOUR 2.4): a window frozen in the token, stubs for occurrences, removals that are none.

A round tells of whole events: a series, once touched, is told anew with all its occurrences in the window, on one page.
What happened outside the window is told as a removal, as documented. Of the default calendar only: what moves to another one is removed.
"""

from __future__ import annotations

from datetime import date, datetime

from emulators.graph import series
from emulators.graph.calendar import Calendar, Entry, Event
from emulators.graph.calendar_view import window
from emulators.graph.delta import DeltaService, Source
from emulators.graph.errors import badly_formed_token, parse_error
from emulators.graph.event_query import KIND, view_of
from emulators.graph.event_view import View
from emulators.graph.events import READ
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import Mailbox
from emulators.graph.world import World

_REFUSED = ("$select", "$top", "$expand", "$filter", "$orderby", "$search", "$skip", "$count")
_ALWAYS_REFUSED = ("$expand",)  # "failed with a parse error in 2024" (2.4)

Told = tuple[Entry, int | None]  # what changed, and since when the round looks back (None = the first round)


def routes(router: Router, world: World, deltas: DeltaService) -> None:
    """Add the route."""
    router.add("GET", "users/{user}/calendarView/delta", _CalendarDelta(world, deltas).answer)


class _CalendarDelta:
    def __init__(self, world: World, deltas: DeltaService) -> None:
        self._world = world
        self._deltas = deltas

    def answer(self, call: Call) -> Answer:
        """A page of a round; the window comes from the first request and lives in the token."""
        mailbox = self._world.mailbox(call, *READ)
        for name in _ALWAYS_REFUSED:
            if name in call.query:
                raise parse_error(f"The query option '{name}' is not supported.")
        scope = self._deltas.scope_of(call)
        if scope is None:
            start, end = window(call)
            scope = f"calendarView:{start.isoformat()}/{end.isoformat()}"
        elif not scope.startswith("calendarView:"):
            raise badly_formed_token()
        start, end = map(datetime.fromisoformat, scope.removeprefix("calendarView:").split("/"))
        teller = _Teller(self._world, mailbox, view_of(call, self._world, mailbox.calendar), start, end)
        refused = _REFUSED if self._world.quirks.delta_options == "refused" else ()
        source = Source(mailbox, scope, KIND, teller.everything, teller.changes, teller.tell, refused)
        return self._deltas.answer(call, source, None)


class _Teller:
    """Says of one event what a window knows of it."""

    def __init__(self, world: World, mailbox: Mailbox, view: View, start: datetime, end: datetime) -> None:
        self._quirks = world.quirks
        self._calendar: Calendar = mailbox.calendar
        self._view = view
        self._start, self._end = start, end

    def everything(self) -> list[Told]:
        """The first round: what lies in the window, and perhaps what was deleted or moved away of late (2.1)."""
        here: list[Told] = [
            (Entry(0, each, each.default_id, each.folder), None) for each in self._calendar.live() if self._shown(each)
        ]
        if not self._quirks.delta_initial_removals:
            return here
        gone: list[Told] = [(each, None) for each in self._calendar.changed_since(0) if not self._is_here(each.event)]
        return gone[-3:] + here

    def changes(self, seq: int) -> list[Told]:
        """Every event saved after `seq`, in the window or not."""
        return [(each, seq) for each in self._calendar.changed_since(seq)]

    def tell(self, told: Told) -> list[Json]:
        """The items of one event: whole, a series with its occurrences, or a removal."""
        entry, seq = told
        event = entry.event
        if entry.default_id != event.default_id and self._is_here(event):
            # it left and came back: another entry speaks of its present id
            return [] if self._view.immutable else [_removed(entry.default_id)]
        if not self._shown(event):
            gone = self._gone_slots(event, seq) if event.rule is not None else []
            own = event.immutable_id if self._view.immutable else entry.default_id
            return [_removed(own), *(self._removed_occurrence(event, slot) for slot in gone)]
        if event.rule is None:
            return [_typed(self._view.item(event))]
        return self._series(event, seq)

    def _series(self, event: Event, seq: int | None) -> list[Json]:
        slots = series.in_window(event, self._start, self._end)
        masters = self._quirks.delta_masters
        items = []
        if masters == "always" or (masters == "touched" and seq is not None):
            items.append(_typed(self._view.item(event)))
        items += [
            self._exception(event, slot) if slot in event.exceptions else self._view.stub(event, slot) for slot in slots
        ]
        return items + [self._removed_occurrence(event, slot) for slot in self._gone_slots(event, seq)]

    def _exception(self, event: Event, slot: date) -> Json:
        """Whole, but texts that are inherited may arrive empty (2.4, M)."""
        item = _typed(self._view.item(event, slot))
        if self._quirks.delta_exceptions == "whole":
            return item
        own = event.exceptions[slot].values
        if "subject" not in own:
            item["subject"] = ""
        if "body" not in own:
            item |= {"bodyPreview": "", "body": {**item["body"], "content": ""}}
        if "location" not in own:
            item |= {"location": {"displayName": ""}, "locations": []}
        return item

    def _gone_slots(self, event: Event, seq: int | None) -> list[date]:
        """Slots that the window held after `seq` and holds no more; told by some readings only (2.4, M)."""
        if self._quirks.delta_gone_occurrences == "silent" or seq is None:
            return []
        was = {
            slot
            for at, pattern in event.former
            if at > seq
            for slot in series.formerly_in_window(pattern, self._start, self._end)
        }
        now = set(series.in_window(event, self._start, self._end)) if self._is_here(event) else set()
        return sorted(was - now)

    def _removed_occurrence(self, event: Event, slot: date) -> Json:
        return _removed(self._calendar.item_id(event, slot, self._view.immutable))

    def _is_here(self, event: Event) -> bool:
        here = event.folder is self._calendar.default
        return here and not event.trashed and event.number in self._calendar.events

    def _shown(self, event: Event) -> bool:
        if not self._is_here(event):
            return False
        if event.rule is None:
            return event.times.overlaps(self._start, self._end)
        return bool(series.in_window(event, self._start, self._end))


def _removed(item_id: str) -> Json:
    return {"@removed": {"reason": "deleted"}, "id": item_id}


def _typed(item: Json) -> Json:
    return {"@odata.type": "#microsoft.graph.event", **item}
