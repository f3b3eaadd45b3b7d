"""Who gave which command (SPEC 7.3)."""

from __future__ import annotations

from control.endpoints.audit import AuditShown
from control.panel.page import Page, View, Visit


async def audit(visit: Visit) -> View:
    return View("audit.html", {"found": await visit.ask("audit", AuditShown, params=visit.paged(50))})


PAGES = (Page("panel_audit", "GET", "panel/audit", audit, "audit"),)
