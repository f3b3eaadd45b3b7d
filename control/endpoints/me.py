"""A user's own page: who one is to the connector, and one's preferences (SPEC 5.2, 7.3). Nothing here names anybody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Guard, Mend, Shown
from control.endpoints.status import mend_of
from control.endpoints.users import ChoicesShown, UserShown, choices_of, shown
from control.texts import mending, sentence
from sync import commands
from sync.connecting import CONNECT
from sync.own_page import OwnPage, own_page
from sync.progress import counts_of
from sync.settings import Model
from sync.users import User


class Preferences(Model):
    """What a user may change of the own preferences. None = as it is, '' = as the settings say. Who is a resource, an admin says."""

    sync_start: Annotated[str, Field(max_length=10)] | None = None
    folder: Annotated[str, Field(max_length=200)] | None = None
    private_events: Literal["", "busy", "full", "none"] | None = None


class Directions(Shown):
    """Which ways a kind travels."""

    to_crm: bool
    to_mailbox: bool


class Me(ChoicesShown):
    """The own user, and how the connector signs in: `delegated` = by the user's own Connect.

    `state` and `sentence`: of the own mailbox; `mend`: `connect` where pressing Connect helps. `kinds`: the switches in force; `contacts_elsewhere`:
    contacts and companies go to the mailbox of everybody.
    """

    user: UserShown
    sign_in_mode: str
    state: str
    sentence: str
    mend: Mend
    connected_at: str
    last_run: str
    last_counts: Mapping[str, int]
    count_sentences: Mapping[str, str]
    running: bool
    kinds: Mapping[str, Directions]
    contacts_elsewhere: bool


async def me(call: Call) -> Me:
    return await _shown(call, await call.app.connecting.own_user(call.person))


async def put_me(call: Call) -> Me:
    own = await call.app.connecting.own_user(call.person)
    change = call.read(Preferences).model_dump(exclude_none=True)
    return await _shown(call, await commands.change_user(call.app.connector, own.id, change))


async def _shown(call: Call, user: User) -> Me:
    connector, lang = call.app.connector, call.lang
    page = await own_page(connector, user)
    counts = counts_of(page.row.counts) if page.row else {}
    return Me(
        user=shown(user, await connector.registry.mailbox(user.mailbox or "-"), lang),
        sign_in_mode="delegated" if page.delegated else "application",
        state=page.state,
        sentence=_sentence(page, lang),
        mend=mend_of(_mend(page), lang),
        connected_at=page.row.connected_at if page.row else "",
        last_run=page.row.last_run if page.row else "",
        last_counts=counts,
        count_sentences={reason: sentence("reason", reason, lang) for reason in counts},
        running=page.running,
        kinds={
            kind.value: Directions(to_crm=each.to_crm, to_mailbox=each.to_mailbox) for kind, each in page.kinds.items()
        },
        contacts_elsewhere=page.elsewhere,
        **choices_of(page).model_dump(),
    )


def _sentence(page: OwnPage, lang: str) -> str:
    """One: what is wrong, else why the user may not connect, else how the mailbox is."""
    if page.cause:
        return sentence("cause", page.cause, lang)
    if page.refusal and page.state == "disabled":
        return sentence("error", page.refusal, lang)
    return sentence("state", page.state, lang)


def _mend(page: OwnPage) -> str:
    """All other commands are an admin's."""
    helps = page.delegated and not page.refusal and page.cause and mending("cause", page.cause) == CONNECT
    return CONNECT if helps and page.state in ("error", "disabled") else "none"


ENDPOINTS = (
    Endpoint("me", "GET", "me", me, "The own user", Me, guard=Guard.PERSON, missing=True),
    Endpoint("me_put", "PUT", "me", put_me, "The own preferences", Me, body=Preferences, guard=Guard.PERSON),
)
