"""The handshake before a subscription exists: does the endpoint want it (BEHAVIOUR 3.2)?"""

from __future__ import annotations

import asyncio
import html
from urllib.parse import quote_plus

import httpx

from emulators.graph.errors import GraphError
from emulators.graph.outbound import Outbound
from emulators.graph.quirks import Quirks

_FAILED = "Subscription validation request failed."


async def shake(outbound: Outbound, url: str, request_id: str, quirks: Quirks) -> None:
    """POST the token; 400 ValidationError unless it comes back within the limit, decoded, as text/plain and alone."""
    token = token_of(request_id)
    try:
        async with asyncio.timeout(quirks.handshake_limit_s), outbound.client() as client:
            answer = await client.post(
                f"{url}{'&' if '?' in url else '?'}validationToken={quote_plus(token)}",
                headers={"Content-Type": "text/plain; charset=utf-8"},
            )
    except TimeoutError:
        raise _refusal("Subscription validation request timed out.") from None
    except httpx.HTTPError:
        raise _refusal(f"{_FAILED} Notification endpoint could not be reached.") from None
    if answer.status_code != 200:
        reason = answer.reason_phrase.replace(" ", "") or str(answer.status_code)
        must = "Notification endpoint must respond with 200 OK to validation request."
        raise _refusal(f"{_FAILED} HTTP status code is '{reason}'. {must}")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "text/plain":
        raise _refusal(f"{_FAILED} Content-Type of the response must be text/plain.")
    accepted = {token} if quirks.handshake == "exact" else {token, html.escape(token)}
    if answer.text not in accepted:
        raise _refusal(f"{_FAILED} Response must exactly match validationToken query parameter.")


def token_of(request_id: str) -> str:
    """The service's own sentence (microsoft-graph-docs#21160) and, after it, everything that careless code gets wrong: characters
    that mean something in a URL, in HTML, and outside of ASCII."""
    return f'Validation: Testing client application reachability for subscription Request-Id: {request_id} <b>1+1=2 & 100%2B "é"\'</b>'


def _refusal(message: str) -> GraphError:
    return GraphError(400, "ValidationError", message)
