"""Users by their ids, or by their mailboxes', for pages that show several of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from control.endpoints.mailboxes import Mailbox
from control.endpoints.users import UserShown
from control.panel.page import Refused, Visit
from sync.connector import AT_ONCE

_T = TypeVar("_T")


async def people(visit: Visit, ids: Iterable[str]) -> dict[str, UserShown]:
    """Those of them who are in the directory, read a few at a time, in the order of the ids."""
    found = await _each(ids, lambda id_: visit.ask("user", UserShown, id_))
    return {user.id: user for user in found}


async def owners(visit: Visit, mailboxes: Iterable[str]) -> dict[str, UserShown]:
    """Whose mailboxes they are, as far as it is known, by the mailbox's id."""
    boxes = await _each(mailboxes, lambda id_: visit.ask("mailbox", Mailbox, id_))
    users = await people(visit, (box.user for box in boxes))
    return {box.mailbox: users[box.user] for box in boxes if box.user in users}


async def _each(ids: Iterable[str], ask: Callable[[str], Awaitable[_T]]) -> list[_T]:
    """Those that there are."""

    async def one(id_: str) -> list[_T]:
        try:
            return [await ask(id_)]
        except Refused as refused:
            if refused.status != 404:
                raise
            return []

    wanted = [id_ for id_ in dict.fromkeys(ids) if id_]
    found: list[_T] = []
    for start in range(0, len(wanted), AT_ONCE):
        for part in await asyncio.gather(*map(one, wanted[start : start + AT_ONCE])):
            found += part
    return found
