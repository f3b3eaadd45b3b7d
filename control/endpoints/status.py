"""States, counts and ids of everything; no names, no addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Mend, Paging, Shown
from control.texts import mending, sentence
from sync.commands import NotFound
from sync.model import Kind, Side
from sync.overview import overview
from sync.status import MailboxStatus, Status, named
from sync.status import mailboxes as read_mailboxes
from sync.status import status as read_status
from sync.store.tally import FAILURES, RUNS, Tally, column

SECRET_WARNING_DAYS = 30


class Mailbox(Shown):
    """One mailbox: one sentence on what is wrong, one command that mends it. `pending`: when the last run ended; `items`, `items_done`: of a long
    run that is under way; `first`: it is the first one."""

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
    first: bool
    items: int
    items_done: int


class MailboxesShown(Shown):
    """A page of the mailboxes."""

    mailboxes: tuple[Mailbox, ...]
    next: str


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
    every: int
    sweep: Mapping[str, int]
    directory_read_at: str
    directory_missing: int
    secret_days_left: int | None
    secret_warning: str
    reconnect: tuple[str, ...]
    reconnecting: int
    reconnect_warning: str
    holds: int
    mailboxes: Mapping[str, int]
    running: int
    trouble: tuple[str, ...]
    counted_at: str


class ActivityHour(Shown):
    """What runs wrote in one hour, by kind."""

    hour: str
    to_crm: Mapping[str, int]
    to_mailbox: Mapping[str, int]
    runs: int
    failures: int


class ActivityShown(Shown):
    """The last day, the oldest hour first."""

    hours: tuple[ActivityHour, ...]


class MailboxesAsked(Paging):
    """`state`: `trouble` = the first of those in error; '' = all."""

    limit: Annotated[int, Field(ge=1, le=100)] = 25
    state: Literal["", "trouble"] = ""


async def status(call: Call) -> StatusShown:
    return shown(await read_status(call.app.connector, call.app.environment.schedule), call.lang)


async def mailboxes(call: Call) -> MailboxesShown:
    asked, connector = call.asked(MailboxesAsked), call.app.connector
    if asked.state:
        found = await named(connector, (await overview(connector.registry, connector.now())).trouble)
        return MailboxesShown(mailboxes=tuple(_mailbox(each, call.lang) for each in found), next="")
    listed = await read_mailboxes(connector, asked.after, asked.limit + 1)
    shown_ = tuple(_mailbox(each, call.lang) for each in listed[: asked.limit])
    return MailboxesShown(mailboxes=shown_, next=shown_[-1].mailbox if len(listed) > asked.limit else "")


async def mailbox(call: Call) -> Mailbox:
    found = await named(call.app.connector, [call.id])
    if not found:
        raise NotFound
    return _mailbox(found[0], call.lang)


async def activity(call: Call) -> ActivityShown:
    hours = await Tally(call.app.connector.registry.rows).last(24, call.app.connector.now())
    return ActivityShown(hours=tuple(_hour(hour, numbers) for hour, numbers in hours.items()))


def _hour(hour: str, numbers: Mapping[str, int]) -> ActivityHour:
    sums = {side: {kind.value: numbers.get(column(kind, side), 0) for kind in Kind} for side in Side}
    return ActivityHour(
        hour=hour,
        to_crm=sums[Side.CRM],
        to_mailbox=sums[Side.MAILBOX],
        runs=numbers.get(RUNS, 0),
        failures=numbers.get(FAILURES, 0),
    )


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
    Endpoint("mailboxes", "GET", "mailboxes", mailboxes, "The mailboxes, each with what mends it", MailboxesShown, query=MailboxesAsked),
    Endpoint("mailbox", "GET", "mailboxes/{id}", mailbox, "One mailbox, by object id", Mailbox),
    Endpoint("activity", "GET", "activity", activity, "What runs wrote in each hour of the last day", ActivityShown),
)  # fmt: skip
