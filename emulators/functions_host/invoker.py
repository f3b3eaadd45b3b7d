"""Runs functions: the time limit, repetitions, queue outputs and one log line for each run.

Log lines carry ids, names, durations and the type of an error, never what a message or request contains.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any

from azure.core.exceptions import AzureError
from azure_functions_runtime.bindings.datumdef import Datum

from emulators.functions_host import engine
from emulators.functions_host.engine import Answer
from emulators.functions_host.functions import Function, TimerTrigger
from emulators.functions_host.storage import OutputError, Queues

log = logging.getLogger("functions_host")

_ERROR_TYPE = re.compile(r"[A-Za-z_][\w.]*")


class Tasks:
    """The work in progress, so that a stop can wait for it."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]:
        """Start `work`; an exception that it lets out is logged as a fault of `what`."""
        task = asyncio.create_task(work, name=what)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("%s broke", task.get_name(), exc_info=task.exception())

    async def drain(self, seconds: float) -> int:
        """Wait until nothing runs, at most `seconds`; then cancel the rest and say how many they were."""
        if not self._running:
            return 0
        _done, late = await asyncio.wait(self._running, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return len(late)


class Invoker:
    """Invokes functions of one app."""

    def __init__(self, queues: Queues, timeout: float | None) -> None:
        self._queues = queues
        self._timeout = timeout

    async def invoke(self, function: Function, value: Datum, metadata: Mapping[str, Datum]) -> Answer:
        """Run a function, and again as its retry policy says; the answer is that of the last run."""
        # Of this host's triggers Azure repeats only timers; queues have maxDequeueCount, HTTP has its caller.
        retry = function.retry if isinstance(function.trigger, TimerTrigger) else None
        attempt = 0
        while True:
            answer = await self._once(function, value, metadata, attempt)
            if answer.error is None or retry is None or attempt == retry.limit:
                return answer
            attempt += 1
            await asyncio.sleep(retry.delay(attempt))

    async def _once(self, function: Function, value: Datum, metadata: Mapping[str, Datum], attempt: int) -> Answer:
        invocation_id = str(uuid.uuid4())
        began = time.perf_counter()
        outcome = "cancelled"
        try:
            async with asyncio.timeout(self._timeout):
                answer = await engine.call(function, invocation_id, value, metadata, attempt)
                if answer.error is None:
                    await self._send_outputs(function, answer)
            outcome = "ok" if answer.error is None else f"failed {_error_type(answer.error)}"
        except TimeoutError:
            outcome = f"failed functionTimeout of {self._timeout:g} s exceeded"
            answer = Answer(error=outcome)
        except (AzureError, OutputError) as error:
            outcome = f"failed on its queue output: {type(error).__name__}"
            answer = Answer(error=repr(error))
        finally:
            spent = (time.perf_counter() - began) * 1000
            repeated = f" retry {attempt}" if attempt else ""
            log.info("%s %s %s%s %.0f ms %s", function.kind, function.name, invocation_id, repeated, spent, outcome)
        return answer

    async def _send_outputs(self, function: Function, answer: Answer) -> None:
        values = dict(answer.outputs)
        if answer.value is not None:
            values["$return"] = answer.value
        for output in function.outputs:
            if output.parameter in values:
                await self._queues.send(output, values[output.parameter])


def _error_type(error: str) -> str:
    """The engine hands over repr(exception): keep its type, leave its text."""
    found = _ERROR_TYPE.match(error)
    return found[0] if found else "Exception"
