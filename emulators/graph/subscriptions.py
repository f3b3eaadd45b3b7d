"""The subscriptions of the tenant: who asked to hear of which changes, until when (BEHAVIOUR 3.1). No HTTP, nothing is sent here.

What ended is kept as dead, with how it ended, for tests to look at.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from emulators.corner import Clock
from emulators.graph.changes import Change, Kind, What
from emulators.graph.http import Caller, Json

_NAMESPACE = uuid.UUID("b5d3f6c0-3a52-4a0e-9a56-2f2f6b7a8f11")
State = Literal["live", "deleted", "expired", "removed", "dropped"]
BOTH_WITHIN = timedelta(minutes=10)  # 3.4: "one or the other, not both within 10 minutes"


@dataclass(frozen=True, slots=True)
class Target:
    """What is watched: contacts, events or tasks of a mailbox, of one folder (or task list) only if it is named."""

    kind: Kind
    owner: str
    folder: str | None = None


@dataclass(slots=True, eq=False)
class Subscription:
    """One subscription; `resource` and `change_type` as they were sent."""

    id: str
    caller: Caller
    target: Target
    resource: str
    change_type: str
    wanted: frozenset[What]
    url: str
    lifecycle_url: str
    client_state: str | None
    expires: datetime
    immutable: bool
    made: datetime
    state: State = "live"
    challenged: datetime | None = None  # since when a reauthorizationRequired waits for its answer
    warned_of: datetime | None = None  # the end that was warned of
    renewed: datetime | None = None
    reauthorized: datetime | None = None
    both: int = 0  # how often it was renewed and reauthorized within ten minutes
    acknowledged: int = 0

    def hears(self, change: Change) -> bool:
        """Whether a change lies in what is watched."""
        if self.target.kind != change.kind:
            return False
        return change.whole if self.target.folder is None else self.target.folder == change.folder

    def answered(self) -> None:
        """Renewed or reauthorized: the challenge is over."""
        self.challenged = None
        if self.renewed and self.reauthorized and abs(self.renewed - self.reauthorized) < BOTH_WITHIN:
            self.both += 1

    def paused(self, now: datetime, grace_s: float) -> bool:
        """A reauthorizationRequired was ignored for too long: what happens is lost (3.4)."""
        return self.challenged is not None and now >= self.challenged + timedelta(seconds=grace_s)


class Subscriptions:
    """All of the tenant, by id and by mailbox."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._made = 0
        self.live: dict[str, Subscription] = {}
        self.dead: list[Subscription] = []
        self._by_owner: dict[str, dict[str, Subscription]] = {}

    def reset(self) -> None:
        """None there, none ever was; ids go on, so that an old one never names a new subscription."""
        self.live.clear()
        self.dead.clear()
        self._by_owner.clear()

    def next_id(self) -> str:
        """A fresh id, the same again in every run."""
        self._made += 1
        return str(uuid.uuid5(_NAMESPACE, str(self._made)))

    def add(self, subscription: Subscription) -> None:
        """It lives from now on."""
        self.live[subscription.id] = subscription
        self._by_owner.setdefault(subscription.target.owner, {})[subscription.id] = subscription

    def end(self, subscription: Subscription, how: State) -> None:
        """It is over; a second end is none: the time may run out in two threads at once."""
        if self.live.pop(subscription.id, None) is None:
            return
        subscription.state = how
        self._by_owner[subscription.target.owner].pop(subscription.id, None)
        self.dead.append(subscription)

    def of_mailbox(self, owner: str) -> list[Subscription]:
        """Those that live now, of all apps. What has expired ends here."""
        return [each for each in list(self._by_owner.get(owner, {}).values()) if self._lives(each)]

    def of_caller(self, caller: Caller) -> list[Subscription]:
        """Those that an app may see: its own; with a user's token only that user's (memory)."""
        return [each for each in list(self.live.values()) if _is_of(each, caller) and self._lives(each)]

    def find(self, ref: str, caller: Caller) -> Subscription | None:
        """By id, without case; None for what is over or somebody else's."""
        found = self.live.get(ref.lower())
        return found if found is not None and _is_of(found, caller) and self._lives(found) else None

    def _lives(self, subscription: Subscription) -> bool:
        if subscription.expires <= self._clock.now():
            self.end(subscription, "expired")
            return False
        return True


def _is_of(subscription: Subscription, caller: Caller) -> bool:
    owner = subscription.caller
    return owner.app == caller.app and (caller.user is None or owner.user == caller.user)


def row(subscription: Subscription, *, paused: bool) -> Json:
    """As tests and the demo read it, dead or alive."""
    target, ended = subscription.target, subscription.state != "live"
    return {
        "id": subscription.id,
        "state": subscription.state if ended or not paused else "paused",
        "app": subscription.caller.app,
        "creator": subscription.caller.user or "",
        "mailbox": target.owner,
        "kind": target.kind,
        "resource": subscription.resource,
        "changeType": subscription.change_type,
        "notificationUrl": subscription.url,
        "lifecycleNotificationUrl": subscription.lifecycle_url,
        "clientState": subscription.client_state,
        "expirationDateTime": subscription.expires.isoformat(),
        "immutable": subscription.immutable,
        "challenged": subscription.challenged.isoformat() if subscription.challenged else None,
        "both_within_10_min": subscription.both,
        "acknowledged": subscription.acknowledged,
    }
