"""What leaves for Application Insights: a trace for each run, counts and gauges by the names of `control.telemetry`, and nobody's name.

The real adapters over the emulators, exporters in memory; and the real exporter against a server of our own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.monitor.opentelemetry.exporter.export.metrics._exporter import (
    APPLICATION_INSIGHTS_METRIC_TEMPORALITIES as TEMPORALITIES,
)
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData, Sum
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from control import telemetry as names
from control.app import App
from control.environment import read_environment
from control.measuring import measure
from control.queue import RunMessage
from control.telemetry import Sending, Silence, start
from emulators.corner import Fault
from sync import commands
from sync.hinting import Hinting
from sync.model import Kind, Reason, Side
from sync.store.asking import HoldRow
from sync.store.base import StoreUnreachable
from sync.store.board import Board, BoardStore
from sync.store.strangers import StrangerCount
from tests.contract.test_attempts import PEOPLE, Place
from tests.unit.control.test_environment import NEEDED

ROOT = Path(__file__).resolve().parents[2]
PLANTED = ("Zanzibar", "Quagliarella", "quaglia", "Via Segretissima", "Riunione segreta", *PEOPLE, "@acme.example")
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Received(InMemoryMetricReader):
    """Keeps everything that was sent, also what a flush sent. With the temporalities of the exporter, which are not those of a reader in memory."""

    def __init__(self) -> None:
        self.batches: list[MetricsData] = []
        self.seen = 0
        super().__init__(preferred_temporality=TEMPORALITIES)  # type: ignore[arg-type]

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        self.batches.append(metrics_data)

    def news(self) -> list[MetricsData]:
        """What was sent since this was asked last."""
        self.collect()
        before, self.seen = self.seen, len(self.batches)
        return self.batches[before:]


@dataclass
class Seen:
    """Telemetry whose exporters are lists."""

    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: Received = field(default_factory=Received)

    def telemetry(self) -> Sending:
        traces = TracerProvider()
        traces.add_span_processor(SimpleSpanProcessor(self.spans))
        return Sending(traces, MeterProvider([self.reader]))

    def of(self, name: str) -> list[dict[str, Any]]:
        """Attributes of the finished spans of that name."""
        return [dict(span.attributes or {}) for span in self.spans.get_finished_spans() if span.name == name]

    def points(self) -> dict[str, dict[tuple[tuple[str, Any], ...], float]]:
        """Measurements since this was asked last: name -> attributes -> value, of counters the sum."""
        found: dict[str, dict[tuple[tuple[str, Any], ...], float]] = {}
        scopes = [
            scope for data in self.reader.news() for each in data.resource_metrics for scope in each.scope_metrics
        ]
        for metric in [metric for scope in scopes for metric in scope.metrics]:
            values = found.setdefault(metric.name, {})
            for point in metric.data.data_points:
                about = tuple(sorted((point.attributes or {}).items()))
                before = values.get(about, 0) if isinstance(metric.data, Sum) else 0
                values[about] = before + point.value  # type: ignore[union-attr]
        return found

    def text(self) -> str:
        """Everything that would leave."""
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        self.reader.collect()
        return "\n".join([*spans, *(data.to_json() for data in self.reader.batches)])


@pytest.fixture
async def place() -> AsyncIterator[Place]:
    with ExitStack() as stack:
        place = Place(stack)
        yield place
        await place.close()


def app_of(place: Place, seen: Seen) -> App:
    one = place.processes[0]
    count = StrangerCount(one.connector.registry.rows)
    return App(
        read_environment(NEEDED),
        one.connector,
        one.worker,
        one.worker,
        None,
        count,
        Hinting(one.connector),
        seen.telemetry(),
    )  # type: ignore[arg-type]


async def work(place: Place, app: App) -> None:
    """A sweep, and every message that is due."""
    await app.swept("timer", PARENT)
    for _ in range(3):
        for mailbox, why in place.queue.due():
            await app.ran(RunMessage(mailbox, why), PARENT)


async def test_a_run_is_a_trace_with_ids_counts_and_reasons(place: Place) -> None:
    seen = Seen()
    app = app_of(place, seen)
    card = {
        "lastname": "Quagliarella",
        "firstname": "Zanzibar",
        "email": "quaglia@z.example",
        "mailingstreet": "Via Segretissima",
    }
    event = {
        "subject": "Riunione segreta",
        "date_start": "2026-11-25",
        "due_date": "2026-11-25",
        "time_start": "10:00",
        "time_end": "11:00",
    }
    for user in place.users[:2]:
        await commands.change_user(place.processes[0].connector, user, {"enabled": True})
    await work(place, app)
    place.vtenext.backdoor.add_records("Contacts", [{**card, "assigned_user_id": place.users[0]}])
    place.vtenext.backdoor.add_records(
        "Events", [{**event, "assigned_user_id": place.users[0], "eventstatus": "Planned", "activitytype": "Meeting"}]
    )
    place.time.at += timedelta(minutes=5)
    await work(place, app)
    runs = seen.of(names.SPAN_RUN)
    assert {run["mailbox"] for run in runs} == {row.id for row in await app.connector.registry.mailboxes()}
    assert {run["outcome"] for run in runs} <= {"ended", "goes_on"}
    assert any(value > 0 for run in runs for name, value in run.items() if name.startswith("reason."))
    assert {span["state"] for span in seen.of(names.SPAN_SWEEP)} == {"swept"}
    points = seen.points()
    assert points[names.ITEMS][("kind", "contact"), ("side", "mailbox"), ("what", "created")] == 1
    assert points[names.ITEMS][("kind", "event"), ("side", "mailbox"), ("what", "created")] == 1
    assert sum(points[names.RUNS].values()) == len(runs)
    assert points[names.SWEEPS] == {(("state", "swept"),): 2}
    traced = {f"{span.context.trace_id:032x}" for span in seen.spans.get_finished_spans() if span.context}
    assert traced == {PARENT.split("-")[1]}, "as the host's trace says"
    text = seen.text()
    assert len(text) > 2000
    assert [word for word in PLANTED if word.lower() in text.lower()] == []
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider), "libraries' own traces go nowhere"


async def test_a_run_that_fails_says_why(place: Place) -> None:
    seen = Seen()
    app = app_of(place, seen)
    await commands.change_user(place.processes[0].connector, place.users[0], {"enabled": True})
    await app.swept("timer")
    place.graph.corner.add_fault(Fault("status", 507), times=10**6)
    ((mailbox, why),) = place.queue.due()[:1]
    await app.ran(RunMessage(mailbox, why))
    (run,) = seen.of(names.SPAN_RUN)
    assert (run["outcome"], run["cause"]) == ("failed", "mailbox_full")
    points = seen.points()
    assert points[names.FAILURES] == {(("cause", "mailbox_full"),): 1}
    assert points[names.RUNS] == {(("outcome", "failed"),): 1}
    await app.swept("timer")
    assert seen.points()[names.MAILBOXES_IN_ERROR] == {(): 1}


async def test_how_it_all_stands_is_told_by_every_tick(place: Place) -> None:
    seen, connector = Seen(), place.processes[0].connector
    app = app_of(place, seen)
    for text in (json.dumps({"v": 1, "mailbox": "0000000a-0000-4000-8000-000000000000", "why": "x"}), "none of ours"):
        await app.gave_up(text, place.time.at)
    asked = place.time.at - timedelta(hours=30)
    await connector.registry.put_hold(
        HoldRow("h1", "", Kind.CONTACT, Side.MAILBOX, Reason.DELETE_BRAKE, asked.isoformat())
    )
    ends = (place.time.at + timedelta(days=9)).date()
    settings = await connector.settings.read()
    await connector.settings.save(settings.model_copy(update={"client_secret_expires": ends}), None)
    await commands.kill(connector, "token")
    await app.swept("timer")
    points = seen.points()
    assert points[names.STATE] == {(("cause", ""), ("state", "killed")): 2}
    assert (points[names.POISON], points[names.ATTEMPTS]) == ({(): 2}, {(): 0})
    assert (points[names.HOLDS_OLDEST_HOURS], points[names.SECRET_DAYS_LEFT]) == ({(): 30}, {(): 9})
    assert points[names.SWEEPS] == {(("state", "killed"),): 1}
    assert set(names.GAUGES) <= set(points)
    assert set(names.STATES) == {"running", "paused", "killed", "stopped", "error"}


async def test_a_mailbox_that_no_run_begins_for_waits_whatever_is_queued(place: Place) -> None:
    """Messages that nobody takes are sent again every quarter of an hour; the wait counts from the first."""
    seen, connector = Seen(), place.processes[0].connector
    app = app_of(place, seen)
    await commands.change_user(connector, place.users[0], {"enabled": True})
    waited = []
    for _ in range(10):
        await app.swept("timer")
        waited.append(seen.points()[names.OLDEST_DUE_MINUTES][()])
        place.time.at += timedelta(minutes=5)
    assert waited == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    for mailbox, why in place.queue.due()[:1]:
        await app.ran(RunMessage(mailbox, why))
    await app.swept("timer")
    assert seen.points()[names.OLDEST_DUE_MINUTES] == {(): 0}
    place.time.at += timedelta(minutes=50)
    await commands.kill(connector, "token")
    await app.swept("timer")
    assert seen.points()[names.OLDEST_DUE_MINUTES] == {(): 0}, "nothing may run"


async def test_measuring_that_fails_fails_nothing_else(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(BoardStore):
        async def read(self) -> Board:
            raise StoreUnreachable("ServiceRequestError")

    seen, connector = Seen(), place.processes[0].connector
    broken = replace(connector, board=Broken(connector.registry.rows))
    await measure(seen.telemetry(), broken, "0 */5 * * * *")
    assert caplog.messages == ["measuring: not done, StoreUnreachable"]
    assert seen.points() == {}


def test_a_gauge_says_how_it_stands_once_and_nothing_that_was_before() -> None:
    seen = Seen()
    telemetry = seen.telemetry()
    telemetry.gauge(names.STATE, 4, state="error", cause="consent_missing")
    telemetry.gauge(names.SECRET_DAYS_LEFT, 3)
    assert seen.points() == {
        names.STATE: {(("cause", "consent_missing"), ("state", "error")): 4},
        names.SECRET_DAYS_LEFT: {(): 3},
    }
    telemetry.gauge(names.STATE, 0, state="running", cause="")
    assert seen.points() == {names.STATE: {(("cause", ""), ("state", "running")): 0}}
    assert seen.points() == {}
    telemetry.gauge(names.STATE, 1, state="paused", cause="")
    telemetry.gauge(names.STATE, 0, state="running", cause="")
    assert seen.points() == {names.STATE: {(("cause", ""), ("state", "running")): 0}}, "as it stands, not as it stood"


def test_start_without_application_insights_sends_nothing() -> None:
    telemetry = start("")
    assert isinstance(telemetry, Silence)
    with telemetry.span("x", ""):
        telemetry.note(a=1)
        telemetry.count("y")
        telemetry.gauge("z", 1.0)
        telemetry.flush()


def test_an_exception_is_noted_without_its_text() -> None:
    seen = Seen()
    telemetry = seen.telemetry()
    with pytest.raises(ValueError, match="Quagliarella"), telemetry.span(names.SPAN_RUN, "", mailbox="m"):
        raise ValueError("Quagliarella")
    (span,) = seen.of(names.SPAN_RUN)
    assert span["outcome"] == "failed"
    assert str(span["error"]).startswith("ValueError at ")
    assert "Quagliarella" not in seen.text()


RECEIVER = """
import gzip, json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
seen = []
class Ingestion(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        items = [json.loads(line) for line in body.decode().splitlines()] if body[:1] == b"{" else json.loads(body)
        seen.extend(items)
        answer = json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Ingestion)
