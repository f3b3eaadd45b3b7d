"""Keeping a mailbox's subscriptions alive: whatever Microsoft 365 answers fails no run, and nothing that is there is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from sync.errors import Cause, Failure, RetryLater
from sync.model import Family
from sync.store.secrets import Keyring
from sync.watches import AGAIN, LIFE, MOST_LISTS, Place, Watch, Watches, read, told_by, write
from sync.watching import Watching, places_of

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
MAILBOX = "0000000a-0000-4000-8000-000000000000"
KEYS = Keyring(b"i" * 32, [("a", b"d" * 32)], [("a", b"e" * 32)])
PEOPLE, CALENDAR, LIST = Place(Family.PEOPLE), Place(Family.CALENDAR), Place(Family.TASKS, "list-1")
REFUSED, UNREACHABLE = Cause.NOTIFICATIONS_REFUSED.value, Cause.NOTIFICATIONS_UNREACHABLE.value


@dataclass
class Fake:
    """Microsoft 365 as far as it keeps subscriptions. `fails`: how a call about a place ends, by `create people` and the like."""

    fails: dict[str, Failure | RetryLater] = field(default_factory=dict)
    made_for: str = "here"
    lists: bool = True
    lists_there: Sequence[str] = ()
    there: dict[str, tuple[Place, datetime]] = field(default_factory=dict)
    states: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    ids: count[int] = field(default_factory=lambda: count(1))

    def lists_of(self, cursor: str) -> Sequence[str]:
        return self.lists_there

    async def create(self, place: Place, until: datetime, state: str) -> Watch | Failure:
        if failure := self._called("create", place):
            return failure
        self.states.append(state)
        id_ = f"sub-{next(self.ids)}"
        self.there[id_] = (place, until)
        return Watch(place, id_, until.isoformat(timespec="seconds"))

    async def renew(self, watch: Watch, until: datetime) -> Watch | Failure:
        failure = self._called("renew", watch.place)
        if failure or watch.id not in self.there:
            return failure or Failure(404, "ResourceNotFound")
        self.there[watch.id] = (watch.place, until)
        return replace(watch, until=until.isoformat(timespec="seconds"))

    async def drop(self, watch: Watch) -> None:
        self._called("drop", watch.place)
        self.there.pop(watch.id, None)

    def _called(self, what: str, place: Place) -> Failure | None:
        call = f"{what} {place.family}{place.list_id and ' ' + place.list_id}"
        self.calls.append(call)
        failure = self.fails.get(call)
        if isinstance(failure, RetryLater):
            raise failure
        return failure


class Keeping:
    """A mailbox's subscriptions, run after run."""

    def __init__(self, *places: Place) -> None:
        self.fake, self.time, self.kept = Fake(), NOW, Watches()
        self.places = list(places or (PEOPLE, CALENDAR))
        self._ids = count(1)

    async def keep(self, *, asked: bool = False) -> Watches:
        watching = Watching(MAILBOX, KEYS, lambda: self.time, lambda: f"{next(self._ids):032d}")
        self.fake.calls.clear()
        self.kept = await watching.keep(self.fake, self.kept, self.places, asked=asked)
        return self.kept

    def agrees(self) -> bool:
        """Is what is noted what is there?"""
        return {each.id: each.place for each in self.kept.kept} == {
            i: place for i, (place, _) in self.fake.there.items()
        }


async def test_what_is_wanted_is_made_with_a_secret_each_and_noted() -> None:
    keeping = Keeping(PEOPLE, CALENDAR, LIST)
    kept = await keeping.keep()
    assert [each.place for each in kept.kept] == sorted([PEOPLE, CALENDAR, LIST])
    assert [told_by(state, KEYS) for state in keeping.fake.states] == [
        (MAILBOX, Family.PEOPLE),
        (MAILBOX, Family.CALENDAR),
        (MAILBOX, Family.TASKS),
    ]
    assert len(set(keeping.fake.states)) == 3
    assert {place: until - NOW for place, until in keeping.fake.there.values()} == {
        place: LIFE[place.family] for place in keeping.places
    }
    assert (kept.made_for, kept.cause, kept.refused) == ("here", "", ())
    assert keeping.agrees()


async def test_a_second_run_asks_nothing() -> None:
    keeping = Keeping()
    first = await keeping.keep()
    assert await keeping.keep() == first
    assert keeping.fake.calls == []


async def test_at_half_life_they_are_renewed_and_live_on() -> None:
    keeping = Keeping()
    await keeping.keep()
    for _ in range(6):
        keeping.time += LIFE[Family.PEOPLE] / 2 + timedelta(minutes=1)
        await keeping.keep()
        assert keeping.fake.calls == ["renew calendar", "renew people"] or keeping.fake.calls == [
            "renew people",
            "renew calendar",
        ]
        assert keeping.kept.families(keeping.time + LIFE[Family.PEOPLE] / 2) == {Family.PEOPLE, Family.CALENDAR}
    assert len(keeping.fake.states) == 2


