"""Finding the rule behind a CRM series: vtenext keeps one record per occurrence and tells no rule (API.md 7.6, SPEC 2.3).

Candidates are read off the dates, plainest first; each is laid over the records in order, and the one with the fewest exceptions
wins. What fits no rule stays single events: nothing is guessed beyond the last date, so every rule found ends there.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import combinations, pairwise
from zoneinfo import ZoneInfo

from sync.rules import ANNUAL, Pattern, Rule, slots
from sync.series import slot_span
from sync.spans import DateSpan, Span, on_wall

FEWEST = 3  # dates that make a series
WIDEST = 99  # interval that Exchange takes (EWS, AbsoluteMonthlyRecurrence: 1 to 99)
USUAL_DAYS = ((0, 1, 2, 3, 4), (5, 6), (0, 1, 2, 3, 4, 5, 6))  # weekday, weekend day, day: one choice in Outlook
WEEK_STARTS = (0, 6, 5, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Inferred:
    """A rule that a CRM series follows, and which occurrence each of its records is."""

    rule: Rule  # ends with its last slot
    first: Span  # the rule's first occurrence, unchanged
    slots: Mapping[str, date]  # record id -> slot
    gaps: tuple[date, ...]  # slots without a record: cancelled occurrences


Wall = tuple[datetime, datetime, bool]  # start and end as the clock on the wall shows them, all-day


@dataclass(frozen=True, slots=True)
class _Fit:
    """A rule laid over the records."""

    exceptions: int  # gaps and records that differ from their slot
    displaced: int  # of these, what the dates alone show
    taken: tuple[date, ...]  # the slot of each record
    all_slots: tuple[date, ...]  # from the first taken to the last


def infer(spans: Mapping[str, Span], zone: ZoneInfo) -> Inferred | None:
    """The rule of a CRM series (record id -> span). None unless at least 3 dates follow it with at most 20 % exceptions.

    An exception is a slot without a record, or a record that differs from its slot in date, time, length or all-day-ness. Records
    keep their order: each takes its own date's slot or the nearest free one. The answer does not depend on the order of `spans`.
    """
    records = sorted((_wall(span, zone), name) for name, span in spans.items())
    if len(records) < FEWEST:
        return None
    walls = [wall for wall, _ in records]
    typical = next(spans[name] for wall, name in records if _shape(wall) == _usual(walls))

    def expected(slot: date) -> Wall:
        return _wall(slot_span(typical, slot, zone), zone)

    best: tuple[Rule, _Fit] | None = None
    for rule in sorted(_candidates([start.date() for start, _, _ in walls]), key=_plainness):
        fit = _laid_over(rule, walls, expected)
        if fit and (best is None or (fit.exceptions, fit.displaced) < (best[1].exceptions, best[1].displaced)):
            best = rule, fit
            if not fit.displaced:
                break
    if best is None or best[1].exceptions * 5 > len(best[1].all_slots):
        return None
    rule, fit = best
    return Inferred(
        rule=replace(rule, start=fit.all_slots[0], until=fit.all_slots[-1]),
        first=slot_span(typical, fit.all_slots[0], zone),
        slots={name: slot for (_, name), slot in zip(records, fit.taken, strict=True)},
        gaps=tuple(slot for slot in fit.all_slots if slot not in set(fit.taken)),
    )


def _wall(span: Span, zone: ZoneInfo) -> Wall:
    if isinstance(span, DateSpan):
        return datetime.combine(span.first, time()), datetime.combine(span.last, time()), True
    return on_wall(span.start, zone), on_wall(span.end, zone), False


def _shape(wall: Wall) -> tuple[bool, time, timedelta]:
    start, end, all_day = wall
    return all_day, start.time(), end - start


def _usual(walls: Iterable[Wall]) -> tuple[bool, time, timedelta]:
    """The most frequent time of day and length; of equally frequent ones the smallest."""
    counted = Counter(_shape(wall) for wall in walls)
    return min(counted, key=lambda shape: (-counted[shape], shape))


# laying a rule over the records


EXCEPTION = 10**9  # more than all distances together: fewer exceptions first, then fewer days moved


def _laid_over(rule: Rule, walls: list[Wall], expected: Callable[[date], Wall]) -> _Fit | None:
    """The best way to give every record a slot of its own in order. None if the rule has far too many or too few slots."""
    ground = _ground(rule, walls[0][0].date(), walls[-1][0].date())
    spare = len(ground) - len(walls)
    if not 0 <= spare <= len(walls) // 4 + 4:  # 20 % gaps, and two slots at either end
        return None
    models = [expected(slot) for slot in ground]
    # by offset: the last record on slot number + offset, those before it laid as well as can be
    costs = [0] * (spare + 1)
    trail: list[list[int]] = []
    for i, wall in enumerate(walls):
        row, origins, reached, origin = [], [], costs[0], 0
        for offset, before in enumerate(costs):
            reached += EXCEPTION  # one more slot left empty
            if before < reached:  # always so for the first record: what lies before it is no gap
                reached, origin = before, offset
            row.append(reached + _cost(wall, models[i + offset]))
            origins.append(origin)
        costs = row
        trail.append(origins)
    offset = costs.index(min(costs))
    exceptions = costs[offset] // EXCEPTION
    places: list[int] = []
    for i in reversed(range(len(walls))):
        places.append(i + offset)
        offset = trail[i][offset]
    places.reverse()
    taken = tuple(ground[place] for place in places)
    between = tuple(ground[places[0] : places[-1] + 1])
    on_date = sum(wall[0].date() == slot for wall, slot in zip(walls, taken, strict=True))
    return _Fit(exceptions, len(between) - on_date, taken, between)


def _cost(wall: Wall, model: Wall) -> int:
    return 0 if wall == model else EXCEPTION + abs((wall[0].date() - model[0].date()).days)


def _ground(rule: Rule, first: date, last: date) -> list[date]:
    """The rule's slots from two before the first record to two after the last: an outer one may have been moved away."""
    days = {Pattern.DAILY: 1, Pattern.WEEKLY: 7}.get(rule.pattern, 366 if rule.pattern in ANNUAL else 31)
    found = slots(rule, rule.start, last + timedelta(days=2 * days * rule.interval))
    before = [slot for slot in found if slot < first]
    after = [slot for slot in found if slot > last]
    return [*before[-2:], *(slot for slot in found if first <= slot <= last), *after[:2]]


