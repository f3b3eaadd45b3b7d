"""The rule of a CRM series is found from its dates, its exceptions keep their slots, and what follows no rule stays single events."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from itertools import islice

import pytest

from sync.inference import Inferred, infer
from sync.series import Pattern, Rule, slot_span, slots, starts, to_text
from sync.spans import DateSpan, Span
from tests.unit.three_hundred import DAY, RFC, ROME, dateutil_dates, generated, hour


def series(days: list[date]) -> dict[str, Span]:
    return {f"18x{number}": hour(day) for number, day in enumerate(days)}


def dates_of(found: Inferred | None) -> list[date]:
    assert found is not None
    return slots(found.rule, date.min, date.max)


def test_dates_lead_back_to_a_rule_with_the_same_dates() -> None:
    texts = [(start.date(), dateutil_dates(text, start.date()), text) for start, text in RFC]
    texts += [(rule.start, dateutil_dates(to_text(rule), rule.start), to_text(rule)) for rule in generated()]
    singles = []
    for _, dates, text in texts:
        found = infer(series(dates), ROME)
        if found is None:
            singles.append(text)
            continue
        assert dates_of(found) == dates, text
        assert (found.gaps, found.rule.until, found.rule.count) == ((), dates[-1], 0), text
        assert sorted(found.slots.values()) == dates, text
    assert singles == ["FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3"], "three dates are too few for three weekdays"


MONDAYS = [date(2026, 1, 5) + 7 * number * DAY for number in range(60)]


def test_sixty_weeks_with_three_moved_and_two_missing() -> None:
    records = series(MONDAYS)
    records["18x10"] = hour(MONDAYS[10] + DAY)
    records["18x20"] = hour(MONDAYS[20], 15, 30)
    records["18x30"] = hour(MONDAYS[30] - 3 * DAY, 8)
    del records["18x40"], records["18x47"]
    found = infer(records, ROME)
    assert found is not None
    assert found.rule == Rule(MONDAYS[0], Pattern.WEEKLY, days=(0,), until=MONDAYS[-1])
    assert found.first == hour(MONDAYS[0])
    assert found.gaps == (MONDAYS[40], MONDAYS[47])
    assert found.slots == {name: MONDAYS[int(name[3:])] for name in records}
    shuffled = list(records.items())
    random.Random(1).shuffle(shuffled)
    assert infer(dict(shuffled), ROME) == found


def test_a_fifth_may_be_exceptions_and_no_more() -> None:
    records = series(MONDAYS[:10])
    records["18x3"], records["18x6"] = hour(MONDAYS[3] + DAY), hour(MONDAYS[6], 10)
    found = infer(records, ROME)
    assert found is not None
    assert found.slots["18x3"] == MONDAYS[3]
    records["18x8"] = hour(MONDAYS[8], 9, length=90)
    assert infer(records, ROME) is None
    quarter = series(MONDAYS[:8])
    quarter["18x3"], quarter["18x6"] = hour(MONDAYS[3] + DAY), hour(MONDAYS[6], 10)
    assert infer(quarter, ROME) is None


def test_gaps_are_exceptions() -> None:
    records = series(MONDAYS[:11])
    del records["18x3"], records["18x7"]
    found = infer(records, ROME)
    assert found is not None
    assert found.gaps == (MONDAYS[3], MONDAYS[7])
    assert infer({**records, "18x5": hour(MONDAYS[5], 11)}, ROME) is None
    del records["18x5"]
    assert infer(records, ROME) is None


def test_few_dates_are_no_complicated_rule() -> None:
    """Any days of one week are "weekly on these days", and five dates find some fortnight that they fit: a coincidence."""
    for offsets in ((0, 1, 3), (0, 1, 3, 4, 6), (0, 1, 10, 11), (11, 14, 22, 25, 30)):
        assert infer(series([MONDAYS[0] + offset * DAY for offset in offsets]), ROME) is None


def test_the_nearest_free_slot_is_taken() -> None:
    records = series(MONDAYS[:12])
    del records["18x5"]
    for days, slot, gap in ((1, 4, 5), (6, 5, 4)):
        found = infer({**records, "18x4": hour(MONDAYS[4] + days * DAY)}, ROME)
        assert found is not None
        assert (found.slots["18x4"], found.gaps) == (MONDAYS[slot], (MONDAYS[gap],))


def test_three_dates_are_a_series_and_two_are_not() -> None:
    assert dates_of(infer(series(MONDAYS[:3]), ROME)) == MONDAYS[:3]
    assert infer(series(MONDAYS[:2]), ROME) is None
    assert infer({}, ROME) is None


def test_the_outer_ones_may_have_been_moved() -> None:
    records = series(MONDAYS[:12])
    records["18x0"], records["18x11"] = hour(MONDAYS[0] - DAY), hour(MONDAYS[11] + 2 * DAY)
    found = infer(records, ROME)
    assert found is not None
    assert (found.rule.start, found.rule.until) == (MONDAYS[0], MONDAYS[11])
    assert (found.slots["18x0"], found.slots["18x11"]) == (MONDAYS[0], MONDAYS[11])
    assert found.first == hour(MONDAYS[0])


def test_order_is_kept_where_two_were_moved() -> None:
    records = series(MONDAYS[:15])
    records["18x5"], records["18x6"] = hour(MONDAYS[6] - DAY), hour(MONDAYS[6] + DAY)
    found = infer(records, ROME)
    assert found is not None
    assert (found.slots["18x5"], found.slots["18x6"]) == (MONDAYS[5], MONDAYS[6])


def test_two_records_on_one_day() -> None:
    moved = series(MONDAYS[:10])
    moved["18x4"] = hour(MONDAYS[5], 7)  # the fourth moved to the fifth's day, before it
    found = infer(moved, ROME)
    assert found is not None
    assert (found.slots["18x4"], found.slots["18x5"]) == (MONDAYS[4], MONDAYS[5])
    extra = series(MONDAYS[:4])
    extra["more"] = hour(MONDAYS[2], 15)
    assert infer(extra, ROME) is None, "no slot is free for it"
    twice = series(MONDAYS[:8])
    twice |= {f"{name}b": span for name, span in twice.items()}
    assert infer(twice, ROME) is None


def test_time_and_length_are_the_most_frequent_over_dst() -> None:
    days = [date(2026, 10, 1) + number * DAY for number in range(40)]
    records: dict[str, Span] = {str(number): hour(day, 22, 30, 120) for number, day in enumerate(days)}
    records["0"] = hour(days[0], 20)
    found = infer(records, ROME)
    assert found is not None
    assert found.rule == Rule(days[0], Pattern.DAILY, until=days[-1])
    assert found.first == hour(days[0], 22, 30, 120)
    assert all(slot_span(found.first, day, ROME) == records[str(i)] for i, day in enumerate(days) if i)


def test_a_series_in_the_hour_that_dst_skips_is_whole() -> None:
    sundays = [date(2026, 3, 1) + 7 * number * DAY for number in range(8)]
    found = infer({str(day): hour(day, 2, 30) for day in sundays}, ROME)
    assert found is not None
    assert (found.gaps, found.rule.days) == ((), (6,))
    assert slot_span(found.first, date(2026, 3, 29), ROME) == hour(date(2026, 3, 29), 2, 30)


def test_all_day_series() -> None:
    firsts = [date(2026, month, 1) for month in range(1, 13)]
    records: dict[str, Span] = {str(day): DateSpan(day, day + DAY) for day in firsts}
    records["2026-04-01"] = hour(date(2026, 4, 1))  # once not all-day
    records["2026-08-01"] = DateSpan(date(2026, 8, 3), date(2026, 8, 4))
    found = infer(records, ROME)
    assert found is not None
    assert found.rule == Rule(firsts[0], Pattern.ABSOLUTE_MONTHLY, day=1, until=firsts[-1])
    assert found.first == DateSpan(firsts[0], firsts[0] + DAY)
    assert found.slots["2026-08-01"] == date(2026, 8, 1)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;WKST=MO;COUNT=7", "2026-11-25"),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR;WKST=MO;COUNT=5", "2026-11-20"),
        ("FREQ=DAILY;INTERVAL=3;COUNT=5", "2026-11-20"),
        ("FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3", "2026-07-15"),  # 31 days apart as well
        ("FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1;COUNT=14", "2026-01-31"),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=6", "2026-01-30"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=12", "2026-01-30"),
        ("FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=19;COUNT=3", "2026-03-19"),
        ("FREQ=YEARLY;INTERVAL=2;BYMONTH=11;BYDAY=4TH;COUNT=5", "2026-11-26"),
    ],
)
def test_the_plain_rule_is_found(text: str, start: str) -> None:
    found = infer(series(dateutil_dates(text, date.fromisoformat(start))), ROME)
    assert found is not None
    assert to_text(found.rule).rpartition(";")[0] == text.rpartition(";")[0]


def test_edited_generated_rules_are_recognised() -> None:
    """A tenth moved by a day or by an hour: every record keeps its slot."""
    die = random.Random(18)
    checked: Counter[Pattern] = Counter()
    for rule in generated():
        dates = list(islice(starts(rule), 20))
        if len(rule.days) > 1 or rule.interval > 2 or dates[1] - dates[0] < 4 * DAY or len(dates) < 20:
            continue
        records = series(dates)
        for number in die.sample(range(1, 19), 2):
            records[f"18x{number}"] = hour(dates[number] + die.choice([0, 1]) * DAY, 11)
        found = infer(records, ROME)
        assert found is not None, to_text(rule)
        assert [found.slots[name] for name in records] == dates, to_text(rule)
        checked[rule.pattern] += 1
    assert sum(checked.values()) > 40
    assert len(checked) == 5, "a daily rule has no room to move"


def test_random_dates_stay_singles() -> None:
    die = random.Random(7)
    for _ in range(60):
        size = die.choice([8, 10, 15, 25, 40])
        days = [date(2026, 1, 1) + timedelta(days=offset) for offset in die.sample(range(size * 9), size)]
        assert infer(series(days), ROME) is None, sorted(days)
