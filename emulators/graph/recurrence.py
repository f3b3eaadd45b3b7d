"""patternedRecurrence: what is accepted, how it reads, and which dates it means (BEHAVIOUR 7.2, Recurrence).

Pure; python-dateutil does the arithmetic. Dates are those of the series' own zone; no time of day is known here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from dateutil.rrule import DAILY, MONTHLY, WEEKLY, YEARLY, rrule, weekday

from emulators.graph.errors import GraphError, invalid_property
from emulators.graph.zones import zone_named

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
INDEXES = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_NEEDS = {
    "daily": (),
    "weekly": ("daysOfWeek",),
    "absoluteMonthly": ("dayOfMonth",),
    "relativeMonthly": ("daysOfWeek",),
    "absoluteYearly": ("dayOfMonth", "month"),
    "relativeYearly": ("daysOfWeek", "month"),
}
_PATTERN = ("type", "interval", "daysOfWeek", "firstDayOfWeek", "dayOfMonth", "month", "index")
_RANGE = ("type", "startDate", "endDate", "numberOfOccurrences", "recurrenceTimeZone")
MAX_OCCURRENCES = 999  # memory: Exchange's limit of a numbered range
_FOREVER = date(4500, 12, 31)


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked recurrence. `zone` is the recurrenceTimeZone as sent, "" = the event's."""

    kind: str
    interval: int
    days: tuple[str, ...]
    first_day: str
    index: str
    day: int
    month: int
    start: date
    end: date | None
    count: int
    zone: str

    def slots(self, first: date, last: date) -> list[date]:
        """The dates from `first` to `last`, both included."""
        if last < first:
            return []
        found = _dates(self).between(_midnight(first), _midnight(last), inc=True)
        return [each.date() for each in found]

    def holds(self, slot: date) -> bool:
        """Whether the rule means this date."""
        return bool(self.slots(slot, slot))

    def before(self, slot: date) -> date | None:
        """The date before."""
        found = _dates(self).before(_midnight(slot))
        return found.date() if found else None

    def after(self, slot: date) -> date | None:
        """The date after."""
        found = _dates(self).after(_midnight(slot))
        return found.date() if found else None

    def first(self) -> date | None:
        """The first date at all."""
        return self.after(self.start - timedelta(days=1))

    def only_range_differs(self, other: Rule) -> bool:
        """Whether both are the same but for their end."""
        return _shape(self) == _shape(other)


