"""The routes of events: listing, one, create, change, delete (BEHAVIOUR 2.5, 5, 6, 7.2). Occurrences are events, too."""

from __future__ import annotations

from datetime import date

from emulators.graph import event_query, event_writing, odata
from emulators.graph.calendar import Calendar, Event
from emulators.graph.errors import GraphError, conflict
from emulators.graph.event_query import Pair
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.world import World

READ = ("Calendars.Read", "Calendars.ReadWrite")  # 1.1
WRITE = ("Calendars.ReadWrite",)
Found = tuple[Calendar, Event, date | None]


def routes(router: Router, world: World) -> None:
    """Add the routes of events."""
    events = _Events(world)
    base = "users/{user}/events"
    router.add("GET", f"{base}/delta", events.delta)
    router.add("GET", base, events.listing)
    router.add("POST", base, events.create)
    for calendar in ("users/{user}/calendar", "users/{user}/calendars/{calendar}"):  # the first is not in our schema
        router.add("GET", f"{calendar}/events", events.listing)
        router.add("POST", f"{calendar}/events", events.create)
    router.add("GET", f"{base}/{{event}}", events.get)
    router.add("PATCH", f"{base}/{{event}}", events.patch)
    router.add("DELETE", f"{base}/{{event}}", events.delete)


class _Events:
    def __init__(self, world: World) -> None:
        self._world = world

    def _located(self, call: Call, *roles: str) -> Found:
        calendar = self._world.mailbox(call, *roles).calendar
        visible = self._world.quirks.deleted_items == "visible"
        return calendar, *event_writing.locate(calendar, call.params["event"], deleted_visible=visible)

    def _answer(self, call: Call, status: int, found: Found, sent: Json | None = None) -> Answer:
        calendar, event, slot = found
        view = event_query.view_of(call, self._world, calendar)
        item = event_query.shape_of(call, self._world).of(view, event, slot)
        content = (sent or {}).get("body")
        if content and "body" in item and call.body_type is None and self._world.quirks.echo_text_body:
            item["body"] = _echoed(content, item["body"])
        context = f"{call.base}/$metadata#users('{call.params['user']}')/events/$entity"
        return Answer(status, {"@odata.context": context, **item}, {"ETag": item["@odata.etag"]})

    def listing(self, call: Call) -> Answer:
        """Singles and masters only (7.2), of the default calendar or of the one that is named."""
        calendar = self._world.mailbox(call, *READ).calendar
        folder = event_writing.locate_calendar(calendar, call.params.get("calendar"))
        odata.check_options(call)
        view, shape = event_query.view_of(call, self._world, calendar), event_query.shape_of(call, self._world)
        folders = [folder]
        if call.segments[2:] == ("events",) and self._world.quirks.events_listing == "mailbox":
            folders = list(calendar.folders.values())
        pairs: list[Pair] = [(each, None) for some in folders for each in calendar.live(some)]
        pairs = event_query.ordered(call, view, event_query.filtered(call, self._world, view, pairs))
        context = f"users('{call.params['user']}')/events"
        return Answer(200, odata.page(call, pairs, lambda pair: shape.of(view, *pair), context))

    def get(self, call: Call) -> Answer:
        """A single, a master, an occurrence or an exception; with an immutable id also in Deleted Items (5.1)."""
        odata.check_options(call, frozenset({"$select", "$expand"}))
        return self._answer(call, 200, self._located(call, *READ))

    def create(self, call: Call) -> Answer:
        """201, also for a repeat with the same transactionId (6)."""
        calendar = self._world.mailbox(call, *WRITE).calendar
        folder = event_writing.locate_calendar(calendar, call.params.get("calendar"))
        sent = call.json()
        event = event_writing.create(self._world, calendar, sent, folder)
        answer = self._answer(call, 201, (calendar, event, None), sent)
        answer.headers["Location"] = f"{call.base}/users/{call.params['user']}/events/{(answer.body or {})['id']}"
        return answer

    def patch(self, call: Call) -> Answer:
        """Only what is sent changes; stale If-Match = 412, nothing written (5.1)."""
        calendar, event, slot = self._located(call, *WRITE)
        view = event_query.view_of(call, self._world, calendar)
        expected = call.headers.get("if-match")
        if expected not in (None, "*", f'W/"{view.change_key(event, slot)}"'):
            raise conflict()
        sent = call.json()
        event_writing.patch(self._world, calendar, event, slot, sent)
        return self._answer(call, 200, (calendar, event, slot), sent)

    def delete(self, call: Call) -> Answer:
        """204 whatever If-Match says (5.1)."""
        calendar, event, slot = self._located(call, *WRITE)
        event_writing.delete(self._world, calendar, event, slot)
        return Answer(204)

    def delta(self, call: Call) -> Answer:
        """Refused by the service although SDKs have it (2.5)."""
        self._world.mailbox(call, *READ)
        message = "Unsupported request: Change tracking is not supported against 'microsoft.graph.event'."
        raise GraphError(400, "ErrorInvalidRequest", message)


def _echoed(sent: Json, stored: Json) -> Json:
    """The body in the answer to a write: text as it was sent; only the next GET shows the HTML (docs#8215)."""
    if str(sent.get("contentType") or "text").lower() != "text":
        return stored
    return {"contentType": "text", "content": sent.get("content") or ""}
