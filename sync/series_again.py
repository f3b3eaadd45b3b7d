"""Make a whole series again that we called off in the mailbox: what `sync.again` decides, in the order in which Exchange writes least. I/O.

The series, then what was cancelled before, then what differs on single days, then its guests once (SPEC 2.9). How far it came stands in the journal's
row of the series, not in an order: each of its records may have one. The CRM gets the occurrences by the next run, like those of any new series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mapping.attendees import attendees_of
from sync.again import NotAgain, SeriesAgain, plan_series_again
from sync.announced import before_call
from sync.event_names import is_occurrence, original_day, series_of
from sync.gather import Joined, Work
from sync.intents import GRAPH_TIME_LIMIT
from sync.joining import write_stamp
from sync.making_again import NotRestorable, Unreadable, deleted_of, item_now, may_mail, not_now, stamped_as
from sync.model import Item, Kind, Link, Reason, Side, Unread, Value
from sync.record import cleared, history
from sync.recurring import SERIES
from sync.sides.base import Done, New, Refused, Remove, Revise, Write
from sync.store.base import Put, Row
from sync.store.journal import Kept, change_of, kept_of, of_run
from sync.store.orders import Order, drop_order
from sync.tools import Tools


@dataclass(frozen=True, slots=True)
class CutSeries:
    """What the journal kept of a series: the row of the series itself, those of its occurrences."""

    master: Row
    occurrences: tuple[Row, ...]


async def cut_series(kept: Kept, tools: Tools) -> CutSeries | None:
    """The series that this went with, None when it went alone (or before the journal kept rules)."""
    if kept.because != Reason.SERIES_CUT or kept.side != Side.MAILBOX:
        return None
    rows = await of_run(tools.ledger.rows, tools.ledger.partition, kept.run)
    mine = [row for row in rows if _of_series(kept_of(row), series_of(kept.item_id))]
    whole = [row for row in mine if not is_occurrence(str(row.data["item"]))]
    parts = tuple(row for row in mine if is_occurrence(str(row.data["item"])))
    return CutSeries(whole[0], parts) if whole and parts else None


def _of_series(kept: Kept, series: str) -> bool:
    return kept.because == Reason.SERIES_CUT and series_of(kept.item_id) == series


async def make_series_again(order: Order, kept: Kept, cut: CutSeries, work: Work, tools: Tools) -> bool:
    """Make it, or go on with it. True: the next run must look at what was made. Raises NotRestorable, Unreadable."""
    state = dict(cut.master.data)
    if again := str(state.get("again", "")):
        if await item_now(Side.MAILBOX, again, Kind.EVENT, tools):
            if order.at > str(state["again_at"]):
                raise NotRestorable("there")
            await tools.ledger.commit([drop_order(order)])  # ordered together with one that brought all of it back
            return False
        state |= {"begun": "", "made": "", "again": ""}
    plan = _plan(cut, tools)
    master = await _master(order, kept, state, cut.master.key, plan, tools)
    if master is None or not await _finished(order, master, plan, tools):
        return False
    days = {original_day_of(row): str(row.data["crm"]) for row in cut.occurrences}
    await _join_living(master.id, days, work, tools)
    state |= {"again": master.id, "again_at": tools.at(), "made": master.id}
    link = Link("", Kind.EVENT, kept.crm_id, kept.item_id, Side.MAILBOX)
    lines = [history(link, Reason.RESTORED, "restore in mailbox", (), tools)] if kept.crm_id else []
    over = cleared(kept.crm_id or kept.item_id, "", tools)
    await tools.ledger.commit([Put(cut.master.key, state), *lines, *over, drop_order(order)])
    tools.counts[Reason.RESTORED.value] += 1
    return True


def original_day_of(row: Row) -> str:
    return str(row.data["item"]).partition("|")[2]


def _plan(cut: CutSeries, tools: Tools) -> SeriesAgain:
    days: dict[str, Mapping[str, Value]] = {}
    for row in cut.occurrences:
        fields = deleted_of(kept_of(row), change_of(row, tools.keys).before).fields
        days[original_day_of(row)] = fields
    try:
        return plan_series_again(
            deleted_of(kept_of(cut.master), change_of(cut.master, tools.keys).before), days, tools.context
        )
    except NotAgain as reason:
        raise NotRestorable(reason.outcome) from reason


State = dict[str, str | int | bool]


async def _master(order: Order, kept: Kept, state: State, key: str, plan: SeriesAgain, tools: Tools) -> Item | None:
    """The series as it is now; made when no earlier life of any order made it. None: not now."""
    if made := str(state.get("made", "")):
        found = await item_now(Side.MAILBOX, made, Kind.EVENT, tools)
        if found is None:  # somebody deleted it before it was complete
            raise NotRestorable("missing")
        return found
    begun = str(state.get("begun", ""))
    found = await stamped_as(_stamp(state), tools) if begun else None
    if found is None and begun and tools.now() - datetime.fromisoformat(begun) < GRAPH_TIME_LIMIT:
        return None
    if found is None:
        if not await may_mail(order, kept, plan.mails, {**plan.fields, "attendees": plan.guests}, tools):
            return None
        state |= {"begun": tools.at(), "nonce": tools.new_id()}
        await tools.ledger.commit([Put(key, dict(state))])
        not_begun = Put(key, {**state, "begun": ""})
        await before_call(tools.guard, lambda: tools.ledger.commit([not_begun]))
        (result,) = await tools.mailbox.apply([New(Kind.EVENT, plan.fields, _stamp(state))])
        if not isinstance(result, Done) or result.item is None:
            if isinstance(result, Refused):
                await tools.ledger.commit([not_begun])
            await not_now(order, result, tools)
            return None
        found = result.item
    state["made"] = found.id
    await tools.ledger.commit([Put(key, dict(state))])
    return found


def _stamp(state: State) -> str:
    return write_stamp(f"{SERIES}{state['nonce']}", Kind.EVENT, str(state["nonce"]))


async def _finished(order: Order, master: Item, plan: SeriesAgain, tools: Tools) -> bool:
    """Cancel, change, invite: each only where it is not done yet. False: not now."""
    occurrences = await _present([f"{master.id}|{day}" for day in (*plan.gaps, *plan.exceptions)], tools)
    gaps = [occurrences[day] for day in plan.gaps if day in occurrences]
    changes = {day: fields for day, fields in plan.exceptions.items() if day in occurrences}
    if not await _all_done(order, [Remove(item) for item in gaps], tools):
        return False
    writes = [
        Revise(occurrences[day], fields)
        for day, fields in changes.items()
        if _says_else(occurrences[day], fields, tools)
    ]
    if not await _all_done(order, writes, tools):
        return False
    now = await item_now(Side.MAILBOX, master.id, Kind.EVENT, tools)
    if now is None:
        raise NotRestorable("missing")
    invited = {each.address for each in attendees_of(now.fields.get("attendees"))}
    wanted = {each.address for each in attendees_of(plan.guests)}
    return wanted <= invited or await _all_done(order, [Revise(now, {"attendees": plan.guests})], tools)


async def _present(ids: list[str], tools: Tools) -> dict[str, Item]:
    """Occurrences by their original day."""
    found = await tools.mailbox.get(ids) if ids else {}
    if any(isinstance(each, Unread) for each in found.values()):
        raise Unreadable
    return {original_day(each): each for each in found.values() if isinstance(each, Item)}


def _says_else(item: Item, fields: Mapping[str, Value], tools: Tools) -> bool:
    translator = tools.translator(Kind.EVENT)
    now, wanted = translator.mailbox_values(item.fields), translator.mailbox_values({**item.fields, **fields})
    return any(translator.image(p, now.get(p, "")) != translator.image(p, value) for p, value in wanted.items())


async def _all_done(order: Order, writes: Sequence[Write], tools: Tools) -> bool:
    if not writes:
        return True
    await tools.guard()
    results = await tools.mailbox.apply(writes)
    failed = [result for result in results if not isinstance(result, Done)]
    if failed:
        await not_now(order, failed[0], tools)
    return not failed


async def _join_living(series: str, days: Mapping[str, str], work: Work, tools: Tools) -> None:
    """Records that somebody took out of the CRM's bin meanwhile are those of the new occurrences."""
    records = await tools.crm.get(Kind.EVENT, sorted(set(days.values())))
    living = {day: crm_id for day, crm_id in days.items() if isinstance(records[crm_id], Item)}
    free = {day: crm_id for day, crm_id in living.items() if await tools.ledger.link_by_crm(crm_id) is None}
    for day, item in (await _present([f"{series}|{day}" for day in free], tools)).items():
        work.cards[item.id] = item
        work.records[free[day]] = Kind.EVENT
        work.joined[item.id] = Joined(free[day], Reason.MATCHED)
