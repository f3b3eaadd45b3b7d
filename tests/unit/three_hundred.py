"""Three hundred rules: what RFC 5545 shows and Graph can express, and generated ones. python-dateutil says which dates they have."""

from __future__ import annotations

import random
from datetime import date, datetime, time, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from sync.series import Pattern, Rule, starts
from sync.spans import InstantSpan, in_utc

DATA = Path(__file__).resolve().parents[1] / "data" / "series"
ROME, NEW_YORK = ZoneInfo("Europe/Rome"), ZoneInfo("America/New_York")
DAY = timedelta(days=1)
RULES = 300
CUT = 24  # dates of an endless rule that are looked at


def examples(name: str) -> list[tuple[datetime, str]]:
    lines = [line.split() for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line[0] != "#"]
    return [(datetime.strptime(start, "%Y%m%dT%H%M%S").replace(tzinfo=NEW_YORK), text) for start, text in lines]


RFC = examples("rfc5545.txt")
NOT_IN_GRAPH = examples("rfc5545-not-in-graph.txt")


@cache
def generated() -> tuple[Rule, ...]:
    """As many rules as are missing to 300: each pattern with each range in turn, everything else by a seeded die."""
    die = random.Random(5545)
    rules: list[Rule] = []
    while len(rules) < RULES - len(RFC):
        turn = len(rules)
        pattern = list(Pattern)[turn % 6]
        size = 1 if die.random() < 0.5 else die.randint(2, 5)
        template = Rule(
            start=date(2024, 1, 1) + timedelta(days=die.randrange(1200)),
            pattern=pattern,
            interval=die.choice([1, 1, 2, 3, 4, 6]),
            days=tuple(die.sample(range(7), size)),
            week_start=die.randrange(7),
            day=die.choice([die.randint(1, 28), 29, 30, 31]),
            index=die.choice([1, 2, 3, 4, -1]),
            month=die.randint(1, 12),
        )
        limit: dict[str, Any] = {}
        if turn // 6 % 3 == 1:
            limit = {"count": die.randint(12, 40)}
        if turn // 6 % 3 == 2:
            limit = {"until": list(islice(starts(template), CUT))[-1] + timedelta(days=die.randrange(5))}
        fields = {name: getattr(template, name) for name in template.__slots__}
        rules.append(Rule(**{**fields, **limit}))
    return tuple(rules)


def dateutil_dates(text: str, start: date) -> list[date]:
    """The judge: dateutil reads the text by itself. DTSTART is 9:00 in New York where UNTIL is an instant, else a date."""
    begin = datetime.combine(start, time(9), NEW_YORK) if "Z" in text else datetime.combine(start, time())
    return [found.date() for found in islice(rrulestr(text, dtstart=begin), CUT)]


def hour(day: date, hours: int = 9, minutes: int = 0, length: int = 60, zone: ZoneInfo = ROME) -> InstantSpan:
    start = in_utc(datetime.combine(day, time(hours, minutes)), zone)
    return InstantSpan(start, start + timedelta(minutes=length))
