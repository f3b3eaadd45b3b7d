"""Bicep as words: what each file declares and what refers to it. pycep tells no name from a text with the same letters; this does.

Reads only what Bicep accepts; of a file that it does not accept it says nothing useful, which is pycep's part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

KEYWORDS = frozenset({"true", "false", "null", "if", "for", "in", "existing"})
DECLARING = frozenset({"param", "var", "resource", "module", "output", "targetScope"})
_WORD = re.compile(
    r"(?P<space>[ \t\r]+)|(?P<newline>\n)|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<long>'''.*?''')|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<number>\d+)|(?P<sign>\.\?|\?\?|&&|\|\||[=!<>]=|[-+*/%!<>?:=.,(){}\[\]@])",
    re.DOTALL,
)


class Unreadable(Exception):
    """Something that is no Bicep, with its line."""


@dataclass(frozen=True, slots=True)
class Word:
    """`kind`: name | text | number | sign. `first`: nothing stands before it on its line."""

    kind: str
    text: str
    line: int
    first: bool


@dataclass(frozen=True, slots=True)
class Reference:
    """`name` is used at `line`, followed by `.path`; `called`: as a function."""

    name: str
    path: tuple[str, ...]
    line: int
    called: bool


@dataclass(slots=True)
class Declared:
    """What a file declares, name -> line."""

    params: dict[str, int] = field(default_factory=dict)
    variables: dict[str, int] = field(default_factory=dict)
    resources: dict[str, int] = field(default_factory=dict)
    modules: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)

    def symbols(self) -> dict[str, int]:
        """Everything that an expression may name."""
        return {**self.params, **self.variables, **self.resources, **self.modules}


def words(text: str, line: int = 1) -> list[Word]:
    """The words of a text; what stands in `${...}` of a text follows that text's word. Raises Unreadable."""
    found: list[Word] = []
    at, first = 0, True
    while at < len(text):
        if text[at] == "'" and not text.startswith("'''", at):
            end, inner = _quoted(text, at, line)
            found.append(Word("text", text[at:end], line, first))
            for part, part_line in inner:
                found += [
                    Word("sign", "(", part_line, False),
                    *words(part, part_line),
                    Word("sign", ")", part_line, False),
                ]
            at, first = end, False
            continue
        match = _WORD.match(text, at)
        if match is None:
            raise Unreadable(f"line {line}: {text[at]!r}")
        kind, at = match.lastgroup or "", match.end()
        if kind == "newline":
            line, first = line + 1, True
        elif kind in ("comment", "long"):
            if kind == "long":
                found.append(Word("text", match.group(), line, first))
            line += match.group().count("\n")
        elif kind != "space":
            found.append(Word(kind, match.group(), line, first))
            first = False
    return found


def _quoted(text: str, start: int, line: int) -> tuple[int, list[tuple[str, int]]]:
    """Where the text that begins at `start` ends, and what stands in its `${...}`."""
    inner: list[tuple[str, int]] = []
    at = start + 1
    while at < len(text) and text[at] not in "'\n":
        if text[at] == "\\":
            at += 2
        elif text.startswith("${", at):
            end = _closing(text, at + 2, line)
            inner.append((text[at + 2 : end], line))
            at = end + 1
        else:
            at += 1
    if at >= len(text) or text[at] == "\n":
        raise Unreadable(f"line {line}: a text that does not end")
    return at + 1, inner


def _closing(text: str, at: int, line: int) -> int:
    depth = 0
    while at < len(text):
        if text[at] == "'":
            at = _quoted(text, at, line)[0]
            continue
        if text[at] == "}" and depth == 0:
            return at
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    raise Unreadable(f"line {line}: ${{ without its end")


def declared(found: list[Word]) -> Declared:
    """The declarations of a file: a word that declares, first on its line, outside of every bracket."""
    result = Declared()
    places = {
        "param": result.params,
        "var": result.variables,
        "resource": result.resources,
        "module": result.modules,
        "output": result.outputs,
    }
    for word, following in _top(found):
        if word.text in places and following is not None and following.kind == "name":
            places[word.text][following.text] = following.line
    return result


def _top(found: list[Word]) -> Iterator[tuple[Word, Word | None]]:
    depth = 0
    for i, word in enumerate(found):
        if depth == 0 and word.kind == "name" and word.first:
            yield word, found[i + 1] if i + 1 < len(found) else None
        if word.kind == "sign":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(word.text, 0)


def nested(found: list[Word]) -> list[int]:
    """Lines of resources inside of others: pycep keeps the last of them only, so we write none."""
    depth, lines = 0, []
    for word in found:
        if depth and word.first and word.kind == "name" and word.text == "resource":
            lines.append(word.line)
        if word.kind == "sign":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(word.text, 0)
    return lines


def references(found: list[Word]) -> Iterator[Reference]:
    """Every name that an expression uses, but for the variables of loops where they hold."""
    loops: list[tuple[int, set[str]]] = []  # depth of the bracket, its variables
    depth, skip = 0, _declaring(found)
    for i, word in enumerate(found):
        before = found[i - 1] if i else None
        if word.kind == "sign":
            depth += {"(": 1, "[": 1, "{": 1}.get(word.text, 0)
            if word.text == "[" and i + 1 < len(found) and found[i + 1].text == "for":
                loops.append((depth, _variables(found[i + 2 :])))
            if word.text in ")]}":
                loops = [each for each in loops if each[0] != depth]
                depth -= 1
            continue
        if word.kind != "name" or i in skip or word.text in KEYWORDS:
            continue
        if before is not None and before.kind == "sign" and before.text in (".", ".?", "@"):
            continue
        after = found[i + 1] if i + 1 < len(found) else None
        is_key = word.first or (before is not None and before.text in "{,")
        if after is not None and after.text == ":" and is_key:
            continue
        if any(word.text in names for _, names in loops):
            continue
        called = after is not None and after.text == "("
        yield Reference(word.text, () if called else _path(found[i + 1 :]), word.line, called)


def _declaring(found: list[Word]) -> set[int]:
    """Places of the words of declarations themselves: the keyword, the name and, of parameters and outputs, the type."""
    places: set[int] = set()
    depth = 0
    for i, word in enumerate(found):
        if depth == 0 and word.first and word.text in DECLARING:
            places |= {i, i + 1} if word.text != "targetScope" else {i}
            places |= {i + 2} if word.text in ("param", "output") else set()
        if word.kind == "sign":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(word.text, 0)
    return places


def _variables(after_for: list[Word]) -> set[str]:
    names: set[str] = set()
    for word in after_for:
        if word.text == "in":
            return names
        if word.kind == "name":
            names.add(word.text)
    return names


def _path(after: list[Word]) -> tuple[str, ...]:
    """`.a.b` after a name; an index in between (`[0]`, `[i]`) is passed over."""
    path: list[str] = []
    at = 0
    while at + 1 < len(after):
        if after[at].text == "[" and at + 2 < len(after) and after[at + 2].text == "]" and not after[at].first:
            at += 3
        elif after[at].text in (".", ".?") and after[at + 1].kind == "name":
            path.append(after[at + 1].text)
            at += 2
        else:
            break
    return tuple(path)
