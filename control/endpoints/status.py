"""States, counts and ids of everything; no names, no addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from control.endpoint import Call, Endpoint, Mend, Shown
from control.texts import mending, sentence
from sync.status import MailboxStatus, Status
from sync.status import status as read_status

SECRET_WARNING_DAYS = 30


class Mailbox(Shown):
    """One mailbox: one sentence on what is wrong, one command that mends it."""

    mailbox: str
    user: str
    state: str
    cause: str
    sentence: str
    mend: Mend
    attempts: int
    due_at: str
    running: bool
    last_run: str
    last_counts: Mapping[str, int]
    count_sentences: Mapping[str, str]
    pending: Mapping[str, int]
    pending_sentences: Mapping[str, str]
    holds: int
    comparing: bool
    compared_at: str


class ServerShown(Shown):
    """A server that could not be reached, or asked for patience (`attempts` 0), and when it is asked again."""

    server: str
    attempts: int
    due_at: str
    cause: str
    why: str


class StatusShown(Shown):
    """`why`: what is behind the state, or behind the attempt that is due."""

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
    next_run: str
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    secret_warning: str
    reconnect: tuple[str, ...]
    reconnect_warning: str
    holds: int
    mailboxes: tuple[Mailbox, ...]


async def status(call: Call) -> StatusShown:
    return shown(await read_status(call.app.connector, call.app.environment.schedule), call.lang)


def shown(found: Status, lang: str) -> StatusShown:
    mend = mending("state", found.state)
    if found.state == "error" and found.cause:
        mend = mending("cause", found.cause)
    left = found.secret_days_left
    return StatusShown(
        **{
            **asdict(found),
            "sentence": sentence("state", found.state, lang),
            "why": why(found.cause, lang),
            "mend": mend_of(mend, lang),
            "secret_warning": _secret_warning(left, lang),
            "reconnect_warning": sentence("warning", "reconnect", lang) if found.reconnect else "",
            "servers": [ServerShown(**asdict(each), why=why(each.cause, lang)) for each in found.servers],
            "mailboxes": [_mailbox(each, lang) for each in found.mailboxes],
        }
    )


def _secret_warning(left: int | None, lang: str) -> str:
    if left is None or left > SECRET_WARNING_DAYS:
        return ""
    return sentence("warning", "secret_expires" if left >= 0 else "secret_expired", lang)


def _mailbox(found: MailboxStatus, lang: str) -> Mailbox:
    failing = found.cause and found.state != "disabled"
    mend = mending("cause", found.cause) if found.state == "error" else mending("state", found.state)
    return Mailbox(
        **{
            **asdict(found),
            "sentence": sentence("cause", found.cause, lang) if failing else sentence("state", found.state, lang),
            "mend": mend_of(mend, lang),
            "pending_sentences": {reason: sentence("reason", reason, lang) for reason in found.pending},
            "count_sentences": {reason: sentence("reason", reason, lang) for reason in found.last_counts},
        }
    )


def mend_of(command: str, lang: str) -> Mend:
    return Mend(command=command, label=sentence("command", command, lang))


def why(cause: str, lang: str) -> str:
    return sentence("cause", cause, lang) if cause else ""


ENDPOINTS = (
    Endpoint("status", "GET", "status", status, "States, counts and ids; no names, no addresses", StatusShown),
)
