"""The token endpoint of the Entra emulator: grants, client authentication, and the tokens themselves. No HTTP here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt

from emulators.corner import Clock
from emulators.entra_keys import SigningKeys
from emulators.entra_state import GRAPH, AppRegistration, Directory, EntraError, Grant, needed, new_id

LIFE_S = 3599  # BEHAVIOUR 1.2: expires_in of the sample
OPENID = ("openid", "profile", "email", "offline_access")
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Json = dict[str, Any]
Form = dict[str, str]


class Tokens:
    """Issues what a valid request may have; EntraError otherwise. `host`: the public one, in issuers."""

    def __init__(self, directory: Directory, keys: SigningKeys, clock: Clock, host: str) -> None:
        self._directory = directory
        self._keys = keys
        self._clock = clock
        self._host = host
        self._grants: dict[str, Callable[[AppRegistration, Form], Json]] = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh_token,
            "authorization_code": self._authorization_code,
        }

    def _now(self) -> float:
        return self._clock.now().timestamp()

    def answer(self, tenant: str, form: Form) -> Json:
        """The answer of the token endpoint."""
        self._directory.resolve(tenant)
        grant = self._grants.get(needed(form, "grant_type"))
        if grant is None:
            raise EntraError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        app = self._directory.app(needed(form, "client_id"))
        self._authenticate(app, form)
        return grant(app, form)

    def _authenticate(self, app: AppRegistration, form: Form) -> None:
        """By secret, or by assertion where the app accepts one. Public clients exist for codes with PKCE only."""
        if "client_secret" in form:
            app.check_secret(form["client_secret"], self._now())
        elif form.get("client_assertion_type") == _ASSERTION:
            self._check_assertion(app, form.get("client_assertion", ""))
        elif form["grant_type"] == "client_credentials" or app.secrets or app.accept_assertions:
            message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise EntraError("invalid_client", 7000218, message, 401)

    def _check_assertion(self, app: AppRegistration, assertion: str) -> None:
        """Any well-formed, living JWT counts, where the app accepts assertions: whose key signed it is not checked."""
        if not app.accept_assertions:
            message = "No matching federated identity record found for presented assertion."
            raise EntraError("invalid_client", 700213, message, 401)
        try:
            claims = jwt.decode(assertion, options={"verify_signature": False})
        except jwt.PyJWTError as error:
            message = "Client assertion is malformed."
            raise EntraError("invalid_client", 50027, message, 401) from error
        if float(claims.get("exp", 0)) <= self._now():
            message = "Client assertion is not within its valid time range."
            raise EntraError("invalid_client", 700024, message, 401)

    def _client_credentials(self, app: AppRegistration, form: Form) -> Json:
        scope = needed(form, "scope")
        if not scope.endswith("/.default") or " " in scope:
            message = f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            message += "value with /.default suffixed to the resource identifier (application ID URI)."
            raise EntraError("invalid_scope", 1002012, message)
        audience = scope.removesuffix("/.default")
        token = self.access_token(app, audience, LIFE_S, None)
        return {"token_type": "Bearer", "expires_in": LIFE_S, "ext_expires_in": LIFE_S, "access_token": token}

    def _refresh_token(self, app: AppRegistration, form: Form) -> Json:
        grant = self._directory.use_refresh(needed(form, "refresh_token"), app.client_id, self._now())
        return self._delegated(app, grant, form.get("scope"))

    def _authorization_code(self, app: AppRegistration, form: Form) -> Json:
        code, redirect = needed(form, "code"), needed(form, "redirect_uri")
        verifier = form.get("code_verifier", "")
        grant = self._directory.use_code(code, app.client_id, redirect, verifier, self._now())
        return self._delegated(app, grant, form.get("scope"))

    def _delegated(self, app: AppRegistration, grant: Grant, wanted: str | None) -> Json:
        """Access token, id token when openid was granted, a new refresh token when offline_access was (1.3)."""
        prefix = GRAPH + "/"
        asked = [each.removeprefix(prefix) for each in wanted.split()] if wanted else list(grant.scopes)
        scopes = tuple(each for each in asked if each in grant.scopes)
        api = [each for each in scopes if each not in OPENID]
        body: Json = {
            "token_type": "Bearer",
            "scope": " ".join(prefix + each for each in api),
            "expires_in": LIFE_S,
            "ext_expires_in": LIFE_S,
            "access_token": self.access_token(app, GRAPH, LIFE_S, replace(grant, scopes=tuple(api))),
        }
        if "offline_access" in grant.scopes:
            body["refresh_token"] = self._directory.issue_refresh(
                app.client_id, grant.person, grant.scopes, self._now()
            )
        if "openid" in grant.scopes:
            body["id_token"] = self._id_token(app, grant)
        return body

    def access_token(self, app: AppRegistration, audience: str, life_s: int, grant: Grant | None) -> str:
        """Of a person, or app-only without a grant."""
        now = int(self._now())
        claims: Json = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self._directory.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + life_s,
            "app_displayname": app.name,
            "appid": app.client_id,
            "tid": self._directory.tenant,
            "uti": new_id(),
            "ver": "1.0",
        }
        if grant is None:
            claims |= {"idtyp": "app", "oid": app.client_id, "sub": app.client_id, "roles": list(app.roles)}
        else:
            person = grant.person
            claims |= {"idtyp": "user", "oid": person.oid, "sub": person.oid, "upn": person.upn}
            claims |= {"name": person.name, "scp": " ".join(grant.scopes)}
        return self._keys.sign(claims)

    def _id_token(self, app: AppRegistration, grant: Grant) -> str:
        now, person = int(self._now()), grant.person
        claims = {
            "aud": app.client_id,
            "iss": f"https://{self._host}/{self._directory.tenant}/v2.0",
            "iat": now,
            "nbf": now,
        }
        claims |= {"exp": now + LIFE_S, "name": person.name, "oid": person.oid, "sub": person.oid}
        claims |= {"preferred_username": person.upn, "tid": self._directory.tenant, "ver": "2.0"}
        if person.wids:  # an optional claim, here always asked for (memory)
            claims["wids"] = list(person.wids)
        if roles := self._directory.app_roles.get((app.client_id, person.oid)):
            claims["roles"] = list(roles)
        return self._keys.sign(claims | ({"nonce": grant.nonce} if grant.nonce else {}))
