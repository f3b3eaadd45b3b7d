"""Fill an empty CRM: from a file of seed.json's shape, or with the two users that a service needs.

Rows are taken as they are: they were read from a real server through ``get_changes``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from emulators.vtenext.people import People, user_values
from emulators.vtenext.schema import ACTIVITY, modules
from emulators.vtenext.state import ADDRESS_FIELD, NUMBERED, Record, State, User, split_id

ADMINISTRATOR = {"user_name": "admin", "last_name": "Administrator", "is_admin": "on", "roleid": "H2"}
SERVICE_USER = {
    "user_name": "svc.sync",
    "first_name": "Sync",
    "last_name": "Service",
    "email1": "svc.sync@crm.example",
    "is_admin": "on",
    "roleid": "H2",
    "default_language": "en_us",
    "date_format": "yyyy-mm-dd",
}


def fill(state: State, people: People, seed: Mapping[str, Any] | None) -> None:
    """Load a seed; without one the CRM holds ``admin`` and the service's administrator ``svc.sync``, no more."""
    if seed is None:
        for given in (ADMINISTRATOR, SERVICE_USER):
            people.add_user({**given, "user_timezone": state.zone}, creator="")
        return
    for given in seed.get("users", ()):
        _load_user(state, given)
    for given in seed.get("groups", ()):
        people.add_group(given)
    for module, lists in seed.get("modules", {}).items():
        rows = [*lists.get("created", ()), *lists.get("updated", ())]
        for row in sorted(rows, key=lambda row: split_id(row["id"])[1]):
            load_row(state, module, row)
    _complete_people(state, people)


def load_row(state: State, module: str, row: Mapping[str, Any]) -> Record:
    """Store one row as given: server time, full ids, the numbers it carries."""
    described = modules()[module]
    _, number = split_id(row["id"])
    values = empty_row(described.table)
    values.update({name: value for name, value in row.items() if isinstance(value, str)})
    record = Record(number, described.table, values, invitees=list(row.get("invitees", ())))
    state.add(record)
    _note_counter(state, module, values)
    address = values.get(ADDRESS_FIELD.get(module, ""), "")
    if address and row.get("newsletter_unsubscrpt") == "0":
        state.unsubscribed.add(address.lower())
    return record


def empty_row(table: str) -> dict[str, str]:
    """A row of a table with nothing written to it: the fields of all modules that share the table."""
    names = ("Events", "Calendar") if table == ACTIVITY else (table,)
    return {name: field.empty for module in names for name, field in modules()[module].fields.items()}


def _note_counter(state: State, module: str, values: Mapping[str, str]) -> None:
    if module in NUMBERED:
        digits = re.search(r"\d+$", values[NUMBERED[module][0]])
        state.last_counter[module] = max(state.last_counter[module], int(digits.group()) if digits else 0)


def _load_user(state: State, given: Mapping[str, Any]) -> None:
    number = split_id(given["id"])[1]
    state.add_user(User(number, user_values(given) | {"id": given["id"]}))


def _complete_people(state: State, people: People) -> None:
    """Employees whose user the seed does not list belong to inactive users; users without employee get one."""
    mirrored = set()
    for row in list(state.tables["Employees"].by_number()):
        owner = row.values["assigned_user_id"]
        mirrored.add(owner)
        if not state.owner_exists(owner):
            known = {"user_name": row.values["username"], "last_name": row.values["lastname"]}
            known |= {"status": "Inactive", "id": owner, "user_timezone": state.zone}
            _load_user(state, known)
    for user in list(state.users.values()):
        if user.id not in mirrored:
            people.mirror(user)
