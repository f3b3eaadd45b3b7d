"""Serve an emulator over TCP with uvicorn, dropped connections included: for demo, e2e tests and by hand."""

from __future__ import annotations

import argparse

import uvicorn

from emulators.corner import ASGIApp, Dropped, Receive, Scope, Send


class BreakConnections:
    """Turns ``Dropped`` into a really broken connection: a head that promises a body which never comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Dropped:
            # uvicorn closes the transport when an app returns before its response is complete.
            head = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]}
            await send(head)


def arguments(description: str) -> argparse.ArgumentParser:
    """The options that every emulator's command line has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    return parser


def serve(app: ASGIApp, *, host: str, port: int) -> None:
    """Run until interrupted."""
    uvicorn.run(
        BreakConnections(app),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
    )
