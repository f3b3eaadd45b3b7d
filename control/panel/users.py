"""The CRM's directory and the page of one user as admins see it: pairing, preferences, Connect, removal and its undoing, a dry run (SPEC 5, 4.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from control.endpoints.connecting import PartingShown
from control.endpoints.exports import ExportsShown
from control.endpoints.leaving import RemovalShown
from control.endpoints.preview import PreviewShown
from control.endpoints.settings import SettingsShown
from control.endpoints.users import ChoicesShown, UserShown, UsersShown
from control.panel.page import Goto, Page, View, Visit, at

PATH = "/api/panel/users"
PREFERENCES = ("sync_start", "folder", "private_events")


async def users(visit: Visit) -> View:
    return View("users.html", {"found": await visit.ask("users", UsersShown, params=visit.paged())})


async def user(visit: Visit) -> View:
    return await _shown(visit)


async def save(visit: Visit) -> Goto:
    """What differs from the user as it is now: what is frozen is not touched by saving the rest."""
    before = await visit.ask("user", UserShown, visit.id)
    body = changes(before, visit)
    await visit.ask("user_put", UserShown, visit.id, body)
    return Goto(at(PATH, visit.id), said="users.saved")


async def enable(visit: Visit) -> Goto:
    """Pair with what was entered, and start."""
    body: dict[str, Any] = {"enabled": True}
    if visit.text("mailbox"):
        body["mailbox"] = visit.text("mailbox")
    await visit.ask("user_put", UserShown, visit.id, body)
    return Goto(at(PATH, visit.id), said="users.enabled")


async def unpair(visit: Visit) -> Goto:
    await visit.ask("user_put", UserShown, visit.id, {"enabled": False, "mailbox": ""})
    return Goto(at(PATH, visit.id), said="users.unpaired")


async def parting(visit: Visit) -> View:
    """What disconnecting leaves, to be confirmed."""
    found = await visit.ask("user", UserShown, visit.id)
    counts = await visit.ask("user_parting", PartingShown, visit.id)
    return View("disconnect.html", {"counts": counts, "back": at(PATH, visit.id), "name": found.name or found.id})


async def exports(visit: Visit) -> View:
    """What exporting the coming events of before the connection would do, to be confirmed."""
    found = await visit.ask("user", UserShown, visit.id)
    shown = await visit.ask("user_exports", ExportsShown, visit.id)
    return View("exports.html", {"exports": shown, "back": at(PATH, visit.id), "name": found.name or found.id})


async def export(visit: Visit) -> Goto:
    found = await visit.ask("user_exports_order", ExportsShown, visit.id, confirmed(visit))
    return Goto(at(PATH, visit.id), said="users.exported", number=found.waiting)


async def disconnect(visit: Visit) -> Goto:
    await visit.ask("user_disconnect", UserShown, visit.id)
    return Goto(at(PATH, visit.id), said="users.disconnected")


async def removal(visit: Visit) -> View:
    """What a removal would do, to be confirmed."""
    found = await visit.ask("user", UserShown, visit.id)
    counts = await visit.ask("user_removal", RemovalShown, visit.id)
    return View("user_removal.html", {"user": found, "counts": counts})


async def remove(visit: Visit) -> Goto:
    await visit.ask("user_remove", UserShown, visit.id, confirmed(visit))
    return Goto(at(PATH, visit.id), said="users.removed")


async def undo(visit: Visit) -> Goto:
    await visit.ask("user_undo_removal", UserShown, visit.id)
    return Goto(at(PATH, visit.id), said="users.undone")


async def preview(visit: Visit) -> View:
    """What a run would do now; it takes a while and writes nothing."""
    return await _shown(visit, await visit.ask("user_preview", PreviewShown, visit.id))


async def _shown(visit: Visit, preview_: PreviewShown | None = None) -> View:
    settings = await visit.ask("settings", SettingsShown)
    found = await visit.ask("user", UserShown, visit.id)
    return View(
        "user.html",
        {
            "user": found,
            "settings": settings,
            "choices": await visit.ask("user_choices", ChoicesShown, visit.id),
            "preview": preview_,
            "entered": entered(found, visit.form),
            "paired": visit.text("mailbox"),
        },
    )


def confirmed(visit: Visit) -> dict[str, int]:
    """The number that the page showed."""
    count = visit.text("confirm")
    return {"confirm": int(count) if count.isdecimal() and len(count) < 10 else -1}


def entered(user: UserShown, form: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What stands in the fields of the preferences: as it was sent, else as it is. `was.` before a name: what stood there first."""
    fields = (*PREFERENCES, "colour")
    now = {**{name: getattr(user, name) for name in fields}, "resource": user.resource}
    first = {f"was.{name}": value for name, value in now.items()} | {"was.resource": "yes" if user.resource else "no"}
    if "private_events" not in form:
        return {**now, **first}
    sent = {
        name: next(iter(form.get(name, ())), value) for name, value in {**now, **first}.items()
    }  # what is frozen is not sent
    return {**sent, "resource": "resource" in form, "colour": sent["colour"] if "coloured" in form else ""}


def changes(before: UserShown, visit: Visit) -> dict[str, Any]:
    """The preferences that a form changes: what differs from what it showed, so that what somebody else chose meanwhile stays. Who is a resource,
    and its colour, an admin's form says only."""
    body: dict[str, Any] = {name: visit.text(name) for name in PREFERENCES if name in visit.form}
    if "colour" in visit.form:
        colour = visit.text("colour").upper() if visit.ticked("coloured") else ""  # a browser always sends one
        body |= {"resource": visit.ticked("resource"), "colour": colour}
    return {name: value for name, value in body.items() if value != _showed(name, before, visit)}


def _showed(name: str, before: UserShown, visit: Visit) -> Any:
    """What stood in the field when the form was opened."""
    if f"was.{name}" not in visit.form:
        return getattr(before, name)
    return visit.text(f"was.{name}") == "yes" if name == "resource" else visit.text(f"was.{name}")


PAGES = (
    Page("panel_users", "GET", "panel/users", users, "users"),
    Page("panel_user", "GET", "panel/users/{id}", user, "users"),
    Page("panel_user_save", "POST", "panel/users/{id}", save, "users", back=user),
    Page("panel_user_enable", "POST", "panel/users/{id}/enable", enable, "users", back=user, home=f"{PATH}/{{id}}"),
    Page("panel_user_unpair", "POST", "panel/users/{id}/unpair", unpair, "users", back=user, home=f"{PATH}/{{id}}"),
    Page("panel_user_parting", "GET", "panel/users/{id}/disconnect", parting, "users"),
    Page("panel_user_disconnect", "POST", "panel/users/{id}/disconnect", disconnect, "users", back=parting),
    Page("panel_user_exports", "GET", "panel/users/{id}/export-events", exports, "users"),
    Page("panel_user_export", "POST", "panel/users/{id}/export-events", export, "users", back=exports),
    Page("panel_user_removal", "GET", "panel/users/{id}/removal", removal, "users"),
    Page("panel_user_remove", "POST", "panel/users/{id}/removal", remove, "users", back=removal),
    Page("panel_user_undo", "POST", "panel/users/{id}/undo", undo, "users", back=user, home=f"{PATH}/{{id}}"),
    Page("panel_user_preview", "POST", "panel/users/{id}/preview", preview, "users", back=user, home=f"{PATH}/{{id}}"),
)
