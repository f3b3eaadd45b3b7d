"""First fill of a mailbox, measured in ratios within one run: `make bench` (prints a table, writes bench.json).

The real engine, adapters and store (Azurite) in this process; the emulators of Graph and vtenext in processes of their own, Graph with 50 ms round
trip and 50 ms service time. Compared with one request per contact, one after another (a sample, scaled), and with the ceiling: 4 in flight,
50 ms each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx

from emulators.azurite import running
from sync.setup import Setup
from sync.sides.base import Crm, Mailbox
from sync.sides.graph import GraphConnection, Throttle, connect, open_mailbox
from sync.sides.graph.cards import card_of
from sync.sides.vtenext import StoreLoginGate, VtenextClient, VtenextCrm
from sync.store.board import BoardStore
from sync.store.registry import Registry
from sync.store.secrets import Keyring
from sync.store.tables import TableRows
from sync.worker import Worker
from tests.contract.graph_world import Badge
from tests.sim.mapping_for_tests import translators

ROUND_TRIP, SERVICE, IN_FLIGHT = 0.050, 0.050, 4


@contextmanager
def emulator(name: str, *options: str) -> Iterator[str]:
    """An emulator in a process of its own; its base address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", f"emulators.{name}", "--port", str(port), *options])
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(100):
            try:
                httpx.get(f"{base}/_emulator/requests")
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait(10)


@dataclass
class Office:
    """One user with a mailbox, and a CRM with contacts of his."""

    graph: str
    vtenext: str
    user: str = ""
    owner: str = ""

    def fill(self, contacts: int) -> None:
        post = httpx.post
        users = [{"user_name": "anna", "last_name": "Anna", "email1": "anna@x.example", "date_format": "yyyy-mm-dd"}]
        self.owner = _first(post(f"{self.vtenext}/_emulator/users", json={"users": users}).json())
        body = {"mail": "anna@x.example", "display_name": "Anna"}
        self.user = str(post(f"{self.graph}/_emulator/users", json=body).json()["id"])
        rows = [
            {
                "firstname": f"Nome{n}",
                "lastname": f"Cognome {n}",
                "email": f"nome{n}@azienda.example",
                "phone": f"+39 02 {n:06d}",
                "title": "Responsabile acquisti",
                "mailingcity": "Milano",
                "mailingstreet": "Via Roma 1",
                "description": "Cliente dal 2019. " * 5,
                "assigned_user_id": self.owner,
            }
            for n in range(contacts)
        ]
        post(
            f"{self.vtenext}/_emulator/records", json={"module": "Contacts", "records": rows}, timeout=60
        ).raise_for_status()
        latency = {"round_trip_ms": ROUND_TRIP * 1000, "service_ms": SERVICE * 1000}
        httpx.put(f"{self.graph}/_emulator/latency", json=latency)

    def requests(self) -> int:
        return int(httpx.get(f"{self.graph}/_emulator/requests").json()["total"])

    def cards(self) -> int:
        dump = httpx.post(f"{self.graph}/_emulator/mailbox", json={"user": self.user}).json()
        return sum(len(folder["contacts"]) for folder in dump["folders"])


def _first(answer: object) -> str:
    while isinstance(answer, dict | list):
        answer = next(iter(answer.values())) if isinstance(answer, dict) else answer[0]
    return str(answer)


def _connection(base: str) -> GraphConnection:
    throttle = Throttle(clock=time.monotonic, sleep=asyncio.sleep)
    return connect(Badge(), throttle, new_id=lambda: str(uuid.uuid4()), sleep=asyncio.sleep, base_url=f"{base}/v1.0")


async def fill(office: Office, storage: str) -> tuple[float, float]:
    """The engine's first fill: seconds, and peak resident MiB of this process."""
    rows = TableRows.connect(storage)
    registry = Registry(rows)

    def now() -> datetime:
        return datetime.now(UTC)

    gate = StoreLoginGate(rows, now)
    secret = "svc.sync.key"
    client = VtenextClient(office.vtenext, "svc.sync", secret, gate=gate, fingerprint="bench", now=now)
    crm = VtenextCrm(client, fields={kind: [p.crm for p in t.pairs] for kind, t in translators().items()})
    connection = _connection(office.graph)

    class Sides:
        async def crm(self) -> Crm:
            return crm

        async def mailbox(self, mailbox: str, folder: str) -> Mailbox:
            return await open_mailbox(connection, mailbox, folder or None, "vtenext")

    async def setup() -> Setup:
        return Setup(True, translators(), {office.owner: office.user})

    keys = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
    new_id = lambda: uuid.uuid4().hex  # noqa: E731
    worker = Worker(registry, BoardStore(rows), keys, Sides(), setup, now, new_id)
    await registry.change_mailbox(office.user, user=office.owner, enabled=True)
    started = time.monotonic()
    while (outcome := await worker.run(office.user)) is None or outcome.unfinished:
        pass
    seconds = time.monotonic() - started
    for closing in (client.aclose(), connection.close(), rows.aclose()):
        await closing
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def loop(office: Office, sample: int) -> float:
    """One POST per contact, one after another: seconds."""
    started = time.monotonic()
    async with httpx.AsyncClient(base_url=f"{office.graph}/v1.0") as http:
        for n in range(sample):
            card = card_of({"givenName": f"Loop{n}", "surname": "Loop", "emailAddresses": (f"l{n}@x.example",)})
            (await http.post(f"/users/{office.user}/contacts", json=card)).raise_for_status()
    return time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contacts", type=int, default=2000)
    parser.add_argument("--sample", type=int, default=300)
    options = parser.parse_args()
    with running() as azurite, emulator("graph", "--no-auth") as graph, emulator("vtenext") as vtenext:
        office = Office(graph, vtenext)
        office.fill(options.contacts)
        before = office.requests()
        seconds, peak = asyncio.run(fill(office, azurite.connection_string))
        requests, cards = office.requests() - before, office.cards()
        per_item = asyncio.run(loop(office, options.sample)) / options.sample
    ceiling = options.contacts * SERVICE / IN_FLIGHT
    result = {
        "contacts": options.contacts,
        "cards made": cards,
        "requests per contact": round(requests / options.contacts, 4),
        "seconds": round(seconds, 1),
        f"times faster than one by one (sample of {options.sample}, scaled)": round(
            per_item * options.contacts / seconds, 2
        ),
        "share of the ceiling (4 in flight)": round(ceiling / seconds, 3),
        "peak MiB of the worker": round(peak),
    }
    for name, value in result.items():
        print(f"{name:64} {value}")
    Path("bench.json").write_text(json.dumps(result, indent=2) + "\n")
    return 0 if cards == options.contacts else 1


if __name__ == "__main__":
    sys.exit(main())
