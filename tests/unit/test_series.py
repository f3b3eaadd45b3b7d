"""Rules: Graph's form, RFC 5545 text and dates say the same, python-dateutil being the judge; and the spans of occurrences."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import pytest

from sync.series import (
    Pattern,
    Rule,
    UnknownRule,
    from_graph,
    from_text,
    index_of,
    slot_of,
    slot_span,
    slots,
    starts,
    to_graph,
    to_text,
    truncated,
)
from sync.spans import read_span, server_holds, span_text
from tests.unit.three_hundred import CUT, NEW_YORK, NOT_IN_GRAPH, RFC, ROME, RULES, dateutil_dates, generated, hour

# three hundred rules


@pytest.mark.parametrize(("start", "text"), RFC, ids=[text for _, text in RFC])
def test_the_examples_of_the_rfc(start: datetime, text: str) -> None:
    rule = from_text(text, start)
    judged = dateutil_dates(text, start.date())
    assert list(islice(starts(rule), CUT)) == judged
    assert list(islice(starts(from_graph(to_graph(rule, ""))), CUT)) == judged
    assert from_text(to_text(rule), start.date()) == rule


@pytest.mark.parametrize(("start", "text"), NOT_IN_GRAPH, ids=[text for _, text in NOT_IN_GRAPH])
def test_the_examples_that_graph_cannot_express(start: datetime, text: str) -> None:
    with pytest.raises(UnknownRule):
        from_text(text, start)


def test_generated_rules_cover_everything() -> None:
    rules = generated()
    assert len(rules) + len(RFC) == RULES
    assert len({(rule.pattern, bool(rule.until), bool(rule.count)) for rule in rules}) == 18
    assert {rule.day for rule in rules} >= {29, 30, 31}
    assert {rule.index for rule in rules} >= {1, 2, 3, 4, -1}
    assert sum(len(rule.days) > 1 for rule in rules) > 40


def test_generated_rules_through_graph_and_text() -> None:
    for rule in generated():
        form = to_graph(rule, "Europe/Rome")
        assert from_graph(form) == rule
        assert from_graph(as_answered(form)) == rule
        text = to_text(rule)
        assert from_text(text, rule.start) == rule, text
        judged = dateutil_dates(text, rule.start)
        assert list(islice(starts(rule), CUT)) == judged, text
        assert slots(rule, judged[3], judged[9]) == judged[3:10], text


def as_answered(form: dict[str, Any]) -> dict[str, Any]:
    """Unused fields come back as zeros (BEHAVIOUR 7.2)."""
    pattern = {"month": 0, "dayOfMonth": 0, "index": "first", "firstDayOfWeek": "sunday", "daysOfWeek": []}
    span = {"endDate": "0001-01-01", "numberOfOccurrences": 0, "recurrenceTimeZone": ""}
    return {"pattern": pattern | form["pattern"], "range": span | form["range"]}


# what Graph means


def test_the_last_day_of_a_shorter_month() -> None:
    rule = Rule(date(2026, 1, 31), Pattern.ABSOLUTE_MONTHLY, day=31, count=4)
    assert list(starts(rule)) == [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]
    assert to_text(rule) == "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=4"
    assert from_text("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=4", date(2026, 1, 31)) == rule
    leap = Rule(date(2024, 2, 29), Pattern.ABSOLUTE_YEARLY, day=29, month=2, count=3)
    assert list(starts(leap)) == [date(2024, 2, 29), date(2025, 2, 28), date(2026, 2, 28)]
    assert to_text(leap) == "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28,29;BYSETPOS=-1;COUNT=3"
    april = Rule(date(2026, 4, 1), Pattern.ABSOLUTE_YEARLY, day=31, month=4)
    assert to_text(april) == "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30"


@pytest.mark.parametrize(
    ("text", "start", "known"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "2026-01-31", False),
        ("FREQ=MONTHLY", "2026-01-31", False),
        ("FREQ=MONTHLY;BYMONTHDAY=29", "2026-01-29", False),
        ("FREQ=MONTHLY;BYMONTHDAY=31;UNTIL=20260101", "2025-12-31", True),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=2", "2026-07-31", True),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "2026-07-31", False),
        ("FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=12", "2026-01-31", True),
        ("FREQ=MONTHLY;BYMONTHDAY=31;INTERVAL=12", "2026-02-01", False),
        ("FREQ=MONTHLY;BYMONTHDAY=30;UNTIL=20270131", "2026-03-30", True),
        ("FREQ=MONTHLY;BYMONTHDAY=30;UNTIL=20270301", "2026-03-30", False),
        ("FREQ=YEARLY", "2024-02-29", False),
        ("FREQ=YEARLY;INTERVAL=4", "2024-02-29", False),  # 2100
        ("FREQ=YEARLY;INTERVAL=4;COUNT=10", "2024-02-29", True),
        ("FREQ=YEARLY", "2026-12-31", True),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31;COUNT=2", "2026-04-30", False),
        ("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=-1;COUNT=2", "2026-04-30", True),
    ],
)
def test_a_plain_day_that_some_months_lack(text: str, start: str, known: bool) -> None:
    first = date.fromisoformat(start)
    if known:
        assert list(islice(starts(from_text(text, first)), 20)) == dateutil_dates(text, first)[:20]
    else:
        with pytest.raises(UnknownRule):
            from_text(text, first)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "FREQ=", "FREQ=WEEKLY;FREQ=DAILY", "INTERVAL=2", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=x",
     "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=3;UNTIL=20270101", "FREQ=DAILY;UNTIL=20270101T000000Z", "FREQ=DAILY;UNTIL=soon",
     "FREQ=WEEKLY;BYDAY=XX", "FREQ=WEEKLY;BYDAY=1MO", "FREQ=WEEKLY;WKST=XX", "FREQ=MONTHLY;BYDAY=5MO", "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=5",
     "FREQ=MONTHLY;BYDAY=1MO,2TU;BYSETPOS=1", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTH=3",
     "FREQ=YEARLY;BYMONTHDAY=15", "FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY;BYDAY=1MO", "FREQ=SECONDLY", "FREQ=DAILY;RSCALE=GREGORIAN"],
)  # fmt: skip
def test_no_rule_of_graph(text: str) -> None:
    with pytest.raises(UnknownRule):
        from_text(text, date(2026, 11, 23))


def weekly(**changes: object) -> dict[str, Any]:
    pattern = {"type": "weekly", "interval": 1, "daysOfWeek": ["monday"], "firstDayOfWeek": "monday"}
    span = {"type": "noEnd", "startDate": "2026-11-23"}
    return {
        "pattern": pattern | {name: value for name, value in changes.items() if name not in ("range", "until")},
        "range": span | dict(changes.get("range", {})),  # type: ignore[call-overload]
    }


def test_graph_form() -> None:
    rule = from_graph(weekly())
    assert rule == Rule(date(2026, 11, 23), Pattern.WEEKLY, days=(0,))
    assert to_graph(rule, "") == weekly()
    assert to_graph(rule, "Europe/Rome")["range"]["recurrenceTimeZone"] == "Europe/Rome"
    assert from_graph(weekly(firstDayOfWeek=None)).week_start == 6, "sunday when Graph says nothing"


@pytest.mark.parametrize(
    "recurrence",
    [
        {},
        {"pattern": None, "range": None},
        weekly(type="hourly"),
        weekly(interval=0),
        weekly(interval=None),
        weekly(daysOfWeek=[]),
        weekly(daysOfWeek=["lunedì"]),
        weekly(firstDayOfWeek="mon"),
        weekly(type="relativeMonthly", index="fifth"),
        weekly(type="absoluteMonthly", dayOfMonth=0),
        weekly(type="absoluteYearly", dayOfMonth=3, month=0),
        weekly(range={"type": "numbered", "numberOfOccurrences": 0}),
        weekly(range={"type": "endDate"}),
        weekly(range={"type": "sometimes"}),
        weekly(range={"startDate": "23/11/2026"}),
    ],
)
def test_no_recurrence(recurrence: dict[str, Any]) -> None:
    with pytest.raises(UnknownRule):
        from_graph(recurrence)


def test_the_first_day_of_the_week_decides_in_every_second_week() -> None:
    form = weekly(interval=2, daysOfWeek=["sunday", "tuesday"], range={"startDate": "1997-08-05"})
    monday, sunday = from_graph(form), from_graph(form | {"pattern": form["pattern"] | {"firstDayOfWeek": "sunday"}})
    assert [day.day for day in islice(starts(monday), 4)] == [5, 10, 19, 24]
    assert [day.day for day in islice(starts(sunday), 4)] == [5, 17, 19, 31]


def test_several_weekdays_of_a_month_are_one_set() -> None:
    weekday = Rule(date(2026, 8, 1), Pattern.RELATIVE_MONTHLY, days=(0, 1, 2, 3, 4), index=1)
    assert list(islice(starts(weekday), 3)) == [date(2026, 8, 3), date(2026, 9, 1), date(2026, 10, 1)]
    assert to_text(weekday) == "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1"
    last = Rule(date(2026, 8, 1), Pattern.RELATIVE_MONTHLY, days=(5, 6), index=-1)
    assert list(islice(starts(last), 2)) == [date(2026, 8, 30), date(2026, 9, 27)]


def test_an_until_with_a_time_counts_by_the_clock_of_the_start() -> None:
    start = datetime(2026, 11, 20, 9, tzinfo=NEW_YORK)
    assert from_text("FREQ=DAILY;UNTIL=20261123T135959Z", start).until == date(2026, 11, 22)
    assert from_text("FREQ=DAILY;UNTIL=20261123T140000Z", start).until == date(2026, 11, 23)
    assert from_text("RRULE:FREQ=DAILY;UNTIL=20261123T090000", start).until == date(2026, 11, 23)


# occurrences


def test_truncated() -> None:
    endless = Rule(date(2026, 11, 2), Pattern.WEEKLY, days=(0,), week_start=6)
    assert truncated(endless, date(2026, 11, 20)) == Rule(
        date(2026, 11, 2), Pattern.WEEKLY, days=(0,), week_start=6, until=date(2026, 11, 20)
    )
    counted = Rule(date(2026, 11, 2), Pattern.WEEKLY, days=(0,), count=3)
    assert truncated(counted, date(2026, 11, 16)) == counted, "its third and last"
    assert truncated(counted, date(2026, 11, 15)).count == 0
    assert list(starts(truncated(counted, date(2026, 11, 15)))) == [date(2026, 11, 2), date(2026, 11, 9)]
    dated = truncated(endless, date(2026, 11, 20))
    assert truncated(dated, date(2026, 12, 31)) == dated
    with pytest.raises(UnknownRule):
        truncated(endless, date(2026, 11, 1))


def test_slots_are_local_days_of_the_original_start() -> None:
    assert slot_of(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), ROME) == date(2026, 11, 24)
    assert slot_of(datetime(2026, 11, 23, 23, 30, tzinfo=UTC), NEW_YORK) == date(2026, 11, 23)
    assert index_of(Rule(date(2026, 11, 2), Pattern.WEEKLY, days=(0,)), date(2026, 11, 16)) == 14


def test_the_clock_on_the_wall_is_kept_over_dst() -> None:
    first = read_span("2026-10-19T08:00Z/2026-10-19T09:00Z")  # 10:00 in Rome
    assert span_text(slot_span(first, date(2026, 10, 26), ROME)) == "2026-10-26T09:00Z/2026-10-26T10:00Z"
    night = hour(date(2026, 3, 27), 22, length=480)  # 22:00 to 06:00
    assert span_text(slot_span(night, date(2026, 3, 28), ROME)) == "2026-03-28T21:00Z/2026-03-29T04:00Z"
    all_day = read_span("2026-03-28/2026-03-29")
    assert span_text(slot_span(all_day, date(2026, 10, 24), ROME)) == "2026-10-24/2026-10-25"


def test_occurrences_in_the_hours_that_dst_skips_and_repeats() -> None:
    early = hour(date(2026, 3, 22), 2, 30, 30)  # 02:30 to 03:00
    assert span_text(slot_span(early, date(2026, 3, 29), ROME)) == "2026-03-29T01:30Z/2026-03-29T02:00Z"
    late = slot_span(early, date(2026, 10, 25), ROME)
    assert span_text(late) == "2026-10-25T01:30Z/2026-10-25T02:00Z"
    assert server_holds(span_text(late), ROME) == span_text(late)
    first_pass = read_span("2026-10-25T00:30Z/2026-10-25T01:00Z")
    assert slot_span(first_pass, date(2026, 10, 25), ROME) == first_pass, "its own slot is itself"
