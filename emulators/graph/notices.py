"""What is sent: one notice of a change, or of what befalls the subscription itself (BEHAVIOUR 3.3, 3.4). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from emulators.graph.changes import Change, Kind, What
from emulators.graph.http import Json
from emulators.graph.subscription_body import stamp
from emulators.graph.subscriptions import Subscription

LifecycleEvent = Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]
LIFECYCLE: tuple[LifecycleEvent, ...] = ("reauthorizationRequired", "subscriptionRemoved", "missed")
_TYPES: dict[Kind, tuple[str, str]] = {
    "contact": ("#Microsoft.Graph.Contact", "Contacts"),
    "event": ("#Microsoft.Graph.Event", "Events"),
    "task": ("#Microsoft.Graph.TodoTask", "todo/lists/{folder}/tasks"),  # 13.12: the payload of tasks is a guess
}


@dataclass(slots=True, eq=False)
class Notice:
    """One item on its way. `about` is a changeType or a lifecycleEvent."""

    subscription: Subscription
    about: What | LifecycleEvent
    item: str  # id of what changed; '' when the subscription itself is meant
    url: str
    body: Json
    changed: datetime  # when it happened
    due: datetime  # when it is tried (next)
    first: datetime | None = None  # when it was tried first
    attempts: int = 0

    @property
    def of_lifecycle(self) -> bool:
        """It is about the subscription: never in one POST with changes."""
        return self.about in LIFECYCLE


def of_change(subscription: Subscription, change: Change, what: What, tenant: str, now: datetime) -> Notice:
    """`what` may differ from the change's own: a creation is told as an update, too."""
    item = change.immutable_id if subscription.immutable else change.default_id
    kind, collection = _TYPES[change.kind]
    path = f"Users/{change.owner}/{collection.format(folder=change.folder)}/{item}"
    body = {
        **_common(subscription, tenant),
        "changeType": what,
        "resource": path,
        "resourceData": {"@odata.type": kind, "@odata.id": path, "@odata.etag": change.etag, "id": item},
    }
    return Notice(subscription, what, item, subscription.url, body, now, now)


def of_lifecycle(subscription: Subscription, event: LifecycleEvent, tenant: str, now: datetime) -> Notice:
    """No resource, no changeType (3.4)."""
    body = {**_common(subscription, tenant), "lifecycleEvent": event}
    return Notice(subscription, event, "", subscription.lifecycle_url, body, now, now)


def _common(subscription: Subscription, tenant: str) -> Json:
    return {
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": stamp(subscription.expires),
        "clientState": subscription.client_state,
        "tenantId": tenant,
    }
