"""The host process: puts the parts together, runs them, and stops them in the right order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from azure.data.tables.aio import TableClient
from starlette.types import ASGIApp

from emulators.functions_host import engine
from emulators.functions_host.config import ConfigError, HostConfig, connection, largest_body
from emulators.functions_host.functions import Function, QueueTrigger, TimerTrigger
from emulators.functions_host.invoker import Invoker, Tasks
from emulators.functions_host.lease import TABLE, Lease
from emulators.functions_host.queues import QueueListener
from emulators.functions_host.sign_in import PlatformSignIn
from emulators.functions_host.sign_in_config import SignInConfig
from emulators.functions_host.storage import Queues
from emulators.functions_host.timers import Timers
from emulators.functions_host.web import Keys, Web

log = logging.getLogger("functions_host")

GRACE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    app: Path
    port: int
    invisibility: int
    sign_in: SignInConfig | None = None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield  # signals are the host's: it stops the listeners too


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _host_id(app: Path) -> str:
    """The same for all processes of an app, as AzureFunctionsWebHost__hostid is on Azure."""
    named = os.environ.get("AzureFunctionsWebHost__hostid")  # noqa: SIM112 - Azure spells it so
    return named or hashlib.sha256(str(app).encode()).hexdigest()[:16]


class Host:
    """One running app."""

    def __init__(self, options: Options, config: HostConfig, functions: tuple[Function, ...]) -> None:
        self._options = options
        self._config = config
        self._functions = functions
        self._host_id = _host_id(options.app)
        self._socket = _listen(options.port)
        self._tasks = Tasks()
        self._queues = Queues(config.queues.base64)
        self._invoker = Invoker(self._queues, config.function_timeout)

    async def run(self, stopping: asyncio.Event) -> int:
        """Serve until `stopping` is set; returns how many invocations had to be cut off at the end."""
        web = Web(
            self._functions,
            self._config.route_prefix,
            Keys(os.environ),
            self._host_id,
            self._invoker,
            self._tasks,
            largest_body(os.environ),
        )
        face = PlatformSignIn(web, self._options.sign_in) if self._options.sign_in else web
        timers, lease, table = self._timers()
        listeners = [
            asyncio.create_task(listener.listen(stopping), name="queue listener") for listener in self._listeners()
        ]
        timing = asyncio.create_task(timers.run(), name="timers") if timers else None
        server = _server(face)
        serving = asyncio.create_task(server.serve(sockets=[self._socket]), name="http")
        port = self._socket.getsockname()[1]
        log.info("ready on http://127.0.0.1:%d with %d functions", port, len(self._functions))
        watched = [*listeners, serving, *([timing] if timing else [])]
        try:
            await _until(stopping, watched)
        finally:
            log.info("stopping")
            stopping.set()
            server.should_exit = True
            if timing:
                timing.cancel()
            # Listeners first: a receive under way may still start messages, which are then awaited.
            await asyncio.gather(*listeners, return_exceptions=True)
            late, *_ = await asyncio.gather(self._tasks.drain(GRACE_SECONDS), serving)
            if lease and table:
                await lease.release()
                await table.close()
            await self._queues.close()
        return int(late)

    def _active(self) -> list[Function]:
        return [function for function in self._functions if not function.disabled]

    def _listeners(self) -> list[QueueListener]:
        return [
            QueueListener(
                function,
                function.trigger,
                self._config.queues,
                self._options.invisibility,
                self._queues,
                self._invoker,
                self._tasks,
            )
            for function in self._active()
            if isinstance(function.trigger, QueueTrigger)
        ]

    def _timers(self) -> tuple[Timers | None, Lease | None, TableClient | None]:
        functions = [(each, each.trigger) for each in self._active() if isinstance(each.trigger, TimerTrigger)]
        if not functions:
            return None, None, None
        storage = connection("AzureWebJobsStorage", "timers need storage")
        table = TableClient.from_connection_string(storage, TABLE, retry_total=1)
        holder = f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"
        lease = Lease(table, self._host_id, holder, self._config.lock_period, _utc_now)
        return Timers(functions, lease, self._invoker, self._tasks, _utc_now), lease, table


def _listen(port: int) -> socket.socket:
    # The protocol is named because asyncio sets TCP_NODELAY only then: else each answer takes 44 ms, not 1.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise ConfigError(f"port {port} cannot be used: {error.strerror}") from error
    listening.listen(128)
    return listening


def _server(web: ASGIApp) -> _Server:
    return _Server(
        uvicorn.Config(
            web,
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,  # else any caller could choose the scheme and address that the app sees
            timeout_graceful_shutdown=int(GRACE_SECONDS),
        )
    )


async def _until(stopping: asyncio.Event, watched: list[asyncio.Task[None]]) -> None:
    """Return when told to stop; a part that ends before that is a fault and its exception comes out."""
    told = asyncio.create_task(stopping.wait())
    try:
        done, _pending = await asyncio.wait([told, *watched], return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
    for task in done - {told}:
        task.result()
        if not stopping.is_set():
            raise RuntimeError(f"the host's part '{task.get_name()}' ended by itself")


def load(options: Options) -> tuple[Function, ...]:
    """The app's functions; the app's folder becomes the working directory, as on Azure."""
    os.chdir(options.app)
    return engine.load(options.app, os.environ)
