"""The end of a user: what a removal would do, the removal, and its undoing (SPEC 5.4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from control.endpoint import Call, Endpoint, Nothing, Shown
from control.endpoints.users import UserShown, shown
from sync import leaving_commands
from sync.settings import Model
from sync.users import User


class RemovalShown(Shown):
    """What a removal does: of the linked `contacts` and `companies` (`ours`: those that we made) `to_delete` are deleted in the mailbox, by the
    settings; the links of `events` and `tasks` end without touching them; `pending` items and `holds` are forgotten."""

    contacts: int
    companies: int
    ours: int
    to_delete: int
    events: int
    tasks: int
    pending: int
    holds: int


class Removal(Model):
    """`confirm`: the `to_delete` of the preview."""

    confirm: Annotated[int, Field(ge=0)]


async def preview(call: Call) -> RemovalShown:
    found = await leaving_commands.leaving_preview(call.app.connector, call.id)
    return RemovalShown(
        contacts=found.contacts,
        companies=found.companies,
        ours=found.ours,
        to_delete=found.to_delete,
        events=found.events,
        tasks=found.tasks,
        pending=found.pending,
        holds=found.holds,
    )


async def remove(call: Call) -> UserShown:
    confirm = call.read(Removal).confirm
    return await _shown(await leaving_commands.remove_user(call.app.connector, call.id, confirm), call)


async def undo(call: Call) -> UserShown:
    call.read(Nothing)
    return await _shown(await leaving_commands.undo_removal(call.app.connector, call.id), call)


async def _shown(found: User, call: Call) -> UserShown:
    return shown(found, await call.app.connector.registry.mailbox(found.mailbox or "-"), call.lang)


ENDPOINTS = (
    Endpoint("user_removal", "GET", "users/{id}/removal", preview, "What removing a user would do", RemovalShown),
    Endpoint(
        "user_remove", "POST", "users/{id}/remove", remove, "Remove a user for good", UserShown, 202, body=Removal
    ),
    Endpoint(
        "user_undo_removal",
        "POST",
        "users/{id}/undo-removal",
        undo,
        "Bring back the cards that a removal deleted",
        UserShown,
        202,
        body=Nothing,
    ),
)
