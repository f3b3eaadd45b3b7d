"""Timers: due times, missed runs, and never two runs of one timer at once, over all processes of an app."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from azure_functions_runtime.bindings.datumdef import Datum

from emulators.functions_host.engine import Answer, as_json
from emulators.functions_host.functions import Function, TimerTrigger
from emulators.functions_host.invoker import Invoker, Tasks
from emulators.functions_host.lease import Lease, LeaseLost, Status
from emulators.functions_host.schedule import next_after

log = logging.getLogger("functions_host")

LONGEST_SLEEP = 30.0  # so that a corrected system clock is noticed


class Timers:
    """Runs the timer functions while this process holds the lease."""

    def __init__(
        self,
        functions: Sequence[tuple[Function, TimerTrigger]],
        lease: Lease,
        invoker: Invoker,
        tasks: Tasks,
        now: Callable[[], datetime],
    ) -> None:
        self._functions = functions
        self._lease = lease
        self._invoker = invoker
        self._tasks = tasks
        self._now = now
        self._latest: dict[str, asyncio.Task[Answer]] = {}

    async def run(self) -> None:
        """Wait for the lease, run the timers, and again when it was lost. Ends by cancellation only."""
        while True:
            await self._lease.obtain()
            log.info("this process runs the timers")
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._lease.keep())
                    for function, trigger in self._functions:
                        group.create_task(self._repeat(function, trigger))
            except* LeaseLost as lost:
                log.warning("this process no longer runs the timers: %s", lost.exceptions[0])

    async def _repeat(self, function: Function, trigger: TimerTrigger) -> None:
        status = await self._lease.read_status(function.name) if trigger.use_monitor else None
        if status is not None and status.schedule != trigger.schedule:
            status = None
        past_due = status is not None and status.next <= self._now()
        last = status.last if status else None
        if past_due or trigger.run_on_startup:
            last = self._now()
            await self._invoke(function, Status(trigger.schedule, last, self._next(trigger)), past_due)
        while True:
            status = Status(trigger.schedule, last, self._next(trigger))
            if trigger.use_monitor:
                await self._lease.write_status(function.name, status)
            while (left := (status.next - self._now()).total_seconds()) > 0:  # noqa: ASYNC110 - a clock has no event
                await asyncio.sleep(min(left, LONGEST_SLEEP))
            last = self._now()
            await self._invoke(function, status, past_due=False)

    def _next(self, trigger: TimerTrigger) -> datetime:
        return next_after(trigger.schedule, self._now())

    async def _invoke(self, function: Function, status: Status, past_due: bool) -> None:
        # Shielded: a stop or a lost lease ends the schedule, not the run under way. Whoever gets the lease back
        # meanwhile waits for that run.
        latest = self._latest.get(function.name)
        if latest is not None:
            await asyncio.wait([latest])
        work = self._invoker.invoke(function, request(status, past_due), {})
        latest = self._latest[function.name] = self._tasks.start(work, f"timer {function.name}")
        await asyncio.shield(latest)


def request(status: Status | None, past_due: bool) -> Datum:
    """What the engine makes a TimerRequest of."""
    seen = None
    if status is not None:
        last = status.last.isoformat() if status.last else "0001-01-01T00:00:00"
        seen = {"Last": last, "Next": status.next.isoformat(), "LastUpdated": last}
    return as_json({"IsPastDue": past_due, "ScheduleStatus": seen, "Schedule": {"AdjustForDST": True}})
