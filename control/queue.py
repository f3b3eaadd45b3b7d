"""The queue of runs on Azure Storage: one message per mailbox that has work. Messages are hints (DESIGN 6) and name ids only."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.store.base import StoreUnreachable

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.queue.aio import QueueClient

QUEUE = "runs"
POISON = f"{QUEUE}-poison"
"""Where the host puts what failed `maxDequeueCount` times."""
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
    """Sends to the queue, which is made when it is missing. `aclose` at the end."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    @classmethod
    def connect(cls, storage: str, account: str = "", credential: AsyncTokenCredential | None = None) -> RunQueue:
        """By connection string, or by account name and identity."""
        from azure.storage.queue import TextBase64EncodePolicy
        from azure.storage.queue.aio import QueueClient

        options = {**PATIENCE, "message_encode_policy": TextBase64EncodePolicy()}  # what the queue trigger expects
        if storage:
            return cls(QueueClient.from_connection_string(storage, QUEUE, **options))
        return cls(QueueClient(f"https://{account}.queue.core.windows.net", QUEUE, credential=credential, **options))

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

    async def aclose(self) -> None:
        await self._client.close()
