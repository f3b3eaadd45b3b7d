"""One mailbox and what was done in it: what is not settled, an item's history, a run's journal, values, restoring (SPEC 4.6)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from control.endpoints.journal import (
    LinesShown,
    OrderedShown,
    OrdersShown,
    RetriedShown,
    UnsettledListShown,
    ValuesShown,
)
from control.endpoints.mailboxes import Mailbox
from control.panel.mailboxes import PATH as MAILBOXES
from control.panel.page import Goto, Page, View, Visit, at
from control.panel.people import people
from control.texts import sentence, text
from sync.model import Family, Side

FAMILIES = tuple(family.value for family in Family)


async def mailbox(visit: Visit) -> View:
    """Its state, what was given up or waits, the restores that were ordered, and the way to an item's history."""
    if visit.live:
        return View("mailbox.html", await _moving(visit))
    because = visit.params.get("because", "")
    asked = {"mailbox": visit.id, "because": because, "after": visit.params.get("after", ""), "limit": "50"}
    moving, unsettled = await asyncio.gather(_moving(visit), visit.ask("unsettled", UnsettledListShown, params=asked))
    mine = {"mailbox": visit.id}
    orders = (await visit.ask("orders", OrdersShown, params=mine)).orders if unsettled.orders else ()
    more = {"unsettled": unsettled, "because": because, "orders": orders, "families": FAMILIES}
    return View("mailbox.html", {**moving, **more})


async def _moving(visit: Visit) -> dict[str, object]:
    """What of it updates by itself."""
    box = await visit.ask("mailbox", Mailbox, visit.id)
    watched = [text(f"history.families.{family}", visit.lang) for family in box.watched]
    return {"box": box, "watched": watched, "names": await people(visit, [box.user])}


async def retry(visit: Visit) -> Goto:
    """Try again one item, or all that was given up."""
    body = {"side": visit.text("side"), "item": visit.text("item")} if visit.text("item") else {}
    found = await visit.ask("retry", RetriedShown, visit.id, body)
    return Goto(at(MAILBOXES, visit.id), said="history.retried", number=found.items)


async def history(visit: Visit) -> View:
    found = await visit.ask("history", LinesShown, params=visit.paged(50))
    return View("history.html", _lines(visit, found, of_run=False))


async def journal(visit: Visit) -> View:
    """What one run took away, and all of it restored at once."""
    found = await visit.ask("journal_run", LinesShown, params=visit.paged(50))
    return View("history.html", _lines(visit, found, of_run=True))


def _lines(visit: Visit, found: LinesShown, *, of_run: bool) -> dict[str, object]:
    return {
        "found": found,
        "did": {each.what: _did(each.what, visit.lang) for each in found.lines},
        "asked": visit.params,
        "of_run": of_run,
    }


def _did(what: str, lang: str) -> str:
    """`create in crm` in words."""
    done, _, side = what.partition(" in ")
    return sentence("did", done, lang) + (f": {text(f'common.side.{side}', lang)}" if side in list(Side) else "")


async def restore_run(visit: Visit) -> Goto:
    run = visit.text("run")
    body = {"family": visit.text("family"), "run": int(run) if run.isdecimal() and len(run) < 12 else -1}
    found = await visit.ask("run_restore", OrderedShown, visit.text("mailbox"), body)
    return Goto(at(MAILBOXES, visit.text("mailbox")), said="history.ordered", number=found.orders)


async def values(visit: Visit) -> View:
    """Before and after; that they were shown is noted in the audit."""
    found = await visit.ask("journal_values", ValuesShown, visit.id)
    names_ = sorted({*found.before, *found.after})
    rows = [(name, _shown(found.before, name), _shown(found.after, name), name in found.before) for name in names_]
    return View(
        "values.html",
        {"rows": rows, "cut": found.cut, "ticked": visit.all("name"), "mailbox": visit.id.partition("|")[0]},
    )


async def restore(visit: Visit) -> Goto:
    found = await visit.ask("journal_restore", OrderedShown, visit.id, {"names": visit.all("name")})
    return Goto(at(MAILBOXES, visit.id.partition("|")[0]), said="history.ordered", number=found.orders)


def _shown(values_: Mapping[str, str | tuple[str, ...]], name: str) -> str | None:
    value = values_.get(name)
    return value if value is None or isinstance(value, str) else "\n".join(value)


PAGES = (
    Page("panel_mailbox", "GET", "panel/mailboxes/{id}", mailbox, "mailboxes"),
    Page(
        "panel_retry",
        "POST",
        "panel/mailboxes/{id}/retry",
        retry,
        "mailboxes",
        back=mailbox,
        home=f"{MAILBOXES}/{{id}}",
    ),
    Page("panel_history", "GET", "panel/history", history, "mailboxes"),
    Page("panel_journal", "GET", "panel/journal", journal, "mailboxes"),
    Page("panel_restore_run", "POST", "panel/journal", restore_run, "mailboxes"),
    Page("panel_values", "GET", "panel/journal/{id}", values, "mailboxes"),
    Page("panel_restore", "POST", "panel/journal/{id}", restore, "mailboxes", back=values),
)
