"""How events translate: every word of either side, what is lost on the way to vtenext, and that it never comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.calendar import (
    BODY,
    BUSY,
    IMPORTANCE,
    LOCATION,
    MASKED,
    NO_SUBJECT,
    REMINDER,
    SENSITIVITY,
    SHOWN,
    SUBJECT,
    WHEN,
    EventTranslator,
    is_private,
    masked,
)
from mapping.fields import default_lengths
from mapping.model import Rendered, Translator, Value
from sync.merge import Merge, Sealed, merge
from sync.model import Base, Item, Kind, Link, Role, Side
from sync.policy import KindPolicy, Winner
from sync.settle import answered, renewed
from tests.unit.plain import PlainDigests

AMBIGUOUS, HELD = "2026-10-25T00:30Z/2026-10-25T00:45Z", "2026-10-25T01:30Z/2026-10-25T01:45Z"
SPAN, LATER, DAYS = (
    "2026-11-23T09:00Z/2026-11-23T10:00Z",
    "2026-11-24T09:00Z/2026-11-24T10:00Z",
    "2026-11-23/2026-11-24",
)
SPANS = (SPAN, LATER, DAYS, AMBIGUOUS, HELD)


def holds(span: str) -> str:
    """What a server in Rome holds of these spans."""
    if span not in SPANS:
        raise ValueError(span)
    return HELD if span == AMBIGUOUS else span


EVENTS: Translator = EventTranslator(holds)

MEETING: Mapping[str, Value] = {
    "subject": "Riunione",
    "location": "Sala 1",
    "body": "<html><body><div>Buongiorno<br>\r\na tutti</div></body></html>",
    "bodyType": "html",
    "sensitivity": "normal",
    "importance": "normal",
    "reminder": "15",
    "when": SPAN,
    "cancelled": "",
    "online": "",
}
RECORD: Mapping[str, Value] = {
    "subject": "Riunione",
    "location": "Sala 1",
    "description": "Buongiorno\na tutti",
    "visibility": "Standard",
    "taskpriority": "Medium",
    "reminder_time": "15",
    "when": SPAN,
}


def to_crm(values: Mapping[str, str], current: Mapping[str, Value] | None = None) -> Rendered:
    return EVENTS.render_crm(values, current, {})


def images(values: Mapping[str, str]) -> dict[str, str]:
    return {pair: EVENTS.image(pair, value) for pair, value in values.items()}


# reading


def test_both_sides_say_the_same() -> None:
    values = {
        WHEN.id: SPAN,
        SUBJECT.id: "Riunione",
        LOCATION.id: "Sala 1",
        BODY.id: "Buongiorno\na tutti",
        SENSITIVITY.id: "normal",
        IMPORTANCE.id: "normal",
        REMINDER.id: "15",
    }
    assert EVENTS.crm_values(RECORD) == values
    assert EVENTS.mailbox_values(MEETING) == values
    assert [pair.id for pair in EVENTS.pairs] == list(values)


def test_what_was_not_read_is_left_out() -> None:
    assert EVENTS.crm_values({"subject": "a"}) == {SUBJECT.id: "a"}
    assert EVENTS.mailbox_values({"subject": "a", "bodyType": "html"}) == {SUBJECT.id: "a"}


@pytest.mark.parametrize("when", ["", "  ", "2026", "tomorrow"])
def test_an_unreadable_time_says_nothing(when: str) -> None:
    assert WHEN.id not in EVENTS.crm_values({**RECORD, "when": when})
    assert WHEN.id not in EVENTS.mailbox_values({**MEETING, "when": when})
    assert not EVENTS.usable({**MEETING, "when": when})
    assert to_crm({WHEN.id: when}, RECORD) == Rendered({}, {WHEN.id: SPAN})
    assert EVENTS.render_mailbox({WHEN.id: when}, MEETING) == Rendered({}, {WHEN.id: SPAN})


@pytest.mark.parametrize(("cancelled", "usable"), [("", True), ("0", True), ("1", False)])
def test_a_cancelled_event_is_not_usable(cancelled: str, usable: bool) -> None:
    assert EVENTS.usable({**MEETING, "cancelled": cancelled}) is usable


# words


@pytest.mark.parametrize(
    ("visibility", "value", "mailbox"),
    [("Standard", "normal", "normal"), ("Public", "normal", "normal"), ("", "normal", "normal"), ("all", "normal", "normal"),
     ("Private", "private", "private"), ("PRIVATE ", "private", "private"), ("Riservato", "normal", "normal")],
)  # fmt: skip
def test_every_visibility(visibility: str, value: str, mailbox: str) -> None:
    assert EVENTS.crm_values({"visibility": visibility}) == {SENSITIVITY.id: value}
    assert EVENTS.render_mailbox({SENSITIVITY.id: value}, None).fields["sensitivity"] == mailbox
    other = {"normal": "confidential", "private": "personal"}[value]
    written = EVENTS.render_mailbox({SENSITIVITY.id: value}, {"sensitivity": other}).fields
    assert written == ({"sensitivity": "normal"} if value == "normal" else {})  # personal stays personal


@pytest.mark.parametrize(
    ("sensitivity", "value", "crm", "hidden"),
    [
        ("normal", "normal", "Standard", False),
        ("Normal", "normal", "Standard", False),
        ("", "normal", "Standard", False),
        ("personal", "personal", "Private", False),
        ("private", "private", "Private", True),
        ("confidential", "confidential", "Private", True),
        ("unknownFutureValue", "private", "Private", True),
    ],
)
def test_every_sensitivity(sensitivity: str, value: str, crm: str, hidden: bool) -> None:
    assert EVENTS.mailbox_values({"sensitivity": sensitivity}) == {SENSITIVITY.id: value}
    rendered = to_crm({SENSITIVITY.id: value}, None)
    assert rendered.fields["visibility"] == crm
    assert rendered.flags == frozenset()
    assert is_private({"sensitivity": sensitivity}) is hidden


def test_public_is_never_written_and_never_overwritten() -> None:
    assert to_crm({SENSITIVITY.id: "normal"}, {"visibility": "Public"}).fields == {}


@pytest.mark.parametrize(
    ("priority", "value"),
    [("High", "high"), ("Medium", "normal"), ("Low", "low"), ("", "normal"), ("low", "low"), ("Urgente", "normal")],
)
def test_every_priority(priority: str, value: str) -> None:
    assert EVENTS.crm_values({"taskpriority": priority}) == {IMPORTANCE.id: value}
    assert EVENTS.render_mailbox({IMPORTANCE.id: value}, None).fields["importance"] == value
    assert to_crm({IMPORTANCE.id: value}, {"taskpriority": priority}).fields == {}


@pytest.mark.parametrize(
    ("importance", "value", "crm"),
    [
        ("low", "low", "Low"),
        ("normal", "normal", "Medium"),
        ("high", "high", "High"),
        ("", "normal", "Medium"),
        ("High", "high", "High"),
        ("unknownFutureValue", "normal", "Medium"),
    ],
)
def test_every_importance(importance: str, value: str, crm: str) -> None:
    assert EVENTS.mailbox_values({"importance": importance}) == {IMPORTANCE.id: value}
    assert to_crm({IMPORTANCE.id: value}).fields["taskpriority"] == crm


# reminder


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [("", ""), ("0", "1"), ("1", "1"), ("15", "15"), ("59", "59"), ("60", "61"), ("61", "61"), ("90", "90"), ("120", "121"),
     ("1080", "1081"), ("1440", "1441"), ("1441", "1441"), ("1500", "1501"), ("10080", "10081")],
)  # fmt: skip
def test_a_reminder_as_vtenext_shows_it(minutes: str, shown: str) -> None:
    assert EVENTS.image(REMINDER.id, minutes) == shown
    assert EVENTS.image(REMINDER.id, shown) == shown
    rendered = to_crm({REMINDER.id: minutes})
    assert rendered.fields.get("reminder_time", "") == shown
    assert rendered.held[REMINDER.id] == shown
    assert rendered.flags == ({"reminder_rounded"} if minutes != shown else frozenset())


@pytest.mark.parametrize(
    ("text", "value"),
    [(" 15 ", "15"), ("015", "15"), ("-5", "0"), ("", ""), ("15.5", None), ("x", None), ("9" * 10, None)],
)
def test_reading_minutes(text: str, value: str | None) -> None:
    assert EVENTS.mailbox_values({"reminder": text}).get(REMINDER.id) == value
    assert EVENTS.crm_values({"reminder_time": text}).get(REMINDER.id) == ("" if value == "0" else value)


def test_a_reminder_that_cannot_be_removed_is_kept() -> None:
    assert to_crm({REMINDER.id: ""}, RECORD) == Rendered({}, {REMINDER.id: "15"}, frozenset({"reminder_kept"}))
    assert to_crm({REMINDER.id: ""}, {**RECORD, "reminder_time": ""}) == Rendered({}, {REMINDER.id: ""})


def test_a_new_event_in_exchange_gets_no_reminder_of_its_own() -> None:
    assert EVENTS.render_mailbox({WHEN.id: SPAN}, None).fields == {"when": SPAN, "reminder": ""}
    assert EVENTS.render_mailbox({REMINDER.id: "15"}, None).fields == {"reminder": "15"}
    assert EVENTS.render_mailbox({REMINDER.id: ""}, MEETING).fields == {"reminder": ""}


# subject and other texts


@pytest.mark.parametrize("subject", ["", "   ", NO_SUBJECT, " " * 100 + "x"])
def test_an_event_without_a_subject_has_a_name_in_vtenext_only(subject: str) -> None:
    new = to_crm({SUBJECT.id: subject} if subject else {})
    assert str(new.fields["subject"]).strip() == NO_SUBJECT
    assert new.held[SUBJECT.id] == "" == EVENTS.image(SUBJECT.id, subject)
    assert EVENTS.crm_values(new.fields)[SUBJECT.id] == ""
    emptied = to_crm({SUBJECT.id: subject}, RECORD)
    assert emptied.fields == new.fields
    assert to_crm({SUBJECT.id: subject}, emptied.fields).fields == {}
    assert EVENTS.render_mailbox({SUBJECT.id: subject}, MEETING).fields == {"subject": ""}


def test_texts_are_cut_and_flagged() -> None:
    rendered = to_crm({SUBJECT.id: "x" * 101, LOCATION.id: "y" * 151, BODY.id: "z" * 70_000, WHEN.id: SPAN})
    assert rendered.fields == {"subject": "x" * 100, "location": "y" * 150, "description": "z" * 70_000, "when": SPAN}
    assert rendered.flags == {"text_cut"}
    assert to_crm({SUBJECT.id: "ciao 😀"}).fields == {"subject": "ciao ????"}
    assert to_crm({BODY.id: "ciao 😀"}).flags == {"characters_lost"}


def test_tags_that_vtenext_encodes_say_the_same() -> None:
    shown = {**RECORD, "description": "&lt;script&gt;x&lt;/script&gt;", "subject": "a &lt;b&gt;"}
    assert to_crm({BODY.id: "<script>x</script>", SUBJECT.id: "a <b>"}, shown).fields == {}


def test_lengths_are_those_of_vtenext() -> None:
    lengths = default_lengths("Events")
    assert (lengths["subject"], lengths["location"], lengths["description"]) == (100, 150, None)


# body


def test_the_body_is_written_only_when_its_text_is_another_one() -> None:
    assert EVENTS.render_mailbox({BODY.id: " Buongiorno\n\na  tutti \n"}, MEETING).fields == {
        "body": " Buongiorno\n\na  tutti \n"
    }
    assert EVENTS.render_mailbox({BODY.id: "Buongiorno  \n a\xa0tutti"}, MEETING).fields == {}
    assert EVENTS.render_mailbox({SUBJECT.id: "x"}, MEETING).fields == {"subject": "x"}


def test_a_body_of_text() -> None:
    fields = {**MEETING, "body": "a <b>\r\nb  ", "bodyType": "text"}
    assert EVENTS.mailbox_values(fields)[BODY.id] == "a <b>\nb"
    assert EVENTS.inbound({**fields, "body": "<img>"}) == frozenset()


@pytest.mark.parametrize(
    "more", [{"body": "<p>a<img src='cid:1'></p>"}, {"body": "<table><tr><td>a</table>"}, {"online": "1"}]
)
def test_a_body_that_text_cannot_hold_travels_one_way(more: Mapping[str, Value]) -> None:
    fields = {**MEETING, **more}
    assert EVENTS.inbound(fields) == {BODY.id}
    rendered = EVENTS.render_mailbox({BODY.id: "other", SUBJECT.id: "other"}, fields)
    assert rendered.fields == {"subject": "other"}
    assert rendered.held[BODY.id] == EVENTS.mailbox_values(fields)[BODY.id]
    assert EVENTS.inbound(MEETING) == frozenset()


# masks


def test_a_masked_event_is_a_busy_block() -> None:
    secret = {**MEETING, "sensitivity": "private"}
    fields = masked(secret)
    values = EVENTS.mailbox_values(fields)
    assert "Riunione" not in str(fields)
    assert "Buongiorno" not in str(fields)
    assert "Sala" not in str(fields)
    same = (WHEN.id, REMINDER.id, IMPORTANCE.id, SENSITIVITY.id)
    assert {pair: values[pair] for pair in same} == {pair: EVENTS.mailbox_values(secret)[pair] for pair in same}
    assert EVENTS.inbound(fields) == {SUBJECT.id, LOCATION.id, BODY.id, SENSITIVITY.id}
    assert masked(fields) == fields
    assert is_private(fields)
    assert EVENTS.usable(fields)


def test_the_mark_alone_hides_the_content() -> None:
    """The engine keeps the item's own fields, for comparing versions, and only marks it."""
    marked = {**MEETING, "body": "<img src=x>secret", MASKED: "1"}
    assert EVENTS.mailbox_values(marked) == EVENTS.mailbox_values(masked(MEETING))
    assert EVENTS.inbound(marked) == EVENTS.inbound(masked(MEETING))
    assert EVENTS.render_mailbox({SUBJECT.id: "x", BODY.id: "x"}, marked).fields == {}


