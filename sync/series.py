"""A series beside its rule's arithmetic: the rule as RFC 5545 text, and the spans of its occurrences.

Whoever works with series imports from here; `sync.rules` holds the rule itself, `sync.inference` finds one. Never knows exceptions:
they are items of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule

from sync.rules import (
    ANNUAL,
    FREQUENCY,
    RELATIVE,
    SHORTEST,
    Pattern,
    Rule,
    UnknownRule,
    from_graph,
    index_of,
    month_days,
    slots,
    starts,
    to_graph,
    truncated,
)
from sync.spans import DateSpan, InstantSpan, Span, in_utc, on_wall

__all__ = [
    "Pattern",
    "Rule",
    "UnknownRule",
    "from_graph",
    "from_text",
    "index_of",
    "slot_of",
    "slot_span",
    "slots",
    "starts",
    "to_graph",
    "to_text",
    "truncated",
]

# occurrences


def slot_of(original_start: datetime, zone: ZoneInfo) -> date:
    """The slot of an occurrence whose original start is this instant, in the series's zone."""
    return on_wall(original_start, zone).date()


def slot_span(first: Span, slot: date, zone: ZoneInfo) -> Span:
    """The span of the unchanged occurrence in this slot, from any other one: the wall clock of start and end is kept over DST."""
    if isinstance(first, DateSpan):
        return DateSpan(slot, slot + (first.last - first.first))
    shift = slot - slot_of(first.start, zone)
    if not shift:
        return first
    wall = on_wall(first.start, zone) + shift
    start, end = in_utc(wall, zone), in_utc(on_wall(first.end, zone) + shift, zone)
    if on_wall(start, zone) != wall:  # it begins in an hour that spring skips: later, and no shorter
        end = start + (first.end - first.start)
    return InstantSpan(start, end)


# RFC 5545


CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"}
ENOUGH = 60  # dates that tell a rule which skips short months from one that does not: 2100 is no leap year


def to_text(rule: Rule) -> str:
    """The rule as an RRULE value; read with the rule's start as DTSTART it has exactly the rule's dates. UNTIL is a date."""
    names = {Pattern.DAILY: "DAILY", Pattern.WEEKLY: "WEEKLY"}
    parts = [f"FREQ={names.get(rule.pattern, 'YEARLY' if rule.pattern in ANNUAL else 'MONTHLY')}"]
    if rule.interval > 1:
        parts.append(f"INTERVAL={rule.interval}")
    if rule.month:
        parts.append(f"BYMONTH={rule.month}")
    if rule.pattern in RELATIVE and len(rule.days) == 1:
        parts.append(f"BYDAY={rule.index}{CODES[rule.days[0]]}")
    elif rule.days:
        parts.append(f"BYDAY={','.join(CODES[day] for day in rule.days)}")
        parts += [f"BYSETPOS={rule.index}"] if rule.index else []
    if rule.day:
        days = month_days(rule)
        parts.append(f"BYMONTHDAY={','.join(str(day) for day in days)}")
        parts += ["BYSETPOS=-1"] if len(days) > 1 else []
    if rule.pattern is Pattern.WEEKLY:
        parts.append(f"WKST={CODES[rule.week_start]}")
    if rule.until:
        parts.append(f"UNTIL={rule.until:%Y%m%d}")
    if rule.count:
        parts.append(f"COUNT={rule.count}")
    return ";".join(parts)


def from_text(text: str, start: date) -> Rule:
    """The rule of an RRULE value. UnknownRule for what Graph cannot express.

    `start` is DTSTART; an UNTIL with a time can only be read when it is an aware datetime.
    """
    parts = _parts(text)
    try:
        rule = _read(parts, start)
    except (KeyError, ValueError) as wrong:
        raise UnknownRule(f"{text}: {wrong}") from wrong
    if rule.day > SHORTEST and "BYSETPOS" not in parts:
        _must_not_skip(rule, int(parts.get("BYMONTHDAY", rule.start.day)))
    return rule


def _parts(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.strip().removeprefix("RRULE:").upper().split(";") if part]
    parts = {name: value for name, _, value in pairs}
    if len(parts) != len(pairs) or not parts.keys() <= PARTS or "" in parts.values():
        raise UnknownRule(text)
    return parts


