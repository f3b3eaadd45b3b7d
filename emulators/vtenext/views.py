"""A stored row as each operation shows it: whose zone, whose date format, what is missing (API.md 6)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from emulators.vtenext import zones
from emulators.vtenext.errors import invalid_owner
from emulators.vtenext.schema import ACTIVITY, Module, modules
from emulators.vtenext.state import ADDRESS_FIELD, Record, State, User

ACTIVITY_TIMES = (("date_start", "time_start"), ("due_date", "time_end"))


@cache
def _names(module: str, *types: str) -> tuple[str, ...]:
    return tuple(field.name for field in modules()[module].of_type(*types))


class Views:
    """Reads rows, writes nothing."""

    def __init__(self, state: State) -> None:
        self._state = state

    def single(self, record: Record, module: Module, caller: User) -> dict[str, str]:
        """As retrieve and the answers of writes show it: everything in the caller's zone and date format."""
        self.require_owner(record)
        row = self._row(record, module, tuple(module.fields))
        self._stamps_to(row, module, caller.zone)
        if record.table == ACTIVITY:
            self._times_to(row, caller.zone)
        self._dates_to(row, module, caller.date_format)
        self._newsletter(row, module)
        return row

    def queried(self, record: Record, module: Module, names: Sequence[str], caller: User) -> dict[str, str]:
        """As query shows it: server zone, caller's date format; the newsletter always "0" (ws-query-star)."""
        if "assigned_user_id" in names:
            self.require_owner(record)
        row = self._row(record, module, names)
        self._dates_to(row, module, caller.date_format)
        if "newsletter_unsubscrpt" in row:
            row["newsletter_unsubscrpt"] = "0"
        return row

    def changed(self, record: Record, module: Module, user: User) -> dict[str, Any]:
        """As get_changes shows it: server zone and yyyy-mm-dd, only events in the user's zone; invitees."""
        row: dict[str, Any] = self._row(record, module, tuple(module.fields))
        self._newsletter(row, module)
        if module.name == "Events":
            self._times_to(row, user.zone)
            row["invitees"] = [dict(each) for each in record.invitees if self._state.target_exists(str(each["id"]))]
        return row

    def receives_newsletter(self, row: dict[str, str], module: Module) -> bool:
        """Kept per address, not per record; nobody without an address receives (API.md 3.4, ws-custom-fields)."""
        address = row[ADDRESS_FIELD[module.name]]
        return bool(address) and address.lower() not in self._state.unsubscribed

    def owned(self, record: Record) -> bool:
        return self._state.owner_exists(record.values["assigned_user_id"])

    def require_owner(self, record: Record) -> None:
        """A record whose owner does not exist cannot be shown (ws-poison-owner)."""
        if not self.owned(record):
            raise invalid_owner()

    def _row(self, record: Record, module: Module, names: Sequence[str]) -> dict[str, str]:
        values = record.values
        row = {name: values[name] for name in names}
        for name in _names(module.name, "reference"):
            if row.get(name) and not self._state.target_exists(row[name]):
                row[name] = ""
        if "id" in row:
            row["id"] = f"{module.prefix}x{record.number}"
        return row

    def _stamps_to(self, row: dict[str, str], module: Module, zone: str) -> None:
        if zone != self._state.zone:
            for name in _names(module.name, "datetime"):
                row[name] = zones.convert(row[name], self._state.zone, zone)

    def _times_to(self, row: dict[str, str], zone: str) -> None:
        for date, time in ACTIVITY_TIMES:
            row[date], row[time] = zones.shift(row[date], row[time], self._state.zone, zone)

    def _dates_to(self, row: dict[str, str], module: Module, date_format: str) -> None:
        if date_format != "yyyy-mm-dd":
            for name in _names(module.name, "date"):
                if name in row:
                    row[name] = zones.shown_date(row[name], date_format)

    def _newsletter(self, row: dict[str, str], module: Module) -> None:
        if module.name in ADDRESS_FIELD:
            row["newsletter_unsubscrpt"] = "1" if self.receives_newsletter(row, module) else "0"
