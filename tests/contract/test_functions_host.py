"""The local Functions host, from outside: a small app, driven over HTTP, with Azurite behind it.

Each promise of emulators/functions_host/README.md that can break is held here to what a caller sees.
"""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueServiceClient

from emulators.functions_host.config import ConfigError, largest_body, read_host_json, resolve, timespan
from emulators.functions_host.functions import Retry
from emulators.functions_host.routes import decode_path, parse
from emulators.functions_host.schedule import check_schedule, next_after

ROOT = Path(__file__).resolve().parents[2]

APP = """
from __future__ import annotations

import asyncio, json, os, time, typing
import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
OPEN = func.AuthLevel.ANONYMOUS


def record(what: str, **more: object) -> None:
    with open(os.environ["RECORD"], "a") as file:
        file.write(json.dumps({"what": what, "pid": os.getpid(), "at": time.time(), **more}) + "\\n")


@app.route(route="echo/{name}", auth_level=OPEN)
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    seen = {"method": req.method, "route": dict(req.route_params), "query": dict(req.params), "url": req.url,
            "header": req.headers.get("X-Thing"), "body": req.get_body().decode(), "name": context.function_name}
    answer = func.HttpResponse(json.dumps(seen), status_code=201, mimetype="application/json", headers={"X-Own": "1"})
    answer.headers.add("Set-Cookie", "a=1; HttpOnly")
    answer.headers.add("Set-Cookie", "b=2; Path=/")
    return answer


@app.route(route="items/{id:int}", methods=["GET"], auth_level=OPEN)
def read_item(req: func.HttpRequest) -> str:
    return "read " + req.route_params["id"]


@app.route(route="items/{id:int}", methods=["PUT"], auth_level=OPEN)
def write_item(req: func.HttpRequest) -> str:
    return "write " + req.route_params["id"]


@app.route(route="items/special", methods=["GET"], auth_level=OPEN)
def special_item(req: func.HttpRequest) -> str:
    return "special"


@app.route(route="files/{*rest}", auth_level=OPEN)
def files(req: func.HttpRequest) -> str:
    return req.route_params.get("rest", "none")


@app.route(route="guarded")
def guarded(req: func.HttpRequest) -> str:
    return "in"


@app.route(route="boss", auth_level=func.AuthLevel.ADMIN)
def boss(req: func.HttpRequest) -> str:
    return "in"


@app.route(route="broken", auth_level=OPEN)
async def broken(req: func.HttpRequest) -> str:
    raise ValueError("a secret text")


@app.route(route="endless", auth_level=OPEN)
async def endless(req: func.HttpRequest) -> str:
    await asyncio.sleep(60)
    return "never"


@app.route(route="hidden", auth_level=OPEN)
async def hidden(req: func.HttpRequest) -> str:
    return "never"


@app.route(route="enqueue", methods=["POST"], auth_level=OPEN)
@app.queue_output(arg_name="out", queue_name="%WORK%", connection="STORE")
def enqueue(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:
    out.set(req.get_json())
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="message", queue_name="%WORK%", connection="STORE")
@app.queue_output(arg_name="$return", queue_name="%DONE%", connection="STORE")
async def work(message: func.QueueMessage) -> str:
    text = message.get_body().decode()
    record("work", body=text, id=message.id, count=message.dequeue_count, receipt=bool(message.pop_receipt),
           inserted=str(message.insertion_time), expires=str(message.expiration_time))
    if text.startswith("fail") and message.dequeue_count < 2 or text.startswith("poison"):
        raise RuntimeError("a secret text")
    if text.startswith("slow"):
        await asyncio.sleep(float(text.split()[1]))
        record("end", body=text)
    if text == "wait":
        while not os.path.exists(os.environ["GO"]):
            await asyncio.sleep(0.02)
        record("end", body=text)
    return "done " + text


@app.timer_trigger(arg_name="timer", schedule="%TICK%", run_on_startup=False)
def tick(timer: func.TimerRequest) -> None:
    record("tick", past_due=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *", run_on_startup=True)
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:00")
def flaky(timer: func.TimerRequest, context: func.Context) -> None:
    record("flaky", attempt=context.retry_context.retry_count)
    raise RuntimeError("again")
"""

