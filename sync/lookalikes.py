"""The first synchronisation of a mailbox: events and tasks that are in the CRM already, put there by a person or by the product we replace. I/O.

They carry no id in common, so what says the same is the same: events of this user with the same time and subject, open tasks with the same title and
due day. One to one; later on nothing is joined like this, because a person who makes a thing twice may mean it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

from mapping.calendar import SUBJECT, WHEN, is_private
from mapping.tasks import COMPLETED, DUE, STATUS, TITLE
from sync.gather import Joined, Links, Work
from sync.joining import learn
from sync.meetings import is_copy, organizer_of
from sync.model import Item, Kind, Reason, Side
from sync.policy import PrivateEvents
from sync.spans import starts_at
from sync.tools import Tools

DAYS = 100
Handle = tuple[str, ...]


async def join_alike_events(cards: Mapping[str, Item], work: Work, links: Links, tools: Tools) -> None:
    """Copies of meetings that another mailbox leads are left out: theirs is found by the organizer's event."""
    policy = tools.context.policy
    mine = {i: card for i, card in cards.items() if not (is_copy(card) and organizer_of(card, policy))}
    if policy.calendar.private is PrivateEvents.NONE:
        mine = {i: card for i, card in mine.items() if not is_private(card.fields)}
    handles = {i: handle for i, card in mine.items() if (handle := _of_event(card, tools))}
    days = sorted({_day(cards[item_id], tools) for item_id in handles})
    records: dict[str, Sequence[Handle]] = {}
    for start in range(0, len(days), DAYS):
        found = await tools.crm.beginning_on(policy.owner, days[start : start + DAYS])
        records |= {item.id: _of_event(item, tools) for item in found}
    await _join(handles, records, Kind.EVENT, work, links, tools)


async def join_alike_tasks(cards: Mapping[str, Item], work: Work, links: Links, tools: Tools) -> None:
    """Of the records that are looked at anyway: the open ones of this mailbox."""
    handles = {item_id: handle for item_id, card in cards.items() if (handle := _of_task(card, tools)[:1])}
    free = [crm_id for crm_id in work.records if crm_id not in links.by_crm]
    present = await tools.crm.get(Kind.TASK, free) if handles and free else {}
    found = [item for item in present.values() if isinstance(item, Item) and item.owner == tools.context.policy.owner]
    await _join(handles, {item.id: _of_task(item, tools) for item in found}, Kind.TASK, work, links, tools)


async def _join(
    cards: Mapping[str, Sequence[Handle]],
    records: Mapping[str, Sequence[Handle]],
    kind: Kind,
    work: Work,
    links: Links,
    tools: Tools,
) -> None:
    await learn(links, list(records), tools.ledger)
    taken = links.by_crm.keys() | {joined.crm_id for joined in work.joined.values()}
    free = {i: handles for i, handles in records.items() if i not in taken and not tools.context.buried(i)}
    for item_id, crm_id in pair_off(cards, free).items():
        work.joined[item_id] = Joined(crm_id, Reason.MATCHED)
        work.records.setdefault(crm_id, kind)


def pair_off(cards: Mapping[str, Sequence[Handle]], records: Mapping[str, Sequence[Handle]]) -> dict[str, str]:
    """One to one: each card with a record that shares a handle. Of several that say the same any will do. Pure."""
    index: dict[Handle, list[str]] = defaultdict(list)
    for crm_id in sorted(records, reverse=True):
        for handle in records[crm_id]:
            index[handle].append(crm_id)
    taken: set[str] = set()
    pairs: dict[str, str] = {}
    for item_id in sorted(cards):
        found = next((i for handle in cards[item_id] for i in reversed(index[handle]) if i not in taken), None)
        if found is not None:
            pairs[item_id] = found
            taken.add(found)
    return pairs


def _images(item: Item, tools: Tools) -> dict[str, str]:
    """What an item says, as both sides can hold it: its private text too, which is compared here and written nowhere."""
    translator = tools.translator(item.kind)
    read = translator.crm_values if item.side is Side.CRM else translator.mailbox_values
    values = read(item.fields)
    return {pair: translator.image(pair, value) for pair, value in values.items()}


def _of_event(item: Item, tools: Tools) -> Sequence[Handle]:
    said = _images(item, tools)
    when, subject = said.get(WHEN.id, ""), said.get(SUBJECT.id, "")
    return [(when, subject)] if when and subject else []


def _of_task(item: Item, tools: Tools) -> Sequence[Handle]:
    """With its due day first; a task without one is known by its title, because vtenext holds a stand-in then."""
    said = _images(item, tools)
    title, due = said.get(TITLE.id, ""), said.get(DUE.id, "")
    if not title or said.get(STATUS.id) == COMPLETED:
        return []
    return [(title, due), (title,)] if due else [(title,)]


def _day(card: Item, tools: Tools) -> date:
    zone = tools.context.policy.calendar.zone
    return starts_at(str(card.fields["when"]), zone).astimezone(zone).date()
