"""The corner that every emulator carries under ``/_emulator/``: counts, latency, faults, clock, reset.

Tests, the demo and the benches use it; product code never does. It knows nothing of the protocol behind it:
the emulator names each request (``label``), empties itself (``on_reset``) and may add endpoints of its own
(``extra``).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Endpoint = Callable[[dict[str, Any]], Any]
FaultKind = Literal["status", "lost_response", "drop", "delay"]

PREFIX = "/_emulator/"


class Dropped(Exception):
    """The connection dies without an answer: no HTTP status exists that could say this."""


class Clock:
    """The emulator's only source of time. Ticks with the real clock until it is ``set``."""

    def __init__(self, at: datetime | None = None) -> None:
        self._at: datetime | None = None
        self._offset = timedelta()
        self.set(at)

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self._at if self._at is not None else datetime.now(UTC) + self._offset

    def set(self, at: datetime | None) -> None:
        """Stop the clock at ``at``; ``None`` goes back to real time."""
        if at is not None and at.tzinfo is None:
            raise ValueError("the clock takes aware datetimes only")
        self._at = at.astimezone(UTC) if at is not None else None
        self._offset = timedelta()

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; a ticking clock goes on ticking from there."""
        if self._at is not None:
            self._at += timedelta(seconds=seconds)
        else:
            self._offset += timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. ``lost_response`` is handled and committed, ``drop`` never reaches the emulator."""

    kind: FaultKind
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in ("status", "lost_response", "drop", "delay"):
            raise ValueError(f"unknown kind of fault: {self.kind}")


@dataclass(slots=True)
class _Armed:
    """A fault waiting for its requests: the ``nth`` match from now on, then ``times`` in a row."""

    id: int
    match: re.Pattern[str]
    nth: int
    times: int
    fault: Fault
    seen: int = 0

    def strikes(self, label: str) -> bool:
        if not self.match.search(label):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


def default_label(scope: Scope, body: bytes) -> str:
    """``METHOD /path``: the name of a request where the emulator has nothing better."""
    return f"{scope['method']} {scope['path']}"


