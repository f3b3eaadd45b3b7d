"""An httpx transport into an emulator of the same process: no sockets, the same faults.

Never used by product code, which only sees an ``httpx.AsyncClient`` that somebody handed in.
"""

from __future__ import annotations

import httpx

from emulators.corner import ASGIApp, Dropped


class InProcessTransport(httpx.AsyncBaseTransport):
    """Sends requests straight into an ASGI app; a dropped connection becomes ``httpx.ReadError``."""

    def __init__(self, app: ASGIApp, *, client: tuple[str, int] = ("127.0.0.1", 123)) -> None:
        self._inner = httpx.ASGITransport(app=app, client=client)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request; an emulator's own bug is raised here, not turned into a 500."""
        try:
            return await self._inner.handle_async_request(request)
        except Dropped as dropped:
            raise httpx.ReadError("the connection was dropped", request=request) from dropped
