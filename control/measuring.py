"""What a run and a sweep did, and how the whole stands, as measurements (`control.telemetry`). Decides nothing; that it fails fails nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from control import telemetry as names
from control.telemetry import Telemetry
from sync.connector import Connector
from sync.run import Outcome
from sync.status import status
from sync.store.base import Conflict, StoreUnreachable
from sync.written import Written

log = logging.getLogger("connector")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@dataclass(slots=True)
class Heard:
    """What a worker said about one slice of a run, also when it ended early."""

    written: Written = field(default_factory=Counter)
    failure: str = ""

    def hear(self, written: Written, failure: str) -> None:
        self.written, self.failure = Counter(written), failure


def tell_run(telemetry: Telemetry, heard: Heard, outcome: Outcome | None) -> None:
    """Count a slice, and say in its span how it ended and what was decided."""
    ended = (
        "failed" if heard.failure else "nothing" if outcome is None else "goes_on" if outcome.unfinished else "ended"
    )
    cause = heard.failure or (outcome.cause if outcome else "")
    reasons = {f"reason.{reason}": number for reason, number in outcome.counts.items()} if outcome else {}
    telemetry.note(outcome=ended, cause=cause, **reasons)
    telemetry.count(names.RUNS, outcome=ended)
    for (side, kind, what), number in heard.written.items():
        telemetry.count(names.ITEMS, number, side=side.value, kind=kind.value, what=what)
    if heard.failure:
        telemetry.count(names.FAILURES, cause=heard.failure)


async def measure(telemetry: Telemetry, connector: Connector, schedule: str) -> None:
    """The gauges, as it all stands now."""
    if not telemetry.on:
        return
    try:
        found = await status(connector, schedule)
        waiting = [hold.since for hold in await connector.registry.holds() if hold.state == "open"]
        due = await connector.registry.waits_since(connector.now()) if found.state == "running" else ""
    except (Conflict, StoreUnreachable) as error:
        log.warning("measuring: not done, %s", type(error).__name__)
        return
    telemetry.gauge(names.STATE, names.STATES[found.state], state=found.state, cause=found.cause)
    telemetry.gauge(names.ATTEMPTS, found.attempts)
    telemetry.gauge(names.MAILBOXES_IN_ERROR, found.mailboxes.states["error"])
    telemetry.gauge(names.HOLDS_OLDEST_HOURS, round(_age(min(waiting, default=""), connector.now()) / HOUR, 2))
    telemetry.gauge(names.OLDEST_DUE_MINUTES, round(_age(due, connector.now()) / MINUTE))
    telemetry.gauge(names.POISON, len(found.poison))
    if found.secret_days_left is not None:
        telemetry.gauge(names.SECRET_DAYS_LEFT, found.secret_days_left)
    await asyncio.to_thread(telemetry.flush)  # nothing may run here until the next tick


def _age(since: str, now: datetime) -> timedelta:
    return now - datetime.fromisoformat(since) if since else timedelta()
