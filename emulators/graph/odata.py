"""Query options: $select, $top, $skip, $count, $orderby, $filter, and the paging of plain listings.

$filter is parsed into a predicate over a `Row`, which answers for a name its values (several for collections). The
service's refusals are 400 `RequestBroker--ParseUri` (BEHAVIOUR 9); nothing is ignored in silence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

from emulators.graph.errors import parse_error
from emulators.graph.http import Call, Json

DEFAULT_PAGE = 10  # BEHAVIOUR 7.2, Collections
MAX_PAGE = 1000
LISTING = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$count", "$expand"})

Row = Callable[[str], Any]  # name -> value, or list of values for `collection/member`
Predicate = Callable[[Row], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[A-Za-z_][\w./-]*)|(?P<mark>[(),:]))")
_EXTENDED = "singlevalueextendedproperties"


def check_options(call: Call, allowed: frozenset[str] = LISTING) -> None:
    """400 for a $option that the resource does not know."""
    for name in call.query:
        if name.startswith("$") and name not in allowed:
            raise parse_error(f"The query option '{name}' is not supported.")


def selected(call: Call, known: frozenset[str], kind: str) -> tuple[str, ...] | None:
    """The names of $select, checked; None = all."""
    raw = call.query.get("$select")
    if not raw:
        return None
    names = tuple(part.strip() for part in raw.split(","))
    for name in names:
        if name not in known:
            raise parse_error(f"Could not find a property named '{name}' on type '{kind}'.")
    return names


def pick(item: Json, names: tuple[str, ...] | None) -> Json:
    """The selected part of an item; id and annotations always stay."""
    if names is None:
        return item
    wanted = {"id", *names}
    return {key: value for key, value in item.items() if key in wanted or "@" in key}


def number(call: Call, name: str, default: int) -> int:
    """A whole number option, 400 unless it is one."""
    raw = call.query.get(name)
    if raw is None:
        return default
    if not raw.isdigit():
        raise parse_error(f"Invalid value '{raw}' for {name} query option found.")
    return int(raw)


def order(items: list[Any], call: Call, known: frozenset[str], value: Callable[[Any, str], Any]) -> list[Any]:
    """$orderby on plain properties, without case."""
    for clause in reversed((call.query.get("$orderby") or "").split(",")):
        words = clause.split()
        if not words:
            continue
        if words[0] not in known or words[1:] not in ([], ["asc"], ["desc"]):
            raise parse_error(f"The $orderby clause '{clause}' is not supported.")
        items = sorted(
            items,
            key=lambda item, name=words[0]: str(value(item, name) or "").casefold(),  # type: ignore[misc]
            reverse=words[1:] == ["desc"],
        )
    return items


def page(call: Call, items: Sequence[Any], render: Callable[[Any], Json], context: str, extra: int = 0) -> Json:
    """One page of a listing with its nextLink; `extra` is counted by $count but never returned."""
    top = number(call, "$top", call.page_size or DEFAULT_PAGE)
    if not 0 < top <= MAX_PAGE:
        raise parse_error(f"The limit of '{MAX_PAGE}' for Top query has been exceeded. The value is '{top}'.")
    skip = number(call, "$skip", 0)
    body: Json = {"@odata.context": f"{call.base}/$metadata#{context}"}
    if call.query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(items) + extra
    body["value"] = [render(item) for item in items[skip : skip + top]]
    if skip + top < len(items):
        query = {**call.query, "$skip": str(skip + top)}
        body["@odata.nextLink"] = link(call, query)
    return body


def link(call: Call, query: dict[str, str]) -> str:
    """An absolute link to the same path."""
    path = "/".join(quote(part, safe="@=") for part in call.segments)
    pairs = "&".join(f"{quote(name, safe='$')}={quote(text, safe='')}" for name, text in query.items())
    return f"{call.base}/{path}?{pairs}"


# $filter and $expand ---------------------------------------------------------------------------------------------


def parse_filter(text: str, known: frozenset[str], collections: dict[str, str] | None = None) -> Predicate:
    """A predicate for and / or / not, eq / ne / in, startswith / contains, and any() on the named collections.

    `collections` maps a collection to its only member that can be filtered (BEHAVIOUR 7.1: only `address`, with `any`
    and `eq`). Strings compare without case (BEHAVIOUR 6: value without case).
    """
    return _Parser(text, known, collections or {}).parse()


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

    def __init__(self, text: str, known: frozenset[str], collections: dict[str, str]) -> None:
        self._text = text
        self._known = known
        self._collections = collections
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
        name, operator = self._name(word), self._take()
        if operator == "in":
            self._take("(")
            values = [self._literal()]
            while self._peek() == ",":
                self._take()
                values.append(self._literal())
            self._take(")")
            return lambda row: _fold(row(name)) in values
        if operator not in ("eq", "ne"):
            raise self._refuse()
        compare = _text_test(operator, self._literal())
        return lambda row: compare(row(name))

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


def _text_test(operator: str, wanted: Any) -> Callable[[Any], bool]:
    match operator:
        case "eq":
            return lambda value: _fold(value) == wanted or (wanted is None and value == "")
        case "ne":
            return lambda value: _fold(value) != wanted
        case "startswith":
            return lambda value: isinstance(value, str) and value.casefold().startswith(str(wanted))
        case _:
            return lambda value: isinstance(value, str) and str(wanted) in value.casefold()
