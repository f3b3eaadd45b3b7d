"""What an application may ask of the pages of the Entra emulator, checked. Whatever is wrong here is told to the person, never to the application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from emulators.entra_html import SENTENCES
from emulators.entra_state import GRAPH, AppRegistration, Directory, EntraError, Person, needed

INCLUDED = ("openid", "profile", "offline_access", "User.Read")
"""What every consent contains, asked for or not (learn.microsoft.com, "Scopes and permissions": included in the initial consent)."""
PROMPTS = ("", "login", "none", "consent", "select_account")


@dataclass(slots=True)
class Sought:
    """What an application wants of the person. `whole`: the page where an administrator consents for everybody."""

    tenant: str
    client_id: str
    redirect_uri: str
    state: str
    mode: str
    expires: float
    scopes: tuple[str, ...] = ()
    challenge: str = ""
    nonce: str = ""
    prompt: str = ""
    hint: str = ""
    whole: bool = False
    person: Person | None = None

    @property
    def consent(self) -> tuple[str, ...]:
        """The scopes that the person is asked for."""
        return tuple(dict.fromkeys((*self.scopes, *INCLUDED)))


def authorize(directory: Directory, tenant: str, query: Mapping[str, str], expires: float) -> Sought:
    """A request of the authorization code flow; EntraError when it is none."""
    app, sought = _common(directory, tenant, query, expires)
    if query.get("response_type") != "code":
        raise EntraError("unsupported_response_type", 700054, "The emulator knows response_type 'code' only.")
    sought.mode = query.get("response_mode", "query")
    if sought.mode not in ("query", "fragment", "form_post"):
        raise EntraError("invalid_request", 900561, f"The response_mode '{sought.mode}' is not supported.")
    sought.challenge = query.get("code_challenge", "")
    if sought.challenge and query.get("code_challenge_method") != "S256":
        raise EntraError("invalid_request", 501491, "Invalid code_challenge_method: the emulator takes S256 only.")
    sought.scopes = _scopes(app, needed(query, "scope"))
    sought.nonce, sought.hint = query.get("nonce", ""), query.get("login_hint", "")
    sought.prompt = query.get("prompt", "")
    if sought.prompt not in PROMPTS:
        raise EntraError("invalid_request", 90023, f"Unsupported 'prompt' value '{sought.prompt}'.")
    return sought


def admin_consent(directory: Directory, tenant: str, query: Mapping[str, str], expires: float) -> Sought:
    """A request of consent for the whole organisation; without a scope for all that the registration lists."""
    app, sought = _common(directory, tenant, query, expires)
    sought.whole = True
    sought.scopes = _scopes(app, query.get("scope") or f"{GRAPH}/.default")
    return sought


def _common(
    directory: Directory, tenant: str, query: Mapping[str, str], expires: float
) -> tuple[AppRegistration, Sought]:
    """What must be right before a browser is sent anywhere."""
    directory.resolve(tenant)
    app = directory.app(needed(query, "client_id"))
    address = query.get("redirect_uri", "")
    if address not in app.redirect_uris:
        message = (
            f"The redirect URI '{address}' specified in the request does not match the redirect URIs configured for "
            f"the application '{app.client_id}'. Make sure the redirect URI sent in the request matches one added to "
            "your application in the Azure portal."
        )
        raise EntraError("invalid_request", 50011, message)
    return app, Sought(tenant, app.client_id, address, query.get("state", ""), "query", expires)


def _scopes(app: AppRegistration, text: str) -> tuple[str, ...]:
    """Without the resource; `.default` is what the app's registration lists."""
    found: list[str] = []
    for each in text.split():
        scope = each.removeprefix(f"{GRAPH}/")
        if scope == ".default":
            found += app.scopes
        elif scope in SENTENCES:
            found.append(scope)
        else:
            message = f"The application '{app.name}' asked for scope '{scope}' that doesn't exist on the resource."
            raise EntraError("invalid_client", 650053, message)
    return tuple(dict.fromkeys(found))
