"""What a deleted event or task is made again as, from what the journal kept of it. Pure.

- It is made on the side where we deleted it; the other side gets it by the ordinary plan, like anything new.
- Nothing that was hidden from the CRM comes back from here, because it is not known: the journal holds a busy block then.
- What began already invites nobody; an attendee's copy is its organizer's to bring back.
- A series comes back from the first day that was cut on; what was cancelled before is cancelled again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

from mapping.attendees import Answer, attendees_of, attendees_value
from mapping.calendar import BODY, BUSY, MASKED, SENSITIVITY, is_private
from mapping.fixed import text_of
from mapping.people import CONTACT, ORGANIZER, SAYS, WHO, is_person
from sync.event_names import UID_LENGTH
from sync.model import Kind, Reason, Role, Side, Value
from sync.plan import Context
from sync.policy import PrivateEvents
from sync.series import UnknownRule, from_text, slot_span, slots, to_text
from sync.spans import DateSpan, Span, read_span, span_text, starts_at, zone_named

WRITTEN = ("when", "zone", "subject", "location", "body", "bodyType", "sensitivity", "importance", "categories")
"""Fields of a mailbox's event that are written as they were. Attendees, reminder and rule need more thought."""
ELSEWHERE = frozenset({Reason.REASSIGNED, Reason.MEETING})
"""Deletions that were none: the record went on in another mailbox."""


class NotAgain(Exception):
    """It is not made again; `outcome` says why: private | read_only | elsewhere | direction | gone."""

    def __init__(self, outcome: str) -> None:
        super().__init__(outcome)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Deleted:
    """What we deleted, as its side showed it. `role`: what its link said of it, '' = not known; `open`: private by the CRM's own word."""

    side: Side
    kind: Kind
    because: str
    fields: Mapping[str, Value]
    owner: str = ""
    role: str = ""
    open: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """The new item. `identity`: `uid|slot` of a CRM event, '' = any; `mails`: to how many people Exchange writes at most; `alone`: it stays without
    a copy in the mailbox, because it was the record of somebody else's meeting."""

    side: Side
    kind: Kind
    fields: Mapping[str, Value]
    owner: str = ""
    identity: str = ""
    mails: int = 0
    alone: bool = False


def plan_again(deleted: Deleted, context: Context) -> Again:
    """What to make of it. Raises NotAgain."""
    if not context.policy.kinds[deleted.kind].writes(deleted.side):
        raise NotAgain("direction")
    if deleted.because in ELSEWHERE:
        raise NotAgain("elsewhere")
    if deleted.kind is Kind.TASK:
        return _task(deleted, context)
    if _hidden(deleted, context):
        raise NotAgain("private")
    if not deleted.fields.get("when"):
        raise NotAgain("gone")  # it was too much to be kept
    return _record(deleted, context) if deleted.side is Side.CRM else _event(deleted, context)


def _hidden(deleted: Deleted, context: Context) -> bool:
    """Is only a busy block known of it, or is its text none of the CRM's business by what the user wants now?"""
    fields, crm = deleted.fields, deleted.side is Side.CRM
    if deleted.because == Reason.PRIVATE or fields.get(MASKED) or fields.get("subject") == BUSY:
        return True
    says = context.translators[Kind.EVENT].crm_values(fields).get(SENSITIVITY.id, "") if crm else ""
    secret = crm and is_private({SENSITIVITY.mailbox: says})
    return secret and not deleted.open and context.policy.calendar.private is not PrivateEvents.FULL


def _task(deleted: Deleted, context: Context) -> Again:
    translator = context.translators[Kind.TASK]
    crm = deleted.side is Side.CRM
    shown = translator.crm_values(deleted.fields) if crm else translator.mailbox_values(deleted.fields)
    values = {pair: value for pair, value in shown.items() if value}
    made = translator.render_crm(values, None, {}) if crm else translator.render_mailbox(values, None)
    return Again(deleted.side, Kind.TASK, made.fields, deleted.owner if crm else "")


def _record(deleted: Deleted, context: Context) -> Again:
    """An event of the CRM. Our users are on its list as they were; contacts are not, because vtenext would write to them (SPEC 2.5)."""
    translator, fields, policy = context.translators[Kind.EVENT], deleted.fields, context.policy
    values = {pair: value for pair, value in translator.crm_values(fields).items() if value and not is_person(pair)}
    people = {pair: value for pair, value in translator.crm_values(fields).items() if value and is_person(pair)}
    known = {p: v for p, v in people.items() if p == CONTACT or _is_ours(p, context)}
    organizer = text_of(fields, "organizer_address")
    named = {ORGANIZER: organizer} if organizer else {}
    uid, slot = text_of(fields, "uid"), text_of(fields, "slot") or "0"
    external = bool(organizer) and not policy.people.user_of(organizer)
    return Again(
        Side.CRM,
        Kind.EVENT,
        translator.render_crm({**values, **known, **named}, None, {}).fields,
        deleted.owner,
        f"{uid}|{slot}" if 0 < len(uid) <= UID_LENGTH else "",
        alone=deleted.role == Role.KEEPER or external or deleted.because == Reason.CANCELLED,
    )


