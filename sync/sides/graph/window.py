"""How far the calendar is looked at, and the cursor that says where a listing stands. Pure.

Graph tells changes of a frozen window of days (BEHAVIOUR 2.4); ours is moved when a third of it is used up. The cursor remembers the
window beside Graph's link, and whether the history outside of it was listed once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync import spans
from sync.sides.base import CursorLost

VERSION = 1


@dataclass(frozen=True, slots=True)
class Horizon:
    """since: history that ended before is not listed. back, ahead: occurrences of series that are shown. window_*: what is followed."""

    since: date = date(1970, 1, 1)
    back: timedelta = timedelta(days=30)
    ahead: timedelta = timedelta(days=90)
    window_back: timedelta = timedelta(days=30)
    window_ahead: timedelta = timedelta(days=365)

    def days(self, now: datetime, zone: ZoneInfo) -> tuple[date, date]:
        """First and last day on which occurrences are shown."""
        today = now.astimezone(zone).date()
        return today - self.back, today + self.ahead

    def window(self, now: datetime) -> Window:
        """The window that begins now."""
        whole = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        return Window(whole - self.window_back, whole + self.window_ahead)

    def beginning(self, zone: ZoneInfo) -> datetime:
        """The first moment of the history."""
        return datetime(self.since.year, self.since.month, self.since.day, tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """What one delta round follows."""

    start: datetime
    end: datetime

    def used_up(self, now: datetime, horizon: Horizon) -> bool:
        """Is a third of what lay ahead over?"""
        return now > self.start + horizon.window_back + horizon.window_ahead / 3

    @property
    def query(self) -> str:
        """The parameters of a calendarView."""
        return f"startDateTime={utc(self.start)}&endDateTime={utc(self.end)}"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the listing stands. Without a link: the window is to be listed anew."""

    history: bool
    link: str = ""
    window: Window | None = None

    def text(self) -> str:
        """As it is saved."""
        state: dict[str, object] = {"v": VERSION, "history": self.history}
        if self.window:
            state |= {"start": utc(self.window.start), "end": utc(self.window.end), "link": self.link}
        return json.dumps(state, separators=(",", ":"))


def read_cursor(text: str) -> Cursor:
    """What was saved. Raises CursorLost for what is not a cursor of this version."""
    try:
        state = json.loads(text)
        if state["v"] != VERSION:
            raise CursorLost
        if "link" not in state:
            return Cursor(bool(state["history"]))
        start, end = datetime.fromisoformat(state["start"]), datetime.fromisoformat(state["end"])
        return Cursor(bool(state["history"]), str(state["link"]), Window(start, end))
    except (ValueError, TypeError, KeyError):
        raise CursorLost from None


def utc(moment: datetime) -> str:
    """As Graph's parameters want it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def around_start(when: str) -> str:
    """The parameters of a listing in which an event of this span shows: the minutes around its start; for a date, which may begin
    in any zone, the days around it."""
    span = spans.read_span(when)
    if isinstance(span, spans.DateSpan):
        start = datetime(span.first.year, span.first.month, span.first.day, tzinfo=UTC)
        first, last = start - timedelta(days=1), start + timedelta(days=2)
    else:
        first, last = span.start - timedelta(minutes=1), span.start + timedelta(minutes=1)
    return f"startDateTime={utc(first)}&endDateTime={utc(last)}"
