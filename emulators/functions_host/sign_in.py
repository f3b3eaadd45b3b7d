"""The platform's sign-in (App Service authentication, "Easy Auth"): what stands before the app on Azure.

Takes the headers away that only the platform may set, lets people in at `/.auth/...`, keeps who they are in an encrypted cookie, and says so
to the app in X-MS-CLIENT-PRINCIPAL. Decides nothing about what they may. Never logs a cookie, a code or a claim.
"""

from __future__ import annotations

import hmac
import json
import logging
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from cryptography.fernet import Fernet, InvalidToken
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from emulators.functions_host.principal import Claims, claims_of, headers_for, value_of, without_claims_of_others
from emulators.functions_host.provider import Provider, SignInFailed
from emulators.functions_host.sign_in_config import SignInConfig

log = logging.getLogger("functions_host")

SESSION, NONCE = "AppServiceAuthSession", "Nonce"
SESSION_S = 8 * 3600
LOGIN_S = 15 * 60
CALLBACK = "/.auth/login/aad/callback"
DENIED = "You do not have permission to view this directory or page."


@dataclass(slots=True)
class PlatformSignIn:
    """ASGI middleware around the app."""

    app: ASGIApp
    config: SignInConfig
    provider: Provider = field(init=False)
    _box: Fernet = field(init=False)

    def __post_init__(self) -> None:
        self.provider = Provider(self.config)
        self._box = Fernet(self.config.key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or let the app do it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        own = scope["path"].startswith("/.auth/")
        response = await self._respond(request) if own else self._barred(request)
        if response is not None:
            await response(scope, receive, send)
            return
        claims = self._signed_in(request)
        told = headers_for(claims) if claims else []
        await self.app({**scope, "headers": [*without_claims_of_others(scope["headers"]), *told]}, receive, send)

    def _barred(self, request: Request) -> Response | None:
        """The answer to somebody who may not pass; None = may."""
        path = request.url.path
        # The host's own /admin is no part of the app: its key guards it.
        free = path.startswith("/admin/") or any(
            path == each or path.startswith(each + "/") for each in self.config.excluded
        )
        if free or self.config.action == "AllowAnonymous" or self._signed_in(request):
            return None
        if self.config.action == "RedirectToLoginPage" and _is_browsing(request):
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(_login(wanted), 302)
        status = 403 if self.config.action == "Return403" else 401
        return HTMLResponse(DENIED, status)

    def _signed_in(self, request: Request) -> Claims | None:
        sealed = request.cookies.get(SESSION, "")
        opened = self._opened(sealed, SESSION_S)
        return opened if isinstance(opened, list) else None

    # /.auth/... --------------------------------------------------------------------------------------------------

    async def _respond(self, request: Request) -> Response:
        try:
            match request.method, request.url.path.lower():
                case "GET", "/.auth/login/aad":
                    return await self._begin(request)
                case "GET", "/.auth/login/aad/callback":
                    return await self._finish(request)
                case "GET", "/.auth/me":
                    return self._me(request)
                case "GET", "/.auth/logout":
                    return await self._out(request)
                case "GET", "/.auth/login/done":
                    return HTMLResponse("<main id='signed-in'>You have successfully signed in</main>")
                case "GET", "/.auth/logout/done":
                    return HTMLResponse("<main id='signed-out'>You have been signed out</main>")
        except SignInFailed as failure:
            log.info("sign-in failed: %s", failure)
            return HTMLResponse(DENIED, 401)
        except httpx.HTTPError as error:
            log.warning("sign-in failed: the provider cannot be reached (%s)", type(error).__name__)
            return HTMLResponse("The identity provider cannot be reached.", 500)
        return Response(status_code=404)

    async def _begin(self, request: Request) -> Response:
        wanted = request.query_params.get("post_login_redirect_uri") or "/.auth/login/done"
        if not _within(wanted, request):
            return HTMLResponse(DENIED, 403)
        nonce = secrets.token_urlsafe(24)
        state = self._sealed({"nonce": nonce, "to": wanted})
        response = RedirectResponse(await self.provider.login_url(_origin(request) + CALLBACK, state, nonce), 302)
        response.set_cookie(NONCE, nonce, max_age=LOGIN_S, path="/.auth", httponly=True)
        return response

    async def _finish(self, request: Request) -> Response:
        given = request.query_params
        asked = self._opened(given.get("state", ""), LOGIN_S)
        if not isinstance(asked, dict):
            raise SignInFailed("no state of ours")
        if not hmac.compare_digest(request.cookies.get(NONCE, "").encode(), asked["nonce"].encode()):
            raise SignInFailed("begun in another browser")
        if "code" not in given:
            raise SignInFailed(f"the provider said {given.get('error', 'nothing')}")
        token = await self.provider.redeem(given["code"], _origin(request) + CALLBACK, asked["nonce"])
        response = RedirectResponse(asked["to"], 302)
        response.set_cookie(SESSION, self._sealed(claims_of(token)), path="/", httponly=True)
        response.delete_cookie(NONCE, path="/.auth", httponly=True)
        return response

    def _me(self, request: Request) -> Response:
        claims = self._signed_in(request)
        if claims is None:
            return HTMLResponse(DENIED, 401)
        name = value_of(claims, "preferred_username")
        return JSONResponse([{"provider_name": "aad", "user_id": name, "user_claims": claims}])

    async def _out(self, request: Request) -> Response:
        wanted = request.query_params.get("post_logout_redirect_uri") or "/.auth/logout/done"
        if not _within(wanted, request):
            return HTMLResponse(DENIED, 403)
        back = wanted if "://" in wanted else _origin(request) + wanted
        response = RedirectResponse(await self.provider.logout_url(back), 302)
        response.delete_cookie(SESSION, path="/", httponly=True)
        return response

    # parts -------------------------------------------------------------------------------------------------------

    def _sealed(self, content: object) -> str:
        return self._box.encrypt(json.dumps(content).encode()).decode()

    def _opened(self, sealed: str, life: int) -> object:
        """None for what is not ours, or too old."""
        try:
            return json.loads(self._box.decrypt(sealed.encode(), ttl=life))
        except InvalidToken:
            return None


def _is_browsing(request: Request) -> bool:
    """A person who opens a page; scripts get a status instead of a foreign page (the platform's own test is not documented: memory)."""
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def _login(wanted: str) -> str:
    return str(httpx.URL("/.auth/login/aad", params={"post_login_redirect_uri": wanted}))


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _within(address: str, request: Request) -> bool:
    """A path of this app, or its own whole address. Backslashes are slashes to browsers."""
    if address.startswith("/"):
        return not address.replace("\\", "/").startswith("//")
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" == _origin(request) and "\\" not in address
