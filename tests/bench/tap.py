"""A wiretap between an app and Azurite: counts what storage is asked, and writes down every state of the mailboxes' rows that was stored.

It hands on bytes as they are and reads along. Of two runs of one mailbox at a time the rows tell with certainty, whatever clocks say: every write
of a row is guarded by its ETag, so its states are a line. A lease that was given back shows a state of its fence without a holder; the
next fence without one before it was taken over while the other ran.
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

_HEAD = re.compile(rb"^(\w+) (\S+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PARTITION = re.compile(r"PartitionKey(?: eq |=)'([^']*)'")
_LOCKS = re.compile("[0-9a-f]{16}")
"""The partition of the Functions host's own locks, which on Azure are no rows."""
_REFUSED = re.compile(rb"HTTP/1\.1 [45]")
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class State:
    """A mailbox's row as it was stored. `asked`, `answered`: of the write, on this machine's clock."""

    mailbox: str
    fence: int
    holder: str
    asked: float
    answered: float


@dataclass(frozen=True, slots=True)
class Span:
    """A lease: from the answer that gave it to the request that gave it back."""

    mailbox: str
    fence: int
    began: float
    ended: float


@dataclass(slots=True)
class Tap:
    """A context manager. `upstream`: Azurite's ports by service; `ports`: where to be asked instead."""

    upstream: Mapping[str, int]
    ports: dict[str, int] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    states: list[State] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the tap does not listen")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join(10)

    def connection(self, text: str) -> str:
        """The connection string, through the tap."""
        for service, port in self.upstream.items():
            text = text.replace(f"127.0.0.1:{port}/", f"127.0.0.1:{self.ports[service]}/")
        return text

    # what was heard

    def leases(self) -> tuple[list[Span], list[str]]:
        """All that ended, and of which mailboxes one was taken while another held it."""
        by_mailbox: defaultdict[str, defaultdict[int, list[State]]] = defaultdict(lambda: defaultdict(list))
        for state in list(self.states):
            by_mailbox[state.mailbox][state.fence].append(state)
        spans: list[Span] = []
        overlaps: list[str] = []
        for mailbox, fences in by_mailbox.items():
            last = max(fences)
            for fence, found in sorted(fences.items()):
                held = [each for each in found if each.holder]
                back = [each for each in found if not each.holder and (not held or each.answered >= held[0].answered)]
                if held and back:
                    began = min(each.answered for each in held)
                    spans.append(Span(mailbox, fence, began, min(each.asked for each in back)))
                elif held and fence != last:
                    overlaps.append(mailbox)
        return spans, overlaps

    def busy(self) -> bool:
        """Does anybody hold a mailbox?"""
        last: dict[str, State] = {}
        for state in list(self.states):
            if (
                (state.fence, not state.holder) >= (last[state.mailbox].fence, not last[state.mailbox].holder)
                if state.mailbox in last
                else True
            ):
                last[state.mailbox] = state
        return any(state.holder for state in last.values())

    def taken(self) -> list[State]:
        """The first state of each lease, in order."""
        first: dict[tuple[str, int], State] = {}
        for state in list(self.states):
            if state.holder:
                first.setdefault((state.mailbox, state.fence), state)
        return list(first.values())

    # the relay

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        async def listen() -> None:
            for service, port in self.upstream.items():
                server = await asyncio.start_server(self._relay(service, port), "127.0.0.1", 0)
                self.ports[service] = server.sockets[0].getsockname()[1]
            ready.set()

        self._loop.run_until_complete(listen())
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    def _relay(self, service: str, port: int) -> Any:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there = _Conversation(self, service)
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
            up = asyncio.create_task(_pump(reader, up_writer, there.said))
            down = asyncio.create_task(_pump(up_reader, writer, there.answered))
            await asyncio.gather(up, down)

        return relay

    def note(self, service: str, asked: _Asked, answered: float, answer: bytes) -> None:
        """A request and its answer."""
        path = unquote(asked.path.decode())
        body = asked.body.decode(errors="replace")
        found = _PARTITION.search(path) or _PARTITION.search(unquote(body)) if service == "table" else None
        if found and _LOCKS.fullmatch(found[1]):
            return
        self.counts[f"{service} {asked.method.decode()}{' ' + _sort(found[1]) if found else ''}"] += 1
        if service != "table" or not body or _REFUSED.search(answer):
            return
        for line in body.splitlines():
            if line.startswith("{"):
                row = json.loads(line)
                if row.get("PartitionKey") == "mailboxes" and "fence" in row:
                    holder, fence = str(row["holder"]), int(row["fence"])
                    self.states.append(State(str(row["RowKey"]), fence, holder, asked.at, answered))


@dataclass(slots=True)
class _Asked:
    method: bytes
    path: bytes
    body: bytes
    at: float


@dataclass(slots=True)
class _Conversation:
    """One connection: requests one after another, each with its answer."""

    tap: Tap
    service: str
    _buffer: bytes = b""
    _open: _Asked | None = None
    _answer: bytes = b""

    def said(self, data: bytes) -> None:
        """By the app."""
        self._buffer += data
        head, split, rest = self._buffer.partition(b"\r\n\r\n")
        if not split:
            return
        found, length = _HEAD.match(head + b"\r\n"), _LENGTH.search(head)
        needed = int(length[1]) if length else 0
        if found is None:
            raise RuntimeError(f"not a request: {head[:80]!r}")
        if len(rest) < needed:
            return
        self._answer = b""
        self._open = _Asked(found[1], found[2], rest[:needed], time.time())
        self._buffer = rest[needed:]

    def answered(self, data: bytes) -> None:
        """By Azurite."""
        self._answer += data
        if self._open and _complete(self._answer):
            self.tap.note(self.service, self._open, time.time(), self._answer)
            self._open, self._answer = None, b""


def _complete(answer: bytes) -> bool:
    head, split, rest = answer.partition(b"\r\n\r\n")
    if not split:
        return False
    length = _LENGTH.search(head)
    if length:
        return len(rest) >= int(length[1])
    return rest.endswith(b"0\r\n\r\n") if _CHUNKED.search(head) else True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hear: Any) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            hear(data)
            writer.write(data)
            await writer.drain()
    with suppress(ConnectionError):
        writer.close()


def _sort(partition: str) -> str:
    """Of which sort a partition is: what names a mailbox or a record is left out."""
    if "|" not in partition:
        return partition
    first, _, rest = partition.partition("|")
    return "records" if first == "r" else f"*|{rest.partition('|')[0]}"