def test_an_event_that_turns_private_is_scrubbed() -> None:
    fields = masked({**MEETING, "sensitivity": "confidential"})
    rendered = to_crm(EVENTS.mailbox_values(fields), RECORD)
    assert rendered.fields == {"subject": BUSY, "location": "", "description": "", "visibility": "Private"}
    assert to_crm(EVENTS.mailbox_values(fields), {**RECORD, **rendered.fields}).fields == {}


@pytest.mark.parametrize("name", [BUSY, "Occupato", "B" * 120, "Busy 😀"])
def test_the_name_of_a_busy_block_is_no_content(name: str) -> None:
    events = EventTranslator(holds, busy=name)
    block = events.render_crm(events.mailbox_values(masked(MEETING, name)), None, {})
    values = events.crm_values(block.fields)
    assert values[SUBJECT.id] == ""
    assert block.held == {**block.held, **values}
    assert events.render_mailbox({SUBJECT.id: name}, MEETING).fields == {"subject": ""}
    assert events.image(SUBJECT.id, "Riunione") == "Riunione"


def test_nothing_masked_is_written_back() -> None:
    fields = masked({**MEETING, "sensitivity": "private"})
    edited = {SUBJECT.id: "x", LOCATION.id: "x", BODY.id: "x", WHEN.id: LATER}
    rendered = EVENTS.render_mailbox(edited, fields)
    assert rendered.fields == {"when": LATER}
    assert rendered.flags == frozenset()


