"""What a user's own page shows of the own mailbox: how it stands, what is synchronised, which preferences can still be chosen. Asks no server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sync.commands import has_folder
from sync.connecting import unfit
from sync.connector import Connector
from sync.errors import Cause
from sync.model import Kind
from sync.overview import state_of
from sync.policy import KindPolicy, PrivateEvents
from sync.store.mailboxes import MailboxRow
from sync.users import User


@dataclass(frozen=True, slots=True)
class OwnPage:
    """`row`: of the mailbox, while the user is connected.

    `state`: ok | error | retrying | disabled | leaving | removed; `cause`: what is wrong there; `refusal`: why the user may not connect.
    `kinds`: the switches in force; `elsewhere`: contacts and companies go to another mailbox, everybody's.
    `sync_start`, `folder` ('' = the default folder), `private_events`: what the settings say where the user chose nothing.
    """

    row: MailboxRow | None
    state: str
    cause: str
    refusal: str
    delegated: bool
    running: bool
    kinds: Mapping[Kind, KindPolicy]
    elsewhere: bool
    sync_start: date
    folder: str
    private_events: PrivateEvents
    start_frozen: bool
    folder_frozen: bool


async def own_page(connector: Connector, user: User) -> OwnPage:
    """Of this user, and of nobody else."""
    settings = await connector.settings.read()
    row = await connector.registry.mailbox(user.mailbox) if user.mailbox else None
    mine = row if row is not None and user.connected else None
    state, cause, refusal = _standing(user, row, settings.delegated)
    return OwnPage(
        row=mine,
        state=state,
        cause=cause,
        refusal=refusal,
        delegated=settings.delegated,
        running=mine is not None and bool(mine.holder) and mine.expires > connector.now().isoformat(),
        kinds=settings.policies(),
        elsewhere=settings.shared_mailbox not in ("", user.mailbox),
        sync_start=settings.sync_start,
        folder=settings.folder,
        private_events=settings.private_events,
        start_frozen=user.enabled,
        folder_frozen=bool(user.mailbox) and await has_folder(connector, user.mailbox),
    )


def _standing(user: User, row: MailboxRow | None, delegated: bool) -> tuple[str, str, str]:
    """State, cause and refusal."""
    if user.connected and row is not None:
        return state_of(row), row.cause, ""
    if row is not None and row.user == user.id and row.has_left:
        return state_of(row), row.cause if row.state == "error" else "", unfit(user)
    refusal = unfit(user)
    return "disabled", Cause.NOT_CONNECTED.value if delegated and not refusal else "", refusal
