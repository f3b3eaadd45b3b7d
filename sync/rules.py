"""The rule of a series, as far as Graph can express it: as Graph's patternedRecurrence and as dates. Its text: `sync.series`.

The two spellings part in one place: on day 29-31 of a shorter month Exchange takes the last day of that month
(https://learn.microsoft.com/exchange/client-developer/web-service-reference/dayofmonth), RFC 5545 skips it. A rule here means what
Exchange means; its text says so in full (BYMONTHDAY=28,29,30,31;BYSETPOS=-1). This module works on local dates only, never on
exceptions, and python-dateutil does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule


class UnknownRule(ValueError):
    """A recurrence that Graph cannot express, or that is none."""


class Pattern(StrEnum):
    """Graph's recurrencePatternType."""

    DAILY = "daily"
    WEEKLY = "weekly"
    ABSOLUTE_MONTHLY = "absoluteMonthly"
    RELATIVE_MONTHLY = "relativeMonthly"
    ABSOLUTE_YEARLY = "absoluteYearly"
    RELATIVE_YEARLY = "relativeYearly"


WEEKLIKE = {Pattern.WEEKLY, Pattern.RELATIVE_MONTHLY, Pattern.RELATIVE_YEARLY}  # have days
RELATIVE = {Pattern.RELATIVE_MONTHLY, Pattern.RELATIVE_YEARLY}
ABSOLUTE = {Pattern.ABSOLUTE_MONTHLY, Pattern.ABSOLUTE_YEARLY}
ANNUAL = {Pattern.ABSOLUTE_YEARLY, Pattern.RELATIVE_YEARLY}
LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
SHORTEST = 28


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule from its first possible day on. Fields that the pattern does not use are empty; UnknownRule when the used ones make no sense.

    Weekdays are numbers, Monday = 0. Equal rules mean the same, but a weekly rule remembers its first day of week even where it changes nothing.
    """

    start: date
    pattern: Pattern
    interval: int = 1
    days: tuple[int, ...] = ()  # weekly, relative
    week_start: int = 0  # weekly: decides which weeks are skipped when the interval is above 1
    day: int = 0  # absolute: 29-31 is the last day of a shorter month
    index: int = 0  # relative: 1-4, or -1 for the last, of those days of the month taken together
    month: int = 0  # yearly
    until: date | None = None  # last possible day, included
    count: int = 0  # number of occurrences; 0: not limited by number

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", tuple(sorted(set(self.days))) if self.pattern in WEEKLIKE else ())
        object.__setattr__(self, "week_start", self.week_start if self.pattern is Pattern.WEEKLY else 0)
        object.__setattr__(self, "index", self.index if self.pattern in RELATIVE else 0)
        object.__setattr__(self, "month", self.month if self.pattern in ANNUAL else 0)
        _demand(self.interval >= 1, "interval", self.interval)
        _demand(self.pattern not in ANNUAL or 1 <= self.month <= 12, "month", self.month)
        _demand(self.pattern not in ABSOLUTE or 1 <= self.day <= 31, "day of month", self.day)
        _demand(self.pattern not in WEEKLIKE or bool(self.days), "days of week", self.days)
        _demand(set(self.days) | {self.week_start} <= set(range(7)), "day of week", self.days)
        _demand(self.pattern not in RELATIVE or self.index in (1, 2, 3, 4, -1), "index", self.index)
        _demand(self.count >= 0 and not (self.count and self.until), "range", self.count)
        day = self.day if self.pattern in ABSOLUTE else 0
        if self.pattern is Pattern.ABSOLUTE_YEARLY:
            day = min(day, LONGEST[self.month - 1])  # 31 April is 30 April in every year
        object.__setattr__(self, "day", day)


def _demand(true: bool, what: str, value: object) -> None:
    if not true:
        raise UnknownRule(f"{what} {value!r}")


# Graph


NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}


def from_graph(recurrence: Mapping[str, Any]) -> Rule:
    """The rule of a patternedRecurrence. UnknownRule when it is not one that Graph documents.

    Unused fields come back as zeros and 0001-01-01 and say nothing (BEHAVIOUR 7.2).
    """
    try:
        pattern, span = recurrence["pattern"], recurrence["range"]
        return Rule(
            start=date.fromisoformat(span["startDate"]),
            pattern=Pattern(pattern["type"]),
            interval=int(pattern["interval"]),
            days=tuple(NAMES.index(name) for name in pattern.get("daysOfWeek") or ()),
            week_start=NAMES.index(pattern.get("firstDayOfWeek") or "sunday"),
            day=int(pattern.get("dayOfMonth") or 0),
            index=INDEXES[pattern.get("index") or "first"],
            month=int(pattern.get("month") or 0),
            **_range(span),
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise UnknownRule(f"recurrence {wrong}") from wrong


def _range(span: Mapping[str, Any]) -> dict[str, Any]:
    match span["type"]:
        case "endDate":
            return {"until": date.fromisoformat(span["endDate"])}
        case "numbered" if span["numberOfOccurrences"] > 0:
            return {"count": int(span["numberOfOccurrences"])}
        case "noEnd":
            return {}
    raise UnknownRule(f"range {span['type']!r}")


def to_graph(rule: Rule, zone_name: str) -> dict[str, Any]:
    """The patternedRecurrence: only the fields of its type, because Graph validates unused ones. `zone_name` '' = the event's own."""
    pattern: dict[str, Any] = {"type": rule.pattern.value, "interval": rule.interval}
    if rule.days:
        pattern["daysOfWeek"] = [NAMES[day] for day in rule.days]
    if rule.pattern is Pattern.WEEKLY:
        pattern["firstDayOfWeek"] = NAMES[rule.week_start]
    if rule.day:
        pattern["dayOfMonth"] = rule.day
    if rule.index:
        pattern["index"] = next(name for name, index in INDEXES.items() if index == rule.index)
    if rule.month:
        pattern["month"] = rule.month
    span: dict[str, Any] = {"type": "noEnd", "startDate": rule.start.isoformat()}
    if rule.until:
        span |= {"type": "endDate", "endDate": rule.until.isoformat()}
    if rule.count:
        span |= {"type": "numbered", "numberOfOccurrences": rule.count}
    return {"pattern": pattern, "range": span | ({"recurrenceTimeZone": zone_name} if zone_name else {})}


