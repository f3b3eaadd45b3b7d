"""What connecting a mailbox asks of Entra, and the shapes of its answers. No I/O; sync.sides.graph fills the port."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

GRAPH_SCOPES = (
    "Contacts.ReadWrite",
    "Calendars.ReadWrite",
    "Tasks.ReadWrite",
    "MailboxSettings.ReadWrite",
    "User.Read",
)
"""Delegated permissions that a user signs in with. offline_access, openid and profile come on top (msal adds them)."""
NEEDED = frozenset({"Contacts.ReadWrite", "Calendars.ReadWrite", "User.Read"})
"""Without these nothing can be synchronised; without the others tasks, or colours of categories, wait."""

_GUEST = "#ext#"


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in that began. `secret`: what redeeming needs (PKCE verifier, nonce): for the store, encrypted."""

    url: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Granted:
    """What Entra gave for a code or a refresh token. `scopes` without the resource; `consents`: the account may consent for the organisation."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    scopes: tuple[str, ...]
    tenant: str = ""
    oid: str = ""
    consents: bool = False


class Declined(Exception):
    """The person, or Entra for the person's sake, did not go through with it. `code`: an outcome of sync.connecting."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Entra(Protocol):
    """The application's dealings with Entra for people. All raise what sync.errors names."""

    async def authorize(self, redirect_uri: str, state: str) -> Flow:
        """Where the popup goes."""
        ...

    async def redeem(self, secret: str, answer: Mapping[str, str]) -> Granted:
        """The tokens for the answer that came to the redirect address. Raises Declined."""
        ...

    async def refresh(self, mailbox: str, refresh_token: str, scopes: Sequence[str]) -> Granted:
        """Spend a refresh token. Raises ReconnectNeeded or StopMailbox when it is valid no more."""
        ...

    async def consent_url(self, redirect_uri: str, state: str) -> str:
        """Where an administrator of the tenant consents for everybody."""
        ...

    async def tenant(self) -> str:
        """The tenant's id, also where the settings name one of its domains."""
        ...

    async def check(self) -> None:
        """Are tenant, application and secret right? One request, which needs no consent."""
        ...


def named_as_guest(names: Iterable[str]) -> bool:
    """Is one of these a principal name as a tenant gives it to its guests?"""
    return any(_GUEST in name.lower() for name in names)
