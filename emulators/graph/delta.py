"""Delta rounds: opaque tokens bound to a scope, pages, repeats, empty pages, generations (BEHAVIOUR 2.1, 2.2).

A round freezes which entries it will tell of; each is rendered when its page is asked for. Every finished round is a new
generation of its scope; a mailbox keeps the last few.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from emulators.graph.errors import GraphError, badly_formed_token, sync_state_not_found
from emulators.graph.http import Answer, Call, Json
from emulators.graph.mailbox import Mailbox
from emulators.graph.world import World

# 2.3: not documented for contacts and contactFolders
REFUSED = ("$top", "$filter", "$orderby", "$expand", "$search", "$skip", "$count")
_FIRST_GENERATION = 100
_SECRET = b"delta tokens of the emulator"


@dataclass(slots=True)
class Round:
    """One pass: what it tells of, and where the next one will start."""

    scope: str
    generation: int
    upto: int
    entries: Sequence[Any]
    select: tuple[str, ...] | None
    finished_as: int | None = None  # a repeated GET of the last page gives the same state again


@dataclass(frozen=True, slots=True)
class Source:
    """What a resource tells of itself: its scope, everything, changes after a point, and how one entry reads."""

    mailbox: Mailbox
    scope: str
    kind: str
    everything: Callable[[], list[Any]]
    changes: Callable[[int], list[Any]]
    render: Callable[[Any], list[Json]]  # empty = nothing to say of it any more; a series is several, never split
    refused: tuple[str, ...] = REFUSED
    page: int | None = None  # how many a page holds when Prefer names none; None = as `quirks.delta_page`


class DeltaService:
    """Answers delta requests for any source."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rounds: dict[int, Round] = {}
        self._made = 0

    def reset(self) -> None:
        """Forget all rounds."""
        self._rounds.clear()

    def expire(self, mailbox: Mailbox) -> None:
        """Every token of the mailbox given out so far dies (BEHAVIOUR 2.2: evicted when the cache is full)."""
        for scope in mailbox.generations:
            mailbox.generations[scope] += self._world.quirks.generations_kept + 1

    def answer(self, call: Call, source: Source, select: tuple[str, ...] | None) -> Answer:
        """One page: of a new round, of the round after a deltaLink, or further on in one."""
        refused = [name for name in source.refused if name in call.query]
        if refused:
            names = ", ".join(f"'{name}'" for name in refused)
            message = f"The following parameters are not supported with change tracking over the '{source.kind}'"
            raise GraphError(400, "ErrorInvalidRequest", f"{message} resource: {names}.")
        source.mailbox.generations.setdefault(source.scope, _FIRST_GENERATION)
        if "$skiptoken" in call.query:
            state = self._state(call.query["$skiptoken"], "skip", source)
            current = self._rounds.get(state["round"])
            if current is None:
                raise self._unknown(state["generation"], source)
            return self._page(call, source, current, state["round"], state["at"], state["page"])
        if "$deltatoken" in call.query:
            state = self._state(call.query["$deltatoken"], "delta", source)
            names = state["select"]
            chosen = tuple(names) if names is not None else None
            return self._begin(call, source, source.changes(state["upto"]), chosen)
        return self._begin(call, source, source.everything(), select)

    def _begin(self, call: Call, source: Source, entries: list[Any], select: tuple[str, ...] | None) -> Answer:
        generation = source.mailbox.generations[source.scope]
        if self._world.quirks.delta_repeats:
            # 2.1: the same id may come several times in a round; which ones is nobody's promise
            entries = entries + [each for at, each in enumerate(entries) if (at + generation) % 7 == 6][:3]
        current = Round(source.scope, generation, source.mailbox.seq, entries, select)
        self._made += 1
        self._rounds[self._made] = current
        if len(self._rounds) > 2000:  # links that nobody followed to the end
            del self._rounds[next(iter(self._rounds))]
        return self._page(call, source, current, self._made, 0, 0)

    def _page(self, call: Call, source: Source, current: Round, key: int, at: int, number: int) -> Answer:
        quirks = self._world.quirks
        size = call.page_size or source.page or quirks.delta_page
        left = len(current.entries) - at
        empty = quirks.delta_empty_pages and left > 0 and number % 4 == 2  # empty, yet with a nextLink
        items: list[Json] = []
        while not empty and at < len(current.entries) and len(items) < size:
            items += source.render(current.entries[at])
            at += 1
        full = len(items) >= size
        if current.select is not None:
            wanted = {"id", *current.select}
            items = [{k: v for k, v in item.items() if k in wanted or "@" in k} for item in items]
        # a full last page is followed by one that holds the deltaLink and nothing else
        more = at < len(current.entries) or (quirks.delta_empty_pages and full)
        body: Json = {"@odata.context": f"{call.base}/$metadata#Collection({source.kind})", "value": items}
        path = "/".join(quote(part, safe="@=") for part in call.segments)
        if more:
            state: Json = {"round": key, "at": at, "page": number + 1, "generation": current.generation}
            token = self._token("skip", source, state)
            body["@odata.nextLink"] = f"{call.base}/{path}?$skiptoken={token}"
        else:
            state = {"generation": self._finish(source, current), "upto": current.upto, "select": current.select}
            token = self._token("delta", source, state)
            body["@odata.deltaLink"] = f"{call.base}/{path}?$deltatoken={token}"
        return Answer(200, body)

    def _finish(self, source: Source, current: Round) -> int:
        if current.finished_as is None:
            source.mailbox.generations[source.scope] += 1
            current.finished_as = source.mailbox.generations[source.scope]
        return current.finished_as

    def _token(self, kind: str, source: Source, state: dict[str, Any]) -> str:
        state = {**state, "kind": kind, "scope": source.scope, "owner": source.mailbox.owner, "e": self._world.epoch}
        raw = json.dumps(state, separators=(",", ":")).encode()
        sealed = hashlib.blake2b(raw, key=_SECRET, digest_size=9).digest() + bytes(b ^ 0xA5 for b in raw)
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def scope_of(self, call: Call) -> str | None:
        """The scope that the token of a link was made for, None without a token; 400 tampered with."""
        token = call.query.get("$skiptoken") or call.query.get("$deltatoken")
        return None if token is None else str(_opened(token)["scope"])

    def _state(self, token: str, kind: str, source: Source) -> dict[str, Any]:
        """400 tampered with; 410 of another scope, of before a reset, or too many generations ago."""
        state = _opened(token)
        if state["kind"] != kind:
            raise badly_formed_token()
        known = (state["scope"], state["owner"], state["e"])
        if known != (source.scope, source.mailbox.owner, self._world.epoch):
            raise self._unknown(state["generation"], source)  # 2.2, measured on To Do: 410 for another list
        if state["generation"] <= source.mailbox.generations[source.scope] - self._world.quirks.generations_kept:
            raise self._unknown(state["generation"], source)
        return state

    def _unknown(self, generation: int, source: Source) -> GraphError:
        highest = source.mailbox.generations[source.scope]
        oldest = max(_FIRST_GENERATION, highest - self._world.quirks.generations_kept + 1)
        return sync_state_not_found(generation, list(range(oldest, highest + 1)))


def _opened(token: str) -> dict[str, Any]:
    """What a token says; 400 unless it is one of ours, untouched."""
    try:
        sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise badly_formed_token() from error
    raw = bytes(b ^ 0xA5 for b in sealed[9:])
    if hashlib.blake2b(raw, key=_SECRET, digest_size=9).digest() != sealed[:9]:
        raise badly_formed_token()
    state: dict[str, Any] = json.loads(raw)
    return state
