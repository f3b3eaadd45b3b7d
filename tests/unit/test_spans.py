"""Any zone, either side of any offset change of 2026, goes Graph -> vtenext -> Graph unchanged, but for what vtenext cannot hold."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tzlocal.windows_tz import win_tz

from sync.spans import (
    DateSpan,
    InstantSpan,
    Span,
    ends_at,
    from_graph,
    from_server,
    read_span,
    server_holds,
    span_text,
    to_graph,
    to_server,
    zone_named,
)

ROME = ZoneInfo("Europe/Rome")
HOUR, MINUTE, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)
ZONES = sorted(available_timezones() - {"localtime"})  # that one is the machine's

REPEATED = {  # server zone -> when, in UTC, its clock shows for the first time what it is going to show again, in 2026
    "Europe/Rome": ("2026-10-25T00:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-11-01T05:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T14:30", "2026-04-04T15:00"),  # half an hour
    "Australia/Sydney": ("2026-04-04T15:00", "2026-04-04T16:00"),
    "Asia/Kathmandu": ("", ""),  # +05:45, no changes
    "UTC": ("", ""),
}


def through_vtenext(text: str, server: str) -> str:
    zone = ZoneInfo(server)
    back = from_server(to_server(text, zone), zone)
    assert back == server_holds(text, zone)
    assert server_holds(back, zone) == back, "nothing is lost twice"
    return back


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The minutes of 2026 from which on the zone has another offset."""
    zone = ZoneInfo(name)
    found = []
    day = datetime(2026, 1, 1, tzinfo=UTC)
    while day.year == 2026:
        low, high = day, day + DAY
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > MINUTE:
                middle = low + (high - low) // MINUTE // 2 * MINUTE
                same = middle.astimezone(zone).utcoffset() == day.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        day += DAY
    return tuple(found)


@cache
def forms(name: str) -> list[dict[str, object]]:
    return [to_graph(span, ZoneInfo(name)) for span in around(name)]


@cache
def around(name: str) -> list[Span]:
    """One-hour events from the minute before, at and after each change; the days about it; without changes one of each."""
    spans: list[Span] = []
    for change in changes(name) or (datetime(2026, 11, 23, 9, tzinfo=UTC),):
        spans += [InstantSpan(start, start + HOUR) for start in (change - MINUTE, change, change + MINUTE)]
        local = change.astimezone(ZoneInfo(name)).date()
        spans += [DateSpan(local, local), DateSpan(local - DAY, local + DAY)]
    return spans


def answered(form: dict[str, object]) -> tuple[dict[str, str], dict[str, str], bool]:
    """What Graph answers for what was written: seven decimals."""
    start, end = (
        {**moment, "dateTime": moment["dateTime"] + ".0000000"}
        for moment in (form["start"], form["end"])
        if isinstance(moment, dict)
    )
    return start, end, bool(form["isAllDay"])


def in_first_pass(span: Span, server: str) -> bool:
    start, end = REPEATED[server]
    if isinstance(span, DateSpan) or not start:
        return False
    first, after = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (start, end))
    return any(first <= instant < after for instant in (span.start, span.end))


def test_the_changes_are_found() -> None:
    assert changes("Europe/Rome") == (
        datetime(2026, 3, 29, 1, tzinfo=UTC),
        datetime(2026, 10, 25, 1, tzinfo=UTC),
    )
    assert len(changes("Africa/Casablanca")) == 2  # Ramadan
    assert changes("Asia/Tokyo") == ()
    assert len(ZONES) > 400
    assert sum(len(changes(name)) for name in ZONES) > 200


def test_every_zone_keeps_its_spans_in_graphs_form() -> None:
    wrong = []
    for name in ZONES:
        zone = ZoneInfo(name)
        for span in around(name):
            in_own_zone, in_utc = answered(to_graph(span, zone)), answered(to_graph(span, ZoneInfo("UTC")))
            if not (from_graph(*in_own_zone) == from_graph(*in_utc) == read_span(span_text(span)) == span):
                wrong.append((name, span))
    assert wrong == []


@pytest.mark.parametrize("server", REPEATED)
def test_every_zone_comes_back_from_vtenext(server: str) -> None:
    backs: dict[str, str] = {}
    lost: set[str] = set()
    expected: set[str] = set()
    for name in ZONES:
        for span, form in zip(around(name), forms(name), strict=True):
            text = span_text(span)
            if text not in backs:
                backs[text] = through_vtenext(text, server)
            if backs[text] == text:
                assert to_graph(read_span(backs[text]), ZoneInfo(name)) == form
            else:
                lost.add(text)
            if in_first_pass(span, server):
                expected.add(text)
    assert lost == expected


