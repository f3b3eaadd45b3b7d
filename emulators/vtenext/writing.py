"""create, revise, update, updateRecord, delete and relate, with the harm each of them does (API.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emulators.vtenext import activities, columns, invitees, zones
from emulators.vtenext.access import Access
from emulators.vtenext.errors import bad_reference, denied, missing, unassignable
from emulators.vtenext.people import People
from emulators.vtenext.schema import ACTIVITY, Field, Module, modules
from emulators.vtenext.seed import empty_row
from emulators.vtenext.state import ADDRESS_FIELD, NUMBERED, Record, State, User, split_id
from emulators.vtenext.views import Views

Element = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workflow:
    """An immediate workflow: when a new record has these values, these fields are set within the call."""

    module: str
    when: Mapping[str, str]
    set: Mapping[str, str]


@dataclass(slots=True)
class Writer:
    """The writing operations. Each answers with the record as its caller would retrieve it."""

    state: State
    access: Access
    people: People
    views: Views
    workflows: list[Workflow] = field(default_factory=list)

    def create(self, name: str, element: Element, caller: User) -> dict[str, str]:
        """Store a new record. A wrong owner is reported after the row is there (ws-poison-owner)."""
        if name == "Users":
            return self.people.create_user(element, caller)
        if name == "Groups":
            return self.people.create_group(element, caller)
        module = modules().get(name)
        if module is None or module.table not in self.state.tables or name == "Currency":
            raise denied()
        self._require(module, {field.name: element.get(field.name) for field in module.mandatory})
        self._check(module, element)
        record = self.insert(module, element, caller)
        return self.views.single(record, module, caller)

    def revise(self, element: Element, caller: User) -> dict[str, str]:
        """Change the fields given and no others; the modification time moves even when nothing changed."""
        return self._change(columns.text_of(element.get("id")), element, caller)

    def update_record(self, full: str, given: Element, caller: User) -> dict[str, str]:
        """Read all, put the columns in, write all back: what is shown differently is corrupted (API.md 3.3)."""
        kind, _ = split_id(full)
        if kind is not None and kind.name in ("Users", "Groups"):
            return self._change(full, given, caller)
        module, record = self.access.locate(full, caller, writing=True)
        return self._change(full, {**self.views.single(record, module, caller), **given}, caller)

    def update(self, element: Element, caller: User) -> dict[str, str]:
        """Replace: what is not given is emptied, and the address unsubscribed unless told (API.md 3.4)."""
        full = columns.text_of(element.get("id"))
        kind, _ = split_id(full)
        if kind is not None and kind.name in ("Users", "Groups"):
            return self._change(full, element, caller)
        module, record = self.access.locate(full, caller, writing=True)
        kept = {"id", "newsletter_unsubscrpt", "creator"}
        emptied = {name: "" for name in module.fields if name not in kept}
        answer = self._change(full, {**emptied, **element}, caller)
        if module.name in ADDRESS_FIELD and "newsletter_unsubscrpt" not in element:
            self._set_newsletter(record, module, "0")
            answer = self.views.single(record, module, caller)
        return answer

    def delete(self, full: str, caller: User) -> dict[str, str] | None:
        """Into the recycle bin; nothing to say about ids that are not there (ws-contacts-crud, ws-wrong-prefix)."""
        module, number = split_id(full)
        if module is None:
            raise denied("id")
        if module.name in ("Users", "Groups"):
            remove = self.people.delete_user if module.name == "Users" else self.people.delete_group
            remove(number, caller)
            return {"status": "successful"}
        if self.state.live(module, number) is None:
            return None
        _, record = self.access.locate(full, caller, writing=True)
        record.deleted = True
        self.state.touch(record)
        return {"status": "successful"}

    def relate(self, full: str, others: list[str], caller: User) -> None:
        """Link records: both sides count as modified; an event shows the first contact only (ws-relate)."""
        _, record = self.access.locate(full, caller, writing=True)
        for other in others:
            module, linked = self.access.locate(other, caller)
            if record.table == ACTIVITY and module.name == "Contacts" and not record.values["contact_id"]:
                record.values["contact_id"] = other
            self.state.touch(linked)
        self.state.touch(record)

    def insert(self, module: Module, element: Element, caller: User) -> Record:
        """Store a row without asking whether it is complete or allowed."""
        number, now = self.state.new_number(), self.state.now()
        row = empty_row(module.table) | {"createdtime": now, "modifiedtime": now}
        row["id"] = f"{module.prefix}x{number}"
        if "creator" in row:
            row["creator"] = caller.id
        if module.name in NUMBERED:
            row[NUMBERED[module.name][0]] = self.state.new_counter(module.name)
        record = Record(number, module.table, row)
        if record.table == ACTIVITY:
            activities.identify(row, element, self.state.new_uid)
        self._write(record, module, element, caller)
        self._run_workflows(record, module)
        self.state.add(record)
        if module.name == "Events":
            invitees.write(self.state, record, element, None, caller)
        return record

    def _change(self, full: str, given: Element, caller: User) -> dict[str, str]:
        kind, number = split_id(full)
        if kind is not None and kind.name == "Users":
            return self.people.revise_user(number, given, caller)
        if kind is not None and kind.name == "Groups":
            return self.people.revise_group(number, given, caller)
        module, record = self.access.locate(full, caller, writing=True)
        self._require(module, {field.name: given[field.name] for field in module.mandatory if field.name in given})
        self._check(module, given)
        before = invitees.times_of(record) if module.name == "Events" else None
        self._write(record, module, given, caller)
        if before is not None:
            invitees.write(self.state, record, given, before, caller)
        if module.name in ADDRESS_FIELD and "newsletter_unsubscrpt" in given:
            self._set_newsletter(record, module, columns.text_of(given["newsletter_unsubscrpt"]))
        self.state.touch(record)
        return self.views.single(record, module, caller)

    def _require(self, module: Module, given: Element) -> None:
        for name, value in given.items():
            if not columns.text_of(value):
                raise missing(name)

    def _check(self, module: Module, given: Element) -> None:
        """References and owners must be of a kind that the field takes; whether they exist is not asked."""
        for each in module.of_type("reference"):
            value = columns.text_of(given.get(each.name))
            target, _ = split_id(value)
            if value and (target is None or target.name not in each.refers_to):
                raise bad_reference(each.name)
        owner = columns.text_of(given.get("assigned_user_id"))
        target, _ = split_id(owner)
        if owner and (target is None or target.name not in ("Users", "Groups")):
            raise unassignable()

    def _write(self, record: Record, module: Module, given: Element, caller: User) -> None:
        """Put the given values into the row. Unknown and read-only fields are ignored without a word."""
        if record.table == ACTIVITY:
            activities.write_times(record.values, given, caller, self.state.zone)
        for name, value in given.items():
            each = module.fields.get(name)
            if each is None or not (each.editable or name == "creator"):  # creator: API.md 2.3
                continue
            if name not in activities.SPECIAL or record.table != ACTIVITY:
                record.values[name] = _column_value(each, columns.text_of(value), caller)
        if record.table == ACTIVITY:
            activities.write_special(record.values, given, module.name)

    def _set_newsletter(self, record: Record, module: Module, value: str) -> None:
        """The field is inverted: "1" receives. It is kept per address."""
        address = record.values[ADDRESS_FIELD[module.name]].lower()
        if address and value in ("1", "on"):
            self.state.unsubscribed.discard(address)
        elif address:
            self.state.unsubscribed.add(address)

    def _run_workflows(self, record: Record, module: Module) -> None:
        for workflow in self.workflows:
            fits = all(record.values.get(name) == value for name, value in workflow.when.items())
            if workflow.module == module.name and fits:
                record.values.update(workflow.set)


def _column_value(each: Field, value: str, caller: User) -> str:
    if each.type == "date":
        return zones.stored_date(value, caller.date_format)
    if each.type in ("reference", "owner"):
        return value
    return columns.stored(each, value)