async def test_one_that_is_gone_is_made_anew_in_the_same_run() -> None:
    keeping = Keeping()
    await keeping.keep()
    keeping.fake.there.pop(next(each.id for each in keeping.kept.kept if each.place == PEOPLE))
    await keeping.keep(asked=True)
    assert keeping.fake.calls[-1] == "create people"
    assert keeping.agrees()
    assert (keeping.kept.cause, len(keeping.fake.states)) == ("", 3)


async def test_one_that_is_gone_and_cannot_be_made_anew_is_not_noted() -> None:
    keeping = Keeping()
    await keeping.keep()
    keeping.fake.there.clear()
    keeping.fake.fails["create people"] = Failure(403, "ExtensionError")
    kept = await keeping.keep(asked=True)
    assert [each.place for each in kept.kept] == [CALENDAR]
    assert [(each.place, each.cause, each.waits(NOW)) for each in kept.refused] == [(PEOPLE, REFUSED, True)]


async def test_where_we_cannot_be_reached_no_other_is_tried() -> None:
    keeping = Keeping(PEOPLE, CALENDAR, LIST)
    keeping.fake.fails["create calendar"] = Failure(400, "ValidationError")
    kept = await keeping.keep()
    assert keeping.fake.calls == ["create people", "create calendar"]
    assert (kept.cause, kept.families(NOW)) == (UNREACHABLE, {Family.PEOPLE})
    assert keeping.agrees()
    keeping.time += AGAIN - timedelta(seconds=1)
    assert await keeping.keep() == kept
    assert keeping.fake.calls == []
    keeping.fake.fails.clear()
    keeping.time += timedelta(seconds=1)
    kept = await keeping.keep()
    assert (kept.cause, kept.families(NOW), keeping.agrees()) == ("", set(Family), True)


async def test_a_list_that_cannot_be_watched_says_nothing_about_our_address() -> None:
    """400 ExtensionError "Invalid resource specified in payload" (BEHAVIOUR 3.1): the list went a moment ago."""
    other = Place(Family.TASKS, "list-2")
    keeping = Keeping(PEOPLE, LIST, other)
    keeping.fake.fails["create tasks list-1"] = Failure(400, "ExtensionError")
    kept = await keeping.keep()
    assert [each.place for each in kept.kept] == [PEOPLE, other]
    assert (kept.cause, kept.families(NOW)) == (REFUSED, {Family.PEOPLE})


@pytest.mark.parametrize(
    "failure", [Failure(403, "ExtensionError"), Failure(429), Failure(503), Failure(0), Failure(409)]
)
async def test_any_other_refusal_is_noted_and_the_rest_goes_on(failure: Failure) -> None:
    keeping = Keeping(PEOPLE, CALENDAR, LIST)
    keeping.fake.fails["create people"] = failure
    kept = await keeping.keep()
    assert (kept.cause, kept.families(NOW)) == (REFUSED, {Family.CALENDAR, Family.TASKS})
    assert keeping.agrees()


async def test_a_renewal_that_fails_leaves_what_is_there_and_is_tried_again() -> None:
    keeping = Keeping()
    await keeping.keep()
    keeping.time += LIFE[Family.PEOPLE] / 2 + timedelta(minutes=1)
    keeping.fake.fails["renew people"] = Failure(503)
    kept = await keeping.keep()
    assert (kept.cause, keeping.agrees()) == (REFUSED, True)
    assert kept.families(keeping.time) == {Family.PEOPLE, Family.CALENDAR}
    keeping.fake.fails.clear()
    keeping.time += AGAIN
    kept = await keeping.keep()
    assert "renew people" in keeping.fake.calls
    assert (kept.cause, kept.refused) == ("", ())


async def test_a_renewal_that_microsoft_asked_for_and_that_failed_is_not_forgotten() -> None:
    """Else nothing would be delivered until half of a life is over (BEHAVIOUR 3.4)."""
    keeping = Keeping()
    await keeping.keep()
    keeping.fake.fails["renew people"] = Failure(503)
    kept = await keeping.keep(asked=True)
    assert kept.families(keeping.time) == {Family.CALENDAR}, "what is lost meanwhile is looked for by every tick"
    assert read(write(kept)) == kept
    keeping.fake.fails.clear()
    await keeping.keep()
    assert keeping.fake.calls == []
    assert keeping.kept.families(keeping.time) == {Family.CALENDAR}
    keeping.time += AGAIN
    await keeping.keep()
    assert keeping.fake.calls == ["renew people"]
    assert keeping.kept.families(keeping.time) == {Family.PEOPLE, Family.CALENDAR}
    assert await keeping.keep() == keeping.kept
    assert (keeping.fake.calls, keeping.kept.cause) == ([], "")


