"""The query language: text to ``Query``, or the refusal that the real parser gives (API.md 4). Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emulators.vtenext.errors import Crash, Refused, denied, internal
from emulators.vtenext.schema import modules

DEFAULT_LIMIT = 1000
_COMPARISONS = {"=": "EQ", "<": "LT", ">": "GT", "<=": "LTE", ">=": "GTE", "!=": "NE"}
_SIGNS = {**_COMPARISONS, "(": "PARENOPEN", ")": "PARENCLOSE", ",": "COMMA", ";": "SEMICOLON", "*": "ASTERISK"}
_KEYWORDS = {"select", "from", "where", "and", "or", "order", "by", "limit", "in", "like", "asc", "desc", "count"}
_TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|(<=|>=|!=|[=<>(),;*])|([^\s'=<>(),;*!]+)|(\S))")
_FROM = re.compile(r"\bfrom\s+([^\s;,]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Condition:
    """``field operator values``: one value, or several for ``in``."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. ``where`` is an or of ands; no ``fields`` means ``*``."""

    module: str
    fields: tuple[str, ...]
    counts: bool
    where: tuple[tuple[Condition, ...], ...]
    order: tuple[str, ...]
    descending: bool
    offset: int
    limit: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # QUOTED, WORD, UNKNOWN, END or the name of a sign
    text: str

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "WORD" and self.text.lower() in _KEYWORDS else ""


def module_in(text: str) -> str | None:
    """The module a query speaks of, without parsing it; ``None`` without a ``from``."""
    found = _FROM.search(text)
    return found.group(1) if found else None


def parse(text: str) -> Query:
    """Understand a query. The module is judged before the syntax (ws-query-errors)."""
    named = module_in(text)
    if named is None:
        raise denied("query")
    name = next((known for known in modules() if known.lower() == named.lower()), None)
    if name is None:
        raise denied("name")
    if name in ("Groups", "Currency"):  # every entity that is no module (ws-query-groups-crash)
        raise Crash
    return _Parser(text, name).query()


def _tokens(text: str) -> Iterator[_Token]:
    for quoted, sign, word, other in _TOKEN.findall(text):
        if sign:
            yield _Token(_SIGNS[sign], sign)
        elif word:
            if "." in word:  # a dotted path, or a word that only quotes would save (API.md 2.2)
                raise internal()
            yield _Token("WORD", word)
        elif other:
            yield _Token("UNKNOWN", other)
        elif not quoted:
            raise internal()  # the empty string literal
        else:
            yield _Token("QUOTED", quoted.replace("''", "'"))


class _Parser:
    """Recursive descent over the tokens; errors name the token and what was expected instead."""

    def __init__(self, text: str, module: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._module = module

    def query(self) -> Query:
        self._keyword("select", "SELECT")
        fields, counts = self._columns()
        self._keyword("from", "FRM")
        self._next()
        where = self._where() if self._accept("where") else ()
        order, descending = self._order() if self._accept("order") else ((), False)
        offset, limit = self._limit() if self._accept("limit") else (0, DEFAULT_LIMIT)
        self._sign("SEMICOLON")
        return Query(self._module, fields, counts, where, order, descending, offset, limit)

    def _columns(self) -> tuple[tuple[str, ...], bool]:
        if self._is("ASTERISK"):
            self._next()
            return (), False
        if self._accept("count"):
            for sign in ("PARENOPEN", "ASTERISK", "PARENCLOSE"):
                self._sign(sign)
            return (), True
        return tuple(self._list(self._column)), False

    def _where(self) -> tuple[tuple[Condition, ...], ...]:
        groups = [[self._condition()]]
        while True:
            if self._accept("and"):
                groups[-1].append(self._condition())
            elif self._accept("or"):
                groups.append([self._condition()])
            else:
                return tuple(tuple(group) for group in groups)

    def _condition(self) -> Condition:
        field = self._column()
        token = self._peek()
        if token.kind in _COMPARISONS.values():
            self._next()
            return Condition(field, token.text, (self._value(),))
        if self._accept("like"):
            return Condition(field, "like", (self._value(),))
        if self._accept("in"):
            self._sign("PARENOPEN")
            values = tuple(self._list(self._value))
            self._sign("PARENCLOSE")
            return Condition(field, "in", values)
        raise self._unexpected("EQ,LT,GT,LTE,GTE,NE,IN,LIKE")

    def _order(self) -> tuple[tuple[str, ...], bool]:
        self._keyword("by", "BY")
        fields = tuple(self._list(self._column))
        descending = self._accept("desc")
        if not descending:
            self._accept("asc")
        return fields, descending

    def _limit(self) -> tuple[int, int]:
        numbers = [self._integer()]
        if self._is("COMMA"):
            self._next()
            numbers.append(self._integer())
        if min(numbers) < 0:  # a negative limit is ignored (API.md 4)
            return 0, DEFAULT_LIMIT
        return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, numbers[0])

    def _integer(self) -> int:
        token = self._peek()
        if not re.fullmatch(r"-?\d+", token.text):
            raise self._unexpected("VALUE")
        self._next()
        return int(token.text)

    def _list(self, item: Callable[[], str]) -> Iterator[str]:
        yield item()
        while self._is("COMMA"):
            self._next()
            yield item()

    def _column(self) -> str:
        token = self._peek()
        if token.kind != "WORD" or token.keyword:
            raise self._unexpected("COLUMNNAME")
        self._next()
        return token.text

    def _value(self) -> str:
        token = self._peek()
        if token.kind not in ("QUOTED", "WORD"):
            raise self._unexpected("VALUE")
        self._next()
        return token.text

    def _keyword(self, word: str, name: str) -> None:
        if not self._accept(word):
            raise self._unexpected(name)

    def _sign(self, kind: str) -> None:
        if not self._is(kind):
            raise self._unexpected(kind)
        self._next()

    def _accept(self, word: str) -> bool:
        found = self._peek().keyword == word
        self._at += found
        return found

    def _is(self, kind: str) -> bool:
        return self._peek().kind == kind

    def _peek(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _Token("END", "")

    def _next(self) -> None:
        self._at += 1

    def _unexpected(self, expected: str) -> Refused:
        token = self._peek()
        if token.kind == "END":
            text = self._tokens[-1].text if self._tokens else ""
            found = "End of Input(0)"
        else:
            text = token.text
            first = self._at == 0
            kind = "Unknown" if first or token.kind == "UNKNOWN" else token.kind
            found = f"{'VALUE' if kind in ('WORD', 'QUOTED') else kind}({text})"
        message = f"Syntax Error on line 1: token '{text}' Unexpected {found}, expected one of: {expected}"
        return Refused("QUERY_SYNTAX_ERROR", message)
