"""The settings: first to be read, behind a button to be changed and tried before they are saved (SPEC 4.4)."""

from __future__ import annotations

from control.endpoints.connecting import ConsentShown
from control.endpoints.settings import SettingsShown, Tried
from control.endpoints.status import StatusShown
from control.panel import settings_form
from control.panel.forms import AGAIN
from control.panel.page import Goto, Page, View, Visit
from control.panel.people import owners, people

PATH = "/api/panel/settings"


async def shown(visit: Visit) -> View:
    settings = await visit.ask("settings", SettingsShown)
    values = settings_form.values_of(settings.model_dump(mode="json"))
    consent = await visit.ask("consent", ConsentShown)
    status = await visit.ask("status", StatusShown)
    whose = await owners(visit, [settings.admin_mailbox])
    known = {**whose, **await people(visit, [settings.admin_user])}
    data = {
        "settings": settings,
        "known": known,
        "sections": settings_form.SECTIONS,
        "values": values,
        "consent": consent,
        "status": status,
    }
    return View("settings.html", data)


async def edit(visit: Visit) -> View:
    """The form; when it was refused, with what was entered."""
    return await _form(visit)


async def save(visit: Visit) -> View | Goto:
    """Try what was entered, or save it over the version that the form was opened with."""
    reply = await visit.reply("settings")
    before = settings_form.values_of(reply.body.model_dump(mode="json"))
    body = settings_form.changes(before, settings_form.entered(visit.form))
    if visit.ticked("forget_secret"):
        body.setdefault(settings_form.SECRET, "")  # a new one takes the saved one's place anyway
    if visit.ticked("try"):
        return await _form(visit, await visit.ask("settings_try", Tried, body=body))
    await visit.reply("settings_put", body=body, match=visit.text("version_read") or "0")
    return Goto(PATH, said="settings.saved")


async def _form(visit: Visit, tried: Tried | None = None) -> View:
    reply = await visit.reply("settings")
    settings = reply.body
    now = settings_form.values_of(settings.model_dump(mode="json"))
    values = settings_form.entered(visit.form) if visit.form else now
    theirs = [each for each in settings_form.differing(now, values) if each != settings_form.SECRET]
    wrong = _entry(getattr(visit.problem.body, "field", "")) if visit.problem else ""
    return View(
        "settings_edit.html",
        {
            "settings": settings,
            "sections": settings_form.SECTIONS,
            "values": values,
            "now": now,
            "theirs": [settings_form.ENTRIES[name] for name in theirs] if visit.overtaken else (),
            "version": visit.text("version_read") or reply.etag,
            "wrong": wrong,
            "tried": tried,
            "again": bool(visit.text(settings_form.SECRET))
            or visit.ticked(AGAIN),  # a secret never comes back: it is to be entered once more
            "forget": visit.ticked("forget_secret"),
        },
    )


def _entry(field: str) -> str:
    """The field of the form: of a list the API names the row that is wrong."""
    name, _, row = field.rpartition(".")
    return name if row.isdecimal() else field


PAGES = (
    Page("panel_settings", "GET", "panel/settings", shown, "settings"),
    Page("panel_settings_edit", "GET", "panel/settings/edit", edit, "settings"),
    Page("panel_settings_save", "POST", "panel/settings/edit", save, "settings", back=edit),
)
