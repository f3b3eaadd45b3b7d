"""Entra for people: the authorization code flow with PKCE, refresh tokens, admin consent - by msal, which is synchronous and runs in threads.

msal keeps no token for us: its cache is replaced by one that forgets. What Entra says is read by numbers, never by its sentences. Tokens, codes and
secrets are passed on, never logged. A plain http authority is accepted for loopback hosts only, and then the browser goes there too (DESIGN 7).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import httpx

from sync.errors import Cause, ConfigMistake, ReconnectNeeded, RetryLater, StopConnector, StopMailbox, SyncError
from sync.sides.graph.answers import patience
from sync.sides.graph.credentials import CAUSES, LOOPBACK, ManagedIdentity, authority_of, refusal
from sync.signing import GRAPH_SCOPES, Declined, Flow, Granted

if TYPE_CHECKING:
    from msal import ConfidentialClientApplication

GUID = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
SELECT_ACCOUNT = "select_account"
"""Prompt: the consent may be given by another account than the one that the browser is signed in with."""

OF_THE_PERSON: dict[int, Cause] = {
    65001: Cause.CONSENT_MISSING,  # consent was withdrawn
    50057: Cause.ACCOUNT_DISABLED,
    50034: Cause.ACCOUNT_DISABLED,  # the account is not in this directory
    500341: Cause.ACCOUNT_DISABLED,  # the account was deleted
}
"""AADSTS number of a refused refresh token -> what must be mended; any other refusal means: sign in again (50173 password changed, 700082
inactivity, 70008 expired, 70043 sign-in frequency, 50076 and 50079 second factor, 53003 conditional access)."""

DECLINED: dict[int, str] = {
    65004: "declined",  # the person pressed Cancel
    65001: "consent_needed",
    90094: "consent_needed",  # an administrator must consent
    90095: "consent_needed",  # ... and was asked to
    50105: "not_assigned",  # the application is for assigned users only
    50020: "other_tenant",  # an account of another tenant
    54005: "code_refused",  # the code was redeemed already
    70008: "code_refused",
}
CONSENTING_ROLES = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
    }
)
"""Role templates in the id token's claim `wids`: who may consent for the organisation."""


