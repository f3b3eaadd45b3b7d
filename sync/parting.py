"""What disconnecting a user leaves as it is, as counts; and whose mailbox a user cannot disconnect alone. Asks no server.

Disconnecting forgets the sign-in and ends the synchronisation. It deletes nothing on either side, and links stay: who connects again goes on.
"""

from __future__ import annotations

from dataclasses import dataclass

from sync.commands import NotNow, known_user
from sync.connector import Connector
from sync.leaving import Leaving, leaving_of
from sync.users import User


@dataclass(frozen=True, slots=True)
class Parting:
    """`stays`: what is linked, waits or is asked now, and stays so. `shared`: it is the mailbox of everybody's contacts, which then stand still."""

    stays: Leaving
    shared: bool


async def parting_of(connector: Connector, id_: str) -> Parting:
    """What disconnecting this user would leave. Raises NotFound."""
    user = await known_user(connector, id_)
    row = await connector.registry.mailbox(user.mailbox) if user.mailbox else None
    stays = await leaving_of(connector, row) if row else Leaving()
    return Parting(stays, await _is_shared(connector, user))


async def refuse_shared(connector: Connector, id_: str) -> None:
    """The mailbox of everybody's contacts is an admin's to disconnect. Raises NotFound, NotNow."""
    if await _is_shared(connector, await known_user(connector, id_)):
        raise NotNow("shared_mailbox")


async def _is_shared(connector: Connector, user: User) -> bool:
    return bool(user.mailbox) and user.mailbox == (await connector.settings.read()).shared_mailbox
