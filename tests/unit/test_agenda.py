"""When a mailbox is looked at next, and at what of it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from sync.agenda import (
    NIGHT,
    NOW,
    QUIET,
    due,
    hinted,
    hints_of,
    last_night,
    live,
    look_again,
    looks,
    looks_of,
    next_at,
    spread,
)
from sync.model import Family
from sync.store.mailboxes import MailboxRow

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
EARLIER, SOON, LATER = ((AT + timedelta(minutes=m)).isoformat() for m in (-5, 5, 60))
PEOPLE, CALENDAR, TASKS = Family.PEOPLE, Family.CALENDAR, Family.TASKS
ROME, MINUTE = ZoneInfo("Europe/Rome"), timedelta(minutes=1)
IDS = [str(UUID(int=n * 7919, version=4)) for n in range(1000)]


def row(**columns: object) -> MailboxRow:
    """One that was looked at, and has an hour."""
    at_rest = {"looks": looks({PEOPLE: LATER, CALENDAR: LATER, TASKS: LATER})}
    return MailboxRow("m", "19x1", **{**at_rest, **columns})  # type: ignore[arg-type]


# when


@pytest.mark.parametrize(
    ("columns", "at"),
    [
        ({}, LATER),
        ({"looks": ""}, NOW),
        ({"looks": looks({PEOPLE: LATER, CALENDAR: SOON})}, SOON),
        ({"looks": looks({PEOPLE: LATER, TASKS: NOW})}, NOW),
        ({"dirty": True}, NOW),
        ({"full": True}, NOW),
        ({"hints": "people"}, NOW),
        ({"dirty": True, "due_at": SOON}, SOON),
        ({"due_at": SOON}, LATER),
        ({"hints": "people", "queued_until": SOON}, SOON),
        ({"dirty": True, "due_at": SOON, "queued_until": LATER}, LATER),
        ({"holder": "w", "expires": SOON}, SOON),
        ({"holder": "w", "expires": SOON, "dirty": True, "hints": "tasks"}, SOON),
        ({"holder": "w", "expires": EARLIER, "queued_until": SOON}, SOON),
        ({"enabled": False, "dirty": True}, None),
        ({"enabled": False, "clearing": "purge", "dirty": True}, None),
        ({"enabled": False, "clearing": "leave", "dirty": True}, NOW),
        ({"enabled": False, "clearing": "undo", "dirty": True}, NOW),
        ({"state": "error", "dirty": True, "hints": "people"}, None),
        ({"state": "error", "holder": "w", "expires": SOON}, None),
    ],
)
def test_when_a_tick_queues_it(columns: dict[str, object], at: str | None) -> None:
    assert next_at(row(**columns)) == at


def test_moments_with_and_without_fractions_are_in_order() -> None:
    """What is compared is text: microseconds are there or not."""
    whole, parts = AT.isoformat(), AT.replace(microsecond=1).isoformat()
    assert next_at(row(dirty=True, due_at=whole, queued_until=parts)) == parts


# at what


def test_a_run_looks_at_what_it_was_told_of_and_at_what_is_due() -> None:
    there = row(hints="tasks", looks=looks({PEOPLE: AT.isoformat(), CALENDAR: SOON, TASKS: LATER}))
    assert due(there, Family, AT, again=False) == [PEOPLE, TASKS]
    assert due(row(), Family, AT, again=False) == []
    assert due(row(hints="calendar"), [PEOPLE], AT, again=False) == []


@pytest.mark.parametrize("columns", [{"dirty": True}, {"full": True}, {"looks": ""}])
def test_a_run_looks_at_everything_when_nobody_says_what(columns: dict[str, object]) -> None:
    assert due(row(**columns), Family, AT, again=False) == list(Family)
    assert due(row(), Family, AT, again=True) == list(Family)


def test_hints_and_looks_as_columns() -> None:
    assert hints_of("") == set()
    assert hinted("", []) == ""
    assert hinted(hinted("", [TASKS]), [PEOPLE, TASKS]) == "people tasks"
    assert hints_of("people tasks") == {PEOPLE, TASKS}
    each = {TASKS: NOW, PEOPLE: LATER}
    assert looks_of(looks(each)) == each
    assert looks_of("") == {}


# once in a while


@pytest.mark.parametrize("minutes", [5, 60, 1440])
def test_the_next_look_is_neither_soon_nor_far(minutes: int) -> None:
    every = timedelta(minutes=minutes)
    for n, mailbox in enumerate(IDS):
        now = AT + timedelta(seconds=n * 17, microseconds=n * 991)
        wait = datetime.fromisoformat(look_again(mailbox, now, every)) - now
        assert every / 2 - timedelta(seconds=1) <= wait <= every * 1.5, mailbox


def test_looks_follow_each_other_by_the_while() -> None:
    every, at = timedelta(hours=1), AT
    moments = [at := datetime.fromisoformat(look_again(IDS[7], at, every)) for _ in range(48)]
    steps = {later - earlier for earlier, later in pairwise(moments)}
    assert steps <= {every, every - timedelta(seconds=1), every + timedelta(seconds=1)}
    late = [
        datetime.fromisoformat(look_again(IDS[7], moment + 3 * MINUTE, every)) for moment in moments
    ]  # looked at by a tick
    assert late[:-1] == moments[1:]


@pytest.mark.parametrize("minutes", [60, 1440])
def test_mailboxes_that_ran_together_part(minutes: int) -> None:
    every = timedelta(minutes=minutes)
    ticks = Counter((datetime.fromisoformat(look_again(mailbox, AT, every)) - AT) // (every / 12) for mailbox in IDS)
    assert len(ticks) == 12
    assert max(ticks.values()) < 2 * len(IDS) / 12
    assert min(ticks.values()) > len(IDS) / 24


def test_the_spread_is_even_and_for_ever() -> None:
    tenths = Counter(int(spread(mailbox) * 10) for mailbox in IDS)
    assert sorted(tenths) == list(range(10))
    assert 60 < min(tenths.values()) <= max(tenths.values()) < 140
    assert spread("0000000a-0000-4000-8000-000000000000") == 2015951447 / 2**32


# nights

NIGHTS = {
    "usual": datetime(2026, 11, 23, 21, 0, tzinfo=UTC),
    "to summer, 23 h": datetime(2026, 3, 28, 21, 0, tzinfo=UTC),
    "to winter, 25 h": datetime(2026, 10, 24, 20, 0, tzinfo=UTC),
}


@pytest.mark.parametrize("night", NIGHTS)
@pytest.mark.parametrize("mailbox", IDS[:40])
def test_each_mailbox_has_one_moment_a_night(mailbox: str, night: str) -> None:
    """Asked every five minutes around it: one moment a day, never in the future, never an earlier one than before."""
    begins, over = NIGHT
    evening = NIGHTS[night]
    seen: list[datetime] = []
    for minutes in range(-1440, 2 * 1440, 5):
        now = evening + minutes * MINUTE
        found = last_night(mailbox, now, ROME)
        assert found <= now
        assert now.astimezone(UTC) - found.astimezone(UTC) < timedelta(hours=25, minutes=1)
        assert not seen or found >= seen[-1], now
        if not seen or found != seen[-1]:
            seen.append(found)
    assert len(seen) in (4, 5)
    assert all(23 <= (after - before) / timedelta(hours=1) <= 25 for before, after in pairwise(seen))
    for moment in seen:
        local = moment.astimezone(ROME)
        evening_of = (local - timedelta(hours=8)).date()
        began = datetime.combine(evening_of, begins, ROME).astimezone(UTC)
        assert timedelta(0) <= moment.astimezone(UTC) - began < over, moment


def test_a_comparison_in_the_missing_hour_is_made_once() -> None:
    """What ended after the moment stays ended: else each run of that hour would compare everything again."""
    for mailbox in IDS[:200]:
        for minutes in range(0, 600, 5):
            now = NIGHTS["to summer, 23 h"] + minutes * MINUTE
            assert not now < last_night(mailbox, now, ROME), (mailbox, now)


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kathmandu", "UTC"])
def test_nights_are_the_company_s(zone: str) -> None:
    found = last_night(IDS[0], AT, ZoneInfo(zone)).astimezone(ZoneInfo(zone))
    assert found.hour >= 22 or found.hour < 5


# what need not be looked at by every tick


def test_what_is_watched_and_tasks_that_rested_are_left_to_themselves() -> None:
    quiet, moved = (AT - QUIET - MINUTE).isoformat(), (AT - QUIET + MINUTE).isoformat()
    assert live([PEOPLE, CALENDAR], [PEOPLE, TASKS], {}, AT) == {PEOPLE}
    assert live(list(Family), [], {TASKS: quiet, PEOPLE: quiet}, AT) == {TASKS}
    assert live(list(Family), [], {TASKS: moved}, AT) == set()
    assert live(list(Family), [], {TASKS: ""}, AT) == set()