# dates


FREQUENCY = {
    Pattern.DAILY: DAILY,
    Pattern.WEEKLY: WEEKLY,
    Pattern.ABSOLUTE_MONTHLY: MONTHLY,
    Pattern.RELATIVE_MONTHLY: MONTHLY,
    Pattern.ABSOLUTE_YEARLY: YEARLY,
    Pattern.RELATIVE_YEARLY: YEARLY,
}


def month_days(rule: Rule) -> tuple[int, ...]:
    """The days of the month of which the last that exists is meant; one day where every such month is long enough."""
    shortest = LONGEST[rule.month - 1] if rule.month not in (0, 2) else SHORTEST
    return tuple(range(min(rule.day, shortest), rule.day + 1))


def _dates(rule: Rule) -> rrule:
    """dateutil's form of the rule, on midnights."""
    days = month_days(rule) if rule.day else ()
    return rrule(
        FREQUENCY[rule.pattern],
        dtstart=_midnight(rule.start),
        interval=rule.interval,
        wkst=rule.week_start,
        byweekday=rule.days or None,
        bymonth=rule.month or None,
        bymonthday=days or None,
        bysetpos=rule.index or (-1 if len(days) > 1 else None),
        until=_midnight(rule.until) if rule.until else None,
        count=rule.count or None,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time())


def slots(rule: Rule, first: date, last: date) -> list[date]:
    """The rule's dates from first to last, both included."""
    return [found.date() for found in _dates(rule).between(_midnight(first), _midnight(last), inc=True)]


def starts(rule: Rule) -> Iterator[date]:
    """The rule's dates from its start on; endless when the rule is."""
    return (found.date() for found in _dates(rule))


def index_of(rule: Rule, slot: date) -> int:
    """vtenext's recurr_idx: days from the rule's start, so that a date put in between moves no other (DESIGN 4)."""
    return (slot - rule.start).days


def truncated(rule: Rule, last: date) -> Rule:
    """The rule ending with this day at the latest; itself when it ended before. UnknownRule when nothing would be left."""
    if last < rule.start:
        raise UnknownRule(f"no day from {rule.start} to {last}")
    if rule.until and rule.until <= last:
        return rule
    if rule.count and max(starts(rule), default=last) <= last:
        return rule
    return replace(rule, until=last, count=0)