# what comes back: the real merge, run after run


class Both:
    """An event on both sides and the base between them; `run` is one synchronisation as the engine does it."""

    def __init__(self, crm: Mapping[str, Value], mailbox: Mapping[str, Value], winner: Winner = Winner.MAILBOX) -> None:
        self.crm, self.mailbox = dict(crm), dict(mailbox)
        self.policy = KindPolicy(winner=winner)
        self.base: Base = {}
        self.run()

    def item(self, side: Side) -> Item:
        return Item(side, Kind.EVENT, "x", "1", self.crm if side is Side.CRM else self.mailbox)

    def run(self) -> Merge:
        sealed = Sealed("link", EVENTS.version, self.base, PlainDigests())
        plan = merge(self.item(Side.CRM), self.item(Side.MAILBOX), sealed, EVENTS, self.policy, Role.HOME)
        before = {side: self.values(side) for side in Side}
        link = Link("mailbox", Kind.EVENT, "x", "x", Side.MAILBOX, base=self.base)
        shown = {
            **before[Side.CRM],
            **before[Side.MAILBOX],
        }  # what the mailbox cannot show is taken to be as in the CRM
        agreed = [{p: values[p] for p in plan.agreed} for values in (before[Side.CRM], shown)]
        link = renewed(link, sealed, *agreed)
        for side, values in ((Side.CRM, plan.to_crm), (Side.MAILBOX, plan.to_mailbox)):
            own = self.crm if side is Side.CRM else self.mailbox
            rendered = to_crm(values, own) if side is Side.CRM else EVENTS.render_mailbox(values, own)
            own.update(rendered.fields)
            own.update({"bodyType": "text"} if "body" in rendered.fields else {})
            target = answered(values, rendered.held, replace(self.item(side)), EVENTS)
            both = {side: target, side.other: {p: v for p, v in before[side.other].items() if p in values}}
            link = renewed(link, sealed, both[Side.CRM], both[Side.MAILBOX])
        self.base = link.base
        return plan

    def values(self, side: Side) -> dict[str, str]:
        return EVENTS.crm_values(self.crm) if side is Side.CRM else EVENTS.mailbox_values(self.mailbox)

    def settled(self) -> bool:
        """Does another run write nothing and find nothing to renew?"""
        plan = self.run()
        return not plan.writes and not plan.agreed


