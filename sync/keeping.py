"""What a run must know of other mailboxes' copies before it plans meetings, and what it tells them. I/O; decides nothing: see `sync.meetings`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.attendees import Answer
from sync.event_names import meeting_name, original_day, record_uid, series_of
from sync.events import brought_in
from sync.gather import Joined, Work
from sync.meetings import COPIES, answered_by, is_copy, organizer_of
from sync.model import Decline, Family, Gone, Item, Kind, Link, Pair, Reason, Role, Side
from sync.plan import Context
from sync.record import again, unlink_ops
from sync.sides.base import Done, Revise
from sync.store.base import Op
from sync.store.ledger import MailboxLedger
from sync.store.meetings import Meetings, Place
from sync.store.registry import Registry
from sync.tools import Tools
from sync.written import happened

MEETING = COPIES | {Role.ORGANIZER}
"""Whose record is a meeting that Exchange has already; also when that mailbox is connected no more."""
PATIENCE = timedelta(hours=24)
"""How long copies wait for a connected organizer's mailbox to bring the meeting into the CRM (DESIGN 4)."""


async def know_meetings(pairs: Sequence[Pair], context: Context, tools: Tools) -> Context:
    """The context with what is known of the meetings among these pairs: which this mailbox keeps, leads or leaves to others."""
    mine, connected = context.policy.mailbox, set(context.policy.homes.values())
    alone = [(p, p.mailbox) for p in pairs if isinstance(p.mailbox, Item) and _may_keep(p, p.mailbox, context, tools)]
    ids = {p.crm.id for p, _ in alone if isinstance(p.crm, Item)}
    ids |= {p.crm.id for p in pairs if isinstance(p.crm, Item) and _shared_matters(p, context)}
    made = {p.crm.id for p in pairs if isinstance(p.crm, Item) and _made_for_it(p)}
    ids |= made
    holders = await tools.registry.holders_near(ids) if ids else {}
    holding = {crm_id: {m: r for m, r in held.items() if m in connected} for crm_id, held in holders.items()}
    holding = await _proven(holding, mine, tools)
    others = {crm_id: {m: r for m, r in held.items() if m != mine} for crm_id, held in holding.items()}
    met = _met(holders, mine)
    meetings = Meetings(tools.registry.rows)

    async def kept(pair: Pair, card: Item) -> bool:
        there = holding[pair.crm.id] if isinstance(pair.crm, Item) else ()
        return await meetings.keep(handle_of(card, tools), mine, there, tools.now())

    got = await asyncio.gather(*(kept(pair, card) for pair, card in alone))
    return replace(
        context,
        kept={card.id for (_, card), yes in zip(alone, got, strict=True) if yes},
        shared={crm_id for crm_id, held in others.items() if held},
        led_elsewhere=met,
        led_twice={crm_id for crm_id in made if Role.ORGANIZER in others[crm_id].values()},
    )


Holding = dict[str, dict[str, Role]]


def _met(holders: Holding, mine: str) -> set[str]:
    """The records whose event Exchange has already as a meeting of another mailbox."""
    return {crm_id for crm_id, held in holders.items() if any(r in MEETING and m != mine for m, r in held.items())}


async def led_by_others(crm_ids: Sequence[str], mine: str, registry: Registry) -> set[str]:
    """Those of these records whose meeting is in another mailbox already."""
    return _met(await registry.holders_near(crm_ids), mine) if crm_ids else set()


async def _proven(holding: Holding, mine: str, tools: Tools) -> Holding:
    """Of those noted as holders the mailboxes that have a link: holding is noted before the link begins and until after it ended, and a crash in
    between leaves the note."""
    asked = [(crm_id, mailbox) for crm_id, held in holding.items() for mailbox in held if mailbox != mine]
    ledgers = {m: MailboxLedger(tools.registry.rows, m, 0, "", Family.CALENDAR) for _, m in asked}
    links = await asyncio.gather(*(ledgers[mailbox].link_by_crm(crm_id) for crm_id, mailbox in asked))
    gone = {each for each, link in zip(asked, links, strict=True) if link is None}
    return {
        crm_id: {m: role for m, role in held.items() if (crm_id, m) not in gone} for crm_id, held in holding.items()
    }


def _may_keep(pair: Pair, card: Item, context: Context, tools: Tools) -> bool:
    if not is_copy(card) or (card.fields.get("cancelled") and pair.link is None):
        return False
    if not isinstance(pair.crm, Item) and not brought_in(card, context):
        return False  # or nobody would keep what it left alone
    return not organizer_of(card, context.policy) or _waited(card, tools)


def _waited(card: Item, tools: Tools) -> bool:
    row = tools.pending.get((Side.MAILBOX, card.id))
    waiting = row is not None and row.because is Reason.ORGANIZER_FIRST
    return waiting and row is not None and tools.now() - datetime.fromisoformat(row.since) > PATIENCE