class Corner:
    """ASGI middleware: answers ``/_emulator/...`` itself, counts and disturbs everything else."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        label: Callable[[Scope, bytes], str] = default_label,
        on_reset: Callable[[], None],
        extra: Mapping[tuple[str, str], Endpoint] | None = None,
    ) -> None:
        self.app = app
        self.clock = clock
        self.counts: Counter[str] = Counter()
        self.round_trip_ms = 0.0
        self.service_ms = 0.0
        self._label = label
        self._on_reset = on_reset
        self._armed: list[_Armed] = []
        self._sought: set[str] = set()
        self.sightings: dict[str, datetime] = {}
        self._fault_ids = 0
        self._endpoints: dict[tuple[str, str], Endpoint] = {**self._own_endpoints(), **(extra or {})}

    # In-process use: the same things as the HTTP endpoints.

    @property
    def total(self) -> int:
        """How many requests were counted since the last reset (the corner's own are not)."""
        return self.counts.total()

    def service_time(self) -> float:
        """Seconds that one operation takes; the emulator asks and sleeps as its protocol demands."""
        return self.service_ms / 1000

    def set_latency(self, *, round_trip_ms: float = 0.0, service_ms: float = 0.0) -> None:
        """Round trip is added to every HTTP request, service time to every operation."""
        self.round_trip_ms, self.service_ms = round_trip_ms, service_ms

    def add_fault(self, fault: Fault, *, match: str = "", nth: int = 1, times: int = 1) -> int:
        """Arm a fault for the ``nth`` request from now whose label matches; returns its id."""
        self._fault_ids += 1
        self._armed.append(_Armed(self._fault_ids, re.compile(match), nth, times, fault))
        return self._fault_ids

    def seek(self, texts: Sequence[str]) -> None:
        """Note when a request with one of these texts in its label or body first arrives, from now on."""
        self._sought.update(texts)
        for text in texts:
            self.sightings.pop(text, None)

    def clear_faults(self) -> None:
        """Disarm every fault."""
        self._armed.clear()

    def reset(self) -> None:
        """Empty the emulator, the counts and the faults. Clock and latency stay."""
        self.counts.clear()
        self._sought.clear()
        self.sightings.clear()
        self.clear_faults()
        self._on_reset()

    # ASGI.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = await _read_body(receive)
        if scope["path"].startswith(PREFIX):
            await self._answer(scope, body, send)
            return
        label = self._label(scope, body)
        self.counts[label] += 1
        if self._sought:
            self._look_out(label, body)
        fault = self._fault_for(label)
        if self.round_trip_ms:
            await asyncio.sleep(self.round_trip_ms / 1000)
        if fault is None:
            await self.app(scope, _replay(body), send)
        else:
            await self._disturbed(fault, scope, body, send)

    def _look_out(self, label: str, body: bytes) -> None:
        said = f"{label} {body.decode(errors='replace')}"
        for text in [each for each in self._sought if each in said]:
            self._sought.discard(text)
            self.sightings[text] = self.clock.now()

    def _fault_for(self, label: str) -> Fault | None:
        """The first armed fault that strikes; all of them count the request."""
        struck = [armed for armed in self._armed if armed.strikes(label)] if self._armed else []
        return struck[0].fault if struck else None

    async def _disturbed(self, fault: Fault, scope: Scope, body: bytes, send: Send) -> None:
        if fault.kind == "drop":
            raise Dropped(scope["path"])
        if fault.kind == "status":
            await _respond(send, fault.status, fault.body.encode(), fault.headers)
            return
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self.app(scope, _replay(body), send)
            return
        await self.app(scope, _replay(body), _nowhere)
        raise Dropped(scope["path"])

    # HTTP endpoints.

    async def _answer(self, scope: Scope, body: bytes, send: Send) -> None:
        endpoint = self._endpoints.get((scope["method"], scope["path"].removeprefix(PREFIX)))
        if endpoint is None:
            await _respond_json(send, 404, {"error": f"no such endpoint: {scope['method']} {scope['path']}"})
            return
        try:
            result = endpoint(json.loads(body) if body else {})
        except (KeyError, ValueError, TypeError, re.error) as error:
            await _respond_json(send, 400, {"error": f"{type(error).__name__}: {error}"})
            return
        await _respond_json(send, 200, {} if result is None else result)

    def _own_endpoints(self) -> dict[tuple[str, str], Endpoint]:
        return {
            ("GET", "requests"): lambda _: {"total": self.total, "by": dict(self.counts)},
            ("POST", "sightings"): lambda given: self.seek(given["texts"]),
            ("GET", "sightings"): lambda _: {text: at.isoformat() for text, at in self.sightings.items()},
            ("POST", "reset"): lambda _: self.reset(),
            ("PUT", "latency"): lambda given: self.set_latency(**given),
            ("POST", "faults"): self._post_fault,
            ("DELETE", "faults"): lambda _: self.clear_faults(),
            ("GET", "clock"): lambda _: self._clock_state(),
            ("PUT", "clock"): self._put_clock,
            ("POST", "clock/advance"): self._advance_clock,
        }

    def _post_fault(self, given: dict[str, Any]) -> dict[str, int]:
        options = {name: given[name] for name in ("match", "nth", "times") if name in given}
        spec = dict(given["fault"])
        if not isinstance(spec.get("body", ""), str):
            spec["body"] = json.dumps(spec["body"])
        return {"id": self.add_fault(Fault(**spec), **options)}

    def _clock_state(self) -> dict[str, str]:
        return {"now": self.clock.now().isoformat()}

    def _put_clock(self, given: dict[str, Any]) -> dict[str, str]:
        at = given["now"]
        self.clock.set(None if at is None else datetime.fromisoformat(at.replace("Z", "+00:00")))
        return self._clock_state()

    def _advance_clock(self, given: dict[str, Any]) -> dict[str, str]:
        self.clock.advance(float(given["seconds"]))
        return self._clock_state()


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
    return b"".join(parts)


def _replay(body: bytes) -> Receive:
    """A ``receive`` that hands over the body once more, then reports the client gone."""
    messages = iter(({"type": "http.request", "body": body, "more_body": False},))

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return receive


async def _nowhere(message: Message) -> None:
    """The answer that never arrives."""


async def _respond(send: Send, status: int, body: bytes, headers: Mapping[str, str]) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


async def _respond_json(send: Send, status: int, payload: Any) -> None:
    await _respond(send, status, json.dumps(payload).encode(), {"content-type": "application/json"})
