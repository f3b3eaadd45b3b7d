"""The organizer's side of a meeting: who is told of a change, and by how many mails (BEHAVIOUR 7.2, Invitations).

Compares the attendees before and after a write with the names of the properties that were sent. Notes the mails and puts the
messages in the post; what a message does to a copy is said in `copies.py`. It changes no event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date

from emulators.graph import attendees, delivery, series
from emulators.graph.calendar import Calendar, Event
from emulators.graph.event_times import Times
from emulators.graph.http import Json
from emulators.graph.outbox import By, Kind, Mail, Notice
from emulators.graph.recurrence import Rule
from emulators.graph.world import World

SILENT = frozenset({
    "categories", "isReminderOn", "reminderMinutesBeforeStart", "showAs", "singleValueExtendedProperties", "transactionId",
})  # fmt: skip
_TIMES = ("start", "end", "isAllDay")
Scope = date | None  # an occurrence, or None = the event itself


@dataclass(frozen=True, slots=True)
class Seen:
    """A meeting as it was before a write: addresses (of each exception, too), properties, when."""

    guests: frozenset[str] = frozenset()
    slots: dict[date, frozenset[str]] = field(default_factory=dict)
    values: Json = field(default_factory=dict)
    when: tuple[Times, Rule | None] | None = None

    def at(self, scope: Scope) -> frozenset[str]:
        """Who was to come."""
        return self.guests if scope is None else self.slots.get(scope, self.guests)


def is_organized(event: Event) -> bool:
    """Whether the mailbox's user is the organizer; of an event without attendees, too."""
    return "organizer" not in event.values


def guests(event: Event, slot: Scope) -> list[Json]:
    """The attendees of an event, or of an occurrence."""
    override = event.exceptions.get(slot) if slot else None
    own: list[Json] | None = override.values.get("attendees") if override else None
    return own if own is not None else event.values.get("attendees") or []


def seen(world: World, calendar: Calendar, event: Event, slot: Scope = None) -> Seen:
    """What is remembered of an event before it is written to."""
    me = world.users[calendar.owner].mail
    override = event.exceptions.get(slot) if slot else None
    return Seen(
        attendees.addresses(guests(event, None), me),
        {each: attendees.addresses(guests(event, each), me) for each in event.exceptions},
        {**event.values, **(override.values if override else {})},
        (series.times_of(event, slot), event.rule),
    )


def changed(
    world: World,
    calendar: Calendar,
    event: Event,
    slot: Scope,
    before: Seen,
    names: Collection[str],
    by: By,
) -> None:
    """Tell the attendees of a write that sent the properties `names`; nobody when the event is not the user's own. Of a master
    there is a mail for itself and one for each of its exceptions."""
    if not is_organized(event):
        return
    after = seen(world, calendar, event, slot)
    content = _content(world, before, after, names)
    scopes = [slot] if slot else [None, *sorted({*before.slots, *after.slots})]
    news: list[tuple[Scope, str, Kind]] = []
    for scope in scopes:
        was, now = before.at(scope), after.at(scope)
        for address in sorted(was | now if content else was ^ now):
            kind: Kind = "cancellation" if address not in now else "update" if address in was else "invitation"
            news.append((scope, address, kind))
    why = "create" if before.when is None else "change " + ", ".join(sorted(content or {"attendees"}))
    _tell(world, calendar, event, news, why, by)


def called_off(world: World, calendar: Calendar, event: Event, slot: Scope, before: Seen, why: str, by: By) -> None:
    """Tell everybody that the event, or the occurrence, does not take place (any more)."""
    if not is_organized(event):
        return
    scopes = [slot] if slot else [None, *sorted(before.slots)]
    news: list[tuple[Scope, str, Kind]] = [
        (scope, address, "cancellation") for scope in scopes for address in sorted(before.at(scope))
    ]
    _tell(world, calendar, event, news, why, by)


def _content(world: World, before: Seen, after: Seen, names: Collection[str]) -> set[str]:
    """The names that make Exchange write to everybody. Whether it does for values that stay the same is not known (13.6)."""
    found = {name for name in names if "@" not in name} - SILENT - {"attendees"}
    if world.quirks.unchanged_patch == "mails" or before.when is None:
        return found
    moved = before.when != after.when
    return {
        name
        for name in found
        if (moved if name in (*_TIMES, "recurrence") else before.values.get(name) != after.values.get(name))
    }


def _tell(
    world: World, calendar: Calendar, event: Event, news: Iterable[tuple[Scope, str, Kind]], why: str, by: By
) -> None:
    organizer = world.users[calendar.owner]
    whole: set[str] = set()
    for scope, address, kind in news:
        override = event.exceptions.get(scope) if scope else None
        subject = str({**event.values, **(override.values if override else {})}.get("subject", ""))
        prefix = "Canceled: " if kind == "cancellation" else ""
        uid, now = calendar.uid(event, scope), world.now()
        world.post.mails.append(Mail(kind, address, organizer.mail, uid, prefix + subject, now, why, by))
        if scope is None:
            whole.add(address)
        if scope is None or address not in whole:  # the message about a series brings its exceptions along
            world.post.waiting.append(Notice(kind, address, organizer.id, event, scope))
    delivery.dispatch(world)
