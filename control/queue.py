"""The queues of runs on Azure Storage: one message per mailbox that has work. Messages are hints (DESIGN 6) and name ids only.

Two, because each has places of its own on the Functions host: what takes seconds never waits behind what takes minutes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sync.store.base import StoreUnreachable

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.queue.aio import QueueClient

RUNS, FILLS = "runs", "fills"
POISON = "-poison"
"""Behind a queue's name: where the host puts what failed `maxDequeueCount` times."""
HIDDEN = 60
"""Seconds within which a message that was given up is noted, or taken again."""
VERSION = 1
MAILBOX = re.compile(r"[0-9a-fA-F-]{36}")
PATIENCE: dict[str, Any] = {"retry_total": 3, "initial_backoff": 1, "increment_base": 1, "connection_timeout": 10}


@dataclass(frozen=True, slots=True)
class RunMessage:
    """`mailbox` '' = sweep first, then everybody."""

    mailbox: str
    why: str


def read_message(text: str) -> RunMessage:
    """A message of ours. Raises ValueError, which does not repeat it."""
    try:
        data = json.loads(text)
        version, mailbox, why = data["v"], data["mailbox"], data["why"]
    except (ValueError, TypeError, KeyError):
        raise ValueError("not a message of ours") from None
    if version != VERSION or not isinstance(mailbox, str) or not isinstance(why, str):
        raise ValueError("not a message of ours, or of a later version")
    return RunMessage(mailbox, why)


def mailbox_of_message(text: str) -> str:
    """Of which mailbox a message speaks that may be none of ours: '' = of none."""
    try:
        mailbox = read_message(text).mailbox
    except ValueError:
        return ""
    return mailbox if MAILBOX.fullmatch(mailbox) else ""


class RunQueue:
    """Sends to a queue, which is made when it is missing, and takes what was given up. `aclose` at the end."""

    def __init__(self, client: QueueClient, poison: QueueClient) -> None:
        self._client, self._poison = client, poison

    @classmethod
    def connect(
        cls, name: str, storage: str, account: str = "", credential: AsyncTokenCredential | None = None
    ) -> RunQueue:
        """By connection string, or by account name and identity."""
        from azure.storage.queue import TextBase64EncodePolicy
        from azure.storage.queue.aio import QueueClient

        options = {**PATIENCE, "message_encode_policy": TextBase64EncodePolicy()}  # what the queue trigger expects

        def client(queue: str) -> QueueClient:
            if storage:
                return QueueClient.from_connection_string(storage, queue, **options)
            return QueueClient(f"https://{account}.queue.core.windows.net", queue, credential=credential, **options)

        return cls(client(name), client(name + POISON))

    async def send(self, mailbox: str, why: str, delay: int = 0) -> None:
        """As `sync.connector.Queue.send`."""
        from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError

        text = json.dumps({"v": VERSION, "mailbox": mailbox, "why": why})
        try:
            try:
                await self._client.send_message(text, visibility_timeout=delay)
            except ResourceNotFoundError:
                with suppress(ResourceExistsError):  # somebody else made it meanwhile
                    await self._client.create_queue()
                await self._client.send_message(text, visibility_timeout=delay)
        except AzureError as error:
            raise StoreUnreachable(f"queue: {type(error).__name__}") from None

    async def given_up(self) -> AsyncIterator[tuple[str, datetime]]:
        """What failed too often: its text, and since when it lies there. Each is deleted when the next one is asked for: what could not be noted
        comes again. Raises StoreUnreachable."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            async for message in self._poison.receive_messages(visibility_timeout=HIDDEN):
                yield _decoded(str(message.content)), message.inserted_on or datetime.now(UTC)
                await self._poison.delete_message(message)
        except ResourceNotFoundError:  # nothing was given up ever
            return
        except AzureError as error:
            raise StoreUnreachable(f"queue: {type(error).__name__}") from None

    async def aclose(self) -> None:
        await self._client.close()
        await self._poison.close()


def _decoded(content: str) -> str:
    """As the sender wrote it. What is not base64 is none of ours."""
    try:
        return base64.b64decode(content, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return ""
