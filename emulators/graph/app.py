"""The Microsoft Graph emulator as one object: the ASGI app, its corner, and what tests do to the tenant.

Composition only: resources live in their own modules and add their routes here. It never talks to product code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any

import httpx

from emulators.corner import ASGIApp, Clock, Corner, Fault, Receive, Scope, Send
from emulators.graph import (
    calendar_delta,
    calendar_view,
    calendars,
    categories,
    contacts,
    event_actions,
    events,
    folders,
    places,
    subscription_routes,
    todo_children,
    todo_lists,
    todo_tasks,
    users,
)
from emulators.graph.auth import KeySource, TokenCheck
from emulators.graph.batch import Batch, PartFaults, is_batch
from emulators.graph.delta import DeltaService
from emulators.graph.errors import GraphError, bad_request
from emulators.graph.http import (
    VERSION,
    Answer,
    Call,
    Caller,
    Json,
    Router,
    error_answer,
    label,
    read_body,
    respond,
    split_path,
    split_query,
)
from emulators.graph.notification_hands import NotificationHands
from emulators.graph.notifying import Notifier
from emulators.graph.outbound import Outbound
from emulators.graph.outlook import Outlook
from emulators.graph.quirks import Quirks
from emulators.graph.subscriptions import Subscriptions
from emulators.graph.throttle import Throttle
from emulators.graph.world import World

_ANYBODY = Caller("in-process")
TENANT = "11111111-2222-4333-8444-555555555555"  # the Entra emulator's, unless told otherwise


class GraphEmulator:
    """`app` is the ASGI application; `outlook` is the user's hand; `quirks` are the switches; `notifications` is what tests do
    to those. Notifications go over the network, or through the transport `notify_through`."""

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        keys: KeySource | None = None,
        auth: bool = True,
        tenant: str = TENANT,
        notify_through: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if auth and keys is None:
            raise ValueError("hand in the keys of the Entra emulator, or auth=False")
        self.clock = clock or Clock()
        self.world = World(self.clock)
        self.outlook = Outlook(self.world)
        self.throttle = Throttle(self.clock)
        self.parts = PartFaults()
        self._tokens = TokenCheck(keys, self.clock) if auth and keys is not None else None
        self._deltas = DeltaService(self.world)
        outbound = Outbound(notify_through)
        self._subscriptions = Subscriptions(self.clock)
        self._notifier = Notifier(self.world, self._subscriptions, outbound, tenant)
        self.world.hear = self._notifier.heard
        self.notifications = NotificationHands(self.world, self._subscriptions, self._notifier, tenant)
        self._router = Router()
        users.routes(self._router, self.world)
        folders.routes(self._router, self.world, self._deltas)
        contacts.routes(self._router, self.world, self._deltas)
        calendars.routes(self._router, self.world)
        events.routes(self._router, self.world)
        event_actions.routes(self._router, self.world)
        categories.routes(self._router, self.world)
        places.routes(self._router, self.world)
        calendar_view.routes(self._router, self.world)
        calendar_delta.routes(self._router, self.world, self._deltas)
        todo_lists.routes(self._router, self.world, self._deltas)
        todo_tasks.routes(self._router, self.world, self._deltas)
        todo_children.routes(self._router, self.world)
        subscription_routes.routes(self._router, self.world, self._subscriptions, outbound, self._notifier.changed)
        self._batch = Batch(self._operation, self.parts, self._failure)
        self.corner = Corner(self._serve, clock=self.clock, label=label, on_reset=self._reset, extra=self._endpoints())
        self.app: ASGIApp = self.corner

    # the tenant ------------------------------------------------------------------------------------------------

    @property
    def quirks(self) -> Quirks:
        """The switches; a reset puts them back."""
        return self.world.quirks

    def add_user(self, mail: str, display_name: str, licensed: bool = True, aliases: Collection[str] = ()) -> str:
        """A new user of the tenant; returns the object id."""
        return self.world.add_user(mail, display_name, licensed, aliases).id

    def set_user(
        self, user: str, *, licensed: bool | None = None, enabled: bool | None = None, time_zone: str | None = None
    ) -> None:
        """Give or take the licence (and so the mailbox's reachability), enable or disable the account, set its time zone."""
        found = self.world.users[self.outlook.mailbox(user).owner]
        found.licensed = found.licensed if licensed is None else licensed
        found.enabled = found.enabled if enabled is None else enabled
        found.time_zone = found.time_zone if time_zone is None else time_zone
        if not found.licensed:
            self._notifier.mailbox_gone(found.id)

    def remove_user(self, user: str) -> None:
        """Out of the tenant, mailbox and subscriptions and all."""
        self._notifier.mailbox_gone(self.world.user(user).id)
        self.world.remove_user(user)

    def expire_delta(self, user: str) -> None:
        """Every delta token of the mailbox given out so far answers 410."""
        self._deltas.expire(self.outlook.mailbox(user))

    def dump(self, user: str) -> Json:
        """What the mailbox of a user holds."""
        return self.outlook.dump(user)

    def _reset(self) -> None:
        self.world.reset()
        self._deltas.reset()
        self.throttle.reset()
        self.parts.reset()
        self._subscriptions.reset()
        self._notifier.reset()
        if self._tokens is not None:
            self._tokens.reset()

    # ASGI ------------------------------------------------------------------------------------------------------

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"the emulator speaks HTTP only, not {scope['type']}")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            body = await read_body(receive)
            caller = _ANYBODY if self._tokens is None else await self._tokens.caller(headers.get("authorization"))
            call = self._call(scope, headers, body, caller)
            if is_batch(call.segments):
                answer = await self._run_batch(call)
            else:
                answer = await self._operation(call)
        except GraphError as error:
            answer = error_answer(error, self.clock, headers)
        self._notifier.office.wake()
        await respond(send, answer, headers)

    def _call(self, scope: Scope, headers: dict[str, str], body: bytes, caller: Caller) -> Call:
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1").partition("?")[0]
        if not path.startswith(VERSION + "/"):
            raise bad_request(f"Invalid version: {path.strip('/').partition('/')[0]}")
        host = headers.get("host", "localhost")
        base = f"{scope.get('scheme', 'http')}://{host}{VERSION}"
        query = split_query(scope["query_string"].decode("latin-1"))
        return Call(scope["method"], split_path(path[len(VERSION) :]), query, headers, body, base, caller)

    async def _run_batch(self, call: Call) -> Answer:
        if call.method != "POST":
            raise GraphError(405, "BadRequest", "The batch endpoint takes POST only.")
        quirks = self.quirks
        losses = (lambda: self.throttle.refusal(quirks)) if quirks.parallel_batch_losses else None
        return await self._batch.run(call, losses=losses)

    async def _operation(self, call: Call) -> Answer:
        """One request or one part of a batch: throttled, slow as the corner says, answered."""
        slot: tuple[str, str] | None = None
        try:
            self._resolve_me(call)
            if len(call.segments) > 2 and call.segments[0].lower() == "users":
                slot = self.throttle.enter(self.quirks, call.caller.app, self.world.owner(call.segments[1]))
            service = self.corner.service_time()
            if service:
                await asyncio.sleep(service)
            told = self._router.find(call)(call)
            answer = await told if isinstance(told, Awaitable) else told
        except GraphError as error:
            return self._failure(error, call)
        finally:
            if slot is not None:
                self.throttle.leave(slot)
        self._note_preferences(call, answer)
        return answer

    def _resolve_me(self, call: Call) -> None:
        """`/me` is the user of a delegated token; app-only tokens have none (BEHAVIOUR 1.1)."""
        if call.segments[0].lower() == "me":
            if call.caller.user is None:
                raise bad_request("/me request is only valid with delegated authentication flow.")
            call.segments = ("users", call.caller.user, *call.segments[1:])

    def _note_preferences(self, call: Call, answer: Answer) -> None:
        todo = len(call.segments) > 2 and call.segments[2].lower() == "todo"  # no immutable ids there (BEHAVIOUR 5.2)
        applied = ["IdType=ImmutableId"] if call.immutable and not todo else []
        if call.page_size is not None and call.method == "GET":
            applied.append(f"odata.maxpagesize={call.page_size}")
        if len(call.segments) > 2 and {"events", "calendarview"} & {each.lower() for each in call.segments[2:]}:
            applied += [f'outlook.timezone="{call.timezone}"'] if call.timezone else []
            applied += [f'outlook.body-content-type="{call.body_type}"'] if call.body_type else []
        if applied:
            answer.headers["Preference-Applied"] = ", ".join(applied)

    def _failure(self, error: GraphError, call: Call) -> Answer:
        return error_answer(error, self.clock, call.headers)

    # the corner's own endpoints (README.md) ----------------------------------------------------------------------

    def _endpoints(self) -> dict[tuple[str, str], Any]:
        return {
            ("GET", "users"): lambda _: [_user(each) for each in self.world.users.values()],
            ("POST", "users"): lambda given: {"id": self.add_user(**given)},
            ("PATCH", "users"): lambda given: self.set_user(**given),
            ("DELETE", "users"): lambda given: self.remove_user(given["user"]),
            ("POST", "mailbox"): lambda given: self.dump(given["user"]),
            ("POST", "outlook"): self._post_outlook,
            ("GET", "mails"): lambda _: {"total": len(self.world.post.mails), "mails": self.outlook.mails()},
            ("DELETE", "mails"): lambda _: self.world.post.mails.clear(),
            ("POST", "expire-delta"): lambda given: self.expire_delta(given["user"]),
            ("GET", "quirks"): lambda _: self.quirks.as_dict(),
            ("PUT", "quirks"): self._put_quirks,
            ("GET", "parts"): lambda _: {"total": self.parts.counts.total(), "by": dict(self.parts.counts)},
            ("POST", "part-faults"): self._post_part_fault,
            ("GET", "throttle"): lambda _: {"refused": self.throttle.refused, "peak": self.throttle.peak},
            **self.notifications.endpoints(),
        }

    def _post_outlook(self, given: Json) -> Json:
        """{"do": "edit", ...arguments of the method of that name}: a person's hand."""
        name = given["do"]
        if name.startswith("_") or name in ("mailbox", "dump") or not hasattr(Outlook, name):
            raise ValueError(f"Outlook cannot {name!r}")
        result = getattr(self.outlook, name)(**{key: value for key, value in given.items() if key != "do"})
        return {"result": result}

    def _put_quirks(self, given: Json) -> Json:
        self.quirks.update(given)
        return self.quirks.as_dict()

    def _post_part_fault(self, given: Json) -> None:
        options = {name: given[name] for name in ("match", "nth", "times") if name in given}
        self.parts.add(Fault(**given["fault"]), **options)


def _user(user: Any) -> Json:
    return {"id": user.id, "mail": user.mail, "displayName": user.display_name, "licensed": user.licensed}
