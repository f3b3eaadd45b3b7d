"""The first page: the connector's state and its three buttons, the cron row, the last day, what stands still, how far things have come (SPEC 4)."""

from __future__ import annotations

import asyncio

from control.endpoints.activity import ActivityShown
from control.endpoints.control import RestoredShown, Run, State
from control.endpoints.mailboxes import MailboxesShown
from control.endpoints.mappings import ResyncShown
from control.endpoints.settings import SettingsShown
from control.endpoints.status import StatusShown
from control.panel.chart import chart
from control.panel.page import HOME, Goto, Page, View, Visit
from control.panel.people import owners, people


async def home(visit: Visit) -> View:
    status, settings, progress, activity, trouble = await asyncio.gather(
        visit.ask("status", StatusShown),
        visit.ask("settings", SettingsShown),
        visit.ask("resync", ResyncShown),
        visit.ask("activity", ActivityShown),
        visit.ask("mailboxes", MailboxesShown, params={"state": "trouble", "limit": "25"}),
    )
    whose = await owners(visit, (status.by, *(each.mailbox for each in status.poison)))
    return View(
        "home.html",
        {
            "status": status,
            "whose": whose,
            "settings": settings,
            "progress": progress,
            "chart": chart(activity.hours),
            "trouble": trouble.mailboxes,
            "names": await people(visit, (each.user for each in trouble.mailboxes)),
        },
    )


async def run(visit: Visit) -> Goto:
    found = await visit.ask("control_run", Run)
    return Goto(HOME, said="home.run", number=found.mailboxes)


async def kill(visit: Visit) -> Goto:
    await visit.ask("control_kill", State)
    return Goto(HOME, said="home.kill")


async def restore_state(visit: Visit) -> Goto:
    """Clears the error of every mailbox, so it may come from anywhere."""
    found = await visit.ask("control_restore_state", RestoredShown)
    return Goto(HOME, said="home.restore_state", number=found.mailboxes)


async def restore_attempts(visit: Visit) -> Goto:
    await visit.ask("control_restore_attempts", State)
    return Goto(HOME, said="home.restore_attempts")


PAGES = (
    Page("panel_home", "GET", "panel", home, "home"),
    Page("panel_run", "POST", "panel/control/run", run, "home", back=home, home=HOME),
    Page("panel_kill", "POST", "panel/control/kill", kill, "home", back=home, home=HOME),
    Page("panel_restore_state", "POST", "panel/control/restore-state", restore_state, "home", back=home, home=HOME),
    Page(
        "panel_restore_attempts",
        "POST",
        "panel/control/restore-attempts",
        restore_attempts,
        "home",
        back=home,
        home=HOME,
    ),
)
