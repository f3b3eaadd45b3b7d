"""CRM contacts who take part in a mailbox's coming events, and whom its user does not have: a guest copy each (SPEC 2.7). I/O.

The run of the calendar notes whom it met and marks them; the next run of the people looks at those, asks the user's folders, and lets `plan` make
the copies. Nothing here is about events: a contact card costs no mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from mapping.calendar import is_private
from sync.events import over_at
from sync.gather import Key, Work
from sync.invitations import contacts_on
from sync.match import natural_key, told_by
from sync.model import Create, Decline, Delete, Item, Kind, Pair, Planned, Present, Side, Unlink, Update
from sync.plan import Context
from sync.recurring import CrmSeries
from sync.store.guests import Guests
from sync.tools import Tools


def held_events(
    keys: Sequence[Key],
    records: Mapping[str, Present],
    planned: Sequence[Planned],
    forming: Sequence[CrmSeries],
) -> list[Item]:
    """The CRM's events that the mailbox holds when all this is done, but for private ones: whom those concern stays with them.

    `keys`, `records`: everything that was looked at, also where nothing is to be done: a contact on its list is no edit of an event.
    """
    events = {key.crm_id: records.get(key.crm_id) for key in keys if key.link}
    for pair, action in planned:
        match action:
            case Create(side=Side.MAILBOX, source=record):
                events[record.id] = record
            case Update() if pair.crm:
                events[pair.crm.id] = pair.crm
            case Unlink() | Decline() | Delete() if pair.crm:
                events.pop(pair.crm.id, None)
        if pair.crm and isinstance(pair.mailbox, Item) and is_private(pair.mailbox.fields):
            events.pop(pair.crm.id, None)
    events.update({record.id: record for series in forming for record in series.records})
    return [each for each in events.values() if isinstance(each, Item) and each.fields.get("visibility") != "Private"]


async def note_guests(events: Iterable[Item], tools: Tools) -> None:
    """Note the contacts of these events that are not over, and have the next run of the people look at those that are news."""
    context, until = tools.context, dict[str, str]()
    if Kind.CONTACT not in context.translators:
        return
    for event in events:
        ends = over_at((event,), None, context)
        if ends > tools.at():
            until.update({each: max(ends, until.get(each, "")) for each in contacts_on(event, context)})
    if not until:
        return
    mailbox = context.policy.mailbox
    guests = Guests(tools.registry.rows, mailbox)
    known = await guests.all()
    news = {contact: ends for contact, ends in until.items() if known.get(contact, "") < ends}
    if news:  # marked first: what is noted is not marked again
        await tools.registry.mark(mailbox, [(Kind.CONTACT, each) for each in sorted(news)], tools.new_id())
        await guests.expect(news)


async def expect_guests(work: Work, tools: Tools) -> None:
    """The beginning of a run of the people: whom it may copy. A comparison in full looks at all of them again, and forgets whose events are over."""
    guests = Guests(tools.registry.rows, tools.context.policy.mailbox)
    until = await guests.all()
    coming = frozenset(each for each, ends in until.items() if ends > tools.at())
    tools.context = replace(tools.context, invited=coming)
    if work.full:
        await guests.forget(until.keys() - coming)
        for contact in sorted(coming):
            if not tools.context.buried(contact):
                work.records.setdefault(contact, Kind.CONTACT)


async def without_known(pairs: Sequence[Pair], met: set[str], context: Context, tools: Tools) -> Context:
    """The context in which only those count as invited whom the user's folders do not know.

    `met`: by what those are known who are copied by this run; vtenext invites every record that has the address (API.md 7.5), and the user
    needs one card.
    """
    asked = {pair.crm.id: pair.crm for pair in pairs if isinstance(pair.crm, Item) and _may_be_copied(pair, context)}
    keys = {crm_id: natural_key(record, context.translators[record.kind]) for crm_id, record in asked.items()}
    known = set()
    for crm_id, yes in zip(keys, await tools.mailbox.knows(list(keys.values())) if keys else (), strict=True):
        if yes or met & told_by(keys[crm_id]):
            known.add(crm_id)
        else:
            met |= told_by(keys[crm_id])
    return replace(context, invited=frozenset(context.invited) - known)


def _may_be_copied(pair: Pair, context: Context) -> bool:
    record = pair.crm
    if pair.link or pair.mailbox or not isinstance(record, Item) or record.id not in context.invited:
        return False
    return not (context.is_home(record) or context.buried(record.id))
