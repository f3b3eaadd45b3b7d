"""The routes of subscriptions: create with its handshake, list, read, renew, reauthorize, delete (BEHAVIOUR 3.1, 3.2, 3.4)."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

from emulators.graph import odata
from emulators.graph.errors import GraphError, access_denied
from emulators.graph.folders import find_folder
from emulators.graph.handshake import shake
from emulators.graph.http import Answer, Call, Router
from emulators.graph.outbound import Outbound
from emulators.graph.subscription_body import Path, Wish, accept, accept_patch, refused, render
from emulators.graph.subscriptions import Subscription, Subscriptions, Target
from emulators.graph.todo_lists import find_list
from emulators.graph.world import World

_READ = {
    "contact": ("Contacts.Read", "Contacts.ReadWrite"),
    "event": ("Calendars.Read", "Calendars.ReadWrite"),
    "task": ("Tasks.ReadWrite",),
}  # 1.1


def routes(
    router: Router, world: World, subscriptions: Subscriptions, outbound: Outbound, changed: Callable[[], None]
) -> None:
    """Add the routes. `changed` is called after each change of a subscription."""
    handlers = _Routes(world, subscriptions, outbound, changed)
    router.add("GET", "subscriptions", handlers.listing)
    router.add("POST", "subscriptions", handlers.create)
    router.add("GET", "subscriptions/{subscription}", handlers.get)
    router.add("PATCH", "subscriptions/{subscription}", handlers.patch)
    router.add("DELETE", "subscriptions/{subscription}", handlers.delete)
    router.add("POST", "subscriptions/{subscription}/reauthorize", handlers.reauthorize)


class _Routes:
    def __init__(
        self, world: World, subscriptions: Subscriptions, outbound: Outbound, changed: Callable[[], None]
    ) -> None:
        self._world = world
        self._subscriptions = subscriptions
        self._outbound = outbound
        self._changed = changed

    def _found(self, call: Call) -> Subscription:
        found = self._subscriptions.find(call.params["subscription"], call.caller)
        if found is None:
            raise GraphError(404, "ResourceNotFound", "The object was not found.")  # memory
        return found

    def _answer(self, call: Call, status: int, subscription: Subscription) -> Answer:
        body = render(subscription, created=status == 201)
        return Answer(status, {"@odata.context": f"{call.base}/$metadata#subscriptions/$entity", **body})

    def listing(self, call: Call) -> Answer:
        """Those of the app, in the order in which they were made."""
        odata.check_options(call, frozenset({"$top", "$skip", "$count"}))
        found = self._subscriptions.of_caller(call.caller)
        call.query.setdefault("$top", str(call.page_size or self._world.quirks.subscription_page))
        return Answer(200, odata.page(call, found, render, "subscriptions"))

    def get(self, call: Call) -> Answer:
        """One."""
        return self._answer(call, 200, self._found(call))

    async def create(self, call: Call) -> Answer:
        """201 after the handshake. Permissions are looked at after it (msgraph-sdk-dotnet#365), so that an endpoint may be asked
        for a subscription that never comes to be."""
        world = self._world
        wish = accept(call.json(), call.caller, world.quirks, world.clock.now())
        for url in dict.fromkeys(each for each in (wish.url, wish.lifecycle_url) if each):
            await shake(self._outbound, url, str(uuid.uuid4()), world.quirks)
        try:
            target = self._target(call, wish.path)
            self._check_room(call, wish, target)
        except GraphError as error:
            raise refused("Create", error) from error
        made = Subscription(
            self._subscriptions.next_id(),
            call.caller,
            target,
            wish.resource,
            wish.change_type,
            wish.wanted,
            wish.url,
            wish.lifecycle_url,
            wish.client_state,
            wish.expires,
            call.immutable,
            world.clock.now(),
        )
        self._subscriptions.add(made)
        self._changed()
        answer = self._answer(call, 201, made)
        answer.headers["Location"] = f"{call.base}/subscriptions/{made.id}"
        return answer

    def _target(self, call: Call, path: Path) -> Target:
        """Whose what is watched; the refusals of the mailbox's own routes, and 403 for To Do without a user (3.1)."""
        if path.kind == "task" and call.caller.user is None:
            raise access_denied()
        mailbox = self._world.mailbox(replace(call, params={"user": path.user}), *_READ[path.kind])
        if path.folder is None:
            return Target(path.kind, mailbox.owner)
        find = find_list if path.kind == "task" else find_folder
        return Target(path.kind, mailbox.owner, find(mailbox, path.folder).id)

    def _check_room(self, call: Call, wish: Wish, target: Target) -> None:
        """409 for the same once more of the same app, 403 for one too many (3.1; code and text: memory)."""
        there = self._subscriptions.of_mailbox(target.owner)
        same = [each for each in there if (each.target, each.wanted) == (target, wish.wanted)]
        if any(each.caller.app == call.caller.app for each in same):
            message = "Subscription with the same resource and changeType exists already"
            raise GraphError(409, "Conflict", message)
        if len(there) >= self._world.quirks.subscriptions_per_mailbox:
            raise GraphError(403, "Forbidden", "The mailbox has reached its maximum number of subscriptions")

    async def patch(self, call: Call) -> Answer:
        """200: the end moved, the challenge answered. Another address is shaken hands with, the same one is not (3.4, L)."""
        world, found = self._world, self._found(call)
        ends, url = accept_patch(call.json(), found.target.kind, world.quirks, world.clock.now())
        if url is not None and url != found.url:
            await shake(self._outbound, url, str(uuid.uuid4()), world.quirks)
            found = self._found(call)  # it may have ended meanwhile
            found.url = url
        if ends is not None:
            found.expires, found.renewed = ends, world.clock.now()
            found.answered()
        self._changed()
        return self._answer(call, 200, found)

    def reauthorize(self, call: Call) -> Answer:
        """204: the challenge is answered, the end stays where it is."""
        found = self._found(call)
        found.reauthorized = self._world.clock.now()
        found.answered()
        return Answer(204)

    def delete(self, call: Call) -> Answer:
        """204, and nothing more is sent."""
        self._subscriptions.end(self._found(call), "deleted")
        return Answer(204)
