"""What the app tells Application Insights: the names of its measurements and traces. Alerts (infra), docs/operations.md and tests use these names.

Ids, states, counts and reasons only; nothing here is ever a name, an address or a text of a person.
"""

from __future__ import annotations

from typing import Final

SCOPE: Final = "vtesync"
"""Name of the meter and of the tracer."""

SPAN_RUN: Final = "vtesync.run"
"""One slice of one mailbox: `mailbox` (its object id), `why`, `outcome`, `cause`, and `reason.<reason>` = how many items."""
SPAN_SWEEP: Final = "vtesync.sweep"
"""One sweep: `why`, `state`, `marked`, `queued`."""

SWEEPS: Final = "vtesync.sweeps"
"""Counter of timer ticks that did their work, by `state`: swept | busy | waiting | failed | killed | error | stopped | paused."""
RUNS: Final = "vtesync.runs"
"""Counter of slices of runs, by `outcome`: ended | goes_on | nothing | failed."""
ITEMS: Final = "vtesync.items"
"""Counter of items written, by `kind` (contact | company | event | task), `side` written (crm | mailbox) and `what` (created | changed | deleted)."""
FAILURES: Final = "vtesync.failures"
"""Counter of runs that failed, by `cause` (sync.errors.Cause)."""
ATTEMPTS: Final = "vtesync.attempts"
"""Gauge: failed attempts in a row at the worst server, 0 when all answer; at five the state is `stopped`."""
STATE: Final = "vtesync.state"
"""Gauge with the attributes `state` and `cause`: 0 running, 1 paused, 2 killed, 3 stopped, 4 error."""
MAILBOXES_IN_ERROR: Final = "vtesync.mailboxes_in_error"
"""Gauge: mailboxes that wait for a person."""
HOLDS_OLDEST_HOURS: Final = "vtesync.holds_oldest_hours"
"""Gauge: age of the oldest question that waits for an admin, 0 when there is none."""
POISON: Final = "vtesync.poison"
"""Gauge: messages in the queue `runs-poison`, about."""
SECRET_DAYS_LEFT: Final = "vtesync.secret_days_left"  # noqa: S105 - a measurement's name
"""Gauge: days until the client secret ends, below 0 when it has ended; not sent while nobody entered the date."""

STATES: Final = {"running": 0, "paused": 1, "killed": 2, "stopped": 3, "error": 4}
"""The numbers of `STATE`, the gravest highest: 3 and 4 wait for a person."""

GAUGES: Final = (ATTEMPTS, STATE, MAILBOXES_IN_ERROR, HOLDS_OLDEST_HOURS, POISON, SECRET_DAYS_LEFT)
"""Sent by every timer tick (each five minutes), in whatever state the connector is: none for 15 minutes = the app does not run."""
