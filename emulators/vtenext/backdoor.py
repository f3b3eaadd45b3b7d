"""What happens in a CRM without the web service: a user at the screen, cron, the recycle bin. For tests and demo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import Any

from emulators.vtenext import columns, invitees
from emulators.vtenext.crm import Crm
from emulators.vtenext.schema import Module, modules
from emulators.vtenext.seed import load_row
from emulators.vtenext.state import Record, User, split_id
from emulators.vtenext.writing import Workflow


class Backdoor:
    """Acts on one CRM; after a reset ask the emulator for a new one."""

    def __init__(self, crm: Crm) -> None:
        self._crm = crm

    def edit(self, full: str, fields: Mapping[str, Any]) -> dict[str, str]:
        """A user's own change at the screen: stored like any save, the modification time moves.

        A reminder can be taken off here, with "" or "0": only the web service cannot do that (API.md 7.4).
        """
        module, record = self._live(full)
        self._require_fields(module, fields)
        if columns.text_of(fields.get("reminder_time", "?")) in ("", "0"):
            record.values["reminder_time"] = ""
        with self._at_the_screen():
            return self._crm.writer.revise({**fields, "id": full}, self._somebody())

    def answer(self, full: str, invitee: str, partecipation: str) -> None:
        """An invitee answers in the CRM: "1" declined, "2" accepted; the modification time does not move (API.md 5)."""
        _, record = self._live(full)
        invitees.answer(self._crm.state, record, invitee, partecipation)

    def outbox(self) -> list[dict[str, str]]:
        """The invitation mails that the CRM sent to contacts."""
        return [asdict(mail) for mail in self._crm.state.outbox]

    @contextmanager
    def _at_the_screen(self) -> Iterator[None]:
        self._crm.state.actor = "screen"
        try:
            yield
        finally:
            self._crm.state.actor = "service"

    def silent_edit(self, full: str, fields: Mapping[str, str]) -> None:
        """A delayed workflow writes the column; the modification time does not move (API.md 3.8)."""
        module, record = self._live(full)
        self._require_fields(module, fields)
        record.values.update(fields)

    def delete(self, full: str) -> None:
        """A user puts a record into the recycle bin."""
        self._live(full)
        self._crm.writer.delete(full, self._somebody())

    def restore(self, full: str) -> None:
        """Out of the recycle bin: counts as modified (ws-get-changes-contacts)."""
        _, number = split_id(full)
        record = self._crm.state.find(number)
        if record is None or not record.deleted:
            raise ValueError(f"{full} is not in the recycle bin")
        record.deleted = False
        self._crm.state.touch(record)

    def empty_recycle_bin(self) -> int:
        """Remove all deleted rows of all modules for good; returns how many (API.md 3.9)."""
        tables = self._crm.state.tables.values()
        deleted = [row for table in tables for row in table.rows.values() if row.deleted]
        for record in deleted:
            self._crm.state.erase(record)
        return len(deleted)

    def add_records(self, module: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Records in bulk, each stored as a create would; rows with an ``id`` are loaded as they are."""
        described = modules()[module]
        return [self._add(described, row) for row in rows]

    def add_series(self, fields: Mapping[str, Any], dates: Iterable[str], recurringtype: str = "Weekly") -> list[str]:
        """A series made at the screen, whole: see ``save_series``."""
        return list(self.save_series(fields, dates, recurringtype))

    def save_series(self, fields: Mapping[str, Any], dates: Iterable[str], recurringtype: str) -> Iterator[str]:
        """A series being saved at the screen, record by record: the caller may look, or let time pass, in between.

        ``fields`` are those of the first occurrence, ``dates`` the days on which they begin. They share ``ical_uuid`` and are
        counted by ``recurr_idx``; only the first says ``recurringtype`` (API.md 7.6, ws-events-recurring-read).
        """
        uid = self._crm.state.new_uid()
        length = date.fromisoformat(fields["due_date"]) - date.fromisoformat(fields["date_start"])
        for index, first in enumerate(dates):
            last = (date.fromisoformat(first) + length).isoformat()
            days = {"date_start": first, "due_date": last, "recurringtype": "" if index else recurringtype}
            yield self._add(modules()["Events"], {**fields, **days, "ical_uuid": uid, "recurr_idx": str(index)})

    def add_users(self, users: Iterable[Mapping[str, Any]]) -> list[str]:
        """Users with their employees; zone and date format default to the server's and dd-mm-yyyy."""
        zone = self._crm.state.zone
        return [self._crm.people.add_user({"user_timezone": zone, **user}, creator="").id for user in users]

    def delete_user(self, user: str) -> None:
        """Delete a user, as an administrator does: it is inactive, its employee is not."""
        self._crm.people.end_user(int(user.partition("x")[2]))

    def add_groups(self, groups: Iterable[Mapping[str, Any]]) -> list[str]:
        """Groups; ``members`` are full ids of users, which no operation will tell."""
        return [self._crm.people.add_group(group).values["id"] for group in groups]

    def set_workflows(self, workflows: Iterable[Mapping[str, Any]]) -> None:
        """Replace the immediate workflows: ``{"module", "when": {...}, "set": {...}}`` each."""
        self._crm.writer.workflows[:] = [Workflow(**given) for given in workflows]

    def dump(self) -> dict[str, list[dict[str, Any]]]:
        """Every row by module, in server time, the recycle bin included (``deleted``)."""
        rows: dict[str, list[dict[str, Any]]] = {}
        for table in self._crm.state.tables.values():
            for record in table.by_number():
                module = self._crm.state.module_of(record)
                if module is not None:
                    rows.setdefault(module.name, []).append(_dumped(record, module))
        return rows

    def _add(self, module: Module, row: Mapping[str, Any]) -> str:
        if row.get("id"):
            return load_row(self._crm.state, module.name, row).values["id"]
        with self._at_the_screen():
            return self._crm.writer.insert(module, row, self._somebody()).values["id"]

    def _live(self, full: str) -> tuple[Module, Record]:
        module, number = split_id(full)
        record = self._crm.state.live(module, number) if module else None
        if module is None or record is None:
            raise ValueError(f"there is no record {full}")
        return module, record

    def _require_fields(self, module: Module, fields: Mapping[str, Any]) -> None:
        unknown = set(fields) - set(module.fields) - ({"invitees"} if module.name == "Events" else set())
        if unknown:
            raise ValueError(f"{module.name} has no fields {sorted(unknown)}")

    def _somebody(self) -> User:
        """An administrator at the screen, who speaks server time and yyyy-mm-dd."""
        state = self._crm.state
        admin = next(user for user in state.users.values() if user.is_admin)
        return User(admin.number, admin.values | {"user_timezone": state.zone, "date_format": "yyyy-mm-dd"})


def _dumped(record: Record, module: Module) -> dict[str, Any]:
    row: dict[str, Any] = {name: record.values[name] for name in module.fields}
    row["id"] = f"{module.prefix}x{record.number}"
    row["deleted"] = record.deleted
    if module.name == "Events":
        row["invitees"] = [dict(invitee) for invitee in record.invitees]
    return row
