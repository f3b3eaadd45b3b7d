"""vtesync.get_changes: the incremental read, its inclusive seconds and its endless page (API.md 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from emulators.vtenext import zones
from emulators.vtenext.errors import Refused, denied, internal
from emulators.vtenext.schema import Module, modules
from emulators.vtenext.state import Record, State, User
from emulators.vtenext.views import Views

DEFAULT_ENTRIES = 100


@dataclass(frozen=True, slots=True)
class _Window:
    """What is asked for, in server time; empty bounds are open."""

    module: Module
    field: str
    since: str
    until: str
    entries: int
    with_deleted: bool
    owner: str  # full id, empty for everybody's records


@dataclass(frozen=True, slots=True)
class Changes:
    """The operation."""

    state: State
    views: Views

    def run(self, given: Mapping[str, str], caller: User) -> dict[str, Any]:
        """One page. ``given`` holds the parameters as text; absent ones are empty."""
        module = modules().get(given.get("module", ""))
        if module is None or module.name in ("Groups", "Currency"):
            raise denied()
        user = self._reader(given.get("delegatedUser", ""), caller)
        window = self._window(module, given, "" if user.is_admin and user is caller else user.id)
        page, more = self._page(window)
        return {
            **self._lists(window, page, user),
            "more": more,
            "local_timezone": self.state.zone if given.get("dateFrom") else None,
            "user_timezone": user.zone,
            "last_update": self._last_update(page, more),
        }

    def _reader(self, delegated: str, caller: User) -> User:
        """The user whose records are read; only administrators may name another (ws-get-changes-nonadmin)."""
        if not delegated:
            return caller
        if not caller.is_admin:
            raise Refused("ACCESS_DENIED", "Only admin users can access other users's data")
        user = self.state.user_named(delegated)
        if user is None:
            raise Refused("INVALID_USER", "Specified user is invalid")
        return user

    def _window(self, module: Module, given: Mapping[str, str], owner: str) -> _Window:
        since, until = (self._moment(given.get(name, "")) for name in ("dateFrom", "dateTo"))
        if until and not since:  # ws-get-changes-errors
            raise internal()
        entries = given.get("maxEntries", "")
        return _Window(
            module=module,
            field=given.get("dateField") or "modifiedtime",
            since=since,
            until=until,
            entries=int(entries) if entries.lstrip("-").isdecimal() and int(entries) else DEFAULT_ENTRIES,
            with_deleted=given.get("showDeleted", "") != "false",
            owner=owner,
        )

    def _moment(self, text: str) -> str:
        if not text:
            return ""
        moment = zones.server_time_of(text, self.state.zone)
        if moment is None:
            raise Refused("INVALID_DATE", "Date is not in a valid format")
        return moment

    def _page(self, window: _Window) -> tuple[list[Record], bool]:
        """Everything up to the second of the ``entries``-th change, that second whole; and whether there is more.

        More are changes after the page, also those after ``dateTo`` (ws-get-changes-one-record); and more is
        said for ever of a second that holds above ``entries`` changes (ws-get-changes-same-second, API.md 5).
        """
        if window.entries < 0:
            return [], False
        page: list[Record] = []
        last = ""
        for record in self._matching(window):
            stamp = _stamp(record, window.field)
            full = len(page) >= window.entries and stamp > last
            if full or (window.until and stamp > window.until):
                return page, True
            page.append(record)
            last = stamp
        return page, len(page) > window.entries

    def _matching(self, window: _Window) -> Iterator[Record]:
        for record in self._rows(window):
            if record.deleted and not window.with_deleted:
                continue
            if self.state.module_of(record) is not window.module:
                continue
            if not window.owner or record.values["assigned_user_id"] == window.owner:
                yield record

    def _rows(self, window: _Window) -> Iterable[Record]:
        """Candidates in order of the date asked for; only the modification time has an index."""
        if window.module.name == "Users":  # accepted, always empty
            return ()
        table = self.state.tables[window.module.table]
        if window.field == "modifiedtime":
            return table.modified_since(window.since)
        if window.field not in ("createdtime", "time_start") or window.field not in window.module.fields:
            raise internal()
        found = (row for row in table.by_number() if _stamp(row, window.field) >= window.since)
        return sorted(found, key=lambda row: _stamp(row, window.field))

    def _lists(self, window: _Window, page: list[Record], user: User) -> dict[str, list[dict[str, Any]]]:
        lists: dict[str, list[dict[str, Any]]] = {"created": [], "updated": [], "deleted": []}
        for record in sorted(page, key=lambda record: record.number):
            values = record.values
            created, modified = values["createdtime"], values["modifiedtime"]
            if record.deleted:
                full = f"{window.module.prefix}x{record.number}"
                lists["deleted"].append({"id": full, "modifiedtime": modified, "createdtime": created})
            elif self.views.owned(record):  # a broken owner is left out without notice (ws-poison-owner)
                kind = "created" if created >= window.since and created == modified else "updated"
                lists[kind].append(self.views.changed(record, window.module, user))
        return lists

    def _last_update(self, page: list[Record], more: bool) -> int:
        if not more or not page:
            return int(self.state.clock.now().timestamp())
        return zones.epoch(max(record.modified for record in page), self.state.zone)


def _stamp(record: Record, field: str) -> str:
    if field == "time_start":  # the start of the activity, not the column
        return f"{record.values['date_start']} {record.values['time_start'] or '00:00'}:00"
    return record.values[field]
