"""The routes of a mailbox's settings in Outlook: master categories and the time zones of its server (BEHAVIOUR 7.2, 8).

What events carry are names only, whether they are in the master list or not. A new mailbox has no categories here.
"""

from __future__ import annotations

import re
import uuid
from typing import Any

from tzlocal.windows_tz import win_tz

from emulators.graph import odata
from emulators.graph.errors import GraphError, bad_request, invalid_property, item_not_found
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.mailbox import Category, Mailbox
from emulators.graph.users import READ as READ_USERS
from emulators.graph.world import World

READ = ("MailboxSettings.Read", "MailboxSettings.ReadWrite")  # 1.1
WRITE = ("MailboxSettings.ReadWrite",)
COLORS = ("none", *(f"preset{number}" for number in range(25)))
_KIND = "microsoft.graph.outlookCategory"
_KNOWN = frozenset({"id", "displayName", "color"})
_ZONES = re.compile(r"supportedtimezones\((?:timezonestandard=(?:microsoft\.graph\.timezonestandard)?'(\w+)')?\)")
_NAMESPACE = uuid.UUID("0d1a2c5e-53b0-4f3b-9d55-6b6d2f7f5f10")


def routes(router: Router, world: World) -> None:
    """Add the routes; the function of time zones comes last, as its name takes any word."""
    settings = _Settings(world)
    base = "users/{user}/outlook/masterCategories"
    router.add("GET", base, settings.listing)
    router.add("POST", base, settings.create)
    router.add("GET", f"{base}/{{category}}", settings.get)
    router.add("PATCH", f"{base}/{{category}}", settings.patch)
    router.add("DELETE", f"{base}/{{category}}", settings.delete)
    router.add("GET", "users/{user}/outlook/{function}", settings.zones)


def add_category(mailbox: Mailbox, name: str, color: str) -> Category:
    """One more; 409 for a name that is there, without case (measured)."""
    if any(each.name.casefold() == name.casefold() for each in mailbox.categories.values()):
        raise GraphError(409, "CategoryNameExists", f"A category with the name '{name}' already exists.")
    made = Category(str(uuid.uuid5(_NAMESPACE, f"{mailbox.owner}:{mailbox.seq}:{name.casefold()}")), name, color)
    mailbox.categories[made.id] = made
    return made


class _Settings:
    def __init__(self, world: World) -> None:
        self._world = world

    def _answer(self, call: Call, status: int, category: Category) -> Answer:
        context = f"{call.base}/$metadata#users('{call.params['user']}')/outlook/masterCategories/$entity"
        select = odata.selected(call, _KNOWN, _KIND)
        return Answer(status, {"@odata.context": context, **odata.pick(_item(category), select)})

    def _find(self, call: Call, *roles: str) -> tuple[Mailbox, Category]:
        mailbox = self._world.mailbox(call, *roles)
        found = mailbox.categories.get(call.params["category"])
        if found is None:
            raise item_not_found()
        return mailbox, found

    def listing(self, call: Call) -> Answer:
        """A page of the master list."""
        mailbox = self._world.mailbox(call, *READ)
        odata.check_options(call, odata.LISTING - {"$filter", "$expand"})
        select = odata.selected(call, _KNOWN, _KIND)
        found = odata.order(list(mailbox.categories.values()), call, _KNOWN, lambda each, name: _item(each)[name])
        context = f"users('{call.params['user']}')/outlook/masterCategories"
        return Answer(200, odata.page(call, found, lambda each: odata.pick(_item(each), select), context))

    def create(self, call: Call) -> Answer:
        """201; 409 CategoryNameExists."""
        mailbox = self._world.mailbox(call, *WRITE)
        body = _checked(call.json())
        name = body.get("displayName")
        if not isinstance(name, str) or not name.strip() or len(name) > 255:
            raise invalid_property("The property 'displayName' is required in the request.")
        return self._answer(call, 201, add_category(mailbox, name, body.get("color") or "none"))

    def get(self, call: Call) -> Answer:
        """One by id."""
        return self._answer(call, 200, self._find(call, *READ)[1])

    def patch(self, call: Call) -> Answer:
        """Another colour; another name is 200, too, and without effect (measured)."""
        _, category = self._find(call, *WRITE)
        category.color = _checked(call.json()).get("color") or category.color
        return self._answer(call, 200, category)

    def delete(self, call: Call) -> Answer:
        """Out of the master list; events keep the name."""
        mailbox, category = self._find(call, *WRITE)
        del mailbox.categories[category.id]
        return Answer(204)

    def zones(self, call: Call) -> Answer:
        """supportedTimeZones: Windows names, IANA names on request; with the right to read users (1.1)."""
        self._world.mailbox(call, *READ_USERS, *READ)
        match = _ZONES.fullmatch(call.params["function"].lower())
        standard = (match[1] or "windows") if match else ""
        if standard not in ("windows", "iana"):
            raise bad_request(f"Resource not found for the segment '{call.params['function']}'.")
        names = sorted(win_tz) if standard == "windows" else sorted(set(win_tz.values()))
        context = f"{call.base}/$metadata#Collection(microsoft.graph.timeZoneInformation)"
        return Answer(200, {"@odata.context": context, "value": [{"alias": n, "displayName": n} for n in names]})


def _checked(body: Json) -> dict[str, Any]:
    unknown = [name for name in body if name not in _KNOWN and "@" not in name]
    if unknown:
        raise invalid_property(f"The property '{unknown[0]}' does not exist on type '{_KIND}'.")
    if body.get("color") is not None and body["color"] not in COLORS:
        raise invalid_property("Cannot convert the value of property 'color' to the expected type 'categoryColor'.")
    return body


def _item(category: Category) -> Json:
    return {"id": category.id, "displayName": category.name, "color": category.color}
