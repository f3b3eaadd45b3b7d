"""The functions of the app: a timer that sweeps, two queue triggers that run mailboxes, the HTTP functions of the control plane.

The only place that reads the environment, the clock and randomness. The start checks the settings and imports nothing heavy: the
servers' libraries are loaded when a function is first called. A malformed setting stops the start.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import azure.functions as func

from control import notifications, oauth
from control.api import blueprint
from control.environment import read_environment
from control.failures import Failed, report
from control.panel import site
from control.queue import FILLS, RUNS, RunMessage, read_message

if TYPE_CHECKING:
    from control.app import App

Work = Callable[[RunMessage, str], Awaitable[None]]

environment = read_environment(os.environ)
app = func.FunctionApp()
_built: App | None = None

logging.getLogger("connector").setLevel(logging.INFO)
for library in ("azure", "httpx", "httpcore", "msal"):  # they write URLs at INFO
    logging.getLogger(library).setLevel(logging.WARNING)


def now() -> datetime:
    return datetime.now(UTC)


def new_id() -> str:
    return str(uuid4())


def connected() -> App:
    """The app of this process, built at the first call."""
    global _built
    if _built is None:
        from control.app import build

        _built = build(environment, now, new_id)
    return _built


async def reported(work: Awaitable[None], what: str, message: str = "") -> None:
    """Whatever goes wrong is logged without its text; the host learns that the invocation failed, and repeats a message."""
    try:
        await work
    except Exception as error:
        id_ = new_id()
        report(error, id_, what)
        if message:
            await connected().failed(message, type(error).__name__, id_)
        raise Failed(id_) from None


async def taken(message: func.QueueMessage, context: func.Context, what: str, how: Callable[[], Work]) -> None:
    """A queue message's work."""
    text = message.get_body().decode(errors="replace")

    async def work() -> None:
        await how()(read_message(text), context.trace_context.trace_parent or "")

    await reported(work(), what, text)


app.register_functions(blueprint(environment, connected, new_id))
app.register_functions(site.blueprint(environment, connected, new_id))
app.register_functions(oauth.blueprint(environment, lambda: connected().connecting, new_id))
app.register_functions(notifications.blueprint(environment, connected, new_id))

# Without the setting %SYNC_SCHEDULE% would not resolve and the host would drop the timer.
schedule = "%SYNC_SCHEDULE%" if os.environ.get("SYNC_SCHEDULE") else environment.schedule


@app.function_name("sweep")
@app.timer_trigger(arg_name="timer", schedule=schedule, run_on_startup=False, use_monitor=True)
async def sweep(timer: func.TimerRequest, context: func.Context) -> None:
    """Every five minutes: look at the CRM once for everybody, queue the mailboxes that are due."""
    await reported(connected().swept("timer", context.trace_context.trace_parent or ""), "sweep")


@app.function_name("run")
@app.queue_trigger(arg_name="message", queue_name=RUNS, connection=environment.connection)
async def run(message: func.QueueMessage, context: func.Context) -> None:
    """One message: a short slice of one mailbox, or a sweep that somebody asked for."""
    await taken(message, context, "run", lambda: connected().ran)


@app.function_name("fill")
@app.queue_trigger(arg_name="message", queue_name=FILLS, connection=environment.connection)
async def fill(message: func.QueueMessage, context: func.Context) -> None:
    """One message: a slice of one mailbox in which there is work for minutes. A function of its own has places of its own."""
    await taken(message, context, "fill", lambda: connected().filled)