HOST_JSON = {
    "version": "2.0",
    "functionTimeout": "00:00:03.5",
    "singleton": {"listenerLockPeriod": "00:00:01.5"},
    "extensions": {
        "http": {"routePrefix": "api"},
        "queues": {"maxPollingInterval": "00:00:00.2", "batchSize": 4, "newBatchSize": 2, "maxDequeueCount": 2},
    },
}


class Host:
    """A host process and what it leaves behind."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder.parent / f"log-{self.port}"
        command = [sys.executable, "-m", "emulators.functions_host", "--app", str(folder), "--port", str(self.port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*command, *arguments], cwd=ROOT, stderr=log, stdout=log)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20, trust_env=False)

    def ready(self) -> Host:
        until(lambda: "ready on" in self.said or self.process.poll() is not None, "the host to start")
        assert self.process.poll() is None, self.said
        return self

    @property
    def said(self) -> str:
        return self.log.read_text()

    def end(self, number: int = signal.SIGTERM) -> int:
        self.http.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(20)


T = TypeVar("T")


def until(look: Callable[[], T], what: str, seconds: float = 180) -> T:
    """The first true value of `look`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.02)
    return found


class Place:
    """An app's folder with settings of its own, on the shared Azurite."""

    def __init__(self, base: Path, storage: str, **settings: str) -> None:
        self.folder = base / "app"
        self.folder.mkdir()
        self.record = base / "record"
        self.record.touch()
        self.go = base / "go"
        self.name = f"t{uuid.uuid4().hex[:12]}"
        self.storage = storage
        (self.folder / "function_app.py").write_text(APP)
        (self.folder / "host.json").write_text(json.dumps(HOST_JSON))
        values = {
            "AzureWebJobsStorage": storage,
            "STORE": storage,
            "WORK": f"{self.name}-work",
            "DONE": f"{self.name}-done",
            "TICK": "0 0 0 1 1 *",
            "RECORD": str(self.record),
            "GO": str(self.go),
            "FUNCTIONS_HOST_KEY": "a-host-key",
            "FUNCTIONS_MASTER_KEY": "a-master-key",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "100000",
            "AzureWebJobs.hidden.Disabled": "true",
            **settings,
        }
        (self.folder / "local.settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))

    def queue(self, suffix: str) -> QueueClient:
        return QueueClient.from_connection_string(self.storage, f"{self.name}-{suffix}")

    def send(self, text: str) -> None:
        self.queue("work").send_message(base64.b64encode(text.encode()).decode())

    def records(self, what: str, body: str | None = None) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [row for row in rows if row["what"] == what and body in (None, row.get("body"))]


def raw_contents(queue: QueueClient) -> list[str]:
    """What lies visible in a queue; the host makes queues at the first message, so a missing one is empty."""
    try:
        return [message.content for message in queue.peek_messages(32)]
    except ResourceNotFoundError:
        return []


def contents(queue: QueueClient) -> list[str]:
    return [base64.b64decode(content).decode() for content in raw_contents(queue)]


@pytest.fixture(scope="module")
def place(azurite: str, tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = Place(tmp_path_factory.mktemp("host"), azurite)
    QueueServiceClient.from_connection_string(azurite).create_queue(f"{made.name}-work")
    return made


@pytest.fixture(scope="module")
def host(place: Place) -> Iterator[Host]:
    running = Host(place.folder, "--invisibility", "2").ready()
    yield running
    assert running.end() == 0, running.said


MASTER = {"x-functions-key": "a-master-key"}


def test_request_and_answer_arrive_whole(host: Host) -> None:
    answer = host.http.post("/api/ECHO/Niccol%C3%B2%2FX?q=1&q=2", content="città", headers={"x-thing": "T"})
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-own"] == "1"
    assert answer.headers.get_list("set-cookie") == ["a=1; HttpOnly", "b=2; Path=/"]
    seen = answer.json()
    assert seen["route"] == {"name": "Niccolò%2FX"}
    assert seen["query"] == {"q": "1,2"}
    assert (seen["method"], seen["header"], seen["body"], seen["name"]) == ("POST", "T", "città", "echo")
    assert seen["url"].startswith(f"http://127.0.0.1:{host.port}/api/")


def test_a_body_that_is_too_large_reaches_no_function(host: Host) -> None:
    for content in (b"x" * 100_001, iter([b"x" * 60_000] * 2)):  # its length is said before, or not
        assert host.http.post("/api/echo/x", content=content).status_code == 413
    assert host.http.post("/api/echo/x", content=b"x" * 100_000).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/api/items/7", 200, "read 7"),
        ("PUT", "/api/items/7", 200, "write 7"),
        ("GET", "/api/items/special", 200, "special"),
        ("GET", "/api/items/seven", 404, ""),
        ("DELETE", "/api/items/7", 404, ""),  # not 405: azure-functions-host issue 10098
        ("GET", "/api/files/a/b%20c.txt", 200, "a/b c.txt"),
        ("GET", "/api/files", 200, "none"),
        ("GET", "/items/7", 404, ""),
        ("GET", "/api/nothing", 404, ""),
        ("GET", "/api/hidden", 404, ""),
        ("GET", "/api/broken", 500, ""),
    ],
)
def test_routing(host: Host, method: str, path: str, status: int, body: str) -> None:
    answer = host.http.request(method, path)
    assert (answer.status_code, answer.text) == (status, body)


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/guarded", None, 401),
        ("/api/guarded", "wrong", 401),
        ("/api/guarded", "a-host-key", 200),
        ("/api/guarded", "a-master-key", 200),
        ("/api/boss", "a-host-key", 401),
        ("/api/boss", "a-master-key", 200),
        ("/admin/host/status", None, 401),
        ("/admin/host/status", "a-host-key", 401),
        ("/admin/host/status", "a-master-key", 200),
    ],
)
def test_keys(host: Host, path: str, key: str | None, status: int) -> None:
    assert host.http.get(path, headers={"x-functions-key": key} if key else {}).status_code == status
    assert host.http.get(path, params={"code": key} if key else {}).status_code == status


