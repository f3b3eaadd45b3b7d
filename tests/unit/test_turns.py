"""How often in a row: turns of some minutes are counted, not runs, of which what is told may bring about one every few seconds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sync.agenda import APART, NOW, apart, due, last_night, looks, next_night
from sync.errors import Failure
from sync.model import Family, Kind
from sync.settle import MOST_WRITES, TURN, oscillates, streaks, turn_of
from sync.sides.base import Done, Refused, Unclear, Write
from sync.sides.memory_mailbox import MemoryMailbox
from sync.store.ledger import MailboxLedger
from sync.store.mailboxes import Mailboxes, MailboxRow
from sync.store.memory import MemoryRows
from tests.sim.test_found import connected, person, shown
from tests.sim.world import ROME

AT = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
PEOPLE, CALENDAR, TASKS = Family.PEOPLE, Family.CALENDAR, Family.TASKS


def test_runs_within_minutes_are_one_turn() -> None:
    turn, began = turn_of(0, "", AT)
    assert (turn, began) == (1, AT.isoformat())
    assert turn_of(turn, began, AT + TURN - timedelta(seconds=1)) == (1, began)
    assert turn_of(turn, began, AT + TURN) == (2, (AT + TURN).isoformat())


def written(turns: Sequence[int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for turn in turns:
        found = streaks(found, {"phone": 1}, turn)
    return found


@pytest.mark.parametrize(
    ("turns", "next_one", "stops"),
    [
        ([1, 2, 3], 4, True),
        ([1, 2, 3, 3, 3], 4, True),
        ([1, 2, 3], 3, False),
        ([1, 1, 1, 1, 1], 1, False),  # one person who edits, or two programs for a moment
        ([1, 2, 4], 5, False),
        ([1, 3, 5, 7], 9, False),
        ([7] * (MOST_WRITES - 1), 7, False),
        ([7] * MOST_WRITES, 7, True),  # nobody edits so fast
    ],
)
def test_the_fourth_turn_in_a_row_or_too_many_writes_stop(turns: list[int], next_one: int, stops: bool) -> None:
    assert oscillates(written(turns), {"phone": 1}, next_one) is stops
    assert not oscillates(written(turns), {"mobile": 1}, next_one)


def test_streaks_of_rows_that_an_earlier_version_wrote() -> None:
    assert streaks({"phone": "3@17"}, {"phone": 1}, 18) == {"phone": "4@18*1"}


@pytest.mark.parametrize(("every", "arrives"), [(timedelta(seconds=10), True), (timedelta(minutes=5), False)])
async def test_an_item_is_given_up_after_three_turns_not_after_three_runs(
    every: timedelta, arrives: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused for a minute, while the mailbox runs because of what is told: later it is written. Refused in three turns it waits for a person."""
    world = await connected({"19x1": "mailbox-a"})
    record = world.crm.add(Kind.CONTACT, "19x1", person("x", department="A"))
    await world.settle(3)
    world.crm.edit(record.id, department="B")
    await world.registry.mark("mailbox-a", [(Kind.CONTACT, record.id)], world.new_id())
    apply, worker = MemoryMailbox.apply, world.worker()

    async def refused(self: MemoryMailbox, writes: Sequence[Write]) -> list[Done | Refused | Unclear]:
        return [Refused(Failure(400, "ErrorIrresolvableConflict")) for _ in writes]

    monkeypatch.setattr(MemoryMailbox, "apply", refused)
    for _ in range(6):
        await world.registry.note("mailbox-a", [PEOPLE])
        await worker.run("mailbox-a")
        world.time += every
    monkeypatch.setattr(MemoryMailbox, "apply", apply)
    world.time += timedelta(minutes=5)
    await worker.run("mailbox-a")
    ledger = MailboxLedger(world.rows, "mailbox-a", 0, "", PEOPLE)
    because = [row.because.value for row in await ledger.pending()]
    assert because == ([] if arrives else ["quarantined"])
    assert (shown(world.mailboxes["mailbox-a"])[0].fields["department"] == "B") is arrives


# what a run looks at, and when


def row(**columns: object) -> MailboxRow:
    return MailboxRow("m", "19x1", **columns)  # type: ignore[arg-type]


def test_what_was_told_of_one_family_is_no_look_at_what_every_tick_looks_at() -> None:
    later, past = (AT + timedelta(hours=1)).isoformat(), (AT - timedelta(hours=1)).isoformat()
    found = row(hints="calendar", looks=looks({PEOPLE: later, CALENDAR: later, TASKS: NOW}))
    assert due(found, Family, AT, again=False, polls=False) == [CALENDAR]
    assert due(found, Family, AT, again=False) == [CALENDAR, TASKS]
    late = row(hints="calendar", looks=looks({PEOPLE: past, CALENDAR: later, TASKS: NOW}))
    assert due(late, Family, AT, again=False, polls=False) == [PEOPLE, CALENDAR], "an hour is an hour"
    assert due(row(dirty=True), Family, AT, again=False, polls=False) == list(Family)


def test_runs_that_what_is_told_brings_about_lie_apart() -> None:
    began = AT.isoformat()
    assert apart(row(hints="people", began_at=began), AT + timedelta(seconds=3)) == APART.total_seconds() - 3
    assert apart(row(hints="people", began_at=began), AT + APART) == 0
    assert apart(row(hints="people"), AT) == 0
    assert apart(row(dirty=True, began_at=began), AT) == 0, "what is not finished goes on"


async def test_between_ticks_nobody_is_queued_who_is_only_looked_at_by_ticks() -> None:
    mailboxes = Mailboxes(MemoryRows())
    later, past = (AT + timedelta(hours=1)).isoformat(), (AT - timedelta(minutes=1)).isoformat()
    for name, columns in {
        "polled": {"looks": looks({TASKS: NOW})},
        "told": {"hints": "people", "looks": looks({PEOPLE: later})},
        "hour": {"looks": looks({PEOPLE: past})},
        "rests": {"looks": looks({PEOPLE: later})},
    }.items():
        await mailboxes.change_mailbox(name, user="19x1", **columns)
    assert await mailboxes.due_now(AT) == ["told", "hour"]
    assert await mailboxes.due(AT) == ["told", "polled", "hour"]


@pytest.mark.parametrize("hour", range(24))
def test_the_next_night_follows_the_last_one(hour: int) -> None:
    now = AT.replace(hour=hour)
    for mailbox in ("a", "b", "c", "d"):
        last, following = last_night(mailbox, now, ROME), next_night(mailbox, now, ROME)
        assert last <= now < following
        assert following - last == timedelta(hours=24)
