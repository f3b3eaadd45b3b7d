"""The routes of the directory: list users, read one (BEHAVIOUR 1.1, 9)."""

from __future__ import annotations

from emulators.graph import odata
from emulators.graph.errors import request_denied, resource_not_found
from emulators.graph.filters import parse_filter
from emulators.graph.http import Answer, Call, Json, Router
from emulators.graph.world import User, World

READ = ("User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
KNOWN = frozenset({
    "id", "accountEnabled", "businessPhones", "companyName", "deletedDateTime", "department", "displayName",
    "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation", "onPremisesSyncEnabled", "otherMails",
    "preferredLanguage", "proxyAddresses", "surname", "userPrincipalName", "userType",
})  # fmt: skip
# what the service returns without $select (memory)
DEFAULT = (
    "id", "businessPhones", "displayName", "givenName", "jobTitle", "mail", "mobilePhone", "officeLocation",
    "preferredLanguage", "surname", "userPrincipalName",
)  # fmt: skip
SETTINGS = frozenset({"timeZone", "userPurpose"})
FILTERABLE = frozenset({"id", "mail", "userPrincipalName", "displayName", "givenName", "surname", "userType"})


def routes(router: Router, world: World) -> None:
    """Add the routes of users."""
    users = _Users(world)
    router.add("GET", "users", users.listing)
    router.add("GET", "users/{user}", users.get)
    router.add("GET", "users/{user}/mailboxSettings", users.settings)


class _Users:
    def __init__(self, world: World) -> None:
        self._world = world

    def _item(self, user: User, select: tuple[str, ...]) -> Json:
        full = user.rendered()
        empty: Json = {"otherMails": []}
        return {name: full.get(name, empty.get(name)) for name in select}

    def _select(self, call: Call) -> tuple[str, ...]:
        return odata.selected(call, KNOWN, "microsoft.graph.user") or DEFAULT

    def listing(self, call: Call) -> Answer:
        """A page of users; 403 without the role."""
        if not call.caller.may(*READ):
            raise request_denied()
        odata.check_options(call, odata.LISTING - {"$expand", "$skip"} | {"$skiptoken"})
        select = self._select(call)
        found = list(self._world.users.values())
        if "$filter" in call.query:
            predicate = parse_filter(call.query["$filter"], FILTERABLE | {"accountEnabled"})
            found = [each for each in found if predicate(each.rendered().get)]
        found = odata.order(found, call, FILTERABLE, lambda user, name: user.rendered().get(name))
        # the directory pages by $skiptoken, 100 at a time (memory); the rest is as everywhere
        inner = Call("GET", call.segments, dict(call.query), call.headers, b"", call.base, call.caller)
        inner.query["$skip"] = inner.query.pop("$skiptoken", "0")
        inner.query.setdefault("$top", "100")
        body = odata.page(inner, found, lambda user: self._item(user, select), "users")
        if "@odata.nextLink" in body:
            body["@odata.nextLink"] = body["@odata.nextLink"].replace("$skip=", "$skiptoken=")
        return Answer(200, body)

    def get(self, call: Call) -> Answer:
        """One user by object id or principal name."""
        ref = call.params["user"]
        if not call.caller.may(*READ, *(("User.Read",) if call.caller.user else ())):
            raise request_denied()
        user = self._world.user(ref)
        if call.caller.user not in (None, user.id) and not call.caller.may(*READ):
            raise resource_not_found(ref)
        body: Json = {"@odata.context": f"{call.base}/$metadata#users/$entity"}
        return Answer(200, body | self._item(user, self._select(call)))

    def settings(self, call: Call) -> Answer:
        """The mailbox's time zone in the form it was stored in (8), and whether it is a person's, a room's or a piece of equipment's."""
        mailbox = self._world.mailbox(call, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        context = f"{call.base}/$metadata#users('{call.params['user']}')/mailboxSettings"
        user = self._world.users[mailbox.owner]
        body: Json = {"@odata.context": context, "timeZone": user.time_zone, "userPurpose": user.kind}
        return Answer(200, odata.pick(body, odata.selected(call, SETTINGS, "microsoft.graph.mailboxSettings")))
