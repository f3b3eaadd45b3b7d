"""Users by their ids, or by their mailboxes', for pages that show several of them."""

from __future__ import annotations

from collections.abc import Iterable

from control.endpoints.users import NameShown, NamesShown
from control.panel.page import Visit

AT_ONCE = 100


async def people(visit: Visit, ids: Iterable[str]) -> dict[str, NameShown]:
    """Those of them who are in the directory."""
    wanted = list(dict.fromkeys(ids))
    return {user.id: user for user in await _named(visit, wanted) if user.id in wanted}


async def owners(visit: Visit, mailboxes: Iterable[str]) -> dict[str, NameShown]:
    """Whose mailboxes they are, as far as it is known, by the mailbox's id."""
    wanted = list(dict.fromkeys(mailboxes))
    return {user.mailbox: user for user in await _named(visit, wanted) if user.mailbox in wanted}


async def _named(visit: Visit, ids: Iterable[str]) -> list[NameShown]:
    wanted = [id_ for id_ in ids if id_]
    found: list[NameShown] = []
    for start in range(0, len(wanted), AT_ONCE):
        part = {"ids": " ".join(wanted[start : start + AT_ONCE])}
        found += (await visit.ask("names", NamesShown, params=part)).users
    return found