# candidates


def _plainness(rule: Rule) -> tuple[object, ...]:
    """Plain rules first: every week before every second week, one day before several, a date before the nth weekday."""
    return (
        rule.interval > 1,
        _weight(rule.days),
        list(Pattern).index(rule.pattern),
        rule.interval,
        WEEK_STARTS.index(rule.week_start),
        rule.day,
        rule.index % 9,  # the last after the fourth
        rule.days,
        rule.start,
    )


def _weight(days: tuple[int, ...]) -> int:
    return 1 if days in USUAL_DAYS else len(days)


def _candidates(days: list[date]) -> Iterator[Rule]:
    """Rules that at least 80 % of the dates follow (their gaps not counted). Each starts two of its steps before the first date."""
    least = -(-len(days) * 4 // 5)
    for interval, start in _steps([day.toordinal() for day in days], least):
        if interval % 7:  # every seventh day is every week
            yield Rule(date.fromordinal(start), Pattern.DAILY, interval)
    yield from _weekly(days, least)
    yield from _monthly(days, least)


def _steps(periods: list[int], least: int) -> Iterator[tuple[int, int]]:
    """Intervals that at least so many of the periods follow, each with a period two steps before the first."""
    found = sorted(set(periods))
    for interval in sorted({b - a for a, b in pairwise(found)}):
        (phase, hits), *_ = Counter(period % interval for period in periods).most_common(1)
        if hits >= least and interval <= WIDEST:
            yield interval, found[0] - (found[0] - phase) % interval - 2 * interval


def _day_sets(days: list[date], least: int) -> Iterator[tuple[int, ...]]:
    """Sets of weekdays that cover enough dates, and are few enough to be more than a coincidence."""
    counted = Counter(day.weekday() for day in days)
    some = {chosen for size in range(1, 8) for chosen in combinations(sorted(counted), size)} | set(USUAL_DAYS)
    for chosen in sorted(some):
        if sum(counted[day] for day in chosen) >= least and len(days) >= _weight(chosen) + 2:
            yield chosen


def _weekly(days: list[date], least: int) -> Iterator[Rule]:
    for chosen in _day_sets(days, least):
        for week_start in WEEK_STARTS if len(chosen) > 1 else (0,):
            weeks = [(day.toordinal() - 1 - week_start) // 7 for day in days if day.weekday() in chosen]
            for interval, start in _steps(weeks, least):
                if week_start == 0 if interval == 1 else len(days) >= 2 * len(chosen):
                    first = date.fromordinal(start * 7 + 1 + week_start)
                    yield Rule(first, Pattern.WEEKLY, interval, chosen, week_start)


def _monthly(days: list[date], least: int) -> Iterator[Rule]:
    """By date and by weekday; every twelfth month is every year."""
    if len({(day.year, day.month) for day in days}) < least:
        return
    for number in sorted({day.day for day in days} | {29, 30, 31}):
        hits = [day for day in days if day.day == min(number, _length(day))]
        yield from _by_month(hits, least, Pattern.ABSOLUTE_MONTHLY, day=number)
    for chosen in _day_sets(days, least):
        for index in (1, 2, 3, 4, -1):
            hits = [day for day in days if day.day == _nth(day.year, day.month, chosen, index)]
            yield from _by_month(hits, least, Pattern.RELATIVE_MONTHLY, chosen, index=index)


def _by_month(
    hits: list[date], least: int, pattern: Pattern, days: tuple[int, ...] = (), day: int = 0, index: int = 0
) -> Iterator[Rule]:
    if len(hits) < least:
        return
    for interval, start in _steps([day.year * 12 + day.month - 1 for day in hits], least):
        first = date(start // 12, start % 12 + 1, 1)
        if interval % 12:
            yield Rule(first, pattern, interval, days, day=day, index=index)
        else:
            annual = Pattern.ABSOLUTE_YEARLY if pattern is Pattern.ABSOLUTE_MONTHLY else Pattern.RELATIVE_YEARLY
            yield Rule(first, annual, interval // 12, days, day=day, index=index, month=first.month)


def _length(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _nth(year: int, month: int, weekdays: tuple[int, ...], index: int) -> int:
    """The day of the month that is the index-th of these weekdays; 0 if there is none."""
    first, length = monthrange(year, month)
    fitting = [day for day in range(1, length + 1) if (first + day - 1) % 7 in weekdays]
    return fitting[index if index < 0 else index - 1] if len(fitting) >= abs(index) else 0
