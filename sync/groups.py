"""The groups of the CRM as our settings know them: members and organizer, which vtenext does not tell (SPEC 2.6).

A row for each group that an admin set, and for each that a sweep met as the owner of a record; names are copies, encrypted, so that settings
do not depend on the CRM answering. No HTTP; asks no server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from pydantic import Field, ValidationError

from sync.policy import Group
from sync.settings import Model, mistake_of
from sync.sides.base import CrmGroup
from sync.store.base import Conflict, Insert, Op, Replace, Row, Rows
from sync.store.secrets import Sealing, Undecipherable

GROUPS = "groups"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group of the CRM. `read_at`: when its name was read, '' = never; `exists` False: the CRM knew it no more then. `version`: moves with every
    change of what admins say of it."""

    id: str
    name: str = field(default="", repr=False)
    members: tuple[str, ...] = ()
    organizer: str = ""
    read_at: str = ""
    exists: bool = True
    since: str = ""  # when the organizer was set, '' = before this was kept
    version: int = 0

    @property
    def policy(self) -> Group:
        return Group(self.organizer, self.members, self.since)

    @property
    def is_set(self) -> bool:
        """Did an admin say who it is? A group that is only met takes part in nothing."""
        return bool(self.members or self.organizer)

    def read(self, found: CrmGroup | None, at: str) -> GroupRow:
        """As the CRM shows it at that time; one that it knows no more keeps its name."""
        return replace(self, name=found.name if found else self.name, read_at=at, exists=found is not None)


CrmId = Annotated[str, Field(pattern=r"^\d+x\d+$")]


class GroupChange(Model):
    """What an admin may change of a group. None = as it is; `organizer` '' = nobody."""

    members: Annotated[list[CrmId], Field(max_length=500)] | None = None
    organizer: Annotated[str, Field(pattern=r"^(\d+x\d+)?$")] | None = None


def group_change(body: Mapping[str, Any]) -> GroupChange:
    """Raises ConfigMistake."""
    try:
        return GroupChange.model_validate(dict(body), strict=True)
    except ValidationError as error:
        raise mistake_of(error) from None


class Groups:
    """The rows of all groups."""

    def __init__(self, rows: Rows, keys: Sealing) -> None:
        self._rows, self._keys = rows, keys

    async def all(self) -> list[GroupRow]:
        return [self._group(row) async for row in self._rows.query(GROUPS)]

    async def get(self, group: str) -> GroupRow | None:
        row = await self._rows.get(GROUPS, group)
        return self._group(row) if row else None

    async def policies(self) -> dict[str, Group]:
        """By crm id, those that an admin set."""
        return {row.id: row.policy for row in await self.all() if row.is_set}

    async def change(self, group: str, **changes: object) -> GroupRow:
        """Change columns of a group, whatever others change meanwhile; made when it is not there."""
        return (await self.revise(group, lambda before: replace(before, **changes)))[1]  # type: ignore[arg-type]

    async def revise(self, group: str, decide: Callable[[GroupRow], GroupRow]) -> tuple[GroupRow, GroupRow]:
        """Replace a group by what `decide` makes of the present one (an empty one when it is not there); both. It may refuse by raising."""
        for _ in range(_TRIES):
            row = await self._rows.get(GROUPS, group)
            before = self._group(row) if row else GroupRow(group)
            after = decide(before)
            after = replace(after, version=before.version + (after.policy != before.policy))
            op: Op = Replace(group, self._data(after), row.etag) if row else Insert(group, self._data(after))
            try:
                await self._rows.transact(GROUPS, [op])
            except Conflict:
                continue
            return before, after
        raise Conflict(0, group)

    def _group(self, row: Row) -> GroupRow:
        data = row.data
        return GroupRow(
            row.key,
            self._name(row.key, str(data["name"])),
            tuple(str(data["members"]).split()),
            str(data["organizer"]),
            str(data["read_at"]),
            bool(data["exists"]),
            str(data.get("since", "")),  # rows of earlier versions have no such columns
            int(data.get("version", 0)),
        )

    def _name(self, group: str, token: str) -> str:
        try:
            return self._keys.decrypt(token, _place(group)) if token else ""
        except Undecipherable:  # only a removed key opens it: read anew when it is shown next
            return ""

    def _data(self, group: GroupRow) -> dict[str, str | int | bool]:
        return _columns(group, self._keys.encrypt(group.name, _place(group.id)) if group.name else "")


async def note_met(rows: Rows, groups: Iterable[str]) -> None:
    """Remember ids of groups that own records, so that an admin sees them. Nothing of one that is known changes."""
    met = set(groups)
    if not met:
        return
    known = {row.key async for row in rows.query(GROUPS)}
    for group in sorted(met - known):
        try:
            await rows.transact(GROUPS, [Insert(group, _columns(GroupRow(group), ""))])
        except Conflict:  # an admin set it meanwhile
            continue


def _columns(group: GroupRow, sealed_name: str) -> dict[str, str | int | bool]:
    return {
        "name": sealed_name,
        "members": " ".join(group.members),
        "organizer": group.organizer,
        "read_at": group.read_at,
        "exists": group.exists,
        "since": group.since,
        "version": group.version,
    }


def _place(group: str) -> str:
    """What a sealed name is bound to."""
    return f"{GROUPS}|{group}|name"
