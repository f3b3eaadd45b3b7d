"""Stand-in for Entra ID: discovery, keys, token endpoint and the pages people sign in on; enough for msal 1.39, azure-identity 1.27 and a browser.

Addresses in its documents carry the real host: a client reaches it through a transport that redirects that host to
loopback (azure/FACTS.md, msal). What it does and does not do: emulators/ENTRA.md. `python -m emulators.entra --port N`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from emulators.corner import ASGIApp, Clock, Corner, Receive, Scope, Send, default_label
from emulators.entra_corner import EntraCorner
from emulators.entra_keys import SigningKeys
from emulators.entra_pages import COOKIE, Page, Pages
from emulators.entra_state import DEFAULT_TENANT, GRAPH, Directory, EntraError, new_id
from emulators.entra_tokens import LIFE_S, Tokens
from emulators.serving import arguments, serve

HOST = "login.microsoftonline.com"
Json = dict[str, Any]
Form = dict[str, str]
Headers = list[tuple[bytes, bytes]]


class EntraEmulator:
    """`app` is the ASGI application, `keys` what the Graph emulator verifies tokens with."""

    def __init__(self, *, clock: Clock | None = None, tenant: str = DEFAULT_TENANT, host: str = HOST) -> None:
        self.clock = clock or Clock()
        self.keys = SigningKeys()
        self.directory = Directory(tenant)
        self._host = host
        self._tokens = Tokens(self.directory, self.keys, self.clock, host)
        self._pages = Pages(self.directory, self.clock, host)
        self.corner = Corner(
            self._serve,
            clock=self.clock,
            label=default_label,
            on_reset=self._reset,
            extra=EntraCorner(self.directory, self.keys, self.clock).endpoints(),
        )
        self.app: ASGIApp = self.corner

    def _reset(self) -> None:
        self.directory.reset()
        self._pages.reset()

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
        return self._tokens.access_token(self.directory.app(client_id), audience, life_s, None)

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
        form = dict(parse_qsl(body.decode(), keep_blank_values=True)) if scope["method"] == "POST" else {}
        tenant, _, rest = scope["path"].strip("/").partition("/")
        page = self._pages.respond(scope["method"], tenant, rest, query, form, _session(scope))
        status, headers, raw = _shown(page) if page else self._told(scope["method"], tenant, rest, query, form)
        headers = [*headers, (b"cache-control", b"no-store, no-cache"), (b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    def _told(self, method: str, tenant: str, rest: str, query: Form, form: Form) -> tuple[int, Headers, bytes]:
        """The answer to a program."""
        try:
            status, payload = 200, self._route(method, tenant, rest, query, form)
        except EntraError as error:
            status, payload = error.status, self._error(error)
        return status, [(b"content-type", b"application/json; charset=utf-8")], json.dumps(payload).encode()

    def _route(self, method: str, tenant: str, rest: str, query: Form, form: Form) -> Json:
        match method, rest:
            case "GET", "discovery/instance":
                return self._instance(query)
            case "GET", "v2.0/.well-known/openid-configuration":
                return self._configuration(tenant)
            case "GET", "discovery/v2.0/keys":
                self.directory.resolve(tenant)
                return self.keys.jwks()
            case "POST", "oauth2/v2.0/token":
                return self._tokens.answer(tenant, form)
        raise EntraError("invalid_request", 900561, f"The endpoint does not accept {method} {tenant}/{rest}.", 404)

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


def _session(scope: Scope) -> str:
    """What the browser's cookie says; '' without one."""
    sent = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    pairs = (part.strip().partition("=") for part in sent.split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def _shown(page: Page) -> tuple[int, Headers, bytes]:
    """A page for people, not to be framed."""
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"x-frame-options", b"DENY")]
    if page.location:
        headers.append((b"location", page.location.encode()))
    if page.session is not None:
        life = b"" if page.session else b"; Max-Age=0"
        headers.append((b"set-cookie", f"{COOKIE}={page.session}; Path=/; HttpOnly; SameSite=Lax".encode() + life))
    return page.status, headers, page.html.encode()


def main() -> None:
    """Start alone."""
    parser = arguments("Entra ID emulator")
    parser.add_argument("--tenant", default=DEFAULT_TENANT)
    args = parser.parse_args()
    serve(EntraEmulator(tenant=args.tenant).app, host=args.host, port=args.port)


if __name__ == "__main__":
    main()