@pytest.mark.parametrize(
    "change",
    [
        {"reminder": ""},
        {"reminder": "60"},
        {"reminder": "0"},
        {"subject": ""},
        {"subject": NO_SUBJECT},
        {"subject": "x" * 255},
        {"location": "😀"},
        {"body": "<p>a</p><p>😀</p>"},
        {"sensitivity": "confidential"},
        {"sensitivity": "personal"},
        {"when": AMBIGUOUS},
        {"when": DAYS},
    ],
    ids=str,
)
def test_what_was_lost_never_comes_back(change: Mapping[str, Value]) -> None:
    both = Both(RECORD, MEETING)
    assert both.settled()
    both.mailbox.update(change)
    kept = dict(both.mailbox)
    assert not both.run().to_mailbox
    assert both.settled()
    both.crm["location"] = "Sala 2"  # an edit of something else takes nothing else along
    assert both.run().to_mailbox == {LOCATION.id: "Sala 2"}
    assert both.mailbox == {**kept, "location": "Sala 2"}
    assert both.settled()


def test_a_kept_reminder_can_still_be_changed_on_both_sides() -> None:
    both = Both(RECORD, {**MEETING, "reminder": ""})
    both.mailbox["reminder"] = ""  # joined items: the empty side was filled
    both.run()
    assert (both.crm["reminder_time"], both.mailbox["reminder"]) == ("15", "")
    both.crm["reminder_time"] = "20"
    both.run()
    assert both.mailbox["reminder"] == "20"
    both.mailbox["reminder"] = "5"
    both.run()
    assert both.crm["reminder_time"] == "5"
    assert both.settled()


