"""Keep a mailbox's subscriptions alive, within its own runs and under their lease. I/O.

Made before the mailbox is read, so that nothing lies between. Whatever fails here fails no run: without a subscription a mailbox is looked at by
every tick.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from sync import watches
from sync.errors import Cause, Failure
from sync.model import Family
from sync.watches import LIFE, MOST_LISTS, Place, Watch, Watches

GONE = 404
LASTING = frozenset({400, 403, GONE})
"""What is refused so will be in an hour, too: a shared list, one that went, a right that is missing."""


class Watcher(Protocol):
    """Subscriptions to one mailbox at Microsoft 365."""

    made_for: str
    """A digest of the address that notifications are sent to and of the sign-in: with another one all of them are made anew."""

    lists: bool
    """May lists of tasks be subscribed to? Not by an application (BEHAVIOUR 3.1)."""

    def lists_of(self, cursor: str) -> Sequence[str]:
        """Ids of the lists that this checkpoint of the tasks knows."""
        ...

    async def create(self, place: Place, until: datetime, state: str) -> Watch | Failure:
        """Microsoft 365 looks whether our endpoint answers before this returns. One of before for the same place is replaced."""
        ...

    async def renew(self, watch: Watch, until: datetime) -> Watch | Failure:
        """404: it is gone."""
        ...

    async def drop(self, watch: Watch) -> None:
        """Gone already = done; what cannot be dropped ends by itself, and what it tells us meanwhile is harmless."""
        ...


@dataclass(frozen=True, slots=True)
class Watching:
    """One run's work on the subscriptions of a mailbox."""

    mailbox: str
    keys: watches.Index
    now: Callable[[], datetime]
    new_id: Callable[[], str]

    async def keep(self, watcher: Watcher, there: Watches, places: Sequence[Place], *, asked: bool) -> Watches:
        """What is there afterwards. `asked`: Microsoft 365 wants them renewed."""
        now = self.now()
        work = watches.todo(there, places, watcher.made_for, now, asked=asked)
        same = there.made_for == watcher.made_for
        before = {each.place: each for each in there.refused if same and each.place in places}
        if not work and len(before) == len(there.refused):
            return there
        kept, refused = {watch.place: watch for watch in there.kept}, dict(before)

        def note(place: Place, answer: Watch | Failure) -> bool:
            """Could it reach us?"""
            if isinstance(answer, Watch):
                kept[place] = answer
                refused.pop(place, None)
                return True
            lasting = answer.status in LASTING and not _unreachable(answer)
            noted = watches.refused(place, _cause(answer), before.get(place), now, lasting=lasting)
            refused[place] = replace(noted, silent=asked or (place in before and before[place].silent))
            return not _unreachable(answer)

        for watch in work.drop:
            await watcher.drop(watch)
            del kept[watch.place]
        create = list(work.create)
        for watch in work.renew:
            renewed = await watcher.renew(watch, self._until(watch.place))
            if isinstance(renewed, Failure) and renewed.status == GONE:
                del kept[watch.place]
                create.append(watch.place)
            else:
                note(watch.place, renewed)
        for number, place in enumerate(create):
            made = await watcher.create(place, self._until(place), self._state(place))
            if not note(place, made):  # nor for the others
                refused |= {other: replace(refused[place], place=other) for other in create[number:]}
                break
        return watches.answered(kept.values(), watcher.made_for, refused.values())

    def _until(self, place: Place) -> datetime:
        return self.now() + LIFE[place.family]

    def _state(self, place: Place) -> str:
        return watches.secret(self.mailbox, place.family, self.new_id().replace("-", "")[:16], self.keys)


def places_of(families: Sequence[Family], watcher: Watcher, tasks_cursor: str) -> list[Place]:
    """What is to be subscribed to. Lists of tasks that are too many, or not known yet, are looked at by every tick."""
    places = [Place(family) for family in families if family is not Family.TASKS]
    if Family.TASKS in families and watcher.lists:
        lists = watcher.lists_of(tasks_cursor)
        places += [Place(Family.TASKS, list_id) for list_id in lists] if len(lists) <= MOST_LISTS else []
    return places


def _cause(failure: Failure) -> Cause:
    return Cause.NOTIFICATIONS_UNREACHABLE if _unreachable(failure) else Cause.NOTIFICATIONS_REFUSED


def _unreachable(failure: Failure) -> bool:
    """Could it not reach us? ExtensionError speaks of what is to be watched (BEHAVIOUR 3.1)."""
    return failure.status == 400 and failure.code != "ExtensionError"