def _shared_matters(pair: Pair, context: Context) -> bool:
    """A record that may be created here although another mailbox leads it, or deleted although others hold copies."""
    if pair.link is None:
        return pair.mailbox is None and isinstance(pair.crm, Item) and context.is_home(pair.crm)
    ended = isinstance(pair.mailbox, Gone) or (
        isinstance(pair.mailbox, Item) and bool(pair.mailbox.fields.get("cancelled"))
    )
    return pair.link.role in COPIES and ended


def _made_for_it(pair: Pair) -> bool:
    """An event of this mailbox that we made for a record, and that nobody was invited to."""
    link, card = pair.link, pair.mailbox
    made = link is not None and link.role is Role.HOME and link.origin is Side.CRM
    return made and isinstance(card, Item) and not card.fields.get("attendees")


def handle_of(card: Item, tools: Tools) -> str:
    """By what all mailboxes know the meeting of this copy: organizer, iCalUId and occurrence, as a keyed digest."""
    return tools.keys.index(f"meeting|{card.fields.get('organizer_address', '')}|{meeting_name(card)}")


def _name_of(uid: str, tools: Tools) -> str:
    """By what an iCalUId is remembered that no CRM record carries: a keyed digest."""
    return tools.keys.index(f"iCalUId|{record_uid(uid)}")


async def name_meetings(cards: Iterable[Item], tools: Tools) -> None:
    """Say where the events of these iCalUIds lie, for the attendees' copies whose record carries another one."""
    mine = tools.context.policy.mailbox
    places = {
        _name_of(uid, tools): Place(mine, series_of(card.id))
        for card in cards
        if (uid := str(card.fields.get("uid", ""))) and card.fields.get("organizer")
    }
    if places:
        await Meetings(tools.registry.rows).name(places)


async def join_copies(cards: Mapping[str, Item], work: Work, tools: Tools) -> None:
    """Find the records of copies by their organizers' own events: of meetings that were made in the CRM, which carry another uid there."""
    copies = {i: card for i, card in cards.items() if is_copy(card) and i not in work.joined}
    handles = {i: _name_of(str(card.fields.get("uid", "")), tools) for i, card in copies.items()}
    places = await Meetings(tools.registry.rows).named(sorted(set(handles.values())))
    for item_id, card in copies.items():
        place = places.get(handles[item_id])
        if place is None or place.mailbox == tools.context.policy.mailbox:
            continue
        ledger = MailboxLedger(tools.registry.rows, place.mailbox, 0, "", Family.CALENDAR)
        link = await _link_there(place, card, ledger)
        if link and await tools.ledger.link_by_crm(link.crm_id) is None:
            work.joined[item_id] = Joined(link.crm_id, Reason.MATCHED)
            work.records.setdefault(link.crm_id, Kind.EVENT)


async def _link_there(place: Place, card: Item, ledger: MailboxLedger) -> Link | None:
    """The organizer's link of the event that this is a copy of; of a series that of the same occurrence."""
    day = original_day(card)
    return await ledger.link_by_item(f"{place.event}|{day}" if day else place.event)


async def decline(actions: Sequence[Decline], tools: Tools) -> None:
    """Note in the CRM that these users do not take part, end their links, and let others keep what they kept."""
    if not actions:
        return
    await tools.guard()
    me, translator = tools.context.policy.owner, tools.translator(Kind.EVENT)
    writes = [
        Revise(a.crm, translator.render_crm(answered_by(a.crm, me, Answer.DECLINED), a.crm.fields, {}).fields)
        for a in actions
    ]
    groups: list[list[Op]] = []
    ended: list[Decline] = []
    results = await tools.crm.apply(writes)
    tools.written += happened(Side.CRM, writes, results)
    for action, result in zip(actions, results, strict=True):
        if isinstance(result, Done):
            ended.append(action)
            groups.append(unlink_ops(action.link, Reason.COPY_ENDED, True, tools))
        else:
            groups.append([again(Side.CRM, action.link.crm_id, Kind.EVENT, result, tools)])
    await tools.ledger.commit_groups(groups)
    await hand_over([action.link for action in ended], tools)


async def hand_over(links: Sequence[Link], tools: Tools) -> None:
    """After links of copies ended: nobody looks for them here any more, and of what this mailbox kept the other holders are told."""
    await hand_over_of(links, tools.context.policy.mailbox, tools.registry, tools.new_id)


async def hand_over_of(links: Sequence[Link], mine: str, registry: Registry, new_id: Callable[[], str]) -> None:
    """`hand_over`, for a mailbox that is not run."""
    await registry.release_records(mine, [link.crm_id for link in links])
    kept = [link.crm_id for link in links if link.role is Role.KEEPER]
    if not kept:
        return
    for crm_id, holders in (await registry.holders_near(kept)).items():
        for mailbox in holders:
            if mailbox != mine:
                await registry.mark(mailbox, [(Kind.EVENT, crm_id)], new_id())
