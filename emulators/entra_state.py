"""Tenants, app registrations, secrets, codes and refresh tokens of the Entra emulator, and the errors it answers.

No HTTP here. Times come from the caller, in seconds since 1970.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

GRAPH = "https://graph.microsoft.com"
DEFAULT_TENANT = "11111111-2222-4333-8444-555555555555"
DEFAULT_DOMAIN = "example.onmicrosoft.com"
REFRESH_LIFE_S = 90 * 24 * 3600  # BEHAVIOUR 1.3: about 90 days, sliding
EVERYBODY = "*"
CONSENTING = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
    }
)
"""Templates of the directory roles that may consent for the organisation."""


class EntraError(Exception):
    """An OAuth error in Entra's shape: error word, AADSTS number, sentence."""

    def __init__(self, error: str, number: int, message: str, status: int = 400) -> None:
        super().__init__(f"AADSTS{number}: {message}")
        self.error = error
        self.number = number
        self.status = status


@dataclass(slots=True)
class AppRegistration:
    """An app: its application roles (granted by the admin), secrets with their expiry, delegated scopes."""

    client_id: str
    name: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    accept_assertions: bool = False
    redirect_uris: tuple[str, ...] = ()  # where the pages may send a browser back to
    secrets: dict[str, float] = field(default_factory=dict)  # value -> expiry

    def check_secret(self, given: str, now: float) -> None:
        """invalid_client unless the secret is one of the app's and still valid."""
        for value, expires in self.secrets.items():
            if hmac.compare_digest(value.encode(), given.encode()):
                if now >= expires:
                    message = f"The provided client secret keys for app '{self.client_id}' are expired."
                    raise EntraError("invalid_client", 7000222, message, 401)
                return
        message = (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret "
            f"value, not the client secret ID, for a secret added to app '{self.client_id}'."
        )
        raise EntraError("invalid_client", 7000215, message, 401)


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in, for delegated tokens. `wids`: templates of the directory roles that the account has."""

    oid: str
    upn: str
    name: str
    wids: tuple[str, ...] = ()

    @property
    def consents(self) -> bool:
        """May this person consent for the organisation?"""
        return bool(CONSENTING & set(self.wids))


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token or a code stands for."""

    client_id: str
    person: Person
    scopes: tuple[str, ...]
    expires: float
    redirect_uri: str = ""
    challenge: str = ""
    nonce: str = ""


