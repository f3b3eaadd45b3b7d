"""What an admin can order about groups: list those that own records, say who belongs to one and who organizes for it (SPEC 2.6). No HTTP.

The CRM lists no groups and tells no members (API.md 10): a group is read by its id, and its name is kept for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sync.commands import NotFound, NotNow
from sync.connector import AT_ONCE, Connector
from sync.errors import ConfigMistake, RetryLater, StopConnector
from sync.groups import GroupChange, GroupRow, group_change
from sync.store.base import Stale

NAMES_KEPT = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class GroupList:
    """The groups that were set or met. `cause`: why the CRM could not be asked for their names just now, '' = it was, or need not be."""

    groups: tuple[GroupRow, ...]
    cause: str


async def groups(connector: Connector) -> GroupList:
    """Those that an admin set, and those that a sweep met as owners and that are still there."""
    rows, cause = await connector.groups.all(), ""
    stale = [row for row in rows if _stale(row, connector.now())]
    if stale and not connector.crm_missing:
        try:
            for start in range(0, len(stale), AT_ONCE):
                await asyncio.gather(*(_reread(row, connector) for row in stale[start : start + AT_ONCE]))
        except (RetryLater, StopConnector) as error:
            cause = error.cause.value
        rows = await connector.groups.all()
    return GroupList(tuple(row for row in rows if row.exists or row.is_set), cause)


async def group(connector: Connector, id_: str) -> GroupRow:
    """One group; of one that nobody set or met what the CRM shows of it. Raises NotFound."""
    row = await connector.groups.get(id_)
    if row is not None and row.read_at:
        return row
    found = await _in_crm(connector, row or GroupRow(id_))
    if not found.exists and row is None:
        raise NotFound
    return found


async def change_group(connector: Connector, id_: str, body: Mapping[str, Any], over: int | None = None) -> GroupRow:
    """Set members and organizer of a group of the CRM. Runs under way begin anew, every mailbox is compared in full.

    `over`: the version that is changed, None = whichever is there. Raises Stale when it is not the present one.
    """
    change = group_change(body)
    shown = await _in_crm(connector, GroupRow(id_))
    if not shown.exists:
        raise NotFound
    before = await connector.groups.get(id_) or GroupRow(id_)
    await _are_users(connector, "members", set(change.members or ()) - set(before.members))
    await _are_users(connector, "organizer", {change.organizer or ""} - {before.organizer, ""})
    at = connector.now().isoformat(timespec="seconds")

    def changed(now: GroupRow) -> GroupRow:
        if over not in (None, now.version):
            raise Stale
        return _changed(now, shown, change, at)

    before, after = await connector.groups.revise(id_, changed)
    if after.policy != before.policy:
        await connector.board.touch()
        await connector.compare_all("group")
    return after


def _changed(before: GroupRow, shown: GroupRow, change: GroupChange, at: str) -> GroupRow:
    """The group as an admin says from now on, named as the CRM shows it."""
    members = before.members if change.members is None else tuple(dict.fromkeys(change.members))
    organizer = before.organizer if change.organizer is None else change.organizer
    since = before.since if organizer == before.organizer else at
    named = replace(before, name=shown.name, read_at=shown.read_at, exists=True)
    return replace(named, members=members, organizer=organizer, since=since)


def _stale(row: GroupRow, now: datetime) -> bool:
    return not row.read_at or now - datetime.fromisoformat(row.read_at) >= NAMES_KEPT


async def _reread(row: GroupRow, connector: Connector) -> None:
    shown = await _in_crm(connector, row)
    await connector.groups.change(row.id, name=shown.name, read_at=shown.read_at, exists=shown.exists)


async def _in_crm(connector: Connector, row: GroupRow) -> GroupRow:
    """The row with what the CRM shows now. Raises NotNow without a CRM, RetryLater or StopConnector when it does not answer."""
    if connector.crm_missing:
        raise NotNow("not_configured", missing=", ".join(connector.crm_missing))
    found = await connector.outside.crm_group(row.id)
    return row.read(found, connector.now().isoformat(timespec="seconds"))


async def _are_users(connector: Connector, field: str, ids: Iterable[str]) -> None:
    """Are all of them in the directory, read anew (once a minute) when somebody is missing?"""
    wanted = set(ids)
    if wanted - {user.id for user in await connector.users.all()}:
        await connector.look_again()
        if wanted - {user.id for user in await connector.users.all()}:
            raise ConfigMistake(field, "crm_users")