# any value

FIELDS = {
    "subject": st.one_of(st.just(""), st.text(max_size=120)),
    "location": st.text(max_size=160),
    "body": st.one_of(st.text(max_size=60), st.text(" \n\xa0<>&;ltg😀", max_size=40)),
    "bodyType": st.sampled_from(["html", "text", ""]),
    "sensitivity": st.one_of(st.sampled_from(["normal", "personal", "private", "confidential"]), st.text(max_size=5)),
    "importance": st.one_of(st.sampled_from(["low", "normal", "high"]), st.text(max_size=5)),
    "reminder": st.one_of(st.integers(-5, 5000).map(str), st.text(max_size=3)),
    "when": st.sampled_from(SPANS),
}
CONTENT = st.fixed_dictionaries({}, optional=FIELDS)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "subject": FIELDS["subject"],
        "location": FIELDS["location"],
        "description": FIELDS["body"],
        "visibility": st.one_of(st.sampled_from(["Standard", "Public", "Private", "", "all"]), st.text(max_size=5)),
        "taskpriority": st.one_of(st.sampled_from(["High", "Medium", "Low", ""]), st.text(max_size=5)),
        "reminder_time": FIELDS["reminder"],
        "when": FIELDS["when"],
    },
)


@given(CONTENT)
def test_images_are_idempotent(fields: Mapping[str, Value]) -> None:
    values = EVENTS.mailbox_values(fields)
    assert images(images(values)) == images(values)


