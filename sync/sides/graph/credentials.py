"""The application's own sign-in at Entra, and what its refusals mean.

`Tokens` is handed to the SDK's authentication provider: azure-identity keeps and renews the token, this adds one request at a
time (`OneByOne`), a way to throw a refused token away, and errors in the words of `sync.errors`. Secrets and assertions are only passed on:
never kept elsewhere, never logged. A plain http authority is accepted for loopback hosts only (DESIGN 7).
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sync.errors import Cause, ConfigMistake, RetryLater, StopConnector, SyncError
from sync.sides.graph.answers import patience
from sync.sides.graph.one_by_one import OneByOne

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.transport import AsyncHttpTransport

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
PUBLIC_CLOUD = "https://login.microsoftonline.com"
EXCHANGE_SCOPE = "api://AzureADTokenExchange/.default"

CAUSES: dict[int, Cause] = {
    7000222: Cause.SECRET_EXPIRED,
    7000215: Cause.SECRET_WRONG,  # also: the secret's id was given instead of its value
    7000216: Cause.SECRET_WRONG,  # neither secret nor assertion arrived
    7000218: Cause.SECRET_WRONG,
    700027: Cause.SECRET_WRONG,  # the assertion's signature is not known
    70021: Cause.SECRET_WRONG,  # no federated credential matches the assertion
    700213: Cause.SECRET_WRONG,
    90002: Cause.APP_UNKNOWN,  # tenant not found
    900023: Cause.APP_UNKNOWN,  # not a tenant's name at all
    700016: Cause.APP_UNKNOWN,  # application not found in the tenant
    7000112: Cause.APP_UNKNOWN,  # application disabled
    65001: Cause.CONSENT_MISSING,
    500011: Cause.CONSENT_MISSING,  # the tenant has no service principal for Graph
    53003: Cause.CONSENT_MISSING,  # conditional access
}
"""AADSTS number -> what an admin must mend. Any other refusal is tried again, and counts as an attempt."""


class Tokens:
    """Access tokens of one sign-in. Closes what it opened."""

    def __init__(
        self,
        make: Callable[[], AsyncTokenCredential],
        *,
        before: Callable[[], Awaitable[None]] | None = None,
        closing: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._make, self._before, self._closing = make, before, closing
        self._credential: AsyncTokenCredential | None = None
        self._one_by_one = OneByOne()
        self.generation = 0

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """A valid token, from memory or from Entra. Raises StopConnector, or RetryLater(ENTRA_UNREACHABLE)."""
        from azure.core.exceptions import AzureError

        async with self._one_by_one.asking():
            try:
                if self._before is not None:
                    await self._before()
                if self._credential is None:
                    self._credential = self._make()
                return await self._credential.get_token(*scopes, **options)
            except AzureError as error:
                raise refusal(
                    str(error), _asked_for(error)
                ) from None  # the library's text quotes ids of tenant and application

    async def renew(self, generation: int) -> None:
        """Forget the token of that generation: Graph refused it though it is not past its time. No-op when done already."""
        async with self._one_by_one.between():
            if generation == self.generation:
                self.generation += 1
                credential, self._credential = self._credential, None
                if credential is not None:
                    await credential.close()

    async def close(self) -> None:
        """Release the connections to Entra."""
        await self.renew(self.generation)
        if self._closing is not None:
            await self._closing()


def refusal(text: str, pause: float | None = None) -> SyncError:
    """What Entra's answer means. Numbers only, never its sentences (BEHAVIOUR 9: branch on codes).

    `pause`: seconds that it asks for; that is obeyed and never counts (SPEC 4.3).
    """
    if pause is not None:
        return RetryLater(Cause.ENTRA_UNREACHABLE, pause, counts=False, everybody=True)
    for number in re.findall(r"AADSTS(\d+)", text):
        if (cause := CAUSES.get(int(number))) is not None:
            return StopConnector(cause)
    return RetryLater(Cause.ENTRA_UNREACHABLE)


def _asked_for(error: AzureError) -> float | None:
    response = getattr(error, "response", None)  # of those that are an answer
    if response is None:
        return None
    return patience(
        int(response.status_code), {str(name).lower(): str(value) for name, value in response.headers.items()}
    )


def application_tokens(
    *,
    tenant_id: str,
    client_id: str,
    client_secret: str = "",
    managed_identity: str = "",
    authority_host: str = "",
    transport: AsyncHttpTransport[Any, Any] | None = None,
) -> Tokens:
    """The sign-in of the application itself, by secret, or without one by a managed identity's assertion (its client id).

    `transport` replaces azure-core's (tests). Raises ConfigMistake for what Entra need not be asked about.
    """
    if not client_secret and not managed_identity:
        raise ConfigMistake("CLIENT_SECRET", "a client secret's value, or CLIENT_ASSERTION_MANAGED_IDENTITY instead")
    if not re.fullmatch(r"[A-Za-z0-9.-]+", tenant_id):
        raise ConfigMistake("TENANT_ID", "the directory's id (a GUID) or its domain")
    if not client_id:
        raise ConfigMistake("CLIENT_ID", "the application's id (a GUID)")
    authority, redirect = authority_of(authority_host)

    def options() -> dict[str, Any]:
        chosen = transport if transport is not None else _redirecting(redirect) if redirect else None
        return {"authority": authority, "retry_total": 0, **({"transport": chosen} if chosen else {})}

    if client_secret:
        return Tokens(lambda: _by_secret(tenant_id, client_id, client_secret, options()))
    identity = ManagedIdentity(managed_identity)
    return Tokens(
        lambda: _by_assertion(tenant_id, client_id, identity, options()),
        before=identity.refresh,
        closing=identity.close,
    )


def authority_of(host: str) -> tuple[str, str]:
    """(authority for the libraries, address that requests are redirected to or ''): they accept no http authority (FACTS, msal)."""
    parts = urlsplit(host or PUBLIC_CLOUD)
    if parts.scheme == "https" and parts.hostname:
        return host.rstrip("/") or PUBLIC_CLOUD, ""
    if parts.scheme == "http" and parts.hostname in LOOPBACK:
        return PUBLIC_CLOUD, f"http://{parts.netloc}"
    raise ConfigMistake("ENTRA_AUTHORITY_HOST", "an https address; http only for a loopback host")


class ManagedIdentity:
    """The managed identity whose token stands in for a secret. The assertion is read synchronously by azure-identity."""

    def __init__(self, client_id: str) -> None:
        self._client_id = client_id
        self._credential: Any = None
        self._assertion = ""

    async def refresh(self) -> None:
        """A valid assertion, from memory or from the host. Raises as `Tokens.get_token`."""
        from azure.core.exceptions import AzureError
        from azure.identity.aio import ManagedIdentityCredential

        if self._credential is None:
            self._credential = ManagedIdentityCredential(client_id=self._client_id, retry_total=0)
        try:
            self._assertion = (await self._credential.get_token(EXCHANGE_SCOPE)).token
        except AzureError as error:
            raise refusal(str(error), _asked_for(error)) from None

    def assertion(self) -> str:
        return self._assertion

    async def close(self) -> None:
        if self._credential is not None:
            await self._credential.close()
            self._credential = None


def _by_secret(tenant: str, client: str, secret: str, options: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import ClientSecretCredential

    return ClientSecretCredential(tenant, client, secret, **options)


def _by_assertion(tenant: str, client: str, who: ManagedIdentity, options: dict[str, Any]) -> AsyncTokenCredential:
    from azure.identity.aio import ClientAssertionCredential

    return ClientAssertionCredential(tenant, client, who.assertion, **options)


def _redirecting(target: str) -> AsyncHttpTransport[Any, Any]:
    """azure-core's own transport, sending what is meant for the public authority to `target`."""
    from azure.core.pipeline.transport import AioHttpTransport

    class Redirecting(AioHttpTransport):  # type: ignore[misc]
        async def send(self, request: Any, **options: Any) -> Any:
            request.url = request.url.replace(PUBLIC_CLOUD, target, 1)
            return await super().send(request, **options)

    return Redirecting()
