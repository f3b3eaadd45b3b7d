"""The pure parts of the vtenext side: query text, server time, the meaning of an answer, the form of a kind."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote_plus
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import Cause, StopConnector
from sync.model import Kind
from sync.sides.vtenext import events
from sync.sides.vtenext.items import form_of
from sync.sides.vtenext.query import chunks, conditions, equals, folded, quoted, select
from sync.sides.vtenext.search import name_conditions
from sync.sides.vtenext.wire import Denied, Result, Unusable, no_answer, read_answer
from sync.sides.vtenext.zones import advanced, near_change, rewound, same_clock, to_server, to_utc, zone_named

DATA = Path(__file__).parents[2] / "data" / "vtenext"
ROME = ZoneInfo("Europe/Rome")
BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 03:00 becomes 02:00 in Rome


def test_quotes_are_doubled_and_nothing_else() -> None:
    assert quoted("D'Angelo") == "'D''Angelo'"
    with pytest.raises(ValueError, match="no empty string"):
        quoted("")


@given(st.text(min_size=1))
def test_no_value_ends_its_literal(value: str) -> None:
    text = equals("lastname", value)
    literal = text[text.index("'") + 1 : -1]
    assert "'" not in literal.replace("''", "")
    assert "\\" not in literal
    assert all(" " <= c <= "\uffff" for c in literal)


def test_what_the_language_cannot_say_becomes_a_wildcard() -> None:
    assert equals("lastname", "a\\b") == "lastname like 'a_b'"
    assert equals("lastname", "a\U0001f31e") == "lastname like 'a____'"
    assert conditions("email", ["a@x", "", " ", "a@x", "b\\c"]) == ["email in ('a@x')", "email like 'b_c'"]


def test_a_page_repeats_its_key_in_every_alternative() -> None:
    text = select("Contacts", ("id", "email"), ["a='1'", "b='2' and c='3'"], after="4x7", page=5)
    where = "a='1' and id > '4x7' or b='2' and c='3' and id > '4x7'"
    assert text == f"select id,email from Contacts where {where} order by id limit 5;"
    assert select("Contacts", ("id",)) == "select id from Contacts order by id limit 1000;"


@given(st.lists(st.text(max_size=300)))
def test_chunks_keep_everything_in_order_and_fit(values: list[str]) -> None:
    parts = list(chunks(values))
    assert [value for part in parts for value in part] == values
    for part in parts:
        assert len(part) <= 100
        assert len(part) == 1 or sum(len(quote_plus(value)) for value in part) <= 5000


def test_folded_compares_like_the_database() -> None:
    assert folded("SOCIETÀ ") == folded("società") == folded("societa")
    assert folded(" a") != folded("a")


def test_name_conditions() -> None:
    assert name_conditions("", "") == []
    assert name_conditions("", "Rossi") == ["lastname='Rossi'"]
    assert name_conditions("Ugo", "Bo") == ["firstname='Ugo' and lastname='Bo'", "lastname='Ugo Bo'"]
    assert len(name_conditions("a b c d", "e f g h")) == 2


def test_server_time() -> None:
    assert to_utc("2026-11-23 12:00:00", ROME) == "2026-11-23T11:00:00Z"
    assert to_utc("2026-07-01 12:00:00", ROME) == "2026-07-01T10:00:00Z"
    assert to_utc("0000-00-00 00:00:00", ROME) == to_utc("", ROME) == ""
    assert to_server(datetime(2026, 7, 1, 10, tzinfo=UTC), ROME) == "2026-07-01 12:00:00"


def test_zones() -> None:
    assert same_clock(ROME, ZoneInfo("Europe/Berlin"), 2026)
    assert not same_clock(ZoneInfo("UTC"), ZoneInfo("Europe/London"), 2026)
    for name in (None, "", "Nowhere/At-all", "../etc"):
        with pytest.raises(StopConnector) as raised:
            zone_named(name)
        assert raised.value.cause is Cause.CRM_USER_SETTINGS


@pytest.mark.parametrize(("minutes", "near"), [(-121, False), (-119, True), (0, True), (119, True), (121, False)])
def test_clocks_set_back_are_noticed_two_hours_around(minutes: int, near: bool) -> None:
    moment = BACK + timedelta(minutes=minutes)
    assert near_change(moment, ROME) is near
    assert rewound(moment, ROME) <= moment - timedelta(minutes=122 if near else 2)


def test_clocks_set_forward_need_nothing() -> None:
    assert not near_change(datetime(2026, 3, 29, 1, 0, tzinfo=UTC), ROME)


@given(st.integers(-86_400, 86_400), st.integers(0, 7200))
def test_whatever_is_saved_later_lies_after_the_saved_cursor(at: int, later: int) -> None:
    """Server time is what is compared, and it repeats an hour."""
    moment = BACK + timedelta(seconds=at)
    resume, saved = rewound(moment, ROME), moment + timedelta(seconds=later)
    assert to_server(resume, ROME) <= to_server(saved, ROME)


def test_a_listing_always_moves_on() -> None:
    asked = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert advanced(asked, asked + timedelta(seconds=9), ROME) == asked + timedelta(seconds=9)
    assert advanced(asked, asked, ROME) == asked + timedelta(seconds=1)
    in_second_hour = BACK + timedelta(minutes=10)  # 02:10 again; the server answers 02:20, meaning the first one
    assert advanced(in_second_hour, BACK - timedelta(minutes=40), ROME) == BACK + timedelta(minutes=20)


@pytest.mark.parametrize(
    "transcript", ["ws-auth-bad-key", "ws-poison-owner", "ws-contacts-errors", "ws-unknown-operation"]
)
def test_recorded_answers_are_understood(transcript: str) -> None:
    recorded = json.loads((DATA / "transcripts" / f"{transcript}.json").read_text(encoding="utf-8"))
    for step in recorded.get("steps", [recorded]):
        status, body = step["response"]["status"], step["response"]["body"]
        answer = read_answer(status, {}, json.dumps(body).encode() if body else b"", "x")
        if not body:
            assert isinstance(answer, Unusable)
            assert answer.error.cause is Cause.CRM_CRASHED
        elif body["success"]:
            assert answer == Result(body["result"])
        else:
            assert isinstance(answer, Denied)
            assert (answer.code, answer.message) == (body["error"]["code"], body["error"]["message"])
            assert answer.gone is (body["error"]["message"] == "Permission to perform the operation is denied")
            assert answer.broken_owner is (body["error"]["message"] == "Invalid owner of the record")


@pytest.mark.parametrize(
    ("error", "sent", "code"),
    [
        (httpx.ConnectError("refused"), False, "UNREACHABLE"),
        (httpx.ConnectTimeout("slow"), False, "TIMEOUT"),
        (httpx.ReadTimeout("slow"), True, "TIMEOUT"),
        (httpx.ReadError("reset"), True, "UNREACHABLE"),
        (httpx.RemoteProtocolError("cut"), True, "UNREACHABLE"),
    ],
)
def test_only_before_the_connection_stands_nothing_was_sent(error: httpx.TransportError, sent: bool, code: str) -> None:
    answer = no_answer(error, "create")
    assert (answer.sent, answer.failure.code, answer.failure.status) == (sent, code, 0)


def test_an_event_in_columns_and_back() -> None:
    fields = {"subject": "S", "when": "2026-12-15T09:00Z/2026-12-15T10:30Z", "reminder_time": "15"}
    columns = events.columns_of(fields, ROME)
    assert columns == {
        "subject": "S",
        "reminder_time": "900",
        "is_all_day_event": "0",
        "date_start": "2026-12-15",
        "time_start": "10:00",
        "due_date": "2026-12-15",
        "time_end": "11:30",
    }
    row = {**columns, **events.identity_of("a|b|7"), "createdtime": "2026-10-25 02:30:00"}
    assert events.stamp_of(row) == "a|b|7"
    assert events.fields_of(row, ROME) == {
        "when": fields["when"],
        "uid": "a|b",
        "slot": "7",
        "created": "2026-10-25T00:30:00Z",
        "recurring": "",
        "organizer_address": "",
        "contact_id": "",
    }


@pytest.mark.parametrize("fields", [{}, {"reminder_time": ""}, {"reminder_time": "0"}])
def test_no_reminder_is_never_sent(fields: dict[str, str]) -> None:
    assert events.columns_of(fields, ROME) == {}


def test_the_first_pass_of_the_hour_that_comes_twice_is_held_as_the_second() -> None:
    held = {"when": "2026-10-25T01:30Z/2026-10-25T02:00Z", "subject": "S"}
    assert events.changed({"when": "2026-10-25T00:30Z/2026-10-25T02:00Z", "subject": "S"}, held, ROME) == {}
    assert events.changed({"when": "2026-10-25/2026-10-25", "subject": "S"}, held, ROME).keys() == {"when"}


def test_the_form_of_a_kind_follows_the_description() -> None:
    description = json.loads((DATA / "describe-Accounts.json").read_text(encoding="utf-8"))
    description = description.get("result", description)
    form = form_of(Kind.COMPANY, description, ("accountname", "cf_gone", "phone"), "external_code")
    assert (form.module, form.prefix, form.stamp) == ("Accounts", "3", "external_code")
    assert "cf_gone" not in form.columns
    assert {"id", "phone", "external_code", "assigned_user_id", "modifiedtime", "createdtime"} <= set(form.columns)
    assert "external_code" not in form.shown
    assert form_of(Kind.COMPANY, description, ("external_code",), "external_code").stamp == ""


def test_the_form_of_an_event_is_the_whole_event() -> None:
    description = json.loads((DATA / "describe-Events.json").read_text(encoding="utf-8"))
    form = form_of(Kind.EVENT, description.get("result", description), ("subject", "when", "eventstatus"), "")
    assert (form.module, form.prefix, form.stamp) == ("Events", "18", "")
    assert form.shown == ("subject", "eventstatus", *events.TEXTS[1:])
    assert {"date_start", "time_start", "due_date", "time_end", "is_all_day_event"} <= set(form.columns)
    assert {"ical_uuid", "recurr_idx", "createdtime", "id", "assigned_user_id", "modifiedtime"} <= set(form.columns)
    assert len(form.columns) == len(set(form.columns))
