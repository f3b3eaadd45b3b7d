"""Many users with a mailbox each, on the whole product: functions hosts, Azurite behind a tap, the emulators, notifications on.

Everything is asked over HTTP, as people and servers would. The hosts are processes of their own; so are Azurite and the emulators.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sync.agenda import APART
from tests.bench.tap import Tap
from tests.e2e.connector import Connector
from tests.e2e.hands import Admin, CrmScreen, Outlook
from tests.e2e.stack import Stack, free_ports

ROOT = Path(__file__).resolve().parents[2]
NEVER = "0 0 0 1 1 *"
FOLDER = "vtenext"
AFTER = APART.total_seconds() + 3
"""Seconds. Longer than what was told during a run waits for the next one."""


@dataclass(slots=True)
class Crowd:
    """`owners[n]` has `mailboxes[n]` and, in the CRM, the contacts `contacts[n]`."""

    stack: Stack
    tap: Tap
    crm: CrmScreen
    outlook: Outlook
    connector: Connector
    owners: list[str] = field(default_factory=list)
    mailboxes: list[str] = field(default_factory=list)
    contacts: list[list[str]] = field(default_factory=list)

    def people(self, number: int) -> None:
        """Users on both sides; nobody is connected yet."""
        start = len(self.owners)
        rows = [_user(n) for n in range(start, start + number)]
        self.owners += self.crm.users(rows)
        self.mailboxes += [self.outlook.user(str(row["email1"]), str(row["last_name"])) for row in rows]
        self.contacts += [[] for _ in rows]

    def records(self, user: int, number: int) -> None:
        """Contacts of a user in the CRM."""
        first = len(self.contacts[user])
        rows = [contact(user, n, self.owners[user]) for n in range(first, first + number)]
        for at in range(0, number, 2000):
            self.contacts[user] += self.crm.records("Contacts", rows[at : at + 2000])

    def cards(self, user: int, number: int) -> None:
        """Cards that only the user's mailbox has, in our folder."""
        self.outlook.do("create_folder", self.mailboxes[user], name=FOLDER)
        for n in range(number):
            fields = {"givenName": f"Carta{n}", "surname": f"Utente{user}", "mobilePhone": f"+39 320 {user:03d}{n:04d}"}
            self.outlook.do("create", self.mailboxes[user], folder=FOLDER, fields=fields)

    def connect(self, users: Sequence[int] = ()) -> None:
        """Connect them with their mailboxes."""
        for n in users or range(len(self.owners)):
            self.connector.pair(self.owners[n], self.mailboxes[n])

    def idle(self, mailboxes: Sequence[str] = ()) -> bool:
        """Has every mailbox ended a run, and does nothing run or wait?"""
        status = self.connector.status()
        if status["state"] != "running" or status["running"] or status["filling"]:
            return False
        rows = self.connector.mailboxes()
        return all(
            m["last_run"] and not m["running"] and m["state"] == "ok"
            for m in rows
            if not mailboxes or m["mailbox"] in mailboxes
        )

    def settled(self, seconds: float = 300, every: float = 0.5) -> None:
        """Until all are idle, several looks in a row."""
        quiet, end = 0, time.monotonic() + seconds
        while quiet < 4:
            quiet = quiet + 1 if self.idle() else 0
            if time.monotonic() > end:
                raise RuntimeError(f"not settled: {self.connector.describe()[:800]}")
            time.sleep(every)

    def at_rest(self) -> bool:
        """Idle, and no run began for so long that none follows any more because of what was told during the last one."""
        began = max((state.asked for state in self.tap.taken()), default=0.0)
        return time.time() - began > AFTER and self.idle()

    def edit(self, user: int, card: str, job: str) -> None:
        """The user edits a card in Outlook."""
        self.outlook.do("edit", self.mailboxes[user], contact=card, fields={"jobTitle": job})

    def card_of(self, user: int) -> str:
        """One of the user's cards."""
        return str(self.outlook.cards(self.mailboxes[user], FOLDER)[0]["id"])

    def cpu(self) -> float:
        """Seconds that the hosts have used so far, by the kernel's account."""
        ticks = 0
        for name in self.hosts():
            process = self.stack._children[name].process
            assert process is not None
            fields = Path(f"/proc/{process.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def hosts(self) -> list[str]:
        """Names of the hosts that were started."""
        return [name for name in self.stack.urls if name.startswith("host")]

    def slow_down(self, round_trip_ms: float, service_ms: float) -> None:
        """Both servers."""
        self.outlook.slow_down(round_trip_ms=round_trip_ms, service_ms=service_ms)
        self.crm.slow_down(round_trip_ms=round_trip_ms)

    def unequal(self) -> list[str]:
        """Mailboxes whose cards are not the people of their user in the CRM, as far as names and phones go."""
        records: dict[str, list[tuple[str, str, str]]] = {owner: [] for owner in self.owners}
        for row in self.crm.living()["Contacts"]:
            if row["assigned_user_id"] in records:
                records[row["assigned_user_id"]].append((row["firstname"], row["lastname"], row["mobile"]))
        found: list[str] = []
        for owner, mailbox in zip(self.owners, self.mailboxes, strict=True):
            cards = [(c["givenName"], c["surname"], c["mobilePhone"]) for c in self.outlook.cards(mailbox, FOLDER)]
            if sorted(cards) != sorted(records[owner]):
                found.append(mailbox)
        return found


@contextmanager
def crowd(
    name: str, settings: Mapping[str, str] | None = None, host: Mapping[str, Any] | None = None
) -> Iterator[Crowd]:
    """A stack whose hosts reach Azurite through a tap, and are reached by notifications. `host`: queue options that replace those of host.json."""
    (port,) = free_ports(1)
    given = {"SYNC_SCHEDULE": NEVER, "PUBLIC_URL": f"http://127.0.0.1:{port}", **(settings or {})}
    with tempfile.TemporaryDirectory() as folder:
        app = _app(Path(folder), host) if host else ROOT
        with Stack(f"bench-{name}", given, app_port=port, app=app) as stack:
            storage = stack.settings["AzureWebJobsStorage"]
            upstream = {service: _port(storage, service) for service in ("queue", "table")}
            with Tap(upstream) as tap:
                stack.stop_host()
                through = tap.connection(storage)
                stack.start_host("host", AzureWebJobsStorage=through, STORAGE=through)
                place = _opened(stack, tap)
                try:
                    yield place
                finally:
                    for each in place.hosts():
                        stack.stop_host(each)


def _opened(stack: Stack, tap: Tap) -> Crowd:
    crm, outlook = CrmScreen(stack.urls["vtenext"]), Outlook(stack.urls["graph"])
    admin = Admin(stack.urls["host"], stack.token)
    return Crowd(stack, tap, crm, outlook, Connector(admin, lambda: crm.writes() + outlook.writes()))


def _app(folder: Path, queues: Mapping[str, Any]) -> Path:
    """The app with another host.json."""
    for each in ROOT.iterdir():
        if each.name not in {"host.json", ".git", ".local"}:
            (folder / each.name).symlink_to(each)
    host = json.loads((ROOT / "host.json").read_text("utf-8"))
    host["extensions"]["queues"].update(queues)
    (folder / "host.json").write_text(json.dumps(host))
    return folder


def _port(storage: str, service: str) -> int:
    address = storage.partition(f"{service.capitalize()}Endpoint=http://127.0.0.1:")[2]
    return int(address.partition("/")[0])


def _user(n: int) -> dict[str, object]:
    return {
        "user_name": f"utente{n}",
        "first_name": "Utente",
        "last_name": f"Numero {n}",
        "email1": f"utente{n}@azienda.example",
        "roleid": "H3",
        "date_format": "yyyy-mm-dd",
    }


def contact(user: int, n: int, owner: str) -> dict[str, str]:
    """A person of the CRM; no two users share one."""
    return {
        "firstname": f"Nome{n}",
        "lastname": f"Cognome{user}",
        "email": f"nome{n}.{user}@azienda.example",
        "mobile": f"+39 333 {user:03d}{n:05d}",
        "title": "Responsabile acquisti",
        "mailingcity": "Milano",
        "assigned_user_id": owner,
    }


def until(what: str, check: Callable[[], Any], seconds: float = 60.0, every: float = 0.05) -> Any:
    """Poll until `check` gives something true."""
    end = time.monotonic() + seconds
    while not (found := check()):
        if time.monotonic() > end:
            raise RuntimeError(f"not in {seconds:.0f} s: {what}")
        time.sleep(every)
    return found


class Slowness:
    """A context manager: how many times longer than it should work takes on this machine meanwhile, for all that else it does.

    Some milliseconds of work, again and again: time of the clock over time of the processor. 1 = the machine was ours.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def told(self) -> str:
        """As part of how a figure was measured."""
        return f"the machine was {statistics.fmean(self.times):.1f} times slower than alone, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"

    def _look(self) -> None:
        code = (
            "import time\n"
            "while True:\n"
            " input(); c=time.process_time(); w=time.monotonic()\n"
            " while time.process_time()-c<0.02: pass\n"
            " print((time.monotonic()-w)/(time.process_time()-c), flush=True)"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin
            assert process.stdout
            while True:
                process.stdin.write("\n")
                process.stdin.flush()
                self.times.append(float(process.stdout.readline()))
                if self._over.wait(0.5):
                    break
            process.kill()
