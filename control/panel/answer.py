"""How every page is answered: its headers and cookies. Everything on a page comes from this app: the policy allows nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import azure.functions as func

PATH = "/api"
SAID, SAID_FOR = "vtesync-said", 60
"""What was done just now, for the page that comes next, and how many seconds that one may take to come: no link can say it."""
YEAR = 365 * 24 * 3600
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def answered(
    status: int, body: str = "", cookies: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> func.HttpResponse:
    """A page, or the way to another one (`more`: Location)."""
    headers = {**HEADERS, **(more or {})}
    response = func.HttpResponse(body, status_code=status, headers=headers, mimetype="text/html", charset="utf-8")
    for each in cookies:
        response.headers.add("Set-Cookie", each)
    return response