class MsalEntra:
    """One application of one tenant. `graph_host`: the resource that the scopes belong to. `http` replaces the network (tests)."""

    def __init__(
        self,
        *,
        tenant_id: str,
        client_id: str,
        client_secret: str = "",
        managed_identity: str = "",
        authority_host: str = "",
        graph_host: str = "graph.microsoft.com",
        http: httpx.BaseTransport | None = None,
    ) -> None:
        if not re.fullmatch(r"[A-Za-z0-9.-]+", tenant_id):
            raise ConfigMistake("TENANT_ID", "the directory's id (a GUID) or its domain")
        self._tenant_id, self._client_id, self._secret = tenant_id, client_id, client_secret
        self._identity = None if client_secret else ManagedIdentity(managed_identity)
        self._authority, self._redirect = authority_of(authority_host)
        resource = "graph.microsoft.com" if graph_host in LOOPBACK else graph_host
        self._resource = f"https://{resource}/"
        self._http = _Network(self._authority, self._redirect, http)
        self._msal: ConfidentialClientApplication | None = None
        self._lock = asyncio.Lock()

    # sync.signing.Entra

    async def authorize(self, redirect_uri: str, state: str) -> Flow:
        scopes = [self._resource + scope for scope in GRAPH_SCOPES]
        flow = await self._asked(
            lambda app: app.initiate_auth_code_flow(
                scopes, redirect_uri=redirect_uri, state=state, prompt=SELECT_ACCOUNT
            )
        )
        return Flow(self._for_browser(str(flow.pop("auth_uri"))), json.dumps(flow))

    async def redeem(self, secret: str, answer: Mapping[str, str]) -> Granted:
        got = await self._asked(lambda app: app.acquire_token_by_auth_code_flow(json.loads(secret), dict(answer)))
        if "access_token" not in got:
            raise declined(str(got.get("error", "")), numbers(got))
        claims = got.get("id_token_claims") or {}
        if claims.get("aud") != self._client_id:
            raise Declined("code_refused")  # a token for somebody else
        return self._granted(got, claims)

    async def refresh(self, mailbox: str, refresh_token: str, scopes: Sequence[str]) -> Granted:
        wanted = [self._resource + scope for scope in scopes]
        got = await self._asked(lambda app: app.acquire_token_by_refresh_token(refresh_token, wanted))
        if "access_token" not in got:
            raise of_the_mailbox(mailbox, str(got.get("error", "")), numbers(got))
        return self._granted(got, {})

    async def consent_url(self, redirect_uri: str, state: str) -> str:
        query = {
            "client_id": self._client_id,
            "scope": f"{self._resource}.default",
            "redirect_uri": redirect_uri,
            "state": state,
        }
        url = f"{self._authority}/{self._tenant_id}/v2.0/adminconsent?{urlencode(query, quote_via=quote)}"
        return self._for_browser(url)

    async def tenant(self) -> str:
        if GUID.fullmatch(self._tenant_id):
            return self._tenant_id.lower()
        url = f"{self._authority}/{self._tenant_id}/v2.0/.well-known/openid-configuration"
        answer = await self._called(lambda: self._http.get(url))
        try:
            issuer = str(answer.json()["issuer"])
        except (ValueError, KeyError):
            raise StopConnector(Cause.APP_UNKNOWN) from None
        return urlsplit(issuer).path.split("/")[1].lower()

    async def check(self) -> None:
        got = await self._asked(lambda app: app.acquire_token_for_client([f"{self._resource}.default"]))
        if "access_token" not in got:
            raise of_the_application(numbers(got))

    async def close(self) -> None:
        """Release the connections to Entra."""
        self._http.close()
        if self._identity is not None:
            await self._identity.close()

    # parts

    async def _asked(self, ask: Callable[[ConfidentialClientApplication], Any]) -> dict[str, Any]:
        """One dealing of msal's, in a thread. Building the application reads the tenant's addresses, once."""
        if self._identity is not None:
            await self._identity.refresh()
        async with self._lock:
            if self._msal is None:
                try:
                    self._msal = await self._called(self._built)
                except ValueError:  # the tenant's configuration is refused: there is no such tenant
                    raise StopConnector(Cause.APP_UNKNOWN) from None
        app = self._msal
        try:
            return dict(await self._called(lambda: ask(app)))
        except (ValueError, RuntimeError):  # msal's own checks of state and nonce
            raise Declined("code_refused") from None

    async def _called(self, work: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(work)
        except Unusable as error:
            raise refusal("", error.pause) from None
        except httpx.HTTPError:
            raise RetryLater(Cause.ENTRA_UNREACHABLE) from None  # the exception carries addresses

    def _built(self) -> ConfidentialClientApplication:
        from msal import ConfidentialClientApplication, TokenCache

        class Forgetful(TokenCache):  # type: ignore[misc]
            def add(self, event: Any, now: Any = None) -> None:
                return

        credential: Any = self._secret or {"client_assertion": self._assertion()}
        return ConfidentialClientApplication(
            self._client_id,
            client_credential=credential,
            authority=f"{self._authority}/{self._tenant_id}",
            instance_discovery=False,
            token_cache=Forgetful(),
            http_client=self._http,
        )

    def _assertion(self) -> Callable[[], str]:
        identity = self._identity
        if identity is None:
            raise ConfigMistake(
                "CLIENT_SECRET", "a client secret's value, or CLIENT_ASSERTION_MANAGED_IDENTITY instead"
            )
        return identity.assertion

    def _granted(self, got: Mapping[str, Any], claims: Mapping[str, Any]) -> Granted:
        scopes = got.get("scope") or ""
        listed = scopes.split() if isinstance(scopes, str) else list(scopes)
        return Granted(
            access_token=str(got["access_token"]),
            refresh_token=str(got.get("refresh_token") or ""),
            expires_in=int(got.get("expires_in") or 0),
            scopes=tuple(sorted({str(each).rpartition("/")[2] for each in listed} & set(GRAPH_SCOPES))),
            tenant=str(claims.get("tid") or "").lower(),
            oid=str(claims.get("oid") or "").lower(),
            consents=bool(CONSENTING_ROLES & {str(role).lower() for role in claims.get("wids") or ()}),
        )

    def _for_browser(self, url: str) -> str:
        return url.replace(self._authority, self._redirect, 1) if self._redirect else url


class Unusable(Exception):
    """Entra answered something that is no answer: out of order, busy, or not JSON. `pause`: seconds of patience that it asks for."""

    def __init__(self, pause: float | None = None) -> None:
        super().__init__()
        self.pause = pause


class _Network:
    """msal's `http_client`: httpx, sending what is meant for the public authority to a loopback stand-in where there is one."""

    def __init__(self, authority: str, redirect: str, transport: httpx.BaseTransport | None) -> None:
        self._authority, self._redirect, self._transport = authority, redirect, transport
        self._client: httpx.Client | None = None

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        return self._sent("GET", url, params=params, headers=headers)

    def post(self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any) -> httpx.Response:
        return self._sent("POST", url, params=params, data=data, headers=headers)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _sent(self, method: str, url: str, **rest: Any) -> httpx.Response:
        if self._client is None:
            self._client = httpx.Client(transport=self._transport, timeout=httpx.Timeout(30.0, connect=10.0))
        target = url.replace(self._authority, self._redirect, 1) if self._redirect else url
        answer = self._client.request(method, target, **{name: value for name, value in rest.items() if value})
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unusable(patience(answer.status_code, answer.headers))
        try:
            answer.json()
        except ValueError:
            raise Unusable from None  # msal would log the text
        return answer


# what refusals mean; pure


def numbers(answer: Mapping[str, Any]) -> tuple[int, ...]:
    """The AADSTS numbers of a refusal."""
    listed = [int(code) for code in answer.get("error_codes") or () if str(code).isdigit()]
    found = [int(number) for number in re.findall(r"AADSTS(\d+)", str(answer.get("error_description") or ""))]
    return tuple(dict.fromkeys(listed + found))


def of_the_application(codes: Sequence[int]) -> SyncError:
    """A refusal that every mailbox would get."""
    for code in codes:
        if (cause := CAUSES.get(code)) is not None:
            return StopConnector(cause)
    return RetryLater(Cause.ENTRA_UNREACHABLE)


def of_the_mailbox(mailbox: str, error: str, codes: Sequence[int]) -> SyncError:
    """A refusal of one mailbox's refresh token: invalid_grant and what needs a person concern that person alone."""
    if error in ("invalid_grant", "interaction_required", "consent_required", "login_required"):
        for code in codes:
            if (cause := OF_THE_PERSON.get(code)) is not None:
                return StopMailbox(cause)
        return ReconnectNeeded(mailbox)
    return of_the_application(codes)


def declined(error: str, codes: Sequence[int]) -> Declined | SyncError:
    """A refusal on the way through the popup."""
    for code in codes:
        if (outcome := DECLINED.get(code)) is not None:
            return Declined(outcome)
    if error in ("access_denied", "consent_required", "interaction_required", "login_required"):
        return Declined("declined" if error == "access_denied" else "consent_needed")
    if error in ("invalid_grant", "invalid_request"):
        return Declined("code_refused")
    return of_the_application(codes)
