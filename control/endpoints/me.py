"""A user's own page: who one is to the connector, and one's preferences (SPEC 5.2, 7.3). Nothing here names anybody else."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Guard, Shown
from control.endpoints.users import UserShown, shown
from sync import commands
from sync.settings import Model
from sync.users import User


class Preferences(Model):
    """What a user may change of the own preferences. None = as it is, '' = as the settings say. Who is a resource, an admin says."""

    sync_start: Annotated[str, Field(max_length=10)] | None = None
    folder: Annotated[str, Field(max_length=200)] | None = None
    private_events: Literal["", "busy", "full", "none"] | None = None


class Me(Shown):
    """The own user, and how the connector signs in: `delegated` = by the user's own Connect."""

    user: UserShown
    sign_in_mode: str
    last_run: str
    running: bool


async def me(call: Call) -> Me:
    return await _shown(call, await call.app.connecting.own_user(call.person))


async def put_me(call: Call) -> Me:
    own = await call.app.connecting.own_user(call.person)
    change = call.read(Preferences).model_dump(exclude_none=True)
    return await _shown(call, await commands.change_user(call.app.connector, own.id, change))


async def _shown(call: Call, user: User) -> Me:
    connector = call.app.connector
    row = await connector.registry.mailbox(user.mailbox or "-")
    mine = row is not None and user.connected
    return Me(
        user=shown(user, row, call.lang),
        sign_in_mode=(await connector.settings.read()).sign_in_mode.value,
        last_run=row.last_run if row and mine else "",
        running=bool(row and mine and row.holder and row.expires > connector.now().isoformat()),
    )


ENDPOINTS = (
    Endpoint("me", "GET", "me", me, "The own user", Me, guard=Guard.PERSON, missing=True),
    Endpoint("me_put", "PUT", "me", put_me, "The own preferences", Me, body=Preferences, guard=Guard.PERSON),
)