def _shape(rule: Rule) -> tuple[Any, ...]:
    return (
        rule.kind,
        rule.interval,
        rule.days,
        rule.first_day,
        rule.index,
        rule.day,
        rule.month,
        rule.start,
        rule.zone,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a date for dateutil


@lru_cache(maxsize=4096)
def _dates(rule: Rule) -> rrule:
    options: dict[str, Any] = {"interval": rule.interval, "wkst": weekday(DAYS.index(rule.first_day))}
    days = [weekday(DAYS.index(day)) for day in rule.days]
    # "If for a particular month this value is larger than the number of days in the month, the last day of the month is
    # assumed" (EWS reference, element DayOfMonth): the last of 28..day that the month has
    clamped = {"bymonthday": tuple(range(min(rule.day, 28), rule.day + 1)), "bysetpos": -1}
    match rule.kind:
        case "daily":
            frequency = DAILY
        case "weekly":
            frequency, options["byweekday"] = WEEKLY, days
        case "absoluteMonthly":
            frequency = MONTHLY
            options |= clamped
        case "relativeMonthly":  # several days = the first that fits (7.2)
            frequency = MONTHLY
            options |= {"byweekday": days, "bysetpos": INDEXES[rule.index]}
        case "absoluteYearly":
            frequency, options["bymonth"] = YEARLY, rule.month
            options |= clamped
        case _:
            frequency = YEARLY
            options |= {"bymonth": rule.month, "byweekday": days, "bysetpos": INDEXES[rule.index]}
    if rule.count:
        options["count"] = rule.count
    else:
        options["until"] = _midnight(rule.end or _FOREVER)
    return rrule(frequency, dtstart=_midnight(rule.start), cache=True, **options)


def accept(value: Any) -> Rule | None:
    """The rule of a payload, None for null; 400 for anything that the service refuses. Unused fields are checked too."""
    if value is None:
        return None
    given = _part("recurrence", value, ("pattern", "range"))
    pattern = _part("recurrence/pattern", given.get("pattern"), _PATTERN)
    span = _part("recurrence/range", given.get("range"), _RANGE)
    kind = _word("pattern/type", pattern.get("type"), _NEEDS)
    days = pattern.get("daysOfWeek") or []
    if not isinstance(days, list):
        raise _refused("pattern/daysOfWeek", days)
    ends = _word("range/type", span.get("type"), ("endDate", "noEnd", "numbered"))
    count = _number("range/numberOfOccurrences", span.get("numberOfOccurrences") or 0, 0, MAX_OCCURRENCES)
    last = _day("range/endDate", span.get("endDate"))
    start = _day("range/startDate", span.get("startDate"))
    zone = span.get("recurrenceTimeZone") or ""
    if start is None or not isinstance(zone, str):
        raise _refused("range/startDate", span.get("startDate"))
    if zone:
        zone_named(zone)
    needs = _NEEDS[kind]
    chosen = tuple(dict.fromkeys(_word("pattern/daysOfWeek", day, DAYS) for day in days))
    first_day = _word("pattern/firstDayOfWeek", pattern.get("firstDayOfWeek") or "sunday", DAYS)
    index = _word("pattern/index", pattern.get("index") or "first", INDEXES)
    day = _number("pattern/dayOfMonth", pattern.get("dayOfMonth") or 0, 0, 31)
    month = _number("pattern/month", pattern.get("month") or 0, 0, 12)
    rule = Rule(
        kind=kind,
        interval=_number("pattern/interval", pattern.get("interval"), 1, 999),
        days=chosen if "daysOfWeek" in needs else (),
        first_day=first_day if kind == "weekly" else "sunday",
        index=index if kind.startswith("relative") else "first",
        day=day if "dayOfMonth" in needs else 0,
        month=month if "month" in needs else 0,
        start=start,
        end=last if ends == "endDate" else None,
        count=count if ends == "numbered" else 0,
        zone=zone,
    )
    held = {"daysOfWeek": rule.days, "dayOfMonth": rule.day, "month": rule.month}
    missing = [name for name in needs if not held[name]]
    if missing:
        raise invalid_property(f"The recurrence pattern '{kind}' needs the property '{missing[0]}'.")
    if (ends == "endDate" and (last is None or last < start)) or (ends == "numbered" and not count):
        raise invalid_property(f"The recurrence range '{ends}' is not valid: it has no end after its start.")
    if rule.first() is None:
        raise GraphError(400, "ErrorRecurrenceHasNoOccurrence", "The recurrence pattern has no valid occurrences.")
    return rule


def render(rule: Rule, zone: str) -> dict[str, Any]:
    """As it reads: unused numbers 0, endDate 0001-01-01 (7.2, memory); `zone` is the event's."""
    pattern: dict[str, Any] = {"type": rule.kind, "interval": rule.interval, "month": 0, "dayOfMonth": 0}
    pattern |= {"firstDayOfWeek": rule.first_day, "index": rule.index}
    needs = _NEEDS[rule.kind]
    if "daysOfWeek" in needs:
        pattern["daysOfWeek"] = list(rule.days)
    if "dayOfMonth" in needs:
        pattern["dayOfMonth"] = rule.day
    if "month" in needs:
        pattern["month"] = rule.month
    span = {
        "type": "numbered" if rule.count else "endDate" if rule.end else "noEnd",
        "startDate": rule.start.isoformat(),
        "endDate": rule.end.isoformat() if rule.end else "0001-01-01",
        "recurrenceTimeZone": rule.zone or zone,
        "numberOfOccurrences": rule.count,
    }
    return {"pattern": pattern, "range": span}


def _part(name: str, value: Any, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(name, value)
    for key in value:
        if key not in known and "@" not in key:
            raise invalid_property(f"The property '{key}' does not exist on '{name}'.")
    return value


def _word(name: str, value: Any, known: Any) -> str:
    if not isinstance(value, str) or value not in known:
        raise _refused(name, value)
    return value


def _number(name: str, value: Any, least: int, most: int) -> int:
    if type(value) is not int or not least <= value <= most:
        raise _refused(name, value)
    return value


def _day(name: str, value: Any) -> date | None:
    """A date; null and the year 1, as it reads back, are none."""
    if value is None:
        return None
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise _refused(name, value)
    try:
        day = date.fromisoformat(value)
    except ValueError as error:
        raise _refused(name, value) from error
    return None if day.year == 1 else day


def _refused(name: str, value: Any) -> GraphError:
    return invalid_property(f"Cannot convert the value {value!r} of '{name}' to the expected type.")
