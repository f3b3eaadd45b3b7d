"""$filter and $expand: what they may say here, and what they mean.

$filter is parsed into a predicate over a `Row`, which answers for a name its values (several for collections). What is not
understood is 400 `RequestBroker--ParseUri` (BEHAVIOUR 9); nothing is ignored in silence.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from emulators.graph.errors import parse_error

Row = Callable[[str], Any]  # name -> value, or list of values for `collection/member`
Predicate = Callable[[Row], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<time>\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?)"
    r"|(?P<word>[A-Za-z_][\w./-]*)|(?P<mark>[(),:]))"
)
_EXTENDED = "singlevalueextendedproperties"
_ORDERINGS = {
    "eq": operator.eq, "ne": operator.ne, "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt,
}  # fmt: skip


def parse_filter(
    text: str,
    known: frozenset[str],
    collections: dict[str, str] | None = None,
    times: frozenset[str] = frozenset(),
) -> Predicate:
    """A predicate for and / or / not, eq / ne / in, startswith / contains, and any() on the named collections.

    `collections` maps a collection to its only member that can be filtered (BEHAVIOUR 7.1: only `address`, with `any`
    and `eq`). Strings compare without case (BEHAVIOUR 6: value without case). The names in `times` hold aware datetimes,
    compared with ge, gt, le, lt, eq, ne; a time without offset is UTC.
    """
    return _Parser(text, known, collections or {}, times).parse()


def parse_expand(text: str | None) -> tuple[str, ...]:
    """Ids in `$expand=singleValueExtendedProperties($filter=id eq '...' [or id eq '...'])` (BEHAVIOUR 6)."""
    if text is None:
        return ()
    match = re.fullmatch(r"\s*(\w+)\s*\(\s*\$filter\s*=\s*(.*)\)\s*", text, re.DOTALL)
    if match is None or match[1].lower() != _EXTENDED:
        raise parse_error(
            f"The expand term '{text}' is not supported: name singleValueExtendedProperties, filtered by id."
        )
    terms = re.split(r"\s+or\s+(?=id\s+eq\s+')", match[2])
    ids = [re.fullmatch(r"\s*id\s+eq\s+'((?:[^']|'')*)'\s*", term) for term in terms]
    return tuple(_extended_match(each, text) for each in ids)


def _extended_match(match: re.Match[str] | None, text: str) -> str:
    if match is None:
        raise parse_error(f"Syntax error in '{text}'.")
    return match[1].replace("''", "'")


class _Parser:
    """Recursive descent over the few forms that the resources here answer."""

    def __init__(self, text: str, known: frozenset[str], collections: dict[str, str], times: frozenset[str]) -> None:
        self._text = text
        self._known = known
        self._collections = collections
        self._times = times
        self._tokens = self._split(text)
        self._at = 0

    def _split(self, text: str) -> list[str]:
        tokens, at = [], 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._refuse()
            tokens.append(match[0].strip())
            at = match.end()
        return tokens

    def _refuse(self) -> Exception:
        return parse_error(f"Invalid filter clause: '{self._text}'.")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self, expected: str = "") -> str:
        token = self._peek()
        if not token or (expected and token.lower() != expected):
            raise self._refuse()
        self._at += 1
        return token

    def _literal(self) -> Any:
        token = self._take()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'").casefold()
        if token in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[token]
        raise self._refuse()

    def parse(self) -> Predicate:
        predicate = self._or()
        if self._peek():
            raise self._refuse()
        return predicate

    def _or(self) -> Predicate:
        terms = [self._and()]
        while self._peek() == "or":
            self._take()
            terms.append(self._and())
        return terms[0] if len(terms) == 1 else lambda row: any(term(row) for term in terms)

    def _and(self) -> Predicate:
        terms = [self._not()]
        while self._peek() == "and":
            self._take()
            terms.append(self._not())
        return terms[0] if len(terms) == 1 else lambda row: all(term(row) for term in terms)

    def _not(self) -> Predicate:
        if self._peek() == "not":
            self._take()
            inner = self._not()
            return lambda row: not inner(row)
        if self._peek() == "(":
            self._take()
            inner = self._or()
            self._take(")")
            return inner
        return self._term()

    def _term(self) -> Predicate:
        word = self._take()
        if word in ("startswith", "contains"):
            self._take("(")
            name = self._name(self._take())
            self._take(",")
            test = _text_test(word, self._literal())
            self._take(")")
            return lambda row: test(row(name))
        if word.lower().endswith("/any"):
            return self._any(word[:-4])
        if word in self._times:
            return self._time(word)
        name, comparison = self._name(word), self._take()
        if comparison == "in":
            self._take("(")
            values = [self._literal()]
            while self._peek() == ",":
                self._take()
                values.append(self._literal())
            self._take(")")
            return lambda row: _fold(row(name)) in values
        if comparison not in ("eq", "ne"):
            raise self._refuse()
        compare = _text_test(comparison, self._literal())
        return lambda row: compare(row(name))

    def _time(self, name: str) -> Predicate:
        compare, text = _ORDERINGS.get(self._take()), self._take().strip("'")
        if compare is None:
            raise self._refuse()
        try:
            wanted = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise self._refuse() from None
        moment = wanted.replace(tzinfo=UTC) if wanted.tzinfo is None else wanted
        return lambda row: bool(compare(row(name), moment))

    def _name(self, word: str) -> str:
        if word not in self._known:
            raise parse_error(f"Could not find a property named '{word}'.")
        return word

    def _any(self, collection: str) -> Predicate:
        """`x/any(v: v/member eq '..')`, or the pair of an extended property's id and value."""
        self._take("(")
        variable = self._take()
        self._take(":")
        if collection.lower() == _EXTENDED and "extended" in self._collections:
            predicate = self._extended(variable)
        else:
            member = self._collections.get(collection)
            if member is None or self._take() != f"{variable}/{member}" or self._take() != "eq":
                raise self._refuse()
            wanted, name = self._literal(), f"{collection}/{member}"
            predicate = lambda row: wanted in map(_fold, row(name))  # noqa: E731
        self._take(")")
        return predicate

    def _extended(self, variable: str) -> Predicate:
        """The id compares with case, the value without (BEHAVIOUR 6)."""
        if self._take() != f"{variable}/id" or self._take() != "eq":
            raise self._refuse()
        prop = self._take()[1:-1].replace("''", "'")
        self._take("and")
        word = self._take()
        if word in ("startswith", "contains"):
            self._take("(")
            if self._take() != f"{variable}/value":
                raise self._refuse()
            self._take(",")
            test = _text_test(word, self._literal())
            self._take(")")
        elif word == f"{variable}/value" and self._peek() in ("eq", "ne"):
            test = _text_test(self._take(), self._literal())
        else:
            raise self._refuse()
        return lambda row: (value := row("extended:" + prop)) is not None and test(value)


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _text_test(comparison: str, wanted: Any) -> Callable[[Any], bool]:
    match comparison:
        case "eq":
            return lambda value: _fold(value) == wanted or (wanted is None and value == "")
        case "ne":
            return lambda value: _fold(value) != wanted
        case "startswith":
            return lambda value: isinstance(value, str) and value.casefold().startswith(str(wanted))
        case _:
            return lambda value: isinstance(value, str) and str(wanted) in value.casefold()
