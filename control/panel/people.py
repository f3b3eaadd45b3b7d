"""Users by their ids, for pages that show several of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from control.endpoints.users import UserShown
from control.panel.page import Refused, Visit
from sync.connector import AT_ONCE


async def people(visit: Visit, ids: Iterable[str]) -> dict[str, UserShown]:
    """Those of them who are in the directory, read a few at a time, in the order of the ids."""
    wanted = [id_ for id_ in dict.fromkeys(ids) if id_]
    found: list[UserShown | None] = []
    for start in range(0, len(wanted), AT_ONCE):
        found += await asyncio.gather(*(_one(visit, id_) for id_ in wanted[start : start + AT_ONCE]))
    return {user.id: user for user in found if user is not None}


async def _one(visit: Visit, id_: str) -> UserShown | None:
    try:
        return await visit.ask("user", UserShown, id_)
    except Refused as refused:
        if refused.status != 404:
            raise
        return None
