"""The page of whoever is signed in: Connect, what is synchronised, the own preferences, disconnecting (SPEC 5.1, 5.2). Nothing of anybody else."""

from __future__ import annotations

from control.endpoint import Guard
from control.endpoints.connecting import PartingShown
from control.endpoints.exports import ExportsShown
from control.endpoints.me import Me
from control.endpoints.users import UserShown
from control.panel.page import OWN, Goto, Page, View, Visit
from control.panel.users import changes, confirmed, entered


async def own(visit: Visit) -> View:
    me = await visit.ask("me", Me)
    return View("own.html", {"me": me, "user": me.user, "entered": entered(me.user, visit.form)})


async def save(visit: Visit) -> Goto:
    me = await visit.ask("me", Me)
    await visit.ask("me_put", Me, body=changes(me.user, visit))
    return Goto(OWN, said="own.saved")


async def parting(visit: Visit) -> View:
    """What disconnecting leaves, to be confirmed."""
    counts = await visit.ask("me_parting", PartingShown)
    return View("disconnect.html", {"counts": counts, "back": OWN, "name": ""})


async def exports(visit: Visit) -> View:
    """What exporting the coming events of before the connection would do, to be confirmed."""
    return View("exports.html", {"exports": await visit.ask("my_exports", ExportsShown), "back": OWN, "name": ""})


async def export(visit: Visit) -> Goto:
    found = await visit.ask("my_exports_order", ExportsShown, body=confirmed(visit))
    return Goto(OWN, said="users.exported", number=found.waiting)


async def disconnect(visit: Visit) -> Goto:
    me = await visit.ask("me", Me)
    await visit.ask("user_disconnect", UserShown, me.user.id)
    return Goto(OWN, said="own.disconnected")


PAGES = (
    Page("own", "GET", "my", own, guard=Guard.PERSON),
    Page("own_save", "POST", "my", save, guard=Guard.PERSON, back=own),
    Page("own_parting", "GET", "my/disconnect", parting, guard=Guard.PERSON),
    Page("own_disconnect", "POST", "my/disconnect", disconnect, guard=Guard.PERSON, back=parting),
    Page("own_exports", "GET", "my/export-events", exports, guard=Guard.PERSON),
    Page("own_export", "POST", "my/export-events", export, guard=Guard.PERSON, back=exports),
)