def _is_ours(pair: str, context: Context) -> bool:
    """Is it a field pair of one of our users on a list?"""
    user = pair.partition(":")[2]
    return pair.startswith((WHO, SAYS)) and context.policy.is_user(user) and user in context.policy.people.known_as


def _event(deleted: Deleted, context: Context) -> Again:
    """An event of the mailbox, with everybody whom it invited, also those whom the CRM does not know."""
    fields = deleted.fields
    if fields.get("organizer_address") and not fields.get("organizer"):
        raise NotAgain("read_only")
    made: dict[str, Value] = {name: fields[name] for name in WRITTEN if fields.get(name)}
    made["reminder"] = fields.get("reminder", "")  # Exchange would give it one of its own (BEHAVIOUR 7.2)
    guests = invited(fields, context) if not has_begun(text_of(fields, "when"), context) else ()
    return Again(Side.MAILBOX, Kind.EVENT, made | ({"attendees": guests} if guests else {}), mails=len(guests))


def invited(fields: Mapping[str, Value], context: Context) -> tuple[str, ...]:
    """The attendees, without their answers; nobody when it is not this mailbox's own meeting."""
    people = attendees_of(fields.get("attendees")) if fields.get("organizer") else []
    return attendees_value(replace(each, response=Answer.NONE) for each in people)


def has_begun(when: str, context: Context) -> bool:
    """Did it begin by now? What has no time did not."""
    return bool(when) and starts_at(when, context.policy.calendar.zone) <= context.now


# A whole series -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeriesAgain:
    """A series that begins on the first day that was cut. `gaps`: its days that were cancelled before; `exceptions`: day -> fields that differ there;
    `guests`: invited once, at the end."""

    fields: Mapping[str, Value]
    gaps: Sequence[str]
    exceptions: Mapping[str, Mapping[str, Value]]
    guests: tuple[str, ...]
    mails: int


def plan_series_again(master: Deleted, days: Mapping[str, Mapping[str, Value]], context: Context) -> SeriesAgain:
    """What to make of a series. `days`: original day (ISO) -> what its occurrence showed when it was cut. Raises NotAgain."""
    single = plan_again(master, context)
    zone = _zone_of(master.fields, context)
    first = read_span(text_of(master.fields, "when"))
    began = first.first if isinstance(first, DateSpan) else first.start.astimezone(zone).date()
    wanted = sorted(date.fromisoformat(day) for day in days)
    try:
        rule = from_text(text_of(master.fields, "rule"), began)
    except UnknownRule as unknown:
        raise NotAgain("gone") from unknown  # nobody could say its rule when it was deleted
    passed = [day for day in slots(rule, began, wanted[0]) if day < wanted[0]]
    left = replace(rule, start=wanted[0], count=rule.count - len(passed) if rule.count else 0)
    span = slot_span(first, wanted[0], zone)
    gaps = [day.isoformat() for day in slots(left, wanted[0], wanted[-1]) if day.isoformat() not in days]
    exceptions = {
        day: changed
        for day, fields in days.items()
        if (changed := _differs(fields, master.fields, slot_span(first, date.fromisoformat(day), zone), context))
    }
    coming = any(not has_begun(text_of(fields, "when"), context) for fields in days.values())
    guests = invited(master.fields, context) if coming else ()
    fields = {name: value for name, value in single.fields.items() if name != "attendees"}
    fields |= {"when": span_text(span), "rule": to_text(left), "zone": zone.key}
    return SeriesAgain(fields, gaps, exceptions, guests, len(guests) * (1 + len(exceptions)))


def _zone_of(fields: Mapping[str, Value], context: Context) -> ZoneInfo:
    """The zone in which the series counts its days."""
    return zone_named(text_of(fields, "zone")) or context.policy.calendar.zone


def _differs(
    fields: Mapping[str, Value], master: Mapping[str, Value], span: Span, context: Context
) -> Mapping[str, Value]:
    """What an occurrence said apart from its series."""
    translator = context.translators[Kind.EVENT]
    mine = translator.mailbox_values(fields)
    usual = translator.mailbox_values({**master, "when": span_text(span)})
    hidden = translator.inbound(fields) - {SENSITIVITY.id} if fields.get(MASKED) else frozenset()
    pairs = {p.id: p.mailbox for p in translator.pairs if p.id not in hidden}
    differing = [p for p in pairs if translator.image(p, mine.get(p, "")) != translator.image(p, usual.get(p, ""))]
    changed: dict[str, Value] = {pairs[p]: fields.get(pairs[p], "") for p in differing}
    return changed | ({"bodyType": fields.get("bodyType", "")} if BODY.mailbox in changed else {})
