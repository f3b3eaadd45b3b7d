"""What the payload of a subscription may say, and how it reads back (BEHAVIOUR 3.1, 3.4; schema microsoft.graph.subscription).

Pure but for the errors that it raises. Whether the caller may watch the resource is decided later (`subscription_routes.py`).
"""

from __future__ import annotations

import ipaddress
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from emulators.graph.changes import WHATS, Kind, What
from emulators.graph.errors import GraphError, bad_request
from emulators.graph.http import Caller, Json, split_path
from emulators.graph.quirks import Quirks
from emulators.graph.subscriptions import Subscription

SHORTEST = timedelta(minutes=45)  # 3.1: anything under it is raised
TASK_MINUTES = 4230  # 3.1
_CLIENT_STATE = 128
_WRITABLE = frozenset({
    "changeType", "notificationUrl", "lifecycleNotificationUrl", "resource", "expirationDateTime", "clientState",
    "latestSupportedTlsVersion", "includeResourceData",
})  # fmt: skip
_REQUIRED = ("changeType", "notificationUrl", "resource", "expirationDateTime")
_PATCHABLE = frozenset({"expirationDateTime", "notificationUrl"})  # 3.4; the schema has the second
_HOST = re.compile(r"[A-Za-z0-9.-]+|[0-9A-Fa-f:.]+")
_APPS = uuid.UUID("2f0d4b9b-6e34-4a7c-8d51-9be2b4a0c9d3")


@dataclass(frozen=True, slots=True)
class Path:
    """What a resource names: of which user, as sent, and which folder or list of it."""

    kind: Kind
    user: str
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A payload that is understood."""

    path: Path
    resource: str
    change_type: str
    wanted: frozenset[What]
    url: str
    lifecycle_url: str
    client_state: str | None
    expires: datetime


def refused(operation: str, error: GraphError) -> GraphError:
    """What the mailbox's own service says, as /subscriptions passes it on (msgraph-sdk-java#1209)."""
    words = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict"}
    status = words.get(error.status, str(error.status))
    message = f"Operation: {operation}; Exception: [Status Code: {status}; Reason: {error.message}]"
    return GraphError(error.status, "ExtensionError", message)


def accept(body: Json, caller: Caller, quirks: Quirks, now: datetime) -> Wish:
    """The payload of a creation; 400 for what is wrong with it."""
    _known(body, _WRITABLE)
    for name in _REQUIRED:
        if body.get(name) in (None, ""):
            raise _invalid(f"{name} is a required property for subscription creation")  # docs-contrib#7399
    if body.get("includeResourceData"):
        raise _invalid("encryptionCertificate is a required property when includeResourceData is set.")  # not emulated
    path = path_of(body["resource"], caller, quirks)
    state, lifecycle = body.get("clientState"), body.get("lifecycleNotificationUrl")
    if state is not None and (not isinstance(state, str) or len(state) > _CLIENT_STATE):
        raise _invalid(f"clientState must be a string of at most {_CLIENT_STATE} characters.")
    return Wish(
        path,
        body["resource"],
        body["changeType"],
        _wanted(body["changeType"]),
        address(body["notificationUrl"], "notificationUrl"),
        address(lifecycle, "lifecycleNotificationUrl") if lifecycle else "",
        state,
        expiry(body["expirationDateTime"], path.kind, quirks, now),
    )


def accept_patch(body: Json, kind: Kind, quirks: Quirks, now: datetime) -> tuple[datetime | None, str | None]:
    """New end and new address, None where they stay; everything else is fixed at creation (3.4)."""
    _known(body, _PATCHABLE)
    sent, url = body.get("expirationDateTime"), body.get("notificationUrl")
    if sent is None and url is None:
        raise _invalid("expirationDateTime is a required property for subscription update")
    ends = None if sent is None else expiry(sent, kind, quirks, now)
    return ends, None if url is None else address(url, "notificationUrl")


