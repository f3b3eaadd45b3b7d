"""The route of places: the tenant's rooms. Equipment is not among them (BEHAVIOUR 7.2, Rooms and equipment)."""

from __future__ import annotations

import uuid

from emulators.graph import odata
from emulators.graph.errors import access_denied
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.world import User, World

READ = ("Place.Read.All", "Place.ReadWrite.All")  # 1.1
_PAGE = "100"
_NAMESPACE = uuid.UUID("5d3b1b0e-0f0e-4d1c-8c38-3f6e0f6d9a11")
_SORTED = frozenset({"displayName", "emailAddress"})


def routes(router: Router, world: World) -> None:
    """Add the route, under its documented name and the short one of our schema."""
    places = _Places(world)
    for name in ("microsoft.graph.room", "graph.room"):
        router.add("GET", f"places/{name}", places.rooms)


class _Places:
    def __init__(self, world: World) -> None:
        self._world = world

    def rooms(self, call: Call) -> Answer:
        """A page of rooms, 100 at a time."""
        if not call.caller.may(*READ):
            raise access_denied()
        odata.check_options(call, frozenset({"$select", "$orderby", "$top", "$skip", "$count"}))
        rooms = [_room(each) for each in self._world.users.values() if each.kind == "room"]
        select = odata.selected(call, frozenset(_room(User("", "", ""))), "microsoft.graph.room")
        rooms = odata.order(rooms, call, _SORTED, lambda each, name: each[name])
        call.query.setdefault("$top", _PAGE)
        return Answer(
            200, odata.page(call, rooms, lambda each: odata.pick(each, select), "places/microsoft.graph.room")
        )


def _room(user: User) -> Json:
    return {
        "id": str(uuid.uuid5(_NAMESPACE, user.id)),
        "emailAddress": user.mail,
        "displayName": user.display_name,
        "nickname": user.display_name,
        "bookingType": "standard",
        "capacity": None,
        "building": None,
        "floorNumber": None,
        "phone": None,
        "tags": [],
    }
