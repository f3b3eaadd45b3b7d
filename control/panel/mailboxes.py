"""All mailboxes, a page at a time, and those that stand still (SPEC 4.5)."""

from __future__ import annotations

import asyncio

from control.endpoints.mailboxes import MailboxesShown
from control.endpoints.status import StatusShown
from control.panel.page import Page, View, Visit
from control.panel.people import people

PATH = "/api/panel/mailboxes"
STATES = ("", "trouble", "reconnect")
"""The tabs."""


async def mailboxes(visit: Visit) -> View:
    found, status = await asyncio.gather(
        visit.ask("mailboxes", MailboxesShown, params=visit.paged()), visit.ask("status", StatusShown)
    )
    counts = dict(zip(STATES, (status.mailboxes_total, status.trouble_count, status.reconnect_count), strict=True))
    names = await people(visit, (each.user for each in found.mailboxes))
    return View("mailboxes.html", {"found": found, "names": names, "counts": counts})


PAGES = (Page("panel_mailboxes", "GET", "panel/mailboxes", mailboxes, "mailboxes"),)
