"""Everything that a local run needs, as child processes: Azurite, the emulators, the Functions host with the app in it.

For the demo, `make serve` and the e2e tests. Ports are free ones, logs go to .local/logs, secrets are made anew for each start
and kept in a file that only its owner reads. It knows nothing of the engine: whatever is asked of the app goes over HTTP.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from tests.e2e.hands import Entra
from tests.e2e.signing_in import ADMIN, SECRET_SETTING, admit, auth_settings, registration

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / ".local"
START_SECONDS = 60.0
STOP_SECONDS = 15.0
EMULATORS = ("vtenext", "graph", "entra")
CRM_USER = "svc.sync"
CRM_KEY = "svc.sync.key"  # what the emulated vtenext gives its service user: no secret
CLIENT_ID = "22222222-3333-4444-8555-666666666666"
ROLES = (
    "Contacts.ReadWrite",
    "Calendars.ReadWrite",
    "Tasks.ReadWrite.All",
    "MailboxSettings.ReadWrite",
    "User.Read.All",
)
AZURITE_ACCOUNT = "devstoreaccount1"
# The key that Microsoft publishes for every Azurite: no secret.
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# Settings of the app (DESIGN 8) that must not leak in from the shell of whoever starts a stack.
OURS = (
    "VTENEXT_",
    "GRAPH_",
    "ENTRA_",
    "STORAGE",
    "AzureWebJobs",
    "SYNC_",
    "WEBSITE_",
    "FUNCTIONS_",
    "PUBLIC_URL",
    "APPLICATIONINSIGHTS_",
)
OURS_TOO = (
    "TENANT_ID", "CLIENT_ID", "CLIENT_SECRET", "CLIENT_ASSERTION_MANAGED_IDENTITY",
    "KEY_VAULT_URL", "INDEX_KEY", "DIGEST_KEYS", "ENCRYPTION_KEYS", "ADMIN_TOKEN",
)  # fmt: skip


class StackError(RuntimeError):
    """A part of the stack did not start; the text says which, and the end of what it said."""


@dataclass(slots=True)
class Child:
    """One process with its log. It leads a group of its own, so that Ctrl-C reaches only the one who stops it in order."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None
    _output: IO[bytes] | None = None

    def start(self) -> None:
        """Start, appending to the log."""
        self._output = self.log.open("ab")
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait_ready(self, ready: Callable[[], bool]) -> None:
        """Until `ready`; StackError with the end of the log when the process ended or time is up."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            ended = self.process is None or self.process.poll() is not None
            if ended or time.monotonic() > deadline:
                said = self.log.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
                raise StackError(f"{self.name} {'ended' if ended else 'is not ready'}: {said or 'it said nothing'}")
            time.sleep(0.05)

    def stop(self) -> int | None:
        """SIGTERM, then SIGKILL for the whole group when it does not obey. Returns the exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
        return self._closed()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self._closed()

    def _closed(self) -> int | None:
        if self._output is not None:
            self._output.close()
            self._output = None
        return self.process.returncode if self.process else None


def free_ports(count: int) -> list[int]:
    """Ports in a row that nobody listens on: Azurite takes three neighbours."""
    for _ in range(100):
        with socket.socket() as first:
            first.bind(("127.0.0.1", 0))
            base = first.getsockname()[1]
        ports = list(range(base, base + count))
        with ExitStack() as held:
            try:
                for port in ports:
                    held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except (OSError, OverflowError):
                continue
        return ports
    raise StackError(f"no {count} free ports in a row were found")


