"""Signing in at the panel as on Azure: the accounts of the tenant, the application's registration, the settings of the platform's sign-in.

`Stack(..., sign_in=ANONYMOUS)` uses it; tests admit people and open a `Browser`, or give Chromium `stack.public_url`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin

import httpx

from tests.e2e.hands import Entra, Json, Outlook
from tests.forms import Page, read

ANONYMOUS, REDIRECT = "AllowAnonymous", "RedirectToLoginPage"
"""What the platform does with who is not signed in: lets the app answer, or shows Microsoft's page."""
ROLE = "Connector.Admin"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
SCOPES = ("Contacts.ReadWrite", "Calendars.ReadWrite", "Tasks.ReadWrite", "MailboxSettings.ReadWrite", "User.Read")
CALLBACKS = ("/.auth/login/aad/callback", "/api/oauth/callback", "/api/oauth/consent-callback")
SECRET_SETTING = "MICROSOFT_PROVIDER_AUTHENTICATION_SECRET"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody of the tenant. `admin`: of the connector, by app role; `wids`: directory roles."""

    oid: str
    upn: str
    name: str
    admin: bool = False
    wids: tuple[str, ...] = ()

    def as_entra(self, client_id: str) -> Json:
        """The body of the corner's `people`."""
        roles = {client_id: [ROLE]} if self.admin else {}
        return {"oid": self.oid, "upn": self.upn, "name": self.name, "wids": list(self.wids), "app_roles": roles}


ADMIN = Account(
    "5a1d0000-0000-4000-8000-00000000ad01",
    "admin@officinaconti.example",
    "Amministrazione Conti",
    admin=True,
    wids=(GLOBAL_ADMINISTRATOR,),
)
"""Whom every stack with sign-in knows: administrator of the connector and of the tenant, without a mailbox."""


def registration(public_url: str) -> Json:
    """The part of the application's registration that people who sign in need."""
    return {"name": "vtenext connector", "scopes": SCOPES, "redirect_uris": [public_url + path for path in CALLBACKS]}


OPEN_PATHS = ("/api/notifications", "/api/nudge")
"""As infra/modules/app.bicep has them."""


def auth_settings(tenant: str, client_id: str, action: str) -> Json:
    """The platform's settings, as authsettingsV2 has them."""
    known = {
        "openIdIssuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "clientId": client_id,
        "clientSecretSettingName": SECRET_SETTING,
    }
    return {
        "platform": {"enabled": True},
        "globalValidation": {"unauthenticatedClientAction": action, "excludedPaths": list(OPEN_PATHS)},
        "identityProviders": {"azureActiveDirectory": {"enabled": True, "registration": known}},
    }


def admit(entra: Entra, client_id: str, *accounts: Account) -> None:
    """Let these people sign in at the pages, at the panel without being asked for consent."""
    for account in accounts:
        entra.ask("POST", "people", account.as_entra(client_id))
    entra.ask("POST", "consents", {"client_id": client_id, "scopes": ["openid", "profile", "email"]})


def admit_mailboxes(entra: Entra, outlook: Outlook, client_id: str) -> dict[str, Account]:
    """Everybody who has a mailbox in the emulated tenant, as an ordinary user: address -> account."""
    users = outlook.ask("GET", "users")
    found = {user["mail"]: Account(user["id"], user["mail"], user["displayName"]) for user in users}
    admit(entra, client_id, *found.values())
    return found


@dataclass(slots=True)
class Browser:
    """A browser without scripts: keeps cookies, follows redirects, presses buttons. `page`: what it shows."""

    panel: str
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=60, follow_redirects=True))
    url: str = ""
    status: int = 0
    page: Page = field(default_factory=Page)

    def open(self, address: str) -> Page:
        """Go there; an address without a host is the panel's."""
        return self._shows(self.http.get(urljoin(self.panel, address), headers={"accept": "text/html"}))

    def press(self, button: str, *, ticked: tuple[str, ...] = (), **typed: str) -> Page:
        """Fill the page's form and press the button whose text begins so."""
        sent = self.page.sent(button, ticked=ticked, **typed)
        return self._shows(self.http.post(urljoin(self.url, self.page.action), data=sent))

    def sign_in(self, account: Account) -> Page:
        """At the panel, as this account."""
        self.open(f"/.auth/login/aad?{urlencode({'post_login_redirect_uri': '/.auth/login/done'})}")
        return self.give(account)

    def give(self, account: Account) -> Page:
        """Say at Microsoft's page who one is."""
        if self.page.id == "pick":
            self.press("Use another account")
        return self.press("Next", loginfmt=account.upn)

    def ask(self, path: str, **headers: str) -> httpx.Response:
        """What the panel's script would fetch: GET /api/..."""
        return self.http.get(f"{self.panel}/api/{path}", headers=headers, follow_redirects=False)

    def order(self, method: str, path: str, body: object) -> httpx.Response:
        """What it would send: POST, PUT or DELETE of JSON, over whatever is there. Raises when refused."""
        headers = {"if-match": "*"} if method == "PUT" else {}
        answer = self.http.request(
            method, f"{self.panel}/api/{path}", json=body, headers=headers, follow_redirects=False
        )
        return answer.raise_for_status()

    def _shows(self, answer: httpx.Response) -> Page:
        self.url, self.status, self.page = str(answer.url), answer.status_code, read(answer.text)
        return self.page