class Directory:
    """One tenant with its apps; everything that a reset empties."""

    def __init__(self, tenant: str = DEFAULT_TENANT, domain: str = DEFAULT_DOMAIN) -> None:
        self.tenant = tenant
        self.domain = domain
        self.apps: dict[str, AppRegistration] = {}
        self.people: dict[str, Person] = {}  # by object id: who can sign in on the pages
        self.disabled: set[str] = set()  # object ids
        self.app_roles: dict[tuple[str, str], tuple[str, ...]] = {}  # app, object id -> roles assigned
        self.users_consent = True  # the tenant lets users consent for themselves
        self._consents: dict[tuple[str, str], set[str]] = {}  # app, object id or EVERYBODY -> scopes
        self._refresh: dict[str, Grant] = {}
        self._codes: dict[str, Grant] = {}

    def reset(self) -> None:
        """No apps, no people, no grants."""
        self.apps.clear()
        self.people.clear()
        self.disabled.clear()
        self.app_roles.clear()
        self.users_consent = True
        self._consents.clear()
        self._refresh.clear()
        self._codes.clear()

    def resolve(self, ref: str) -> str:
        """The tenant id behind an id, a domain, `common` or `organizations`; AADSTS90002 otherwise."""
        if ref.casefold() in (self.tenant, self.domain.casefold(), "common", "organizations"):
            return self.tenant
        message = (
            f"Tenant '{ref}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant."
        )
        raise EntraError("invalid_request", 90002, message)

    def add_app(
        self,
        client_id: str,
        *,
        roles: tuple[str, ...] = (),
        scopes: tuple[str, ...] = (),
        name: str = "vtenext connector",
        accept_assertions: bool = False,
        redirect_uris: tuple[str, ...] = (),
    ) -> AppRegistration:
        """Register an app (or replace it)."""
        app = AppRegistration(client_id, name, tuple(roles), tuple(scopes), accept_assertions, tuple(redirect_uris))
        self.apps[client_id] = app
        return app

    def app(self, client_id: str) -> AppRegistration:
        """A registered app; AADSTS700016 otherwise."""
        app = self.apps.get(client_id)
        if app is None:
            message = f"Application with identifier '{client_id}' was not found in the directory '{self.domain}'."
            raise EntraError("unauthorized_client", 700016, message)
        return app

    # people and consents ---------------------------------------------------------------------------------------

    def person(self, login: str) -> Person:
        """Who has this principal name; AADSTS50034 unknown, AADSTS50057 disabled."""
        name = login.strip().casefold()
        found = next((each for each in self.people.values() if each.upn.casefold() == name), None)
        if found is None:
            message = f"The user account does not exist in the {self.domain} directory. To sign into this application, "
            raise EntraError("invalid_grant", 50034, message + "the account must be added to the directory.")
        if found.oid in self.disabled:
            raise EntraError("invalid_grant", 50057, "The user account is disabled.")
        return found

    def consent(self, client_id: str, who: str, scopes: Iterable[str]) -> None:
        """Note a consent. `who`: an object id, or EVERYBODY."""
        self._consents.setdefault((client_id, who), set()).update(scopes)

    def withdraw(self, client_id: str) -> None:
        """Nobody has consented to this app any more; refresh tokens stay good."""
        self._consents = {key: scopes for key, scopes in self._consents.items() if key[0] != client_id}

    def consented(self, client_id: str, oid: str) -> set[str]:
        """The scopes that this person, or the organisation, consented to."""
        return self._consents.get((client_id, EVERYBODY), set()) | self._consents.get((client_id, oid), set())

    # delegated grants ------------------------------------------------------------------------------------------

    def issue_refresh(self, client_id: str, person: Person, scopes: tuple[str, ...], now: float) -> str:
        """A new refresh token."""
        token = "1.A" + secrets.token_urlsafe(48)
        self._refresh[token] = Grant(client_id, person, scopes, now + REFRESH_LIFE_S)
        return token

    def use_refresh(self, token: str, client_id: str, now: float) -> Grant:
        """The grant; the token is spent, a second use is invalid_grant; stricter than the service."""
        grant = self._refresh.pop(token, None)
        if grant is None or grant.client_id != client_id:
            message = "The refresh token is malformed, has been revoked, or was already replaced by a newer one."
            raise EntraError("invalid_grant", 70000, message)
        if now >= grant.expires:
            message = "The refresh token has expired due to inactivity."
            raise EntraError("invalid_grant", 700082, message)
        return grant

    def revoke(self, oid: str) -> int:
        """All refresh tokens of a person (password reset, admin action); returns how many."""
        gone = [token for token, grant in self._refresh.items() if grant.person.oid == oid]
        for token in gone:
            del self._refresh[token]
        return len(gone)

    def issue_code(self, grant: Grant) -> str:
        """An authorization code, as the pages and the corner do."""
        code = "1.B" + secrets.token_urlsafe(32)
        self._codes[code] = grant
        return code

    def use_code(self, code: str, client_id: str, redirect_uri: str, verifier: str, now: float) -> Grant:
        """The grant of a code: once, same app and redirect URI, PKCE verified."""
        grant = self._codes.pop(code, None)
        if grant is None or grant.client_id != client_id:
            raise EntraError("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed or is unknown.")
        if now >= grant.expires:
            raise EntraError("invalid_grant", 70008, "The provided authorization code has expired.")
        if redirect_uri != grant.redirect_uri:
            raise EntraError("invalid_grant", 500112, "The reply address does not match the one of the request.")
        digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        if grant.challenge and not hmac.compare_digest(digest, grant.challenge):
            raise EntraError("invalid_grant", 50148, "The code_verifier does not match the code_challenge.")
        return grant


def new_id() -> str:
    """Trace and correlation ids."""
    return str(uuid.uuid4())


def needed(form: Mapping[str, str], name: str) -> str:
    """A parameter that must be there; AADSTS900144 otherwise."""
    if not form.get(name):
        message = f"The request body must contain the following parameter: '{name}'."
        raise EntraError("invalid_request", 900144, message)
    return form[name]
