"""Route templates as ASP.NET reads them, as far as Functions apps use them. Pure.

Literals (any case), {name}, {name?}, {*rest}, mixed segments like v{major}, and the constraints below.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from emulators.functions_host.config import ConfigError

_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "alpha": r"[a-zA-Z]+",
    "bool": r"true|false",
    "guid": r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}",
}
_PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_][\w-]*)((?::[^:{}?]+)*)(\??)\}")
_LITERAL, _NARROW, _ANY, _OPTIONAL, _REST = range(5)


@dataclass(frozen=True, slots=True)
class Route:
    """A parsed template; routes sort by precedence: the more definite one is tried first."""

    rank: tuple[int, ...]
    pattern: re.Pattern[str]
    names: tuple[str, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters of a path (as decoded by decode_path), or None."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: value for name, value in zip(self.names, found.groups(), strict=True) if value is not None}


def decode_path(raw: str) -> str:
    """The path to match: percent-decoded but for %2F, as Kestrel leaves it, without slashes around it."""
    return unquote(re.sub("(?i)%2f", "%252F", raw)).strip("/")


def parse(template: str, where: str) -> Route:
    """Parse a template, prefix included; ConfigError where it holds what this host does not know."""
    rank: list[int] = []
    names: list[str] = []
    pattern = ""
    for index, segment in enumerate(part for part in template.strip("/").split("/") if part):
        slash = "/" if index else ""
        if rank and rank[-1] >= _OPTIONAL:
            raise ConfigError(f"{where}: in the route {template!r} only the last segment may be optional")
        whole = _PARAMETER.fullmatch(segment)
        if whole and (whole[1] or whole[4]):
            rank.append(_REST if whole[1] else _OPTIONAL)
            names.append(whole[2])
            inner = "(.*)" if whole[1] else f"({_constraint(whole[3], where)})"
            pattern += f"(?:{slash}{inner})?"
        else:
            kind, piece = _segment(segment, names, where)
            rank.append(kind)
            pattern += slash + piece
    return Route(tuple(rank), re.compile(pattern, re.IGNORECASE | re.DOTALL), tuple(names))


def _segment(segment: str, names: list[str], where: str) -> tuple[int, str]:
    kind, pattern, position = _LITERAL, "", 0
    for parameter in _PARAMETER.finditer(segment):
        if parameter[1] or parameter[4]:
            raise ConfigError(f"{where}: {parameter[0]} must be a whole segment of the route")
        names.append(parameter[2])
        pattern += _literal(segment[position : parameter.start()], where) + f"({_constraint(parameter[3], where)})"
        position = parameter.end()
        kind = _ANY if parameter[0] == segment and not parameter[3] else _NARROW
    return kind, pattern + _literal(segment[position:], where)


def _literal(text: str, where: str) -> str:
    if "{" in text or "}" in text:
        raise ConfigError(f"{where}: {text!r} in its route is not supported by the local host")
    return re.escape(text)


def _constraint(text: str, where: str) -> str:
    wanted = [name for name in text.split(":") if name]
    unknown = [name for name in wanted if name not in _CONSTRAINTS]
    if unknown or len(wanted) > 1:
        known = ", ".join(_CONSTRAINTS)
        raise ConfigError(f"{where}: the route constraint {text[1:]!r} is not supported; known, one each: {known}")
    return _CONSTRAINTS[wanted[0]] if wanted else "[^/]+"
