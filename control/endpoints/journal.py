"""What was done, with which values, and restoring it; what is not settled, and trying it again (SPEC 4.6)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from control.endpoint import Call, Endpoint, Paging, Shown, first_of, page
from control.texts import sentence
from sync import history_commands, quarantine
from sync.commands import NotFound
from sync.model import Family, Side
from sync.restore import GIVEN_UP
from sync.settings import Model
from sync.store.base import INT32
from sync.store.journal import Entry, Kept
from sync.store.orders import Order

Id = Annotated[str, Field(max_length=400)]
Run = Annotated[int, Field(ge=0, le=INT32 - 1)]


class LineShown(Shown):
    """What was done once. `values`: id under which the values are shown and restored, "" = none are kept."""

    at: str
    what: str
    because: str
    sentence: str
    pairs: tuple[str, ...]
    flags: tuple[str, ...]
    run: int
    crm: str
    item: str
    kind: str
    values: str


class LinesShown(Shown):
    """A page of them, the newest first."""

    lines: tuple[LineShown, ...]
    next: str


class ValuesShown(Shown):
    """Values by `side:field pair`. `cut`: those that were too long to be kept."""

    before: dict[str, str | tuple[str, ...]]
    after: dict[str, str | tuple[str, ...]]
    cut: tuple[str, ...]


class HistoryAsked(Paging):
    """`id`: of the CRM's or of the mailbox's item."""

    mailbox: Id
    family: Family
    id: Id


class RunAsked(Paging):
    """Which run of which mailbox."""

    mailbox: Id
    family: Family
    run: Run


class OrdersAsked(Paging):
    """Of which mailbox; of one family of kinds, "" = of all."""

    mailbox: Id
    family: Literal["", "people", "calendar", "tasks"] = ""


class UnsettledAsked(Paging):
    """`because`: one reason, "" = what was given up, `all` = whatever is pending."""

    mailbox: Id
    because: Id = ""


class Names(Model):
    """Which values, as `side:field pair`; () = all of them."""

    names: Annotated[list[Id], Field(max_length=200, default_factory=list)]


class RunOrdered(Model):
    """Which run of the mailbox."""

    family: Literal["people", "calendar", "tasks"]
    run: Run


class Retry(Model):
    """One item, or, without a word, all that was given up."""

    side: Literal["crm", "mailbox"] = "crm"
    item: Id = ""


class OrderedShown(Shown):
    """How many rows of the journal the next run restores."""

    orders: int


class OrderShown(Shown):
    """An order that waits ("" as `outcome`), or that could not be carried out."""

    id: str
    at: str
    by: str
    crm: str
    names: tuple[str, ...]
    outcome: str
    sentence: str


class OrdersShown(Shown):
    """A page of them."""

    orders: tuple[OrderShown, ...]
    next: str


class UnsettledShown(Shown):
    """An item that is not settled."""

    family: str
    side: str
    item: str
    kind: str
    because: str
    sentence: str
    cause: str
    since: str
    fails: int
    hold: str


class UnsettledListShown(Shown):
    """A page of them; `orders`: how many restores wait, or could not be done."""

    items: tuple[UnsettledShown, ...]
    next: str
    orders: int


class RetriedShown(Shown):
    """How many items are looked at again."""

    items: int


async def history(call: Call) -> LinesShown:
    asked = call.asked(HistoryAsked)
    found = await history_commands.history(
        call.app.connector, asked.mailbox, asked.family, asked.id, asked.after, asked.limit + 1
    )
    part, after = first_of(found, lambda each: each.key, asked.limit)
    place = f"{asked.mailbox}|{asked.family.value}"
    return LinesShown(lines=tuple(_line(each, place, call.lang) for each in part), next=after)


async def run(call: Call) -> LinesShown:
    asked = call.asked(RunAsked)
    found = await history_commands.run_rows(call.app.connector, asked.mailbox, asked.family, asked.run)
    part, after = page(found, lambda kept: kept.key, asked)
    place = f"{asked.mailbox}|{asked.family.value}"
    return LinesShown(lines=tuple(_kept(each, place, call.lang) for each in part), next=after)


async def values(call: Call) -> ValuesShown:
    mailbox, family, key = _place(call.id)
    found = await history_commands.reveal(call.app.connector, call.app.worker.keys, mailbox, family, key)
    return ValuesShown(before=dict(found.before), after=dict(found.after), cut=found.cut)


async def restore(call: Call) -> OrderedShown:
    mailbox, family, key = _place(call.id)
    names = tuple(call.read(Names).names)
    done = await history_commands.restore(
        call.app.connector, call.app.worker.keys, call.by, mailbox, family, key, names
    )
    return OrderedShown(orders=done.orders)


async def restore_run(call: Call) -> OrderedShown:
    asked = call.read(RunOrdered)
    done = await history_commands.restore_run(call.app.connector, call.by, call.id, Family(asked.family), asked.run)
    return OrderedShown(orders=done.orders)


async def orders(call: Call) -> OrdersShown:
    asked = call.asked(OrdersAsked)
    families = (Family(asked.family),) if asked.family else tuple(Family)
    found = await history_commands.ordered(call.app.connector, asked.mailbox, families)
    part, after = page(found, lambda order: order.key, asked)
    return OrdersShown(orders=tuple(_order(each, call.lang) for each in part), next=after)


async def unsettled(call: Call) -> UnsettledListShown:
    asked = call.asked(UnsettledAsked)
    reasons = () if asked.because else GIVEN_UP
    found = await quarantine.unsettled(call.app.connector, asked.mailbox, reasons)
    wanted = [each for each in found.items if asked.because in ("", "all", each.row.because.value)]
    part, after = page(wanted, lambda each: each.key, asked)
    return UnsettledListShown(
        items=tuple(_unsettled(each, call.lang) for each in part), next=after, orders=found.orders
    )


async def retry(call: Call) -> RetriedShown:
    asked = call.read(Retry)
    return RetriedShown(items=await quarantine.retry(call.app.connector, call.id, Side(asked.side), asked.item))


def _place(id_: str) -> tuple[str, Family, str]:
    """Mailbox, family and key of a journal row. Raises NotFound."""
    mailbox, _, rest = id_.partition("|")
    family, _, key = rest.partition("|")
    if family not in list(Family):
        raise NotFound
    return mailbox, Family(family), key


def _line(found: Entry, place: str, lang: str) -> LineShown:
    return LineShown(
        at=found.at,
        what=found.what,
        because=found.because,
        sentence=sentence("reason", found.because, lang),
        pairs=found.pairs,
        flags=found.flags,
        run=found.run,
        crm=found.crm_id,
        item=found.item_id,
        kind=found.kind,
        values=f"{place}|{found.journal}" if found.journal else "",
    )


def _kept(found: Kept, place: str, lang: str) -> LineShown:
    return LineShown(
        at=found.at,
        what=found.what,
        because=found.because,
        sentence=sentence("reason", found.because, lang),
        pairs=(),
        flags=(),
        run=found.run,
        crm=found.crm_id,
        item=found.item_id,
        kind=found.kind.value,
        values=f"{place}|{found.key}",
    )


def _order(found: Order, lang: str) -> OrderShown:
    why = sentence("restoring", found.outcome, lang) if found.outcome else ""
    return OrderShown(
        id=found.id, at=found.at, by=found.by, crm=found.crm_id, names=found.names, outcome=found.outcome, sentence=why
    )


def _unsettled(found: quarantine.Unsettled, lang: str) -> UnsettledShown:
    row = found.row
    return UnsettledShown(
        family=found.family.value,
        side=row.side.value,
        item=row.id,
        kind=row.kind,
        because=row.because.value,
        sentence=sentence("reason", row.because.value, lang),
        cause=row.cause,
        since=row.since,
        fails=row.fails,
        hold=row.hold,
    )


ENDPOINTS = (
    Endpoint("history", "GET", "history", history, "What was done to one item", LinesShown, query=HistoryAsked),
    Endpoint("journal_run", "GET", "journal", run, "What one run of a mailbox overwrote, deleted and wrote", LinesShown, query=RunAsked),
    Endpoint("journal_values", "GET", "journal/{id}", values, "The values before and after; that they were shown is noted", ValuesShown, noted=True),
    Endpoint("journal_restore", "POST", "journal/{id}/restore", restore, "Restore values, or a deleted item", OrderedShown, body=Names),
    Endpoint("run_restore", "POST", "mailboxes/{id}/restore-run", restore_run, "Restore what a run took away", OrderedShown, body=RunOrdered),
    Endpoint("orders", "GET", "orders", orders, "Restores that wait, and those that could not be done", OrdersShown, query=OrdersAsked),
    Endpoint("unsettled", "GET", "unsettled", unsettled, "Items of a mailbox that were given up, or wait", UnsettledListShown, query=UnsettledAsked),
    Endpoint("retry", "POST", "mailboxes/{id}/retry", retry, "Try given-up items again", RetriedShown, body=Retry),
)  # fmt: skip
