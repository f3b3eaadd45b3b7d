"""Where one signs in: on Azure at the platform's own page; elsewhere with ADMIN_TOKEN, of which a form here makes a session (session.py)."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import azure.functions as func

from control.cookies import LANG, cookie, cookies_of
from control.panel.answer import PATH, answered
from control.panel.forms import read_form
from control.panel.page import HOME, url
from control.panel.render import Look
from control.session import COOKIE, session_of
from control.texts import language

if TYPE_CHECKING:
    from control.environment import Environment

ROUTE = "panel/sign-in"
MAX_PATH = 2000
Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]


def way_out(environment: Environment) -> str:
    """Where one signs out, '' = nowhere."""
    if environment.on_azure:
        return url("/.auth/logout", post_logout_redirect_uri=HOME) if environment.sign_in_on else ""
    return f"/api/{ROUTE}" if offered(environment) else ""


def offered(environment: Environment) -> bool:
    """Can one sign in, and out, with ADMIN_TOKEN here?"""
    return bool(environment.admin_token) and not environment.on_azure


def address(environment: Environment, back: str) -> str:
    """Where a stranger is sent. `back`: the path to return to."""
    if environment.on_azure:
        return url("/.auth/login/aad", post_login_redirect_uri=back)
    return url(f"/api/{ROUTE}", next=back)


def functions(
    environment: Environment, render: Callable[[str, Mapping[str, object], Look], str]
) -> dict[str, Function]:
    """The form and its answer. 404 on Azure, and where there is no token."""

    def page(req: func.HttpRequest, status: int, next_: str) -> func.HttpResponse:
        kept = cookies_of(req.headers.get("cookie", "")).get(LANG, "")
        lang = language(req.params.get("lang", ""), req.headers.get("accept-language", ""), kept)
        look = Look(lang=lang, path=f"/api/{ROUTE}", params={"next": next_} if next_ else {})
        text = render("sign_in.html", {"next": next_, "wrong": status == 401}, look)
        return answered(status, text)

    async def shown(req: func.HttpRequest) -> func.HttpResponse:
        return page(req, 200, _inside(req.params.get("next", ""))) if offered(environment) else answered(404)

    async def entered(req: func.HttpRequest) -> func.HttpResponse:
        """Foreign pages may send this form, but only whoever knows the token gets anything by it. An empty token signs out."""
        if not offered(environment):
            return answered(404)
        form = read_form(req.headers.get("content-type", ""), req.get_body()) or {}
        token, next_ = (next(iter(form.get(name, ())), "").strip() for name in ("token", "next"))
        if "out" in form and req.headers.get("sec-fetch-site", "same-origin") == "same-origin":
            left = cookie(COOKIE, "", PATH, secure=False, seconds=0)
            return answered(303, "", [left], {"Location": f"/api/{ROUTE}"})
        if not hmac.compare_digest(token.encode(errors="surrogatepass"), environment.admin_token.encode()):
            return page(req, 401, _inside(next_))
        secure = environment.public_url.startswith("https://")
        kept = cookie(COOKIE, session_of(token), PATH, secure=secure)
        return answered(303, "", [kept], {"Location": _inside(next_) or HOME})

    return {"GET": shown, "POST": entered}


def _inside(path: str) -> str:
    """The path, if it is one of this app: nobody is sent elsewhere by a link to the sign-in."""
    plain = (
        path.startswith("/api/")
        and len(path) <= MAX_PATH
        and path.isascii()
        and path.isprintable()
        and "\\" not in path
    )
    return path if plain else ""
