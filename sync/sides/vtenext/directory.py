"""The users and groups of the CRM, who may own records, and whether the service account is fit for its work.

Users come from the Employees module: the only list that shows inactive ones (API.md 10). From Users single fields are asked, never `*`, which
would bring password hashes and access keys; for the same reason users are never retrieved one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sync.errors import Cause, RetryLater, StopConnector
from sync.sides.base import CrmGroup, CrmUser
from sync.sides.vtenext.client import Row, VtenextClient, as_text
from sync.sides.vtenext.items import MODULES, OWNER
from sync.sides.vtenext.query import equals
from sync.sides.vtenext.wire import Denied
from sync.sides.vtenext.zones import iso, same_clock, zone_named

EMPLOYEE = ("id", "username", "firstname", "lastname", "email", "active", OWNER)
USER = ("id", "user_name", "first_name", "last_name", "email1")
ACCOUNT_SETTINGS = ("id", "is_admin", "date_format", "user_timezone")
PROBED = (*MODULES.values(), "Users", "Groups")


@dataclass(frozen=True, slots=True)
class Probe:
    """What 'test connection' found. `modules`: the descriptions of Contacts, Accounts, Events, Users and Groups as the server gives them."""

    user_id: str
    zone: str
    modules: Mapping[str, Mapping[str, object]]

    def prefix(self, module: str) -> str:
        """What ids of the module begin with: differs between installations (API.md 2.1)."""
        return str(self.modules[module]["idPrefix"])


class VtenextDirectory:
    """The Directory protocol over one client."""

    def __init__(self, client: VtenextClient) -> None:
        self._client = client
        self._group_prefix = ""

    async def users(self) -> list[CrmUser]:
        """All users, inactive ones included. Where Employees is switched off or empty: the active ones, from Users.

        A deleted user's employee says that it is active; Users, which lists active ones only, tells.
        """
        try:
            employees = await self._all("Employees", EMPLOYEE)
        except Denied:
            employees = []
        try:
            active = [_from_user(row) for row in await self._all("Users", USER)]
        except Denied as denied:
            raise StopConnector(Cause.CRM_NOT_ADMIN) from denied
        there = {user.id for user in active}
        found = [_from_employee(row) for row in employees if row["username"] and row[OWNER]]
        return [replace(user, active=user.active and user.id in there) for user in found] or active

    async def group(self, group: str) -> CrmGroup | None:
        """Read one by id. `retrieve` is never asked for an id of another module: of a user it would bring the password's hash."""
        prefix, _, number = group.partition("x")
        if not (number.isascii() and number.isdecimal()) or prefix != await self.group_prefix():
            return None
        try:
            found = await self._client.read("retrieve", id=group)
        except Denied:
            return None
        if not isinstance(found, dict):
            raise RetryLater(Cause.CRM_NOT_VTENEXT)
        return CrmGroup(group, as_text(found.get("groupname")).strip())

    async def group_prefix(self) -> str:
        """What ids of groups begin with; asked once."""
        if not self._group_prefix:
            self._group_prefix = str((await self._client.describe("Groups"))["idPrefix"])
        return self._group_prefix

    async def _all(self, module: str, columns: tuple[str, ...]) -> list[Row]:
        return [row async for rows in self._client.walk(module, columns) for row in rows]

    async def probe(self) -> Probe:
        """Test the connection and the service account with a few cheap calls.

        Raises StopConnector with what an admin has to mend, RetryLater when the CRM does not answer now.
        """
        user_id = await self._client.user_id()
        try:
            modules = {module: await self._client.describe(module) for module in PROBED}
            await self._check_account(user_id)
        except Denied as denied:  # to an ordinary user even the fields of Users are hidden (API.md 2.3)
            raise StopConnector(Cause.CRM_NOT_ADMIN) from denied
        server_zone, user_zone = await self._zones()
        server, ours = zone_named(server_zone), zone_named(user_zone)
        if not same_clock(server, ours, self._client.now().year):
            raise StopConnector(Cause.CRM_USER_SETTINGS)
        return Probe(user_id, server.key, modules)

    async def _zones(self) -> tuple[object, object]:
        """The server's and our zone. An unknown operation is a crash to vtenext (API.md 1.1): here it means that VteSync is missing."""
        tomorrow = iso(self._client.now() + timedelta(days=1))
        try:
            answer = await self._client.read("vtesync.get_changes", module="Contacts", dateFrom=tomorrow)
        except Denied as denied:
            raise StopConnector(Cause.CRM_NO_GET_CHANGES) from denied
        except RetryLater as error:
            if error.cause is not Cause.CRM_CRASHED:
                raise
            raise StopConnector(Cause.CRM_NO_GET_CHANGES) from error
        if not isinstance(answer, dict):
            raise StopConnector(Cause.CRM_NO_GET_CHANGES)
        return answer.get("local_timezone"), answer.get("user_timezone")

    async def _check_account(self, user_id: str) -> None:
        """An ordinary user sees no users at all (API.md 10), and reads and writes too little."""
        own = equals("user_name", self._client.username)
        rows = [row async for page in self._client.walk("Users", ACCOUNT_SETTINGS, [own]) for row in page]
        account = next((row for row in rows if row["id"] == user_id), None)
        if account is None or account["is_admin"] != "on":
            raise StopConnector(Cause.CRM_NOT_ADMIN)
        if account["date_format"] != "yyyy-mm-dd":
            raise StopConnector(Cause.CRM_USER_SETTINGS)


def _from_employee(row: Row) -> CrmUser:
    name = f"{row['firstname']} {row['lastname']}".strip()
    return CrmUser(row[OWNER], name, row["email"], row["active"] == "1", {"user_name": row["username"]})


def _from_user(row: Row) -> CrmUser:
    name = f"{row['first_name']} {row['last_name']}".strip()
    return CrmUser(row["id"], name, row["email1"], True, {"user_name": row["user_name"]})


class Owners:
    """Which ids may own records: creating for one that does not exist stores a record that breaks every query (API.md 3.5)."""

    def __init__(self, client: VtenextClient) -> None:
        self._directory = VtenextDirectory(client)
        self._users: set[str] = set()  # a user never vanishes: deleting one only makes it inactive (API.md 10)

    async def known(self, ids: Collection[str]) -> frozenset[str]:
        """Those of `ids` that are users, active or not, or groups that exist now."""
        wanted = set(ids) - {""}
        if wanted - self._users:
            await self._look_up(wanted - self._users)
        groups = [owner for owner in sorted(wanted - self._users) if await self._directory.group(owner)]
        return frozenset((wanted & self._users) | set(groups))

    async def _look_up(self, wanted: set[str]) -> None:
        prefix = await self._directory.group_prefix()
        if any(not owner.startswith(f"{prefix}x") for owner in wanted):
            self._users |= {user.id for user in await self._directory.users()}
