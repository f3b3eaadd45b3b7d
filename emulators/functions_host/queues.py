"""The queue trigger: polling, invisibility, dequeue count and poison, as the storage extension does it.

A message is deleted only after its function succeeded. A killed host deletes nothing: the message reappears when
its window of invisibility ends, so a function may see a message twice, and never not at all.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure_functions_runtime.bindings.datumdef import Datum

from emulators.functions_host.config import QueueOptions
from emulators.functions_host.engine import as_json, text
from emulators.functions_host.functions import Function, QueueTrigger
from emulators.functions_host.invoker import Invoker, Tasks
from emulators.functions_host.storage import Queues
from emulators.functions_host.waiting import first, happens

log = logging.getLogger("functions_host")

SHORTEST_POLL = 0.1


class QueueListener:
    """Feeds one function from its queue until told to stop."""

    def __init__(
        self,
        function: Function,
        trigger: QueueTrigger,
        options: QueueOptions,
        invisibility: int,
        queues: Queues,
        invoker: Invoker,
        tasks: Tasks,
    ) -> None:
        self._function = function
        self._options = options
        self._invisibility = invisibility
        self._queues = queues
        self._invoker = invoker
        self._tasks = tasks
        self._queue = trigger.queue
        self._client = queues.client(trigger.connection, self._queue)
        self._poison = queues.client(trigger.connection, f"{self._queue}-poison")
        self._running = 0
        self._ended = asyncio.Event()  # a message was dealt with

    async def listen(self, stopping: asyncio.Event) -> None:
        """Poll until `stopping`. A request under way is awaited: what it brings would else be invisible for long."""
        pause = SHORTEST_POLL
        while not stopping.is_set():
            if self._running > self._options.new_batch_size:
                self._ended.clear()
                await first(self._ended, stopping)
                continue
            messages = await self._receive()
            for message in messages:
                self._running += 1
                self._tasks.start(self._process(message), f"{self._function.name} message {message.id}")
            if messages:
                pause = SHORTEST_POLL
            else:
                await happens(stopping, pause)
                pause = min(pause * 2, max(SHORTEST_POLL, self._options.max_polling_interval))

    async def _receive(self) -> list[QueueMessage]:
        size = self._options.batch_size
        pages = self._client.receive_messages(
            messages_per_page=size, max_messages=size, visibility_timeout=self._invisibility
        ).by_page()
        try:
            async for page in pages:
                return [message async for message in page]
        except ResourceNotFoundError:
            pass  # the real host polls a queue that nobody made yet just so
        except AzureError as error:
            log.warning("queue %s cannot be read: %s", self._queue, type(error).__name__)
        return []

    async def _process(self, message: QueueMessage) -> None:
        try:
            await self._deliver(message)
        except ResourceNotFoundError:
            log.warning("queue %s message %s was taken by somebody else meanwhile", self._queue, message.id)
        except AzureError as error:
            log.warning("queue %s message %s is not settled: %s", self._queue, message.id, type(error).__name__)
        finally:
            self._running -= 1
            self._ended.set()

    async def _deliver(self, message: QueueMessage) -> None:
        try:
            body = self._queues.decode(message.content)
        except ValueError:
            log.error("queue %s message %s is not base64", self._queue, message.id)
            await self._to_poison(message)
            return
        count = message.dequeue_count or 1
        if count > self._options.max_dequeue_count:  # its runs were killed before they could fail
            await self._to_poison(message)
            return
        done = asyncio.Event()
        renewal = asyncio.create_task(self._stay_invisible(message, done))
        try:
            value = text(body) if isinstance(body, str) else Datum(body, "bytes")
            answer = await self._invoker.invoke(self._function, value, _metadata(message))
        finally:
            done.set()
            await renewal  # never cut short: its pop receipt is the only valid one
        if answer.error is None:
            await self._client.delete_message(message.id, message.pop_receipt)
        elif count >= self._options.max_dequeue_count:
            await self._to_poison(message)
        else:
            await self._hide(message, self._options.visibility_timeout)

    async def _stay_invisible(self, message: QueueMessage, done: asyncio.Event) -> None:
        while not await happens(done, self._invisibility / 2):
            try:
                await self._hide(message, self._invisibility)
            except ResourceNotFoundError:
                return  # the settling after the run finds the same and says so
            except AzureError as error:
                log.warning("queue %s message %s not renewed: %s", self._queue, message.id, type(error).__name__)

    async def _hide(self, message: QueueMessage, seconds: float) -> None:
        updated = await self._client.update_message(
            message.id, pop_receipt=message.pop_receipt, visibility_timeout=int(seconds)
        )
        message.pop_receipt = updated.pop_receipt

    async def _to_poison(self, message: QueueMessage) -> None:
        await self._queues.put(self._poison, message.content)
        await self._client.delete_message(message.id, message.pop_receipt)
        log.error("queue %s message %s moved to %s-poison", self._queue, message.id, self._queue)


def manual_metadata() -> dict[str, Datum]:
    """Trigger metadata of a run that POST /admin/functions asked for: a message that was never in a queue."""
    now = datetime.now(UTC)
    return _fields(str(uuid.uuid4()), 1, "", now, now + timedelta(days=7), now)


def _metadata(message: QueueMessage) -> Mapping[str, Datum]:
    return _fields(
        message.id,
        message.dequeue_count or 1,
        message.pop_receipt or "",
        message.inserted_on,
        message.expires_on,
        message.next_visible_on,
    )


def _fields(
    identifier: str,
    count: int,
    receipt: str,
    inserted: datetime | None,
    expires: datetime | None,
    visible: datetime | None,
) -> dict[str, Datum]:
    times = {"InsertionTime": inserted, "ExpirationTime": expires, "NextVisibleTime": visible}
    known = {name: text(moment.isoformat()) for name, moment in times.items() if moment is not None}
    return {"Id": text(identifier), "DequeueCount": as_json(count), "PopReceipt": text(receipt), **known}
