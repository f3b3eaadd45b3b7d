"""States, counts and ids of everything; no names, no addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from control.endpoint import Call, Endpoint, Mend, Shown
from control.texts import mending, sentence
from control.version import VERSION
from sync.status import Status
from sync.status import status as read_status

SECRET_WARNING_DAYS = 30


class ServerShown(Shown):
    """A server that could not be reached, or asked for patience (`attempts` 0), and when it is asked again."""

    server: str
    attempts: int
    due_at: str
    cause: str
    why: str


class PoisonShown(Shown):
    """A queue message that was given up. `mailbox` '' = a sweep's; `error`: the type of what went wrong, `id`: under which the log says more."""

    mailbox: str
    at: str
    error: str
    id: str


class StrangersShown(Shown):
    """Notifications that were none of ours."""

    count: int
    last_at: str


class StatusShown(Shown):
    """`version`: of the product that answers. `why`: what is behind the state, or behind the attempt that is due.

    `mailboxes`: how many are in which state; `running` now; `filling`: their first synchronisation has not ended. `trouble` (state error) and
    `reconnect`: the first 25 ids, and how many there are. All counted at `counted_at`.
    """

    version: str
    state: str
    sentence: str
    cause: str
    why: str
    mend: Mend
    since: str
    by: str
    attempts: int
    servers: tuple[ServerShown, ...]
    restored_by: str
    restored_at: str
    missing: tuple[str, ...]
    last_run: str
    last_run_began: str
    next_run: str
    every: int
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    secret_warning: str
    mailboxes: Mapping[str, int]
    mailboxes_total: int
    running: int
    filling: int
    trouble: tuple[str, ...]
    trouble_count: int
    reconnect: tuple[str, ...]
    reconnect_count: int
    reconnect_warning: str
    holds: int
    counted_at: str
    poison: tuple[PoisonShown, ...]
    strangers: StrangersShown


async def status(call: Call) -> StatusShown:
    return shown(await read_status(call.app.connector, call.app.environment.schedule), call.lang)


def shown(found: Status, lang: str) -> StatusShown:
    mend = mending("state", found.state)
    said = sentence("state", found.state, lang)
    if found.state == "error" and found.cause:
        mend = mending("cause", found.cause)
    if found.state == "paused" and found.cause:  # not for want of settings
        mend, said = mending("cause", found.cause), why(found.cause, lang)
    left, counted = found.secret_days_left, asdict(found.mailboxes)
    states, total = counted.pop("states"), counted.pop("total")
    return StatusShown(
        **{
            **asdict(found),
            **counted,
            "version": VERSION,
            "mailboxes": states,
            "mailboxes_total": total,
            "sentence": said,
            "why": why(found.cause, lang),
            "mend": mend_of(mend, lang),
            "secret_warning": _secret_warning(left, lang),
            "reconnect_warning": sentence("warning", "reconnect", lang) if found.mailboxes.reconnect else "",
            "servers": [ServerShown(**asdict(each), why=why(each.cause, lang)) for each in found.servers],
        }
    )


def _secret_warning(left: int | None, lang: str) -> str:
    if left is None or left > SECRET_WARNING_DAYS:
        return ""
    return sentence("warning", "secret_expires" if left >= 0 else "secret_expired", lang)


def mend_of(command: str, lang: str) -> Mend:
    return Mend(command=command, label=sentence("command", command, lang))


def why(cause: str, lang: str) -> str:
    return sentence("cause", cause, lang) if cause else ""


ENDPOINTS = (
    Endpoint("status", "GET", "status", status, "States, counts and ids; no names, no addresses", StatusShown),
)
