"""What the app tells Application Insights: the names of its measurements and traces, and how they are sent.

Alerts (infra), docs/operations.md and tests use these names. Ids, states, counts and reasons only; nothing here is ever a name, an address or a
text of a person. The providers are ours alone, never OpenTelemetry's global ones: what libraries would trace by themselves (Kiota: every URL with
its query) goes nowhere. OpenTelemetry is imported when the app is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from control.failures import described
from control.version import VERSION

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Counter, Observation
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

FLUSH_MILLIS = 5_000
Value = str | int | float | bool

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
OLDEST_DUE_MINUTES: Final = "vtesync.oldest_due_minutes"
"""Gauge: how long the mailbox waits that was due first and that no run was begun for, 0 when none waits or nothing may run."""
POISON: Final = "vtesync.poison"
"""Gauge: messages that failed too often and whose mailboxes have not run well since."""
SECRET_DAYS_LEFT: Final = "vtesync.secret_days_left"  # noqa: S105 - a measurement's name
"""Gauge: days until the client secret ends, below 0 when it has ended; not sent while nobody entered the date."""

STATES: Final = {"running": 0, "paused": 1, "killed": 2, "stopped": 3, "error": 4}
"""The numbers of `STATE`, the gravest highest: 3 and 4 wait for a person."""

GAUGES: Final = (
    ATTEMPTS,
    STATE,
    MAILBOXES_IN_ERROR,
    HOLDS_OLDEST_HOURS,
    OLDEST_DUE_MINUTES,
    POISON,
    SECRET_DAYS_LEFT,
)
"""Sent by every timer tick (each five minutes), in whatever state the connector is: none for 15 minutes = the app does not run."""


class Telemetry(Protocol):
    """Where measurements and traces go."""

    on: bool

    def span(self, name: str, parent: str, **about: Value) -> AbstractContextManager[None]:
        """What is done inside, as one trace. `parent`: the host's traceparent, '' = none. An exception is noted without its text, and passes."""
        ...

    def note(self, **about: Value) -> None:
        """More about the span that is open here."""
        ...

    def count(self, name: str, number: int = 1, **about: Value) -> None: ...

    def gauge(self, name: str, value: float, **about: Value) -> None:
        """How it stands now. Sent once; what nobody measures again is not repeated."""
        ...

    def flush(self) -> None:
        """Send what waits, now; blocks for some seconds at most."""
        ...


class Silence:
    """Sends nothing: no Application Insights was named."""

    on = False

    @contextmanager
    def span(self, name: str, parent: str, **about: Value) -> Iterator[None]:
        yield

    def note(self, **about: Value) -> None: ...

    def count(self, name: str, number: int = 1, **about: Value) -> None: ...

    def gauge(self, name: str, value: float, **about: Value) -> None: ...

    def flush(self) -> None: ...


class Sending:
    """Sends by these providers."""

    on = True

    def __init__(self, traces: TracerProvider, metrics: MeterProvider) -> None:
        self._providers = (traces, metrics)
        self._tracer = traces.get_tracer(SCOPE, VERSION)
        self._meter = metrics.get_meter(SCOPE, VERSION)
        self._counters: dict[str, Counter] = {}
        self._observed: dict[str, list[Observation]] = {}

    @contextmanager
    def span(self, name: str, parent: str, **about: Value) -> Iterator[None]:
        from opentelemetry.trace import StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        above = TraceContextTextMapPropagator().extract({"traceparent": parent})
        with self._tracer.start_as_current_span(
            name, above, attributes=about, record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_attributes({"outcome": "failed", "error": described(error)})
                span.set_status(StatusCode.ERROR)
                raise

    def note(self, **about: Value) -> None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(about)

    def count(self, name: str, number: int = 1, **about: Value) -> None:
        if name not in self._counters:
            self._counters[name] = self._meter.create_counter(name)
        self._counters[name].add(number, about)

    def gauge(self, name: str, value: float, **about: Value) -> None:
        from opentelemetry.metrics import Observation

        known = name in self._observed
        self._observed[name] = [Observation(value, about)]
        if not known:
            self._meter.create_observable_gauge(name, [partial(self._handed_out, name)])

    def _handed_out(self, name: str, _: CallbackOptions) -> list[Observation]:
        """Once: a gauge that is set, not asked, would send every state that ever was, again and again."""
        handed, self._observed[name] = self._observed[name], []
        return handed

    def flush(self) -> None:
        for each in self._providers:
            each.force_flush(FLUSH_MILLIS)


def start(connection: str, identity: str = "") -> Telemetry:
    """Telemetry to the Application Insights of a connection string, '' = none.

    `identity`: its setting APPLICATIONINSIGHTS_AUTHENTICATION_STRING, where it takes no key alone; '' = it does.
    """
    if not connection:
        return Silence()
    from azure.monitor.opentelemetry.exporter import AzureMonitorMetricExporter, AzureMonitorTraceExporter
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    options = {"connection_string": connection, "disable_offline_storage": True}
    if identity:
        options["credential"] = _credential(identity)
    ours = Resource({"service.name": SCOPE, "service.version": VERSION})
    traces = TracerProvider(resource=ours)
    traces.add_span_processor(BatchSpanProcessor(AzureMonitorTraceExporter(**options)))
    reader = PeriodicExportingMetricReader(AzureMonitorMetricExporter(**options), export_interval_millis=30_000)
    return Sending(traces, MeterProvider([reader], resource=ours))


def _credential(identity: str) -> object:
    """The managed identity that the authentication string names, or the app's own."""
    from azure.identity import ManagedIdentityCredential

    parts = dict(part.split("=", 1) for part in identity.split(";") if "=" in part)
    return ManagedIdentityCredential(client_id=parts.get("ClientId") or None)