def test_status_says_running(host: Host) -> None:
    assert host.http.get("/admin/host/status", headers=MASTER).json()["state"] == "Running"


def test_manual_trigger_runs_a_timer_and_a_queue_function(host: Host, place: Place) -> None:
    assert host.http.post("/admin/functions/tick", headers=MASTER, json={}).status_code == 202
    assert until(lambda: place.records("tick"), "the timer")[0]["past_due"] is False
    assert host.http.post("/admin/functions/Work", headers=MASTER, json={"input": "by hand"}).status_code == 202
    row = until(lambda: place.records("work", "by hand"), "the queue function")[0]
    assert row["count"] == 1


@pytest.mark.parametrize(("name", "body", "status"), [("nobody", b"{}", 404), ("tick", b"", 400), ("echo", b"{}", 400)])
def test_manual_trigger_refuses(host: Host, name: str, body: bytes, status: int) -> None:
    answer = host.http.post(f"/admin/functions/{name}", headers=MASTER, content=body)
    assert answer.status_code == status


def test_message_from_an_output_runs_and_writes_its_own_output(host: Host, place: Place) -> None:
    assert host.http.post("/api/enqueue", json=["ciò 1", "ciò 2"]).status_code == 202
    until(lambda: {"done ciò 1", "done ciò 2"} <= set(contents(place.queue("done"))), "both outputs")
    row = place.records("work", "ciò 1")[0]
    assert row["count"] == 1
    assert row["id"]
    assert row["receipt"]
    assert datetime.fromisoformat(row["expires"]) > datetime.fromisoformat(row["inserted"])


def test_failed_output_fails_the_request(host: Host) -> None:
    assert host.http.post("/api/enqueue", json=[1, 2]).status_code == 500


def test_failure_is_delivered_again_and_then_done(host: Host, place: Place) -> None:
    place.send("fail once")
    until(lambda: "done fail once" in contents(place.queue("done")), "the second delivery")
    assert [row["count"] for row in place.records("work", "fail once")] == [1, 2]


def test_poison_after_max_dequeue_count(host: Host, place: Place) -> None:
    place.send("poison")
    poison = base64.b64encode(b"poison").decode()
    until(lambda: poison in raw_contents(place.queue("work-poison")), "the poison queue")
    assert [row["count"] for row in place.records("work", "poison")] == [1, 2]


