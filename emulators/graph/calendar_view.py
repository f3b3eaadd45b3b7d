"""The routes that show occurrences: calendarView and the instances of a series (BEHAVIOUR 2.4, 7.2, 8)."""

from __future__ import annotations

from datetime import datetime, timedelta

from emulators.graph import event_query, event_writing, odata, series
from emulators.graph.calendar import Calendar, CalendarFolder
from emulators.graph.errors import GraphError, bad_request
from emulators.graph.event_query import Pair
from emulators.graph.events import READ
from emulators.graph.http import Answer, Call, Router
from emulators.graph.world import World
from emulators.graph.zones import read_instant

MAX_DAYS = 1825  # 2.4, with this sentence
_OPTIONS = odata.LISTING | {"startDateTime", "endDateTime"}


def routes(router: Router, world: World) -> None:
    """Add the routes of windows."""
    views = _Views(world)
    router.add("GET", "users/{user}/calendarView", views.view)
    router.add("GET", "users/{user}/calendars/{calendar}/calendarView", views.view)
    router.add("GET", "users/{user}/events/{event}/instances", views.instances)


def window(call: Call) -> tuple[datetime, datetime]:
    """startDateTime and endDateTime, both required; 400 otherwise."""
    query = {name.lower(): text for name, text in call.query.items()}
    if "startdatetime" not in query or "enddatetime" not in query:
        message = "This request requires a time window specified by the query string parameters "
        raise GraphError(400, "ErrorInvalidParameter", message + "StartDateTime and EndDateTime.")
    start = read_instant("startDateTime", query["startdatetime"])
    end = read_instant("endDateTime", query["enddatetime"])
    if end < start:
        raise GraphError(400, "ErrorInvalidParameter", "The end of the time window is before its start.")
    return start, end


def pairs_in(calendar: Calendar, folder: CalendarFolder, start: datetime, end: datetime) -> list[Pair]:
    """Singles, occurrences and exceptions of the window, by start."""
    pairs: list[Pair] = []
    for event in calendar.live(folder):
        if event.rule is not None:
            pairs += [(event, slot) for slot in series.in_window(event, start, end)]
        elif event.times.overlaps(start, end):
            pairs.append((event, None))
    return sorted(pairs, key=lambda pair: series.times_of(*pair).start)


class _Views:
    def __init__(self, world: World) -> None:
        self._world = world

    def view(self, call: Call) -> Answer:
        """A page of the default calendar or of the one that is named; at most 1825 days (2.4)."""
        calendar = self._world.mailbox(call, *READ).calendar
        folder = event_writing.locate_calendar(calendar, call.params.get("calendar"))
        start, end = window(call)
        if end - start > timedelta(days=MAX_DAYS):
            message = "The range between the start and end dates is greater than the allowed range. "
            raise bad_request(f"{message}Maximum number of days: {MAX_DAYS}", "ErrorInvalidRequest")
        name = "calendarView" if folder is calendar.default else f"calendars('{folder.id}')/calendarView"
        return self._page(call, calendar, pairs_in(calendar, folder, start, end), name)

    def instances(self, call: Call) -> Answer:
        """Occurrences and exceptions of a series, cancelled ones not among them (7.2)."""
        calendar = self._world.mailbox(call, *READ).calendar
        event, slot = event_writing.locate(calendar, call.params["event"], deleted_visible=False)
        start, end = window(call)
        if slot is not None or event.rule is None:  # memory
            raise bad_request("The request is valid for the master of a recurring series only.", "ErrorInvalidRequest")
        pairs: list[Pair] = [(event, each) for each in series.in_window(event, start, end)]
        pairs.sort(key=lambda pair: series.times_of(*pair).start)
        return self._page(call, calendar, pairs, f"events('{call.params['event']}')/instances")

    def _page(self, call: Call, calendar: Calendar, pairs: list[Pair], name: str) -> Answer:
        odata.check_options(call, _OPTIONS)
        view, shape = event_query.view_of(call, self._world, calendar), event_query.shape_of(call, self._world)
        pairs = event_query.ordered(call, view, event_query.filtered(call, self._world, view, pairs))
        context = f"users('{call.params['user']}')/{name}"
        return Answer(200, odata.page(call, pairs, lambda pair: shape.of(view, *pair), context))
