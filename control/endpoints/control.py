"""Kill, Restore state, Restore attempts, and a run at once (SPEC 4.1-4.3)."""

from __future__ import annotations

from control.endpoint import Call, Endpoint, Mend, Nothing, Reply, Shown
from control.endpoints.status import mend_of, why
from control.texts import mending, sentence
from sync import commands
from sync.commands import Restored


class State(Shown):
    """The connector's state after a command."""

    state: str
    sentence: str
    mend: Mend


class CheckShown(Shown):
    """A connection that was tried."""

    what: str
    ok: bool
    cause: str
    why: str


class RestoredShown(State):
    """What was checked, and what was cleared."""

    ok: bool
    checks: tuple[CheckShown, ...]
    mailboxes: int
    items: int
    queued: int


class NotRestored(RestoredShown):
    """A check failed: nothing was changed. Shaped like a problem, but for its media type."""

    code: str
    title: str


class Run(Shown):
    """How many mailboxes are run: all but those that are off, in error or pausing."""

    mailboxes: int


async def run(call: Call) -> Run:
    call.read(Nothing)
    return Run(mailboxes=await commands.run(call.app.connector))


async def kill(call: Call) -> State:
    call.read(Nothing)
    return _state(await commands.kill(call.app.connector, call.by), call.lang)


async def restore_state(call: Call) -> RestoredShown | Reply:
    call.read(Nothing)
    found = await commands.restore_state(call.app.connector, call.by)
    shown = _restored(found, call.lang)
    if found.ok:
        return shown
    title = sentence("error", "check_failed", call.lang)
    return Reply(NotRestored(**shown.model_dump(), code="check_failed", title=title), 409)


async def restore_attempts(call: Call) -> State:
    call.read(Nothing)
    return _state(await commands.restore_attempts(call.app.connector, call.by), call.lang)


def _state(name: str, lang: str) -> State:
    return State(state=name, sentence=sentence("state", name, lang), mend=mend_of(mending("state", name), lang))


def _restored(found: Restored, lang: str) -> RestoredShown:
    return RestoredShown(
        **_state(found.state, lang).model_dump(),
        ok=found.ok,
        checks=tuple(check_shown(check.what, check.cause, lang) for check in found.checks),
        mailboxes=found.mailboxes,
        items=found.items,
        queued=found.queued,
    )


def check_shown(what: str, cause: str, lang: str) -> CheckShown:
    return CheckShown(what=what, ok=not cause, cause=cause, why=why(cause, lang))


ENDPOINTS = (
    Endpoint("control_run", "POST", "control/run", run, "Sweep the CRM now, then run every mailbox that may run", Run, 202, Nothing),
    Endpoint("control_kill", "POST", "control/kill", kill, "Stop at once, until Restore state", State, body=Nothing),
    Endpoint(
        "control_restore_state", "POST", "control/restore-state", restore_state,
        "Check both connections, clear error states, go on", RestoredShown, body=Nothing, also={409: NotRestored},
    ),
    Endpoint(
        "control_restore_attempts", "POST", "control/restore-attempts", restore_attempts,
        "Counters of attempts to zero, go on", State, body=Nothing,
    ),
)  # fmt: skip
