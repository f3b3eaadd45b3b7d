"""Users and groups as entities of the web service, and the Employees module that mirrors the users (API.md 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from emulators.vtenext import columns
from emulators.vtenext.errors import denied, missing, not_found, unreadable
from emulators.vtenext.schema import Module, modules
from emulators.vtenext.state import Group, Record, State, User

_MIRRORED = {
    "lastname": "last_name",
    "firstname": "first_name",
    "username": "user_name",
    "role": "roleid",
    "title": "title",
    "department": "department",
    "email": "email1",
    "other_email": "email2",
    "mobile": "phone_mobile",
    "office_phone": "phone_work",
    "fax": "phone_fax",
    "home_phone": "phone_home",
    "other_phone": "phone_other",
    "street": "address_street",
    "city": "address_city",
    "state": "address_state",
    "postalcode": "address_postalcode",
    "country": "address_country",
    "description": "description",
}


def access_key(user_name: str) -> str:
    """The access key of a user that was given none: known to tests and the demo, like every emulator secret."""
    return f"{user_name}.key"


def password(user_name: str) -> str:
    """The password of a user that was given none."""
    return f"{user_name}.password"


def user_values(given: Mapping[str, Any]) -> dict[str, str]:
    """A complete row of a user: what was given, defaults for the rest, password as a hash."""
    fields = modules()["Users"].fields
    values = {name: field.empty for name, field in fields.items()}
    values.update({name: columns.text_of(value) for name, value in given.items() if name in fields})
    name = values["user_name"]
    hashed = hashlib.md5((values["user_password"] or password(name)).encode()).hexdigest()
    values["user_password"] = values["confirm_password"] = hashed
    values["accesskey"] = values["accesskey"] or access_key(name)
    for field, default in (("status", "Active"), ("is_admin", "off"), ("date_format", "dd-mm-yyyy")):
        values[field] = default if values[field] in ("", "0") else values[field]
    return values


class People:
    """The operations on users and groups."""

    def __init__(self, state: State) -> None:
        self._state = state

    # Users.

    def retrieve_user(self, number: int, caller: User) -> dict[str, str]:
        """Everything to administrators, to others only their own id (ws-users-nonadmin)."""
        user = self._user(number)
        if caller.is_admin:
            return dict(user.values)
        if user.number != caller.number:
            raise unreadable()
        return {"id": user.id}

    def create_user(self, given: Mapping[str, Any], caller: User) -> dict[str, str]:
        """A new user and its employee; the answer includes hash and access key (ws-employees-mirror-users)."""
        _require_admin(caller)
        _require(modules()["Users"], given)
        user = self.add_user(given, creator=caller.id)
        return dict(user.values)

    def revise_user(self, number: int, given: Mapping[str, Any], caller: User) -> dict[str, str]:
        """Change a user. Set Inactive it is answered once more, then never again (ws-users-deactivate)."""
        _require_admin(caller)
        user = self._user(number)
        for name, value in given.items():
            field = modules()["Users"].fields.get(name)
            if field and field.editable:
                user.values[name] = columns.stored(field, columns.text_of(value))
        self.mirror(user)
        return dict(user.values)

    def delete_user(self, number: int, caller: User) -> None:
        """Makes the user inactive; its employee stays active (seed: 19x10 unreadable, 47x135 active)."""
        _require_admin(caller)
        self.end_user(number)

    def end_user(self, number: int) -> None:
        """What a deletion does, whoever orders it."""
        self._user(number).values["status"] = "Inactive"

    def add_user(self, given: Mapping[str, Any], creator: str) -> User:
        """Store a user with the next number, or the one in ``id``, and its employee."""
        number = int(given["id"].split("x")[1]) if given.get("id") else self._state.new_person()
        user = User(number, user_values(given))
        user.values["id"] = user.id
        self._state.add_user(user)
        self.mirror(user, creator)
        return user

    def _user(self, number: int) -> User:
        user = self._state.users.get(number)
        if user is None:
            raise denied()
        if not user.active:
            raise not_found()
        return user

    def mirror(self, user: User, creator: str = "") -> None:
        """Create or bring up to date the employee of a user."""
        values = {name: user.values[source] for name, source in _MIRRORED.items()}
        values["active"] = "1" if user.active else "0"
        employee = self._employee_of(user)
        if employee is None:
            self._state.add(self._new_employee(user, values, creator))
            return
        employee.values.update(values)
        self._state.touch(employee)

    def _employee_of(self, user: User) -> Record | None:
        rows = self._state.tables["Employees"].by_number()
        return next((row for row in rows if row.values["assigned_user_id"] == user.id), None)

    def _new_employee(self, user: User, values: dict[str, str], creator: str) -> Record:
        module = modules()["Employees"]
        number = self._state.new_number()
        now = self._state.now()
        row = {name: field.empty for name, field in module.fields.items()}
        row |= values
        row |= {"employee_type": "Internal employee", "assigned_user_id": user.id, "creator": creator}
        row |= {"createdtime": now, "modifiedtime": now, "id": f"{module.prefix}x{number}"}
        return Record(number, module.table, row)

    # Groups.

    def retrieve_group(self, number: int) -> dict[str, str]:
        """One group, to anybody (ws-groups-retrieve)."""
        group = self._state.groups.get(number)
        if group is None:
            raise denied()
        return dict(group.values)

    def create_group(self, given: Mapping[str, Any], caller: User) -> dict[str, str]:
        """A group without members; both date fields are mandatory (ws-groups-create)."""
        _require_admin(caller)
        _require(modules()["Groups"], given)
        return dict(self.add_group(given).values)

    def revise_group(self, number: int, given: Mapping[str, Any], caller: User) -> dict[str, str]:
        """Change name, description or dates."""
        _require_admin(caller)
        values = self.retrieve_group(number)
        names = ("groupname", "description", "date_entered", "date_modified")
        values |= {name: columns.text_of(given[name]) for name in names if name in given}
        self._state.groups[number].values = values
        return dict(values)

    def delete_group(self, number: int, caller: User) -> None:
        """Remove a group; its records are left with an owner that does not exist."""
        _require_admin(caller)
        self.retrieve_group(number)
        del self._state.groups[number]

    def add_group(self, given: Mapping[str, Any]) -> Group:
        """Store a group with the next number, or the one in ``id``; ``members`` are full ids of users."""
        number = int(given["id"].split("x")[1]) if given.get("id") else self._state.new_person()
        names = ("groupname", "date_entered", "date_modified", "description")
        values = {"groupid": str(number), **{name: columns.text_of(given.get(name)) for name in names}}
        values["id"] = f"{modules()['Groups'].prefix}x{number}"
        members = {int(member.split("x")[1]) for member in given.get("members", ())}
        group = Group(number, values, members)
        self._state.add_group(group)
        return group


def _require(module: Module, given: Mapping[str, Any]) -> None:
    for field in module.mandatory:
        if not columns.text_of(given.get(field.name)):
            raise missing(field.name)


def _require_admin(caller: User) -> None:
    if not caller.is_admin:
        raise denied()
