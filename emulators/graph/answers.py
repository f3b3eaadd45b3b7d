"""Accepting, declining, saying perhaps: what an answer does to the attendee's copy and to the organizer's list (BEHAVIOUR 7.2).

Only on the attendee's own copy. Declining takes the copy away. Without `send` the organizer never hears of it.
"""

from __future__ import annotations

from datetime import date

from emulators.graph import attendees, series
from emulators.graph.calendar import Calendar, Event
from emulators.graph.copies import INTENDED
from emulators.graph.errors import GraphError
from emulators.graph.http import Json
from emulators.graph.outbox import By, Mail, Reply
from emulators.graph.world import World

_SUBJECTS = {"accepted": "Accepted: ", "tentativelyAccepted": "Tentative: ", "declined": "Declined: "}
ANSWERS = tuple(_SUBJECTS)


def respond(
    world: World,
    calendar: Calendar,
    copy: Event,
    slot: date | None,
    answer: str,
    *,
    send: bool,
    by: By,
    proposal: Json | None = None,
) -> None:
    """Answer an invitation, or one occurrence of a series; 400 for the organizer and for what was called off. The answer is put
    in the post: the caller dispatches it."""
    values = _values(copy, slot)
    if "organizer" not in copy.values:  # memory: the text
        message = (
            "Your request can't be completed. You can't respond to this meeting because you're the meeting organizer."
        )
        raise GraphError(400, "ErrorInvalidRequest", message)
    if values.get("isCancelled"):  # memory
        raise GraphError(400, "ErrorInvalidRequest", "You can't respond to this meeting because it was canceled.")
    user, organizer = world.users[calendar.owner], copy.values["organizer"]["emailAddress"]
    status: Json = {"response": answer, "time": world.now()}
    uid, heard = calendar.uid(copy, slot), copy.heard.get(slot) or copy.heard.get(None)
    _keep(world, calendar, copy, slot, status)
    if not send:
        return
    subject, why = _SUBJECTS[answer] + str(values.get("subject", "")), f"answer {answer}"
    to = str(organizer["address"])
    world.post.mails.append(Mail("response", to, user.mail, uid, subject, world.now(), why, by))
    world.post.waiting.append(Reply(user.mail, copy, slot, status, proposal, heard))


def _values(event: Event, slot: date | None) -> Json:
    override = event.exceptions.get(slot) if slot else None
    return {**event.values, **(override.values if override else {})}


def _keep(world: World, calendar: Calendar, copy: Event, slot: date | None, status: Json) -> None:
    """What the copy is after the answer; an answer to a series holds for all its occurrences (memory)."""
    now, values = world.now(), _values(copy, slot)
    shown = values.get(INTENDED, "busy") if status["response"] == "accepted" else "tentative"
    mine: Json = {"responseStatus": status, "showAs": shown}
    if slot is not None:
        if status["response"] == "declined":
            calendar.cancel(copy, slot, now)
            return
        override = series.override_of(copy, slot)
        override.values |= mine
        calendar.change_occurrence(copy, slot, override, now)
        return
    for each in copy.exceptions.values():
        if each.values.pop("responseStatus", None):
            each.values.pop("showAs", None)
    if status["response"] == "declined":
        copy.values = {**copy.values, "responseStatus": status}
        calendar.trash(copy, now)
        return
    calendar.change(copy, {**copy.values, **mine}, copy.times, copy.rule, copy.extended, now)


def show(world: World, reply: Reply) -> None:
    """The organizer's list after an answer arrived; an answer to how the meeting was before it moved counts for nothing."""
    source = reply.copy.source
    organizer = world.users.get(source.owner) if source else None
    if source is None or organizer is None:
        return
    calendar = organizer.mailbox.calendar
    event = calendar.events.get(source.number)
    slot = reply.slot or source.slot
    if event is None or event.trashed or (slot is not None and not series.takes_place(event, slot)):
        return
    if reply.heard is not None and reply.heard[0] not in (event.times, series.times_of(event, slot)):
        return
    if slot is None:
        _show_whole(world, calendar, event, reply)
    else:
        _show_one(world, calendar, event, slot, reply)


def _show_whole(world: World, calendar: Calendar, event: Event, reply: Reply) -> None:
    listed = event.values.get("attendees") or []
    if attendees.listed(listed, reply.sender) is None:
        return
    for each in event.exceptions.values():
        if "attendees" in each.values:
            each.values["attendees"] = _answered(each.values["attendees"], reply)
    event.values = {**event.values, "attendees": _answered(listed, reply)}
    if world.quirks.answers_touch_event:
        calendar.change(event, event.values, event.times, event.rule, event.extended, world.now())


def _show_one(world: World, calendar: Calendar, event: Event, slot: date, reply: Reply) -> None:
    """The occurrence becomes an exception, as it has a list of its own now."""
    listed = _values(event, slot).get("attendees") or []
    if attendees.listed(listed, reply.sender) is None:
        return
    if slot in event.exceptions and not world.quirks.answers_touch_event:
        event.exceptions[slot].values["attendees"] = _answered(listed, reply)
        return
    override = series.override_of(event, slot)
    override.values["attendees"] = _answered(listed, reply)
    calendar.change_occurrence(event, slot, override, world.now())


def _answered(listed: list[Json], reply: Reply) -> list[Json]:
    return attendees.answered(listed, reply.sender, reply.status, reply.proposal)
