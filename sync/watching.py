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
        work = watches.todo(there, places, watcher.made_for, self.now(), asked=asked)
        waits = there.made_for == watcher.made_for and there.wait(self.now())
        if not work and (waits or not there.cause):
            return there
        kept = {watch.place: watch for watch in there.kept}
        for watch in work.drop:
            await watcher.drop(watch)
            del kept[watch.place]
        causes: set[Cause] = set()
        create = list(work.create)
        for watch in work.renew:
            renewed = await watcher.renew(watch, self._until(watch.place))
            if isinstance(renewed, Watch):
                kept[watch.place] = renewed
            elif renewed.status == 404:
                del kept[watch.place]
                create.append(watch.place)
            else:
                causes.add(_cause(renewed))
        for place in create:
            made = await watcher.create(place, self._until(place), self._state(place))
            if isinstance(made, Watch):
                kept[place] = made
            else:
                causes.add(_cause(made))
                if _unreachable(made):  # nor for the next one
                    break
        done = watches.answered(list(kept.values()), watcher.made_for, min(causes, default=""), self.now())
        return replace(done, cause=there.cause, again_at=there.again_at) if waits and not causes else done

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
