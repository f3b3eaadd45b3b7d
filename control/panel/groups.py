"""Groups of the CRM: members and organizer, which vtenext does not tell (SPEC 2.6)."""

from __future__ import annotations

from collections.abc import Sequence

from control.endpoints.groups import GroupShown, GroupsShown
from control.endpoints.users import NameShown, UsersShown
from control.panel.page import Goto, Page, View, Visit, at
from control.panel.people import people

PATH = "/api/panel/groups"
FOUND = "20"
"""How many users a search shows."""


async def groups(visit: Visit) -> View:
    found = await visit.ask("groups", GroupsShown, params=visit.paged(50))
    return View("groups.html", {"found": found})


async def group(visit: Visit) -> View:
    """One group: its members, ticked, and the users that are searched for, to be ticked. Of a form that was sent, with its ticks."""
    shown = await visit.ask("group", GroupShown, visit.id)
    members = visit.all("member") if visit.form else list(shown.members)
    organizer = visit.text("organizer") if visit.form else shown.organizer
    ids = [id_ for id_ in dict.fromkeys([*shown.members, *members, organizer]) if id_]
    named = await people(visit, ids)
    known = [named.get(id_) or _gone(id_) for id_ in ids]
    wanted = visit.text("search")
    found = (await visit.ask("users", UsersShown, params={"search": wanted, "limit": FOUND})).users if wanted else ()
    data = {
        "group": shown,
        "known": known,
        "more": [user for user in found if user.id not in ids],
        "members": members,
        "organizer": organizer,
        "search": wanted,
        "theirs": (_names(known, shown.members), _names(known, [shown.organizer])) if visit.overtaken else None,
        "version": shown.version if visit.overtaken or not visit.form else visit.text("version_read"),
    }
    return View("group.html", data)


async def save(visit: Visit) -> View | Goto:
    """Save, or search for more users to tick."""
    if visit.ticked("find"):
        return await group(visit)
    body = {"members": visit.all("member"), "organizer": visit.text("organizer")}
    await visit.ask("group_put", GroupShown, visit.id, body, match=visit.text("version_read"))
    return Goto(at(PATH, visit.id), said="groups.saved")


def _names(known: Sequence[NameShown], ids: Sequence[str]) -> str:
    return ", ".join(user.name or user.id for user in known if user.id in ids)


def _gone(id_: str) -> NameShown:
    """A member who is not in the directory any more."""
    return NameShown(id=id_, mailbox="", name="", email="")


PAGES = (
    Page("panel_groups", "GET", "panel/groups", groups, "groups"),
    Page("panel_group", "GET", "panel/groups/{id}", group, "groups"),
    Page("panel_group_save", "POST", "panel/groups/{id}", save, "groups", back=group),
)
