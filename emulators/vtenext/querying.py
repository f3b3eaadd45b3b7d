"""Run a parsed query over the rows, with the database's ideas of comparing and ordering (API.md 4)."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import islice
from typing import Any

from emulators.vtenext import vtql
from emulators.vtenext.access import Access
from emulators.vtenext.errors import attribute_denied
from emulators.vtenext.schema import Field, Module, modules
from emulators.vtenext.state import Record, State, User, split_id
from emulators.vtenext.views import Views

Test = Callable[[dict[str, str]], bool]
_NUMERIC = ("integer", "currency", "boolean", "double")


@dataclass(frozen=True, slots=True)
class Searcher:
    """The query operation."""

    state: State
    access: Access
    views: Views

    def run(self, text: str, caller: User) -> list[dict[str, str]]:
        """The rows of a query, or a refusal."""
        query = vtql.parse(text)
        module = modules()[query.module]
        fields = self._allowed(module, caller)
        self._check_fields(query, fields)
        if any(name not in fields for name in query.order):
            return []  # ws-query-errors: ordering by an unknown field
        everything = self._users if module.name == "Users" else self._records
        found = everything(query, module, caller)
        if query.counts:
            return [{"count": str(sum(1 for _ in found))}]
        names = list(query.fields or fields)
        names += [] if "id" in names else ["id"]
        rows = _window(query, module, found)
        if module.name == "Users":
            return [{name: row.values[name] for name in names} for row in rows]
        return [self.views.queried(row, module, names, caller) for row in rows]

    def _allowed(self, module: Module, caller: User) -> dict[str, Field]:
        if module.name == "Users" and not caller.is_admin:  # ws-users-nonadmin
            return {"id": module.fields["id"]}
        return dict(module.fields)

    def _check_fields(self, query: vtql.Query, fields: dict[str, Field]) -> None:
        for name in query.fields:
            if name not in fields:
                raise attribute_denied(f"'.{name}.'")
        for condition in (condition for group in query.where for condition in group):
            if condition.field not in fields:
                raise attribute_denied(condition.field)

    def _records(self, query: vtql.Query, module: Module, caller: User) -> Iterator[Record]:
        test = _compiled(query, module)
        for record in self._candidates(query, module):
            if record.deleted or self.state.module_of(record) is not module:
                continue
            if test(record.values) and self.access.in_query(record, caller):
                yield record

    def _candidates(self, query: vtql.Query, module: Module) -> Iterable[Record]:
        """Rows worth testing, in order of id: one ``and`` group that names ids need not see the table."""
        table = self.state.tables[module.table]
        group = query.where[0] if len(query.where) == 1 else ()
        for condition in group:
            if condition.field == "id" and condition.operator in ("=", "in"):
                numbers = sorted({split_id(value)[1] for value in condition.values})
                return [table.rows[number] for number in numbers if number in table.rows]
        after = [split_id(c.values[0])[1] for c in group if c.field == "id" and c.operator == ">"]
        return table.by_number(max(after, default=0))

    def _users(self, query: vtql.Query, module: Module, caller: User) -> Iterator[Record]:
        """Active users, to administrators; inactive ones do not exist here (ws-users-query)."""
        test = _compiled(query, module)
        for number in sorted(self.state.users) if caller.is_admin else ():
            user = self.state.users[number]
            if user.active and test(user.values):
                yield Record(number, module.table, user.values)


def _window(query: vtql.Query, module: Module, found: Iterator[Record]) -> Iterator[Record]:
    """Order and limit. Ties, and rows without an order, come by id (ws-query-operators)."""
    order = query.order
    if not order and not query.where and query.fields == (module.label_field,):
        order = query.fields  # answered from the column's index, in its order (ws-auth-ok)
    rows: Iterable[Record] = found
    if order:
        keys = [(name, _comparable(module.fields[name])) for name in order]
        rows = sorted(found, key=lambda row: [key(row.values[name]) for name, key in keys], reverse=query.descending)
    return islice(rows, query.offset, query.offset + query.limit)


def _compiled(query: vtql.Query, module: Module) -> Test:
    """The where clause as one test of a row."""
    groups = [[_test(module.fields[each.field], each) for each in group] for group in query.where]
    if not groups:
        return lambda _: True
    return lambda values: any(all(test(values) for test in group) for group in groups)


def _test(field: Field, condition: vtql.Condition) -> Test:
    name = field.name
    comparable = _comparable(field)
    if condition.operator == "like":
        pattern = _like(condition.values[0])
        return lambda values: pattern.fullmatch(_folded(values[name])) is not None
    wanted = [comparable(value) for value in condition.values]
    if condition.operator == "in":
        among = set(wanted)
        return lambda values: comparable(values[name]) in among
    compare = _COMPARE[condition.operator]
    if field.type == "date":  # an empty date is NULL, which compares to nothing
        return lambda values: bool(values[name]) and compare(values[name], wanted[0])
    return lambda values: compare(comparable(values[name]), wanted[0])


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _comparable(field: Field) -> Callable[[str], Any]:
    """How the database compares a column: ids by number, datetimes as text, texts without case or accents."""
    if field.type == "autogenerated" and field.name == "id":
        return _by_number
    if field.type in ("reference", "owner"):
        return _by_full_id
    if field.type in _NUMERIC and field.sql_type != "varchar":
        return _number
    if field.type in ("date", "datetime"):
        return lambda value: value.replace("T", " ")
    return _folded


def _by_number(full: str) -> tuple[str, int]:
    prefix, _, _ = full.partition("x")
    return prefix, split_id(full)[1]


def _by_full_id(full: str) -> tuple[str, int]:
    return _by_number(full) if full else ("", 0)


def _number(value: str) -> Decimal:
    try:
        return Decimal(value)
    except InvalidOperation:
        return Decimal(0)


@lru_cache(maxsize=16384)
def _folded(value: str) -> str:
    """The collation of a MySQL-family database with 3-byte text: no case, no accents, no trailing blanks."""
    plain = unicodedata.normalize("NFD", value.rstrip(" ").casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def _like(pattern: str) -> re.Pattern[str]:
    parts = {"%": ".*", "_": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in _folded(pattern)), re.DOTALL)
