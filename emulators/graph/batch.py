"""POST /$batch (BEHAVIOUR 4): 20 parts at most, fully sequential or fully parallel, every part answers for itself."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from emulators.corner import Fault
from emulators.graph.errors import GraphError, bad_request
from emulators.graph.http import Answer, Call, Json, shape, split_path, split_query

MAX_PARTS = 20
WIDTH = 4  # Outlook runs up to 4 parts of a batch at a time
Operation = Callable[[Call], Awaitable[Answer]]
_METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")


@dataclass(slots=True)
class _Armed:
    match: re.Pattern[str]
    nth: int
    times: int
    fault: Fault
    seen: int = 0


@dataclass(slots=True)
class PartFaults:
    """Counts of parts, and faults for single parts: the corner sees only the batch as a whole.

    `lost_response` = the part is carried out, and answers with the fault's status all the same.
    """

    counts: Counter[str] = field(default_factory=Counter)
    armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: Fault, *, match: str = "", nth: int = 1, times: int = 1) -> None:
        """Arm a fault for the nth part from now whose label ("PATCH /users/../contacts/{id}") matches."""
        if fault.kind not in ("status", "lost_response"):
            raise ValueError(f"a part cannot fail by {fault.kind}")
        self.armed.append(_Armed(re.compile(match), nth, times, fault))

    def reset(self) -> None:
        """No counts, no faults."""
        self.counts.clear()
        self.armed.clear()

    def strike(self, label: str) -> Fault | None:
        """Count the part; the first armed fault that hits it."""
        self.counts[label] += 1
        hit: Fault | None = None
        for each in self.armed:
            if each.match.search(label):
                each.seen += 1
                if each.nth <= each.seen < each.nth + each.times and hit is None:
                    hit = each.fault
        return hit


@dataclass(frozen=True, slots=True)
class _Part:
    id: str
    call: Call
    depends_on: str | None
    refused: str | None  # why it is answered 400 without being run


def _parse(call: Call) -> list[_Part]:
    """The parts; 400 for the whole batch when its form is wrong."""
    requests = call.json().get("requests")
    if not isinstance(requests, list) or not requests:
        raise bad_request("Invalid batch payload format: 'requests' is missing or empty.")
    if len(requests) > MAX_PARTS:
        raise bad_request(f"Number of batch request steps exceeds the maximum value of {MAX_PARTS}.")
    parts = [_part(call, each) for each in requests]
    if len({part.id for part in parts}) != len(parts):
        raise bad_request("Request ids in a batch must be unique.")
    chained = [part.depends_on for part in parts[1:]]
    if parts[0].depends_on is not None or any(chained):
        expected = [part.id for part in parts[:-1]]
        if parts[0].depends_on is not None or chained != expected:  # a mix is 400 (measured on To Do)
            raise bad_request("Batch requests must be either fully sequential or fully parallel.")
    return parts


def _part(outer: Call, raw: Any) -> _Part:
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str) or not raw["id"]:
        raise bad_request("Invalid batch payload format: each request needs a string 'id'.")
    method, url = str(raw.get("method", "")).upper(), raw.get("url")
    if method not in _METHODS or not isinstance(url, str) or not url:
        raise bad_request(f"Request '{raw['id']}' needs a method and a url.")
    if "://" in url or url.startswith("//"):
        raise bad_request(f"Request '{raw['id']}': the url must be relative to the version root.")
    given = raw.get("headers") or {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise bad_request(f"Request '{raw['id']}': headers must be an object of strings.")
    headers = {name.lower(): value for name, value in given.items()}
    depends = raw.get("dependsOn") or []
    if not isinstance(depends, list) or len(depends) > 1:
        raise bad_request(f"Request '{raw['id']}': dependsOn takes one id.")
    path, _, query = url.partition("?")
    segments = split_path(path)
    refused = None
    if segments == ("$batch",):
        refused = "Batches cannot be nested."
    elif raw.get("body") is not None and "content-type" not in headers:
        refused = "A request with a body needs a Content-Type header."
    body = raw.get("body") if raw.get("body") is not None else b""
    call = Call(method, segments, split_query(query), headers, body, outer.base, outer.caller)
    return _Part(raw["id"], call, depends[0] if depends else None, refused)


class Batch:
    """Runs the parts of one batch through `operation`."""

    def __init__(self, operation: Operation, faults: PartFaults, failure: Callable[[GraphError, Call], Answer]) -> None:
        self._operation = operation
        self._faults = faults
        self._failure = failure

    async def run(self, call: Call, *, losses: Callable[[], GraphError] | None) -> Answer:
        """200 with the answers; `losses` makes the 429 that a wide parallel batch on one mailbox runs into."""
        parts = _parse(call)
        chained = len(parts) > 1 and parts[1].depends_on is not None
        answers = await (self._chain(parts) if chained else self._parallel(parts, losses))
        return Answer(200, {"responses": answers})

    async def _chain(self, parts: list[_Part]) -> list[Json]:
        """One after the other in one slot; the followers of a failure never run."""
        answers: list[Json] = []
        failed = False
        for part in parts:
            if failed:
                message = f"The request '{part.depends_on}' that this one depends on has failed."
                answer = self._failure(GraphError(424, "FailedDependency", message), part.call)
            else:
                answer = await self._one(part)
                failed = answer.status >= 400
            answers.append(_rendered(part, answer))
        return answers

    async def _parallel(self, parts: list[_Part], losses: Callable[[], GraphError] | None) -> list[Json]:
        slots = asyncio.Semaphore(WIDTH)
        seen: Counter[str] = Counter()

        async def run(part: _Part) -> Json:
            mailbox = "/".join(part.call.segments[:2]).casefold()
            seen[mailbox] += 1
            if losses is not None and seen[mailbox] % (WIDTH + 1) == 0:  # BEHAVIOUR 11.12
                return _rendered(part, self._failure(losses(), part.call))
            async with slots:
                return _rendered(part, await self._one(part))

        if len(parts) == 1:
            return [await run(parts[0])]
        answers = await asyncio.gather(*(run(part) for part in parts))
        return answers[::-1]  # answers come in any order

    async def _one(self, part: _Part) -> Answer:
        if part.refused is not None:
            return self._failure(bad_request(part.refused), part.call)
        fault = self._faults.strike(f"{part.call.method} {shape(part.call.segments)}")
        if fault is None:
            return await self._operation(part.call)
        if fault.kind == "lost_response":
            await self._operation(part.call)
        message = fault.body or "Injected failure of a part."
        error = GraphError(fault.status, "UnknownError", message, dict(fault.headers))
        return self._failure(error, part.call)


def _rendered(part: _Part, answer: Answer) -> Json:
    headers = {"Cache-Control": "no-cache", **answer.headers}
    rendered: Json = {"id": part.id, "status": answer.status, "headers": headers}
    if answer.body is not None:
        headers["Content-Type"] = "application/json; odata.metadata=minimal; odata.streaming=true"
        rendered["body"] = answer.body
    return rendered


def is_batch(segments: tuple[str, ...]) -> bool:
    """Whether a path is the batch endpoint."""
    return segments == ("$batch",)
