"""The queue of runs on Azure Storage: one message per mailbox that has work. Messages are hints (DESIGN 6) and name ids only."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sync.store.base import StoreUnreachable

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.storage.queue.aio import QueueClient

QUEUE = "runs"
POISON = f"{QUEUE}-poison"  # where the host puts what failed `maxDequeueCount` times
VERSION = 1
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


class RunQueue:
    """Sends to the queue, which is made when it is missing. `aclose` at the end."""

    def __init__(self, client: QueueClient, given_up: QueueClient) -> None:
        self._client, self._given_up = client, given_up

    @classmethod
    def connect(cls, storage: str, account: str = "", credential: AsyncTokenCredential | None = None) -> RunQueue:
        """By connection string, or by account name and identity."""
        from azure.storage.queue import TextBase64EncodePolicy
        from azure.storage.queue.aio import QueueClient

        options = {**PATIENCE, "message_encode_policy": TextBase64EncodePolicy()}  # what the queue trigger expects
        if storage:
            return cls(*(QueueClient.from_connection_string(storage, name, **options) for name in (QUEUE, POISON)))
        url = f"https://{account}.queue.core.windows.net"
        return cls(*(QueueClient(url, name, credential=credential, **options) for name in (QUEUE, POISON)))

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

    async def poison(self) -> int:
        """How many messages lie in the queue of those that failed for good, about. Raises StoreUnreachable."""
        from azure.core.exceptions import AzureError, ResourceNotFoundError

        try:
            return (await self._given_up.get_queue_properties()).approximate_message_count or 0
        except ResourceNotFoundError:
            return 0
        except AzureError as error:
            raise StoreUnreachable(f"queue: {type(error).__name__}") from None

    async def aclose(self) -> None:
        await self._client.close()
        await self._given_up.close()
