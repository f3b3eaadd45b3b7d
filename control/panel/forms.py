"""Forms: their fields, and the token that proves that a page of ours sent them (SPEC 7.3). Pure.

The token is made from a cookie of this browser, the person and a key of ours (signed double submit): a foreign page can neither read nor make it.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qs

COOKIE = "vtesync-form"
FIELD = "form_token"
MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_BODY = 256 * 1024
MAX_FIELDS = 2000


class Names(Protocol):
    """What is needed of the keyring."""

    def index(self, text: str) -> str: ...


def token(keys: Names, browser: str, oid: str) -> str:
    """What a form carries. `browser`: the value of the cookie."""
    return keys.index(f"panel|form|{browser}|{oid}")


def read_form(content_type: str, body: bytes) -> dict[str, list[str]] | None:
    """The fields; None = not a form of ours."""
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE or len(body) > MAX_BODY:
        return None
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        return None


def from_our_page(headers: Mapping[str, str], form: Mapping[str, list[str]], expected: str) -> bool:
    """Does the form carry its token, and does the browser not say that another site sent it? `headers` by lower-case name."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    brought = next(iter(form.get(FIELD, ())), "")
    return hmac.compare_digest(brought.encode(errors="surrogatepass"), expected.encode())
