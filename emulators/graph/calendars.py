"""The routes of calendars: the default one, all of a mailbox, one more (schema: microsoft.graph.calendar; BEHAVIOUR 2.4, 11.10).

What is in them is told by `events.py` and `calendar_view.py`. Calendars are not renamed, shared or deleted here.
"""

from __future__ import annotations

from typing import Any

from emulators.graph import event_writing, odata
from emulators.graph.calendar import Calendar, CalendarFolder
from emulators.graph.errors import GraphError, invalid_property
from emulators.graph.events import READ, WRITE
from emulators.graph.filters import parse_filter
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.ids import change_key
from emulators.graph.world import World

_KIND = "microsoft.graph.calendar"
_COLORS = (
    "auto", "lightBlue", "lightGreen", "lightOrange", "lightGray", "lightYellow", "lightTeal", "lightPink",
    "lightBrown", "lightRed", "maxColor",
)  # fmt: skip
SELECTABLE = frozenset({
    "id", "name", "color", "hexColor", "changeKey", "canShare", "canViewPrivateItems", "canEdit", "isDefaultCalendar",
    "isRemovable", "isTallyingResponses", "allowedOnlineMeetingProviders", "defaultOnlineMeetingProvider", "owner",
})  # fmt: skip
_FILTERS = frozenset({"name", "isDefaultCalendar", "canEdit"})


def routes(router: Router, world: World) -> None:
    """Add the routes of calendars."""
    calendars = _Calendars(world)
    base = "users/{user}/calendars"
    router.add("GET", "users/{user}/calendar", calendars.get)
    router.add("GET", base, calendars.listing)
    router.add("POST", base, calendars.create)
    router.add("GET", f"{base}/{{calendar}}", calendars.get)


class _Calendars:
    def __init__(self, world: World) -> None:
        self._world = world

    def _item(self, store: Calendar, folder: CalendarFolder) -> Json:
        user = self._world.users[store.owner]
        somebody = {"name": "Somebody Else", "address": "somebody.else@example.org"}
        default = folder is store.default
        return {
            "id": folder.id,
            "name": folder.name,
            "color": folder.color,
            "hexColor": "",
            "changeKey": change_key(folder.seq),
            "canShare": not folder.read_only,
            "canViewPrivateItems": not folder.read_only,
            "canEdit": not folder.read_only,
            "isDefaultCalendar": default,
            "isRemovable": not default,
            "isTallyingResponses": default,
            "allowedOnlineMeetingProviders": ["teamsForBusiness"],
            "defaultOnlineMeetingProvider": "teamsForBusiness",
            "owner": somebody if folder.read_only else {"name": user.display_name, "address": user.mail},
        }

    def _answer(self, call: Call, status: int, store: Calendar, folder: CalendarFolder) -> Answer:
        select = odata.selected(call, SELECTABLE, _KIND)
        context = f"{call.base}/$metadata#users('{call.params['user']}')/calendars/$entity"
        return Answer(status, {"@odata.context": context, **odata.pick(self._item(store, folder), select)})

    def listing(self, call: Call) -> Answer:
        """All calendars, the default one first (memory)."""
        store = self._world.mailbox(call, *READ).calendar
        odata.check_options(call, odata.LISTING - {"$expand"})
        select = odata.selected(call, SELECTABLE, _KIND)
        found = [self._item(store, each) for each in store.folders.values()]
        if "$filter" in call.query:
            predicate = parse_filter(call.query["$filter"], _FILTERS)
            found = [each for each in found if predicate(lambda name, it=each: it[name])]  # type: ignore[misc]
        found = odata.order(found, call, _FILTERS, lambda each, name: each[name])
        context = f"users('{call.params['user']}')/calendars"
        return Answer(200, odata.page(call, found, lambda each: odata.pick(each, select), context))

    def get(self, call: Call) -> Answer:
        """The default calendar, or the one that is named."""
        store = self._world.mailbox(call, *READ).calendar
        odata.check_options(call, frozenset({"$select"}))
        return self._answer(call, 200, store, event_writing.locate_calendar(store, call.params.get("calendar")))

    def create(self, call: Call) -> Answer:
        """201; a name that is there already is 409 (memory)."""
        store = self._world.mailbox(call, *WRITE).calendar
        body: dict[str, Any] = call.json()
        unknown = [key for key in body if key not in SELECTABLE and "@" not in key]
        if unknown:
            raise invalid_property(f"The property '{unknown[0]}' does not exist on type '{_KIND}'.")
        name, color = body.get("name"), body.get("color") or "auto"
        if not isinstance(name, str) or not name.strip():
            raise invalid_property("The property 'name' is required in the request.")
        if color not in _COLORS:
            raise invalid_property(f"Cannot convert the value of property 'color' to the expected type '{_KIND}Color'.")
        if any(each.name.casefold() == name.casefold() for each in store.folders.values()):
            raise GraphError(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        return self._answer(call, 201, store, store.add_folder(name, color))
