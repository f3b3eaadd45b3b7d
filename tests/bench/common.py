"""What the benches share: emulators in processes of their own, an office with people in both systems, and children whose use is measured."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sync.sides.vtenext import StoreLoginGate, VtenextClient
from sync.store.base import Rows
from tests.bench.engine import ACCESS_KEY, SERVICE_USER, now

ROOT = Path(__file__).resolve().parents[2]
ROUND_TRIP, SERVICE, IN_FLIGHT = 0.050, 0.050, 4
CRM_WRITE, CRM_SERVER = 0.130, 13.0
"""Seconds of one write on one session, and writes a second of the whole server: modest hardware (API.md 1.3)."""
FOLDER = "vtenext"


@contextmanager
def emulator(name: str, *options: str) -> Iterator[str]:
    """An emulator in a process of its own; its base address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", f"emulators.{name}", "--port", str(port), *options], cwd=ROOT)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            try:
                httpx.get(f"{base}/_emulator/requests")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        else:
            raise RuntimeError(f"the emulator of {name} does not answer")
        yield base
    finally:
        process.terminate()
        process.wait(10)


@dataclass(frozen=True, slots=True)
class Used:
    """What a child process used, by the kernel's account, and what it said."""

    seconds: float
    cpu: float
    peak: float  # MiB resident
    out: str


def child(command: Sequence[str], env: Mapping[str, str] | None = None) -> Used:
    """Run a process to its end. Raises RuntimeError when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as stream:
        out = stream.read()
    _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} ended with {process.returncode}: {out[-500:]}")
    return Used(time.monotonic() - started, use.ru_utime + use.ru_stime, use.ru_maxrss / 1024, out)


@dataclass
class Office:
    """One user with a mailbox, in both systems."""

    graph: str
    vtenext: str
    user: str = ""
    owner: str = ""
    _asking: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=300), repr=False)

    def open(self) -> None:
        users = [{"user_name": "anna", "last_name": "Anna", "email1": "anna@x.example", "date_format": "yyyy-mm-dd"}]
        self.owner = _first(self._ask("POST", f"{self.vtenext}/_emulator/users", {"users": users}))
        body = {"mail": "anna@x.example", "display_name": "Anna"}
        self.user = _first(self._ask("POST", f"{self.graph}/_emulator/users", body))

    def add_records(self, number: int, first: int = 0) -> None:
        """Contacts of the user in the CRM, counted from `first`."""
        rows = [{**record(n), "assigned_user_id": self.owner} for n in range(first, first + number)]
        for start in range(0, number, 2000):
            body = {"module": "Contacts", "records": rows[start : start + 2000]}
            self._ask("POST", f"{self.vtenext}/_emulator/records", body)

    def add_cards(self, number: int) -> None:
        """The same people in the user's mailbox, in the folder that is ours."""
        self._outlook(do="create_folder", name=FOLDER)
        for n in range(number):
            self._outlook(do="create", folder=FOLDER, fields=card(n))

    def slow_down(self) -> None:
        """The latencies of the two services, and the CRM's limit on writes."""
        away = {"round_trip_ms": ROUND_TRIP * 1000}
        self._ask("PUT", f"{self.graph}/_emulator/latency", {**away, "service_ms": SERVICE * 1000})
        self._ask("PUT", f"{self.vtenext}/_emulator/latency", away)
        cap = {"per_session": 1 / CRM_WRITE, "server": CRM_SERVER}
        self._ask("PUT", f"{self.vtenext}/_emulator/write-cap", cap)

    def without_quota(self) -> None:
        """Graph takes any number of requests: for what is prepared in minutes and takes hours in life."""
        self._ask("PUT", f"{self.graph}/_emulator/quirks", {"quota": 10**9})

    def requests(self) -> int:
        """HTTP requests that Graph was sent."""
        return int(self._ask("GET", f"{self.graph}/_emulator/requests")["total"])  # type: ignore[index]

    def refused(self) -> int:
        """Requests that Graph answered with 429."""
        return int(self._ask("GET", f"{self.graph}/_emulator/throttle")["refused"])  # type: ignore[index]

    def writes(self) -> int:
        """Writes that the CRM was sent."""
        counts = self._ask("GET", f"{self.vtenext}/_emulator/requests")["by"]  # type: ignore[index]
        return sum(number for label, number in counts.items() if label.startswith(("POST create", "POST revise")))

    def cards(self) -> int:
        dump = self._ask("POST", f"{self.graph}/_emulator/mailbox", {"user": self.user})
        return sum(len(folder["contacts"]) for folder in dump["folders"])  # type: ignore[index]

    def records(self) -> int:
        dump = self._ask("GET", f"{self.vtenext}/_emulator/dump")
        return len(dump["modules"].get("Contacts", ()))  # type: ignore[index]

    def close(self) -> None:
        self._asking.close()

    def _outlook(self, **body: object) -> None:
        self._ask("POST", f"{self.graph}/_emulator/outlook", {"user": self.user, **body})

    def _ask(self, method: str, url: str, body: object = None) -> object:
        return self._asking.request(method, url, json=body).raise_for_status().json()


@contextmanager
def office() -> Iterator[Office]:
    """A new one, on emulators of its own."""
    with emulator("graph", "--no-auth") as graph, emulator("vtenext") as vtenext:
        made = Office(graph, vtenext)
        made.open()
        try:
            yield made
        finally:
            made.close()


def record(n: int) -> dict[str, str]:
    """A contact as the CRM holds it."""
    return {
        "firstname": f"Nome{n}",
        "lastname": f"Cognome {n}",
        "email": f"nome{n}@azienda.example",
        "phone": f"+39 02 {n:06d}",
        "mobile": f"+39 333 {n:06d}",
        "title": "Responsabile acquisti",
        "mailingcity": "Milano",
        "mailingstreet": "Via Roma 1",
        "mailingzip": "20100",
        "description": NOTE,
    }


def card(n: int) -> dict[str, object]:
    """The same contact as a card."""
    return {
        "givenName": f"Nome{n}",
        "surname": f"Cognome {n}",
        "displayName": f"Nome{n} Cognome {n}",
        "emailAddresses": [{"address": f"nome{n}@azienda.example", "name": f"Nome{n} Cognome {n}"}],
        "businessPhones": [f"+39 02 {n:06d}"],
        "mobilePhone": f"+39 333 {n:06d}",
        "jobTitle": "Responsabile acquisti",
        "businessAddress": {"city": "Milano", "street": "Via Roma 1", "postalCode": "20100"},
        "personalNotes": NOTE,
    }


NOTE = ("Cliente dal 2019. " * 5).strip()


def crm_client(base: str, rows: Rows) -> VtenextClient:
    """The product's own client, four sessions."""
    gate = StoreLoginGate(rows, now)
    return VtenextClient(base, SERVICE_USER, ACCESS_KEY, gate=gate, fingerprint="bench", now=now)


def _first(answer: object) -> str:
    while isinstance(answer, dict | list):
        answer = next(iter(answer.values())) if isinstance(answer, dict) else answer[0]
    return str(answer)
