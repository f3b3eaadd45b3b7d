"""The page of whoever is signed in: Connect, what is synchronised, the own preferences, disconnecting (SPEC 5.1, 5.2). Nothing of anybody else."""

from __future__ import annotations

from control.endpoint import Guard
from control.endpoints.me import Me
from control.endpoints.users import UserShown
from control.panel.page import OWN, Goto, Page, View, Visit
from control.panel.users import changes, entered


async def own(visit: Visit) -> View:
    me = await visit.ask("me", Me)
    return View("own.html", {"me": me, "user": me.user, "entered": entered(me.user, visit.form)})


async def save(visit: Visit) -> Goto:
    me = await visit.ask("me", Me)
    await visit.ask("me_put", Me, body=changes(me.user, visit))
    return Goto(OWN, said="own.saved")


async def disconnect(visit: Visit) -> Goto:
    me = await visit.ask("me", Me)
    await visit.ask("user_disconnect", UserShown, me.user.id)
    return Goto(OWN, said="own.disconnected")


PAGES = (
    Page("own", "GET", "my", own, guard=Guard.PERSON),
    Page("own_save", "POST", "my", save, guard=Guard.PERSON, back=own),
    Page("own_disconnect", "POST", "my/disconnect", disconnect, guard=Guard.PERSON, back=own),
)
