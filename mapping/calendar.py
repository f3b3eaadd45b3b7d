"""How an event translates: the eight fields of SPEC 2.1, fixed, shown read-only in the panel.

Seven field pairs, because start and end travel as one value (`when`, a text that says both) and cannot be torn apart. What vtenext cannot hold
(emoji, long text, no subject, some reminders, the first of two equal hours in autumn) is given up here, on the way there, and said with a flag
if somebody may miss it. It never comes back, because images are compared.

Never does: reading a clock, knowing a zone (it is handed what the CRM can hold of a span), deciding who sees a private event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mapping.event_fields import (
    BODY_WAY,
    HIDDEN,
    IMPORTANCE_WAY,
    REMINDER_WAY,
    SENSITIVITY_WAY,
    Way,
    named,
    plain_text,
    sensitivity,
)
from mapping.fields import default_lengths
from mapping.fixed import FixedTranslator, is_html, text_of
from mapping.html_text import rich
from mapping.model import Anchor, FieldPair, Rendered, Value
from mapping.people import (
    CONTACT,
    NOBODY,
    ORGANIZER,
    SAYS,
    TAG,
    WHO,
    AddressBook,
    crm_people,
    image_of_person,
    is_person,
    mailbox_people,
    unaddressed,
    with_attendees,
    with_invitees,
    with_tags,
)

CALENDAR_VERSION = "2"

WHEN = FieldPair("when", "when")
SUBJECT = FieldPair("subject", "subject")
LOCATION = FieldPair("location", "location")
BODY = FieldPair("description", "body")
SENSITIVITY = FieldPair("visibility", "sensitivity")
IMPORTANCE = FieldPair("taskpriority", "importance")
REMINDER = FieldPair("reminder_time", "reminder")

MASKED = "masked"
"""Field of a mailbox item whose content is hidden from the CRM: '1'."""
NO_SUBJECT = "(senza oggetto)"
"""What an event without a subject is called in vtenext, which demands one. Never reaches Exchange."""
BUSY = "(occupato)"
"""What a hidden event is called in vtenext, unless the caller has a better name. Never reaches Exchange either."""

# values of sync.model.Flag, which mapping does not import; more of them in event_fields.py
TIME_ROUNDED = "time_rounded"
REMINDER_KEPT, BODY_KEPT = "reminder_kept", "body_kept"


@dataclass(frozen=True, slots=True)
class Shown:
    """One of the eight rows that the panel shows: names of the fields on both sides, and what people call them."""

    crm: tuple[str, ...]
    mailbox: tuple[str, ...]
    label: str
    label_it: str


# fmt: off
SHOWN = (  # labels: the predecessor's manual
    Shown(("date_start", "time_start", "is_all_day_event"), ("start", "isAllDay"),                          "Start date",  "Data inizio"),
    Shown(("due_date", "time_end", "is_all_day_event"),     ("end", "isAllDay"),                            "Due date",    "Data fine"),
    Shown(("subject",),                                     ("subject",),                                   "Subject",     "Soggetto"),
    Shown(("location",),                                    ("location",),                                  "Location",    "Luogo"),
    Shown(("description",),                                 ("body",),                                      "Body",        "Descrizione"),
    Shown(("visibility",),                                  ("sensitivity",),                               "Sensitivity", "Visibilità"),
    Shown(("taskpriority",),                                ("importance",),                                "Importance",  "Importanza"),
    Shown(("reminder_time",),                               ("isReminderOn", "reminderMinutesBeforeStart"), "Reminder",    "Invia promemoria"),
)
# fmt: on


def is_private(fields: Mapping[str, Value]) -> bool:
    """Private or confidential (`personal` is not), as Exchange says it. A sensitivity that we do not know is taken for private."""
    return sensitivity(text_of(fields, "sensitivity")) in HIDDEN


def masked(fields: Mapping[str, Value], busy: str = BUSY) -> dict[str, Value]:
    """The mailbox item's fields as the CRM may see them: a busy block without people that keeps its time, reminder, importance and sensitivity.

    `busy`: its subject; the same as the translator knows, or it may be taken for a title.
    """
    hidden: dict[str, Value] = {LOCATION.mailbox: "", BODY.mailbox: "", "organizer_address": ""}
    hidden |= {"attendees": (), "categories": ()}
    return {**fields, **hidden, SUBJECT.mailbox: busy, MASKED: "1"}


class EventTranslator(FixedTranslator):
    """`mapping.model.Translator` for events. Immutable.

    `holds`: a span text -> the span as the CRM can hold it, ValueError for what is none. `busy`: the name of hidden events (see `masked`).
    `book`, `me`: our users, and whose mailbox this is. Who takes part has values of its own (`mapping.people`), which are in no `pairs`.
    """

    def __init__(self, holds: Callable[[str], str], busy: str = BUSY, book: AddressBook = NOBODY, me: str = "") -> None:
        self.book, self.me = book, me
        self._holds, self._busy = holds, busy
        limits = default_lengths("Events")
        ways = (
            (WHEN, Way(self._when, self._when, self._held_span, self._held_span, str, self._moved)),
            (SUBJECT, named(limits[SUBJECT.crm], NO_SUBJECT, BUSY, busy)),
            (LOCATION, plain_text(limits[LOCATION.crm])),
            (BODY, BODY_WAY),
            (SENSITIVITY, SENSITIVITY_WAY),
            (IMPORTANCE, IMPORTANCE_WAY),
            (REMINDER, REMINDER_WAY),
        )
        super().__init__("event", f"e{CALENDAR_VERSION}", ways, BODY)

    def among(self, book: AddressBook, me: str) -> EventTranslator:
        """The same for the mailbox of the user `me` among these users."""
        return EventTranslator(self._holds, self._busy, book, me)

    # reading

    def crm_values(self, fields: Mapping[str, Value]) -> dict[str, str]:
        """As every fixed mapping, and what the CRM says about people."""
        return super().crm_values(fields) | crm_people(fields)

    def mailbox_values(self, fields: Mapping[str, Value], anchor: Anchor | None = None) -> dict[str, str]:
        """As every fixed mapping, and what the mailbox says about people. Of an item marked as masked: what the CRM may see of it."""
        if text_of(fields, MASKED) == "1":
            return super().mailbox_values(masked(fields, self._busy))
        return super().mailbox_values(fields) | mailbox_people(fields, self.book, self.me)

    def image(self, pair: str, value: str) -> str:
        """As every fixed mapping, people included."""
        return image_of_person(pair, value) if is_person(pair) else super().image(pair, value)

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        """Field pair ids that travel mailbox -> crm only: what is masked, and a body that holds what text cannot."""
        if text_of(mailbox_fields, MASKED) == "1":
            return frozenset({SUBJECT.id, LOCATION.id, BODY.id, SENSITIVITY.id})  # nobody unmasks it in the CRM
        online = text_of(mailbox_fields, "online") == "1"
        held = is_html(mailbox_fields) and rich(text_of(mailbox_fields, BODY.mailbox))
        return frozenset({BODY.id}) if online or held else frozenset()

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        """Does it take place, at a time that can be read?"""
        there = text_of(mailbox_fields, "cancelled") != "1"
        return there and self._when(text_of(mailbox_fields, WHEN.mailbox)) is not None

    # writing

    def render_crm(
        self,
        values: Mapping[str, str],
        current: Mapping[str, Value] | None,
        accounts: Mapping[str, tuple[str, ...]],
    ) -> Rendered:
        """CRM fields to write for these pair values. `current` None = a new item, which always gets a subject.

        A reminder cannot be removed there (API.md 7.4): it is kept, and `held` says so, so that both bases are renewed and it stays at that.
        """
        sent = self.to_crm(values, self.crm_values(current) if current is not None else None, (WHEN, REMINDER))
        fields, held, flags = sent.fields, sent.held, sent.flags
        if held.get(REMINDER.id) and not self.image(REMINDER.id, values[REMINDER.id]):
            flags.add(REMINDER_KEPT)
        if current is None and SUBJECT.crm not in fields:
            fields[SUBJECT.crm], held[SUBJECT.id] = NO_SUBJECT, ""
        people, refused = _people(values, self.book.known_as)
        if any(pair.startswith((WHO, SAYS)) for pair in people):
            fields["invitees"] = with_invitees(people, current, self.book)
        if ORGANIZER in people:
            fields["organizer_address"] = people[ORGANIZER]
        shown = text_of(current or {}, "contact_id")
        if people.get(CONTACT, shown) != shown:
            fields["contact_id"] = people[CONTACT]
        return Rendered(fields, held | {p: image_of_person(p, v) for p, v in people.items()}, frozenset(flags), refused)

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        """Mailbox fields to write. The body only when its text is another one, and never what is `inbound`.

        A new item says that it has no reminder, because Exchange would give it one of its own (BEHAVIOUR 7.2).
        """
        closed = self.inbound(current) if current is not None else frozenset()
        now = self.mailbox_values(current) if current is not None else None
        sent = self.to_mailbox(values, now, closed, (WHEN,))
        fields, held, flags = sent.fields, sent.held, sent.flags
        if current is None and REMINDER.mailbox not in fields:
            fields[REMINDER.mailbox] = held[REMINDER.id] = ""
        people, refused = _people(values, self.book.invited_as)
        if any(pair.startswith(WHO) for pair in people):
            fields["attendees"] = with_attendees(people, current, self.book)
        if any(pair.startswith(TAG) for pair in people):
            fields["categories"] = with_tags(people, current, self.book)
        if people.get(SAYS + self.me):
            fields["response"] = people[SAYS + self.me]
        return Rendered(fields, held | people, frozenset(flags), refused)

    # time, which needs to know more

    def _when(self, text: str) -> str | None:
        """A span text, None when it is none: no usable time says nothing, least of all that the time was cleared."""
        span = text.strip()
        return span if self._held_span(span) else None

    def _held_span(self, span: str) -> str:
        try:
            return self._holds(span) if span else ""
        except ValueError:
            return ""

    def _moved(self, span: str) -> frozenset[str]:
        return frozenset({TIME_ROUNDED} if self._held_span(span) != span else ())


def _people(values: Mapping[str, str], addresses: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """What these values say about people, and what of that cannot be written because somebody has no address."""
    refused = unaddressed(values, addresses)
    return {p: v for p, v in values.items() if is_person(p) and p not in refused}, refused
