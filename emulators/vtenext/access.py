"""Who may reach which record: default sharing of a plain installation (API.md 7.3, 9, 10). Changes nothing."""

from __future__ import annotations

from emulators.vtenext.errors import denied, unreadable, wrong_id
from emulators.vtenext.schema import ACTIVITY, Module
from emulators.vtenext.state import Record, State, User, split_id


class Access:
    """Finds records by full id for a caller, and says which rows a caller's lists contain."""

    def __init__(self, state: State) -> None:
        self._state = state

    def locate(self, full: str, caller: User, *, writing: bool = False) -> tuple[Module, Record]:
        """The record of a full id, or the refusal that vtenext has for it (ws-*-errors, ws-wrong-prefix)."""
        module, number = split_id(full)
        if module is None:
            raise denied("id")
        record = self._state.find(number)
        if record is None or record.deleted:
            raise denied()
        if self._state.module_of(record) is not module:
            raise wrong_id()
        if not (self.may_write(record, caller) if writing else self.may_read(record, caller)):
            raise unreadable()
        return module, record

    def may_read(self, record: Record, caller: User) -> bool:
        """Reading one record by id: an invitee may, and anybody a public event."""
        return self.may_write(record, caller) or (record.table == ACTIVITY and self._invited(record, caller))

    def may_write(self, record: Record, caller: User) -> bool:
        """Changing or deleting: public events of anybody too (API.md trap 15)."""
        if caller.is_admin or self._shared(record) or self._owns(record, caller):
            return True
        return record.table == ACTIVITY and record.values["visibility"] == "Public"

    def in_query(self, record: Record, caller: User) -> bool:
        """Lists hold what is shared, owned or invited to, not the public events of others (API.md 4)."""
        if caller.is_admin or self._shared(record) or self._owns(record, caller):
            return True
        return record.table == ACTIVITY and self._invited(record, caller)

    def _shared(self, record: Record) -> bool:
        return record.table not in (ACTIVITY, "Employees")

    def _owns(self, record: Record, caller: User) -> bool:
        owner = record.values["assigned_user_id"]
        if owner == caller.id:
            return True
        module, number = split_id(owner)
        group = self._state.groups.get(number) if module and module.name == "Groups" else None
        return group is not None and caller.number in group.members

    def _invited(self, record: Record, caller: User) -> bool:
        return any(invitee["id"] == caller.id for invitee in record.invitees)
