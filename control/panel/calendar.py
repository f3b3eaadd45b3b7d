"""The mapping of events and tasks: to be read, not changed (SPEC 2.1)."""

from __future__ import annotations

from control.endpoints.mappings import FixedMappings
from control.panel.page import Page, View, Visit


async def fixed(visit: Visit) -> View:
    return View("calendar.html", {"mapping": await visit.ask("fixed_mappings", FixedMappings)})


PAGES = (Page("panel_calendar", "GET", "panel/calendar-mapping", fixed, "calendar"),)
