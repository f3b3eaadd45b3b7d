"""The emulated tenant: users, their mailboxes, the switches and the clock. Resources share one of these."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal

from emulators.corner import Clock
from emulators.graph.changes import Change, Hear, nobody
from emulators.graph.errors import access_denied, invalid_user, mailbox_not_enabled, resource_not_found
from emulators.graph.http import Call
from emulators.graph.mailbox import Mailbox
from emulators.graph.outbox import Post
from emulators.graph.quirks import Quirks

_NAMESPACE = uuid.UUID("6f1f6a3c-7d7e-4a59-9d0e-5b4f0a1c2d3e")


@dataclass(slots=True, eq=False)
class User:
    """A directory user with (licensed) or without a mailbox. `aliases`: further addresses; the directory shows them, no post goes to them."""

    id: str
    mail: str
    display_name: str
    licensed: bool = True
    enabled: bool = True
    kind: Literal["user", "room", "equipment"] = "user"  # the last two answer invitations by themselves (7.2)
    aliases: tuple[str, ...] = ()
    time_zone: str = "W. Europe Standard Time"  # mailboxSettings; Windows or IANA, as stored (BEHAVIOUR 8)
    mailbox: Mailbox = field(init=False)

    def __post_init__(self) -> None:
        self.mailbox = Mailbox(self.id)

    def rendered(self) -> dict[str, Any]:
        """The properties of the directory that the subset knows."""
        given, _, surname = self.display_name.partition(" ")
        return {
            "id": self.id,
            "accountEnabled": self.enabled,
            "businessPhones": [],
            "displayName": self.display_name,
            "givenName": given or None,
            "jobTitle": None,
            "mail": self.mail,
            "mobilePhone": None,
            "officeLocation": None,
            "preferredLanguage": None,
            "proxyAddresses": [f"SMTP:{self.mail}", *(f"smtp:{alias}" for alias in self.aliases)],
            "surname": surname or None,
            "userPrincipalName": self.mail,
            "userType": "Member",
        }


class World:
    """Everything that a reset empties."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.quirks = Quirks()
        self.users: dict[str, User] = {}
        self.hear: Hear = nobody  # of every change in every mailbox
        self.post = Post()
        self._refs: dict[str, User] = {}
        self.epoch = 0  # delta tokens of before a reset are unknown after it

    def reset(self) -> None:
        """No users, no mailboxes; the switches are back at their defaults."""
        self.users.clear()
        self._refs.clear()
        self.post.reset()
        self.quirks = Quirks()
        self.epoch += 1

    def add_user(self, mail: str, display_name: str, licensed: bool = True, aliases: Collection[str] = ()) -> User:
        """A new user; the object id follows from the address, so that runs can be replayed."""
        if mail.casefold() in self._refs:
            raise ValueError(f"{mail} is there already")
        user = User(str(uuid.uuid5(_NAMESPACE, mail.casefold())), mail, display_name, licensed, aliases=tuple(aliases))
        user.mailbox.hear = self._told
        self.users[user.id] = user
        self._refs[user.id] = self._refs[mail.casefold()] = user
        return user

    def _told(self, change: Change) -> None:
        self.hear(change)

    def remove_user(self, ref: str) -> None:
        """Remove a user from the tenant, mailbox and all."""
        user = self.user(ref)
        del self.users[user.id], self._refs[user.id], self._refs[user.mail.casefold()]

    def user(self, ref: str) -> User:
        """By object id or user principal name (both without case); 404 of the directory."""
        user = self._refs.get(ref) or self._refs.get(ref.casefold())
        if user is None:
            raise resource_not_found(ref)
        return user

    def at_address(self, address: str) -> User | None:
        """The user of a mail address, without case; None for strangers."""
        return self._refs.get(address.casefold())

    def owner(self, ref: str) -> str:
        """The one name under which a mailbox is throttled, however it is addressed."""
        user = self._refs.get(ref) or self._refs.get(ref.casefold())
        return user.id if user else ref

    def mailbox(self, call: Call, *roles: str) -> Mailbox:
        """The mailbox of `call`; 403 without one of `roles`, 404 without a user or a licence (BEHAVIOUR 9)."""
        if not call.caller.may(*roles):
            raise access_denied()
        ref = call.params["user"]
        user = self._refs.get(ref) or self._refs.get(ref.casefold())
        if call.caller.user is not None and (user is None or user.id != call.caller.user):
            raise access_denied()  # a delegated token opens its own user's mailbox only
        if user is None:
            raise invalid_user(ref)
        if not user.licensed:
            raise mailbox_not_enabled()
        return user.mailbox

    def now(self) -> str:
        """The present moment as the service writes it."""
        return self.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