def test_message_that_is_not_base64_goes_to_poison_unread(host: Host, place: Place) -> None:
    place.queue("work").send_message("not base64!")
    until(lambda: "not base64!" in raw_contents(place.queue("work-poison")), "the poison queue")
    assert "is not base64" in host.said


def test_long_run_stays_invisible_and_an_endless_one_is_ended(host: Host, place: Place) -> None:
    """The message takes longer than its 2 s window: without renewal it would run twice."""
    place.send("slow 2.5")
    assert host.http.get("/api/endless").status_code == 500
    assert "functionTimeout of 3.5 s exceeded" in host.said
    until(lambda: "done slow 2.5" in contents(place.queue("done")), "its end")
    until(lambda: place.queue("work").get_queue_properties().approximate_message_count == 0, "an empty queue")
    assert len(place.records("work", "slow 2.5")) == 1


def test_timer_is_retried_as_its_policy_says(host: Host, place: Place) -> None:
    until(lambda: len(place.records("flaky")) >= 3, "the repetitions")
    assert [row["attempt"] for row in place.records("flaky")] == [0, 1, 2]


def test_log_has_a_line_for_each_invocation_and_no_contents(host: Host, place: Place) -> None:
    host.http.get("/api/items/42")
    uuid4 = "[0-9a-f]{8}-[0-9a-f-]{27}"
    until(lambda: re.search(rf"http read_item {uuid4} \d+ ms ok\n", host.said), "the line")
    host.http.get("/api/broken")
    until(lambda: re.search(rf"http broken {uuid4} \d+ ms failed ValueError\n", host.said), "the line")
    place.send("fail confidential")
    until(lambda: "done fail confidential" in contents(place.queue("done")), "the message")
    assert "confidential" not in host.said


def test_kill_leaves_the_message_and_another_process_runs_the_timers(azurite: str, tmp_path: Path) -> None:
    place = Place(tmp_path, azurite, TICK="* * * * * *")
    place.queue("work").create_queue()
    hosts = [Host(place.folder, "--invisibility", "20").ready()]
    try:
        place.send("wait")
        until(lambda: place.records("work", "wait") and place.records("tick"), "the first process")
        hosts.append(Host(place.folder, "--invisibility", "20").ready())
        one, two = (each.process.pid for each in hosts)
        before = len(place.records("tick"))
        until(lambda: len(place.records("tick")) > before, "the timer beside a second process")
        hosts[0].end(signal.SIGKILL)
        place.go.touch()
        until(lambda: place.records("end", "wait"), "the reappeared message")
        assert [(run["pid"], run["count"]) for run in place.records("work", "wait")] == [(one, 1), (two, 2)]
        until(lambda: place.records("tick")[-1]["pid"] == two, "the timer to move")

        place.send("slow 1")
        until(lambda: place.records("work", "slow 1"), "the last message")
        assert hosts[1].end() == 0  # SIGTERM waits for what runs
        assert "done slow 1" in contents(place.queue("done"))
        pids = [row["pid"] for row in place.records("tick")]
        assert pids == sorted(pids, key=[one, two].index)
        seconds = [int(row["at"]) for row in place.records("tick")]
        assert len(seconds) == len(set(seconds))
    finally:
        for each in hosts:
            each.end(signal.SIGKILL)


def test_wrong_settings_stop_the_start_with_a_sentence(tmp_path: Path) -> None:
    wrong = {
        "the schedule 'every 5 minutes' is not NCRONTAB": {"TICK": "every 5 minutes"},
        "there is no setting 'STORE' with the storage connection string": {"STORE": ""},
    }
    started = []
    for index, (sentence, change) in enumerate(wrong.items()):
        base = tmp_path / str(index)
        base.mkdir()
        started.append((sentence, Host(Place(base, "nowhere", **change).folder)))
    for sentence, host in started:
        assert host.process.wait(20) == 2
        assert sentence in host.said
        assert "Traceback" not in host.said
        host.http.close()


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("api/users/{id}", "/api/users/a%20b", {"id": "a b"}),
        ("api/users/{id}", "/API/Users/7/", {"id": "7"}),
        ("api/users/{id}", "/api/users", None),
        ("api/users/{id}", "/api/users/7/8", None),
        ("api/users/{id?}", "/api/users", {}),
        ("api/{kind:alpha}/{id:int}", "/api/abc/-7", {"kind": "abc", "id": "-7"}),
        ("api/{kind:alpha}/{id:int}", "/api/abc/7a", None),
        ("api/v{major}.{minor:int}", "/api/v1.2", {"major": "1", "minor": "2"}),
        ("a.b/{**rest}", "/a.b/c%2Fd/e", {"rest": "c%2Fd/e"}),
        ("a.b/{**rest}", "/axb/c", None),
        ("{id:guid}", "/0A0B0C0D-0000-1111-2222-333344445555", {"id": "0A0B0C0D-0000-1111-2222-333344445555"}),
    ],
)
def test_route_templates(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert parse(template, "test").match(decode_path(path)) == expected


@pytest.mark.parametrize("template", ["a/{id:range(1,2)}", "a/{id=3}", "a/{*rest}/b", "a/x{id?}", "a/{id", "a/{id?}/b"])
def test_routes_beyond_this_host_are_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"^test: "):
        parse(template, "test")