def path_of(resource: Any, caller: Caller, quirks: Quirks) -> Path:
    """The resource of a payload; 400 ExtensionError for a path that nobody can watch (docs#14948)."""
    parts = split_path(resource) if isinstance(resource, str) else ()
    if parts and parts[0].lower() == "me":
        if caller.user is None:
            raise bad_request("/me request is only valid with delegated authentication flow.")
        parts = ("users", caller.user, *parts[1:])
    match [each.lower() for each in parts]:
        case ["users", _, "contacts"]:
            return Path("contact", parts[1])
        case ["users", _, "events"]:
            return Path("event", parts[1])
        case ["users", _, "contactfolders", _, "contacts"] if quirks.folder_subscriptions == "accepted":
            return Path("contact", parts[1], parts[3])
        case ["users", _, "todo", "lists", _, "tasks"]:
            return Path("task", parts[1], parts[4])
    raise GraphError(400, "ExtensionError", "Invalid resource specified in payload")


def address(text: Any, name: str) -> str:
    """An https URL. The emulator's one relaxation: http to a loopback host, which the service could never reach."""
    try:
        url = httpx.URL(text if isinstance(text, str) else "")
    except httpx.InvalidURL:
        raise _invalid(f"{name} is not a valid URL.") from None
    host = url.raw_host.decode("ascii")
    named = _HOST.fullmatch(host) is not None and (url.port or 0) <= 65_535
    secure = url.scheme == "https" or (url.scheme == "http" and _is_loopback(host))
    if not named or not secure or url.fragment:
        raise _invalid(f"{name} must be an absolute https URL.")
    return str(text)


def expiry(sent: Any, kind: Kind, quirks: Quirks, now: datetime) -> datetime:
    """The end that is granted: 400 in the past or over the maximum, raised to 45 minutes (3.1)."""
    try:
        ends = datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        raise _invalid("expirationDateTime is not a valid date and time.") from None
    if ends.tzinfo is None:
        raise _invalid("expirationDateTime needs an offset from UTC.")
    ends = ends.astimezone(UTC)
    longest = TASK_MINUTES if kind == "task" else quirks.subscription_minutes
    if ends <= now:
        raise _invalid("Subscription expiration must be in the future.")
    if ends > now + timedelta(minutes=longest):
        message = f"Subscription expiration can only be {longest} minutes in the future."
        raise GraphError(400, "ExtensionError", message)  # seen in several public code bases
    return max(ends, now + SHORTEST)


def render(subscription: Subscription, *, created: bool = False) -> Json:
    """Every property of the schema. The clientState is told to nobody but who created it, and then only (memory)."""
    caller = subscription.caller
    return {
        "id": subscription.id,
        "resource": subscription.resource,
        "applicationId": caller.app,
        "changeType": subscription.change_type,
        "clientState": subscription.client_state if created else None,
        "notificationUrl": subscription.url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": subscription.lifecycle_url or None,
        "expirationDateTime": stamp(subscription.expires),
        "creatorId": caller.user or str(uuid.uuid5(_APPS, caller.app)),
        "includeResourceData": None,
        "latestSupportedTlsVersion": "v1_2",
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }


def stamp(at: datetime) -> str:
    """With the service's seven decimals."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _wanted(change_type: Any) -> frozenset[What]:
    names = [each.strip() for each in change_type.split(",")] if isinstance(change_type, str) else []
    if not names or len(set(names)) != len(names) or not set(names) <= set(WHATS):
        raise _invalid("changeType must be a comma separated list of created, updated and deleted.")
    return frozenset(what for what in WHATS if what in names)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _known(body: Json, names: frozenset[str]) -> None:
    unknown = [name for name in body if name not in names and "@" not in name]
    if unknown:
        raise _invalid(f"The property '{unknown[0]}' cannot be set.")


def _invalid(message: str) -> GraphError:
    return GraphError(400, "InvalidRequest", message)