def test_what_rome_cannot_hold() -> None:
    """The list: only events that start or end inside the repeated hour of the server."""
    spans = {span_text(span): span for name in ZONES for span in around(name)}
    lost = {text: server_holds(text, ROME) for text in spans if server_holds(text, ROME) != text}
    assert lost == {
        "2026-10-24T23:00Z/2026-10-25T00:00Z": "2026-10-24T23:00Z/2026-10-25T01:00Z",  # about the change of Jerusalem
        "2026-10-24T23:01Z/2026-10-25T00:01Z": "2026-10-24T23:01Z/2026-10-25T01:01Z",
        "2026-10-24T23:59Z/2026-10-25T00:59Z": "2026-10-24T23:59Z/2026-10-25T01:59Z",
        "2026-10-25T00:00Z/2026-10-25T01:00Z": "2026-10-25T01:00Z/2026-10-25T01:00Z",  # Chisinau
        "2026-10-25T00:01Z/2026-10-25T01:01Z": "2026-10-25T01:01Z/2026-10-25T01:01Z",
        "2026-10-25T00:59Z/2026-10-25T01:59Z": "2026-10-25T01:59Z/2026-10-25T01:59Z",  # Rome and most of Europe
    }


def test_from_vtenext_and_back() -> None:
    """Every ten minutes of the two days on which Rome changes: row -> span -> Graph -> span -> row."""
    skipped = 0
    for day in (date(2026, 3, 29), date(2026, 10, 25)):
        for minute in range(0, 24 * 60, 10):
            clock = f"{minute // 60:02}:{minute % 60:02}"
            row = timed(day.isoformat(), clock, day.isoformat(), "23:59")
            span = read_span(from_server(row, ROME))
            again = to_server(span_text(from_graph(*answered(to_graph(span, ROME)))), ROME)
            if row["date_start"] == "2026-03-29" and clock.startswith("02:"):
                assert again == {**row, "time_start": clock.replace("02:", "03:")}, "an hour that did not exist"
                skipped += 1
            else:
                assert again == row
    assert skipped == 6


minutes = st.datetimes(datetime(1970, 2, 1), datetime(2100, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))  # noqa: DTZ001
spans = st.one_of(
    st.builds(InstantSpan, minutes, minutes),
    st.builds(DateSpan, st.dates(date(1970, 1, 1), date(2100, 1, 1)), st.dates(date(1970, 1, 1), date(2100, 1, 1))),
)