def _read(parts: Mapping[str, str], start: date) -> Rule:
    day = start.date() if isinstance(start, datetime) else start
    interval, count = int(parts.get("INTERVAL", "1")), int(parts.get("COUNT", "0"))
    until = _until(parts["UNTIL"], start) if "UNTIL" in parts else None
    if "COUNT" in parts and count < 1:
        raise UnknownRule("COUNT")

    def rule(pattern: Pattern, days: tuple[int, ...] = (), **fields: int) -> Rule:
        return Rule(day, pattern, interval, days, until=until, count=count, **fields)

    match parts["FREQ"], {name for name in parts if name.startswith("BY")}:
        case "DAILY", by if not by:
            return rule(Pattern.DAILY)
        case "WEEKLY", by if by <= {"BYDAY"}:
            days = tuple(CODES.index(code) for code in parts["BYDAY"].split(",")) if by else (day.weekday(),)
            return rule(Pattern.WEEKLY, days, week_start=CODES.index(parts.get("WKST", "MO")))
        case "MONTHLY", by if by <= {"BYDAY", "BYSETPOS"} and "BYDAY" in by:
            days, index = _days_of_month(parts)
            return rule(Pattern.RELATIVE_MONTHLY, days, index=index)
        case "YEARLY", by if by <= {"BYDAY", "BYSETPOS", "BYMONTH"} and {"BYDAY", "BYMONTH"} <= by:
            days, index = _days_of_month(parts)
            return rule(Pattern.RELATIVE_YEARLY, days, index=index, month=int(parts["BYMONTH"]))
        case "MONTHLY", by if by <= {"BYMONTHDAY", "BYSETPOS"}:
            return rule(Pattern.ABSOLUTE_MONTHLY, day=_day_of_month(parts, day))
        case "YEARLY", by if by <= {"BYMONTH"} or {"BYMONTH", "BYMONTHDAY"} <= by <= {
            "BYMONTH",
            "BYMONTHDAY",
            "BYSETPOS",
        }:
            return rule(
                Pattern.ABSOLUTE_YEARLY, day=_day_of_month(parts, day), month=int(parts.get("BYMONTH", day.month))
            )
    raise UnknownRule("not expressible in Graph")


def _until(value: str, start: date) -> date:
    """The last possible day. An instant counts by the start's clock: before the time of day of the start, the day is out."""
    if re.fullmatch(r"\d{8}", value):
        return datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC).date()
    if not isinstance(start, datetime) or start.tzinfo is None:
        raise UnknownRule("UNTIL has a time, but the start has none")
    moment = datetime.strptime(value.removesuffix("Z"), "%Y%m%dT%H%M%S").replace(
        tzinfo=UTC if value.endswith("Z") else start.tzinfo
    )
    local = moment.astimezone(start.tzinfo)
    return local.date() - timedelta(days=local.time() < start.time())


def _days_of_month(parts: Mapping[str, str]) -> tuple[tuple[int, ...], int]:
    """Weekdays and index of BYDAY=2TU, or of BYDAY=TU,WE;BYSETPOS=2."""
    codes = parts["BYDAY"].split(",")
    if "BYSETPOS" in parts:
        return tuple(CODES.index(code) for code in codes), int(parts["BYSETPOS"])
    (code,) = codes
    return (CODES.index(code[-2:]),), int(code[:-2])


def _day_of_month(parts: Mapping[str, str], start: date) -> int:
    """The day that Graph calls it: BYMONTHDAY=28,29,30,31;BYSETPOS=-1 and BYMONTHDAY=-1 are 31."""
    days = [int(day) for day in parts.get("BYMONTHDAY", str(start.day)).split(",")]
    if "BYSETPOS" in parts:
        if parts["BYSETPOS"] != "-1" or days != list(range(28, days[-1] + 1)):
            raise UnknownRule("several days of the month")
        return days[-1]
    (day,) = days
    return 31 if day == -1 else day


def _must_not_skip(rule: Rule, day: int) -> None:
    """UnknownRule if the plain day of the text is missing in a month where Exchange would take the last day."""
    plain = rrule(
        FREQUENCY[rule.pattern],
        dtstart=datetime.combine(rule.start, time()),
        interval=rule.interval,
        bymonth=rule.month or None,
        bymonthday=day,
        until=datetime.combine(rule.until, time()) if rule.until else None,
        count=rule.count or None,
    )
    if [found.date() for found in islice(plain, ENOUGH)] != list(islice(starts(rule), ENOUGH)):
        raise UnknownRule(f"day {day} is missing in some of its months")
