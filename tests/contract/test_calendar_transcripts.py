"""The event mapping against recorded answers of a real vtenext: what was sent says the same as what was read back.

Every successful write of an event in the recordings that a caller in the server's zone made is replayed through the translator. The list is
explicit and complete: a recording that is added, emptied or renamed makes a test fail. Not among them: what the full rewrites `update` and
`updateRecord` do to a reminder (API.md 3.3), which we never call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mapping.calendar import REMINDER, EventTranslator
from mapping.fields import default_lengths
from sync.spans import from_server, server_holds, to_server

DATA = Path(__file__).resolve().parents[1] / "data" / "vtenext"
ROME = ZoneInfo("Europe/Rome")
EVENTS = EventTranslator(lambda span: server_holds(span, ROME))

WRITES = {
    "rest-events-crud.json": 2,
    "ws-events-crud.json": 2,
    "ws-events-external-uid.json": 2,
    "ws-events-invitees-ambiguous.json": 1,
    "ws-events-invitees.json": 5,
    "ws-events-no-validation.json": 1,
    "ws-events-public-foreign-write.json": 2,
    "ws-events-reminder-update.json": 4,
    "ws-events-reminder.json": 5,
}
"""Recording -> number of successful creates and revises of events in it."""

ELSEWHERE = (
    "anna.bianchi"  # lives in New York and writes dates the American way: only our account's are read (DESIGN 4)
)
COLUMNS = ("date_start", "time_start", "due_date", "time_end", "is_all_day_event")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One write and the answer, both as the vtenext side shows an event: times as one span, reminders in minutes."""

    name: str
    new: bool
    sent: Mapping[str, str]
    answer: Mapping[str, str]


def exchanges(path: Path) -> Iterator[Exchange]:
    recording = json.loads(path.read_text(encoding="utf-8"))
    steps = [] if recording.get("user") == ELSEWHERE else recording.get("steps") or [recording]
    for number, step in enumerate(steps):
        body = step["response"].get("body")
        given = step["request"].get("form") or step["request"].get("json") or {}
        element = given.get("element") if isinstance(given, dict) else None
        if not isinstance(element, str) or not isinstance(body, dict) or given.get("operation") == "update":
            continue
        answer = body.get("result") or body.get("data")
        if isinstance(answer, dict) and str(answer.get("id", "")).startswith("18x"):
            sent = {name: value for name, value in json.loads(element).items() if isinstance(value, str)}
            yield Exchange(f"{path.name}#{number}", "id" not in sent, shown(sent, written=True), shown(answer))


def shown(row: Mapping[str, str], *, written: bool = False) -> dict[str, str]:
    fields = {name: value for name, value in row.items() if name not in COLUMNS}
    if "date_start" in row:
        fields["when"] = from_server(row, ROME)
    if written and "reminder_time" in row:
        fields["reminder_time"] = str(int(row["reminder_time"]) // 60)
    return fields


ALL = [each for name in WRITES for each in exchanges(DATA / "transcripts" / name)]
EVERY = pytest.mark.parametrize("exchange", ALL, ids=lambda each: each.name)


@pytest.mark.parametrize(("name", "writes"), WRITES.items())
def test_every_listed_recording_holds_its_writes(name: str, writes: int) -> None:
    assert len(list(exchanges(DATA / "transcripts" / name))) == writes


def test_no_recording_is_left_out() -> None:
    found = {path.name for path in (DATA / "transcripts").glob("*.json") if any(exchanges(path))}
    assert found == set(WRITES)


@EVERY
def test_what_was_sent_says_the_same_as_what_was_read_back(exchange: Exchange) -> None:
    sent, read = EVENTS.crm_values(exchange.sent), EVENTS.crm_values(exchange.answer)
    if not exchange.new and sent.get(REMINDER.id) == "":  # a reminder cannot be removed
        sent.pop(REMINDER.id)
    assert {pair: EVENTS.image(pair, read[pair]) for pair in sent} == {
        pair: EVENTS.image(pair, sent[pair]) for pair in sent
    }


@EVERY
def test_what_we_would_send_is_held_as_we_say(exchange: Exchange) -> None:
    values = {pair: value for pair, value in EVENTS.crm_values(exchange.sent).items() if value}
    rendered = EVENTS.render_crm(values, None if exchange.new else {}, {})
    read = EVENTS.crm_values(exchange.answer)
    assert {pair: read[pair] for pair in rendered.held} == rendered.held
    assert rendered.refused == frozenset()


@EVERY
def test_writing_again_what_was_read_back_changes_nothing(exchange: Exchange) -> None:
    for values in (EVENTS.crm_values(exchange.sent), EVENTS.crm_values(exchange.answer)):
        assert EVENTS.render_crm(values, exchange.answer, {}).fields == {}


def test_reminders_as_recorded() -> None:
    """Seconds sent -> minutes shown, as `image` says."""
    seen = {}
    for each in exchanges(DATA / "transcripts" / "ws-events-reminder.json"):
        seen[each.sent["reminder_time"]] = each.answer["reminder_time"]
    assert seen == {"15": "15", "60": "61", "1440": "1441", "90": "90", "0": ""}
    assert {sent: EVENTS.image(REMINDER.id, "" if sent == "0" else sent) for sent in seen} == seen


def test_a_reminder_is_kept_as_recorded() -> None:
    """create 30, revise something else, revise 0, revise 10."""
    steps = list(exchanges(DATA / "transcripts" / "ws-events-reminder-update.json"))
    assert [each.answer["reminder_time"] for each in steps] == ["30", "30", "30", "10"]
    assert steps[2].sent["reminder_time"] == "0"
    rendered = EVENTS.render_crm({REMINDER.id: ""}, steps[1].answer, {})
    assert rendered.fields == {}
    assert rendered.held == {REMINDER.id: steps[2].answer["reminder_time"]}


def test_all_day_and_overnight_as_recorded() -> None:
    recording = json.loads((DATA / "transcripts" / "ws-events-allday-overnight.json").read_text(encoding="utf-8"))
    rows = [step["response"]["body"]["result"] for step in recording["steps"]]
    spans = ["2026-12-03/2026-12-04", "2026-12-03/2026-12-04", "2026-12-08T21:30Z/2026-12-09T01:00Z"]
    assert [EVENTS.crm_values(shown(row))["when~when"] for row in rows] == spans
    for row, span in zip(rows, spans, strict=True):
        assert to_server(str(EVENTS.render_crm({"when~when": span}, None, {}).fields["when"]), ROME) == {
            name: row[name] for name in COLUMNS
        }


def test_the_words_of_describe_are_all_known() -> None:
    describe = json.loads((DATA / "describe-Events.json").read_text(encoding="utf-8"))["result"]["fields"]
    words = {
        field["name"]: {choice["value"] for choice in field["type"].get("picklistValues", ())} for field in describe
    }
    assert words["visibility"] == {"Standard", "Private", "Public"}
    assert words["taskpriority"] == {"High", "Medium", "Low"}
    for name in ("visibility", "taskpriority"):
        ours = {
            EVENTS.render_crm({pair: value}, None, {}).fields[name]
            for word in words[name]
            for pair, value in EVENTS.crm_values({name: word}).items()
        }
        assert ours == words[name] - {"Public"}


def test_lengths_are_those_of_the_dump() -> None:
    dump = json.loads((DATA / "field-lengths.json").read_text(encoding="utf-8"))["modules"]["Events"]
    for name, length in default_lengths("Events").items():
        assert length == (dump[name]["max_chars"] if dump[name]["sql_type"] in ("varchar", "char") else None)