def test_more_definite_routes_come_first() -> None:
    templates = ["a/{*rest}", "a/{x}", "a/b", "a/{x:int}", "a/{x?}"]
    ranked = sorted(templates, key=lambda template: parse(template, "test").rank)
    assert ranked == ["a/b", "a/{x:int}", "a/{x}", "a/{x?}", "a/{*rest}"]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 */5 * * * *", "2026-03-29T01:00:00"),
        ("*/5 * * * *", "2026-03-29T01:00:00"),
        ("*/10 * * * * *", "2026-03-29T00:58:40"),
        ("0 30 2 * * MON-FRI", "2026-03-30T02:30:00"),
        ("0 0 0 1 * 1", "2026-06-01T00:00:00"),  # a first that is a Monday: both day fields count, unlike cron
    ],
)
def test_schedules(schedule: str, expected: str) -> None:
    check_schedule(schedule, "test")
    moment = datetime(2026, 3, 29, 0, 58, 30, tzinfo=UTC)
    assert next_after(schedule, moment) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "schedule", ["", "* * * *", "00:05:00", "0 61 * * * *", "@daily", "0 0 0 L * *", "0 0 0 30 2 *"]
)
def test_schedules_that_are_none(schedule: str) -> None:
    with pytest.raises(ConfigError, match="is not NCRONTAB"):
        check_schedule(schedule, "test")


def test_settings_resolve_by_name() -> None:
    assert resolve("%A%-%B%", "test", {"A": "x", "B": "y"}) == "x-y"
    with pytest.raises(ConfigError, match="there is no setting 'C'"):
        resolve("%C%", "test", {})
    with pytest.raises(ConfigError, match="binding expressions"):
        resolve("{queueTrigger}", "test", {})


def test_retry_delays() -> None:
    growing = Retry(limit=-1, first=2, longest=10, exponential=True)
    assert [growing.delay(attempt) for attempt in (1, 2, 3, 4, 5000)] == [2, 4, 8, 10, 10]
    assert [Retry(2, 3, 3, exponential=False).delay(attempt) for attempt in (1, 2)] == [3, 3]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "host.json: is not JSON"),
        ("{}", '"version" must be "2.0"'),
        ('{"version": "2.0", "functionTimeout": "5 minutes"}', "functionTimeout: expected a duration"),
        ('{"version": "2.0", "extensions": {"queues": {"batchSize": 33}}}', "batchSize: expected a whole number"),
    ],
)
def test_host_json_is_checked(tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "host.json").write_text(content)
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        read_host_json(tmp_path / "host.json")


def test_the_largest_body_is_that_of_the_real_host_unless_set() -> None:
    name = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
    assert (largest_body({}), largest_body({name: "7"})) == (100 * 1024 * 1024, 7)
    with pytest.raises(ConfigError, match=name):
        largest_body({name: "1MB"})


def test_host_json_defaults_are_those_of_the_real_host(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"version": "2.0", "extensions": {"queues": {"batchSize": 8}}}')
    config = read_host_json(tmp_path / "host.json")
    assert (config.route_prefix, config.function_timeout) == ("api", 1800)
    assert (config.queues.batch_size, config.queues.new_batch_size, config.queues.max_dequeue_count) == (8, 4, 5)
    assert timespan("1.02:03:04.5", "test") == 93784.5
