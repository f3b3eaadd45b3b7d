"""Storage clients and queue outputs. Messages are base64 unless host.json says none, as on Azure."""

from __future__ import annotations

import base64
import contextlib
import json

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.queue.aio import QueueClient
from azure_functions_runtime.bindings.datumdef import Datum

from emulators.functions_host.functions import QueueOutput


class OutputError(Exception):
    """A function wrote something to a queue output that this host cannot send."""


class Queues:
    """The queues of one app: opens each once, sends to them, closes them."""

    def __init__(self, base64_encoded: bool) -> None:
        self._base64 = base64_encoded
        self._clients: dict[tuple[str, str], QueueClient] = {}

    def client(self, connection: str, queue: str) -> QueueClient:
        """The client of a queue; the queue need not exist."""
        key = (connection, queue)
        if key not in self._clients:
            # Quick and few repetitions: the library's own wait 18 s and more, and a stop waits for them.
            self._clients[key] = QueueClient.from_connection_string(
                connection, queue, retry_total=2, initial_backoff=1, increment_base=1, random_jitter_range=0
            )
        return self._clients[key]

    async def close(self) -> None:
        """Close every client."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def decode(self, content: str) -> str | bytes:
        """The body of a message; bytes where it is not text. ValueError when it is not base64."""
        if not self._base64:
            return content
        raw = base64.b64decode(content, validate=True)
        try:
            return raw.decode()
        except UnicodeDecodeError:
            return raw

    def encode(self, body: str | bytes) -> str:
        """What to put into storage for a body."""
        raw = body.encode() if isinstance(body, str) else body
        return base64.b64encode(raw).decode() if self._base64 else raw.decode()

    async def put(self, client: QueueClient, content: str) -> None:
        """Send raw content; the queue is made when it is missing."""
        try:
            await client.send_message(content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):  # another process may have made it meanwhile
                await client.create_queue()
            await client.send_message(content)

    async def send(self, output: QueueOutput, value: Datum) -> None:
        """Send what a function gave to an output: a text, bytes, or a list of texts (one message each)."""
        client = self.client(output.connection, output.queue)
        for body in _bodies(output, value):
            await self.put(client, self.encode(body))


def _bodies(output: QueueOutput, value: Datum) -> list[str | bytes]:
    if value.type in ("string", "bytes"):
        return [value.value]
    messages = json.loads(value.value) if value.type == "json" else None
    if isinstance(messages, list) and all(isinstance(message, str) for message in messages):
        return list(messages)
    raise OutputError(f"queue output {output.parameter}: give a str, bytes or a list of str")
