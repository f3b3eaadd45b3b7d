"""From changes to notices: who hears of what, how often, when; and what befalls subscriptions by themselves (BEHAVIOUR 3.3, 3.4)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from random import Random

from emulators.graph import notices
from emulators.graph.changes import Change, What
from emulators.graph.endpoints import WINDOW
from emulators.graph.http import Json
from emulators.graph.ledger import Ledger
from emulators.graph.notices import LifecycleEvent, Notice
from emulators.graph.outbound import Outbound
from emulators.graph.post_office import PostOffice
from emulators.graph.subscriptions import Subscription, Subscriptions
from emulators.graph.world import World

_MISSED_AGAIN = timedelta(minutes=10)  # memory: one `missed` tells of all that was lost around it


@dataclass(slots=True)
class Disturbance:
    """What a test does to the next notifications of changes."""

    lose: int = 0  # so many vanish
    duplicate: int = 0  # each is sent so many times more
    delay_s: float = 0.0  # each is so much later, by the emulator's clock

    def set(self, given: Json) -> None:
        """Some of the three by name."""
        names = {each.name for each in fields(self)}
        for name, value in given.items():
            if name not in names or isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
                raise ValueError(f"{name}: {value!r} is not one of {sorted(names)}")
            if name != "delay_s" and not isinstance(value, int):
                raise ValueError(f"{name} takes a whole number")
        for name, value in given.items():
            setattr(self, name, value)

    def as_dict(self) -> Json:
        """As it stands."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Notifier:
    """Hears every change of the tenant, in whatever thread it happens, and puts notices in the post."""

    def __init__(self, world: World, subscriptions: Subscriptions, outbound: Outbound, tenant: str) -> None:
        self._world = world
        self._subscriptions = subscriptions
        self._tenant = tenant
        self.ledger = Ledger()
        self.disturbance = Disturbance()
        self.office = PostOffice(world, outbound, self.ledger, lambda: self)
        self._random = Random(0)
        self._look_at: datetime | None = None  # when a subscription next needs attention; None = look now
        self._told_missed: dict[str, datetime] = {}

    def reset(self) -> None:
        """Nothing was ever sent; the dice begin anew."""
        self.ledger.reset()
        self.office.reset()
        self.disturbance = Disturbance()
        self._random = Random(0)
        self._told_missed.clear()
        self._look_at = None

    # changes ---------------------------------------------------------------------------------------------------

    def heard(self, change: Change) -> None:
        """A mailbox tells of a change: the listener of `World.hear`."""
        quirks = self._world.quirks
        if change.occurrence and quirks.series_notifications == "master":
            return
        for each in self._subscriptions.of_mailbox(change.owner):
            if each.hears(change):
                for what in self._told_as(change.what):
                    if what in each.wanted:
                        self._put(each, change, what)

    def _told_as(self, what: What) -> list[What]:
        """One create is told twice, one edit up to three times (docs#7598, docs-contrib#7644)."""
        quirks = self._world.quirks
        if what == "created":
            return ["created", "updated"] if quirks.create_notifies_twice else ["created"]
        return ["updated"] * self._random.randint(1, max(1, quirks.edit_notifications)) if what == "updated" else [what]

    def _put(self, subscription: Subscription, change: Change, what: What) -> None:
        quirks, now, counts = self._world.quirks, self._world.clock.now(), self.ledger.counts
        if subscription.paused(now, quirks.reauthorize_grace_s):
            counts["paused"] += 1
            return
        if self.disturbance.lose > 0:
            self.disturbance.lose -= 1
            counts["lost"] += 1
            return
        wait = quirks.notification_latency_s + self.disturbance.delay_s
        verdict = self.office.endpoints.verdict(subscription.url, now, quirks.slow_sample)
        if verdict == "delayed":
            counts["delayed"] += 1
            wait += WINDOW.total_seconds()
        for copy in range(1 + self.disturbance.duplicate):
            notice = notices.of_change(subscription, change, what, self._tenant, now)
            if verdict == "dropped":
                counts["dropped"] += 1
                self.missed(notice)
                return
            counts["duplicated"] += copy > 0
            later = self._random.uniform(0, quirks.notification_jitter_s) if quirks.notification_jitter_s else 0.0
            notice.due = now + timedelta(seconds=wait + later)
            self.office.take(notice)

    # lifecycle -------------------------------------------------------------------------------------------------

    @property
    def needed(self) -> bool:
        """Time matters while a subscription lives."""
        return bool(self._subscriptions.live)

    def changed(self) -> None:
        """A subscription was made or renewed: look at the ends again."""
        self._look_at = None
        self.office.wake()

    def tick(self) -> None:
        """Warn of ends that are near, and bury what has expired."""
        now = self._world.clock.now()
        if self._look_at is not None and now < self._look_at:
            return
        near: list[datetime] = []
        for each in list(self._subscriptions.live.values()):
            lead = self._lead(each)
            if each.expires <= now:
                self._subscriptions.end(each, "expired")
            elif each.warned_of == each.expires or not each.lifecycle_url:
                near.append(each.expires)
            elif each.expires - lead <= now:
                each.warned_of = each.expires
                self.tell(each, "reauthorizationRequired")
                near.append(each.expires)
            else:
                near.append(each.expires - lead)
        self._look_at = min(near, default=now + WINDOW)

    def _lead(self, subscription: Subscription) -> timedelta:
        """How long before its end a subscription is warned of: in a short life, for the last third of it (memory)."""
        life = subscription.expires - (subscription.renewed or subscription.made)
        return min(timedelta(seconds=self._world.quirks.reauthorize_lead_s), life / 3)

    def tell(self, subscription: Subscription, event: LifecycleEvent) -> None:
        """A lifecycle event, to those who gave an address for it; tasks know the challenge only (3.1)."""
        if not subscription.lifecycle_url:
            return
        if subscription.target.kind == "task" and event != "reauthorizationRequired":
            return
        now = self._world.clock.now()
        if event == "reauthorizationRequired" and subscription.challenged is None:
            subscription.challenged = now
        self.ledger.lifecycle[event] += 1
        self.office.take(notices.of_lifecycle(subscription, event, self._tenant, now))

    def remove(self, subscription: Subscription) -> None:
        """The service itself ends it, and says so."""
        self.tell(subscription, "subscriptionRemoved")
        self._subscriptions.end(subscription, "removed")

    def mailbox_gone(self, owner: str) -> None:
        """No user or no licence any more: nothing to watch (memory)."""
        for each in self._subscriptions.of_mailbox(owner):
            self.remove(each)

    def missed(self, notice: Notice) -> None:
        """A notification was thrown away: `missed`, once for many."""
        now, subscription = self._world.clock.now(), notice.subscription
        last = self._told_missed.get(subscription.id)
        if notice.of_lifecycle or subscription.state != "live" or (last and now < last + _MISSED_AGAIN):
            return
        self._told_missed[subscription.id] = now
        self.tell(subscription, "missed")
