"""What is settled in the CRM's own record before its event is planned. I/O.

A group's members become its invitees and the organizer its assignee; things without a mailbox answer by themselves (SPEC 2.6, 5.3). Done in
the mailbox that leads the event; afterwards the record is like any other with invitees, and everything else follows from that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from mapping.attendees import Answer, Invitee, invitees_of, invitees_value
from sync.meetings import LEADERS
from sync.model import (
    Action,
    Create,
    Flag,
    Item,
    Kind,
    Pair,
    Planned,
    Present,
    Reason,
    Role,
    Side,
    Unread,
    Update,
    Wait,
)
from sync.plan import Context
from sync.sides.base import Done, Revise
from sync.spans import ends_at, starts_at
from sync.store.bookings import Booking, Bookings
from sync.tools import Tools
from sync.written import happened

OWNER = "assigned_user_id"


async def prepare(
    planned: Sequence[Planned], again: Callable[[Pair], Action | None], context: Context, tools: Tools
) -> list[Planned]:
    """The same plan, made anew for the records that were settled. `again`: plans a pair."""
    if context.policy.calendar.import_only:
        return list(planned)
    writes: dict[int, Revise] = {}
    for index, (pair, action) in enumerate(planned):
        crm = pair.crm
        if isinstance(crm, Item) and _leads(pair, action, context):
            fields = await _settled(crm, action, context, tools)
            if fields:
                writes[index] = Revise(crm, fields)
    if not writes:
        return list(planned)
    await tools.guard()
    result = list(planned)
    answers = await tools.crm.apply(list(writes.values()))
    tools.written += happened(Side.CRM, list(writes.values()), answers)
    for (index, write), answer in zip(writes.items(), answers, strict=True):
        pair = planned[index][0]
        if isinstance(answer, Done) and answer.item:
            pair = replace(pair, crm=answer.item)
            result[index] = (pair, _flagged(again(pair), write, answer.item))
        else:
            result[index] = (pair, Wait(Side.CRM, write.expected.id, Reason.CHANGED_MEANWHILE))
    return result


def _flagged(action: Action | None, write: Revise, after: Item) -> Action | None:
    """Say that the CRM's list was left alone, because its server would invite somebody else by these addresses."""
    left = "invitees" in write.fields and after.fields.get("invitees") != write.fields["invitees"]
    return (
        replace(action, flags=action.flags | {Flag.INVITEES_LEFT})
        if left and isinstance(action, Create | Update)
        else action
    )


def _leads(pair: Pair, action: Action | None, context: Context) -> bool:
    """Is this mailbox the one that speaks for the record now, and the event still to come?"""
    crm = pair.crm
    if not isinstance(crm, Item) or not crm.fields.get("when") or "invitees" not in crm.fields:
        return False
    if ends_at(str(crm.fields["when"]), context.policy.calendar.zone) <= context.now:
        return False
    if pair.link is None:
        return isinstance(action, Create | Update) and context.is_home(crm)
    return pair.link.role in LEADERS or (pair.link.role is Role.HOME and context.is_home(crm))


async def _settled(
    crm: Item, action: Action | None, context: Context, tools: Tools
) -> dict[str, str | tuple[str, ...]]:
    """The fields that the record should have instead, nothing when it is as it should be."""
    before = invitees_of(crm.fields.get("invitees"))
    people = {each.id: each for each in before}
    fields: dict[str, str | tuple[str, ...]] = {}
    group = context.policy.groups.get(crm.owner)
    organizer = context.policy.owner
    if group is not None and (isinstance(action, Create) or context.policy.reassign_groups):
        book = context.policy.people
        for member in group.members:
            if member != organizer and book.known_as.get(member):
                people.setdefault(member, Invitee(member, Answer.NONE, book.known_as[member]))
        if context.policy.reassign_groups:
            fields[OWNER] = organizer
    for thing in sorted(context.policy.people.things):
        if thing in people:
            people[thing] = replace(
                people[thing], answer=await _answer(thing, crm, people[thing].answer, context, tools)
            )
    if set(people.values()) != set(before):
        fields["invitees"] = invitees_value(people.values())
    return fields


async def _answer(thing: str, crm: Item, said: Answer, context: Context, tools: Tools) -> Answer:
    """Does the thing take part? Yes, unless another event that still stands holds it at that time."""
    if context.policy.double_booking:
        return Answer.ACCEPTED
    wanted = _booking(crm, context)
    bookings = Bookings(tools.registry.rows, thing)
    clashing = await bookings.take(wanted)
    if clashing and await _gave_up(thing, clashing, context, bookings, tools):
        clashing = await bookings.take(wanted)
    if not clashing:
        return Answer.ACCEPTED
    await bookings.release(crm.id)
    return Answer.DECLINED


async def _gave_up(thing: str, clashing: Sequence[Booking], context: Context, bookings: Bookings, tools: Tools) -> bool:
    """Give bookings back whose event is gone, was moved or does not ask for the thing any more. Did any? What cannot be read keeps its own."""
    present = await tools.crm.get(Kind.EVENT, [each.crm_id for each in clashing])
    over = [booking for booking in clashing if not _stands(booking, thing, present.get(booking.crm_id), context)]
    for booking in over:
        await bookings.release(booking.crm_id)
    return bool(over)


def _stands(booking: Booking, thing: str, record: Present | None, context: Context) -> bool:
    """Is the record as it was when it booked the thing, as far as can be told?"""
    if record is None or isinstance(record, Unread):
        return True
    if not isinstance(record, Item) or not record.fields.get("when"):
        return False
    asked = any(each.id == thing for each in invitees_of(record.fields.get("invitees")))
    return asked and _booking(record, context) == booking


def _booking(crm: Item, context: Context) -> Booking:
    """What a record with a time asks of a thing."""
    when, zone = str(crm.fields["when"]), context.policy.calendar.zone
    return Booking(crm.id, starts_at(when, zone).isoformat(), ends_at(when, zone).isoformat())