async def test_a_cause_ends_with_what_it_was_about() -> None:
    """The list that could not be subscribed to is deleted: nothing is wrong any more, and tasks are told of again."""
    other = Place(Family.TASKS, "list-2")
    keeping = Keeping(PEOPLE, LIST, other)
    keeping.fake.fails["create tasks list-2"] = Failure(403)
    assert (await keeping.keep()).cause == REFUSED
    keeping.places = [PEOPLE, LIST]
    kept = await keeping.keep()
    assert (kept.cause, kept.families(keeping.time)) == ("", {Family.PEOPLE, Family.TASKS})


async def test_other_work_meanwhile_does_not_put_off_what_waits() -> None:
    keeping = Keeping(PEOPLE, CALENDAR)
    keeping.fake.fails["create calendar"] = Failure(503)
    waits = (await keeping.keep()).refused
    for _ in range(3):
        keeping.time += AGAIN / 4
        kept = await keeping.keep(asked=True)
        assert (kept.cause, kept.refused) == (REFUSED, waits)
    keeping.fake.fails.clear()
    keeping.time += AGAIN / 4
    assert (await keeping.keep()).families(keeping.time) == {Family.PEOPLE, Family.CALENDAR}


@pytest.mark.parametrize("status", [403, 404])
async def test_a_shared_list_that_is_refused_has_no_other_renewed_and_is_asked_for_ever_more_seldom(
    status: int,
) -> None:
    """It used to have everything renewed every hour."""
    other = Place(Family.TASKS, "list-2")
    keeping = Keeping(PEOPLE, CALENDAR, LIST, other)
    keeping.fake.fails["create tasks list-2"] = Failure(status)
    await keeping.keep()
    asked: list[str] = []
    for _ in range(48):
        keeping.time += timedelta(minutes=30)
        kept = await keeping.keep()
        asked += keeping.fake.calls
        assert (kept.cause, kept.families(keeping.time)) == (REFUSED, {Family.PEOPLE, Family.CALENDAR})
    assert asked == ["create tasks list-2"] * 4  # after 1, 3, 7 and 15 hours
    keeping.fake.fails.clear()
    keeping.time += timedelta(hours=8)
    assert (await keeping.keep()).families(keeping.time) == set(Family)
    assert (keeping.fake.calls, keeping.kept.cause) == (["create tasks list-2"], "")


async def test_another_address_forgets_what_was_refused_under_the_one_before() -> None:
    keeping = Keeping(PEOPLE, LIST)
    keeping.fake.fails["create tasks list-1"] = Failure(403)
    for _ in range(3):
        await keeping.keep()
        keeping.time += timedelta(hours=8)
    keeping.fake.made_for = "elsewhere"
    kept = await keeping.keep()
    assert [each.times for each in kept.refused] == [1]


async def test_another_address_drops_all_and_makes_all_anew() -> None:
    keeping = Keeping()
    before = {each.id for each in (await keeping.keep()).kept}
    keeping.fake.made_for = "elsewhere"
    kept = await keeping.keep()
    assert keeping.fake.calls == ["drop calendar", "drop people", "create people", "create calendar"]
    assert before.isdisjoint(each.id for each in kept.kept)
    assert (kept.made_for, keeping.agrees()) == ("elsewhere", True)


async def test_a_server_that_is_down_is_the_run_s_business_and_the_next_run_finds_the_rest() -> None:
    keeping = Keeping()
    keeping.fake.fails["create calendar"] = RetryLater(Cause.GRAPH_UNREACHABLE, everybody=True)
    with pytest.raises(RetryLater):
        await keeping.keep()
    assert keeping.kept == Watches()
    keeping.fake.fails.clear()
    await keeping.keep()
    assert keeping.kept.families(NOW) == {Family.PEOPLE, Family.CALENDAR}


# what is wanted


def test_tasks_are_subscribed_to_by_list_where_that_is_allowed_and_they_are_not_too_many() -> None:
    fake = Fake(lists_there=["list-1", "list-2"])
    of_people = [PEOPLE, CALENDAR]
    assert places_of(list(Family), fake, "cursor") == [*of_people, LIST, Place(Family.TASKS, "list-2")]
    assert places_of([Family.PEOPLE], fake, "cursor") == [PEOPLE]
    fake.lists_there = [f"list-{n}" for n in range(MOST_LISTS)]
    assert len(places_of(list(Family), fake, "cursor")) == 2 + MOST_LISTS
    fake.lists_there = [f"list-{n}" for n in range(MOST_LISTS + 1)]
    assert places_of(list(Family), fake, "cursor") == of_people
    fake.lists, fake.lists_there = False, ["list-1"]
    assert places_of(list(Family), fake, "cursor") == of_people