def listening(port: int) -> bool:
    """Does somebody listen there?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def answers(url: str) -> bool:
    """Does the address answer 200?"""
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


@dataclass(slots=True)
class Stack:
    """A context manager: everything started and ready inside, everything stopped after it, also on Ctrl-C.

    `emulated`: which servers are stand-ins; the others' addresses and credentials come in `settings`, which win over
    what the stack would set. `invisibility`: seconds until the message of a killed host reappears. `sign_in`: as on Azure people sign in
    with Entra ID at the platform's front, at `public_url`, and there is no admin token; what it does with others (signing_in.py), '' = off.
    `app`: the folder of the app, e.g. an unpacked package.
    """

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)
    emulated: Collection[str] = EMULATORS
    invisibility: int = 15
    app_port: int | None = None
    sign_in: str = ""
    app: Path = ROOT
    urls: dict[str, str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(36))
    client_secret: str = field(default_factory=lambda: f"demo~{secrets.token_urlsafe(24)}")
    _children: dict[str, Child] = field(default_factory=dict)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def public_url(self) -> str:
        """Where browsers open the panel. Not 127.0.0.1, where Entra's pages are: to a browser it must be another site, with other cookies."""
        return self.settings.get("PUBLIC_URL") or f"http://localhost:{self.app_port}"

    @property
    def logs(self) -> Path:
        """Where the parts' logs are."""
        return LOCAL / "logs" / self.name

    @property
    def token_file(self) -> Path:
        """The admin token, for people with a browser or curl."""
        return LOCAL / f"{self.name}.token"

    @property
    def settings_file(self) -> Path:
        return LOCAL / f"{self.name}.settings.json"

    @property
    def _auth_file(self) -> Path:
        return LOCAL / f"{self.name}.auth.json"

    def start_host(self, name: str = "host", **changes: str) -> str:
        """Start the Functions host (again), with settings changed if any are given; returns its address when it answers.

        Another name is another process of the same app on the same storage: a second worker.
        """
        self.settings = {**self.settings, **changes}
        _write_private(self.settings_file, json.dumps({"IsEncrypted": False, "Values": dict(self.settings)}, indent=2))
        if name not in self.urls:
            self.urls[name] = (
                f"http://127.0.0.1:{self.app_port if name == 'host' and self.app_port else free_ports(1)[0]}"
            )
        url = self.urls[name]
        arguments = ["--app", str(self.app), "--port", url.rpartition(":")[2], "--settings", str(self.settings_file)]
        arguments += ["--invisibility", str(self.invisibility)]
        if self.sign_in:
            told = auth_settings(self.settings["TENANT_ID"], CLIENT_ID, self.sign_in)
            _write_private(self._auth_file, json.dumps(told, indent=2))
            arguments += ["--sign-in", str(self._auth_file), "--entra", self.urls["entra"]]
        self._run(name, "emulators.functions_host", arguments, partial(answers, f"{url}/admin/host/status"))
        return url

    def kill_host(self, name: str = "host") -> None:
        """kill -9: nothing is tidied up."""
        self._children[name].kill()

    def stop_host(self, name: str = "host") -> int | None:
        """SIGTERM; returns the host's exit code."""
        return self._children[name].stop()

    def stop(self) -> None:
        """Stop whatever runs, in the reverse order of starting, and remove the files with secrets."""
        for child in reversed(self._children.values()):
            child.stop()
        for path in (self.settings_file, self.token_file, self._auth_file):
            path.unlink(missing_ok=True)

    def _start(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        for old in self.logs.glob("*.log"):
            old.unlink()
        storage, *_ = free_ports(3)
        ready = range(storage, storage + 3)
        self._run("azurite", "emulators.azurite", ["--port", str(storage)], lambda: all(map(listening, ready)))
        if self.sign_in and self.app_port is None:
            (self.app_port,) = free_ports(1)
        self._start_emulators()
        self.settings = {**self._defaults(storage), **self.settings}
        if self.sign_in:
            self._sign_in_on()
        else:
            _write_private(self.token_file, self.token + "\n")
        self.start_host()

    def _start_emulators(self) -> None:
        for name in ("entra", "graph", "vtenext"):
            if name not in self.emulated:
                continue
            (port,) = free_ports(1)
            url = self.urls[name] = f"http://127.0.0.1:{port}"
            arguments = ["--port", str(port)]
            if name == "graph":
                arguments += ["--entra", self.urls["entra"]] if "entra" in self.urls else ["--no-auth"]
            self._run(name, f"emulators.{name}", arguments, partial(answers, f"{url}/_emulator/clock"))
        if "entra" in self.urls:
            app = {"client_id": CLIENT_ID, "roles": ROLES, "secrets": [{"value": self.client_secret}]}
            app |= registration(self.public_url) if self.app_port else {}
            httpx.post(f"{self.urls['entra']}/_emulator/apps", json=app, trust_env=False).raise_for_status()

    def _sign_in_on(self) -> None:
        """Azure's front: its settings, no token, and the administrator whom every tenant has."""
        changes = {SECRET_SETTING: self.client_secret, "WEBSITE_AUTH_ENCRYPTION_KEY": secrets.token_hex(32)}
        kept = {name: value for name, value in self.settings.items() if name != "ADMIN_TOKEN"}
        self.settings = {"PUBLIC_URL": self.public_url, **kept, **changes}
        admit(Entra(self.urls["entra"]), CLIENT_ID, ADMIN)

    def _defaults(self, storage: int) -> dict[str, str]:
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={AZURITE_ACCOUNT};AccountKey={AZURITE_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{storage}/{AZURITE_ACCOUNT};"
            f"QueueEndpoint=http://127.0.0.1:{storage + 1}/{AZURITE_ACCOUNT};"
            f"TableEndpoint=http://127.0.0.1:{storage + 2}/{AZURITE_ACCOUNT};"
        )
        values = {
            "AzureWebJobsStorage": connection,
            "STORAGE": connection,
            "ADMIN_TOKEN": self.token,
            "INDEX_KEY": _key(),
            "DIGEST_KEYS": f"1:{_key()}",
            "ENCRYPTION_KEYS": f"1:{_key()}",
            "SYNC_SCHEDULE": "0 */5 * * * *",
            "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1048576",
        }
        if "vtenext" in self.urls:
            values |= {"VTENEXT_URL": self.urls["vtenext"], "VTENEXT_USERNAME": CRM_USER, "VTENEXT_ACCESS_KEY": CRM_KEY}
        if "graph" in self.urls:
            values["GRAPH_BASE_URL"] = f"{self.urls['graph']}/v1.0"
        if "entra" in self.urls:
            tenant = (
                httpx.get(f"{self.urls['entra']}/_emulator/tenant", trust_env=False).raise_for_status().json()["id"]
            )
            values |= {"ENTRA_AUTHORITY_HOST": self.urls["entra"], "TENANT_ID": tenant}
            values |= {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": self.client_secret}
        return values

    def _run(self, name: str, module: str, arguments: list[str], ready: Callable[[], bool]) -> None:
        command = [sys.executable, "-m", module, *arguments]
        child = Child(name, command, self.logs / f"{name}.log", _environment())
        self._children[name] = child
        child.start()
        try:
            child.wait_ready(ready)
        except StackError:
            child.stop()
            raise


def _environment() -> dict[str, str]:
    """The shell's, without settings of the app; loopback is never reached through a proxy."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS) and k not in OURS_TOO}
    return kept | {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "PYTHONUNBUFFERED": "1"}


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def stop_on_signals() -> None:
    """Let SIGTERM unwind like Ctrl-C, so that children are stopped; a second Ctrl-C does not disturb the stopping."""

    def ended(number: int, _: object) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, ended)