threading.Thread(target=server.serve_forever, daemon=True).start()
from control import telemetry
told = telemetry.start(f"InstrumentationKey=11111111-2222-4333-8444-555555555555;IngestionEndpoint=http://127.0.0.1:{server.server_port}/")
with told.span(telemetry.SPAN_RUN, "", mailbox="m", why="timer"):
    told.note(outcome="ended")
told.count(telemetry.RUNS, outcome="ended")
told.gauge(telemetry.STATE, 0, state="running", cause="")
told.flush()
print(json.dumps(seen))
"""


def test_the_real_exporter_sends_them_under_these_names() -> None:
    settings = {
        "PATH": os.environ["PATH"],
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, "-c", RECEIVER], cwd=ROOT, env=settings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    sent = [each["data"]["baseData"] for each in json.loads(done.stdout.splitlines()[-1])]
    spans = {each["name"]: each["properties"] for each in sent if "metrics" not in each}
    assert spans == {names.SPAN_RUN: {"mailbox": "m", "why": "timer", "outcome": "ended"}}
    metrics = {
        each["metrics"][0]["name"]: (each["metrics"][0]["value"], each["properties"])
        for each in sent
        if "metrics" in each
    }
    assert metrics == {names.RUNS: (1, {"outcome": "ended"}), names.STATE: (0, {"state": "running", "cause": ""})}
