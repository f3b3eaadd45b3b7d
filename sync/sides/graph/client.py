"""The connection to Graph, one per process: authenticated, throttled requests, and answers as plain data.

msgraph-sdk carries sign-in and middleware; its retries are off (they would wait without asking us) and its typed models are not
used (600 ms of CPU per 100 contacts, FACTS). It is imported when the connection is built, not before. URLs and bodies are never
logged. Raises `sync.errors` only for what certainly did not happen; everything else comes back as `Answer` or `Failure`.
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

import httpx

from sync.errors import Cause, ConfigMistake, Failure, RetryLater
from sync.sides.graph.answers import DEFAULT_PAUSE, Answer, answer_of, asks_for_patience
from sync.sides.graph.credentials import LOOPBACK
from sync.sides.graph.throttle import Throttle

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation
    from msgraph.graph_request_adapter import GraphRequestAdapter

BASE_URL = "https://graph.microsoft.com/v1.0"
USER_AGENT = "vtenext-m365-sync/1.0"
IMMUTABLE = 'IdType="ImmutableId"'
ORDINARY = ""
"""The wish for ids: everywhere immutable ones but in To Do, which knows none (BEHAVIOUR 2.6, 5.2)."""
THROTTLED_TRIES = 3
AGAIN_AFTER = 1.0
"""Seconds before a request that may be repeated is repeated."""

PASSING = frozenset({0, 408, 412, 500, 502, 503, 504})
"""What comes and goes: a read is repeated once. 412 is seen on a GET, without any If-Match (BEHAVIOUR 5.1)."""


class Sign(Protocol):
    """What the connection asks of a sign-in (credentials.Tokens)."""

    generation: int

    async def get_token(self, *scopes: str, **options: Any) -> Any: ...

    async def renew(self, generation: int) -> None: ...

    async def close(self) -> None: ...


class GraphConnection:
    """Requests to one tenant's Graph. Build it with `connect`."""

    def __init__(
        self,
        adapter: GraphRequestAdapter,
        http: httpx.AsyncClient,
        tokens: Sign,
        throttle: Throttle,
        base_url: str,
        new_id: Callable[[], str],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._adapter, self._http, self._tokens = adapter, http, tokens
        self.throttle, self.base_url, self._new_id, self._sleep = throttle, base_url, new_id, sleep

    async def read(
        self,
        url: str,
        *,
        where: str,
        mailbox: str = "",
        prefer: tuple[str, ...] = (),
        again: frozenset[int] = PASSING,
        ids: str = IMMUTABLE,
    ) -> Answer | Failure:
        """GET. Repeated once, after a second, when the status is one of `again`."""
        answer = await self.send("GET", url, where=where, mailbox=mailbox, prefer=prefer, repeatable=True, ids=ids)
        if isinstance(answer, Failure) and answer.status in again and not asks_for_patience(answer):
            await self._sleep(AGAIN_AFTER)
            answer = await self.send("GET", url, where=where, mailbox=mailbox, prefer=prefer, repeatable=True, ids=ids)
        return answer

    async def send(
        self,
        method: str,
        url: str,
        *,
        where: str,
        mailbox: str = "",
        body: Mapping[str, Any] | None = None,
        prefer: tuple[str, ...] = (),
        cost: int = 1,
        lanes: int = 1,
        repeatable: bool = False,
        ids: str = IMMUTABLE,
    ) -> Answer | Failure:
        """One request; `url` is relative to the version root, or a link that Graph gave us. A token refused is renewed once.

        A throttled request was not executed: it waits as asked and is sent again, a few times; after a 503 only what is
        `repeatable`. Raises RetryLater and StopConnector when nothing was sent (pause too long, no token, no connection).
        """
        target = self._target(url)
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        renewed = False
        tries = 0
        while True:
            tries += 1
            generation = self._tokens.generation
            async with self.throttle.slot(mailbox, cost=cost, lanes=lanes):
                answer = await self._once(method, target, content, (ids, *prefer), where)
            if isinstance(answer, Answer):
                return answer
            if answer.status == 401 and not renewed:
                renewed = True
                await self._tokens.renew(generation)
                continue
            if not asks_for_patience(answer):
                return answer
            self.throttle.refused(mailbox, answer.retry_after or DEFAULT_PAUSE)
            if tries >= THROTTLED_TRIES or (answer.status != 429 and not repeatable):
                return answer

    async def close(self) -> None:
        """Release connections and the sign-in's."""
        await self._http.aclose()
        await self._tokens.close()

    def _target(self, url: str) -> str:
        """Absolute address. A link of another server is refused: the token would travel along."""
        if url.startswith("/"):
            return self.base_url + url
        if not self.owns(url):
            raise ValueError("a link that does not belong to this Graph address")
        return url

    def owns(self, link: str) -> bool:
        """Is it a link of the Graph that we talk to?"""
        return link.startswith(self.base_url + "/")

    async def _once(
        self, method: str, target: str, content: bytes | None, prefer: tuple[str, ...], where: str
    ) -> Answer | Failure:
        from kiota_abstractions.method import Method
        from kiota_abstractions.request_information import RequestInformation

        request = RequestInformation(Method(method))
        request.url = target
        request.content = content
        for name, value in self._headers(content, prefer).items():
            request.headers.add(name, value)
        try:
            response = await self._native(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            raise RetryLater(Cause.GRAPH_UNREACHABLE, everybody=True) from None  # the exception carries the URL
        except httpx.RequestError as error:
            return Failure(status=0, code=type(error).__name__, where=where)
        try:
            body: object = response.json() if response.content else {}
        except ValueError:
            body = {}
            if response.is_success:
                return Failure(status=0, code="NotJson", where=where)
        return answer_of(response.status_code, response.headers, body, where)

    def _headers(self, content: bytes | None, prefer: tuple[str, ...]) -> dict[str, str]:
        headers = {
            "Prefer": ", ".join(wish for wish in prefer if wish),
            "Accept": "application/json",
            "User-Agent": USER_AGENT,
            "client-request-id": self._new_id(),
        }
        if not headers["Prefer"]:
            del headers["Prefer"]
        if content is not None:
            headers["Content-Type"] = "application/json"
        return headers

    async def _native(self, request: RequestInformation) -> httpx.Response:
        """Through the SDK's adapter - sign-in, middleware - but without its reading of the answer."""
        from kiota_abstractions.native_response_handler import NativeResponseHandler
        from kiota_http.middleware.options import ResponseHandlerOption

        request.add_request_options([ResponseHandlerOption(NativeResponseHandler())])
        answer = await self._adapter.send_primitive_async(request, "bytes", None)
        return cast(httpx.Response, answer)


def connect(
    tokens: Sign,
    throttle: Throttle,
    *,
    new_id: Callable[[], str],
    sleep: Callable[[float], Awaitable[None]],
    base_url: str = BASE_URL,
    transport: httpx.AsyncBaseTransport | None = None,
) -> GraphConnection:
    """The connection, on the SDK's adapter and middleware. `transport` replaces the network (tests).

    Raises ConfigMistake for an address that must not get a token.
    """
    from kiota_authentication_azure.azure_identity_authentication_provider import (
        AzureIdentityAuthenticationProvider,
    )
    from kiota_http.middleware.options import ParametersNameDecodingHandlerOption, RetryHandlerOption
    from msgraph.graph_request_adapter import GraphRequestAdapter, options
    from msgraph_core import GraphClientFactory

    base_url = base_url.rstrip("/")
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not host or (parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK)):
        raise ConfigMistake("GRAPH_BASE_URL", "an https address ending in the version; http only for a loopback host")
    for name in ("httpx", "httpcore"):  # they write each URL at INFO
        logging.getLogger(name).setLevel(logging.WARNING)
    http = httpx.AsyncClient(transport=transport, verify=_trusted(), timeout=httpx.Timeout(100.0, connect=10.0))
    middleware = {
        **options,
        RetryHandlerOption.get_key(): RetryHandlerOption(max_retries=0),
        # Links are opaque (BEHAVIOUR 2.1): nothing in them is to be decoded on the way.
        ParametersNameDecodingHandlerOption.get_key(): ParametersNameDecodingHandlerOption(enable=False),
    }
    http = GraphClientFactory.create_with_default_middleware(client=http, options=middleware)
    graph = "graph.microsoft.com" if host in LOOPBACK else host
    # allowed_hosts without a port, else no Authorization header is sent, silently (FACTS, msgraph-sdk).
    provider = AzureIdentityAuthenticationProvider(
        cast(Any, tokens), scopes=[f"https://{graph}/.default"], allowed_hosts=[host]
    )
    adapter = GraphRequestAdapter(provider, client=http)
    adapter.base_url = base_url
    return GraphConnection(adapter, http, tokens, throttle, base_url, new_id, sleep)


@cache
def _trusted() -> ssl.SSLContext:
    """One for all connections: reading the authorities costs 15 ms and half a megabyte, and there may be a connection per mailbox."""
    return httpx.create_ssl_context()
