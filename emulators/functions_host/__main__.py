"""`python -m emulators.functions_host --app DIR --port N [--settings FILE]`: run a Functions app on this machine."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from azure_functions_runtime.utils.executor import invocation_id_cv

from emulators.functions_host.config import ConfigError, apply_settings, read_host_json
from emulators.functions_host.host import Host, Options, load
from emulators.functions_host.sign_in_config import read_sign_in

log = logging.getLogger("functions_host")


class _Formatter(logging.Formatter):
    """One line each; what the app logs carries the id of its invocation."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        invocation = invocation_id_cv.get()
        record.invocation = f"[{invocation[:8]}] " if invocation else ""
        return super().format(record)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Formatter("%(asctime)s %(levelname)s %(name)s %(invocation)s%(message)s")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # The storage clients' request logs, and the engine's index of the app with its settings.
    logging.getLogger("azure").setLevel(logging.WARNING)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m emulators.functions_host", description="a local Functions host")
    parser.add_argument("--app", type=Path, required=True, help="folder with function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--settings", type=Path, help="default: local.settings.json in the app's folder, if there")
    parser.add_argument(
        "--invisibility",
        type=int,
        default=600,
        help="seconds until the message of a killed host reappears (the real host: 600); renewed while a function runs",
    )
    parser.add_argument(
        "--sign-in",
        type=Path,
        metavar="FILE",
        help="the platform's sign-in is on, with these settings (authsettingsV2)",
    )
    parser.add_argument("--entra", default="", metavar="URL", help="loopback stand-in for the authority of --sign-in")
    given = parser.parse_args(arguments)
    if given.invisibility < 1:
        parser.error("--invisibility: storage counts whole seconds, from 1")
    return given


async def _serve(host: Host) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return await host.run(stopping)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. 0 = stopped cleanly, 1 = cut off invocations, 2 = wrong configuration."""
    given = _arguments(arguments)
    _log_to_stderr()
    app = given.app.resolve()
    try:
        config = read_host_json(app / "host.json")
        settings = given.settings.resolve() if given.settings else app / "local.settings.json"
        if given.settings or settings.exists():
            apply_settings(settings, os.environ)
        sign_in = read_sign_in(given.sign_in, given.entra, os.environ) if given.sign_in else None
        if sign_in:  # what the platform tells the app of itself
            os.environ["WEBSITE_AUTH_ENABLED"] = "True"
            os.environ.setdefault("WEBSITE_SITE_NAME", "local")
        options = Options(app, given.port, given.invisibility, sign_in)
        os.environ.setdefault("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
        os.environ.setdefault("FUNCTIONS_WORKER_RUNTIME", "python")
        host = Host(options, config, load(options))
        late = asyncio.run(_serve(host))
    except ConfigError as error:
        log.error("%s", error)
        return 2
    if late:
        log.error("stopped with %d invocations cut off", late)
        logging.shutdown()
        os._exit(1)  # a thread stuck in a function would keep the process alive
    return 0


if __name__ == "__main__":
    sys.exit(main())
