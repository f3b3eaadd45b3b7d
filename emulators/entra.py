"""Stand-in for Entra ID: discovery, keys and the token endpoint, enough for msal 1.39 and azure-identity 1.27.

Addresses in its documents carry the real host: a client reaches it through a transport that redirects that host to
loopback (azure/FACTS.md, msal). It never shows a sign-in page yet; codes are issued through the corner.
`python -m emulators.entra --port N`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

import jwt

from emulators.corner import ASGIApp, Clock, Corner, Receive, Scope, Send, default_label
from emulators.entra_keys import SigningKeys
from emulators.entra_state import (
    DEFAULT_TENANT,
    GRAPH,
    AppRegistration,
    Directory,
    EntraError,
    Grant,
    Person,
    new_id,
)
from emulators.serving import arguments, serve

LIFE_S = 3599  # BEHAVIOUR 1.2: expires_in of the sample
HOST = "login.microsoftonline.com"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Json = dict[str, Any]
Form = dict[str, str]


class EntraEmulator:
    """`app` is the ASGI application, `keys` what the Graph emulator verifies tokens with."""

    def __init__(self, *, clock: Clock | None = None, tenant: str = DEFAULT_TENANT, host: str = HOST) -> None:
        self.clock = clock or Clock()
        self.keys = SigningKeys()
        self.directory = Directory(tenant)
        self._host = host
        self._grants: dict[str, Callable[[AppRegistration, Form], Json]] = {
            "client_credentials": self._client_credentials,
            "refresh_token": self._refresh_token,
            "authorization_code": self._authorization_code,
        }
        self.corner = Corner(
            self._serve,
            clock=self.clock,
            label=default_label,
            on_reset=self.directory.reset,
            extra=self._endpoints(),
        )
        self.app: ASGIApp = self.corner

    @property
    def tenant(self) -> str:
        """The id of the only tenant."""
        return self.directory.tenant

    def add_app(self, client_id: str, secret: str, *, roles: tuple[str, ...], expires_in_s: float = 1e9) -> None:
        """Register an app with one secret."""
        app = self.directory.add_app(client_id, roles=roles)
        app.secrets[secret] = self._now() + expires_in_s

    def app_token(self, client_id: str, *, audience: str = GRAPH, life_s: int = LIFE_S) -> str:
        """An app-only access token without the round trip, for tests."""
        return self._access_token(self.directory.app(client_id), audience, life_s, None)

    def _now(self) -> float:
        return self.clock.now().timestamp()

    # ASGI ------------------------------------------------------------------------------------------------------

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = dict(parse_qsl(scope["query_string"].decode()))
        try:
            status, payload = 200, self._route(scope["method"], scope["path"].strip("/"), body, query)
        except EntraError as error:
            status, payload = error.status, self._error(error)
        raw = json.dumps(payload).encode()
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"cache-control", b"no-store, no-cache"),
            (b"content-length", str(len(raw)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    def _route(self, method: str, path: str, body: bytes, query: Form) -> Json:
        tenant, _, rest = path.partition("/")
        match method, rest:
            case "GET", "discovery/instance":
                return self._instance(query)
            case "GET", "v2.0/.well-known/openid-configuration":
                return self._configuration(tenant)
            case "GET", "discovery/v2.0/keys":
                self.directory.resolve(tenant)
                return self.keys.jwks()
            case "POST", "oauth2/v2.0/token":
                return self._token(tenant, dict(parse_qsl(body.decode(), keep_blank_values=True)))
        raise EntraError("invalid_request", 900561, f"The endpoint does not accept {method} {path}.", 404)

    def _error(self, error: EntraError) -> Json:
        trace, correlation = new_id(), new_id()
        timestamp = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        suffix = f" Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
        return {
            "error": error.error,
            "error_description": f"{error}{suffix}",
            "error_codes": [error.number],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://{self._host}/error?code={error.number}",
        }

    # discovery -------------------------------------------------------------------------------------------------

    def _instance(self, query: Form) -> Json:
        authorize = query.get("authorization_endpoint", "").split("/")
        tenant = authorize[3] if len(authorize) > 3 else "common"
        alias = {"preferred_network": self._host, "preferred_cache": "login.windows.net"}
        return {
            "tenant_discovery_endpoint": f"https://{self._host}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [{**alias, "aliases": [self._host, "login.windows.net", "sts.windows.net"]}],
        }

    def _configuration(self, ref: str) -> Json:
        tenant = self.directory.resolve(ref)
        base = f"https://{self._host}/{ref}"
        issuer = "{tenantid}" if ref in ("common", "organizations") else tenant
        return {
            "issuer": f"https://{self._host}/{issuer}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code", "id_token", "code id_token"],
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
            "cloud_instance_name": "microsoftonline.com",
        }

    # tokens ----------------------------------------------------------------------------------------------------

    def _token(self, tenant: str, form: Form) -> Json:
        self.directory.resolve(tenant)
        grant = self._grants.get(_needed(form, "grant_type"))
        if grant is None:
            raise EntraError("unsupported_grant_type", 70003, "The app requested an unsupported grant type.")
        app = self.directory.app(_needed(form, "client_id"))
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
        scope = _needed(form, "scope")
        if not scope.endswith("/.default") or " " in scope:
            message = f"The provided value for scope {scope} is not valid. Client credential flows must have a scope "
            message += "value with /.default suffixed to the resource identifier (application ID URI)."
            raise EntraError("invalid_scope", 1002012, message)
        audience = scope.removesuffix("/.default")
        token = self._access_token(app, audience, LIFE_S, None)
        return {"token_type": "Bearer", "expires_in": LIFE_S, "ext_expires_in": LIFE_S, "access_token": token}

    def _refresh_token(self, app: AppRegistration, form: Form) -> Json:
        grant = self.directory.use_refresh(_needed(form, "refresh_token"), app.client_id, self._now())
        return self._delegated(app, grant, form.get("scope"))

    def _authorization_code(self, app: AppRegistration, form: Form) -> Json:
        code, redirect = _needed(form, "code"), _needed(form, "redirect_uri")
        verifier = form.get("code_verifier", "")
        grant = self.directory.use_code(code, app.client_id, redirect, verifier, self._now())
        return self._delegated(app, grant, form.get("scope"))

    def _delegated(self, app: AppRegistration, grant: Grant, wanted: str | None) -> Json:
        """Access token, id token when openid was granted, a new refresh token when offline_access was (1.3)."""
        prefix = GRAPH + "/"
        asked = [each.removeprefix(prefix) for each in wanted.split()] if wanted else list(grant.scopes)
        scopes = tuple(each for each in asked if each in grant.scopes)
        api = [each for each in scopes if each not in ("openid", "profile", "email", "offline_access")]
        body: Json = {
            "token_type": "Bearer",
            "scope": " ".join(prefix + each for each in api),
            "expires_in": LIFE_S,
            "ext_expires_in": LIFE_S,
            "access_token": self._access_token(app, GRAPH, LIFE_S, replace(grant, scopes=tuple(api))),
        }
        if "offline_access" in grant.scopes:
            body["refresh_token"] = self.directory.issue_refresh(app.client_id, grant.person, grant.scopes, self._now())
        if "openid" in grant.scopes:
            body["id_token"] = self._id_token(app, grant)
        return body

    def _access_token(self, app: AppRegistration, audience: str, life_s: int, grant: Grant | None) -> str:
        now = int(self._now())
        claims: Json = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "iat": now,
            "nbf": now,
            "exp": now + life_s,
            "app_displayname": app.name,
            "appid": app.client_id,
            "tid": self.tenant,
            "uti": new_id(),
            "ver": "1.0",
        }
        if grant is None:
            claims |= {"idtyp": "app", "oid": app.client_id, "sub": app.client_id, "roles": list(app.roles)}
        else:
            person = grant.person
            claims |= {"idtyp": "user", "oid": person.oid, "sub": person.oid, "upn": person.upn}
            claims |= {"name": person.name, "scp": " ".join(grant.scopes)}
        return self.keys.sign(claims)

    def _id_token(self, app: AppRegistration, grant: Grant) -> str:
        now, person = int(self._now()), grant.person
        claims = {"aud": app.client_id, "iss": f"https://{self._host}/{self.tenant}/v2.0", "iat": now, "nbf": now}
        claims |= {"exp": now + LIFE_S, "name": person.name, "oid": person.oid, "sub": person.oid}
        claims |= {"preferred_username": person.upn, "tid": self.tenant, "ver": "2.0"}
        if person.wids:  # an optional claim, here always asked for (memory)
            claims["wids"] = list(person.wids)
        return self.keys.sign(claims | ({"nonce": grant.nonce} if grant.nonce else {}))

    # the corner's own endpoints --------------------------------------------------------------------------------

    def _endpoints(self) -> dict[tuple[str, str], Callable[[Json], Any]]:
        return {
            ("GET", "tenant"): lambda _: {"id": self.tenant, "domain": self.directory.domain},
            ("POST", "apps"): self._post_app,
            ("POST", "secrets"): self._post_secret,
            ("POST", "refresh-tokens"): self._post_refresh,
            ("POST", "revoke"): lambda given: {"revoked": self.directory.revoke(given["oid"])},
            ("POST", "codes"): self._post_code,
            ("POST", "rotate-keys"): lambda _: self.keys.rotate(),
        }

    def _post_app(self, given: Json) -> None:
        """{client_id, roles, scopes?, name?, accept_assertions?, secrets?: [{value, expires?}]}"""
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
        """{client_id, person, scopes, redirect_uri, challenge?, nonce?}: what the authorize page will do."""
        rest = {key: given.get(key, "") for key in ("redirect_uri", "challenge", "nonce")}
        person, scopes = Person(**given["person"]), tuple(given["scopes"])
        grant = Grant(given["client_id"], person, scopes, self._now() + 600, **rest)
        return {"code": self.directory.issue_code(grant)}


def _needed(form: Form, name: str) -> str:
    if not form.get(name):
        message = f"The request body must contain the following parameter: '{name}'."
        raise EntraError("invalid_request", 900144, message)
    return form[name]


def main() -> None:
    """Start alone."""
    parser = arguments("Entra ID emulator")
    parser.add_argument("--tenant", default=DEFAULT_TENANT)
    args = parser.parse_args()
    serve(EntraEmulator(tenant=args.tenant).app, host=args.host, port=args.port)


if __name__ == "__main__":
    main()
