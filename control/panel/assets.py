"""The stylesheet and the script of the pages. Open to everybody, for the sign-in needs them; nothing in them is anybody's."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path

import azure.functions as func

ROUTE = "panel/static/{name}"
FOLDER = Path(__file__).with_name("static")
TYPES = {"panel.css": "text/css", "panel.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""All there are, and what they are."""


@lru_cache(maxsize=8)
def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@lru_cache(maxsize=8)
def version(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()[:12]


def address(name: str) -> str:
    """Where a page finds it. It changes with the content, so that browsers may keep it for ever."""
    return f"/api/panel/static/{name}?v={version(name)}"


def function() -> Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]:
    """The HTTP function."""

    async def asset(req: func.HttpRequest) -> func.HttpResponse:
        name = str(req.route_params.get("name", ""))
        if name not in TYPES:
            return func.HttpResponse("", status_code=404, headers={"X-Content-Type-Options": "nosniff"})
        ours = req.params.get("v", "") == version(name)  # else it is a page of another version that asks
        kept = "public, max-age=31536000, immutable" if ours else "no-cache"
        headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
        return func.HttpResponse(content(name), headers=headers, mimetype=TYPES[name], charset="utf-8")

    return asset
