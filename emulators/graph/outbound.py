"""The emulator's way out: over the network, or through a transport that a test hands in."""

from __future__ import annotations

import ssl
from functools import cached_property

import httpx

_PATIENCE_S = 60.0  # callers stop earlier, by limits of their own


class _Lent(httpx.AsyncBaseTransport):
    """A transport that belongs to somebody else: closing the client leaves it open."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._inner.handle_async_request(request)


class Outbound:
    """Makes the clients; they follow no redirect and know no proxy."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport

    @cached_property
    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context()  # read once: it takes tens of milliseconds

    def client(self) -> httpx.AsyncClient:
        """A client for one handshake, or for a notifier's life."""
        if self._transport is not None:
            return httpx.AsyncClient(transport=_Lent(self._transport), timeout=_PATIENCE_S)
        return httpx.AsyncClient(verify=self._trust, trust_env=False, timeout=_PATIENCE_S)
