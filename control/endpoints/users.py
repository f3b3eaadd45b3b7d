"""The users of the CRM, their mailboxes and preferences (SPEC 5)."""

from __future__ import annotations

import asyncio
from typing import Annotated

from pydantic import Field

from control.endpoint import Call, Endpoint, Paging, Shown, first_of
from control.endpoints.status import why
from sync import commands
from sync.commands import NotFound
from sync.overview import state_of
from sync.own_page import OwnPage, own_page
from sync.settings import Model
from sync.store.mailboxes import MailboxRow
from sync.users import User, UserChange


class UserShown(Shown):
    """One user. `suggested`: the address that enabling pairs with when none is given. `barred`: an
    admin disabled the user, who connects again only when an admin enables. Preferences, '' = as the settings say: `sync_start`,
    `folder`, `private_events`. `state` of a user who was removed: leaving, removed, or error when something is left to clean up; `left_at`: when
    that was ordered."""

    id: str
    name: str
    email: str
    active: bool
    mailbox: str
    address: str
    suggested: str
    enabled: bool
    barred: bool
    resource: bool
    colour: str
    sync_start: str
    folder: str
    private_events: str
    left_at: str
    state: str
    cause: str
    why: str


class Defaults(Shown):
    """What the settings say where the user chose nothing. `folder` '' = the mailbox's default contact folder."""

    sync_start: str
    folder: str
    private_events: str


class ChoicesShown(Shown):
    """`start_frozen`, `folder_frozen`: these preferences cannot be changed now."""

    defaults: Defaults
    start_frozen: bool
    folder_frozen: bool


class UsersShown(Shown):
    """A page of the directory as it was at `read_at`; `cause`: why the CRM could not be asked just now."""

    users: tuple[UserShown, ...]
    next: str
    read_at: str
    cause: str
    why: str


class NamesAsked(Model):
    """`ids` of users or of mailboxes, with blanks between them."""

    ids: Annotated[str, Field(max_length=8000)] = ""


class NameShown(Shown):
    """Who a user is, and which mailbox the user is paired with."""

    id: str
    mailbox: str
    name: str
    email: str


class NamesShown(Shown):
    users: tuple[NameShown, ...]


class UsersAsked(Paging):
    """`search`: a part of a name or an address, '' = everybody. Slow: the whole directory is decrypted for it."""

    search: Annotated[str, Field(max_length=200)] = ""


async def users(call: Call) -> UsersShown:
    asked = call.asked(UsersAsked)
    directory = await commands.users(call.app.connector, asked.after, asked.limit + 1, asked.search)
    found, after = first_of(directory.users, lambda user: user.id, asked.limit)
    registry = call.app.connector.registry
    rows = await asyncio.gather(*(registry.mailbox(each.mailbox or "-") for each in found))
    return UsersShown(
        users=tuple(shown(each, row, call.lang) for each, row in zip(found, rows, strict=True)),
        next=after,
        read_at=directory.read_at,
        cause=directory.cause,
        why=why(directory.cause, call.lang),
    )


async def user(call: Call) -> UserShown:
    found = await call.app.connector.users.get(call.id)
    if found is None:
        raise NotFound
    return await _shown(found, call)


async def names(call: Call) -> NamesShown:
    wanted = set(call.asked(NamesAsked).ids.split())
    found = [user for user in await call.app.connector.users.all() if {user.id, user.mailbox} & wanted]
    return NamesShown(users=tuple(NameShown(id=u.id, mailbox=u.mailbox, name=u.name, email=u.email) for u in found))


async def choices(call: Call) -> ChoicesShown:
    found = await call.app.connector.users.get(call.id)
    if found is None:
        raise NotFound
    return choices_of(await own_page(call.app.connector, found))


def choices_of(page: OwnPage) -> ChoicesShown:
    defaults = Defaults(
        sync_start=page.sync_start.isoformat(), folder=page.folder, private_events=page.private_events.value
    )
    return ChoicesShown(defaults=defaults, start_frozen=page.start_frozen, folder_frozen=page.folder_frozen)


async def put_user(call: Call) -> UserShown:
    return await _shown(await commands.change_user(call.app.connector, call.id, call.body), call)


async def _shown(found: User, call: Call) -> UserShown:
    return shown(found, await call.app.connector.registry.mailbox(found.mailbox or "-"), call.lang)


def shown(found: User, row: MailboxRow | None, lang: str) -> UserShown:
    mine = row if row is not None and (found.connected or (row.user == found.id and row.has_left)) else None
    cause = mine.cause if mine else ""
    return UserShown(
        id=found.id,
        name=found.name,
        email=found.email,
        active=found.active,
        mailbox=found.mailbox,
        address=found.address,
        suggested="" if found.mailbox else found.email,
        enabled=found.enabled,
        barred=found.barred,
        resource=found.resource,
        colour=found.colour,
        sync_start=found.sync_start,
        folder=found.folder,
        private_events=found.private_events,
        left_at=mine.left_at if mine and mine.has_left else "",
        state=_state(found, mine),
        cause=cause,
        why=why(cause, lang),
    )


def _state(found: User, row: MailboxRow | None) -> str:
    """How the user's mailbox is. A removal that was cut off before it reached the user shows too."""
    if row is None:
        return "disabled"
    return row.state if found.connected and row.enabled else state_of(row)


ENDPOINTS = (
    Endpoint(
        "users", "GET", "users", users, "The CRM's directory with pairing and state", UsersShown, query=UsersAsked
    ),
    Endpoint("user", "GET", "users/{id}", user, "One user, by CRM id", UserShown),
    Endpoint(
        "names",
        "GET",
        "names",
        names,
        "Who some users are, by ids of theirs or of mailboxes",
        NamesShown,
        query=NamesAsked,
    ),
    Endpoint(
        "user_choices",
        "GET",
        "users/{id}/choices",
        choices,
        "Which preferences can be changed, and their defaults",
        ChoicesShown,
    ),
    Endpoint(
        "user_put", "PUT", "users/{id}", put_user, "Pair, enable, disable; preferences", UserShown, body=UserChange
    ),
)
