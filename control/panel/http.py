"""Pages as HTTP functions: who calls, which language, is a form ours; then the page. Decides nothing else.

No page carries the text of an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import azure.functions as func

from control.auth import Denied, Person
from control.callers import caller
from control.cookies import LANG, cookie, cookies_of
from control.endpoint import Guard
from control.environment import Environment
from control.failures import report
from control.panel import assets, forms, signing_in
from control.panel.answer import HEADERS, PATH, SAID, SAID_FOR, YEAR, answered
from control.panel.page import HOME, OWN, BegunElsewhere, Goto, Page, Refused, View, Visit, url
from control.panel.render import Look, rendered
from control.panel.settings_form import SECRET
from control.problems import Problem, problem, problem_of
from control.texts import LANGUAGES, language, sentence

if TYPE_CHECKING:
    from control.app import App

Function = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]
Render = Callable[[str, Mapping[str, object], Look], str]


def blueprint(
    pages: Sequence[Page],
    environment: Environment,
    app: Callable[[], App],
    new_id: Callable[[], str],
    render: Render = rendered,
) -> func.Blueprint:
    """The HTTP functions of the pages, of their stylesheet and script, and of the sign-in with ADMIN_TOKEN."""
    functions = func.Blueprint()  # type: ignore[no-untyped-call]

    def add(name: str, method: str, route: str, inner: Function) -> None:
        function = _answering(name, inner, new_id)
        routed = functions.route(route=route, methods=[method], auth_level=func.AuthLevel.ANONYMOUS)(function)
        functions.function_name(name)(routed)

    for page in pages:
        add(page.name, page.method, page.route, _Shell(page, environment, app, new_id, render).answer)
    add("panel_asset", "GET", assets.ROUTE, assets.function())
    for method, function in signing_in.functions(environment, render).items():
        add(f"panel_sign_in_{method.lower()}", method, signing_in.ROUTE, function)
    return functions


def _answering(name: str, inner: Function, new_id: Callable[[], str]) -> Function:
    """The function, with a last answer for when not even a refusal can be rendered: it needs no template."""

    async def function(req: func.HttpRequest) -> func.HttpResponse:
        try:
            return await inner(req)
        except Exception as error:
            id_ = new_id()
            report(error, id_, name)
            text = "\n".join([*(sentence("error", "internal", lang) for lang in LANGUAGES), f"id: {id_}"])
            return func.HttpResponse(text, status_code=500, headers=HEADERS, mimetype="text/plain", charset="utf-8")

    function.__name__ = name
    return function


class _Shell:
    """One page as an HTTP function."""

    def __init__(
        self, page: Page, environment: Environment, app: Callable[[], App], new_id: Callable[[], str], render: Render
    ) -> None:
        self._page, self._environment, self._app, self._new_id, self._render = page, environment, app, new_id, render
        self._secure = environment.public_url.startswith("https://")

    async def answer(self, req: func.HttpRequest) -> func.HttpResponse:
        headers = {key.lower(): value for key, value in req.headers.items()}
        cookies = cookies_of(headers.get("cookie", ""))
        look, kept = self._look(req, headers, cookies), self._language_kept(req)
        if look.told:  # once
            kept.append(cookie(SAID, "", PATH, secure=self._secure, seconds=0))
        try:
            form = self._form(req, headers)
            ours = forms.began_here(headers, self._environment.public_url)
            person = await caller(headers, self._environment, lambda: self._app().connector.settings)
            if isinstance(person, Denied):
                return self._stranger(person, look, kept, form if ours else {})
            look = self._known(look, person, cookies, kept)
            if self._page.guard is Guard.ADMIN and not person.admin:
                return self._not_admin(look, kept)
            id_ = str(req.route_params.get("id", ""))
            visit = Visit(self._app(), person, look.lang, self._new_id, ours, id_, look.params, form, live=look.live)
            if self._page.method == "POST" and not forms.from_our_page(headers, form, look.token):
                return await self._late(visit, look, kept)
            return await self._visited(visit, look, kept)
        except BegunElsewhere:
            return self._shown(View("begun_elsewhere.html"), look, kept)
        except Refused as refused:
            return self._shown(View("refused.html", {"body": refused.body}, refused.status), look, kept)
        except Exception as error:
            return self._problem(problem_of(error, self._page.name, look.lang, self._new_id), look, kept)

    def _look(self, req: func.HttpRequest, headers: Mapping[str, str], cookies: Mapping[str, str]) -> Look:
        """The page as a stranger sees it. What was done is said of the next page, not of a form that is sent."""
        id_, get = quote(str(req.route_params.get("id", "")), safe=""), self._page.method == "GET"
        live = get and "x-live" in headers
        return Look(
            lang=language(req.params.get("lang", ""), headers.get("accept-language", ""), cookies.get(LANG, "")),
            path=self._page.home.replace("{id}", id_) or urlsplit(req.url).path,
            params=_asked(req.params),
            topic=self._page.topic,
            told=cookies.get(SAID, "") if get and not live else "",
            live=live,
        )

    def _known(self, look: Look, person: Person, cookies: Mapping[str, str], kept: list[str]) -> Look:
        """The page as this person sees it; its forms are made from a cookie of the browser, which gets one here."""
        browser = cookies.get(forms.COOKIE, "")
        if not browser:
            browser = self._new_id()
            kept.append(cookie(forms.COOKIE, browser, PATH, secure=self._secure))
        token = forms.token(self._app().worker.keys, browser, person.oid)
        return replace(look, person=person, token=token, sign_out=signing_in.way_out(self._environment))

    def _language_kept(self, req: func.HttpRequest) -> list[str]:
        """The cookie of a language that was chosen."""
        chosen = req.params.get("lang", "")
        return [cookie(LANG, chosen, PATH, secure=self._secure, seconds=YEAR)] if chosen in LANGUAGES else []

    async def _late(self, visit: Visit, look: Look, kept: list[str]) -> func.HttpResponse:
        """A form without a token of ours: one that was open too long comes back with what was entered, one of a foreign page does not."""
        if visit.ours and visit.form and self._page.back is not None:
            return await self._again(visit, Refused(problem("form_again", look.lang, 403), 403), look, kept)
        return self._problem(problem("form_expired", look.lang, 403), look, kept)

    async def _visited(self, visit: Visit, look: Look, kept: list[str]) -> func.HttpResponse:
        try:
            found = await self._page.handler(visit)
        except Refused as refused:
            return await self._again(visit, refused, look, kept)
        return self._found(found, look, kept)

    async def _again(self, visit: Visit, refused: Refused, look: Look, kept: list[str]) -> func.HttpResponse:
        """The page of a form that was refused, with what was entered. Raises Refused where there is none."""
        if self._page.back is None:
            raise refused
        again = await self._page.back(visit.refused(refused))
        found = View(again.template, again.data, refused.status) if isinstance(again, View) else again
        return self._found(found, look.of(refused), kept)

    def _found(self, found: View | Goto, look: Look, kept: list[str]) -> func.HttpResponse:
        if isinstance(found, Goto):
            if found.told:
                kept = [*kept, cookie(SAID, found.told, PATH, secure=self._secure, seconds=SAID_FOR)]
            return answered(303, "", kept, {"Location": found.path})
        return self._shown(found, look, kept)

    def _form(self, req: func.HttpRequest, headers: Mapping[str, str]) -> dict[str, list[str]]:
        """What was sent; {} for what is no form of ours, which then carries no token."""
        if self._page.method != "POST":
            return {}
        return forms.read_form(headers.get("content-type", ""), req.get_body()) or {}

    def _stranger(
        self, denied: Denied, look: Look, kept: list[str], form: Mapping[str, list[str]]
    ) -> func.HttpResponse:
        """To where one signs in, when that can help.

        No form is answered with a way to another site, which browsers would not follow: what was entered waits on a page, with a link. That is a
        403, for the platform may make a redirect of a 401.
        """
        if denied.status != 401:
            look = replace(look, sign_out=signing_in.way_out(self._environment))  # as somebody else, who may
            return self._problem(problem(denied.code, look.lang, denied.status), look, kept)
        if self._page.method == "GET":
            where = signing_in.address(self._environment, url(look.path, **look.params))
            return answered(302, "", kept, {"Location": where})
        data = {"sign_in": signing_in.address(self._environment, HOME), "fields": forms.kept(form, SECRET)}
        return self._shown(View("signed_out.html", data, 403), look, kept)

    def _not_admin(self, look: Look, kept: list[str]) -> func.HttpResponse:
        if self._page.route == HOME.removeprefix("/api/") and self._page.method == "GET":
            return answered(302, "", kept, {"Location": OWN})
        return self._problem(problem("not_admin", look.lang, 403), look, kept)

    def _problem(self, found: Problem, look: Look, kept: list[str]) -> func.HttpResponse:
        return self._shown(View("refused.html", {"body": found}, found.status), look, kept)

    def _shown(self, view: View, look: Look, kept: list[str]) -> func.HttpResponse:
        return answered(view.status, self._render(view.template, view.data, look), kept)


def _asked(params: Mapping[str, str]) -> dict[str, str]:
    """The query without what is the shell's own."""
    return {name: value for name, value in params.items() if name != "lang"}
