"""The mailboxes, a page at a time, as their last runs left them; no names, no addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Mend, Paging, Shown, first_of
from control.endpoints.status import mend_of, why
from control.texts import mending, sentence
from sync import status
from sync.commands import NotFound
from sync.status import MailboxStatus


class Mailbox(Shown):
    """One mailbox: one sentence on what is wrong, one command that mends it. `first`: its first synchronisation is due or under way;
    `items`, `items_done`: of the comparison in full that is under way."""

    mailbox: str
    user: str
    state: str
    cause: str
    sentence: str
    mend: Mend
    attempts: int
    due_at: str
    watched: tuple[str, ...]
    watch_cause: str
    watch_why: str
    running: bool
    last_run: str
    last_run_began: str
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
    """A page, by id."""

    mailboxes: tuple[Mailbox, ...]
    next: str


class MailboxesAsked(Paging):
    """`state`: trouble = in error, reconnect = its user must sign in, '' = all."""

    limit: Annotated[int, Field(ge=1, le=100)] = 25
    state: Literal["", "trouble", "reconnect"] = ""


async def mailboxes(call: Call) -> MailboxesShown:
    asked = call.asked(MailboxesAsked)
    found = await status.mailboxes(call.app.connector, asked.after, asked.limit + 1, asked.state)
    part, after = first_of(found, lambda each: each.mailbox, asked.limit)
    return MailboxesShown(mailboxes=tuple(shown(each, call.lang) for each in part), next=after)


async def mailbox(call: Call) -> Mailbox:
    found = await status.mailbox(call.app.connector, call.id)
    if found is None:
        raise NotFound
    return shown(found, call.lang)


def shown(found: MailboxStatus, lang: str) -> Mailbox:
    failing = found.cause and found.state != "disabled"
    mend = mending("cause", found.cause) if found.state == "error" else mending("state", found.state)
    return Mailbox(
        **{
            **asdict(found),
            "sentence": sentence("cause", found.cause, lang) if failing else sentence("state", found.state, lang),
            "mend": mend_of(mend, lang),
            "watch_why": why(found.watch_cause, lang),
            "pending_sentences": {reason: sentence("reason", reason, lang) for reason in found.pending},
            "count_sentences": {reason: sentence("reason", reason, lang) for reason in found.last_counts},
        }
    )


ENDPOINTS = (
    Endpoint("mailboxes", "GET", "mailboxes", mailboxes, "Mailboxes with state and progress, a page at a time", MailboxesShown, query=MailboxesAsked),
    Endpoint("mailbox", "GET", "mailboxes/{id}", mailbox, "One mailbox, by object id", Mailbox),
)  # fmt: skip