@given(st.sampled_from([pair.id for pair in EVENTS.pairs]), st.text(max_size=120))
def test_images_of_anything(pair: str, value: str) -> None:
    assert EVENTS.image(pair, EVENTS.image(pair, value)) == EVENTS.image(pair, value)


@given(CONTENT)
def test_the_crm_holds_the_image_of_what_is_created(fields: Mapping[str, Value]) -> None:
    values = EVENTS.mailbox_values(fields)
    rendered = to_crm({pair: value for pair, value in values.items() if value})
    read = EVENTS.crm_values(rendered.fields)
    assert {pair: rendered.held[pair] for pair in read} == read
    assert images(read) == {pair: image for pair, image in images(values).items() if pair in read} | (
        {} if SUBJECT.id in values else {SUBJECT.id: ""}
    )
    assert to_crm(values, rendered.fields).fields.keys() <= {pair.crm for pair in EVENTS.pairs} - rendered.fields.keys()


@given(RECORDS, CONTENT)
def test_writing_to_the_crm_twice_writes_nothing(record: Mapping[str, Value], fields: Mapping[str, Value]) -> None:
    values = EVENTS.mailbox_values(fields)
    after = {**record, **to_crm(values, record).fields}
    assert to_crm(values, after).fields == {}


@given(CONTENT, RECORDS)
def test_writing_to_the_mailbox_twice_writes_nothing(fields: Mapping[str, Value], record: Mapping[str, Value]) -> None:
    values = EVENTS.crm_values(record)
    first = EVENTS.render_mailbox(values, fields)
    after = {**fields, **first.fields, **({"bodyType": "text"} if "body" in first.fields else {})}
    assert EVENTS.render_mailbox(values, after).fields == {}
    assert {pair: EVENTS.image(pair, value) for pair, value in first.held.items()} == images(values) | {
        pair: EVENTS.image(pair, first.held[pair]) for pair in EVENTS.inbound(fields) if pair in first.held
    }


@given(RECORDS, CONTENT)
def test_any_two_events_agree_after_one_run(record: Mapping[str, Value], fields: Mapping[str, Value]) -> None:
    both = Both({**RECORD, **record}, {**MEETING, **fields})
    assert both.settled()


# the read-only table


def test_the_eight_rows_are_the_pairs() -> None:
    assert [row.label for row in SHOWN] == (
        ["Start date", "Due date", "Subject", "Location", "Body", "Sensitivity", "Importance", "Reminder"]
    )
    assert all(row.label_it for row in SHOWN)
    named = {name for row in SHOWN for name in row.crm}
    assert {pair.crm for pair in EVENTS.pairs} - {"when"} <= named
    assert named <= default_lengths("Events").keys()
