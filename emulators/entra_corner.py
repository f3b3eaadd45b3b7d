"""What the corner of the Entra emulator can do besides the usual: apps, secrets, people, consents, tokens and codes without a page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from emulators.corner import Clock, Endpoint
from emulators.entra_keys import SigningKeys
from emulators.entra_state import EVERYBODY, Directory, Grant, Person

Json = dict[str, Any]


class EntraCorner:
    """The endpoints over one directory."""

    def __init__(self, directory: Directory, keys: SigningKeys, clock: Clock) -> None:
        self.directory = directory
        self.keys = keys
        self._clock = clock

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def endpoints(self) -> dict[tuple[str, str], Endpoint]:
        """By method and path under /_emulator/."""
        return {
            ("GET", "tenant"): lambda _: {"id": self.directory.tenant, "domain": self.directory.domain},
            ("POST", "apps"): self._post_app,
            ("POST", "secrets"): self._post_secret,
            ("POST", "refresh-tokens"): self._post_refresh,
            ("POST", "revoke"): lambda given: {"revoked": self.directory.revoke(given["oid"])},
            ("POST", "codes"): self._post_code,
            ("POST", "people"): self._post_person,
            ("POST", "consents"): self._post_consent,
            ("DELETE", "consents"): lambda given: self.directory.withdraw(given["client_id"]),
            ("PUT", "users-consent"): self._put_users_consent,
            ("POST", "rotate-keys"): lambda _: self.keys.rotate(),
        }

    def _post_app(self, given: Json) -> None:
        """{client_id, roles, scopes?, name?, redirect_uris?, accept_assertions?, secrets?: [{value, expires?}]}"""
        options = {key: value for key, value in given.items() if key not in ("client_id", "secrets")}
        self.directory.add_app(given["client_id"], **options)
        for each in given.get("secrets", []):
            self._post_secret({"client_id": given["client_id"], **each})

    def _post_secret(self, given: Json) -> None:
        """{client_id, value, expires?: iso, remove?: bool}: add, change the expiry of, or remove a secret."""
        if given["client_id"] not in self.directory.apps:
            raise ValueError(f"no app {given['client_id']!r}")
        secrets = self.directory.apps[given["client_id"]].secrets
        if given.get("remove"):
            del secrets[given["value"]]
            return
        text = given.get("expires")
        moment = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else self._now() + 1e9
        secrets[given["value"]] = moment

    def _post_refresh(self, given: Json) -> Json:
        """{client_id, person: {oid, upn, name}, scopes}"""
        person, scopes = Person(**given["person"]), tuple(given["scopes"])
        return {"refresh_token": self.directory.issue_refresh(given["client_id"], person, scopes, self._now())}

    def _post_code(self, given: Json) -> Json:
        """{client_id, person, scopes, redirect_uri, challenge?, nonce?}: a code without the pages."""
        rest = {key: given.get(key, "") for key in ("redirect_uri", "challenge", "nonce")}
        person, scopes = Person(**given["person"]), tuple(given["scopes"])
        grant = Grant(given["client_id"], person, scopes, self._now() + 600, **rest)
        return {"code": self.directory.issue_code(grant)}

    def _post_person(self, given: Json) -> None:
        """{oid, upn, name, wids?, app_roles?: {client_id: [role]}, enabled?}: somebody who can sign in on the pages."""
        person = Person(given["oid"], given["upn"], given["name"], tuple(given.get("wids", ())))
        self.directory.people[person.oid] = person
        for client_id, roles in given.get("app_roles", {}).items():
            self.directory.app_roles[client_id, person.oid] = tuple(roles)
        (self.directory.disabled.discard if given.get("enabled", True) else self.directory.disabled.add)(person.oid)

    def _post_consent(self, given: Json) -> None:
        """{client_id, scopes, oid?}: consented to already; without oid for the organisation."""
        self.directory.consent(given["client_id"], given.get("oid", EVERYBODY), given["scopes"])

    def _put_users_consent(self, given: Json) -> None:
        """{allowed}: may users consent for themselves?"""
        self.directory.users_consent = bool(given["allowed"])