@given(spans, st.sampled_from(["Europe/Rome", "Europe/Dublin", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC"]))
def test_what_the_server_holds_is_what_it_says(span: Span, server: str) -> None:
    zone, text = ZoneInfo(server), span_text(span)
    held = server_holds(text, zone)
    assert from_server(to_server(text, zone), zone) == held == server_holds(held, zone)
    assert from_graph(*answered(to_graph(span, zone))) == span


# text


def test_text() -> None:
    nine = datetime(2026, 11, 23, 10, 0, 59, 999999, tzinfo=ROME)
    assert span_text(InstantSpan(nine, nine + HOUR)) == "2026-11-23T09:00Z/2026-11-23T10:00Z", "seconds are cut"
    assert span_text(DateSpan(date(2026, 11, 23), date(2026, 11, 24))) == "2026-11-23/2026-11-24"
    assert read_span("2026-11-23T09:00Z/2026-11-23T08:00Z") == read_span("2026-11-23T09:00Z/2026-11-23T09:00Z")
    assert read_span("2026-11-23/2026-11-20") == read_span("2026-11-23/2026-11-23")


@pytest.mark.parametrize(
    "text",
    ["", "/", "2026-11-23", "2026-11-23T09:00Z/2026-11-23", "2026-11-23T09:00/2026-11-23T10:00", "2026-02-30/2026-03-01",
     "2026-11-23T25:00Z/2026-11-23T26:00Z", "0001-01-01/0001-01-01", "9999-12-31/9999-12-31", "²026-11-23/2026-11-23"],
)  # fmt: skip
def test_no_span(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_span(text)


def test_when_it_is_over() -> None:
    assert ends_at("2026-11-23T09:00Z/2026-11-23T10:00Z", ROME) == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert ends_at("2026-11-23/2026-11-24", ROME) == datetime(2026, 11, 24, 23, tzinfo=UTC)
    assert ends_at("2026-10-24/2026-10-25", ROME) == datetime(2026, 10, 25, 23, tzinfo=UTC)
    assert ends_at("2026-10-24/2026-10-25", ZoneInfo("America/New_York")) == datetime(2026, 10, 26, 4, tzinfo=UTC)


# zones


def test_every_windows_name_is_known() -> None:
    assert {name for name in win_tz if zone_named(name) != ZoneInfo(win_tz[name])} == {"UTC"}
    assert zone_named("W. Europe Standard Time") == ZoneInfo("Europe/Berlin")
    assert zone_named("w. europe standard time") == ZoneInfo("Europe/Berlin")
    assert zone_named("India Standard Time") == ZoneInfo("Asia/Calcutta")


def test_every_iana_name_is_known() -> None:
    assert {name for name in ZONES if zone_named(name) != ZoneInfo(name)} == set()


@pytest.mark.parametrize("name", ["UTC", "utc", "tzone://Microsoft/Utc"])
def test_utc(name: str) -> None:
    assert zone_named(name) == ZoneInfo("UTC")


@pytest.mark.parametrize(
    "name",
    ["", " ", "tzone://Microsoft/Custom", "Customized Time Zone", "Europe", "Europe/Atlantis", "../etc/passwd", "/etc/localtime",
     "localtime", "a\0b", "Europe/Romé", "\ud800", "x" * 5000, "(UTC+01:00) Amsterdam, Berlin"],
)  # fmt: skip
def test_no_zone(name: str) -> None:
    assert zone_named(name) is None


# Graph


def moment(text: str, zone: str = "UTC") -> dict[str, str]:
    return {"dateTime": text, "timeZone": zone}


def test_graph_forms() -> None:
    span = read_span("2026-11-23T09:00Z/2026-11-23T10:00Z")
    assert to_graph(span, ROME) == {
        "start": moment("2026-11-23T10:00:00", "Europe/Rome"),
        "end": moment("2026-11-23T11:00:00", "Europe/Rome"),
        "isAllDay": False,
    }
    windows = "W. Europe Standard Time"
    start, end = moment("2026-11-23T10:00:59.9999999", windows), moment("2026-11-23T11:00:00.0000000", windows)
    assert from_graph(start, end, False) == span


def test_all_day_is_dates_in_whatever_zone_was_asked_for() -> None:
    span = read_span("2026-11-23/2026-11-24")
    for zone in ("UTC", "Pacific/Kiritimati", "tzone://Microsoft/Custom"):
        start, end = moment("2026-11-23T00:00:00.0000000", zone), moment("2026-11-25T00:00:00.0000000", zone)
        assert from_graph(start, end, True) == span
    assert to_graph(span, ROME) == {
        "start": moment("2026-11-23T00:00:00", "Europe/Rome"),
        "end": moment("2026-11-25T00:00:00", "Europe/Rome"),
        "isAllDay": True,
    }


def test_the_first_pass_of_the_repeated_hour_is_written_in_utc() -> None:
    form = to_graph(read_span("2026-10-25T00:30Z/2026-10-25T01:30Z"), ROME)
    assert form["start"] == moment("2026-10-25T00:30:00", "UTC")
    assert form["end"] == moment("2026-10-25T02:30:00", "Europe/Rome")


@pytest.mark.parametrize(
    ("start", "zone"),
    [("2026-11-23T10:00:00", "tzone://Microsoft/Custom"), ("0001-01-01T00:00:00", "Asia/Tokyo"), ("nonsense", "UTC")],
)
def test_no_time_of_graph(start: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        from_graph(moment(start, zone), moment("2026-11-23T11:00:00"), False)


# vtenext


def timed(date_start: str, time_start: str, due_date: str, time_end: str, all_day: str = "0") -> dict[str, str]:
    return {
        "date_start": date_start,
        "time_start": time_start,
        "due_date": due_date,
        "time_end": time_end,
        "is_all_day_event": all_day,
    }


def test_columns() -> None:
    assert to_server("2026-11-23T22:30Z/2026-11-23T23:30Z", ROME) == timed("2026-11-23", "23:30", "2026-11-24", "00:30")
    assert to_server("2026-11-23/2026-11-24", ROME) == timed("2026-11-23", "00:00", "2026-11-24", "23:59", "1")


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (timed("2026-11-23", "10:00", "2026-11-23", "11:00"), "2026-11-23T09:00Z/2026-11-23T10:00Z"),
        (timed("2026-11-23", "10:00:59", "2026-11-23", "11:00:01"), "2026-11-23T09:00Z/2026-11-23T10:00Z"),
        (timed("2026-11-23", "9:5", "2026-11-23", "11:00"), "2026-11-23T08:05Z/2026-11-23T10:00Z"),
        (timed("2026-11-23", "10:00", "2026-11-23", "24:00"), "2026-11-23T09:00Z/2026-11-23T23:00Z"),
        (timed("2026-11-23", "10:00", "2026-11-23", "25:00"), "2026-11-23T09:00Z/2026-11-23T09:00Z"),
        (timed("2026-11-23", "10:00", "2026-11-23", ""), "2026-11-23T09:00Z/2026-11-23T09:00Z"),
        (timed("2026-11-23", "10:00", "", "11:00"), "2026-11-23T09:00Z/2026-11-23T10:00Z"),
        (timed("2026-11-23", "10:00", "0000-00-00", "11:00"), "2026-11-23T09:00Z/2026-11-23T10:00Z"),
        (timed("2026-11-23", "10:00", "2026-11-22", "11:00"), "2026-11-23T09:00Z/2026-11-23T09:00Z"),
        (timed("2026-11-23", "", "2026-11-22", "", "1"), "2026-11-23/2026-11-23"),
        (timed("2026-11-23", "13:00", "2026-11-24", "nonsense", "1"), "2026-11-23/2026-11-24"),
        (timed("2026-10-25", "02:30", "2026-10-25", "03:30"), "2026-10-25T01:30Z/2026-10-25T02:30Z"),
        (timed("2026-11-23", "25:00", "2026-11-23", "26:00"), ""),
        (timed("2026-11-23", "", "2026-11-23", "11:00"), ""),
        (timed("0000-00-00", "10:00", "2026-11-23", "11:00"), ""),
        (timed("", "10:00", "", "11:00"), ""),
        (timed("23-11-2026", "10:00", "23-11-2026", "11:00"), ""),
        (timed("9999-12-31", "24:00", "9999-12-31", "24:00"), ""),
        (timed("0001-01-01", "00:00", "0001-01-01", "00:00"), ""),
        ({}, ""),
    ],
)
def test_malformed_columns_have_a_reading(row: dict[str, str], text: str) -> None:
    assert from_server(row, ROME) == text


piece = st.sampled_from(
    ["", "0", "1", "9", "-", ":", "2026-11-23", "9999-12-31", "0001-01-01", "10:00", "24:00", "99:99", "٣", " "]
)
column = st.one_of(st.text(max_size=12), st.lists(piece, max_size=3).map("".join))


@given(
    st.fixed_dictionaries(dict.fromkeys(timed("", "", "", ""), column)),
    st.sampled_from(["Europe/Rome", "Pacific/Apia"]),
)
def test_no_row_is_an_error(row: dict[str, str], server: str) -> None:
    zone = ZoneInfo(server)
    text = from_server(row, zone)
    assert text == "" or from_server(to_server(text, zone), zone) == server_holds(text, zone) == text


def test_the_repeated_hour_never_bounces() -> None:
    """00:30Z and 01:30Z both come back as 01:30Z (API.md 6); an event over both passes shrinks, once."""
    assert server_holds("2026-10-25T00:30Z/2026-10-25T00:45Z", ROME) == "2026-10-25T01:30Z/2026-10-25T01:45Z"
    assert server_holds("2026-10-25T00:45Z/2026-10-25T01:15Z", ROME) == "2026-10-25T01:45Z/2026-10-25T01:45Z"
    assert to_server("2026-10-25T00:45Z/2026-10-25T01:15Z", ROME) == timed("2026-10-25", "02:45", "2026-10-25", "02:45")
    assert server_holds("2026-10-25/2026-10-25", ROME) == "2026-10-25/2026-10-25"


def test_a_day_is_a_day_everywhere() -> None:
    """On the day that Samoa skipped, and at the change of the year."""
    for zone in (ZoneInfo("Pacific/Apia"), ROME):
        for text in ("2011-12-30/2011-12-30", "2026-12-31/2027-01-01"):
            assert server_holds(text, zone) == text
            assert from_server(to_server(text, zone), zone) == text
