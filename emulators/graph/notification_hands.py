"""What tests do to subscriptions and notifications, in process or under `/_emulator/`: look, drop, expire, lose, forge (README.md)."""

from __future__ import annotations

import json
import uuid
from typing import Any, Literal

from emulators.corner import Endpoint
from emulators.graph.http import Json
from emulators.graph.notices import LIFECYCLE, LifecycleEvent
from emulators.graph.notifying import Notifier
from emulators.graph.subscription_body import stamp
from emulators.graph.subscriptions import State, Subscription, Subscriptions, row
from emulators.graph.world import World

Forgery = Literal["wrong_client_state", "unknown_subscription", "garbage", "body"]
_GARBAGE = '{"value": [{"subscriptionId": 7, <not json>'


class NotificationHands:
    """Each method names one subscription (`subscription`), all of a mailbox (`user`), or, with neither, all that live."""

    def __init__(self, world: World, subscriptions: Subscriptions, notifier: Notifier, tenant: str) -> None:
        self._world = world
        self._subscriptions = subscriptions
        self._notifier = notifier
        self._tenant = tenant

    def subscriptions(self) -> list[Json]:
        """All that there ever were since the reset, the dead first."""
        self._notifier.tick()
        everything = [*self._subscriptions.dead, *self._subscriptions.live.values()]
        now, grace = self._world.clock.now(), self._world.quirks.reauthorize_grace_s
        return [row(each, paused=each.paused(now, grace)) for each in everything]

    def drop(self, subscription: str = "", user: str = "") -> int:
        """Gone without a word, as it happens; how many."""
        return self._end(subscription, user, "dropped")

    def expire(self, subscription: str = "", user: str = "") -> int:
        """Their time is over now; how many."""
        return self._end(subscription, user, "expired")

    def lifecycle(self, event: LifecycleEvent, subscription: str = "", user: str = "") -> int:
        """Send a lifecycle event; subscriptionRemoved ends the subscription, an ignored reauthorizationRequired pauses it."""
        if event not in LIFECYCLE:
            raise ValueError(f"{event!r} is not one of {LIFECYCLE}")
        chosen = self._chosen(subscription, user)
        deaf = [each.id for each in chosen if not each.lifecycle_url]
        if subscription and deaf:
            raise ValueError(f"{deaf[0]} has no lifecycleNotificationUrl")
        for each in chosen:
            if event == "subscriptionRemoved":
                self._notifier.remove(each)
            else:
                self._notifier.tell(each, event)
        self._notifier.office.wake()
        return len(chosen) - len(deaf)

    def disturb(self, **given: Any) -> Json:
        """`lose` the next so many notifications, `duplicate` each so many times, `delay_s`: until set otherwise."""
        self._notifier.disturbance.set(given)
        return self._notifier.disturbance.as_dict()

    def forge(self, kind: Forgery, subscription: str = "", url: str = "", body: Any = None) -> None:
        """Send what did not come from the service; the answer's status shows in `statistics()["forged"]`. The address is the
        subscription's unless `url` says another; `body` is sent as it is (`kind` "body")."""
        known = self._chosen(subscription, "") if subscription or not url else []
        if not known and (kind == "wrong_client_state" or not url):
            raise ValueError("there is no subscription to forge for")
        to = url or known[0].url
        if kind == "body":
            content = json.dumps(body)
        elif kind == "garbage":
            content = _GARBAGE
        elif kind == "wrong_client_state":
            content = json.dumps(self._forged(known[0].id, "forged"))
        elif kind == "unknown_subscription":
            content = json.dumps(self._forged(str(uuid.uuid4()), known[0].client_state if known else "forged"))
        else:
            raise ValueError(f"unknown kind of forgery: {kind!r}")
        self._notifier.office.forge((to, content.encode(), {"kind": kind}))
        self._notifier.office.wake()

    def statistics(self) -> Json:
        """What became of the notifications since the reset or `forget()`."""
        office, now = self._notifier.office, self._world.clock.now()
        return {
            **self._notifier.ledger.summary(),
            "waiting": office.waiting,
            "endpoints": office.endpoints.verdicts(now, self._world.quirks.slow_sample),
            "disturbance": self._notifier.disturbance.as_dict(),
            "broken": repr(office.broken) if office.broken else None,
        }

    def deliveries(self) -> list[Json]:
        """Every notification that was acknowledged: when its change happened, and when it was heard of."""
        return self._notifier.ledger.rows()

    def forget(self) -> None:
        """Statistics from zero; what waits stays."""
        self._notifier.ledger.reset()

    async def quiet(self) -> None:
        """Until nothing is due any more by the emulator's clock, and nothing is under way. Raises what broke the delivery."""
        self._notifier.tick()
        await self._notifier.office.quiet()

    async def close(self) -> None:
        """Stop sending."""
        await self._notifier.office.close()

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """The same under `/_emulator/`."""
        return {
            ("GET", "subscriptions"): lambda _: self.subscriptions(),
            ("POST", "subscriptions/drop"): lambda given: {"count": self.drop(**given)},
            ("POST", "subscriptions/expire"): lambda given: {"count": self.expire(**given)},
            ("POST", "subscriptions/lifecycle"): lambda given: {"count": self.lifecycle(**given)},
            ("GET", "notifications"): lambda _: self.statistics(),
            ("DELETE", "notifications"): lambda _: self.forget(),
            ("GET", "notifications/deliveries"): lambda _: self.deliveries(),
            ("PUT", "notifications/disturbance"): lambda given: self.disturb(**given),
            ("POST", "notifications/forge"): lambda given: self.forge(**given),
        }

    def _chosen(self, subscription: str, user: str) -> list[Subscription]:
        if subscription:
            if subscription not in self._subscriptions.live:
                raise ValueError(f"no live subscription {subscription!r}")
            return [self._subscriptions.live[subscription]]
        if user:
            return self._subscriptions.of_mailbox(self._world.owner(user))
        return list(self._subscriptions.live.values())

    def _end(self, subscription: str, user: str, how: State) -> int:
        chosen = self._chosen(subscription, user)
        for each in chosen:
            self._subscriptions.end(each, how)
        return len(chosen)

    def _forged(self, subscription: str, client_state: str | None) -> Json:
        item = {
            "subscriptionId": subscription,
            "subscriptionExpirationDateTime": stamp(self._world.clock.now()),
            "clientState": client_state,
            "tenantId": self._tenant,
            "changeType": "updated",
            "resource": f"Users/{uuid.uuid4()}/Contacts/forged",
            "resourceData": {"@odata.type": "#Microsoft.Graph.Contact", "id": "forged"},
        }
        return {"value": [item]}
