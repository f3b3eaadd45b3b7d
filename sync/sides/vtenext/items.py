"""How a record of vtenext becomes an item: which columns are read, what they are called, whose company it names.

Every reading operation of this side ends here, so that an item looks the same whatever it was read by. Never asks for columns that
the CRM does not describe: a custom field that an administrator removed is simply not read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sync.errors import Cause, RetryLater, StopConnector
from sync.model import Item, Kind, Side, Value
from sync.sides.vtenext import events, invitees, tasks
from sync.sides.vtenext.client import Row, VtenextClient
from sync.sides.vtenext.query import chunks, member
from sync.sides.vtenext.wire import Denied
from sync.sides.vtenext.zones import iso, to_utc, zone_named

MODULES: Mapping[Kind, str] = {
    Kind.CONTACT: "Contacts",
    Kind.COMPANY: "Accounts",
    Kind.EVENT: "Events",
    Kind.TASK: "Calendar",
}
OWNER, VERSION, CREATED = "assigned_user_id", "modifiedtime", "createdtime"
ACCOUNT, ACCOUNT_NAME = "account_id", "account_name"
"""`account_name` is no field of vtenext: we put the name of the linked account beside its id."""

ALWAYS: Mapping[Kind, tuple[str, ...]] = {
    Kind.CONTACT: ("firstname", "lastname", "email", ACCOUNT, CREATED),
    Kind.COMPANY: ("accountname", "email1", "email2", CREATED),
    Kind.EVENT: events.TEXTS,
    Kind.TASK: tasks.TEXTS,
}
"""Read whether mapped or not: natural keys, the linked account, when lost creations are looked for; the whole of an event or a task."""
HIDDEN: Mapping[Kind, tuple[str, ...]] = {Kind.EVENT: events.COLUMNS, Kind.TASK: tasks.COLUMNS}
"""Read, and shown by another name."""


@dataclass(frozen=True, slots=True)
class Form:
    """What we read of a kind: `columns` in a query, of which `shown` become the item's fields; `stamp` = field of our token.

    An event carries its stamp in two columns of its own.
    """

    kind: Kind
    module: str
    prefix: str
    columns: tuple[str, ...]
    shown: tuple[str, ...]
    stamp: str


def form_of(kind: Kind, description: Mapping[str, object], wanted: Sequence[str], stamp: str) -> Form:
    """Pure: the wanted fields that the CRM describes, and those always needed. A field mapped by the admin carries no stamp."""
    fields = description.get("fields")
    described = (
        {str(field["name"]) for field in fields if isinstance(field, dict)} if isinstance(fields, list) else set()
    )
    hidden = HIDDEN.get(kind, ())
    names = dict.fromkeys((*wanted, *ALWAYS[kind]))
    shown = tuple(name for name in names if name in described and name not in {"id", *hidden})
    free = stamp if stamp in described and stamp not in wanted else ""
    extra = (*((free,) if free else ()), *hidden, OWNER, VERSION)
    columns = tuple(dict.fromkeys(("id", *shown, *extra)))
    return Form(kind, MODULES[kind], str(description["idPrefix"]), columns, shown, free)


def item_of(form: Form, row: Row, zone: ZoneInfo, names: Mapping[str, str]) -> Item:
    """Pure. A contact whose account is not among `names` goes without `account_name`, as a field that was not read."""
    fields: dict[str, Value] = {name: row[name] for name in form.shown if name in row}
    account = row.get(ACCOUNT, "")
    if form.kind is Kind.CONTACT and (not account or account in names):
        fields[ACCOUNT_NAME] = names.get(account, "")
    if form.kind is Kind.EVENT:
        fields |= events.fields_of(row, zone)
    elif form.kind is Kind.TASK:
        fields |= tasks.fields_of(row, zone)
    return Item(
        Side.CRM,
        form.kind,
        row["id"],
        row.get(VERSION, ""),
        fields,
        owner=row.get(OWNER, ""),
        stamp=events.stamp_of(row) if form.kind is Kind.EVENT else row.get(form.stamp, ""),
        modified=to_utc(row.get(VERSION, ""), zone),
    )


class Reader:
    """Rows and items of all kinds, over one client. `stamps`: field that carries our token, by kind ('' = none)."""

    def __init__(self, client: VtenextClient, fields: Mapping[Kind, Sequence[str]], stamps: Mapping[Kind, str]) -> None:
        self.client = client
        self._fields, self._stamps = fields, stamps
        self._forms: dict[Kind, Form] = {}
        self._zone: ZoneInfo | None = None

    async def form(self, kind: Kind) -> Form:
        """What is read of a kind; asks the CRM's description once."""
        if kind not in self._forms:
            description = await self.client.describe(MODULES[kind])
            self._forms[kind] = form_of(kind, description, self._fields.get(kind, ()), self._stamps.get(kind, ""))
        return self._forms[kind]

    def whole_side(self, denied: Denied) -> RetryLater | StopConnector:
        """A refused read concerns everything: this account is an administrator and asks for described fields only."""
        if "attribute denied" in denied.message:
            self._forms.clear()  # a field was taken away since it was described
            return RetryLater(Cause.CRM_CRASHED)
        return StopConnector(Cause.CRM_NOT_ADMIN) if denied.code == "ACCESS_DENIED" else RetryLater(Cause.CRM_CRASHED)

    async def zone(self) -> ZoneInfo:
        """The server's zone, which only get_changes tells, and only when asked with a date (API.md 5)."""
        if self._zone is None:
            tomorrow = self.client.now() + timedelta(days=1)
            answer = await self.client.read("vtesync.get_changes", module="Contacts", dateFrom=iso(tomorrow))
            if not isinstance(answer, dict):
                raise StopConnector(Cause.CRM_NO_GET_CHANGES)
            self.zone_is(answer.get("local_timezone"))
        return self._zone or zone_named(None)

    def zone_is(self, name: object) -> None:
        """Take over the zone that an answer named; it is one global setting of the server and may be changed."""
        self._zone = zone_named(name)

    async def items(
        self, kind: Kind, rows: Sequence[Row], names: dict[str, str] | None = None, people: bool = True
    ) -> list[Item]:
        """Items in the order of the rows. `names`: account names known already, added to. `people`: events with their invitees."""
        known = {} if names is None else names
        if kind is Kind.CONTACT:
            await self.learn_names((row.get(ACCOUNT, "") for row in rows), known)
        form, zone = await self.form(kind), await self.zone()
        if kind is Kind.EVENT and people:
            rows = await invitees.learned(self.client, zone, form.module, rows, VERSION)
        return [item_of(form, row, zone, known) for row in rows]

    async def learn_names(self, ids: Iterable[str], known: dict[str, str]) -> None:
        """Add the names of these accounts to `known`. The owner is not selected: a broken one breaks nothing here."""
        unknown = sorted(set(ids) - known.keys() - {""})
        queries = [
            self._rows(MODULES[Kind.COMPANY], ("id", "accountname"), [member("id", chunk)]) for chunk in chunks(unknown)
        ]
        answers = await asyncio.gather(*queries)
        known.update(dict.fromkeys(unknown, ""))
        known.update({row["id"]: row["accountname"] for rows in answers for row in rows})

    async def by_id(self, kind: Kind, ids: Sequence[str]) -> tuple[dict[str, Row], set[str]]:
        """The rows of these ids, and the ids whose owner is broken. What is in neither was not answered."""
        found: dict[str, Row] = {}
        broken: set[str] = set()
        form = await self.form(kind)
        parts = [self._halving(form, chunk) for chunk in chunks(dict.fromkeys(ids))]
        for rows, bad in await asyncio.gather(*parts):
            found.update({row["id"]: row for row in rows})
            broken |= bad
        return found, broken

    async def _halving(self, form: Form, ids: Sequence[str]) -> tuple[list[Row], set[str]]:
        """Read a chunk. One broken owner fails the whole query (API.md 3.5), so the chunk is halved until it stands alone."""
        try:
            return await self._rows(form.module, form.columns, [member("id", ids)]), set()
        except Denied as denied:
            if not denied.broken_owner:
                raise
        if len(ids) == 1:
            return [], set(ids)
        middle = len(ids) // 2
        first, first_bad = await self._halving(form, ids[:middle])
        second, second_bad = await self._halving(form, ids[middle:])
        return first + second, first_bad | second_bad

    async def where(self, kind: Kind, conditions: Sequence[str], people: bool = True) -> list[Item]:
        """Every record that satisfies any of the conditions; `people`: events with their invitees. One with a broken owner has the owner ''."""
        form = await self.form(kind)
        try:
            return await self.items(kind, await self._rows(form.module, form.columns, conditions), people=people)
        except Denied as denied:
            if not denied.broken_owner:
                raise
        ids = [row["id"] for row in await self._rows(form.module, ("id",), conditions)]
        found, broken = await self.by_id(kind, ids)
        ownerless = tuple(name for name in form.columns if name != OWNER)
        for chunk in chunks(sorted(broken)):
            rows = await self._rows(form.module, ownerless, [member("id", chunk)])
            found.update({row["id"]: row for row in rows})
        return await self.items(kind, [found[record] for record in ids if record in found], people=people)

    async def ids(self, kind: Kind, conditions: Sequence[str] = ()) -> AsyncIterator[list[str]]:
        """Ids by a keyset walk, in pages. Owners are not read, so that a broken one hides nothing."""
        async for rows in self.client.walk(MODULES[kind], ("id",), conditions):
            yield [row["id"] for row in rows]

    async def _rows(self, module: str, columns: Sequence[str], conditions: Sequence[str]) -> list[Row]:
        return [row async for page in self.client.walk(module, columns, conditions) for row in page]
