"""What waits for an admin: why, about which items by name, and the answer to exactly what was shown (SPEC 4.6)."""

from __future__ import annotations

from control.endpoints.holds import HoldExplained, HoldShown, HoldsShown
from control.panel.page import Goto, Page, Refused, View, Visit, at
from control.panel.people import owners
from sync.mails import ASKED

PATH = "/api/panel/holds"
OF_MAILS = tuple(reason.value for reason in ASKED)
"""Questions whose count is mails that would leave, not items."""


async def holds(visit: Visit) -> View:
    """Those that nobody answered, unless others are asked for."""
    state = visit.params.get("state", "open")
    asked = {**visit.paged(), "state": "" if state == "all" else state}
    found = await visit.ask("holds", HoldsShown, params=asked)
    whose = await owners(visit, (each.mailbox for each in found.holds))
    return View("holds.html", {"found": found, "state": state, "whose": whose, "of_mails": OF_MAILS})


async def hold(visit: Visit) -> View:
    """One, explained by names that are read now; where a server cannot be asked, by ids."""
    reply = await visit.reply("hold", visit.id)
    shown = reply.body
    if not isinstance(shown, HoldShown):
        raise TypeError(type(shown).__name__)
    named, why = HoldExplained(items=()), ""
    try:
        if shown.state == "open":  # each look is noted, and asks both servers
            named = await visit.ask("hold_explain", HoldExplained, visit.id)
    except Refused as refused:
        if refused.status != 503:
            raise
        why = str(getattr(refused.body, "why", ""))
    data = {
        "hold": shown,
        "version": reply.etag,
        "named": named.items,
        "why": why,
        "chosen": visit.text("choice"),
        "whose": await owners(visit, [shown.mailbox]),
        "of_mails": OF_MAILS,
    }
    return View("hold.html", data)


async def answer(visit: Visit) -> Goto:
    """Approve or reject the version that was shown."""
    match = visit.text("version_read")
    if visit.ticked("approve"):
        choice = {"choice": visit.text("choice")} if visit.text("choice") else {}
        await visit.ask("hold_approve", HoldShown, visit.id, choice, match=match)
        return Goto(at(PATH, visit.id), said="holds.approved")
    await visit.ask("hold_reject", HoldShown, visit.id, match=match)
    return Goto(at(PATH, visit.id), said="holds.rejected")


PAGES = (
    Page("panel_holds", "GET", "panel/holds", holds, "holds"),
    Page("panel_hold", "GET", "panel/holds/{id}", hold, "holds"),
    Page("panel_hold_answer", "POST", "panel/holds/{id}", answer, "holds", back=hold),
)
