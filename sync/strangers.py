"""Who takes part in meetings and is no user of ours: which of them the CRM knows as a contact, or (a setting) is to know. I/O.

A contact takes part in Exchange only, and the CRM's event shows one of them, unless an admin lets the CRM list them as invitees (SPEC 2.5). Decides
nothing about that: see `sync.invitations`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from mapping.attendees import Attendee, attendees_of, invitees_of
from mapping.calendar import EventTranslator, is_private
from sync.announced import before_call
from sync.meetings import is_copy, organizer_of
from sync.model import Item, Kind, Pair, Reason, Side, Value
from sync.plan import Context
from sync.policy import PrivateEvents
from sync.sides.base import Done, NaturalKey, New
from sync.spans import ends_at
from sync.store.base import Conflict, Drop, Insert, Put, Replace
from sync.tools import Tools
from sync.written import happened

PARTITION = "strangers"
AT_ONCE = 100
AGAIN = timedelta(minutes=10)
"""After a creation whose outcome is unknown: longer than the CRM may still commit it (DESIGN 2)."""


async def know_strangers(pairs: Sequence[Pair], tools: Tools) -> None:
    """Look up the contacts among the people of these events that this mailbox may lead, and tell context and mapping of them."""
    policy = tools.context.policy
    led = [pair for pair in pairs if isinstance(pair.mailbox, Item) and _leads(pair.mailbox, tools.context)]
    names = {a.address: a.name for pair in led for a in _attendees(pair)}
    listed = _listed(pairs, tools.context) if policy.crm_contact_invitees else {}
    new = {address: name for address, name in names.items() if address and not policy.people.user_of(address)}
    tools.strangers |= {address: contact for address, contact in listed.items() if not tools.strangers.get(address)}
    tools.strangers |= await _found(sorted(new.keys() - tools.strangers.keys()), tools)
    if policy.create_strangers and policy.kinds[Kind.CONTACT].to_crm:
        await _make([pair for pair in led if _may_tell(pair, tools)], new, tools)
    _tell(tools)


async def _make(pairs: Sequence[Pair], names: Mapping[str, str], tools: Tools) -> None:
    """Contacts for those whom nobody knows. Events whose stranger somebody else is making now are looked at again."""
    coming = {a.address for pair in pairs for a in _attendees(pair)}
    for address in sorted(address for address in coming & names.keys() if not tools.strangers[address]):
        made = await _made(address, names[address], tools)
        tools.strangers[address] = made or ""
        if made is None:
            tools.later |= {p.mailbox.id for p in pairs if p.mailbox and address in {a.address for a in _attendees(p)}}


def _attendees(pair: Pair) -> list[Attendee]:
    return attendees_of(_fields(pair.mailbox).get("attendees"))


def _fields(present: object) -> Mapping[str, Value]:
    return present.fields if isinstance(present, Item) else {}


def _leads(card: Item, context: Context) -> bool:
    """Copies of a meeting that another mailbox leads say nothing here."""
    return bool(card.fields.get("attendees")) and (not is_copy(card) or not organizer_of(card, context.policy))


def _listed(pairs: Iterable[Pair], context: Context) -> dict[str, str]:
    """The contacts whom the CRM lists as invitees: address -> id."""
    records = [pair.crm for pair in pairs if isinstance(pair.crm, Item)]
    people = [each for record in records for each in invitees_of(record.fields.get("invitees"))]
    return {each.address: each.id for each in people if each.address and not context.policy.is_user(each.id)}


async def _found(addresses: Sequence[str], tools: Tools) -> dict[str, str]:
    """The one contact with each of these addresses, '' = none or several."""
    result: dict[str, str] = {}
    for start in range(0, len(addresses), AT_ONCE):
        part = addresses[start : start + AT_ONCE]
        answers = await tools.crm.find([NaturalKey(Kind.CONTACT, (address,)) for address in part])
        for address, items in zip(part, answers, strict=True):
            same = {item.id for item in items if str(item.fields.get("email", "")).strip().lower() == address}
            result[address] = same.pop() if len(same) == 1 else ""
    return result


def _may_tell(pair: Pair, tools: Tools) -> bool:
    """May the CRM learn of its strangers? Neither what is over nor what is private makes contacts, nor does the first synchronisation."""
    fields, rules = _fields(pair.mailbox), tools.context.policy.calendar
    when, hidden = str(fields.get("when", "")), rules.private is not PrivateEvents.FULL and is_private(fields)
    return bool(when) and not hidden and not rules.import_only and ends_at(when, rules.zone) > tools.now()


def _tell(tools: Tools) -> None:
    policy = tools.context.policy
    book = policy.people.knowing(tools.strangers, invited=policy.crm_contact_invitees)
    translators = dict(tools.context.translators)
    events = translators[Kind.EVENT]
    if isinstance(events, EventTranslator):
        translators[Kind.EVENT] = events.among(book, policy.owner)
    tools.context = replace(tools.context, policy=replace(policy, people=book), translators=translators)


# A contact for a stranger ------------------------------------------------------------------------------------------------


async def _made(address: str, name: str, tools: Tools) -> str | None:
    """Create a contact, once and for all mailboxes: whoever deletes it later means it. Its id, '' = never again, None = not now."""
    claim = await _claimed(address, tools)
    if not claim:
        return claim
    if known := (await _found([address], tools))[address]:  # somebody was quicker
        return known
    translator = tools.translator(Kind.CONTACT)
    card: dict[str, Value] = {"displayName": name or address, "emailAddresses": (address,)}
    fields = translator.render_crm(translator.mailbox_values(card), None, {}).fields
    await before_call(tools.guard, lambda: _withdraw(address, claim, tools))
    write = New(Kind.CONTACT, fields, tools.new_id(), tools.context.policy.owner)
    (result,) = await tools.crm.apply([write])
    tools.written += happened(Side.CRM, [write], [result])
    if isinstance(result, Done) and result.item:
        await tools.registry.rows.transact(PARTITION, [Put(_key(address, tools), {"since": tools.at(), "made": True})])
        tools.counts[Reason.STRANGER.value] += 1
        return result.item.id
    return None


async def _claimed(address: str, tools: Tools) -> str | None:
    """The ETag of the claim by which this run makes the contact; '' = it was made once, None = another one is making it."""
    rows, key = tools.registry.rows, _key(address, tools)
    row = await rows.get(PARTITION, key)
    if row is not None and row.data["made"]:
        return ""
    if row is not None and tools.now() - datetime.fromisoformat(str(row.data["since"])) < AGAIN:
        return None
    data: dict[str, str | int | bool] = {"since": tools.at(), "made": False}
    try:
        (etag,) = await rows.transact(PARTITION, [Replace(key, data, row.etag) if row else Insert(key, data)])
    except Conflict:
        return None
    return etag


async def _withdraw(address: str, claim: str, tools: Tools) -> None:
    """No contact was made: whoever comes next may. But another's claim stands, if this one was too old."""
    try:
        await tools.registry.rows.transact(PARTITION, [Drop(_key(address, tools), claim)])
    except Conflict:
        return


def _key(address: str, tools: Tools) -> str:
    return tools.keys.index(f"stranger|{address}")
