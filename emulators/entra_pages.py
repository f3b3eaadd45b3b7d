"""The pages of the Entra emulator: what a browser meets between an application's request and the way back to it.

A request is checked first: an unknown tenant, client or redirect address is told to the person and never redirected to. Then who it is (the
browser's cookie remembers the accounts that signed in), then consent, then the redirect with a code. No password is asked. No sockets here.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from emulators.corner import Clock
from emulators.entra_html import render, sentences
from emulators.entra_requests import Sought, admin_consent, authorize
from emulators.entra_state import EVERYBODY, GRAPH, Directory, EntraError, Grant, Person, new_id

COOKIE = "ESTSAUTH"
CODE_LIFE_S = 600
PATIENCE_S = 1800  # how long a page may stay open
Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """What the browser gets: HTML, or a redirect. `session`: new value of the cookie, '' = forget it, None = as it is."""

    html: str = ""
    status: int = 200
    location: str = ""
    session: str | None = None


class _SentBack(Exception):
    """An error that the application is told, by redirect."""

    def __init__(self, error: str, number: int, message: str) -> None:
        super().__init__(message)
        self.error = error
        self.number = number


@dataclass(slots=True)
class Pages:
    """The pages of one tenant."""

    directory: Directory
    clock: Clock
    host: str
    _open: dict[str, Sought] = field(default_factory=dict)
    _sessions: dict[str, list[str]] = field(default_factory=dict)  # cookie -> object ids, newest last

    def reset(self) -> None:
        """Nobody is signed in, no page is open."""
        self._open.clear()
        self._sessions.clear()

    def respond(self, method: str, tenant: str, rest: str, query: Form, form: Form, session: str) -> Page | None:
        """The page at this address, None when there is none. `session`: the browser's cookie."""
        try:
            match method, rest:
                case "GET", "oauth2/v2.0/authorize":
                    return self._begin(authorize(self.directory, tenant, query, self._patience()), session)
                case "GET", "v2.0/adminconsent" | "adminconsent":
                    return self._begin(admin_consent(self.directory, tenant, query, self._patience()), session)
                case "POST", "login":
                    return self._signed_in(form, session)
                case "POST", "Consent/Set":
                    return self._answered(form, session)
                case "GET", "oauth2/v2.0/logout":
                    return self._out(query, session)
        except EntraError as error:
            return Page(render("error", error=str(error)), 400)
        return None

    # who -------------------------------------------------------------------------------------------------------

    def _begin(self, sought: Sought, session: str) -> Page:
        there = self._accounts(session)
        hinted = [each for each in there if each.upn.casefold() == sought.hint.casefold()]
        fitting = hinted if sought.hint else there
        if sought.prompt == "none":
            return self._silently(sought, fitting)
        if sought.prompt == "login" or not there:
            return self._form(sought)
        if sought.prompt == "select_account" or (not sought.hint and len(there) > 1):
            return self._pick(sought, there)
        if not fitting:
            return self._form(sought)
        return self._consent(sought, fitting[-1])

    def _silently(self, sought: Sought, fitting: list[Person]) -> Page:
        """prompt=none: no page is ever shown."""
        if len(fitting) != 1:
            return self._sent(
                sought,
                _SentBack("login_required", 50058, "A silent sign-in request was sent but no user is signed in."),
            )
        sought.person = fitting[0]
        if not self._missing(sought, fitting[0]):
            return self._code(sought)
        message = (
            "The user or administrator has not consented to use the application with ID " + f"'{sought.client_id}'."
        )
        return self._sent(sought, _SentBack("consent_required", 65001, message))

    def _accounts(self, session: str) -> list[Person]:
        """Who is signed in in this browser."""
        oids = [each for each in self._sessions.get(session, []) if each not in self.directory.disabled]
        return [self.directory.people[each] for each in oids if each in self.directory.people]

    def _form(self, sought: Sought, error: str = "") -> Page:
        return Page(render("sign_in", **self._frame(sought), hint=sought.hint, error=error))

    def _pick(self, sought: Sought, there: list[Person]) -> Page:
        return Page(render("pick", **self._frame(sought), people=there))

    def _signed_in(self, form: Form, session: str) -> Page:
        sought = self._resumed(form)
        if not form.get("loginfmt"):
            return self._form(sought)
        try:
            person = self.directory.person(form["loginfmt"])
        except EntraError as error:
            sought.hint = form["loginfmt"]
            unknown = error.number == 50034
            message = "This username may be incorrect. Make sure you typed it correctly. Otherwise, contact your admin."
            return self._form(sought, message if unknown else str(error))
        session = session if session in self._sessions else secrets.token_urlsafe(24)
        oids = self._sessions.setdefault(session, [])
        self._sessions[session] = [*(each for each in oids if each != person.oid), person.oid]
        page = self._consent(sought, person)
        return Page(page.html, page.status, page.location, session)

    # consent ---------------------------------------------------------------------------------------------------

    def _missing(self, sought: Sought, person: Person) -> list[str]:
        granted = self.directory.consented(sought.client_id, person.oid)
        return [each for each in sought.scopes if each not in granted]

    def _consent(self, sought: Sought, person: Person) -> Page:
        """The consent page when one is needed, else the way back."""
        sought.person = person
        wanted = sought.prompt == "consent" or sought.whole or self._missing(sought, person)
        if not wanted:
            return self._code(sought)
        frame = self._frame(sought)
        if not person.consents and (sought.whole or not self.directory.users_consent):
            return Page(render("approval", **frame, person=person))
        offered = person.consents and not sought.whole
        listed = sentences(sought.consent)
        return Page(
            render("consent", **frame, person=person, whole=sought.whole, offered=offered, sentences=listed),
        )

    def _answered(self, form: Form, session: str) -> Page:
        sought = self._resumed(form)
        person, answer = sought.person, form.get("answer")
        if person is None or answer not in ("accept", "cancel", "another"):
            raise EntraError(
                "invalid_request", 900144, "The request body must contain the following parameter: 'answer'."
            )
        if answer == "another":
            sought.hint = ""
            return self._form(sought)
        barred = not person.consents and (sought.whole or not self.directory.users_consent)
        if barred:
            return self._sent(sought, _SentBack("access_denied", 90094, "Admin consent is required."))  # number: memory
        if answer == "cancel":
            return self._sent(sought, _SentBack("access_denied", 65004, "User declined to consent to access the app."))
        everybody = sought.whole or (person.consents and form.get("organisation") == "true")
        self.directory.consent(sought.client_id, EVERYBODY if everybody else person.oid, sought.consent)
        return self._granted_to_all(sought) if sought.whole else self._code(sought)

    # the way back ----------------------------------------------------------------------------------------------

    def _code(self, sought: Sought) -> Page:
        if sought.person is None:
            raise EntraError("invalid_request", 50058, "Nobody is signed in.")
        expires = self.clock.now().timestamp() + CODE_LIFE_S
        rest = (sought.redirect_uri, sought.challenge, sought.nonce)
        code = self.directory.issue_code(Grant(sought.client_id, sought.person, sought.scopes, expires, *rest))
        return self._back(sought, {"code": code, "state": sought.state, "session_state": new_id()})

    def _granted_to_all(self, sought: Sought) -> Page:
        scope = " ".join(f"{GRAPH}/{each}" for each in sought.scopes)
        answer = {"admin_consent": "True", "tenant": self.directory.tenant, "state": sought.state, "scope": scope}
        return self._back(sought, answer)

    def _sent(self, sought: Sought, refusal: _SentBack) -> Page:
        moment = self.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        trace = f"\r\nTrace ID: {new_id()}\r\nCorrelation ID: {new_id()}\r\nTimestamp: {moment}"
        answer = {"error": refusal.error, "error_description": f"AADSTS{refusal.number}: {refusal}{trace}"}
        answer["error_uri"] = f"https://{self.host}/error?code={refusal.number}"
        if refusal.number == 65004 and not sought.whole:
            answer["error_subcode"] = "cancel"
        if sought.whole:
            answer["admin_consent"] = (
                "True"  # there in refusals too, the tenant is not (MicrosoftDocs/azure-docs#114009)
            )
        return self._back(sought, answer | {"state": sought.state})

    def _back(self, sought: Sought, answer: dict[str, str]) -> Page:
        fields = {name: value for name, value in answer.items() if value}
        if sought.mode == "form_post":
            return Page(render("post", address=sought.redirect_uri, fields=list(fields.items())))
        mark = "#" if sought.mode == "fragment" else ("&" if "?" in sought.redirect_uri else "?")
        return Page(status=302, location=f"{sought.redirect_uri}{mark}{urlencode(fields)}")

    def _out(self, query: Form, session: str) -> Page:
        """Everybody of this browser is signed out; then back to an origin that an app has registered, or nowhere."""
        self._sessions.pop(session, None)
        address = query.get("post_logout_redirect_uri", "")
        known = {_origin(uri) for app in self.directory.apps.values() for uri in app.redirect_uris}
        if address and _origin(address) in known:
            return Page(status=302, location=address, session="")
        return Page(render("out"), session="")

    # parts -----------------------------------------------------------------------------------------------------

    def _patience(self) -> float:
        return self.clock.now().timestamp() + PATIENCE_S

    def _frame(self, sought: Sought) -> dict[str, object]:
        """What every page of a sign-in carries; from here on it can be resumed."""
        now = self.clock.now().timestamp()
        for stale in [ctx for ctx, each in self._open.items() if each.expires <= now]:
            del self._open[stale]
        ctx = secrets.token_urlsafe(32)
        self._open[ctx] = sought
        return {"ctx": ctx, "tenant": sought.tenant, "app": self.directory.app(sought.client_id).name}

    def _resumed(self, form: Form) -> Sought:
        """What the page was about; a page counts once."""
        sought = self._open.pop(form.get("ctx", ""), None)
        if sought is None or self.clock.now().timestamp() >= sought.expires:
            raise EntraError(
                "invalid_request", 165000, "Invalid request: the request tokens do not match the user context."
            )
        return sought


def _origin(address: str) -> str:
    return "/".join(address.split("/")[:3])
