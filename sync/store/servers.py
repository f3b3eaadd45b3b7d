"""Attempts counted per server (SPEC 4.3). Pure.

Each server has its own count, pause and cause: what one of them does never changes another's. A success tells something only when the pause
is over: an answer inside it belongs to a run that began before the failure.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

ATTEMPTS = 5
MICROSOFT = ("entra", "graph")
TOGETHER = 3
"""A failure that this many mailboxes have in one pause is the server's, not theirs."""
SPACING = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=60))


@dataclass(frozen=True, slots=True)
class Server:
    """A server that failed (`attempts` > 0) or asked for patience (0), until `due_at`."""

    server: str
    attempts: int
    due_at: str
    cause: str


def spacing(attempts: int) -> timedelta:
    """How long to wait after that many consecutive failed attempts (SPEC 4.3)."""
    return SPACING[min(max(attempts, 1), len(SPACING)) - 1]


def server_of(cause: str) -> str:
    """The server that a cause is about: the first word of its name."""
    return cause.partition("_")[0]


def failed(servers: Sequence[Server], cause: str, now: datetime) -> tuple[Server, ...]:
    """One more attempt of this cause's server in vain; the same servers when it failed in this pause already."""
    before = _find(servers, server_of(cause))
    if before.attempts and before.due_at > now.isoformat():
        return tuple(servers)
    attempts = before.attempts + 1
    due = max(before.due_at, (now + spacing(attempts)).isoformat())
    return _with(servers, Server(before.server, attempts, due, cause))


def asked_for_patience(servers: Sequence[Server], cause: str, due_at: str) -> tuple[Server, ...]:
    """A pause that the server asked for. It counts nothing and shortens no other pause."""
    before = _find(servers, server_of(cause))
    return _with(servers, Server(before.server, before.attempts, max(before.due_at, due_at), before.cause or cause))


def reached(servers: Sequence[Server], names: Sequence[str], now: datetime) -> tuple[Server, ...]:
    """These servers answered: their counts begin anew, unless their pause is not over."""
    return tuple(each for each in servers if each.server not in names or each.due_at > now.isoformat())


def used_up(servers: Sequence[Server]) -> Server | None:
    """The server whose attempts are used up."""
    return next((each for each in servers if each.attempts >= ATTEMPTS), None)


def parse(text: str) -> tuple[Server, ...]:
    return tuple(Server(**each) for each in json.loads(text or "[]"))


def dump(servers: Sequence[Server]) -> str:
    return json.dumps([asdict(each) for each in servers]) if servers else ""


def _find(servers: Sequence[Server], name: str) -> Server:
    return next((each for each in servers if each.server == name), Server(name, 0, "", ""))


def _with(servers: Sequence[Server], after: Server) -> tuple[Server, ...]:
    return tuple(sorted((*(s for s in servers if s.server != after.server), after), key=lambda s: s.server))
