"""How a task translates: fixed, like events (SPEC 2.8, API.md 8), shown read-only in the panel.

vtenext demands a start and a due date, To Do neither: where the mailbox has none a *stand-in* is written (the other date, else the day
the task was made), which never travels back, because bases hold what each side says itself. Reminder, recurrence, categories and steps stay in To Do.

Never does: reading a clock, deciding who may write what of a group's task (but see `of_member`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mapping.calendar import BODY_KEPT, NO_SUBJECT, Shown
from mapping.event_fields import BODY_WAY, IMPORTANCE_WAY, Way, named, nothing_lost
from mapping.fields import default_lengths
from mapping.fixed import FixedTranslator, is_html, text_of
from mapping.html_text import rich
from mapping.model import Anchor, Direction, FieldPair, FieldType, Rendered, Value
from mapping.normalise import normalise

TASKS_VERSION = "1"

TITLE = FieldPair("subject", "title")
BODY = FieldPair("description", "body")
STATUS = FieldPair("taskstatus", "status")
IMPORTANCE = FieldPair("taskpriority", "importance")
DUE = FieldPair("due_date", "due")
START = FieldPair("date_start", "start")
DATES = (DUE, START)

COMPLETED = "completed"
CRM_COMPLETED = "Completed"

# fmt: off
SHOWN = (
    Shown(("subject",),      ("title",),         "Subject",     "Soggetto"),
    Shown(("description",),  ("body",),          "Body",        "Descrizione"),
    Shown(("taskstatus",),   ("status",),        "Status",      "Stato"),
    Shown(("taskpriority",), ("importance",),    "Importance",  "Importanza"),
    Shown(("date_start",),   ("startDateTime",), "Start date",  "Data inizio"),
    Shown(("due_date",),     ("dueDateTime",),   "Due date",    "Data fine"),
)
_STATUSES = {
    "notStarted": "Not Started", "inProgress": "In Progress", COMPLETED: CRM_COMPLETED, "waitingOnOthers": "Pending Input", "deferred": "Deferred",
}
# fmt: on
_FROM_CRM = {crm.lower(): mailbox for mailbox, crm in _STATUSES.items()}
_FROM_MAILBOX = {mailbox.lower(): mailbox for mailbox in _STATUSES}
_OPEN = "notStarted"


def _crm_status(text: str) -> str:
    """To Do's word; what has none there (Planned, nothing, what an administrator added) stays as it is, and is *not started* for To Do."""
    word = text.strip()
    return _FROM_CRM.get(word.lower(), word or _OPEN)


def _mailbox_status(text: str) -> str | None:
    return _FROM_MAILBOX.get(text.strip().lower())


def _shown_status(value: str) -> str:
    return value if value in _STATUSES else _OPEN


def _day(text: str) -> str | None:
    return normalise(FieldType.DATE, text)


def _same_day(value: str) -> str:
    return _day(value) or ""


STATUS_WAY = Way(
    _crm_status,
    _mailbox_status,
    _shown_status,
    lambda value: _STATUSES[_shown_status(value)],
    _shown_status,
    nothing_lost,
)
DATE_WAY = Way(_day, _day, _same_day, _same_day, _same_day, nothing_lost)


class TaskTranslator(FixedTranslator):
    """`mapping.model.Translator` for tasks. Immutable."""

    def __init__(self) -> None:
        ways = (
            (TITLE, named(default_lengths("Calendar")[TITLE.crm], NO_SUBJECT)),
            (BODY, BODY_WAY),
            (STATUS, STATUS_WAY),
            (IMPORTANCE, IMPORTANCE_WAY),
            (DUE, DATE_WAY),
            (START, DATE_WAY),
        )
        super().__init__("task", f"t{TASKS_VERSION}", ways, BODY)

    def of_member(self) -> TaskTranslator:
        """The same for a group's task in a member's list: its status travels both ways, the rest to the mailbox only (SPEC 2.8)."""
        member = _MemberTranslator()
        member.pairs = tuple(p if p == STATUS else replace(p, direction=Direction.TO_MAILBOX) for p in self.pairs)
        return member

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        """mailbox -> crm only: a body with what text cannot say, and the dates of a recurring task, which its rule sets."""
        rich_body = is_html(mailbox_fields) and rich(text_of(mailbox_fields, BODY.mailbox))
        recurring = text_of(mailbox_fields, "recurring") == "1"
        return frozenset(({BODY.id} if rich_body else set()) | ({pair.id for pair in DATES} if recurring else set()))

    def usable(self, mailbox_fields: Mapping[str, Value]) -> bool:
        """Can it become a task of the CRM? One without a title and a text says nothing."""
        return any(text_of(mailbox_fields, pair.mailbox).strip() for pair in (TITLE, BODY))

    # writing

    def render_crm(
        self,
        values: Mapping[str, str],
        current: Mapping[str, Value] | None,
        accounts: Mapping[str, tuple[str, ...]],
    ) -> Rendered:
        """CRM fields to write. `current` None = a new task: title, status and both dates are always given, as vtenext demands.

        A date that was cleared leaves what stands in the CRM as its stand-in. The day a new task was made comes as the value `MADE`.
        """
        wanted = dict(values) if current is not None else with_stand_ins(values)
        sent = self.to_crm(wanted, self.crm_values(current) if current is not None else None, DATES)
        fields, held = sent.fields, sent.held
        if current is None and TITLE.crm not in fields:
            fields[TITLE.crm], held[TITLE.id] = NO_SUBJECT, ""
        return Rendered(fields, held, frozenset(sent.flags))

    def render_mailbox(
        self, values: Mapping[str, str], current: Mapping[str, Value] | None, anchor: Anchor | None = None
    ) -> Rendered:
        """Mailbox fields to write. The body only when its text is another one, and never what is `inbound`."""
        closed = TaskTranslator.inbound(self, current) if current is not None else frozenset()
        now = self.mailbox_values(current) if current is not None else None
        sent = self.to_mailbox(values, now, closed)
        return Rendered(sent.fields, sent.held, frozenset({BODY_KEPT} if BODY.id in sent.closed else ()))


class _MemberTranslator(TaskTranslator):
    """Nothing but the status leaves a member's copy, whatever it holds."""

    def inbound(self, mailbox_fields: Mapping[str, Value]) -> frozenset[str]:
        return frozenset()


MADE = "made"
"""Not a field pair: under this name the values of a new task carry the day on which it was made in To Do."""


def with_stand_ins(values: Mapping[str, str]) -> dict[str, str]:
    """A new task's values with what vtenext demands: a status, and both dates (the other one, else the day it was made)."""
    other = values.get(DUE.id) or values.get(START.id) or values.get(MADE, "")
    wanted = {STATUS.id: _OPEN, **values}
    wanted.update({pair.id: values.get(pair.id) or other for pair in DATES})
    return wanted


def is_completed(crm_fields: Mapping[str, Value]) -> bool:
    """Is the CRM's task done?"""
    return _crm_status(text_of(crm_fields, STATUS.crm)) == COMPLETED
